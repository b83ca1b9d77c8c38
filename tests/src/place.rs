//! Where an application under test keeps its audit and its targets.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use clap::Args;
use flamingock::History;
use flamingock::audit::{AuditState, ChainHash, EntryFilter, verify_chain};
use flamingock::prelude::*;
use flamingock::sqlx::{AssertSqlSafe, MySqlPool, PgPool, SqlitePool, raw_sql};
use flamingock::target::NonTransactionalTarget;

use crate::changes::{
    Effects as _, broken, concurrently, fifty, manual, mixed, retried, transactional, verified,
};
use crate::stores::{Store, on_store};

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
        self.write_line(name, "x")
    }

    /// Adds a line that says something.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_line(&self, name: &str, line: &str) -> std::io::Result<()> {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(self.0.join(name))?;
        file.write_all(format!("{line}\n").as_bytes())
    }

    /// How many lines the file has.
    pub fn lines(&self, name: &str) -> usize {
        self.read_lines(name).len()
    }

    /// The lines of a file; none when there is no file.
    pub fn read_lines(&self, name: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.0.join(name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

/// Where everything is.
#[derive(Debug, Clone, Args)]
pub struct Place {
    /// URL of the audit store.
    #[arg(long)]
    pub audit: String,
    /// URL of the Redis that keeps the lock, where the audit store does not.
    #[arg(long)]
    pub lock: Option<String>,
    /// What the names of Redis' keys begin with.
    #[arg(long, default_value = "flamingock:")]
    pub keys: String,
    /// URL of the database that changes change.
    #[arg(long)]
    pub database: String,
    /// The folder that changes write to.
    #[arg(long)]
    pub folder: PathBuf,
    /// How long a change waits for a lock of the database, and may stand still there, in milliseconds;
    /// unless told, what targets have by default.
    #[arg(long)]
    pub patience: Option<u64>,
    /// The lease of replicas that tests hold and kill here, in milliseconds: they are taken over after it.
    #[arg(skip)]
    pub lease: u64,
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
    pub fn args(&self) -> Vec<String> {
        let mut args = vec![
            format!("--audit={}", self.audit),
            format!("--keys={}", self.keys),
            format!("--database={}", self.database),
            format!("--folder={}", self.folder.display()),
        ];
        args.extend(self.lock.iter().map(|lock| format!("--lock={lock}")));
        args.extend(self.patience.map(|patience| format!("--patience={patience}")));
        args
    }

    /// A builder with audit store and targets.
    ///
    /// # Errors
    /// When one of them cannot be opened.
    pub async fn builder(&self) -> Result<FlamingockBuilder> {
        let builder = Flamingock::builder()
            .service("replica")
            .target(NonTransactionalTarget::new("folder").with(self.folder()?));
        let builder = on_store!(self, store => builder.audit_store(store));
        let builder = match &self.lock {
            Some(url) => builder.lock_store(RedisLockStore::connect(url).await?.key_prefix(&self.keys)),
            None => builder,
        };
        let patience = self.patience.map(Duration::from_millis);
        macro_rules! patient {
            ($target:expr $(, $method:ident)+) => {
                match patience {
                    Some(patience) => builder.target($target$(.$method(patience))+),
                    None => builder.target($target),
                }
            };
        }
        Ok(match open(&self.database).await.context("database")? {
            Database::Sqlite(pool) => patient!(SqliteTarget::new("db", pool), lock_timeout),
            Database::Postgres(pool) => {
                patient!(PostgresTarget::new("db", pool), lock_timeout, idle_timeout)
            }
            Database::MySql(pool) => patient!(MySqlTarget::new("db", pool), lock_timeout),
        })
    }

    /// The audit store, to look into.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn store(&self) -> Result<Box<dyn Store>> {
        Ok(on_store!(self, store => Box::new(store)))
    }

    /// The audit's changes and states, after its chain was checked.
    ///
    /// # Errors
    /// When it cannot be read, or its chain does not hold.
    pub async fn log(&self) -> Result<Vec<(String, AuditState)>> {
        let store = self.store().await?;
        let entries = store.entries(&History::new("replica"), &EntryFilter::default()).await?;
        verify_chain((0, ChainHash::GENESIS), &entries).map_err(|finding| anyhow!("{finding:?}"))?;
        entries.into_iter().map(|entry| Ok((entry.change, entry.state.context("a state")?))).collect()
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
        let mut counts = BTreeMap::new();
        self.rows().await?.into_iter().for_each(|id| *counts.entry(id).or_default() += 1);
        Ok(counts)
    }

    /// Every row that a change has added.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn rows(&self) -> Result<Vec<String>> {
        Ok(match open(&self.database).await? {
            Database::Sqlite(pool) => pool.acquire().await?.effects("").await?,
            Database::Postgres(pool) => pool.acquire().await?.effects("").await?,
            Database::MySql(pool) => pool.acquire().await?.effects("").await?,
        })
    }

    /// Adds the [mixed] changes of a seed, and their stages.
    ///
    /// # Errors
    /// When the folder cannot be created.
    pub fn mixed(&self, seed: u64, builder: FlamingockBuilder) -> Result<FlamingockBuilder> {
        use flamingock::sqlx::{MySqlConnection, PgConnection, SqliteConnection};
        let kind = self.database.split(':').next().unwrap_or_default();
        let change = match kind {
            "sqlite" => mixed::change::<SqliteConnection>,
            "postgres" => mixed::change::<PgConnection>,
            _ => mixed::change::<MySqlConnection>,
        };
        let builder =
            mixed::STAGES.into_iter().fold(builder, |builder, name| builder.stage(Stage::new(name)));
        let builder = builder.dependency(self.folder()?);
        Ok(mixed::specs(seed).iter().map(change).fold(builder, FlamingockBuilder::change))
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
