//! The store keeps every promise of [`AuditStore`](flamingock_core::audit::AuditStore) and
//! [`LockStore`](flamingock_core::lock::LockStore).

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use async_trait::async_trait;
use custom_store::RedbStore;
use flamingock_core::History;
use flamingock_core::audit::FORMAT;
use flamingock_testing::conformance::{
    BoxError, Damage, StoreCapabilities, StoreFixture, StoreHandle, StorePlace, audit_store_suite,
    lock_suite, run,
};
use redb::{Database, TableDefinition};
use tempfile::TempDir;

fn main() -> ExitCode {
    run([audit_store_suite(Arc::new(Fixture)), lock_suite(Arc::new(Fixture))])
}

#[derive(Debug)]
struct Fixture;

#[async_trait]
impl StoreFixture for Fixture {
    fn name(&self) -> String {
        "redb".to_owned()
    }

    fn capabilities(&self) -> StoreCapabilities {
        // A file is open in one process at a time.
        StoreCapabilities::default().one_handle().damages([Damage::UnreadableEntry, Damage::NewerFormat])
    }

    async fn fresh(&self) -> Result<Arc<dyn StorePlace>, BoxError> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("audit.redb");
        Ok(Arc::new(Place { file, open: Mutex::default(), _folder: folder }))
    }
}

#[derive(Debug)]
struct Place {
    file: PathBuf,
    /// What the case has open.
    open: Mutex<Weak<Database>>,
    _folder: TempDir,
}

#[async_trait]
impl StorePlace for Place {
    async fn open(&self) -> Result<StoreHandle, BoxError> {
        let store = RedbStore::open(&self.file)?;
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(store.database());
        Ok(StoreHandle::both(store))
    }

    async fn damage(&self, damage: Damage, history: &History, sequence: u64) -> Result<(), BoxError> {
        let database = self.open.lock().unwrap_or_else(PoisonError::into_inner).upgrade();
        let transaction = database.ok_or("nothing is open")?.begin_write()?;
        match damage {
            Damage::UnreadableEntry => {
                let entries = TableDefinition::<(&str, u64), &[u8]>::new("flamingock_entries");
                let key = serde_json::to_string(history)?;
                transaction.open_table(entries)?.insert((key.as_str(), sequence), b"{}".as_slice())?;
            }
            Damage::NewerFormat => {
                let meta = TableDefinition::<&str, u32>::new("flamingock_meta");
                transaction.open_table(meta)?.insert("format", FORMAT + 1)?;
            }
            other => return Err(format!("{other:?} is not known here").into()),
        }
        Ok(transaction.commit()?)
    }
}
