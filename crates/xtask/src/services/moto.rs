use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use nix::sys::signal::Signal;

use super::fetched;
use super::packages;
use super::server::{Home, Server};
use crate::interrupt::Interrupt;

const VERSION: &str = "5.2.5";

/// An emulator of many AWS services. It lets everybody in, and forgets everything when it ends.
pub(super) fn start(_running: &[Server], interrupt: &Interrupt) -> Result<Option<Server>> {
    let program = program(interrupt)?;
    let program = program.to_str().context("the workspace has a name that is no text")?;
    // Its Python may be one that only we can read.
    let home = Home::new("moto", "root")?;
    let port = home.port.to_string();
    let listens = format!("exec 3<>/dev/tcp/127.0.0.1/{port}");
    let url = format!("http://127.0.0.1:{port}");
    let server = home.start(
        program,
        |moto| {
            moto.args(["-H", "127.0.0.1", "-p", &port]);
        },
        Signal::SIGKILL,
        ("bash", |bash| {
            bash.args(["-c", &listens]);
        }),
        url,
        interrupt,
    )?;
    Ok(Some(server))
}

/// Installs it with pip, once, into a Python environment of its own.
fn program(interrupt: &Interrupt) -> Result<PathBuf> {
    let folder = fetched::folder(&format!("moto-{VERSION}"))?;
    let program = folder.join("bin/moto_server");
    // Written last of all.
    let complete = folder.join("complete");
    if complete.is_file() {
        return Ok(program);
    }
    eprintln!("installing moto {VERSION} with pip (once)");
    let mut python = Command::new(packages::program("python3")?);
    fetched::run(python.args(["-m", "venv", "--clear"]).arg(&folder), interrupt)
        .context("a Python environment could not be made: is python3-venv installed?")?;
    let mut pip = Command::new(folder.join("bin/pip"));
    fetched::run(pip.args(["install", "--quiet"]).arg(format!("moto[server]=={VERSION}")), interrupt)?;
    std::fs::write(complete, VERSION)?;
    Ok(program)
}
