use std::path::PathBuf;

use clap::CommandFactory as _;
use serde_json::json;

use super::Cli;
use crate::error::Result;
use crate::output::Done;

/// Write manual pages.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where
    folder: PathBuf,
}

pub(crate) fn run(args: &Args) -> Result<Done> {
    std::fs::create_dir_all(&args.folder)?;
    clap_mangen::generate_to(Cli::command(), &args.folder)?;
    let folder = args.folder.display().to_string();
    Done::new(json!({ "folder": folder }), folder)
}
