//! The tools that are measured, each as its documentation tells an application to use it.

mod flamingock;
mod refinery;
mod sea_orm;
mod sqlx_migrate;

use std::time::{Duration, Instant};

use anyhow::Result;
use async_trait::async_trait;

use crate::changes::Changes;
use crate::database::Database;

/// A tool.
#[async_trait]
pub(crate) trait Peer: Sync {
    fn name(&self) -> &'static str;

    /// Writes the tool's own records of changes that are applied, without applying them: at 100,000
    /// that is the only way for some. What is written is what the tool itself would have.
    async fn fill(&self, database: &Database, changes: Changes) -> Result<()>;

    /// An application just before its changes are looked at: the connection is open.
    async fn open(&self, database: &Database, changes: Changes) -> Result<Box<dyn Application>>;
}

/// An application that is about to start.
#[async_trait]
pub(crate) trait Application: Send {
    /// What it does at every start: from what is compiled into it, to everything applied.
    async fn start(&mut self) -> Result<Started>;
}

/// What a start tells.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Started {
    /// How long it checked what it was given before it asked the database anything, where it tells.
    pub(crate) build: Option<Duration>,
    /// When it released its lock, if it applied anything.
    pub(crate) released: Option<Instant>,
}

/// All tools, Flamingock first.
pub(crate) fn all() -> [&'static dyn Peer; 4] {
    [&flamingock::Flamingock, &sqlx_migrate::SqlxMigrate, &refinery::Refinery, &sea_orm::SeaOrm]
}

/// `INSERT` statements of many rows each.
fn inserts(into: &str, rows: impl Iterator<Item = String>) -> Vec<String> {
    let rows: Vec<String> = rows.collect();
    rows.chunks(500).map(|rows| format!("INSERT INTO {into} VALUES {}", rows.join(", "))).collect()
}
