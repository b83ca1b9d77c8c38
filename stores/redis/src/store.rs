use std::fmt;
use std::time::Duration;

use flamingock_core::{BackendError, BackendErrorKind};
use redis::{Client, RedisError};

use crate::cluster;
use crate::errors::Operation;
use crate::keys::Keys;
use crate::link::Link;
use crate::place::Place;

/// What the names of keys begin with unless told otherwise.
const PREFIX: &str = "flamingock:";

/// Audit store and lock in Redis.
///
/// ```no_run
/// # async fn example() -> Result<(), flamingock_core::BackendError> {
/// use flamingock_store_redis::RedisAuditStore;
///
/// let store = RedisAuditStore::connect("redis://:password@localhost:6379").await?.key_prefix("changes:");
/// # Ok(()) }
/// ```
///
/// # What to know
/// - **What Redis can lose.** An append is durable when Redis has written it to disk, which it does before
///   it answers only with `appendonly yes` and `appendfsync always`. With `everysec`, a power cut takes the
///   last second: the store warns. With snapshots only, or nothing on disk, or a `maxmemory-policy` that
///   evicts, it refuses to start unless [`allow_volatile`](Self::allow_volatile) says so. Where the server
///   hides its settings (`CONFIG` is often forbidden on managed ones), it warns.
/// - **Failover.** Replicas of Redis follow without being waited for: when one of them takes over, the
///   newest entries can be missing, whatever the settings. Transactional targets show that at the next start
///   that has work (their fence is newer than the audit); a change on a plain target is applied again.
///   Whoever cannot accept that keeps the audit in a database, and at most the lock here:
///   [`RedisLockStore`].
/// - **One clock.** Leases are judged by the server's `TIME`; after a failover, by the new primary's.
/// - **The primary.** Connect to it: a replica can be read, may lag behind, and refuses the rest.
/// - **Rights.** The user needs the keys that begin with the prefix, `EVAL`, `EVALSHA`, `TIME`, `HMGET`, `HGET`,
///   `HSET`, `HDEL`, `HLEN`, `HVALS`, `EXISTS`, `SADD`, `SMEMBERS`, `XADD`, `XRANGE`, `XREVRANGE`, and better also
///   `INFO` and `CONFIG GET`. On Redis 6 and older a user who may not do all of these can leave half an
///   append behind, which is noticed and stops the next one; since Redis 7 the script asks first.
#[derive(Clone)]
pub struct RedisAuditStore {
    pub(crate) place: Place,
    pub(crate) allow_volatile: bool,
}

/// A lock in Redis, for an audit that is kept elsewhere: give it to the builder's `.lock_store(..)`.
///
/// It may lose its data at any time. Then two runners can believe that they hold the lock, but only the one
/// that took office last can record anything: the audit store's tokens do not come from the lock.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use flamingock_core::Flamingock;
/// use flamingock_core::memory::MemoryStore;
/// use flamingock_store_redis::RedisLockStore;
///
/// let builder = Flamingock::builder()
///     .service("orders")
///     .audit_store(MemoryStore::new())
///     .lock_store(RedisLockStore::connect("redis://localhost").await?);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct RedisLockStore {
    pub(crate) place: Place,
}

/// What both stores are made and set up with.
macro_rules! settings {
    ($store:ident, $make:expr) => {
        impl $store {
            /// Connects to the server at `url`: `redis://user:password@host:6379/0`, `rediss://..` with the feature
            /// `tls`, or `unix:///run/redis.sock`. To a cluster by some of its nodes:
            /// `redis-cluster://user:password@one:6379,two:6379`, or `rediss-cluster://..`.
            ///
            /// # Errors
            /// When the URL is not understood, or the server is not reached or refuses us. The password is not
            /// shown.
            pub async fn connect(url: &str) -> Result<Self, BackendError> {
                if let Some(nodes) = cluster::nodes(url) {
                    return Self::connect_cluster(&nodes.iter().map(String::as_str).collect::<Vec<_>>())
                        .await;
                }
                let store = Self::new(Client::open(url).map_err(not_understood)?);
                store.place.connect().await?;
                Ok(store)
            }

            /// Connects to a cluster, of which `urls` name some nodes.
            ///
            /// # Errors
            /// When a URL is not understood, or no node is reached or they refuse us.
            pub async fn connect_cluster(urls: &[&str]) -> Result<Self, BackendError> {
                let store: Self = $make(place(Link::to_cluster(urls).map_err(not_understood)?));
                store.place.connect().await?;
                Ok(store)
            }

            /// On the server that `client` leads to. It connects when it is first used.
            pub fn new(client: Client) -> Self {
                $make(place(Link::to(client)))
            }

            /// What the names of its keys begin with; `flamingock:` unless told. Printable ASCII without
            /// spaces, braces and pattern characters; anything else is refused before anything runs.
            #[must_use]
            pub fn key_prefix(mut self, prefix: impl Into<String>) -> Self {
                self.place.keys = Keys::new(prefix);
                self
            }

            /// How long connecting, and each answer, may take; 5 s unless told.
            #[must_use]
            pub fn timeout(mut self, timeout: Duration) -> Self {
                // What is open keeps the old one.
                self.place.link = self.place.link.apart();
                self.place.link.timeout = timeout;
                self
            }
        }
    };
}

settings!(RedisAuditStore, |place| Self { place, allow_volatile: false });
settings!(RedisLockStore, |place| Self { place });

impl RedisAuditStore {
    /// Whether a server is taken that may forget the audit: one that keeps nothing on disk or only
    /// snapshots, or that evicts. No unless told, and then it is refused before anything runs.
    ///
    /// When the audit is forgotten, every change counts as new: transactional targets stop that (their
    /// fence is newer than the audit), plain ones cannot.
    #[must_use]
    pub fn allow_volatile(mut self, allow: bool) -> Self {
        self.allow_volatile = allow;
        self
    }
}

fn place(link: Link) -> Place {
    Place { link, keys: Keys::new(PREFIX) }
}

/// The driver's message does not repeat the URL.
fn not_understood(error: RedisError) -> BackendError {
    let operation = Operation { name: "connect", address: "redis", secret: None };
    let message = if cfg!(not(feature = "tls")) && error.to_string().contains("TLS") {
        "`rediss://` needs the feature `tls` (in `flamingock`: `redis-tls`)".to_owned()
    } else {
        format!("{error}. The form is `redis://user:password@host:6379/0`")
    };
    operation.fail(BackendErrorKind::Misconfigured, message).source(error)
}

impl fmt::Debug for RedisAuditStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisAuditStore")
            .field("address", &self.place.link.address())
            .field("key_prefix", &self.place.keys.prefix())
            .field("allow_volatile", &self.allow_volatile)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for RedisLockStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisLockStore")
            .field("address", &self.place.link.address())
            .field("key_prefix", &self.place.keys.prefix())
            .finish_non_exhaustive()
    }
}
