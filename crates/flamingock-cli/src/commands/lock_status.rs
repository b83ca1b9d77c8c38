use serde_json::json;

use crate::error::Result;
use crate::output::{Done, Tone};
use crate::render::time;
use crate::session::Session;

/// Who holds the lock.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  flamingock lock status --service orders")]
pub(crate) struct Args {}

pub(crate) async fn run(session: &Session, Args {}: Args) -> Result<Done> {
    let operator = session.operator().await?;
    let (head, holder) = operator.holder().await?;
    let text = match &holder {
        None => {
            let last = head.as_ref().filter(|head| !head.owner.is_empty());
            let last = last.map(|head| format!("\nLast in office: {} (run {})", head.owner, head.execution));
            format!("{}{}", session.output.paint(Tone::Good, "The lock is free"), last.unwrap_or_default())
        }
        Some(holder) => {
            let left = holder.remaining.map_or("not known".to_owned(), |left| {
                format!("{} s, unless it is extended", left.as_secs())
            });
            format!(
                "{}\nHolder  {}\nRun     {}\nSince   {}\nLeft    {left}\nToken   {}",
                session.output.paint(Tone::Warn, "The lock is held"),
                holder.owner,
                holder.execution,
                time(holder.since),
                holder.token
            )
        }
    };
    Done::new(json!({ "held": holder.is_some(), "holder": holder }), text)
}
