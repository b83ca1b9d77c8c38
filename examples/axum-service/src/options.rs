use std::net::SocketAddr;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use flamingock::RunMode;

/// How long a pod waits for the job that applies.
const WAIT: Duration = Duration::from_secs(600);

/// Orders over HTTP.
#[derive(Debug, Parser)]
#[command(name = "axum-service")]
pub(crate) struct Options {
    /// `postgres://user:password@host:port/database`
    #[arg(long, env, hide_env_values = true)]
    pub(crate) database_url: String,

    /// What a start does about its changes
    #[arg(long = "mode", env = "FLAMINGOCK_MODE", value_enum, default_value = "apply")]
    mode: Mode,

    /// Where to listen
    #[arg(long, env, default_value = "0.0.0.0:8080")]
    pub(crate) listen: SocketAddr,

    /// Do not serve: end when the changes are done, for a job or an init container
    #[arg(long)]
    pub(crate) changes_only: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Mode {
    /// Apply what is pending
    Apply,
    /// Wait until another instance has applied everything
    Wait,
    /// Fail when anything is pending
    Check,
}

impl Options {
    pub(crate) fn mode(&self) -> RunMode {
        match self.mode {
            Mode::Apply => RunMode::Apply,
            Mode::Wait => RunMode::Wait(WAIT),
            Mode::Check => RunMode::Check,
        }
    }
}
