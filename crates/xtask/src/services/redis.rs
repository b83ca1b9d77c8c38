use anyhow::Result;
use nix::sys::signal::Signal;

use super::server::{Home, Server};
use crate::interrupt::Interrupt;

/// It writes what it is given to a file, once a second.
pub(super) fn start(_running: &[Server], interrupt: &Interrupt) -> Result<Option<Server>> {
    let home = Home::new("redis", "redis")?;
    let folder = home.path().to_owned();
    let port = home.port.to_string();
    let url = format!("redis://127.0.0.1:{port}");
    let server = home.start(
        "redis-server",
        |redis| {
            redis.args(["--port", &port, "--bind", "127.0.0.1", "--dir"]).arg(folder);
            redis.args(["--appendonly", "yes", "--appendfsync", "everysec", "--save", ""]);
        },
        Signal::SIGTERM,
        ("redis-cli", |ask| {
            // It answers "LOADING" with a success: `-e` makes that one of the exit code.
            ask.args(["-h", "127.0.0.1", "-p", &port, "-e", "ping"]);
        }),
        url,
        interrupt,
    )?;
    Ok(Some(server))
}
