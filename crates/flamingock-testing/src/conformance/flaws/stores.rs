use std::sync::Arc;

use async_trait::async_trait;
use flamingock_core::audit::{
    Append, AuditEntry, AuditStore, EntryFilter, Execution, Head, HeadChange, Office,
};
use flamingock_core::lock::{Acquisition, FencingToken, Holder, Lease, LockRequest, LockStore};
use flamingock_core::memory::MemoryStore;
use flamingock_core::{BackendError, History};

use crate::conformance::{BoxError, StoreFixture, StoreHandle, StorePlace};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StoreFlaw {
    TokenIgnored,
    ExecutionIgnored,
    AppendInTwo,
    HeadBehind,
    DigestsStay,
    LatestByTime,
    HistoriesFolded,
    EachIsGiven,
    ExtendIsNeverLost,
    ReleaseOfAny,
    BreakKeepsOffice,
}

/// Stores with a flaw, or none.
#[derive(Debug)]
pub(super) struct Stores(pub(super) Option<StoreFlaw>);

#[async_trait]
impl StoreFixture for Stores {
    fn name(&self) -> String {
        "flawed".to_owned()
    }

    async fn fresh(&self) -> Result<Arc<dyn StorePlace>, BoxError> {
        Ok(Arc::new(Flawed { store: MemoryStore::new(), flaw: self.0 }))
    }
}

/// A store whose server is not there.
#[derive(Debug)]
pub(super) struct Absent;

#[async_trait]
impl StoreFixture for Absent {
    fn name(&self) -> String {
        "absent".to_owned()
    }

    fn available(&self) -> Result<(), String> {
        Err("nothing listens".to_owned())
    }

    async fn fresh(&self) -> Result<Arc<dyn StorePlace>, BoxError> {
        Err("asked for although it is not there".into())
    }
}

#[derive(Debug, Clone)]
struct Flawed {
    store: MemoryStore,
    flaw: Option<StoreFlaw>,
}

#[async_trait]
impl StorePlace for Flawed {
    async fn open(&self) -> Result<StoreHandle, BoxError> {
        Ok(StoreHandle::both(self.clone()))
    }
}

impl Flawed {
    fn has(&self, flaw: StoreFlaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn history(&self, history: &History) -> History {
        if self.has(StoreFlaw::HistoriesFolded) {
            History::new(history.service.trim_end().to_lowercase()).tenant(history.tenant.clone())
        } else {
            history.clone()
        }
    }
}

#[async_trait]
impl AuditStore for Flawed {
    fn kind(&self) -> &str {
        "flawed"
    }

    fn address(&self) -> String {
        "memory".to_owned()
    }

    async fn initialize(&self) -> Result<(), BackendError> {
        AuditStore::initialize(&self.store).await
    }

    async fn head(&self, history: &History) -> Result<Option<Head>, BackendError> {
        let head = self.store.head(&self.history(history)).await?;
        Ok(head.map(|mut head| {
            if self.has(StoreFlaw::HeadBehind) {
                head.sequence = head.sequence.saturating_sub(1);
            }
            head
        }))
    }

    async fn histories(&self) -> Result<Vec<History>, BackendError> {
        self.store.histories().await
    }

    async fn take_office(
        &self,
        history: &History,
        lease: FencingToken,
        execution: &Execution,
    ) -> Result<Office, BackendError> {
        self.store.take_office(&self.history(history), lease, execution).await
    }

    async fn append(&self, office: &Office, append: &Append<'_>) -> Result<(), BackendError> {
        let mut office = office.clone();
        let before = self.store.head(&office.history).await?;
        if let Some(head) = &before {
            if self.has(StoreFlaw::TokenIgnored) {
                office.token = head.token;
            }
            if self.has(StoreFlaw::TokenIgnored) || self.has(StoreFlaw::ExecutionIgnored) {
                office.execution.id.clone_from(&head.execution);
            }
        }
        let mut append = Append { head: append.head.clone(), ..*append };
        if self.has(StoreFlaw::DigestsStay) && append.head.digests.is_empty() {
            append.head.digests = before.map(|head| head.digests).unwrap_or_default();
        }
        if let (true, [first, rest @ ..]) = (self.has(StoreFlaw::AppendInTwo), append.entries) {
            let head = HeadChange { sequence: first.sequence, hash: first.hash, ..append.head.clone() };
            let half = Append { expected: append.expected, entries: std::slice::from_ref(first), head };
            self.store.append(&office, &half).await?;
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            append = Append { expected: first.sequence, entries: rest, head: append.head };
        }
        self.store.append(&office, &append).await
    }

    async fn latest(&self, history: &History) -> Result<Vec<AuditEntry>, BackendError> {
        if !self.has(StoreFlaw::LatestByTime) {
            return self.store.latest(&self.history(history)).await;
        }
        let entries = self.store.entries(history, &EntryFilter::default()).await?;
        Ok(entries.into_iter().max_by_key(|entry| entry.recorded_at).into_iter().collect())
    }

    async fn entries(
        &self,
        history: &History,
        filter: &EntryFilter,
    ) -> Result<Vec<AuditEntry>, BackendError> {
        self.store.entries(&self.history(history), filter).await
    }
}

#[async_trait]
impl LockStore for Flawed {
    async fn initialize(&self) -> Result<(), BackendError> {
        LockStore::initialize(&self.store).await
    }

    async fn try_acquire(&self, request: &LockRequest) -> Result<Acquisition, BackendError> {
        match self.store.try_acquire(request).await? {
            Acquisition::Held(holder) if self.has(StoreFlaw::EachIsGiven) => {
                Ok(Acquisition::Acquired(Lease { request: request.clone(), token: holder.token }))
            }
            acquisition => Ok(acquisition),
        }
    }

    async fn extend(&self, lease: &Lease) -> Result<(), BackendError> {
        let extended = self.store.extend(lease).await;
        if self.has(StoreFlaw::ExtendIsNeverLost) { Ok(()) } else { extended }
    }

    async fn release(&self, lease: &Lease) -> Result<(), BackendError> {
        if self.has(StoreFlaw::ReleaseOfAny) {
            return self.store.break_lock(&lease.request.history).await.map(drop);
        }
        self.store.release(lease).await
    }

    async fn inspect(&self, history: &History) -> Result<Option<Holder>, BackendError> {
        self.store.inspect(history).await
    }

    async fn break_lock(&self, history: &History) -> Result<Option<Holder>, BackendError> {
        if !self.has(StoreFlaw::BreakKeepsOffice) {
            return self.store.break_lock(history).await;
        }
        let holder = self.store.inspect(history).await?;
        if let Some(holder) = &holder {
            let request = LockRequest {
                history: history.clone(),
                owner: holder.owner.clone(),
                execution: holder.execution.clone(),
                lease: std::time::Duration::ZERO,
            };
            self.store.release(&Lease { request, token: holder.token }).await?;
        }
        Ok(holder)
    }

    async fn dedicated(&self) -> Result<Arc<dyn LockStore>, BackendError> {
        Ok(Arc::new(self.clone()))
    }
}
