use std::sync::Once;

use flamingock_core::change::{BoxError, ChangeSet};
use flamingock_store_sql::PostgresAuditStore;
use flamingock_target_sql::PostgresTarget;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection as _, Row as _, raw_sql};

use crate::database::CLOSE;
use crate::server::{Server, abandoned, address, connect};
use crate::{Created, Options, TestDatabase, applied, name};

const SERVER: Server = Server {
    name: "PostgreSQL",
    variable: "FLAMINGOCK_TEST_POSTGRES_URL",
    schemes: &["postgres", "postgresql"],
    example: "postgres://user:password@localhost:5432/postgres",
};

impl TestDatabase for PgPool {
    async fn create(options: &Options) -> Result<(Self, Created), BoxError> {
        let server: PgConnectOptions = SERVER.connect_options(options)?;
        let mut admin = connect(&server).await?;
        clean(&mut admin).await?;
        let name = name::new();
        let create = match options.changes {
            None => format!("CREATE DATABASE {name}"),
            Some(changes) => {
                let template = template(&server, &mut admin, options, changes).await?;
                format!("CREATE DATABASE {name} TEMPLATE {template}")
            }
        };
        run(&mut admin, &create).await.map_err(|error| format!("`{create}` failed: {error}"))?;
        admin.close().await?;

        let own = server.clone().database(&name);
        let pool = open(own.clone()).await?;
        let address = address(&own);
        let opened = pool.clone();
        let remove = move || async move {
            // A connection that is still out is closed by the server.
            let _ = tokio::time::timeout(CLOSE, opened.close()).await;
            let mut admin = connect(&server).await?;
            run(&mut admin, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await?;
            Ok(admin.close().await?)
        };
        Ok((pool, Created { address, remove: Box::new(|| Box::pin(remove())) }))
    }
}

/// The template in which the changes are applied, made by whoever needs it first.
async fn template(
    server: &PgConnectOptions,
    admin: &mut PgConnection,
    options: &Options,
    changes: ChangeSet,
) -> Result<String, BoxError> {
    let content = applied::content(options, changes);
    // Held by this connection until it is closed at the latest.
    let key = i64::from_ne_bytes(content.to_ne_bytes());
    run(admin, &format!("SELECT pg_advisory_lock({key})")).await?;
    if let Some(template) = databases(admin).await?.into_iter().find(|db| name::is_template(db, content)) {
        run(admin, &format!("SELECT pg_advisory_unlock({key})")).await?;
        return Ok(template);
    }
    // Under another name until it is ready: whoever makes it may be killed.
    let (making, template) = (name::new(), name::template(content));
    run(admin, &format!("CREATE DATABASE {making}")).await?;
    let pool = open(server.clone().database(&making)).await?;
    let store = PostgresAuditStore::new(pool.clone());
    let made = applied::apply(options, changes, store, |id| PostgresTarget::new(id, pool.clone())).await;
    pool.close().await;
    let finish = match made {
        Ok(()) => format!("ALTER DATABASE {making} RENAME TO {template}"),
        Err(_) => format!("DROP DATABASE {making} WITH (FORCE)"),
    };
    run(admin, &finish).await?;
    run(admin, &format!("SELECT pg_advisory_unlock({key})")).await?;
    made.map(|()| template)
}

async fn open(options: PgConnectOptions) -> Result<PgPool, sqlx::Error> {
    PgPoolOptions::new().max_connections(10).connect_with(options).await
}

/// Removes what killed tests left behind, once in this process. Others may do the same at the same time.
async fn clean(admin: &mut PgConnection) -> Result<(), sqlx::Error> {
    static ONCE: Once = Once::new();
    if ONCE.is_completed() {
        return Ok(());
    }
    for name in abandoned(&ONCE, databases(admin).await?) {
        let _ = run(admin, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
    }
    Ok(())
}

async fn databases(admin: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    let rows =
        raw_sql("SELECT datname::text FROM pg_database WHERE datname ~ '^flamingock_[a-z0-9_]+$' ORDER BY 1");
    rows.fetch_all(admin).await?.iter().map(|row| row.try_get(0)).collect()
}

/// `sql` has no text but names that were made here.
async fn run(admin: &mut PgConnection, sql: &str) -> Result<(), sqlx::Error> {
    raw_sql(AssertSqlSafe(sql)).execute(admin).await.map(drop)
}
