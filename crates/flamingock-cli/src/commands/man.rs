use std::path::PathBuf;

use serde_json::json;

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
    clap_mangen::generate_to(crate::command(), &args.folder)?;
    let folder = args.folder.display().to_string();
    Done::new(json!({ "folder": folder }), folder)
}
