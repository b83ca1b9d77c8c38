use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{MultipleNodeRoutingInfo, RoutingInfo};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo as _,
    RedisError, RedisResult, ServerErrorKind, Value,
};
use tokio::sync::Mutex;

use crate::errors::is_from_replica;
use crate::script::Call;

/// How long connecting, and each answer, may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether a command may be sent a second time when its connection turns out to be dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// It does the same when it is done twice.
    Yes,
    /// It may have arrived.
    No,
}

/// The way to a server: a connection that is opened when it is needed, and anew when it was lost.
///
/// The connection is driven by the runtime that opened it. When that is gone, it is opened anew.
#[derive(Clone)]
pub(crate) struct Link {
    server: Server,
    address: String,
    secret: Option<String>,
    pub(crate) timeout: Duration,
    slot: Arc<Mutex<Slot>>,
}

#[derive(Clone)]
enum Server {
    One(Box<Client>),
    /// Of a cluster, some nodes.
    Cluster(Vec<ConnectionInfo>),
}

#[derive(Default)]
struct Slot {
    /// How many were opened so far.
    opened: u64,
    open: Option<Connection>,
}

#[derive(Clone)]
enum Connection {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Link {
    pub(crate) fn to(client: Client) -> Self {
        let info = client.get_connection_info();
        let (address, secret) = (address(info), secret(info));
        Self::new(Server::One(Box::new(client)), address, secret)
    }

    pub(crate) fn to_cluster(nodes: &[&str]) -> RedisResult<Self> {
        let nodes: RedisResult<Vec<_>> = nodes.iter().map(|url| url.into_connection_info()).collect();
        let nodes = nodes?;
        let addresses: Vec<_> = nodes.iter().map(address).collect();
        let secret = nodes.first().and_then(secret);
        Ok(Self::new(Server::Cluster(nodes), addresses.join(","), secret))
    }

    fn new(server: Server, address: String, secret: Option<String>) -> Self {
        Self { server, address, secret, timeout: PATIENCE, slot: Arc::default() }
    }

    /// The same way, with a connection of its own.
    pub(crate) fn apart(&self) -> Self {
        Self { slot: Arc::default(), ..self.clone() }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn secret(&self) -> Option<&str> {
        self.secret.as_deref()
    }

    pub(crate) fn is_cluster(&self) -> bool {
        matches!(self.server, Server::Cluster(_))
    }

    /// Opens a connection, unless one is open.
    pub(crate) async fn connect(&self) -> RedisResult<()> {
        self.connection().await.map(drop)
    }

    /// Runs a script.
    pub(crate) async fn call(&self, call: &Call, again: Again) -> RedisResult<Value> {
        match self.send(&call.by_hash(), again).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                self.send(&call.in_full(), again).await
            }
            answer => answer,
        }
    }

    /// Runs a command.
    pub(crate) async fn send(&self, command: &Cmd, again: Again) -> RedisResult<Value> {
        loop {
            let (number, mut connection, is_new) = self.connection().await?;
            let answer = match &mut connection {
                Connection::One(connection) => command.query_async(connection).await,
                Connection::Cluster(connection) => command.query_async(connection).await,
            };
            let Err(error) = answer else { return answer };
            // The connection may have outlived a failover, and lead to what is a replica by now.
            let is_replica = is_from_replica(&error);
            if !is_replica && !is_lost(&error) {
                return Err(error);
            }
            self.forget(number).await;
            // That refuses a script at its first write at the latest: nothing was done.
            let may_repeat = is_replica || (again == Again::Yes && error.is_connection_dropped());
            if is_new || !may_repeat {
                return Err(error);
            }
        }
    }

    /// Asks the server, or every primary of the cluster.
    pub(crate) async fn ask_all(&self, command: &Cmd) -> RedisResult<Vec<Value>> {
        let (_, connection, _) = self.connection().await?;
        let Connection::Cluster(mut connection) = connection else {
            return Ok(vec![self.send(command, Again::Yes).await?]);
        };
        let primaries = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None));
        match connection.route_command(command.clone(), primaries).await?.extract_error()? {
            Value::Map(answers) => Ok(answers.into_iter().map(|(_, answer)| answer).collect()),
            Value::Array(answers) => Ok(answers),
            answer => Ok(vec![answer]),
        }
    }

    /// The open connection, its number, and whether it was just opened.
    async fn connection(&self) -> RedisResult<(u64, Connection, bool)> {
        let mut slot = self.slot.lock().await;
        if let Some(open) = &slot.open {
            return Ok((slot.opened, open.clone(), false));
        }
        let open = self.open().await?;
        slot.opened += 1;
        slot.open = Some(open.clone());
        Ok((slot.opened, open, true))
    }

    async fn open(&self) -> RedisResult<Connection> {
        match &self.server {
            Server::One(client) => {
                prepare_tls(client.get_connection_info());
                let config = AsyncConnectionConfig::new()
                    .set_connection_timeout(Some(self.timeout))
                    .set_response_timeout(Some(self.timeout));
                client.get_multiplexed_async_connection_with_config(&config).await.map(Connection::One)
            }
            Server::Cluster(nodes) => {
                nodes.iter().for_each(prepare_tls);
                let client = ClusterClient::builder(nodes.clone())
                    .connection_timeout(self.timeout)
                    .response_timeout(self.timeout)
                    .overall_response_timeout(Some(self.timeout * 2))
                    .build()?;
                let opening = tokio::time::timeout(self.timeout, client.get_async_connection());
                let late = |_| std::io::Error::from(std::io::ErrorKind::TimedOut);
                opening.await.map_err(late)?.map(Connection::Cluster)
            }
        }
    }

    async fn forget(&self, number: u64) {
        let mut slot = self.slot.lock().await;
        if slot.opened == number {
            slot.open = None;
        }
    }
}

impl fmt::Debug for Link {
    /// Without the client, which knows the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("address", &self.address)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// Whether a connection is of no more use. One that is silent may be dead without knowing.
fn is_lost(error: &RedisError) -> bool {
    error.is_io_error() || error.is_unrecoverable_error()
}

/// Where a server is: without user and password.
fn address(info: &ConnectionInfo) -> String {
    let database = match info.redis_settings().db() {
        0 => String::new(),
        database => format!("/{database}"),
    };
    match info.addr() {
        ConnectionAddr::Tcp(host, port) => format!("redis://{}:{port}{database}", bracketed(host)),
        ConnectionAddr::TcpTls { host, port, .. } => format!("rediss://{}:{port}{database}", bracketed(host)),
        ConnectionAddr::Unix(path) => format!("redis+unix://{}{database}", path.display()),
        _ => "redis".to_owned(),
    }
}

/// An IPv6 address as a URL writes it.
fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

fn secret(info: &ConnectionInfo) -> Option<String> {
    info.redis_settings().password().filter(|password| !password.is_empty()).map(str::to_owned)
}

/// rustls panics when it was built with several providers and the process chose none.
#[cfg(feature = "tls")]
fn prepare_tls(info: &ConnectionInfo) {
    if matches!(info.addr(), ConnectionAddr::TcpTls { .. })
        && rustls::crypto::CryptoProvider::get_default().is_none()
    {
        // Somebody may have been faster, with the same intent.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

#[cfg(not(feature = "tls"))]
fn prepare_tls(_: &ConnectionInfo) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_neither_user_nor_password() {
        for (url, expected) in [
            ("redis://app:hunter2@cache:7000/3", "redis://cache:7000/3"),
            ("redis://:hunter2@[::1]", "redis://[::1]:6379"),
            ("valkey://cache", "redis://cache:6379"),
            ("unix:///run/redis.sock?db=2&user=app&pass=hunter2", "redis+unix:///run/redis.sock/2"),
        ] {
            let link = Link::to(Client::open(url).unwrap());
            assert_eq!(link.address(), expected);
            assert!(!format!("{link:?} {link:#?}").contains("hunter2"));
        }
    }
}
