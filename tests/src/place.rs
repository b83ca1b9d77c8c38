//! Where an application under test keeps its audit and its targets.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use flamingock::audit::AuditStore;
use flamingock::lock::LockStore;
use flamingock::prelude::*;
use flamingock::sqlx::{AssertSqlSafe, MySqlPool, PgPool, Row as _, SqlitePool, raw_sql};
use flamingock::target::NonTransactionalTarget;

use crate::changes::{broken, concurrently, fifty, manual, retried, transactional, verified};

/// A folder of files as a target without transactions. Each effect is a line in a file.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

impl Folder {
    /// The folder at this path, created if it is not there.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn at(path: &Path) -> std::io::Result<Self> {
        std::fs::create_dir_all(path)?;
        Ok(Self(path.to_owned()))
    }

    /// Adds a line, so that an effect that happens twice shows.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn add_line(&self, name: &str) -> std::io::Result<()> {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(self.0.join(name))?;
        file.write_all(b"x\n")
    }

    /// How many lines the file has.
    pub fn lines(&self, name: &str) -> usize {
        std::fs::read_to_string(self.0.join(name)).map_or(0, |text| text.lines().count())
    }
}

/// Where everything is.
#[derive(Debug, Clone, Args)]
pub struct Place {
    /// URL of the audit store.
    #[arg(long)]
    pub audit: String,
    /// URL of the database that changes change.
    #[arg(long)]
    pub database: String,
    /// The folder that changes write to.
    #[arg(long)]
    pub folder: PathBuf,
}

/// A database of any kind.
enum Database {
    Sqlite(SqlitePool),
    Postgres(PgPool),
    MySql(MySqlPool),
}

async fn open(url: &str) -> Result<Database> {
    Ok(match url.split_once("://").map(|(scheme, _)| scheme) {
        Some("sqlite") => Database::Sqlite(SqlitePool::connect(url).await?),
        Some("postgres") => Database::Postgres(PgPool::connect(url).await?),
        Some("mysql") => Database::MySql(MySqlPool::connect(url).await?),
        _ => bail!("not a URL of a database"),
    })
}

impl Place {
    /// The folder.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn folder(&self) -> std::io::Result<Folder> {
        Folder::at(&self.folder)
    }

    /// The place as arguments of a replica.
    pub fn args(&self) -> [String; 3] {
        [
            format!("--audit={}", self.audit),
            format!("--database={}", self.database),
            format!("--folder={}", self.folder.display()),
        ]
    }

    /// A builder with audit store and targets.
    ///
    /// # Errors
    /// When one of them cannot be opened.
    pub async fn builder(&self) -> Result<FlamingockBuilder> {
        let builder = Flamingock::builder()
            .service("replica")
            .target(NonTransactionalTarget::new("folder").with(self.folder()?));
        let builder = match open(&self.audit).await.context("audit")? {
            Database::Sqlite(_) => builder.audit_store(SqliteAuditStore::connect(&self.audit).await?),
            Database::Postgres(pool) => builder.audit_store(PostgresAuditStore::new(pool)),
            Database::MySql(pool) => builder.audit_store(MySqlAuditStore::new(pool)),
        };
        Ok(match open(&self.database).await.context("database")? {
            Database::Sqlite(pool) => builder.target(SqliteTarget::new("db", pool)),
            Database::Postgres(pool) => builder.target(PostgresTarget::new("db", pool)),
            Database::MySql(pool) => builder.target(MySqlTarget::new("db", pool)),
        })
    }

    /// The audit store, to look into.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn store(&self) -> Result<Box<dyn Store>> {
        Ok(match open(&self.audit).await? {
            Database::Sqlite(_) => Box::new(SqliteAuditStore::connect(&self.audit).await?),
            Database::Postgres(pool) => Box::new(PostgresAuditStore::new(pool)),
            Database::MySql(pool) => Box::new(MySqlAuditStore::new(pool)),
        })
    }

    /// Runs statements on the database, one by one.
    ///
    /// # Errors
    /// The first that fails.
    pub async fn execute(&self, statements: &[&str]) -> Result<()> {
        let database = open(&self.database).await?;
        for statement in statements {
            let sql = raw_sql(AssertSqlSafe((*statement).to_owned()));
            match &database {
                Database::Sqlite(pool) => sql.execute(pool).await.map(drop),
                Database::Postgres(pool) => sql.execute(pool).await.map(drop),
                Database::MySql(pool) => sql.execute(pool).await.map(drop),
            }?;
        }
        Ok(())
    }

    /// How often each transactional change took effect.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn effects(&self) -> Result<BTreeMap<String, usize>> {
        let sql = raw_sql("SELECT id FROM effects");
        let ids: Vec<String> = match open(&self.database).await? {
            Database::Sqlite(pool) => {
                sql.fetch_all(&pool).await?.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()
            }
            Database::Postgres(pool) => {
                sql.fetch_all(&pool).await?.iter().map(|row| row.try_get(0)).collect()
            }
            Database::MySql(pool) => sql.fetch_all(&pool).await?.iter().map(|row| row.try_get(0)).collect(),
        }?;
        let mut counts = BTreeMap::new();
        ids.into_iter().for_each(|id| *counts.entry(id).or_default() += 1);
        Ok(counts)
    }

    /// Adds the changes of a scenario, as the kind of database has them.
    pub fn changes(&self, scenario: Scenario, builder: FlamingockBuilder) -> FlamingockBuilder {
        use flamingock::sqlx::{MySqlConnection, PgConnection, SqliteConnection};
        let kind = self.database.split(':').next().unwrap_or_default();
        let all = FlamingockBuilder::change;
        match (scenario, kind) {
            (Scenario::Fifty, "sqlite") => fifty::changes::<SqliteConnection>().fold(builder, all),
            (Scenario::Fifty, "postgres") => fifty::changes::<PgConnection>().fold(builder, all),
            (Scenario::Fifty, _) => fifty::changes::<MySqlConnection>().fold(builder, all),
            (Scenario::Transactional, "sqlite") => builder.changes(transactional::sqlite::CHANGES),
            (Scenario::Transactional, "postgres") => builder.changes(transactional::postgres::CHANGES),
            (Scenario::Transactional, _) => builder.changes(transactional::mysql::CHANGES),
            (Scenario::SecondStatement, "sqlite") => {
                builder.changes(broken::sqlite::second_statement::CHANGES)
            }
            (Scenario::SecondStatement, "postgres") => {
                builder.changes(broken::postgres::second_statement::CHANGES)
            }
            (Scenario::SecondStatement, _) => builder.changes(broken::mysql::second_statement::CHANGES),
            (Scenario::Before, "sqlite") => builder.changes(broken::sqlite::before::CHANGES),
            (Scenario::Before, "postgres") => builder.changes(broken::postgres::before::CHANGES),
            (Scenario::Before, _) => builder.changes(broken::mysql::before::CHANGES),
            (Scenario::After, "sqlite") => builder.changes(broken::sqlite::after::CHANGES),
            (Scenario::After, "postgres") => builder.changes(broken::postgres::after::CHANGES),
            (Scenario::After, _) => builder.changes(broken::mysql::after::CHANGES),
            (Scenario::Concurrently, _) => builder.changes(concurrently::CHANGES),
            (Scenario::Manual, _) => builder.changes(manual::CHANGES),
            (Scenario::Verified, _) => builder.changes(verified::CHANGES),
            (Scenario::Retried, _) => builder.changes(retried::CHANGES),
        }
    }
}

/// Which changes.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum Scenario {
    /// See [`fifty`].
    Fifty,
    /// See [`transactional`].
    Transactional,
    /// See [`broken`].
    SecondStatement,
    /// See [`broken`].
    Before,
    /// See [`broken`].
    After,
    /// See [`concurrently`].
    Concurrently,
    /// See [`manual`].
    Manual,
    /// See [`verified`].
    Verified,
    /// See [`retried`].
    Retried,
}

/// Audit store and lock in one.
pub trait Store: AuditStore + LockStore {}

impl<T: AuditStore + LockStore> Store for T {}
