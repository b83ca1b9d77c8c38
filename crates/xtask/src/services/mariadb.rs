use std::ffi::OsString;
use std::path::Path;

use anyhow::Result;
use nix::sys::signal::Signal;

use super::server::{Home, Server};
use crate::interrupt::Interrupt;

/// With `root` and no password, from this machine only.
pub(super) fn start(_running: &[Server], interrupt: &Interrupt) -> Result<Option<Server>> {
    let home = Home::new("mariadb", "mysql")?;
    let data = home.path().join("data");
    home.prepare("mariadb-install-db", |install| {
        // `--no-defaults` comes first, or it is refused.
        install.args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"]);
        install.arg(option("--datadir=", &data));
    })?;

    let port = home.port.to_string();
    let (socket, pid) = (home.path().join("socket"), home.path().join("pid"));
    let url = format!("mysql://root@127.0.0.1:{port}");
    let server = home.start(
        "mariadbd",
        |mariadbd| {
            mariadbd.args(["--no-defaults", "--bind-address=127.0.0.1", "--max-connections=500"]);
            mariadbd.args(["--port", &port]).arg(option("--datadir=", &data));
            mariadbd.arg(option("--socket=", &socket)).arg(option("--pid-file=", &pid));
        },
        Signal::SIGTERM,
        ("mariadb-admin", |admin| {
            admin.args(["--no-defaults", "--protocol=tcp", "--host=127.0.0.1", "--user=root", "--port"]);
            admin.arg(&port).arg("ping");
        }),
        url,
        interrupt,
    )?;
    Ok(Some(server))
}

/// `mariadb-install-db` overlooks a value that is an argument of its own.
fn option(name: &str, value: &Path) -> OsString {
    let mut option = OsString::from(name);
    option.push(value);
    option
}
