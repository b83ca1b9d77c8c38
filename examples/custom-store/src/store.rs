use std::fmt;
use std::path::Path;
use std::sync::Arc;

use flamingock_core::audit::FORMAT;
use flamingock_core::{BackendError, BackendErrorKind};
use redb::{
    Database, ReadTransaction, ReadableDatabase as _, ReadableTable as _, TableError, WriteTransaction,
};

use crate::error::{Failure, not_initialized};
use crate::records::{ENTRIES, FORMAT_KEY, HEADS, LATEST, LOCKS, META, check_format};

/// Audit store and lock in a file. Clones share it.
#[derive(Clone)]
pub struct RedbStore {
    database: Arc<Database>,
    address: String,
}

impl fmt::Debug for RedbStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedbStore").field("address", &self.address).finish_non_exhaustive()
    }
}

impl RedbStore {
    /// Opens a file, or makes it.
    ///
    /// # Errors
    /// When it cannot be opened; `Busy` while another process has it open.
    pub fn open(file: impl AsRef<Path>) -> Result<Self, BackendError> {
        let address = format!("redb:{}", file.as_ref().display());
        match Database::create(file) {
            Ok(database) => Ok(Self { database: Arc::new(database), address }),
            Err(error) => Err(Failure::from(error).of("open", &address)),
        }
    }

    /// The database, for whoever keeps more in the same file.
    pub fn database(&self) -> &Arc<Database> {
        &self.database
    }

    pub(crate) fn place(&self) -> &str {
        &self.address
    }

    /// Creates the tables, or checks them.
    pub(crate) async fn initialize_both(&self) -> Result<(), BackendError> {
        self.blocking("initialize", |database| {
            let transaction = database.begin_write()?;
            {
                let mut meta = transaction.open_table(META)?;
                let format = meta.get(FORMAT_KEY)?.map(|stored| stored.value());
                match format {
                    Some(format) => check_format(format)?,
                    None => drop(meta.insert(FORMAT_KEY, FORMAT)?),
                }
                transaction.open_table(HEADS)?;
                transaction.open_table(LOCKS)?;
                transaction.open_table(ENTRIES)?;
                transaction.open_table(LATEST)?;
            }
            Ok(transaction.commit()?)
        })
        .await
    }

    /// Looks at what is stored; [`None`] before it was initialized.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        operation: &'static str,
        look: impl FnOnce(&ReadTransaction) -> Result<T, Failure> + Send + 'static,
    ) -> Result<Option<T>, BackendError> {
        self.blocking(operation, |database| {
            let transaction = database.begin_read()?;
            let meta = match transaction.open_table(META) {
                Err(TableError::TableDoesNotExist(_)) => return Ok(None),
                meta => meta?,
            };
            check_format(meta.get(FORMAT_KEY)?.map_or(FORMAT, |stored| stored.value()))?;
            look(&transaction).map(Some)
        })
        .await
    }

    /// Does all of it, durably, or nothing.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        operation: &'static str,
        change: impl FnOnce(&WriteTransaction) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, BackendError> {
        self.blocking(operation, move |database| {
            let transaction = database.begin_write()?;
            let format = transaction.open_table(META)?.get(FORMAT_KEY)?.map(|stored| stored.value());
            check_format(format.ok_or_else(|| Failure::Backend(not_initialized(operation)))?)?;
            let done = change(&transaction)?;
            transaction.commit()?;
            Ok(done)
        })
        .await
    }

    /// redb waits for the disk: not on a thread that serves others.
    async fn blocking<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&Database) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, BackendError> {
        let database = Arc::clone(&self.database);
        match tokio::task::spawn_blocking(move || work(&database)).await {
            Ok(done) => done.map_err(|failure| failure.of(operation, &self.address)),
            Err(error) => Err(BackendError::new(BackendErrorKind::Other, operation, error.to_string())),
        }
    }
}
