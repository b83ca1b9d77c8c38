use std::env;
use std::ffi::OsString;

use anyhow::{Context, Result};

use crate::interrupt::Interrupt;
use crate::services::Services;
use crate::workspace;

/// Measures Flamingock beside its peers, on a PostgreSQL of its own or a given one. The program is a
/// workspace of its own (`tests/bench`), so that the peers stay out of this one's lock file.
/// `false`: it failed.
pub(crate) fn run(arguments: &[OsString]) -> Result<bool> {
    let interrupt = Interrupt::listen()?;
    let services = Services::start_only(&["postgres"], &interrupt)?;

    let mut cargo = workspace::cargo()?;
    cargo.args(["run", "--release", "--manifest-path", "tests/bench/Cargo.toml"]);
    if env::var_os("CARGO_TARGET_DIR").is_none() {
        cargo.arg("--target-dir").arg(workspace::root()?.join("target/bench"));
    }
    cargo.arg("--").args(arguments).envs(services.urls());
    let mut running = interrupt.spawn(&mut cargo)?;
    let status = running.child.wait().context("the benchmark was lost")?;
    drop(running);
    drop(services);
    interrupt.check()?;
    Ok(status.success())
}
