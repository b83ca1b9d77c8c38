use std::ffi::OsString;
use std::process::Command;

use anyhow::{Context, Result};

use crate::{tool, workspace};

/// Breaks the planner and the runner in every small way that `cargo-mutants` knows, and looks whether core's
/// tests notice. `.cargo/mutants.toml` says where and with which tests. `false`: some went unnoticed.
pub(crate) fn run(arguments: &[OsString]) -> Result<bool> {
    let program = tool::install("cargo-mutants", "27.1.0")?;
    let output = workspace::target()?;
    let mut command = Command::new(program);
    command.current_dir(workspace::root()?).args(["mutants", "--output"]).arg(output).args(arguments);
    Ok(command.status().context("cargo-mutants")?.success())
}
