use std::sync::Arc;

use async_trait::async_trait;
use flamingock_core::audit::{
    Append, AuditEntry, AuditStore, EntryFilter, Execution, Head, HeadChange, Office,
};
use flamingock_core::lock::{Acquisition, FencingToken, Holder, Lease, LockRequest, LockStore};
use flamingock_core::{BackendError, History};
use futures_util::future::BoxFuture;

use super::wire::{Answer, lost};
use super::{Flaw, House, Op, Wire};

/// Audit store and lock, as one process reaches them.
#[derive(Debug)]
pub(super) struct FaultyStore<W> {
    wire: Arc<W>,
}

impl<W: Wire> FaultyStore<W> {
    pub(super) fn new(wire: &Arc<W>) -> Self {
        Self { wire: Arc::clone(wire) }
    }

    /// An effect on the servers.
    async fn effect<T: Send + 'static>(
        &self,
        op: Op,
        what: &str,
        perform: impl Fn(Arc<House>) -> BoxFuture<'static, Answer<T>> + Send + Sync + 'static,
    ) -> Answer<T> {
        let house = Arc::clone(self.wire.house());
        self.wire.effect(op, what, Box::new(move || perform(Arc::clone(&house)))).await
    }

    fn has_no_lease(&self) -> bool {
        self.wire.house().flaw.is_some_and(Flaw::has_no_lease)
    }

    /// The clock that the lock is judged by may run faster or slower than this machine's.
    fn by_its_clock(&self, request: &LockRequest) -> LockRequest {
        let factor = if self.has_no_lease() { 0.05 } else { self.wire.lease_factor() };
        let lease = request.lease.mul_f64(factor);
        LockRequest { lease, ..request.clone() }
    }
}

#[async_trait]
impl<W: Wire> AuditStore for FaultyStore<W> {
    fn kind(&self) -> &str {
        "faulty"
    }

    fn address(&self) -> String {
        "faulty".to_owned()
    }

    async fn initialize(&self) -> Result<(), BackendError> {
        let perform =
            |house: Arc<House>| Box::pin(async move { AuditStore::initialize(&house.audit).await }) as _;
        self.effect(Op::Initialize, "", perform).await
    }

    async fn head(&self, history: &History) -> Result<Option<Head>, BackendError> {
        self.wire.now(Op::Head, "", self.wire.house().audit.head(history)).await
    }

    async fn take_office(
        &self,
        history: &History,
        lease: FencingToken,
        execution: &Execution,
    ) -> Result<Office, BackendError> {
        let (process, history, execution) = (self.wire.name(), history.clone(), execution.clone());
        let perform = move |house: Arc<House>| {
            let (history, execution) = (history.clone(), execution.clone());
            Box::pin(async move { house.take_office(process, &history, lease, &execution).await }) as _
        };
        self.effect(Op::TakeOffice, "", perform).await
    }

    async fn append(&self, office: &Office, append: &Append<'_>) -> Result<(), BackendError> {
        let what = append.entries.iter().map(line).collect::<Vec<_>>().join(", ");
        let sent: Arc<(Office, Vec<AuditEntry>, HeadChange)> =
            Arc::new((office.clone(), append.entries.to_vec(), append.head.clone()));
        let expected = append.expected;
        let perform = move |house: Arc<House>| {
            let sent = Arc::clone(&sent);
            Box::pin(async move { house.append(&sent.0, expected, &sent.1, &sent.2).await }) as _
        };
        let answer = self.effect(Op::Append, &what, perform).await;
        if answer.is_ok() {
            self.wire.house().acknowledge(append.entries);
        }
        answer
    }

    async fn latest(&self, history: &History) -> Result<Vec<AuditEntry>, BackendError> {
        let house = self.wire.house();
        let look = async {
            let entries = house.latest(history).await?;
            house.looked(house.audit.head(history).await?.map_or(0, |head| head.sequence));
            Ok(entries)
        };
        self.wire.now(Op::Latest, "", look).await
    }

    async fn entries(
        &self,
        history: &History,
        filter: &EntryFilter,
    ) -> Result<Vec<AuditEntry>, BackendError> {
        self.wire.house().audit.entries(history, filter).await
    }

    async fn histories(&self) -> Result<Vec<History>, BackendError> {
        self.wire.house().audit.histories().await
    }
}

#[async_trait]
impl<W: Wire> LockStore for FaultyStore<W> {
    async fn initialize(&self) -> Result<(), BackendError> {
        LockStore::initialize(&self.wire.house().lock()).await
    }

    async fn try_acquire(&self, request: &LockRequest) -> Result<Acquisition, BackendError> {
        let asked = self.by_its_clock(request);
        let perform = move |house: Arc<House>| {
            let asked = asked.clone();
            Box::pin(async move { house.lock().try_acquire(&asked).await }) as _
        };
        let answer = self.effect(Op::TryAcquire, "", perform).await?;
        Ok(match answer {
            Acquisition::Acquired(lease) => {
                Acquisition::Acquired(Lease { request: request.clone(), token: lease.token })
            }
            held @ Acquisition::Held(_) => held,
        })
    }

    async fn extend(&self, lease: &Lease) -> Result<(), BackendError> {
        if self.has_no_lease() {
            return Err(lost());
        }
        let lease = Lease { request: self.by_its_clock(&lease.request), token: lease.token };
        let perform = move |house: Arc<House>| {
            let lease = lease.clone();
            Box::pin(async move { house.lock().extend(&lease).await }) as _
        };
        self.effect(Op::Extend, "", perform).await
    }

    async fn release(&self, lease: &Lease) -> Result<(), BackendError> {
        let lease = lease.clone();
        let perform = move |house: Arc<House>| {
            let lease = lease.clone();
            Box::pin(async move { house.lock().release(&lease).await }) as _
        };
        self.effect(Op::Release, "", perform).await
    }

    async fn inspect(&self, history: &History) -> Result<Option<Holder>, BackendError> {
        self.wire.house().lock().inspect(history).await
    }

    async fn break_lock(&self, history: &History) -> Result<Option<Holder>, BackendError> {
        self.wire.house().lock().break_lock(history).await
    }

    async fn dedicated(&self) -> Result<Arc<dyn LockStore>, BackendError> {
        Ok(Arc::new(Self::new(&self.wire)))
    }
}

fn line(entry: &AuditEntry) -> String {
    let state = entry.state.map_or("-", |state| state.as_str());
    format!("{} {state} ({})", entry.change, entry.operation)
}
