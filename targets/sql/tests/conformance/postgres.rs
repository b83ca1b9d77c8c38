use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use flamingock_core::target::{Mode, Session, TargetSystem};
use flamingock_target_sql::PostgresTarget;
use flamingock_testing::conformance::{
    BoxError, End, TargetCapabilities, TargetFixture, TargetPlace, handle,
};
use sqlx::postgres::{PgConnection, Postgres};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, Transaction};

use crate::server::postgres::{Schema, Way};

const LOCK_TIMEOUT: Duration = Duration::from_millis(1500);

#[derive(Debug)]
struct Fixture(Way);

#[derive(Debug)]
struct Place {
    schema: Schema,
}

#[async_trait]
impl TargetFixture for Fixture {
    fn name(&self) -> String {
        self.0.name().to_owned()
    }

    fn available(&self) -> Result<(), String> {
        self.0.available()
    }

    fn capabilities(&self) -> TargetCapabilities {
        let capabilities = TargetCapabilities::new([Mode::Transactional, Mode::Plain])
            .lock_timeout(LOCK_TIMEOUT)
            .names_blocker()
            .names_sessions()
            .ends([End::Rollback])
            .unplugs()
            .secret(self.0.password());
        match self.0 {
            Way::Direct => capabilities.ends([End::Commit]),
            // What a client does after it committed from inside cannot be ended: the pooler lends it another
            // connection.
            Way::Pooled => capabilities,
        }
    }

    async fn fresh(&self) -> Result<Arc<dyn TargetPlace>, BoxError> {
        let schema = Schema::new(self.0).await?;
        schema.run(&format!("CREATE TABLE {}.effects (name TEXT PRIMARY KEY)", schema.quoted())).await?;
        Ok(Arc::new(Place { schema }))
    }
}

#[async_trait]
impl TargetPlace for Place {
    async fn open(&self) -> Result<Arc<dyn TargetSystem>, BoxError> {
        let target = PostgresTarget::new("orders-db", self.schema.pool());
        Ok(Arc::new(target.schema(&self.schema.name).lock_timeout(LOCK_TIMEOUT)))
    }

    async fn put(
        &self,
        _target: &dyn TargetSystem,
        session: &mut dyn Session,
        mode: Mode,
        name: &str,
    ) -> Result<(), BoxError> {
        let connection = match mode {
            Mode::Transactional => &mut **handle::<Transaction<'static, Postgres>>(session)?,
            Mode::Plain => handle::<PgConnection>(session)?,
        };
        // As one message: behind a pooler, the two of a prepared statement may get to different servers.
        let sql = format!(
            "INSERT INTO {}.effects (name) VALUES ('{name}') ON CONFLICT DO NOTHING",
            self.schema.quoted()
        );
        connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await?;
        Ok(())
    }

    async fn has(&self, name: &str) -> Result<bool, BoxError> {
        let mut connection = self.schema.options().connect().await?;
        let sql = format!("SELECT 1 FROM {}.effects WHERE name = '{name}'", self.schema.quoted());
        let found = connection.fetch_optional(sqlx::raw_sql(AssertSqlSafe(sql))).await?;
        connection.close().await?;
        Ok(found.is_some())
    }

    async fn end(&self, session: &mut dyn Session, end: End) -> Result<(), BoxError> {
        let connection = handle::<PgConnection>(session)?;
        match end {
            End::Commit => connection.execute("COMMIT").await?,
            End::Rollback => connection.execute("ROLLBACK").await?,
            other => return Err(format!("the fixture cannot end a transaction by {other:?}").into()),
        };
        Ok(())
    }

    async fn unplug(&self) -> Result<(), BoxError> {
        self.schema.proxy().unplug();
        Ok(())
    }

    async fn remove(&self) -> Result<(), BoxError> {
        self.schema.remove().await
    }
}

/// Directly, and through PgBouncer.
pub(crate) fn fixtures() -> impl Iterator<Item = Arc<dyn TargetFixture>> {
    [Way::Direct, Way::Pooled].into_iter().map(|way| Arc::new(Fixture(way)) as Arc<dyn TargetFixture>)
}
