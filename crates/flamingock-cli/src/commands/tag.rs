use serde_json::json;

use crate::error::Result;
use crate::output::Done;
use crate::session::Session;

/// Name this point of the history, for `undo --tag`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  flamingock tag release-2.4")]
pub(crate) struct Args {
    /// The name; each is used once
    #[arg(value_name = "NAME")]
    tag: String,
    /// Who does it; your user name unless told
    #[arg(long, value_name = "NAME")]
    operator: Option<String>,
    /// How long to wait for the lock
    #[arg(long, value_name = "TIME", default_value = "70s", value_parser = humantime::parse_duration)]
    wait: std::time::Duration,
}

pub(crate) async fn run(session: &Session, args: Args) -> Result<Done> {
    let operator = session.waiting_operator(args.wait).await?;
    let name = session.operator_name(args.operator.as_deref());
    let entry = operator.tag(&args.tag, &name).await?;
    let text = format!("Tagged as {} (entry {}:{})", args.tag, entry.sequence, entry.hash);
    Done::new(json!({ "entry": entry }), text)
}
