//! What a developer types often: `cargo xtask test`, `cargo xtask services`, `cargo xtask bench`,
//! `cargo xtask chaos`, `cargo xtask simulate` and `cargo xtask fmt`. A library also, for tests that crash servers of their own.

mod bench;
mod chaos;
mod dist;
mod fmt;
mod fuzz;
mod interrupt;
mod mutants;
mod services;
mod simulate;
mod tally;
mod test;
mod tool;
mod workspace;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Parser, Subcommand};

pub use self::interrupt::Interrupt;
pub use self::services::{Server, Services};

#[derive(Parser)]
#[command(name = "xtask", bin_name = "cargo xtask", about = "Developer commands of this workspace")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the whole test suite with everything that it needs, and close with one line of counts
    Test {
        /// For the test binaries, such as a part of a test's name or `--nocapture`
        #[arg(last = true)]
        arguments: Vec<OsString>,
    },
    /// Start the servers that tests need, print their URLs as shell exports, and stay until Ctrl-C
    Services {
        /// Only these, such as `postgres kafka`
        names: Vec<String>,
    },
    /// Measure Flamingock beside sqlx migrate, refinery and sea-orm-migration, on PostgreSQL and SQLite
    Bench {
        /// `--quick` for a small run, `--json FILE` for the results as data
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Search for input that what reads foreign data cannot bear, guided by coverage
    Fuzz {
        /// Only tests with this in their name
        part: Option<String>,
        /// Only those of this package
        #[arg(short, long)]
        package: Option<String>,
        /// How long each of them is run
        #[arg(long, default_value_t = 60, value_name = "SECONDS")]
        seconds: u64,
    },
    /// Kill and freeze processes, cut their connections and crash their servers, round after round
    Chaos {
        /// `--rounds 300`, `--place postgres,mariadb`, `--seed 7`, `--jobs 3`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Install what the workspace needs to be built with all features, where it is missing
    Prepare,
    /// Run three runners at once in worlds that seeds decide about
    Simulate {
        /// `--seeds 1000000`, `--from N`, `--seed N` for one with its whole history, `--flaw NAME`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Break the planner and the runner in small ways, and see whether the tests notice
    Mutants {
        /// For `cargo mutants`, such as `--file flamingock-core/src/plan` or `--list`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Build the `flamingock` command for release: static where musl is installed
    Dist,
    /// Write the manual pages of the `flamingock` command to `man` in the target folder
    Man,
    /// Format the workspace, also the changes that `include_changes!` declares
    Fmt {
        /// Change nothing; fail when something is not formatted
        #[arg(long)]
        check: bool,
    },
}

/// Does what the command line says.
///
/// # Errors
/// When it cannot be done; what was done and failed is in the exit code.
pub fn main() -> Result<ExitCode> {
    let passed = match Arguments::parse().command {
        Command::Test { arguments } => test::run(&arguments)?,
        Command::Services { names } => services::run(&names).map(|()| true)?,
        Command::Bench { arguments } => bench::run(&arguments)?,
        Command::Fuzz { part, package, seconds } => {
            fuzz::run(part.as_deref(), package.as_deref(), Duration::from_secs(seconds))?
        }
        Command::Chaos { arguments } => chaos::run(&arguments)?,
        Command::Prepare => services::prepare().map(|()| true)?,
        Command::Simulate { arguments } => simulate::run(&arguments)?,
        Command::Mutants { arguments } => mutants::run(&arguments)?,
        Command::Dist => dist::dist()?,
        Command::Man => dist::man()?,
        Command::Fmt { check } => fmt::run(check)?,
    };
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
