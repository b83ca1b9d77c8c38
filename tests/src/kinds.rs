//! The kinds of places that the same tests run on: SQLite always, servers where they are.

use std::env;

use anyhow::{Context as _, Result};
use flamingock::sqlx::{AssertSqlSafe, MySqlPool, PgPool, raw_sql};
use tempfile::TempDir;

use crate::place::Place;
use crate::{proxy, stores};

const POSTGRES: &str = "FLAMINGOCK_TEST_POSTGRES_URL";
const PGBOUNCER: &str = "FLAMINGOCK_TEST_PGBOUNCER_URL";
const MARIADB: &str = "FLAMINGOCK_TEST_MARIADB_URL";
const MYSQL: &str = "FLAMINGOCK_TEST_MYSQL_URL";
const REDIS: &str = "FLAMINGOCK_TEST_REDIS_URL";
const MONGODB: &str = "FLAMINGOCK_TEST_MONGODB_URL";
const DYNAMODB: &str = "FLAMINGOCK_TEST_DYNAMODB_URL";

/// What an application keeps its audit and its changes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Two files.
    Sqlite,
    /// Audit and database in one file.
    SqliteOneFile,
    /// Audit and database in one PostgreSQL database.
    Postgres,
    /// The same, through PgBouncer in transaction mode.
    PgBouncer,
    /// Audit and database in one MariaDB database.
    MariaDb,
    /// Audit and database in one MySQL database.
    MySql,
    /// Audit in Redis, database a file.
    Redis,
    /// Audit in MongoDB, database a file.
    MongoDb,
    /// Audit in DynamoDB, database a file.
    DynamoDb,
    /// Audit and database in one PostgreSQL database, the lock in Redis.
    PostgresRedisLock,
}

/// A place of a test's own. Dropped, its files go; databases stay for a look until the server goes.
#[derive(Debug)]
pub struct Fresh {
    /// The place.
    pub place: Place,
    _dir: TempDir,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 10] = [
        Self::Sqlite,
        Self::SqliteOneFile,
        Self::Postgres,
        Self::PgBouncer,
        Self::MariaDb,
        Self::MySql,
        Self::Redis,
        Self::MongoDb,
        Self::DynamoDb,
        Self::PostgresRedisLock,
    ];

    /// As suites and `FLAMINGOCK_TEST_REQUIRE` call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::SqliteOneFile => "sqlite-one-file",
            Self::Postgres => "postgres",
            Self::PgBouncer => "pgbouncer",
            Self::MariaDb => "mariadb",
            Self::MySql => "mysql",
            Self::Redis => "redis",
            Self::MongoDb => "mongodb",
            Self::DynamoDb => "dynamodb",
            Self::PostgresRedisLock => "postgres-redis-lock",
        }
    }

    /// Whether the database that changes change is a file, which has one writer at a time.
    pub fn database_is_file(self) -> bool {
        use Kind::{DynamoDb, MongoDb, Redis, Sqlite, SqliteOneFile};
        matches!(self, Sqlite | SqliteOneFile | Redis | MongoDb | DynamoDb)
    }

    /// The lease of its replicas, in milliseconds: a killed one is taken over after it.
    fn lease(self) -> u64 {
        match self {
            // FerretDB lets one command write at a time, and each connection signs in for long.
            Self::MongoDb => 5_000,
            Self::DynamoDb => 2_000,
            _ => 1_000,
        }
    }

    /// Whether its servers are there, or the variable that would name them.
    ///
    /// # Errors
    /// When one is not.
    pub fn available(self) -> Result<(), String> {
        let found = self.variables().iter().try_for_each(|variable| server(variable).map(drop));
        found.map_err(|error| error.to_string())
    }

    /// The environment variables with the URLs of its servers.
    fn variables(self) -> &'static [&'static str] {
        match self {
            Self::Sqlite | Self::SqliteOneFile => &[],
            Self::Postgres => &[POSTGRES],
            Self::PgBouncer => &[PGBOUNCER],
            Self::MariaDb => &[MARIADB],
            Self::MySql => &[MYSQL],
            Self::Redis => &[REDIS],
            Self::MongoDb => &[MONGODB],
            Self::DynamoDb => &[DYNAMODB],
            Self::PostgresRedisLock => &[POSTGRES, REDIS],
        }
    }

    /// A place of its own, with the table that changes write to.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn fresh(self) -> Result<Fresh> {
        let servers = self.variables().iter().map(|variable| server(variable)).collect::<Result<_>>()?;
        self.at(servers).await
    }

    /// The same on a server at this URL; [`None`]: it needs none.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn fresh_on(self, server: Option<String>) -> Result<Fresh> {
        self.at(server.into_iter().collect()).await
    }

    async fn at(self, servers: Vec<String>) -> Result<Fresh> {
        let dir = tempfile::tempdir()?;
        let name = dir.path().file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let name = format!("flamingock_{}", name.trim_start_matches('.'));
        let file = |name: &str| format!("sqlite://{}?mode=rwc", dir.path().join(name).display());
        let (audit, database) = match (self, servers.first()) {
            (Self::SqliteOneFile, _) => (file("audit.db"), file("audit.db")),
            (_, None) => (file("audit.db"), file("target.db")),
            (Self::Redis, Some(server)) => (server.clone(), file("target.db")),
            (Self::MongoDb, Some(server)) => (proxy::with_database(server, &name)?, file("target.db")),
            (Self::DynamoDb, Some(server)) => (stores::dynamodb_url(server, &name), file("target.db")),
            (_, Some(server)) => {
                self.create(server, &name).await?;
                let url = proxy::with_database(server, &name)?;
                (url.clone(), url)
            }
        };
        let lock = if self == Self::PostgresRedisLock { servers.into_iter().nth(1) } else { None };
        let (folder, keys, patience) = (dir.path().join("folder"), format!("{name}:"), None);
        let place = Place { audit, lock, keys, database, folder, patience, lease: self.lease() };
        place.execute(&["CREATE TABLE effects (id VARCHAR(64) NOT NULL)"]).await?;
        Ok(Fresh { place, _dir: dir })
    }

    /// Removes the database of a place.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub async fn remove(self, server: &str, fresh: &Fresh) -> Result<()> {
        let (_, _, path) = proxy::parts(&fresh.place.database)?;
        let name = path.trim_start_matches('/');
        match self {
            // Only the audit is on a server, if anything is: it stays for a look.
            Self::Sqlite | Self::SqliteOneFile | Self::Redis | Self::MongoDb | Self::DynamoDb => {}
            Self::MariaDb | Self::MySql => {
                let drop = raw_sql(AssertSqlSafe(format!("DROP DATABASE {name}")));
                drop.execute(&MySqlPool::connect(server).await?).await?;
            }
            Self::Postgres | Self::PgBouncer | Self::PostgresRedisLock => {
                let drop = raw_sql(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)")));
                drop.execute(&PgPool::connect(server).await?).await?;
            }
        }
        Ok(())
    }

    async fn create(self, server: &str, name: &str) -> Result<()> {
        let create = raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}")));
        match self {
            Self::MariaDb | Self::MySql => create.execute(&MySqlPool::connect(server).await?).await.map(drop),
            _ => create.execute(&PgPool::connect(server).await?).await.map(drop),
        }?;
        Ok(())
    }
}

fn server(variable: &str) -> Result<String> {
    let url = env::var(variable).ok().filter(|url| !url.is_empty());
    url.with_context(|| format!("{variable} is not set; `cargo xtask test` starts a server"))
}
