use anyhow::Result;
use nix::sys::signal::Signal;

use super::server::{Home, Server};
use crate::interrupt::Interrupt;

pub(super) const NAME: &str = "postgres";

/// It counts its statements (`pg_stat_statements`), and takes the connections of many replicas.
pub(super) fn start(_running: &[Server], interrupt: &Interrupt) -> Result<Option<Server>> {
    let mut home = Home::new(NAME, "postgres")?;
    // "Immediate": killed, it would leave its processes behind.
    home.crash = Signal::SIGQUIT;
    let data = home.path().join("data");
    home.prepare("initdb", |initdb| {
        initdb.args(["--username=postgres", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"]);
        initdb.arg("--pgdata").arg(&data);
    })?;

    let port = home.port.to_string();
    let sockets = home.path().to_owned();
    let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
    let server = home.start(
        "postgres",
        |postgres| {
            postgres.arg("-D").arg(data).args(["-p", &port, "-c", "listen_addresses=127.0.0.1", "-k"]);
            postgres.arg(sockets);
            for setting in ["max_connections=300", "shared_preload_libraries=pg_stat_statements"] {
                postgres.args(["-c", setting]);
            }
        },
        // "Fast": it ends its sessions and goes.
        Signal::SIGINT,
        ("pg_isready", |ready| {
            ready.args(["-h", "127.0.0.1", "-p", &port, "-U", "postgres"]);
        }),
        url,
        interrupt,
    )?;
    Ok(Some(server))
}
