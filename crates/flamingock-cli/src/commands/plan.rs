use std::path::{Path, PathBuf};

use flamingock_core::operate::{Outcome, Preview, Request, SavedPlan};

use super::shared;
use crate::error::{Problem, Result};
use crate::output::Done;
use crate::render;
use crate::session::Session;

/// What a run would do, and why; changes nothing (needs the application).
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  flamingock plan --check --app ./orders")]
pub(crate) struct Args {
    /// Exit with 3 when anything is pending, uncertain or an issue
    #[arg(long)]
    check: bool,
    /// Save the plan, for `execute apply --plan FILE`
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(crate) async fn run(session: &Session, args: Args) -> Result<Done> {
    let Outcome::Preview(preview) = shared::look(session, Request::Plan).await? else {
        return Err(shared::unexpected());
    };
    if let Some(path) = &args.out {
        let text = serde_json::to_string_pretty(&preview)?;
        std::fs::write(path, text + "\n").map_err(|error| file(path, &error.to_string()))?;
    }
    let exit = if args.check && !preview.up_to_date { 3 } else { 0 };
    let text = render::plan(&session.output, &preview);
    Ok(Done::new(preview, text)?.exit(exit))
}

/// What a saved plan was made from.
pub(crate) fn saved(path: &Path) -> Result<SavedPlan> {
    let text = std::fs::read_to_string(path).map_err(|error| file(path, &error.to_string()))?;
    let preview: Preview = serde_json::from_str(&text)
        .map_err(|error| file(path, &format!("not a plan of `flamingock plan --out`: {error}")))?;
    Ok(preview.made_from)
}

fn file(path: &Path, problem: &str) -> Problem {
    Problem { exit: 2, ..Problem::new("PLAN_FILE", format!("{}: {problem}", path.display())) }
}
