use std::sync::Arc;

use async_trait::async_trait;
use flamingock_core::audit::{Append, AuditEntry, AuditStore, EntryFilter, Execution, Head, Office};
use flamingock_core::lock::{Acquisition, FencingToken, Holder, Lease, LockRequest, LockStore};
use flamingock_core::{BackendError, History};

use super::moment::Moment;
use super::process::{Process, lost};

/// An audit store, as the process reaches it.
#[derive(Debug)]
pub(super) struct FaultyStore {
    pub(super) process: Arc<Process>,
    pub(super) inner: Arc<dyn AuditStore>,
}

#[async_trait]
impl AuditStore for FaultyStore {
    fn kind(&self) -> &str {
        self.inner.kind()
    }

    fn address(&self) -> String {
        self.inner.address()
    }

    async fn initialize(&self) -> Result<(), BackendError> {
        self.inner.initialize().await
    }

    async fn head(&self, history: &History) -> Result<Option<Head>, BackendError> {
        self.inner.head(history).await
    }

    async fn histories(&self) -> Result<Vec<History>, BackendError> {
        self.inner.histories().await
    }

    async fn take_office(
        &self,
        history: &History,
        lease: FencingToken,
        execution: &Execution,
    ) -> Result<Office, BackendError> {
        self.inner.take_office(history, lease, execution).await
    }

    async fn append(&self, office: &Office, append: &Append<'_>) -> Result<(), BackendError> {
        let due = append.entries.iter().find_map(|entry| {
            let moment = Moment::of_state(entry.state?)?;
            self.process.due(moment, &entry.change)
        });
        self.process.pass("append", due, self.inner.append(office, append)).await
    }

    async fn latest(&self, history: &History) -> Result<Vec<AuditEntry>, BackendError> {
        self.inner.latest(history).await
    }

    async fn entries(
        &self,
        history: &History,
        filter: &EntryFilter,
    ) -> Result<Vec<AuditEntry>, BackendError> {
        self.inner.entries(history, filter).await
    }
}

/// A lock, as the process reaches it.
#[derive(Debug)]
pub(super) struct FaultyLock {
    pub(super) process: Arc<Process>,
    pub(super) inner: Arc<dyn LockStore>,
}

impl FaultyLock {
    /// A dead process neither extends its lease nor gives it back.
    fn alive(&self, operation: &'static str) -> Result<&dyn LockStore, BackendError> {
        if self.process.is_dead() { Err(lost(operation)) } else { Ok(self.inner.as_ref()) }
    }
}

#[async_trait]
impl LockStore for FaultyLock {
    async fn initialize(&self) -> Result<(), BackendError> {
        self.inner.initialize().await
    }

    async fn try_acquire(&self, request: &LockRequest) -> Result<Acquisition, BackendError> {
        let acquisition = self.inner.try_acquire(request).await?;
        if let Acquisition::Acquired(lease) = &acquisition {
            self.process.holds(&self.inner, lease);
        }
        Ok(acquisition)
    }

    async fn extend(&self, lease: &Lease) -> Result<(), BackendError> {
        self.alive("extend the lease")?.extend(lease).await
    }

    async fn release(&self, lease: &Lease) -> Result<(), BackendError> {
        self.alive("release the lock")?.release(lease).await
    }

    async fn inspect(&self, history: &History) -> Result<Option<Holder>, BackendError> {
        self.inner.inspect(history).await
    }

    async fn break_lock(&self, history: &History) -> Result<Option<Holder>, BackendError> {
        self.inner.break_lock(history).await
    }

    async fn dedicated(&self) -> Result<Arc<dyn LockStore>, BackendError> {
        let inner = self.alive("open a connection for the lease")?.dedicated().await?;
        Ok(Arc::new(Self { process: Arc::clone(&self.process), inner }))
    }
}
