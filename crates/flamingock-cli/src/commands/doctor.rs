use flamingock_core::audit::FORMAT;
use flamingock_core::operate::{Operator, Outcome, Request};
use serde_json::json;

use super::shared;
use crate::error::{Problem, Result};
use crate::output::{Done, Tone};
use crate::render::time;
use crate::session::Session;

/// Check that everything is in place.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  flamingock doctor --app ./orders")]
pub(crate) struct Args {
    /// Bring the audit to the format of this release, where it has an older one
    #[arg(long)]
    upgrade: bool,
}

/// What was looked at, and what is wrong with it.
#[derive(Default)]
struct Checks(Vec<(String, Option<String>)>);

impl Checks {
    fn add(&mut self, what: impl Into<String>, problem: Option<String>) {
        self.0.push((what.into(), problem));
    }
}

pub(crate) async fn run(session: &Session, args: Args) -> Result<Done> {
    let mut checks = Checks::default();
    if session.has_store() {
        match session.operators().await {
            Err(Problem { exit: 2, message, .. }) => return Err(Problem::usage(message)),
            Err(problem) => checks.add("audit store", Some(problem.message)),
            Ok(operators) => audit(&mut checks, &operators, args.upgrade).await?,
        }
    } else if args.upgrade {
        return Err(Problem::usage("upgrade which audit store? Give --audit-store URL"));
    } else {
        checks.add("audit store: none given", None);
    }
    if session.has_app() {
        application(&mut checks, session).await?;
    }
    let output = &session.output;
    let mut text = String::new();
    let mut data = Vec::new();
    for (what, problem) in &checks.0 {
        text.push_str(&match problem {
            None => format!("{}      {what}\n", output.paint(Tone::Good, "ok")),
            Some(problem) => format!("{}  {what}\n        {problem}\n", output.paint(Tone::Bad, "FAILED")),
        });
        data.push(json!({ "check": what, "problem": problem }));
    }
    let bad = checks.0.iter().any(|(_, problem)| problem.is_some());
    Ok(Done::new(json!({ "checks": data }), text)?.exit(u8::from(bad)))
}

async fn audit(checks: &mut Checks, operators: &[Operator], upgrade: bool) -> Result<()> {
    let mut read = 0;
    for (index, operator) in operators.iter().enumerate() {
        let (history, store) = (operator.history(), operator.store());
        let status = match operator.status().await {
            Ok(status) => status,
            Err(error) => {
                checks.add(format!("history {history}"), Some(error.to_string()));
                continue;
            }
        };
        let Some(head) = &status.head else {
            checks.add(format!("history {history}: it never ran"), None);
            continue;
        };
        if index == 0 {
            // Where there is a head there are tables: this compares them, and creates none.
            let problem = store.initialize().await.err().map(|error| error.to_string());
            checks.add(format!("audit store at {}: reached, tables", store.address()), problem);
        }
        checks.add(
            format!("history {history}: {} change(s), format {}", status.changes.len(), head.format),
            None,
        );
        if let Some(holder) = &status.holder {
            checks.add(format!("its lock is held by {} since {}", holder.owner, time(holder.since)), None);
        }
        match operator.verify(None).await {
            Err(error) => checks.add("its audit", Some(error.to_string())),
            Ok(report) => {
                read += 1;
                let found = report.finding.map(|finding| finding.message);
                checks.add(format!("its audit holds: {} entries", report.entries), found);
            }
        }
    }
    if upgrade {
        // Format 1 is the first: there is none that could be older. A newer one is refused when it is read.
        let all = operators.len();
        let what = format!("upgrade: {read} of {all} history(ies) have format {FORMAT}, the only one so far");
        let unread = "what cannot be read is left as it is: a newer format needs the release that wrote it";
        checks.add(what, (read < all).then(|| unread.to_owned()));
        if read == all {
            checks.add("nothing needs an upgrade, nothing was changed", None);
        }
    }
    Ok(())
}

async fn application(checks: &mut Checks, session: &Session) -> Result<()> {
    match shared::look(session, Request::Validate).await {
        Ok(Outcome::Validation(found)) => {
            checks.add(format!("application: {} change(s)", found.changes), None);
            checks.add("audit store, as the application sees it", found.audit_store);
            for target in found.targets {
                checks.add(format!("target system `{}` at {}", target.id, target.address), target.problem);
            }
            Ok(())
        }
        Ok(_) => Err(shared::unexpected()),
        Err(problem) => {
            checks.add("application", Some(problem.message));
            Ok(())
        }
    }
}
