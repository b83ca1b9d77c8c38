use std::sync::{Mutex, PoisonError};

use anyhow::Result;
use async_trait::async_trait;
use sea_orm_migration::sea_orm::{
    ConnectOptions, ConnectionTrait as _, Database as SeaDatabase, DatabaseConnection,
};
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, MigratorTrait, SchemaManager};

use super::{Application, Peer, Started, inserts};
use crate::changes::{Changes, name};
use crate::database::Database;

/// `Migrator::up(&connection, None)`.
pub(super) struct SeaOrm;

/// Its list of migrations comes from a function without arguments; one measurement runs at a time.
static CHANGES: Mutex<Option<Changes>> = Mutex::new(None);

struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        let Some(changes) = *CHANGES.lock().unwrap_or_else(PoisonError::into_inner) else {
            return Vec::new();
        };
        let migration = |number| Box::new(OneMigration { name: name(number), changes, number }) as Box<_>;
        changes.numbers().map(migration).collect()
    }
}

struct OneMigration {
    name: String,
    changes: Changes,
    number: usize,
}

impl MigrationName for OneMigration {
    fn name(&self) -> &str {
        &self.name
    }
}

#[async_trait]
impl MigrationTrait for OneMigration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(&self.changes.sql(self.number)).await?;
        Ok(())
    }
}

#[async_trait]
impl Peer for SeaOrm {
    fn name(&self) -> &'static str {
        "sea-orm-migration"
    }

    async fn fill(&self, database: &Database, changes: Changes) -> Result<()> {
        self.open(database, Changes { count: 0, ..changes }).await?.start().await?;
        let rows = changes.numbers().map(|number| format!("('{}', 1767225600)", name(number)));
        database.execute(&inserts("seaql_migrations (version, applied_at)", rows)).await
    }

    async fn open(&self, database: &Database, changes: Changes) -> Result<Box<dyn Application>> {
        *CHANGES.lock().unwrap_or_else(PoisonError::into_inner) = Some(changes);
        let mut options = ConnectOptions::new(database.url());
        options.max_connections(2).sqlx_logging(false);
        Ok(Box::new(Opened(SeaDatabase::connect(options).await?)))
    }
}

struct Opened(DatabaseConnection);

#[async_trait]
impl Application for Opened {
    async fn start(&mut self) -> Result<Started> {
        Migrator::up(&self.0, None).await?;
        Ok(Started::default())
    }
}
