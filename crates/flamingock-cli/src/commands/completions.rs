use clap::CommandFactory as _;
use clap_complete::Shell;

use super::Cli;
use crate::error::Result;
use crate::output::Done;

/// Completions for a shell.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  flamingock completions bash > ~/.local/share/bash-completion/completions/flamingock"
)]
pub(crate) struct Args {
    /// Which
    #[arg(value_enum)]
    shell: Shell,
}

pub(crate) fn run(args: &Args) -> Result<Done> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "flamingock", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    Done::new(&script, script.clone())
}
