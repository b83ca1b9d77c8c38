use flamingock_core::operate::{Outcome, Request};
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
    /// Bring the audit store's tables to the format of this release
    #[arg(long)]
    upgrade: bool,
}

struct Check {
    what: String,
    problem: Option<String>,
}

pub(crate) async fn run(session: &Session, args: Args) -> Result<Done> {
    let mut checks = Vec::new();
    let mut check = |what: String, problem: Option<String>| checks.push(Check { what, problem });
    if session.has_store() {
        match session.operators().await {
            Err(Problem { exit: 2, message, .. }) => return Err(Problem::usage(message)),
            Err(problem) => check("audit store".to_owned(), Some(problem.message)),
            Ok(operators) => {
                let mut shape = None;
                for operator in &operators {
                    // Checks the tables; alters nothing but where asked, and format 1 is the first.
                    if shape.is_none() {
                        let address = operator.store().address();
                        let found = operator.store().initialize().await.err().map(|error| error.to_string());
                        check(format!("audit store at {address}: reached, tables, format"), found.clone());
                        shape = Some(found);
                    }
                    let history = operator.history();
                    match operator.status().await {
                        Err(error) => check(format!("history {history}"), Some(error.to_string())),
                        Ok(status) => {
                            check(format!("history {history}: {} change(s)", status.changes.len()), None);
                            if let Some(holder) = &status.holder {
                                check(
                                    format!(
                                        "its lock is held by {} since {}",
                                        holder.owner,
                                        time(holder.since)
                                    ),
                                    None,
                                );
                            }
                            let report = operator.verify(None).await?;
                            let found = report.finding.map(|finding| finding.message);
                            check(format!("its audit holds: {} entries", report.entries), found);
                        }
                    }
                }
            }
        }
    } else {
        check("audit store: none given".to_owned(), None);
    }
    if args.upgrade {
        check("upgrade: the tables have the newest format, nothing to do".to_owned(), None);
    }
    if session.has_app() {
        match shared::look(session, Request::Validate).await {
            Ok(Outcome::Validation(found)) => {
                check(format!("application: {} change(s)", found.changes), None);
                check("audit store, as the application sees it".to_owned(), found.audit_store);
                for target in found.targets {
                    check(format!("target system `{}` at {}", target.id, target.address), target.problem);
                }
            }
            Ok(_) => return Err(shared::unexpected()),
            Err(problem) => check("application".to_owned(), Some(problem.message)),
        }
    }
    let secrets = session.secrets();
    let output = &session.output;
    let line = |check: &Check| match &check.problem {
        None => format!("{}      {}\n", output.paint(Tone::Good, "ok"), check.what),
        Some(problem) => {
            let problem = secrets.redact(problem);
            format!("{}  {}\n        {problem}\n", output.paint(Tone::Bad, "FAILED"), check.what)
        }
    };
    let text: String = checks.iter().map(line).collect();
    let bad = checks.iter().any(|check| check.problem.is_some());
    let data: Vec<_> = checks
        .iter()
        .map(|check| json!({ "check": check.what, "problem": check.problem.as_deref().map(|p| secrets.redact(p)) }))
        .collect();
    Ok(Done::new(json!({ "checks": data }), text)?.exit(u8::from(bad)))
}
