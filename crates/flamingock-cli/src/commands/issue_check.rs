use flamingock_core::operate::{Outcome, Request};

use super::shared;
use crate::error::Result;
use crate::output::Done;
use crate::render;
use crate::session::Session;

/// Ask the target's marker and #[verify] about a change (needs the application).
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  flamingock issue check -c add-tracking-code --app ./orders")]
pub(crate) struct Args {
    /// Id of the change
    #[arg(short, long = "change-id", value_name = "ID", allow_hyphen_values = true)]
    change: String,
}

pub(crate) async fn run(session: &Session, args: Args) -> Result<Done> {
    let Outcome::Examination(found) = shared::look(session, Request::Examine(args.change)).await? else {
        return Err(shared::unexpected());
    };
    let text = render::examination(&session.output, &found);
    Done::new(found, text)
}
