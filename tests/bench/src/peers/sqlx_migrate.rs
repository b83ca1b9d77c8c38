use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

use anyhow::Result;
use async_trait::async_trait;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{AssertSqlSafe, PgPool, SqlSafeStr as _, SqlitePool};

use super::{Application, Peer, Started, inserts};
use crate::changes::{Changes, name};
use crate::database::Database;

/// `sqlx::migrate!().run(&pool)`.
pub(super) struct SqlxMigrate;

/// With `migrate!` the migrator is a constant: making it is not part of a start.
fn migrator(changes: Changes) -> Migrator {
    let migration = |number| {
        let sql = AssertSqlSafe(changes.sql(number).to_string()).into_sql_str();
        let version = i64::try_from(number).unwrap_or(i64::MAX);
        Migration::new(version, Cow::Owned(name(number)), MigrationType::Simple, sql, false)
    };
    Migrator::with_migrations(changes.numbers().map(migration).collect())
}

#[async_trait]
impl Peer for SqlxMigrate {
    fn name(&self) -> &'static str {
        "sqlx migrate"
    }

    async fn fill(&self, database: &Database, changes: Changes) -> Result<()> {
        self.open(database, Changes { count: 0, ..changes }).await?.start().await?;
        let (open, close) = match database {
            Database::Postgres(_) => (r"'\x", "'::bytea"),
            Database::Sqlite(_) => ("X'", "'"),
        };
        let migrator = migrator(changes);
        let rows = migrator.iter().map(|migration| {
            let checksum = migration.checksum.iter().fold(String::new(), |mut hex, byte| {
                // Writing to a String cannot fail.
                let _ = write!(hex, "{byte:02x}");
                hex
            });
            let (version, description) = (migration.version, &migration.description);
            format!("({version}, '{description}', CURRENT_TIMESTAMP, true, {open}{checksum}{close}, 1000)")
        });
        let into = "_sqlx_migrations (version, description, installed_on, success, checksum, execution_time)";
        database.execute(&inserts(into, rows)).await
    }

    async fn open(&self, database: &Database, changes: Changes) -> Result<Box<dyn Application>> {
        let pool = match database {
            Database::Postgres(database) => {
                Pool::Postgres(PgPoolOptions::new().max_connections(2).connect(&database.url).await?)
            }
            Database::Sqlite(database) => {
                Pool::Sqlite(SqlitePoolOptions::new().max_connections(2).connect(&database.url()).await?)
            }
        };
        Ok(Box::new(Opened { pool, migrator: Arc::new(migrator(changes)) }))
    }
}

enum Pool {
    Postgres(PgPool),
    Sqlite(SqlitePool),
}

struct Opened {
    pool: Pool,
    migrator: Arc<Migrator>,
}

#[async_trait]
impl Application for Opened {
    async fn start(&mut self) -> Result<Started> {
        match &self.pool {
            Pool::Postgres(pool) => self.migrator.run(pool).await?,
            Pool::Sqlite(pool) => self.migrator.run(pool).await?,
        }
        Ok(Started::default())
    }
}
