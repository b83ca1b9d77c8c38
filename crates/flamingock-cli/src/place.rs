#![cfg_attr(
    not(any(
        feature = "sqlite",
        feature = "postgres",
        feature = "mysql",
        feature = "redis",
        feature = "mongodb",
        feature = "dynamodb"
    )),
    allow(dead_code, reason = "an application with these commands brings its own audit store")
)]

#[cfg(feature = "dynamodb")]
mod dynamodb;
#[cfg(feature = "mongodb")]
mod mongodb;
#[cfg(feature = "redis")]
mod redis;
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
mod sql;

use std::sync::Arc;

use flamingock_core::audit::AuditStore;
use flamingock_core::lock::LockStore;
use flamingock_core::{BackendError, BackendErrorKind};

use crate::error::{Problem, Result};

/// An audit store with its lock.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) audit: Arc<dyn AuditStore>,
    pub(crate) lock: Arc<dyn LockStore>,
}

/// What is configured besides the URL.
#[derive(Debug, Clone)]
pub(crate) struct Naming {
    /// What is opened, for messages: the `audit store` or the `lock store`.
    pub(crate) what: &'static str,
    /// What names begin with: of tables, of MongoDB's collections, of Redis' keys.
    pub(crate) table_prefix: Option<String>,
    /// Schema of the tables, on PostgreSQL.
    pub(crate) schema: Option<String>,
}

impl Naming {
    fn without_schema(&self, instead: &str) -> Result<()> {
        match self.schema {
            Some(_) => Err(Problem::usage(format!("{instead}: leave `schema` out"))),
            None => Ok(()),
        }
    }

    /// Why it could not be opened: what is wrong with its URL is wrong usage.
    fn not_opened(&self, error: BackendError) -> Problem {
        let exit = if error.kind() == BackendErrorKind::Misconfigured { 2 } else { 1 };
        let message = format!("{}: {error}", self.what);
        Problem { message, ..Problem::from(error) }.exit(exit)
    }
}

/// The schemes that this build knows.
const SCHEMES: &[&str] = &[
    #[cfg(feature = "sqlite")]
    "sqlite",
    #[cfg(feature = "postgres")]
    "postgres",
    #[cfg(feature = "mysql")]
    "mysql",
    #[cfg(feature = "redis")]
    "redis",
    #[cfg(feature = "redis")]
    "rediss",
    #[cfg(feature = "redis")]
    "redis-cluster",
    #[cfg(feature = "mongodb")]
    "mongodb",
    #[cfg(feature = "mongodb")]
    "mongodb+srv",
    #[cfg(feature = "dynamodb")]
    "dynamodb",
];

impl Place {
    /// Opens the audit store at a URL. Nothing is created.
    pub(crate) async fn open(url: &str, naming: &Naming) -> Result<Self> {
        let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
        match scheme {
            #[cfg(feature = "sqlite")]
            "sqlite" => {
                naming.without_schema("SQLite has no schemas")?;
                sql::sqlite(url, naming).await
            }
            #[cfg(feature = "postgres")]
            "postgres" | "postgresql" => sql::postgres(url, naming).await,
            #[cfg(feature = "mysql")]
            "mysql" | "mariadb" => {
                naming.without_schema("the URL names the database")?;
                sql::mysql(url, naming).await
            }
            #[cfg(feature = "redis")]
            _ if redis::is_url(url) => {
                naming.without_schema("Redis has no schemas")?;
                redis::open(url, naming).await
            }
            #[cfg(feature = "mongodb")]
            "mongodb" | "mongodb+srv" => {
                naming.without_schema("the URL names the database")?;
                mongodb::open(url, naming).await
            }
            #[cfg(feature = "dynamodb")]
            "dynamodb" => {
                naming.without_schema("DynamoDB has no schemas")?;
                dynamodb::open(url, naming).await
            }
            _ => {
                let known: Vec<String> = SCHEMES.iter().map(|scheme| format!("`{scheme}://`")).collect();
                // Not the URL itself: it may hold a password.
                Err(Problem::usage(format!(
                    "the {}'s URL begins with `{}`, which is none of {}",
                    naming.what,
                    scheme.chars().take(20).collect::<String>().escape_debug(),
                    known.join(", ")
                )))
            }
        }
    }

    /// With the lock that is kept at another URL.
    pub(crate) async fn locked_by(self, url: &str, naming: &Naming) -> Result<Self> {
        #[cfg(feature = "redis")]
        if redis::is_url(url) {
            return Ok(Self { lock: redis::lock(url, naming).await?, ..self });
        }
        let lock = Self::open(url, naming).await?.lock;
        Ok(Self { lock, ..self })
    }

    fn of<S: AuditStore + LockStore>(store: S) -> Self {
        let store = Arc::new(store);
        Self { audit: Arc::<S>::clone(&store), lock: store }
    }
}
