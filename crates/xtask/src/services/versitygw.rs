use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use nix::sys::signal::Signal;

use super::fetched;
use super::packages;
use super::server::{Home, Server};
use crate::interrupt::Interrupt;

const MODULE: &str = "github.com/versity/versitygw/cmd/versitygw";
const VERSION: &str = "v1.8.0";

/// What its tests must not show.
const PASSWORD: &str = "hunter2hunter2";

/// Two who may make buckets of their own.
const USERS: [&str; 2] = ["flamingock", "stranger"];

/// An S3 server that checks signatures, knows whose a bucket is, and keeps objects as files.
///
/// Its URL names a user, and another one: `http://flamingock:PASSWORD@HOST:PORT?other=stranger:PASSWORD`.
pub(super) fn start(_running: &[Server], interrupt: &Interrupt) -> Result<Option<Server>> {
    let built = program(interrupt)?;
    let home = Home::new("versitygw", "nobody")?;
    // Who runs it may not be allowed to look into the workspace.
    let program = home.path().join("versitygw");
    fs::copy(built, &program)?;
    let program = program.to_str().context("the temporary folder has a name that is no text")?;
    home.prepare("mkdir", |mkdir| {
        mkdir.args(["data", "users", "versions"]);
    })?;
    home.write("users/users.json", &users())?;

    let folder = home.path().to_owned();
    let address = format!("127.0.0.1:{}", home.port);
    let [user, other] = USERS;
    let url = format!("http://{user}:{PASSWORD}@{address}?other={other}:{PASSWORD}");
    let listens = format!("exec 3<>/dev/tcp/127.0.0.1/{}", home.port);
    let server = home.start(
        program,
        |versitygw| {
            versitygw.env("ROOT_ACCESS_KEY_ID", "root").env("ROOT_SECRET_ACCESS_KEY", PASSWORD);
            versitygw.args(["--port", &address, "--region", "eu-west-1", "--keep-alive", "--quiet"]);
            // It changes into its folder: what it is given begins at the root.
            versitygw.arg("--iam-dir").arg(folder.join("users"));
            versitygw
                .args(["posix", "--versioning-dir"])
                .arg(folder.join("versions"))
                .arg(folder.join("data"));
        },
        Signal::SIGTERM,
        ("bash", |bash| {
            bash.args(["-c", &listens]);
        }),
        url,
        interrupt,
    )?;
    Ok(Some(server))
}

fn users() -> String {
    let user = |name| {
        format!(
            r#""{name}":{{"access":"{name}","secret":"{PASSWORD}","role":"userplus","userID":0,"groupID":0}}"#
        )
    };
    format!(r#"{{"accessAccounts":{{{}}}}}"#, USERS.map(user).join(","))
}

/// Builds it with Go, once: the next time it is there.
fn program(interrupt: &Interrupt) -> Result<PathBuf> {
    let folder = fetched::folder(&format!("versitygw-{VERSION}"))?;
    let program = folder.join("versitygw");
    if !program.is_file() {
        eprintln!("building versitygw {VERSION} with Go (a minute or two, once)");
        let mut go = Command::new(packages::program("go")?);
        go.env("GOBIN", &folder).env("GOWORK", "off").arg("install").arg(format!("{MODULE}@{VERSION}"));
        fetched::run(&mut go, interrupt).context("versitygw needs Go 1.25 or newer")?;
    }
    Ok(program)
}
