use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use flamingock_core::History;
use flamingock_store_sql::SqliteAuditStore;
use flamingock_testing::conformance::{
    BoxError, Damage, StoreCapabilities, StoreFixture, StoreHandle, StorePlace,
};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};
use tempfile::TempDir;

/// SQLite with this journal.
#[derive(Debug)]
struct Sqlite(SqliteJournalMode);

#[derive(Debug)]
struct File {
    directory: TempDir,
    journal: SqliteJournalMode,
    read_only: std::sync::atomic::AtomicBool,
}

#[async_trait]
impl StoreFixture for Sqlite {
    fn name(&self) -> String {
        match self.0 {
            SqliteJournalMode::Wal => "sqlite".to_owned(),
            _ => "sqlite-rollback-journal".to_owned(),
        }
    }

    fn capabilities(&self) -> StoreCapabilities {
        StoreCapabilities::default().damages([
            Damage::UnreadableEntry,
            Damage::NewerFormat,
            Damage::OtherShape,
            Damage::ReadOnly,
        ])
    }

    async fn fresh(&self) -> Result<Arc<dyn StorePlace>, BoxError> {
        let read_only = false.into();
        Ok(Arc::new(File { directory: tempfile::tempdir()?, journal: self.0, read_only }))
    }
}

impl File {
    fn path(&self) -> PathBuf {
        self.directory.path().join("audit.db")
    }

    fn options(&self) -> SqliteConnectOptions {
        SqliteConnectOptions::new().filename(self.path())
    }

    async fn run(&self, sql: String) -> Result<(), BoxError> {
        let mut connection = self.options().create_if_missing(true).connect().await?;
        connection.execute(AssertSqlSafe(sql)).await?;
        Ok(connection.close().await?)
    }
}

#[async_trait]
impl StorePlace for File {
    async fn open(&self) -> Result<StoreHandle, BoxError> {
        let store = if self.read_only.load(std::sync::atomic::Ordering::SeqCst) {
            SqliteAuditStore::connect_with(self.options().read_only(true)).await?
        } else {
            let journal = self.journal;
            SqliteAuditStore::connect_with(self.options().create_if_missing(true).journal_mode(journal))
                .await?
        };
        Ok(StoreHandle::both(store))
    }

    async fn damage(&self, damage: Damage, history: &History, sequence: u64) -> Result<(), BoxError> {
        let (service, tenant) = (history.service.replace('\'', "''"), history.tenant.replace('\'', "''"));
        match damage {
            Damage::UnreadableEntry => {
                self.run(format!(
                    "UPDATE flamingock_entries SET state = 'PERHAPS' \
                     WHERE service = '{service}' AND tenant = '{tenant}' AND sequence = {sequence}"
                ))
                .await
            }
            Damage::NewerFormat => self.run("UPDATE flamingock_heads SET format = 99".to_owned()).await,
            Damage::OtherShape => {
                self.run("CREATE TABLE flamingock_heads (service TEXT, tenant TEXT, tracks TEXT)".to_owned())
                    .await
            }
            Damage::ReadOnly => {
                self.read_only.store(true, std::sync::atomic::Ordering::SeqCst);
                Ok(())
            }
            other => Err(format!("the fixture cannot do {other:?}").into()),
        }
    }
}

/// With both kinds of journal.
pub(crate) fn fixtures() -> impl Iterator<Item = Arc<dyn StoreFixture>> {
    [SqliteJournalMode::Wal, SqliteJournalMode::Delete]
        .into_iter()
        .map(|journal| Arc::new(Sqlite(journal)) as Arc<dyn StoreFixture>)
}
