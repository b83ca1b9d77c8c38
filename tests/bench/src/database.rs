use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use tempfile::TempDir;
use tokio_postgres::NoTls;

/// An empty database of its own for one measurement.
pub(crate) enum Database {
    Postgres(PostgresDatabase),
    Sqlite(SqliteDatabase),
}

/// A database on the server; [`Server::drop`] removes it.
pub(crate) struct PostgresDatabase {
    pub(crate) name: String,
    pub(crate) url: String,
}

/// A file that goes with its folder.
pub(crate) struct SqliteDatabase {
    folder: TempDir,
}

/// Where databases are made.
pub(crate) enum Place {
    Postgres(Server),
    Sqlite,
}

/// The PostgreSQL server of a run.
pub(crate) struct Server {
    /// `postgres://user@host:port`, without a database.
    base: String,
    pub(crate) version: String,
}

static NUMBER: AtomicU32 = AtomicU32::new(0);

impl Place {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Postgres(_) => "PostgreSQL",
            Self::Sqlite => "SQLite",
        }
    }

    pub(crate) async fn create(&self) -> Result<Database> {
        match self {
            Self::Postgres(server) => Ok(Database::Postgres(server.create().await?)),
            Self::Sqlite => Ok(Database::Sqlite(SqliteDatabase { folder: tempfile::tempdir()? })),
        }
    }

    pub(crate) async fn drop(&self, database: Database) -> Result<()> {
        if let (Self::Postgres(server), Database::Postgres(database)) = (self, &database) {
            server.drop(database).await?;
        }
        Ok(())
    }
}

impl Server {
    /// `url` names a database that exists, such as `postgres`.
    pub(crate) async fn connect(url: &str) -> Result<Self> {
        let (base, _) = url.rsplit_once('/').context("the URL of PostgreSQL names no database")?;
        let mut server = Self { base: base.to_owned(), version: String::new() };
        let client = server.client("postgres").await?;
        client.batch_execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements").await.context(
            "the server must be started with shared_preload_libraries=pg_stat_statements; `cargo xtask bench` does",
        )?;
        server.version = client.query_one("SHOW server_version", &[]).await?.get(0);
        Ok(server)
    }

    async fn create(&self) -> Result<PostgresDatabase> {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("bench_{}_{number}", std::process::id());
        self.client("postgres").await?.batch_execute(&format!("CREATE DATABASE {name}")).await?;
        let url = format!("{}/{name}?sslmode=disable", self.base);
        Ok(PostgresDatabase { name, url })
    }

    async fn drop(&self, database: &PostgresDatabase) -> Result<()> {
        let statement = format!("DROP DATABASE {} WITH (FORCE)", database.name);
        Ok(self.client("postgres").await?.batch_execute(&statement).await?)
    }

    /// A connection for what is not measured.
    pub(crate) async fn client(&self, database: &str) -> Result<tokio_postgres::Client> {
        connect(&format!("{}/{database}?sslmode=disable", self.base)).await
    }

    /// `host:port`.
    pub(crate) fn address(&self) -> &str {
        self.base.rsplit(['@', '/']).next().unwrap_or_default()
    }
}

impl SqliteDatabase {
    pub(crate) fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("bench.db")
    }

    pub(crate) fn url(&self) -> String {
        format!("sqlite://{}?mode=rwc", self.path().display())
    }
}

impl Database {
    /// The URL as sqlx and sea-orm take it.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Postgres(database) => database.url.clone(),
            Self::Sqlite(database) => database.url(),
        }
    }

    /// Runs statements that are not measured.
    pub(crate) async fn execute(&self, statements: &[String]) -> Result<()> {
        match self {
            Self::Postgres(database) => {
                let client = connect(&database.url).await?;
                for statement in statements {
                    client.batch_execute(statement).await?;
                }
            }
            Self::Sqlite(database) => {
                let mut connection = rusqlite::Connection::open(database.path())?;
                let transaction = connection.transaction()?;
                for statement in statements {
                    transaction.execute_batch(statement)?;
                }
                transaction.commit()?;
            }
        }
        Ok(())
    }
}

pub(crate) async fn connect(url: &str) -> Result<tokio_postgres::Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    // It ends with the client.
    tokio::spawn(connection);
    Ok(client)
}
