use std::time::Duration;

use serde_json::json;

use super::shared;
use crate::error::Result;
use crate::output::Done;
use crate::session::Session;

/// Let changes run again that `undo --hold` keeps out: the next start applies them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  flamingock release add-tracking-code --reason 'shipping is live again'")]
pub(crate) struct Args {
    /// Ids of the changes; all of them are released, or none
    #[arg(value_name = "ID", required = true)]
    changes: Vec<String>,
    /// Why, for those who read the audit later
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// Who does it; your user name unless told
    #[arg(long, value_name = "NAME")]
    operator: Option<String>,
    /// How long to wait for the lock
    #[arg(long, value_name = "TIME", default_value = "70s", value_parser = humantime::parse_duration)]
    wait: Duration,
}

pub(crate) async fn run(session: &Session, args: Args) -> Result<Done> {
    let operator = session.waiting_operator(args.wait).await?;
    shared::known(&operator, args.changes.iter().map(String::as_str)).await?;
    let name = session.operator_name(args.operator.as_deref());
    let entries = operator.release(&args.changes, &name, &args.reason).await?;
    let lines = entries.iter().map(|entry| {
        format!(
            "{}: released (entry {}, by {name})\n",
            crate::render::line(&entry.change, 200),
            entry.sequence
        )
    });
    let text = lines.collect::<String>() + "The next start applies what was released.";
    Done::new(json!({ "entries": entries }), text)
}
