use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use flamingock_core::target::{Mode, Session, TargetSystem};
use flamingock_target_sql::SqliteTarget;
use flamingock_testing::conformance::{
    BoxError, End, TargetCapabilities, TargetFixture, TargetPlace, handle,
};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, Sqlite, SqliteConnection, Transaction};
use tempfile::TempDir;

const LOCK_TIMEOUT: Duration = Duration::from_millis(1500);

/// SQLite with this journal.
#[derive(Debug)]
struct Fixture(SqliteJournalMode);

#[derive(Debug)]
struct File {
    directory: TempDir,
}

#[async_trait]
impl TargetFixture for Fixture {
    fn name(&self) -> String {
        match self.0 {
            SqliteJournalMode::Wal => "sqlite".to_owned(),
            _ => "sqlite-rollback-journal".to_owned(),
        }
    }

    fn capabilities(&self) -> TargetCapabilities {
        // Not `End::Commit`: SQLite lets nobody commit but the run.
        TargetCapabilities::new([Mode::Transactional, Mode::Plain])
            .lock_timeout(LOCK_TIMEOUT)
            .ends([End::Rollback])
    }

    async fn fresh(&self) -> Result<Arc<dyn TargetPlace>, BoxError> {
        let file = File { directory: tempfile::tempdir()? };
        let options = file.options().create_if_missing(true).journal_mode(self.0);
        let mut connection = options.connect().await?;
        connection.execute("CREATE TABLE effects (name TEXT PRIMARY KEY)").await?;
        connection.close().await?;
        Ok(Arc::new(file))
    }
}

impl File {
    fn options(&self) -> SqliteConnectOptions {
        SqliteConnectOptions::new().filename(self.directory.path().join("orders.db"))
    }
}

#[async_trait]
impl TargetPlace for File {
    async fn open(&self) -> Result<Arc<dyn TargetSystem>, BoxError> {
        let pool = SqlitePool::connect_lazy_with(self.options());
        Ok(Arc::new(SqliteTarget::new("orders-db", pool).lock_timeout(LOCK_TIMEOUT)))
    }

    async fn put(
        &self,
        _target: &dyn TargetSystem,
        session: &mut dyn Session,
        mode: Mode,
        name: &str,
    ) -> Result<(), BoxError> {
        let connection = match mode {
            Mode::Transactional => &mut **handle::<Transaction<'static, Sqlite>>(session)?,
            Mode::Plain => handle::<SqliteConnection>(session)?,
        };
        sqlx::query("INSERT OR IGNORE INTO effects (name) VALUES (?)").bind(name).execute(connection).await?;
        Ok(())
    }

    async fn has(&self, name: &str) -> Result<bool, BoxError> {
        let mut connection = self.options().connect().await?;
        let found = sqlx::query("SELECT 1 FROM effects WHERE name = ?")
            .bind(name)
            .fetch_optional(&mut connection)
            .await?;
        connection.close().await?;
        Ok(found.is_some())
    }

    async fn end(&self, session: &mut dyn Session, end: End) -> Result<(), BoxError> {
        match end {
            End::Rollback => handle::<SqliteConnection>(session)?.execute("ROLLBACK").await?,
            other => return Err(format!("the fixture cannot end a transaction by {other:?}").into()),
        };
        Ok(())
    }
}

/// With both kinds of journal.
pub(crate) fn fixtures() -> impl Iterator<Item = Arc<dyn TargetFixture>> {
    [SqliteJournalMode::Wal, SqliteJournalMode::Delete]
        .into_iter()
        .map(|journal| Arc::new(Fixture(journal)) as Arc<dyn TargetFixture>)
}
