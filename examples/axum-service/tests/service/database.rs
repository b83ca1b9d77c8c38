use std::sync::atomic::{AtomicU32, Ordering};

use flamingock::sqlx::{AssertSqlSafe, Connection as _, PgConnection, raw_sql};

/// An empty database of its own; removed by [`Database::drop`], kept when a case fails before.
pub(crate) struct Database {
    server: String,
    name: String,
    pub(crate) url: String,
}

static NUMBER: AtomicU32 = AtomicU32::new(0);

impl Database {
    pub(crate) async fn create() -> Self {
        let server = std::env::var(super::POSTGRES).unwrap();
        let name = format!("axum_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        execute(&server, format!("CREATE DATABASE {name}")).await;
        let (base, _) = server.rsplit_once('/').unwrap();
        Self { url: format!("{base}/{name}"), name, server }
    }

    /// From now on each `ALTER TABLE` does this first.
    pub(crate) async fn before_alter_table(&self, statement: &str) {
        let sql = format!(
            "CREATE FUNCTION disturb() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN {statement}; END $$;
             CREATE EVENT TRIGGER disturb ON ddl_command_start WHEN TAG IN ('ALTER TABLE')
             EXECUTE FUNCTION disturb()",
        );
        execute(&self.url, sql).await;
    }

    pub(crate) async fn undisturbed(&self) {
        execute(&self.url, "DROP EVENT TRIGGER disturb; DROP FUNCTION disturb()".to_owned()).await;
    }

    pub(crate) async fn drop(self) {
        execute(&self.server, format!("DROP DATABASE {} WITH (FORCE)", self.name)).await;
    }
}

async fn execute(url: &str, sql: String) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}
