//! Answers of our choice from a store, a lock or a target.

use std::any::Any;
use std::any::TypeId;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use flamingock_core::audit::{Append, AuditEntry, AuditStore, EntryFilter, Execution, Head, Office};
use flamingock_core::change::Resources;
use flamingock_core::lock::{Acquisition, FencingToken, Holder, Lease, LockRequest, LockStore};
use flamingock_core::target::{
    Begun, Fence, FenceRaised, Marker, MarkerUpdate, Markers, Mode, Session, SessionType, Survey,
    TargetSystem,
};
use flamingock_core::{Around, BackendError, BackendErrorKind, History};
use futures_util::future::BoxFuture;

/// What becomes of a call.
pub(crate) enum Fate {
    Passes,
    /// It takes so long, and then passes.
    Slow(Duration),
    /// It has no effect.
    Fails(BackendErrorKind),
    /// It has its effect, and the answer is that it failed.
    AnswerLost,
    /// Something happens first; then it passes, or fails.
    After(BoxFuture<'static, ()>, Option<BackendErrorKind>),
}

/// Calls pass, unless their next fates are set.
#[derive(Clone, Default)]
pub(crate) struct Faults {
    fates: Arc<Mutex<HashMap<&'static str, VecDeque<Fate>>>>,
    calls: Arc<Mutex<Vec<&'static str>>>,
}

impl Faults {
    pub(crate) fn next(&self, operation: &'static str, fates: impl IntoIterator<Item = Fate>) -> &Self {
        self.fates.lock().expect("not poisoned").entry(operation).or_default().extend(fates);
        self
    }

    /// How often it was called.
    pub(crate) fn calls(&self, operation: &str) -> usize {
        self.calls.lock().expect("not poisoned").iter().filter(|call| **call == operation).count()
    }

    async fn around<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, BackendError>>,
    ) -> Result<T, BackendError> {
        self.calls.lock().expect("not poisoned").push(operation);
        let fate = self.fates.lock().expect("not poisoned").get_mut(operation).and_then(VecDeque::pop_front);
        let failed = |kind| Err(BackendError::new(kind, operation, "as the test wants it"));
        match fate.unwrap_or(Fate::Passes) {
            Fate::Passes => call.await,
            Fate::Slow(time) => {
                tokio::time::sleep(time).await;
                call.await
            }
            Fate::Fails(kind) => failed(kind),
            Fate::AnswerLost => {
                call.await?;
                failed(BackendErrorKind::Unavailable)
            }
            Fate::After(first, kind) => {
                first.await;
                match kind {
                    Some(kind) => failed(kind),
                    None => call.await,
                }
            }
        }
    }

    fn with<T>(&self, inner: T) -> Faulty<T> {
        Faulty { inner, faults: self.clone() }
    }
}

impl Around for Faults {
    fn audit_store(&self, store: Arc<dyn AuditStore>) -> Arc<dyn AuditStore> {
        Arc::new(self.with(store))
    }

    fn lock_store(&self, lock: Arc<dyn LockStore>) -> Arc<dyn LockStore> {
        Arc::new(self.with(lock))
    }

    fn target(&self, target: Arc<dyn TargetSystem>) -> Arc<dyn TargetSystem> {
        Arc::new(self.with(target))
    }
}

struct Faulty<T> {
    inner: T,
    faults: Faults,
}

impl<T: fmt::Debug> fmt::Debug for Faulty<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl AuditStore for Faulty<Arc<dyn AuditStore>> {
    fn kind(&self) -> &str {
        self.inner.kind()
    }

    fn address(&self) -> String {
        self.inner.address()
    }

    async fn initialize(&self) -> Result<(), BackendError> {
        self.faults.around("initialize", self.inner.initialize()).await
    }

    async fn head(&self, history: &History) -> Result<Option<Head>, BackendError> {
        self.faults.around("head", self.inner.head(history)).await
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
        self.faults.around("take office", self.inner.take_office(history, lease, execution)).await
    }

    async fn append(&self, office: &Office, append: &Append<'_>) -> Result<(), BackendError> {
        self.faults.around("append", self.inner.append(office, append)).await
    }

    async fn latest(&self, history: &History) -> Result<Vec<AuditEntry>, BackendError> {
        self.faults.around("latest", self.inner.latest(history)).await
    }

    async fn entries(
        &self,
        history: &History,
        filter: &EntryFilter,
    ) -> Result<Vec<AuditEntry>, BackendError> {
        self.faults.around("entries", self.inner.entries(history, filter)).await
    }
}

#[async_trait]
impl LockStore for Faulty<Arc<dyn LockStore>> {
    async fn initialize(&self) -> Result<(), BackendError> {
        self.inner.initialize().await
    }

    async fn try_acquire(&self, request: &LockRequest) -> Result<Acquisition, BackendError> {
        self.faults.around("try acquire", self.inner.try_acquire(request)).await
    }

    async fn extend(&self, lease: &Lease) -> Result<(), BackendError> {
        self.faults.around("extend", self.inner.extend(lease)).await
    }

    async fn release(&self, lease: &Lease) -> Result<(), BackendError> {
        self.faults.around("release", self.inner.release(lease)).await
    }

    async fn inspect(&self, history: &History) -> Result<Option<Holder>, BackendError> {
        self.faults.around("inspect", self.inner.inspect(history)).await
    }

    async fn break_lock(&self, history: &History) -> Result<Option<Holder>, BackendError> {
        self.faults.around("break lock", self.inner.break_lock(history)).await
    }

    async fn dedicated(&self) -> Result<Arc<dyn LockStore>, BackendError> {
        let lock = self.faults.around("dedicated", self.inner.dedicated()).await?;
        Ok(Arc::new(self.faults.with(lock)))
    }
}

#[async_trait]
impl TargetSystem for Faulty<Arc<dyn TargetSystem>> {
    fn id(&self) -> &str {
        self.inner.id()
    }

    fn kind(&self) -> &str {
        self.inner.kind()
    }

    fn address(&self) -> String {
        self.inner.address()
    }

    fn resources(&self, mode: Mode) -> &Resources {
        self.inner.resources(mode)
    }

    fn session_types(&self, mode: Mode) -> Option<Vec<SessionType>> {
        self.inner.session_types(mode)
    }

    async fn check(&self) -> Result<(), BackendError> {
        self.faults.around("check", self.inner.check()).await
    }

    async fn open(&self, mode: Mode) -> Result<Box<dyn Session>, BackendError> {
        let session = self.faults.around("open", self.inner.open(mode)).await?;
        Ok(Box::new(self.faults.with(session)))
    }

    fn markers(&self) -> Option<&dyn Markers> {
        self.inner.markers().is_some().then_some(self)
    }
}

impl Faulty<Arc<dyn TargetSystem>> {
    fn inner_markers(&self) -> &dyn Markers {
        self.inner.markers().expect("it has some")
    }
}

#[async_trait]
impl Markers for Faulty<Arc<dyn TargetSystem>> {
    async fn raise_fence(&self, fence: &Fence) -> Result<FenceRaised, BackendError> {
        self.faults.around("raise fence", self.inner_markers().raise_fence(fence)).await
    }

    async fn marker(&self, history: &History, change: &str) -> Result<Option<Marker>, BackendError> {
        self.faults.around("marker", self.inner_markers().marker(history, change)).await
    }

    async fn survey(&self, history: &History, ids: &[&str]) -> Result<Survey, BackendError> {
        self.faults.around("survey", self.inner_markers().survey(history, ids)).await
    }

    async fn end_session(&self, session: &str) -> Result<(), BackendError> {
        self.faults.around("end session", self.inner_markers().end_session(session)).await
    }
}

#[async_trait]
impl Session for Faulty<Box<dyn Session>> {
    fn handle(&mut self, type_id: TypeId) -> Option<&mut (dyn Any + Send)> {
        self.inner.handle(type_id)
    }

    async fn begin_marker(&mut self, fence: &Fence, update: &MarkerUpdate) -> Result<Begun, BackendError> {
        self.faults.around("begin marker", self.inner.begin_marker(fence, update)).await
    }

    async fn finish_marker(&mut self, update: &MarkerUpdate) -> Result<(), BackendError> {
        self.faults.around("finish marker", self.inner.finish_marker(update)).await
    }

    async fn commit(self: Box<Self>) -> Result<(), BackendError> {
        self.faults.around("commit", self.inner.commit()).await
    }

    async fn rollback(self: Box<Self>) -> Result<(), BackendError> {
        self.faults.around("rollback", self.inner.rollback()).await
    }

    async fn abort(self: Box<Self>) -> Result<(), BackendError> {
        self.faults.around("abort", self.inner.abort()).await
    }
}
