use flamingock_core::operate::{Standing, Status};
use serde_json::json;

use super::shared;
use crate::error::Result;
use crate::output::{Done, Tone};
use crate::render::Issue;
use crate::session::Session;

/// One issue in full, with what to do; without -c the next one to deal with.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  flamingock issue get -c add-tracking-code")]
pub(crate) struct Args {
    /// Id of the change
    #[arg(short, long = "change-id", value_name = "ID", allow_hyphen_values = true)]
    change: Option<String>,
    /// Only what to do
    #[arg(short, long)]
    guidance: bool,
}

pub(crate) async fn run(session: &Session, args: Args) -> Result<Done> {
    let operator = session.operator().await?;
    let status = operator.status().await?;
    let found = match &args.change {
        Some(id) => Some(shared::change(&status, id)?),
        None => next(&status),
    };
    let Some((latest, standing)) = found else {
        let text = session.output.paint(Tone::Good, "No issues: nothing needs an operator.");
        return Done::new(json!({ "issue": null }), text);
    };
    let life = shared::life(&operator, &latest.change).await?;
    let (program, app) = (session.typed(), session.typed_app());
    let (output, standing, asked) = (&session.output, *standing, session.is_asked());
    let issue = Issue { output, life: &life, latest, standing, program: &program, app: &app, asked };
    let guidance = issue.guidance();
    let text = if args.guidance { guidance.clone() } else { issue.overview() + &guidance };
    let data = json!({
        "issue": { "standing": standing, "entry": latest, "life": life, "guidance": guidance.lines().collect::<Vec<_>>() },
    });
    Done::new(data, text)
}

/// The next one to deal with: the oldest issue, else the oldest that is not settled.
fn next(status: &Status) -> Option<&(flamingock_core::audit::AuditEntry, Standing)> {
    let of = |wanted: Standing| status.changes.iter().find(move |(_, standing)| *standing == wanted);
    of(Standing::Issue).or_else(|| of(Standing::Uncertain)).or_else(|| of(Standing::Failing))
}
