use std::ffi::OsString;

use anyhow::{Context, Result};

use crate::workspace;

/// Runs the simulation of `tests/reliability`, optimised. `false`: a seed broke something.
pub(crate) fn run(arguments: &[OsString]) -> Result<bool> {
    let mut cargo = workspace::cargo()?;
    cargo.args(["run", "--quiet", "--release", "-p", "flamingock-reliability", "--", "simulate"]);
    let status = cargo.args(arguments).status().context("the simulation did not start")?;
    Ok(status.success())
}
