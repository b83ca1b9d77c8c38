use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Result, bail};
use async_trait::async_trait;
use flamingock::audit::{Append, AuditState, AuditStore, Execution, HeadChange};
use flamingock::change::{
    Body as MethodBody, Change, Invocation, Method, MethodError, MethodFuture, Order, Param, ParamKind,
    Source,
};
use flamingock::event::Event;
use flamingock::lock::FencingToken;
use flamingock::prelude::{
    FlamingockBuilder, PostgresAuditStore, PostgresTarget, SqliteAuditStore, SqliteTarget,
};
use flamingock::testing::entries::{Chain, entry};
use flamingock::{Flamingock as Application_, History};
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, PgPool, SqliteConnection, SqlitePool};

use super::{Application, Peer, Started};
use crate::changes::{Changes, name};
use crate::database::Database;

/// `Flamingock::builder()..build()?.run()`.
pub(super) struct Flamingock;

const SERVICE: &str = "bench";
const TARGET: &str = "db";

/// What `#[change]` would have registered.
fn changes<C>(changes: Changes) -> Vec<Change>
where
    C: Connection + Send + 'static,
    for<'c> &'c mut C: Executor<'c, Database = C::Database>,
{
    let change = |number| {
        let sql = changes.sql(number);
        let apply = Method {
            params: vec![Param {
                name: "db".to_owned(),
                kind: ParamKind::Exclusive,
                type_id: std::any::TypeId::of::<C>(),
                type_name: std::any::type_name::<C>(),
                line: line!(),
            }],
            body: body(move |invocation| run::<C>(invocation, Arc::clone(&sql))),
        };
        let order = Order::new(format!("{number:06}"));
        Change::new(
            name(number),
            order,
            TARGET,
            Source::new(file!(), line!()),
            format!("v1:{number:064x}"),
            apply,
        )
    };
    changes.numbers().map(change).collect()
}

/// Tells the compiler that the closure takes any lifetime.
fn body(
    body: impl for<'a> Fn(Invocation<'a>) -> MethodFuture<'a, ()> + Send + Sync + 'static,
) -> MethodBody<()> {
    MethodBody::Async(Arc::new(body))
}

fn run<C>(invocation: Invocation<'_>, sql: Arc<str>) -> MethodFuture<'_, ()>
where
    C: Connection + Send + 'static,
    for<'c> &'c mut C: Executor<'c, Database = C::Database>,
{
    Box::pin(async move {
        let db = invocation.split().0.exclusive::<C>("db")?;
        db.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_string()))).await.map_err(MethodError::new)?;
        Ok(())
    })
}

#[async_trait]
impl Peer for Flamingock {
    fn name(&self) -> &'static str {
        "Flamingock"
    }

    async fn fill(&self, database: &Database, changes: Changes) -> Result<()> {
        let opened = opened(database, changes).await?;
        let digest = opened.builder_with_changes().build()?.pipeline().digest.clone();
        match &opened.pool {
            Pool::Postgres(pool) => {
                fill(PostgresAuditStore::new(pool.clone()), &opened.changes, digest).await
            }
            Pool::Sqlite(pool) => fill(SqliteAuditStore::new(pool.clone()), &opened.changes, digest).await,
        }
    }

    async fn open(&self, database: &Database, changes: Changes) -> Result<Box<dyn Application>> {
        Ok(Box::new(opened(database, changes).await?))
    }
}

/// Appends a STARTED and an APPLIED of each change, and ends as a complete run does.
async fn fill(store: impl AuditStore, changes: &[Change], digest: String) -> Result<()> {
    store.initialize().await?;
    let history = History::new(SERVICE);
    let execution =
        Execution { id: "00000000-0000-7000-8000-000000000001".to_owned(), owner: "fill".to_owned() };
    let office = store.take_office(&history, FencingToken(1), &execution).await?;
    let mut chain = Chain::of(&office);
    for changes in changes.chunks(250) {
        let expected = chain.sequence();
        let mut entries = Vec::new();
        for change in changes {
            for state in [AuditState::Started, AuditState::Applied] {
                let mut entry = entry(&history, 0, &change.id, state);
                entry.order = change.order_text().to_owned();
                entry.target_system = TARGET.to_owned();
                entry.checksum.clone_from(&change.checksum);
                entries.push(chain.seal(entry));
            }
        }
        let head = chain.head_change();
        store.append(&office, &Append { expected, entries: &entries, head }).await?;
    }
    let head = HeadChange { digests: vec![digest], ..chain.head_change() };
    Ok(store.append(&office, &Append { expected: chain.sequence(), entries: &[], head }).await?)
}

async fn opened(database: &Database, input: Changes) -> Result<Opened> {
    let (pool, changes) = match database {
        Database::Postgres(database) => {
            let pool = PgPoolOptions::new().max_connections(3).connect(&database.url).await?;
            (Pool::Postgres(pool), changes::<PgConnection>(input))
        }
        Database::Sqlite(database) => {
            let pool = SqlitePoolOptions::new().max_connections(3).connect(&database.url()).await?;
            (Pool::Sqlite(pool), changes::<SqliteConnection>(input))
        }
    };
    Ok(Opened { pool, changes, released: Arc::default() })
}

enum Pool {
    Postgres(PgPool),
    Sqlite(SqlitePool),
}

struct Opened {
    pool: Pool,
    changes: Vec<Change>,
    released: Arc<Mutex<Option<Instant>>>,
}

impl Opened {
    fn builder(&self) -> FlamingockBuilder {
        let builder = Application_::builder().service(SERVICE);
        match &self.pool {
            Pool::Postgres(pool) => builder
                .audit_store(PostgresAuditStore::new(pool.clone()))
                .target(PostgresTarget::new(TARGET, pool.clone())),
            Pool::Sqlite(pool) => builder
                .audit_store(SqliteAuditStore::new(pool.clone()))
                .target(SqliteTarget::new(TARGET, pool.clone())),
        }
    }

    /// Copying the changes is part of a start, as reading them from the link-time registry is.
    fn builder_with_changes(&self) -> FlamingockBuilder {
        let released = Arc::clone(&self.released);
        let builder = self.changes.iter().cloned().fold(self.builder(), FlamingockBuilder::change);
        builder.on_event(move |event| {
            if let Event::PipelineFinished { report } = event
                && report.changes.applied > 0
            {
                *released.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
            }
        })
    }
}

#[async_trait]
impl Application for Opened {
    async fn start(&mut self) -> Result<Started> {
        let builder = self.builder_with_changes();
        let since = Instant::now();
        let application = builder.build()?;
        let build = since.elapsed();
        let report = application.run().await?;
        let changes = report.changes;
        if changes.applied + changes.already_applied != self.changes.len() {
            bail!("not everything is applied: {}", report.summary());
        }
        let released = *self.released.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Started { build: Some(build), released })
    }
}
