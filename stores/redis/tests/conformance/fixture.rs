//! The places in which the suites of audit stores and locks run: one server, and a cluster (of one node,
//! which still refuses what is not in one slot).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use async_trait::async_trait;
use flamingock_core::History;
use flamingock_store_redis::{RedisAuditStore, RedisLockStore};
use flamingock_testing::conformance::{
    BoxError, Damage, Proxy, StoreCapabilities, StoreFixture, StoreHandle, StorePlace, Suite,
    audit_store_suite, lock_suite,
};
use redis::IntoConnectionInfo as _;

use crate::server::own::Own;
use crate::server::{Admin, own, unique, url};

const PASSWORD: &str = "hunter2-is-not-shown";

/// What the documentation says that a user needs.
const RIGHTS: &str = "+eval +evalsha +time +hmget +hget +hset +hdel +hlen +hvals +exists +sadd +smembers +xadd \
                      +xrange +xrevrange +info +config|get";

/// What a user needs who only reads.
const READ_RIGHTS: &str =
    "+eval +evalsha +time +hmget +hget +hvals +smembers +xrange +xrevrange +info +config|get";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Audit store and lock on one server.
    Server,
    /// The lock that knows nothing of the audit.
    LockAlone,
    /// Audit store and lock on a cluster.
    Cluster,
}

#[derive(Debug)]
struct Redis(Kind);

#[derive(Debug)]
struct Place {
    kind: Kind,
    admin: Admin,
    prefix: String,
    proxy: Proxy,
    read_only: AtomicBool,
}

/// The cluster that all cases share.
static CLUSTER: OnceLock<Result<String, String>> = OnceLock::new();
static CLUSTER_SERVER: Mutex<Option<Own>> = Mutex::new(None);

fn cluster() -> Result<String, String> {
    let start = || {
        own::available()?;
        let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
        let starting = async {
            let own = Own::start(&[("cluster-enabled", "yes"), ("appendonly", "yes")]).await?;
            own.admin().run("CLUSTER ADDSLOTSRANGE 0 16383").await?;
            while !format!("{:?}", own.admin().run("CLUSTER INFO").await?).contains("cluster_state:ok") {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
            Ok::<_, BoxError>(own)
        };
        let own = runtime.block_on(starting).map_err(|error| error.to_string())?;
        let url = own.url();
        *CLUSTER_SERVER.lock().map_err(|error| error.to_string())? = Some(own);
        Ok(url)
    };
    CLUSTER
        .get_or_init(|| std::thread::spawn(start).join().unwrap_or_else(|_| Err("it panicked".to_owned())))
        .clone()
}

#[async_trait]
impl StoreFixture for Redis {
    fn name(&self) -> String {
        match self.0 {
            Kind::Server => "redis",
            Kind::LockAlone => "redis-lock",
            Kind::Cluster => "redis-cluster",
        }
        .to_owned()
    }

    fn available(&self) -> Result<(), String> {
        if self.0 == Kind::Cluster { cluster().map(drop) } else { url().map(drop) }
    }

    fn capabilities(&self) -> StoreCapabilities {
        use Damage::{NewerFormat, OtherShape, ReadOnly, Unreachable, UnreadableEntry};
        let capabilities = StoreCapabilities::default().secret(PASSWORD);
        match self.0 {
            Kind::Server => {
                capabilities.damages([UnreadableEntry, NewerFormat, OtherShape, ReadOnly, Unreachable])
            }
            Kind::LockAlone => capabilities.lock_apart().damages([Unreachable]),
            // A cluster says itself where its nodes are, and leads around the proxy.
            Kind::Cluster => capabilities.damages([UnreadableEntry, NewerFormat, OtherShape, ReadOnly]),
        }
    }

    async fn fresh(&self) -> Result<Arc<dyn StorePlace>, BoxError> {
        let url = if self.0 == Kind::Cluster { cluster()? } else { url()? };
        let info = url.as_str().into_connection_info()?;
        let proxy = Proxy::to(info.addr().to_string()).await?;
        let place = Place {
            kind: self.0,
            admin: Admin(url),
            prefix: format!("{}:", unique()),
            proxy,
            read_only: AtomicBool::new(false),
        };
        place.add_user("all", RIGHTS).await?;
        place.add_user("read", READ_RIGHTS).await?;
        Ok(Arc::new(place))
    }
}

impl Place {
    fn user(&self, which: &str) -> String {
        format!("{}{which}", self.prefix.trim_end_matches(':'))
    }

    async fn add_user(&self, which: &str, rights: &str) -> Result<(), BoxError> {
        let (user, prefix) = (self.user(which), &self.prefix);
        // What the driver and a cluster's client say to greet the server.
        let greeting = "+client +cluster|slots +select +ping +asking";
        let command = format!("ACL SETUSER {user} on >{PASSWORD} ~{prefix}* {greeting} {rights}");
        self.admin.run(&command).await.map(drop)
    }

    fn url(&self) -> String {
        let user = self.user(if self.read_only.load(Ordering::SeqCst) { "read" } else { "all" });
        let (_, server) = self.admin.0.split_once("://").unwrap_or_default();
        let port = match self.kind {
            Kind::Cluster => server.rsplit(':').next().unwrap_or_default().to_owned(),
            Kind::Server | Kind::LockAlone => self.proxy.port().to_string(),
        };
        format!("redis://{user}:{PASSWORD}@127.0.0.1:{port}")
    }

    fn key(&self, history: &History, what: &str) -> String {
        // No case that damages has names that would have to be escaped.
        format!("{}{{{}/{}}}:{what}", self.prefix, history.service, history.tenant)
    }
}

#[async_trait]
impl StorePlace for Place {
    async fn open(&self) -> Result<StoreHandle, BoxError> {
        let url = self.url();
        Ok(match self.kind {
            Kind::Server => StoreHandle::both(RedisAuditStore::connect(&url).await?.key_prefix(&self.prefix)),
            Kind::LockAlone => {
                StoreHandle::lock(RedisLockStore::connect(&url).await?.key_prefix(&self.prefix))
            }
            Kind::Cluster => {
                let url = url.replace("redis://", "redis-cluster://");
                StoreHandle::both(RedisAuditStore::connect(&url).await?.key_prefix(&self.prefix))
            }
        })
    }

    async fn damage(&self, damage: Damage, history: &History, sequence: u64) -> Result<(), BoxError> {
        match damage {
            Damage::UnreadableEntry => {
                // Entries of a stream cannot be changed: it is written anew.
                let code = "local entries = redis.call('XRANGE', KEYS[1], '-', '+') \
                            redis.call('DEL', KEYS[1]) \
                            for _, entry in ipairs(entries) do \
                              local json = entry[2][2] \
                              if entry[1] == ARGV[1] then json = json:gsub('\"APPLIED\"', '\"PERHAPS\"') end \
                              redis.call('XADD', KEYS[1], entry[1], 'entry', json) \
                            end";
                let words = ["EVAL", code, "1", &self.key(history, "log"), &format!("{sequence}-0")];
                self.admin.run_words(&words).await.map(drop)
            }
            Damage::NewerFormat => {
                let head = self.key(history, "head");
                self.admin.run(&format!("HSET {head} format 99")).await.map(drop)
            }
            Damage::OtherShape => {
                for key in [self.key(history, "head"), format!("{}histories", self.prefix)] {
                    self.admin.run(&format!("SET {key} something")).await?;
                }
                Ok(())
            }
            Damage::ReadOnly => {
                self.read_only.store(true, Ordering::SeqCst);
                Ok(())
            }
            Damage::Unreachable => {
                self.proxy.unplug();
                Ok(())
            }
            other => Err(format!("the fixture cannot do {other:?}").into()),
        }
    }

    async fn remove(&self) -> Result<(), BoxError> {
        self.admin.run(&format!("ACL DELUSER {} {}", self.user("all"), self.user("read"))).await?;
        self.admin.forget(&self.prefix).await
    }
}

/// The suites, on each kind of place.
pub(crate) fn suites() -> [Suite; 5] {
    let fixture = |kind| Arc::new(Redis(kind));
    [
        audit_store_suite(fixture(Kind::Server)),
        lock_suite(fixture(Kind::Server)),
        lock_suite(fixture(Kind::LockAlone)),
        audit_store_suite(fixture(Kind::Cluster)),
        lock_suite(fixture(Kind::Cluster)),
    ]
}

/// Stops what the suites started.
pub(crate) fn stop() {
    if let Ok(mut server) = CLUSTER_SERVER.lock() {
        server.take();
    }
}
