use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::changes::Changes;
use crate::database::{Database, Place, PostgresDatabase, Server};
use crate::peers::{self, Peer};
use crate::size::Size;
use crate::wire::Wire;

/// A backend tells its statistics when it ends, the others once a second at most.
const STATISTICS: Duration = Duration::from_millis(1_500);

/// What a start asks of PostgreSQL, by the server's own statistics and by what goes over the wire.
#[derive(Debug, Serialize)]
pub(crate) struct Cost {
    pub(crate) peer: &'static str,
    pub(crate) changes: usize,
    pub(crate) start: &'static str,
    /// How often the tool waited for the server's answer.
    pub(crate) round_trips: u64,
    /// Besides: how often its pool asked whether the connection is alive.
    pub(crate) pings: u64,
    /// `pg_stat_statements`: calls.
    pub(crate) statements: i64,
    /// `pg_stat_wal`: records, syncs, bytes.
    pub(crate) wal_records: Option<i64>,
    pub(crate) wal_syncs: Option<i64>,
    pub(crate) wal_bytes: Option<i64>,
}

/// Each tool: a start with nothing to do, and a first start.
pub(crate) async fn cost(place: &Place, server: &Server, size: &Size) -> Result<Vec<Cost>> {
    let wire = Wire::to(server.address()).await?;
    let mut results = Vec::new();
    for peer in peers::all() {
        for start in ["nothing to do", "fresh"] {
            eprintln!("cost: {}, {start}", peer.name());
            let changes = Changes::selects(size.counted);
            let database = place.create().await?;
            if start == "nothing to do" {
                peer.fill(&database, changes).await?;
            }
            let cost = count(server, &wire, peer, &database, changes, start).await?;
            results.push(cost);
            place.drop(database).await?;
        }
    }
    Ok(results)
}

async fn count(
    server: &Server,
    wire: &Wire,
    peer: &'static dyn Peer,
    database: &Database,
    changes: Changes,
    start: &'static str,
) -> Result<Cost> {
    let Database::Postgres(database) = database else { anyhow::bail!("only PostgreSQL counts") };
    let url = database.url.replace(server.address(), &format!("127.0.0.1:{}", wire.port));
    let wired = Database::Postgres(PostgresDatabase { name: database.name.clone(), url });
    let mut application = peer.open(&wired, changes).await?;

    let client = server.client("postgres").await?;
    // Nothing that is not ours in between.
    client.batch_execute("CHECKPOINT").await?;
    tokio::time::sleep(STATISTICS).await;
    client.batch_execute("SELECT pg_stat_statements_reset()").await?;
    let before = wal(&client).await?;
    let (answers, pings) = wire.counts();
    application.start().await.with_context(|| peer.name())?;
    drop(application);
    tokio::time::sleep(STATISTICS).await;
    let (answered, pinged) = wire.counts();

    let after = wal(&client).await?;
    let statements = "SELECT coalesce(sum(calls), 0)::int8 FROM pg_stat_statements
        JOIN pg_database ON pg_database.oid = dbid WHERE datname = $1";
    let statements = client.query_one(statements, &[&database.name]).await?.get(0);
    let [records, syncs, bytes] = [0, 1, 2].map(|i| Some(after[i]? - before[i]?));
    Ok(Cost {
        peer: peer.name(),
        changes: changes.count,
        start,
        round_trips: answered - answers,
        pings: pinged - pings,
        statements,
        wal_records: records,
        wal_syncs: syncs,
        wal_bytes: bytes,
    })
}

/// Some columns are gone in newer servers: then there is no figure.
async fn wal(client: &tokio_postgres::Client) -> Result<[Option<i64>; 3]> {
    let row = client
        .query_one(
            "SELECT (w ->> 'wal_records')::int8, (w ->> 'wal_sync')::int8, (w ->> 'wal_bytes')::int8
             FROM (SELECT to_jsonb(pg_stat_wal) AS w FROM pg_stat_wal) AS stats",
            &[],
        )
        .await?;
    Ok([0, 1, 2].map(|i| row.get(i)))
}
