use std::io::{BufRead as _, IsTerminal as _};

use flamingock_core::audit::AuditEntry;
use flamingock_core::operate::{Outcome, Request, Undo, UndoSelection};
use jiff::Timestamp;

use super::shared;
use crate::error::{Problem, Result};
use crate::output::Done;
use crate::render::EntryTable;
use crate::session::Session;

/// Undo applied changes through their #[rollback], newest first (needs the application).
///
/// Also runs the compensation of an issue. Refused before it starts when one of them has no #[rollback].
/// The next start applies them again, unless the application no longer has them or --hold keeps them out.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  flamingock undo --last 2 --hold --app ./orders")]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    /// Keep them from running again until `release`; also what is rolled back already
    #[arg(long)]
    hold: bool,
    /// Why, for those who read the audit later
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Who does it; your user name unless told
    #[arg(long, value_name = "NAME")]
    operator: Option<String>,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// This change; may be given several times
    #[arg(long, value_name = "ID", allow_hyphen_values = true)]
    change: Vec<String>,
    /// The last N
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    last: Option<u32>,
    /// All that were applied after this change
    #[arg(long, value_name = "ID", allow_hyphen_values = true)]
    to: Option<String>,
    /// All that were applied since this date (UTC)
    #[arg(long, value_name = "DATE", value_parser = shared::time)]
    since: Option<Timestamp>,
    /// All that were applied after this tag
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    tag: Option<String>,
}

impl Which {
    fn selection(self) -> UndoSelection {
        match self {
            Self { last: Some(last), .. } => UndoSelection::Last(last as usize),
            Self { to: Some(id), .. } => UndoSelection::To(id),
            Self { since: Some(time), .. } => UndoSelection::Since(time),
            Self { tag: Some(name), .. } => UndoSelection::Tag(name),
            Self { change, .. } => UndoSelection::Changes(change),
        }
    }
}

pub(crate) async fn run(session: &Session, args: Args) -> Result<Done> {
    let Args { which, hold, reason, operator, yes } = args;
    let request = Request::Undoable { selection: which.selection(), hold };
    let Outcome::Entries(entries) = shared::look(session, request).await? else {
        return Err(shared::unexpected());
    };
    let changes: Vec<String> = entries.iter().map(|entry| entry.change.clone()).collect();
    let next = if hold {
        let ids: Vec<String> = changes.iter().map(|id| crate::render::quoted(id)).collect();
        format!(
            "No start applies them until they are released:\n  {} release {}",
            session.typed(),
            ids.join(" ")
        )
    } else {
        "The next start applies them again, unless the application no longer has them.".to_owned()
    };
    if !yes {
        confirm(session, &entries, &next)?;
    }
    let operator = Some(session.operator_name(operator.as_deref()));
    let undo = Undo { changes, hold, operator, reason };
    let report = shared::run_shown(session, Request::Undo(undo)).await?;
    let text = format!("{report}\n{next}");
    Done::new(report, text)
}

fn confirm(session: &Session, entries: &[AuditEntry], next: &str) -> Result<()> {
    let refused = |message: &str| Err(Problem::new("NOT_CONFIRMED", message));
    if session.output.json || !std::io::stdin().is_terminal() {
        return refused("nothing was undone: where nobody can be asked, confirm with --yes");
    }
    let table = EntryTable::new(&session.output, false, false).page(entries);
    eprint!("These are undone, in this order:\n\n{table}\n\n{next}\n\nUndo them? [y/N] ");
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    if answer.trim().eq_ignore_ascii_case("y") || answer.trim().eq_ignore_ascii_case("yes") {
        Ok(())
    } else {
        refused("nothing was undone")
    }
}
