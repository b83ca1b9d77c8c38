//! The kinds of places that the same tests run on: SQLite always, servers where they are.

use std::env;

use anyhow::{Context as _, Result};
use flamingock::sqlx::{AssertSqlSafe, MySqlPool, PgPool, raw_sql};
use tempfile::TempDir;

use crate::place::Place;
use crate::proxy;

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
    /// The same on MySQL proper, where its URL is given.
    MySql,
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
    pub const ALL: [Self; 6] =
        [Self::Sqlite, Self::SqliteOneFile, Self::Postgres, Self::PgBouncer, Self::MariaDb, Self::MySql];

    /// As suites and `FLAMINGOCK_TEST_REQUIRE` call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::SqliteOneFile => "sqlite-one-file",
            Self::Postgres => "postgres",
            Self::PgBouncer => "pgbouncer",
            Self::MariaDb => "mariadb",
            Self::MySql => "mysql",
        }
    }

    /// Whether its server is there, or the variable that would name it.
    ///
    /// # Errors
    /// When it is not.
    pub fn available(self) -> Result<(), String> {
        self.server().map(drop).map_err(|error| error.to_string())
    }

    /// URL of its server.
    fn server(self) -> Result<Option<String>> {
        let variable = match self {
            Self::Sqlite | Self::SqliteOneFile => return Ok(None),
            Self::Postgres => "FLAMINGOCK_TEST_POSTGRES_URL",
            Self::PgBouncer => "FLAMINGOCK_TEST_PGBOUNCER_URL",
            Self::MariaDb => "FLAMINGOCK_TEST_MARIADB_URL",
            Self::MySql => "FLAMINGOCK_TEST_MYSQL_URL",
        };
        let url = env::var(variable).ok().filter(|url| !url.is_empty());
        Ok(Some(url.with_context(|| format!("{variable} is not set; `cargo xtask test` starts a server"))?))
    }

    /// A place of its own, with the table that changes write to.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn fresh(self) -> Result<Fresh> {
        self.fresh_on(self.server()?).await
    }

    /// The same on a server at this URL; [`None`]: it needs none.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn fresh_on(self, server: Option<String>) -> Result<Fresh> {
        let dir = tempfile::tempdir()?;
        let file = |name: &str| format!("sqlite://{}?mode=rwc", dir.path().join(name).display());
        let (audit, database) = match server {
            None if self == Self::Sqlite => (file("audit.db"), file("target.db")),
            None => (file("audit.db"), file("audit.db")),
            Some(server) => {
                let name = dir.path().file_name().unwrap_or_default().to_string_lossy().to_lowercase();
                let name = format!("flamingock_{}", name.trim_start_matches('.'));
                self.create(&server, &name).await?;
                let (before, host, _) = proxy::parts(&server)?;
                let url = format!("{before}{host}/{name}");
                (url.clone(), url)
            }
        };
        let place = Place { audit, database, folder: dir.path().join("folder"), patience: None };
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
            Self::Sqlite | Self::SqliteOneFile => {}
            Self::MariaDb | Self::MySql => {
                let drop = raw_sql(AssertSqlSafe(format!("DROP DATABASE {name}")));
                drop.execute(&MySqlPool::connect(server).await?).await?;
            }
            Self::Postgres | Self::PgBouncer => {
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
