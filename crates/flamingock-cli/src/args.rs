use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::commands;

/// See, plan, apply, undo and rule on the changes of a service.
///
/// Works straight on the audit store. What needs the application's code (plan, apply, undo, validate,
/// issue check, audit baseline) starts the application: `--app PATH -- ARGS`.
#[derive(Debug, Parser)]
#[command(
    name = "flamingock",
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 ok, 1 failed, 2 wrong usage, 3 pending changes or open issues where asked to \
                  check, 4 locked by another run, 126 application not found.\n\n\
                  Example:\n  flamingock status --audit-store sqlite://audit.db --service orders"
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Where and how")]
pub(crate) struct Global {
    /// URL of the audit store, such as sqlite://audit.db
    #[arg(long, global = true, value_name = "URL", env = "FLAMINGOCK_AUDIT_STORE", hide_env_values = true)]
    pub(crate) audit_store: Option<String>,

    /// URL of the lock, where it is kept elsewhere than the audit
    #[arg(long, global = true, value_name = "URL", env = "FLAMINGOCK_LOCK_STORE", hide_env_values = true)]
    pub(crate) lock_store: Option<String>,

    /// Whose changes; may be left out when the store has one history
    #[arg(long, global = true, value_name = "NAME", env = "FLAMINGOCK_SERVICE")]
    pub(crate) service: Option<String>,

    /// Which tenant of the service
    #[arg(long, global = true, value_name = "NAME", env = "FLAMINGOCK_TENANT")]
    pub(crate) tenant: Option<String>,

    /// Configuration; `flamingock.toml` in the working directory unless told
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// The application's binary, for what needs its code; its arguments follow `--`
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) app: Option<PathBuf>,

    /// How long the application may take until it comes to `Flamingock::run()`
    #[arg(long, global = true, value_name = "TIME", default_value = "60s", value_parser = humantime::parse_duration)]
    pub(crate) app_timeout: std::time::Duration,

    /// Answer in JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Say only what was asked for
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,

    /// Logs of this level go to standard error, the application's too
    #[arg(short, long, global = true, value_name = "LEVEL")]
    pub(crate) log_level: Option<Level>,

    /// No colours, as with the environment variable NO_COLOR
    #[arg(long, global = true)]
    pub(crate) no_color: bool,

    /// Arguments of the application, after `--`
    #[arg(skip)]
    pub(crate) app_args: Vec<OsString>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Level {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl Level {
    pub(crate) fn filter(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Status(commands::status::Args),
    /// Run the application's changes
    #[command(subcommand)]
    Execute(Execute),
    Plan(commands::plan::Args),
    Validate(commands::validate::Args),
    Undo(commands::undo::Args),
    Release(commands::release::Args),
    /// Changes that need an operator
    #[command(subcommand)]
    Issue(Issue),
    /// What was done, and rulings on it
    #[command(subcommand)]
    Audit(Audit),
    /// The lock on a history
    #[command(subcommand)]
    Lock(Lock),
    Tag(commands::tag::Args),
    New(commands::new::Args),
    Doctor(commands::doctor::Args),
    Completions(commands::completions::Args),
    #[command(hide = true)]
    Man(commands::man::Args),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Execute {
    Apply(commands::apply::Args),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Issue {
    #[command(visible_alias = "ls")]
    List(commands::issue_list::Args),
    #[command(visible_alias = "describe")]
    Get(commands::issue_get::Args),
    Check(commands::issue_check::Args),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    #[command(visible_alias = "ls")]
    List(commands::audit_list::Args),
    Show(commands::audit_show::Args),
    Fix(commands::audit_fix::Args),
    Baseline(commands::audit_baseline::Args),
    Verify(commands::audit_verify::Args),
    Export(commands::audit_export::Args),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Lock {
    Status(commands::lock_status::Args),
    Release(commands::lock_release::Args),
}
