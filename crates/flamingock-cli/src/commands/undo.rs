use std::io::{BufRead as _, IsTerminal as _};

use flamingock_core::audit::AuditEntry;
use flamingock_core::operate::{Outcome, Request, UndoSelection};
use jiff::Timestamp;

use super::shared;
use crate::error::{Problem, Result};
use crate::output::Done;
use crate::render::EntryTable;
use crate::session::Session;

/// Undo applied changes through their #[rollback], newest first (needs the application).
///
/// Also runs the compensation of an issue. Refused before it starts when one of them has no #[rollback].
/// The next start applies them again, unless the application no longer has them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  flamingock undo --last 2 --app ./orders")]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// This change; may be given several times
    #[arg(long, value_name = "ID")]
    change: Vec<String>,
    /// The last N
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    last: Option<u32>,
    /// All that were applied after this change
    #[arg(long, value_name = "ID")]
    to: Option<String>,
    /// All that were applied since this date (UTC)
    #[arg(long, value_name = "DATE", value_parser = shared::time)]
    since: Option<Timestamp>,
    /// All that were applied after this tag
    #[arg(long, value_name = "NAME")]
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
    let request = Request::Undoable(args.which.selection());
    let Outcome::Entries(entries) = shared::look(session, request).await? else {
        return Err(shared::unexpected());
    };
    let ids: Vec<String> = entries.iter().map(|entry| entry.change.clone()).collect();
    if !args.yes {
        confirm(session, &entries)?;
    }
    let report = shared::run_shown(session, Request::Undo(ids)).await?;
    let text =
        format!("{report}\nThe next start applies them again, unless the application no longer has them.");
    Done::new(report, text)
}

fn confirm(session: &Session, entries: &[AuditEntry]) -> Result<()> {
    let refused = |message: &str| Err(Problem::new("NOT_CONFIRMED", message));
    if session.output.json || !std::io::stdin().is_terminal() {
        return refused("nothing was undone: where nobody can be asked, confirm with --yes");
    }
    let table = EntryTable::new(&session.output, false, false).page(entries);
    eprint!(
        "These are undone, in this order:\n\n{table}\n\nThe next start applies them again. Undo them? [y/N] "
    );
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    if answer.trim().eq_ignore_ascii_case("y") || answer.trim().eq_ignore_ascii_case("yes") {
        Ok(())
    } else {
        refused("nothing was undone")
    }
}
