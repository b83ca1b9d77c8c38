use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

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
    #[arg(long, global = true, value_name = "NAME", env = "FLAMINGOCK_SERVICE", allow_hyphen_values = true)]
    pub(crate) service: Option<String>,

    /// Which tenant of the service
    #[arg(long, global = true, value_name = "NAME", env = "FLAMINGOCK_TENANT", allow_hyphen_values = true)]
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
