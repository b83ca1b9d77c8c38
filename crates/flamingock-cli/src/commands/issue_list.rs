use flamingock_core::operate::Standing;
use serde_json::json;

use super::shared;
use crate::error::Result;
use crate::output::{Done, Tone};
use crate::render;
use crate::session::Session;

/// Issues, and below them what is failing and will be tried again.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  flamingock issue list --check")]
pub(crate) struct Args {
    /// Exit with 3 when there are issues
    #[arg(long)]
    check: bool,
}

pub(crate) async fn run(session: &Session, args: Args) -> Result<Done> {
    let operator = session.operator().await?;
    let status = operator.status().await?;
    let blocked = status.is_blocked();
    let mut issues = Vec::new();
    let mut others = Vec::new();
    for (entry, standing) in status.changes {
        let list = match standing {
            Standing::Issue => &mut issues,
            Standing::Failing | Standing::Uncertain | Standing::Running => &mut others,
            Standing::Applied | Standing::RolledBack | Standing::Held => continue,
        };
        let error = shared::last_error(&shared::life(&operator, &entry.change).await?);
        list.push((entry, standing, error));
    }
    let mut text = if issues.is_empty() && blocked {
        let what = "The last start needed an operator, and the audit does not say for which change";
        format!("{}: see what it said, and below\n", session.output.paint(Tone::Bad, what))
    } else if issues.is_empty() {
        format!("{}\n", session.output.paint(Tone::Good, "No issues: nothing needs an operator."))
    } else {
        let title = format!("{} issue(s): each needs an operator, and blocks its stage", issues.len());
        render::issues(&session.output, &title, &issues)
    };
    if !others.is_empty() {
        let title = "Failing, uncertain or running: settled or tried again without an operator";
        text.push_str(&format!("\n{}", render::issues(&session.output, title, &others)));
    }
    if let Some((first, ..)) = issues.first() {
        let id = render::quoted(&first.change);
        text.push_str(&format!("\nNext: {} issue get -c {id}", session.typed()));
    }
    let exit = if args.check && (blocked || !issues.is_empty()) { 3 } else { 0 };
    let data = |list: &[_]| -> Vec<serde_json::Value> {
        let item = |(entry, standing, error): &(_, Standing, Option<String>)| json!({ "standing": standing, "error": error, "entry": entry as &flamingock_core::audit::AuditEntry });
        list.iter().map(item).collect()
    };
    Ok(Done::new(json!({ "issues": data(&issues), "others": data(&others) }), text)?.exit(exit))
}
