use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use flamingock_core::audit::{Append, AuditEntry, AuditStore, EntryFilter, Execution, Head, Office};
use flamingock_core::lock::{Acquisition, FencingToken, Holder, Lease, LockRequest, LockStore};
use flamingock_core::memory::MemoryStore;
use flamingock_core::{BackendError, History};

use super::fault::Op;
use super::process::{Process, lost};

/// Audit store and lock, as one process reaches them.
#[derive(Clone)]
pub(super) struct FaultyStore {
    process: Arc<Process>,
    audit: MemoryStore,
    lock: MemoryStore,
}

impl FaultyStore {
    pub(super) fn new(process: &Arc<Process>) -> Self {
        let world = &process.world;
        Self { audit: world.audit.clone(), lock: world.lock(), process: Arc::clone(process) }
    }
}

impl fmt::Debug for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyStore").field("process", &self.process.name).finish_non_exhaustive()
    }
}

#[async_trait]
impl AuditStore for FaultyStore {
    fn kind(&self) -> &str {
        "faulty"
    }

    fn address(&self) -> String {
        "faulty".to_owned()
    }

    async fn initialize(&self) -> Result<(), BackendError> {
        let audit = self.audit.clone();
        let perform = async move { AuditStore::initialize(&audit).await };
        self.process.effect(Op::Initialize, "", Box::pin(perform)).await
    }

    async fn head(&self, history: &History) -> Result<Option<Head>, BackendError> {
        self.process.now(Op::Head, "", self.audit.head(history)).await
    }

    async fn take_office(
        &self,
        history: &History,
        lease: FencingToken,
        execution: &Execution,
    ) -> Result<Office, BackendError> {
        let (audit, history, execution) = (self.audit.clone(), history.clone(), execution.clone());
        let perform = async move { audit.take_office(&history, lease, &execution).await };
        self.process.effect(Op::TakeOffice, "", Box::pin(perform)).await
    }

    async fn append(&self, office: &Office, append: &Append<'_>) -> Result<(), BackendError> {
        let what = append.entries.iter().map(line).collect::<Vec<_>>().join(", ");
        let (audit, office) = (self.audit.clone(), office.clone());
        let (expected, entries, head) = (append.expected, append.entries.to_vec(), append.head.clone());
        let perform =
            async move { audit.append(&office, &Append { expected, entries: &entries, head }).await };
        let answer = self.process.effect(Op::Append, &what, Box::pin(perform)).await;
        if answer.is_ok() {
            self.process.world.acknowledge(append.entries);
        }
        answer
    }

    async fn latest(&self, history: &History) -> Result<Vec<AuditEntry>, BackendError> {
        self.process.now(Op::Latest, "", self.audit.latest(history)).await
    }

    async fn entries(
        &self,
        history: &History,
        filter: &EntryFilter,
    ) -> Result<Vec<AuditEntry>, BackendError> {
        self.audit.entries(history, filter).await
    }

    async fn histories(&self) -> Result<Vec<History>, BackendError> {
        self.audit.histories().await
    }
}

#[async_trait]
impl LockStore for FaultyStore {
    async fn initialize(&self) -> Result<(), BackendError> {
        LockStore::initialize(&self.lock).await
    }

    async fn try_acquire(&self, request: &LockRequest) -> Result<Acquisition, BackendError> {
        let (lock, request) = (self.lock.clone(), request.clone());
        let perform = async move { lock.try_acquire(&request).await };
        self.process.effect(Op::TryAcquire, "", Box::pin(perform)).await
    }

    async fn extend(&self, lease: &Lease) -> Result<(), BackendError> {
        let (lock, lease) = (self.lock.clone(), lease.clone());
        self.process.effect(Op::Extend, "", Box::pin(async move { lock.extend(&lease).await })).await
    }

    async fn release(&self, lease: &Lease) -> Result<(), BackendError> {
        let (lock, lease) = (self.lock.clone(), lease.clone());
        self.process.effect(Op::Release, "", Box::pin(async move { lock.release(&lease).await })).await
    }

    async fn inspect(&self, history: &History) -> Result<Option<Holder>, BackendError> {
        self.lock.inspect(history).await
    }

    async fn break_lock(&self, history: &History) -> Result<Option<Holder>, BackendError> {
        self.lock.break_lock(history).await
    }

    async fn dedicated(&self) -> Result<Arc<dyn LockStore>, BackendError> {
        // A dropped run gives the lock back through its heartbeat; a dead process gives nothing back.
        if self.process.is_dead() { Err(lost()) } else { Ok(Arc::new(self.lock.clone())) }
    }
}

fn line(entry: &AuditEntry) -> String {
    let state = entry.state.map_or("-", |state| state.as_str());
    format!("{} {state} ({})", entry.change, entry.operation)
}
