//! What all servers have in common.
#![cfg(any(feature = "mysql", feature = "postgres"))]

use std::sync::Once;

use flamingock_core::change::BoxError;
use sqlx::ConnectOptions;

use crate::name;

/// A connection to the server itself.
pub(crate) async fn connect<O: ConnectOptions<Connection: Sized>>(
    server: &O,
) -> Result<O::Connection, BoxError> {
    let connected = server.connect().await;
    connected.map_err(|error| format!("{} was not reached: {error}", address(server)).into())
}

/// Where it is, without its password.
pub(crate) fn address(options: &impl ConnectOptions) -> String {
    let mut url = options.to_url_lossy();
    // It cannot fail: the URL has a host.
    let _ = url.set_password(None);
    url.set_query(None);
    url.to_string()
}

/// Those of the databases that killed tests left behind; told once in this process.
pub(crate) fn abandoned(once: &Once, databases: Vec<String>) -> Vec<String> {
    let mut abandoned = Vec::new();
    once.call_once(|| abandoned = databases.into_iter().filter(|name| name::is_abandoned(name)).collect());
    abandoned
}
