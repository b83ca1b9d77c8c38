//! Servers that no package manager of the system has: fetched or built once, and kept beside the build.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};

use crate::interrupt::Interrupt;
use crate::workspace;

/// Where it is kept.
pub(super) fn folder(name: &str) -> Result<PathBuf> {
    let folder = workspace::target()?.join("xtask").join(name);
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Runs what fetches or builds it. Its output goes where ours goes that is not for pipes.
pub(super) fn run(command: &mut Command, interrupt: &Interrupt) -> Result<()> {
    let mut running = interrupt.spawn(command.stdout(std::io::stderr()))?;
    let status = running.child.wait()?;
    drop(running);
    interrupt.check()?;
    if !status.success() {
        bail!("{} failed: {status}", command.get_program().display());
    }
    Ok(())
}
