use flamingock_core::operate::{Outcome, Request};

use super::shared;
use crate::error::Result;
use crate::output::Done;
use crate::render;
use crate::session::Session;

/// Check wiring, targets and checksums; changes nothing (needs the application).
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  flamingock validate --app ./orders")]
pub(crate) struct Args {}

pub(crate) async fn run(session: &Session, Args {}: Args) -> Result<Done> {
    let Outcome::Validation(found) = shared::look(session, Request::Validate).await? else {
        return Err(shared::unexpected());
    };
    let exit = if found.is_good() { 0 } else { 1 };
    let text = render::validation(&session.output, &found);
    Ok(Done::new(found, text)?.exit(exit))
}
