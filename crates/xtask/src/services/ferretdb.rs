use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;

use super::fetched;
use super::packages;
use super::server::{Home, Server};
use crate::interrupt::Interrupt;

const MODULE: &str = "github.com/FerretDB/FerretDB";
const VERSION: &str = "v1.24.2";

/// Of [`adapt`], so that a change there is built.
const REVISION: u32 = 2;

/// What its tests must not show.
const PASSWORD: &str = "s3cret";

/// FerretDB over SQLite instead of MongoDB, of which Debian has no package.
pub(super) fn start(_running: &[Server], interrupt: &Interrupt) -> Result<Option<Server>> {
    let built = program(interrupt)?;
    let home = Home::new("mongodb", "nobody")?;
    // Who runs it may not be allowed to look into the workspace.
    let program = home.path().join("ferretdb");
    fs::copy(built, &program)?;
    let program = program.to_str().context("the temporary folder has a name that is no text")?;

    let address = format!("127.0.0.1:{}", home.port);
    let url = format!("mongodb://flamingock:{PASSWORD}@{address}/?authSource=admin");
    let configure = |command: &mut Command| {
        command.args(["--handler=sqlite", "--sqlite-url=file:./?_pragma=synchronous(off)", "--state-dir=."]);
        command.args([
            "--debug-addr=-",
            "--telemetry=disable",
            "--log-level=error",
            "--test-enable-new-auth",
        ]);
        command.args(["--setup-database=admin", "--setup-username=flamingock"]);
        // It reads whole collections again and again.
        command.env("GOGC", "400");
        command.arg(format!("--setup-password={PASSWORD}")).arg(format!("--listen-addr={address}"));
    };
    let ask = |command: &mut Command| {
        configure(command);
        command.arg("ping");
    };
    let server = home.start(program, configure, Signal::SIGTERM, (program, ask), url, interrupt)?;
    Ok(Some(server))
}

/// Builds it with Go, once: the next time it is there.
fn program(interrupt: &Interrupt) -> Result<PathBuf> {
    let folder = fetched::folder(&format!("ferretdb-{VERSION}-{REVISION}"))?;
    let program = folder.join("ferretdb");
    if program.is_file() {
        return Ok(program);
    }
    let go = packages::program("go").context("FerretDB is built with Go 1.24 or newer")?;
    eprintln!("building FerretDB {VERSION} with Go (some minutes, once)");

    fetched::run(
        Command::new(&go).current_dir(&folder).args(["mod", "download"]).arg(format!("{MODULE}@{VERSION}")),
        interrupt,
    )?;
    let modules = Command::new(&go).args(["env", "GOMODCACHE"]).output().context("go has no answer")?;
    let modules = PathBuf::from(String::from_utf8_lossy(&modules.stdout).trim());
    // Go writes capitals so.
    let downloaded = modules.join(format!("github.com/!ferret!d!b/!ferret!d!b@{VERSION}"));

    let source = folder.join("source");
    fetched::run(Command::new("cp").arg("-R").arg(&downloaded).arg(&source), interrupt)?;
    fetched::run(Command::new("chmod").args(["-R", "u+w"]).arg(&source), interrupt)?;
    adapt(&source)?;
    let mut build = Command::new(&go);
    build.current_dir(&source).env("GOWORK", "off").args(["build", "-buildvcs=false", "-o"]);
    let new = folder.join("ferretdb.new");
    fetched::run(build.arg(&new).arg("./cmd/ferretdb"), interrupt)
        .context("FerretDB needs Go 1.24 or newer")?;
    fs::rename(new, &program)?;
    fs::remove_dir_all(source)?;
    Ok(program)
}

/// What FerretDB lacks of MongoDB, as far as the tests rely on it.
fn adapt(source: &Path) -> Result<()> {
    // It refuses to start without.
    fs::write(source.join("build/version/version.txt"), VERSION)?;
    // MongoDB changes a document as a whole.
    let handler = source.join("internal/handler");
    fs::write(handler.join("one_at_a_time.go"), include_str!("ferretdb/one_at_a_time.go"))?;
    let every_command = "\tfor name, cmd := range h.commands {";
    replace(&handler.join("commands.go"), every_command, &format!("\th.oneAtATime()\n\n{every_command}"))?;
    // The Rust driver asks for a shorter handshake, as MongoDB has had it since 4.4.
    replace(
        &handler.join("msg_saslcontinue.go"),
        "\"done\", valid, // for",
        "\"done\", conv.Valid(), // not for",
    )
}

fn replace(file: &Path, text: &str, by: &str) -> Result<()> {
    let before = fs::read_to_string(file)?;
    if before.matches(text).count() != 1 {
        bail!("{} is not as it was expected", file.display());
    }
    Ok(fs::write(file, before.replace(text, by))?)
}
