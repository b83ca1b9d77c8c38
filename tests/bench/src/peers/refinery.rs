use std::sync::Arc;

use anyhow::Result;
use async_trait::async_trait;
use refinery::{Migration, Runner};

use super::{Application, Peer, Started, inserts};
use crate::changes::{Changes, name};
use crate::database::{Database, connect};

/// `embedded::migrations::runner().run_async(&mut client)`.
pub(super) struct Refinery;

type Input = (String, Arc<str>);

/// Name and SQL of each, which `embed_migrations!` has as constants.
fn inputs(changes: Changes) -> Vec<Input> {
    changes.numbers().map(|number| (format!("V{number}__{}", name(number)), changes.sql(number))).collect()
}

/// What the generated `runner()` does at every start.
fn migrations(inputs: &[Input]) -> Result<Vec<Migration>> {
    inputs.iter().map(|(name, sql)| Ok(Migration::unapplied(name, sql)?)).collect()
}

#[async_trait]
impl Peer for Refinery {
    fn name(&self) -> &'static str {
        "refinery"
    }

    async fn fill(&self, database: &Database, changes: Changes) -> Result<()> {
        self.open(database, Changes { count: 1, ..changes }).await?.start().await?;
        let rows = migrations(&inputs(changes))?;
        let rows = rows.iter().skip(1).map(|migration| {
            let (version, name, checksum) = (migration.version(), migration.name(), migration.checksum());
            format!("({version}, '{name}', '2026-01-01T00:00:00.123456789Z', '{checksum}')")
        });
        let into = "refinery_schema_history (version, name, applied_on, checksum)";
        database.execute(&inserts(into, rows)).await
    }

    async fn open(&self, database: &Database, changes: Changes) -> Result<Box<dyn Application>> {
        let client = match database {
            Database::Postgres(database) => Client::Postgres(connect(&database.url).await?),
            Database::Sqlite(database) => Client::Sqlite(rusqlite::Connection::open(database.path())?),
        };
        Ok(Box::new(Opened { client, inputs: inputs(changes) }))
    }
}

enum Client {
    Postgres(tokio_postgres::Client),
    Sqlite(rusqlite::Connection),
}

struct Opened {
    client: Client,
    inputs: Vec<Input>,
}

#[async_trait]
impl Application for Opened {
    async fn start(&mut self) -> Result<Started> {
        let runner = Runner::new(&migrations(&self.inputs)?);
        match &mut self.client {
            Client::Postgres(client) => runner.run_async(client).await?,
            Client::Sqlite(connection) => runner.run(connection)?,
        };
        Ok(Started::default())
    }
}
