use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use flamingock_core::target::{Mode, Session, TargetSystem};
use flamingock_target_sql::MySqlTarget;
use flamingock_testing::conformance::{
    BoxError, End, TargetCapabilities, TargetFixture, TargetPlace, handle,
};
use sqlx::mysql::{MySql, MySqlConnection};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, Transaction};

use crate::server::mysql::{Brand, Database, PASSWORD};

/// The server counts in whole seconds.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Debug)]
struct Fixture(Brand);

#[derive(Debug)]
struct Place(Database);

#[async_trait]
impl TargetFixture for Fixture {
    fn name(&self) -> String {
        self.0.name().to_owned()
    }

    fn available(&self) -> Result<(), String> {
        self.0.available()
    }

    fn capabilities(&self) -> TargetCapabilities {
        TargetCapabilities::new([Mode::Transactional, Mode::Plain])
            .lock_timeout(LOCK_TIMEOUT)
            .names_blocker()
            .names_sessions()
            .ends([End::Commit, End::Rollback])
            .unplugs()
            .secret(PASSWORD)
    }

    async fn fresh(&self) -> Result<Arc<dyn TargetPlace>, BoxError> {
        let database = Database::new(self.0).await?;
        database.run_in("CREATE TABLE effects (name VARBINARY(255) PRIMARY KEY)").await?;
        Ok(Arc::new(Place(database)))
    }
}

#[async_trait]
impl TargetPlace for Place {
    async fn open(&self) -> Result<Arc<dyn TargetSystem>, BoxError> {
        Ok(Arc::new(MySqlTarget::new("orders-db", self.0.pool()).lock_timeout(LOCK_TIMEOUT)))
    }

    async fn put(
        &self,
        _target: &dyn TargetSystem,
        session: &mut dyn Session,
        mode: Mode,
        name: &str,
    ) -> Result<(), BoxError> {
        let connection = match mode {
            Mode::Transactional => &mut **handle::<Transaction<'static, MySql>>(session)?,
            Mode::Plain => handle::<MySqlConnection>(session)?,
        };
        sqlx::query("INSERT IGNORE INTO effects (name) VALUES (?)").bind(name).execute(connection).await?;
        Ok(())
    }

    async fn has(&self, name: &str) -> Result<bool, BoxError> {
        let mut connection = self.0.options().connect().await?;
        let found = sqlx::query("SELECT 1 FROM effects WHERE name = ?")
            .bind(name)
            .fetch_optional(&mut connection)
            .await?;
        connection.close().await?;
        Ok(found.is_some())
    }

    async fn end(&self, session: &mut dyn Session, end: End) -> Result<(), BoxError> {
        let connection = handle::<MySqlConnection>(session)?;
        match end {
            // As DDL does.
            End::Commit => connection.execute("CREATE TABLE committed (id INT)").await?,
            End::Rollback => connection.execute("ROLLBACK").await?,
            other => return Err(format!("the fixture cannot end a transaction by {other:?}").into()),
        };
        Ok(())
    }

    async fn unplug(&self) -> Result<(), BoxError> {
        self.0.proxy().unplug();
        Ok(())
    }

    async fn remove(&self) -> Result<(), BoxError> {
        self.0.remove().await
    }
}

/// MariaDB, and MySQL where one is given.
pub(crate) fn fixtures() -> impl Iterator<Item = Arc<dyn TargetFixture>> {
    Brand::ALL.into_iter().map(|brand| Arc::new(Fixture(brand)) as Arc<dyn TargetFixture>)
}
