use std::time::Duration;

use flamingock_core::audit::Evidence;
use flamingock_core::operate::{Notice, Outcome, Request, Resolution, Ruled, Ruling};
use serde_json::json;

use super::shared;
use crate::error::Result;
use crate::output::Done;
use crate::session::Session;

/// Rule on a change: the target has it, or it has not.
///
/// -r APPLIED means: the target has the change. It will not run.
/// -r ROLLED_BACK means: the target has it not, and it will run again at the next start.
///
/// Works on the audit store alone. With --app the target is asked, too: its marker and #[verify].
#[derive(Debug, clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Example:\n  flamingock audit fix -c add-tracking-code -r APPLIED --reason 'the column and the index are there'"
)]
pub(crate) struct Args {
    /// Id of the change
    #[arg(short, long = "change-id", value_name = "ID", allow_hyphen_values = true)]
    change: String,
    /// APPLIED: the target has it. ROLLED_BACK: it has not, and it will run again
    #[arg(short, long, value_name = "APPLIED|ROLLED_BACK", value_parser = resolution)]
    resolution: Resolution,
    /// Why, for those who read the audit later
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Who rules; your user name unless told
    #[arg(long, value_name = "NAME")]
    operator: Option<String>,
    /// Correct a change that is settled
    #[arg(long = "override")]
    correct: bool,
    /// Rule although the next start may settle it
    #[arg(long)]
    force: bool,
    /// Rule although the target says otherwise: what it says is overruled
    #[arg(long)]
    against_target: bool,
    /// Entry of the change at which you looked at the target: with a newer one, nothing is recorded
    #[arg(long, value_name = "SEQUENCE")]
    seen: Option<u64>,
    /// Do not ask the target, even where the application could
    #[arg(long)]
    store_only: bool,
    /// How long to wait for the lock
    #[arg(long, value_name = "TIME", default_value = "70s", value_parser = humantime::parse_duration)]
    wait: Duration,
}

fn resolution(text: &str) -> std::result::Result<Resolution, String> {
    Resolution::parse(&text.to_uppercase().replace('-', "_")).ok_or_else(|| {
        "write APPLIED (the target has it) or ROLLED_BACK (it has not, and it will run again)".to_owned()
    })
}

pub(crate) async fn run(session: &Session, args: Args) -> Result<Done> {
    let mut ruling = Ruling::new(args.change, args.resolution, args.reason)
        .by(session.operator_name(args.operator.as_deref()))
        .correct(args.correct)
        .force(args.force)
        .against_target(args.against_target);
    ruling.seen = args.seen;
    let ruled = if session.is_asked() && !args.store_only {
        through_the_application(session, &ruling, args.wait).await?
    } else {
        let operator = session.waiting_operator(args.wait).await?;
        shared::known(&operator, std::iter::once(ruling.change.as_str())).await?;
        operator.rule(&ruling).await?
    };
    let before = ruled.before.state.map_or("", flamingock_core::audit::AuditState::as_str);
    let after = ruled.entry.state.map_or("", flamingock_core::audit::AuditState::as_str);
    let next = match args.resolution {
        Resolution::Applied => "It will not run.",
        Resolution::RolledBack => "It will run again at the next start.",
    };
    let against = match ruled.entry.evidence {
        Evidence::Overruled => ", against what the target says",
        _ => "",
    };
    let text = format!(
        "{}: {before} -> {after} (entry {}, by {}{against})\n{next}",
        ruled.entry.change, ruled.entry.sequence, ruling.operator
    );
    Done::new(json!({ "before": ruled.before, "entry": ruled.entry }), text)
}

/// The application has the target: what its marker and `#[verify]` say counts at once.
async fn through_the_application(session: &Session, ruling: &Ruling, wait: Duration) -> Result<Ruled> {
    let output = session.output.clone();
    let waiting = move |notice| {
        if let Notice::Waiting { holder } = notice {
            output.note(&crate::progress::waiting(&holder));
        }
    };
    let request = Request::Rule { ruling: ruling.clone(), wait };
    match session.ask(request, waiting).await? {
        Outcome::Ruled(ruled) => Ok(*ruled),
        _ => Err(shared::unexpected()),
    }
}
