use std::sync::Once;

use flamingock_core::change::BoxError;
use flamingock_store_sql::MySqlAuditStore;
use flamingock_target_sql::MySqlTarget;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlPool, MySqlPoolOptions};
use sqlx::{AssertSqlSafe, Connection as _, Row as _, raw_sql};

use crate::database::CLOSE;
use crate::server::{Server, abandoned, address, connect};
use crate::{Created, Options, TestDatabase, applied, name};

const SERVER: Server = Server {
    name: "MySQL or MariaDB",
    variable: "FLAMINGOCK_TEST_MYSQL_URL",
    schemes: &["mysql", "mariadb"],
    example: "mysql://user:password@localhost:3306/mysql",
};

impl TestDatabase for MySqlPool {
    async fn create(options: &Options) -> Result<(Self, Created), BoxError> {
        let server: MySqlConnectOptions = SERVER.connect_options(options)?;
        let mut admin = connect(&server).await?;
        clean(&mut admin).await?;
        let name = name::new();
        let create = format!("CREATE DATABASE {name} CHARACTER SET utf8mb4");
        run(&mut admin, &create).await.map_err(|error| format!("`{create}` failed: {error}"))?;
        admin.close().await?;

        let own = server.clone().database(&name);
        let address = address(&own);
        let pool = MySqlPoolOptions::new().max_connections(10).connect_with(own).await?;
        if let Some(changes) = options.changes {
            // There are no templates to copy.
            let store = MySqlAuditStore::new(pool.clone());
            let made = applied::apply(options, changes, store, |id| MySqlTarget::new(id, pool.clone())).await;
            made.map_err(|error| format!("{error}\nkept: {address}"))?;
        }
        let opened = pool.clone();
        let remove = move || async move {
            let _ = tokio::time::timeout(CLOSE, opened.close()).await;
            let mut admin = connect(&server).await?;
            run(&mut admin, &format!("DROP DATABASE IF EXISTS {name}")).await?;
            Ok(admin.close().await?)
        };
        Ok((pool, Created { address, remove: Box::new(|| Box::pin(remove())) }))
    }
}

/// Removes what killed tests left behind, once in this process. Others may do the same at the same time.
async fn clean(admin: &mut MySqlConnection) -> Result<(), sqlx::Error> {
    static ONCE: Once = Once::new();
    if ONCE.is_completed() {
        return Ok(());
    }
    for name in abandoned(&ONCE, databases(admin).await?) {
        let _ = run(admin, &format!("DROP DATABASE IF EXISTS {name}")).await;
    }
    Ok(())
}

async fn databases(admin: &mut MySqlConnection) -> Result<Vec<String>, sqlx::Error> {
    let rows = raw_sql(
        "SELECT CAST(schema_name AS CHAR) FROM information_schema.schemata \
         WHERE schema_name REGEXP '^flamingock_[a-z0-9_]+$'",
    );
    rows.fetch_all(admin).await?.iter().map(|row| row.try_get(0)).collect()
}

/// `sql` has no text but names that were made here.
async fn run(admin: &mut MySqlConnection, sql: &str) -> Result<(), sqlx::Error> {
    raw_sql(AssertSqlSafe(sql)).execute(admin).await.map(drop)
}
