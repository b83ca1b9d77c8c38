use anyhow::Result;
use nix::sys::signal::Signal;

use super::postgres;
use super::server::{Home, Server};
use crate::interrupt::Interrupt;

/// In transaction mode, in front of the PostgreSQL that was started before.
pub(super) fn start(running: &[Server], interrupt: &Interrupt) -> Result<Option<Server>> {
    let Some(postgres) = running.iter().find(|server| server.name == postgres::NAME) else {
        eprintln!(
            "PgBouncer is not started: its PostgreSQL is a given one. FLAMINGOCK_TEST_PGBOUNCER_URL can name one"
        );
        return Ok(None);
    };
    let home = Home::new("pgbouncer", "postgres")?;
    let port = home.port.to_string();
    let users = home.write("users.txt", "\"postgres\" \"\"\n")?;
    let settings = format!(
        "[databases]\n\
         * = host=127.0.0.1 port={server}\n\
         [pgbouncer]\n\
         listen_addr = 127.0.0.1\n\
         listen_port = {port}\n\
         unix_socket_dir =\n\
         auth_type = trust\n\
         auth_file = {users}\n\
         pool_mode = transaction\n\
         default_pool_size = 20\n\
         server_login_retry = 0.2\n\
         max_client_conn = 1000\n\
         ignore_startup_parameters = extra_float_digits\n",
        server = postgres.port,
        users = users.display(),
    );
    let settings = home.write("pgbouncer.ini", &settings)?;
    let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
    let server = home.start(
        "pgbouncer",
        |pgbouncer| {
            pgbouncer.arg(settings);
        },
        // It has nothing to save, and its polite signals changed their meaning between versions.
        Signal::SIGKILL,
        ("pg_isready", |ready| {
            ready.args(["-h", "127.0.0.1", "-p", &port, "-U", "postgres", "-d", "postgres"]);
        }),
        url,
        interrupt,
    )?;
    Ok(Some(server))
}
