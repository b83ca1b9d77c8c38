//! The directory of an application under test.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use flamingock::sqlite::{SqliteAuditStore, SqliteTarget};
use flamingock::sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use flamingock::sqlx::{self, Row as _};

/// A folder of files as a target without transactions. Each effect is a line in a file.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

impl Folder {
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

/// Where an application under test keeps its audit and its targets.
#[derive(Debug, Clone)]
pub struct Place {
    dir: PathBuf,
    one_file: bool,
}

impl Place {
    /// In this directory; audit and database in one file, or in two.
    pub fn new(dir: &Path, one_file: bool) -> Self {
        Self { dir: dir.to_owned(), one_file }
    }

    /// The folder.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn folder(&self) -> std::io::Result<Folder> {
        let folder = self.dir.join("folder");
        std::fs::create_dir_all(&folder)?;
        Ok(Folder(folder))
    }

    /// The audit store.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub async fn store(&self) -> anyhow::Result<SqliteAuditStore> {
        let file = self.dir.join("audit.db");
        SqliteAuditStore::connect(&format!("sqlite://{}", file.display())).await.context("audit store")
    }

    /// The database.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub async fn pool(&self) -> anyhow::Result<SqlitePool> {
        let file = self.dir.join(if self.one_file { "audit.db" } else { "target.db" });
        let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
        Ok(SqlitePool::connect_with(options).await?)
    }

    /// The database as a target system.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub async fn target(&self) -> anyhow::Result<SqliteTarget> {
        Ok(SqliteTarget::new("db", self.pool().await?))
    }

    /// How often each transactional change took effect.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn effects(&self) -> anyhow::Result<BTreeMap<String, i64>> {
        let rows = sqlx::query("SELECT id, count(*) FROM effects GROUP BY id")
            .fetch_all(&self.pool().await?)
            .await?;
        rows.into_iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    }
}
