use std::path::Path;
use std::process::Command;

use anyhow::Result;
use nix::sys::signal::Signal;

use super::debian::Packages;
use super::server::{Home, Server};
use crate::interrupt::Interrupt;

/// Only Debian's unstable release has them.
pub(super) const PACKAGES: Packages =
    Packages { name: "mysql", release: "sid", packages: &["mysql-server-core", "mysql-client-core"] };

/// With `root` and no password, from this machine only. `None` where it cannot be had, which is told: what is unstable
/// may be gone for a day.
pub(super) fn start(_running: &[Server], interrupt: &Interrupt) -> Result<Option<Server>> {
    let started = from_debian(interrupt);
    interrupt.check()?;
    if let Err(error) = &started {
        eprintln!("MySQL cannot be had here, and what needs it is reported as ignored: {error:#}");
    }
    Ok(started.ok())
}

fn from_debian(interrupt: &Interrupt) -> Result<Server> {
    let home = Home::new("mysql", "nobody")?;
    let root = PACKAGES.unpack(home.path().join("root"), interrupt)?;
    let folder = home.path().to_owned();
    let path = |option: &str, path: &Path| format!("--{option}={}", path.display());
    let mysqld = |command: &mut Command, arguments: &[&str]| {
        // `--no-defaults` comes first, or it is refused.
        root.run("sbin/mysqld", command).arg("--no-defaults").args(arguments);
        command.args([path("basedir", &root.usr()), path("datadir", &folder.join("data"))]);
    };
    home.prepare(&root.loader, |command| mysqld(command, &["--initialize-insecure"]))?;

    let port = home.port.to_string();
    let url = format!("mysql://root@127.0.0.1:{port}");
    home.start(
        &root.loader,
        |command| {
            mysqld(command, &["--bind-address=127.0.0.1", "--max-connections=500", "--mysqlx=off"]);
            command.args(["--secure-file-priv=NULL", "--port", &port]);
            command.args([path("socket", &folder.join("socket")), path("pid-file", &folder.join("pid"))]);
        },
        Signal::SIGTERM,
        (&root.loader, |command| {
            let admin = root.run("bin/mysqladmin", command);
            admin.args(["--no-defaults", "--protocol=tcp", "--host=127.0.0.1", "--user=root", "--port"]);
            admin.arg(&port).arg("ping");
        }),
        url,
        interrupt,
    )
}
