//! The `flamingock` command: see, plan, apply, undo and rule, with and without the application.
//!
//! The binary works straight on the audit store; what needs the application's code, it asks the
//! application for (`--app`). An application can have the same commands as its own: [`main`].
//!
//! ```text
//! commands/    what can be typed: one file per command, and what it does
//! args         what every command takes    config, secret   flamingock.toml
//! session      who is asked: a store, an application in this process (or started: child)
//! render/      how it is shown             output           text, or JSON in one envelope
//! ```

mod args;
mod child;
mod commands;
mod config;
mod error;
mod output;
mod place;
mod progress;
mod render;
mod secret;
mod session;

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

use clap::builder::Resettable;
use clap::{CommandFactory as _, FromArgMatches as _};
use flamingock_core::{Flamingock, FlamingockBuilder};

use crate::commands::Cli;
use crate::error::Problem;
use crate::output::Output;
use crate::session::Session;

/// The command with all its subcommands, for completions and manual pages.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the command as the `flamingock` binary does.
pub async fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    execute(args, None).await
}

/// Gives an application the same commands as its own, on its own changes, targets and audit store:
/// `my-service flamingock plan`. The arguments are the process' own; a leading `flamingock` is left out.
///
/// ```no_run
/// # use std::process::ExitCode;
/// # fn wire() -> flamingock_core::FlamingockBuilder { flamingock_core::Flamingock::builder() }
/// # async fn start() -> ExitCode { ExitCode::SUCCESS }
/// # async fn example() -> ExitCode {
/// if std::env::args().nth(1).as_deref() == Some("flamingock") {
///     return flamingock_cli::main(wire()).await;
/// }
/// start().await
/// # }
/// ```
pub async fn main(builder: FlamingockBuilder) -> ExitCode {
    main_with(builder, std::env::args_os()).await
}

/// The same with other arguments than the process' own; the first is the program's name.
pub async fn main_with(builder: FlamingockBuilder, args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut args: Vec<OsString> = args.into_iter().collect();
    if args.get(1).is_some_and(|first| first == "flamingock") {
        args.remove(1);
    }
    match builder.build() {
        Ok(app) => execute(args, Some(app)).await,
        Err(error) => {
            let problem = Problem::new("WIRING", error.to_string());
            Output::before(&args).problem("flamingock", &problem)
        }
    }
}

/// What comes after `--` is the application's.
fn divided(mut args: Vec<OsString>) -> (Vec<OsString>, Vec<OsString>) {
    match args.iter().position(|arg| arg == "--") {
        Some(at) => {
            let after = args.split_off(at + 1);
            args.pop();
            (args, after)
        }
        None => (args, Vec::new()),
    }
}

async fn execute(args: Vec<OsString>, app: Option<Flamingock>) -> ExitCode {
    let (args, app_args) = divided(args);
    let early = Output::before(&args);
    // What is set to nothing is not set.
    let is_empty = |name: &OsStr| std::env::var_os(name).is_some_and(|value| value.is_empty());
    let parser = command()
        .color(early.choice())
        .mut_args(|arg| if arg.get_env().is_some_and(is_empty) { arg.env(Resettable::Reset) } else { arg });
    let parser = if app.is_some() { parser.bin_name(output::program(true)) } else { parser };
    let parsed = parser.try_get_matches_from(&args);
    let cli = match parsed.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => Cli { global: args::Global { app_args, ..cli.global }, ..cli },
        Err(error) => return early.usage(&error),
    };
    let name = commands::name(&cli.command);
    let output = Output::new(&cli.global, name);
    output::log(&cli.global);
    let done = match Session::open(cli.global, app, output.clone()) {
        Ok(session) => {
            let secrets = session.secrets();
            let done = commands::run(&session, cli.command).await;
            done.map(|done| done.redacted(&secrets)).map_err(|problem| problem.redacted(&secrets))
        }
        Err(problem) => Err(problem),
    };
    match done {
        Ok(done) => output.done(&done),
        Err(problem) => output.problem(name, &problem),
    }
}
