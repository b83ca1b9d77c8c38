use serde_json::json;

use crate::error::{Problem, Result};
use crate::output::Done;
use crate::session::Session;

/// Take the lock from its holder.
///
/// For a holder that is dead for certain. A dead one's lease ends by itself; a live one is put out of
/// office: its next commit or record is refused.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  flamingock lock release --force --reason 'pod orders-7 was deleted'")]
pub(crate) struct Args {
    /// Yes, take it from whoever has it
    #[arg(long)]
    force: bool,
    /// Why, for those who read the audit later
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Who does it; your user name unless told
    #[arg(long, value_name = "NAME")]
    operator: Option<String>,
}

pub(crate) async fn run(session: &Session, args: Args) -> Result<Done> {
    let operator = session.operator().await?;
    let (_, holder) = operator.holder().await?;
    if let (Some(holder), false) = (&holder, args.force) {
        let left = holder.remaining.map_or(String::new(), |left| {
            format!(" Its lease ends in {} s unless it is extended.", left.as_secs())
        });
        return Err(Problem::new(
            "NOT_FORCED",
            format!(
                "{} has the lock.{left} If it is dead for certain, take the lock from it with --force",
                holder.owner
            ),
        )
        .exit(4));
    }
    let name = session.operator_name(args.operator.as_deref());
    match operator.unlock(&args.reason, &name).await? {
        None => Done::new(json!({ "released": false }), "The lock is free: there was nothing to release"),
        Some((holder, entry)) => {
            let text = format!("Took the lock from {} (entry {}, by {name})", holder.owner, entry.sequence);
            Done::new(json!({ "released": true, "holder": holder, "entry": entry }), text)
        }
    }
}
