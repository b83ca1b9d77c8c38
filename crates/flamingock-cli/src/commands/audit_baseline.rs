use flamingock_core::operate::{Baseline, Outcome, Request};
use serde_json::json;

use super::shared;
use crate::error::Result;
use crate::output::Done;
use crate::render::EntryTable;
use crate::session::Session;

/// Mark changes as applied without running them, to adopt a system (needs the application).
///
/// Asks #[verify] where a change has one, and records nothing when it does not say that it is applied.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  flamingock audit baseline --to create-orders --app ./orders")]
pub(crate) struct Args {
    /// The last change that the system has; those before it are marked, too
    #[arg(long, value_name = "ID", allow_hyphen_values = true)]
    to: String,
    /// Why, for those who read the audit later
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Who says so; your user name unless told
    #[arg(long, value_name = "NAME")]
    operator: Option<String>,
}

pub(crate) async fn run(session: &Session, args: Args) -> Result<Done> {
    let operator = Some(session.operator_name(args.operator.as_deref()));
    let request = Request::Baseline(Baseline { to: args.to, reason: args.reason, operator });
    let Outcome::Entries(entries) = shared::look(session, request).await? else {
        return Err(shared::unexpected());
    };
    let text = if entries.is_empty() {
        "Nothing to mark: all of them are applied already.".to_owned()
    } else {
        let table = EntryTable::new(&session.output, false, false).page(&entries);
        format!("{table}\n\n{} change(s) marked as applied; nothing was run", entries.len())
    };
    Done::new(json!({ "entries": entries }), text)
}
