use std::ffi::OsString;

use anyhow::{Context, Result};

use crate::interrupt::Interrupt;
use crate::workspace;

/// Runs rounds of `tests/src/chaos`, which starts servers of its own. `false`: something did not hold.
pub(crate) fn run(arguments: &[OsString]) -> Result<bool> {
    const PROGRAMS: [&str; 3] = ["--package", "flamingock-tests", "--bins"];
    let interrupt = Interrupt::listen()?;
    let mut build = workspace::cargo()?;
    // The processes that are killed are a program beside it.
    build.arg("build").args(PROGRAMS);
    if !finish(&interrupt, &mut build)? {
        return Ok(false);
    }
    let mut run = workspace::cargo()?;
    run.args(["run", "--quiet", "--package", "flamingock-tests", "--bin", "chaos", "--"]).args(arguments);
    finish(&interrupt, &mut run)
}

fn finish(interrupt: &Interrupt, command: &mut std::process::Command) -> Result<bool> {
    let mut running = interrupt.spawn(command)?;
    let status = running.child.wait().context("cargo was lost")?;
    drop(running);
    interrupt.check()?;
    Ok(status.success())
}
