use std::any::{Any, TypeId};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use flamingock_core::change::Resources;
use flamingock_core::memory::{MemoryTarget, MemoryTransaction};
use flamingock_core::target::{
    Begun, Fence, FenceRaised, Marker, MarkerUpdate, Markers, Mode, Session, SessionType, Survey,
    TargetSystem,
};
use flamingock_core::{BackendError, History};

use crate::conformance::{BoxError, End, TargetCapabilities, TargetFixture, TargetPlace, handle};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TargetFlaw {
    LookDoesNotWait,
    RaiseDoesNotWait,
    FenceIgnored,
    DoneOverwritten,
    FinishNeverFails,
    AbortCommits,
}

const LOCK_TIMEOUT: Duration = Duration::from_millis(1500);

/// Targets with a flaw, or none.
#[derive(Debug)]
pub(super) struct Targets(pub(super) Option<TargetFlaw>);

#[async_trait]
impl TargetFixture for Targets {
    fn name(&self) -> String {
        "flawed".to_owned()
    }

    fn capabilities(&self) -> TargetCapabilities {
        TargetCapabilities::new([Mode::Transactional, Mode::Plain])
            .lock_timeout(LOCK_TIMEOUT)
            .names_sessions()
            .ends([End::Rollback])
    }

    async fn fresh(&self) -> Result<Arc<dyn TargetPlace>, BoxError> {
        let target = MemoryTarget::new("orders-db").lock_timeout(LOCK_TIMEOUT);
        Ok(Arc::new(Flawed { target, flaw: self.0 }))
    }
}

#[derive(Debug, Clone)]
struct Flawed {
    target: MemoryTarget,
    flaw: Option<TargetFlaw>,
}

#[async_trait]
impl TargetPlace for Flawed {
    async fn open(&self) -> Result<Arc<dyn TargetSystem>, BoxError> {
        Ok(Arc::new(self.clone()))
    }

    async fn put(
        &self,
        _target: &dyn TargetSystem,
        session: &mut dyn Session,
        _mode: Mode,
        name: &str,
    ) -> Result<(), BoxError> {
        Ok(handle::<MemoryTransaction>(session)?.put(name, "done")?)
    }

    async fn has(&self, name: &str) -> Result<bool, BoxError> {
        Ok(self.target.get(name).is_some())
    }

    async fn end(&self, session: &mut dyn Session, _end: End) -> Result<(), BoxError> {
        Ok(handle::<MemoryTransaction>(session)?.implicit_rollback()?)
    }
}

#[async_trait]
impl TargetSystem for Flawed {
    fn id(&self) -> &str {
        self.target.id()
    }

    fn kind(&self) -> &str {
        self.target.kind()
    }

    fn address(&self) -> String {
        self.target.address()
    }

    fn resources(&self, mode: Mode) -> &Resources {
        self.target.resources(mode)
    }

    fn session_types(&self, mode: Mode) -> Option<Vec<SessionType>> {
        self.target.session_types(mode)
    }

    async fn check(&self) -> Result<(), BackendError> {
        self.target.check().await
    }

    async fn open(&self, mode: Mode) -> Result<Box<dyn Session>, BackendError> {
        Ok(Box::new(FlawedSession { session: self.target.open(mode).await?, flaw: self.flaw }))
    }

    fn markers(&self) -> Option<&dyn Markers> {
        Some(self)
    }
}

/// Long enough for what does not wait.
const NO_WAIT: Duration = Duration::from_millis(50);

#[async_trait]
impl Markers for Flawed {
    async fn raise_fence(&self, fence: &Fence) -> Result<FenceRaised, BackendError> {
        match tokio::time::timeout(NO_WAIT, self.target.raise_fence(fence)).await {
            Ok(raised) => raised,
            Err(_) if self.flaw == Some(TargetFlaw::RaiseDoesNotWait) => Ok(FenceRaised::Raised),
            Err(_) => self.target.raise_fence(fence).await,
        }
    }

    async fn marker(&self, history: &History, change: &str) -> Result<Option<Marker>, BackendError> {
        match tokio::time::timeout(NO_WAIT, self.target.marker(history, change)).await {
            Ok(marker) => marker,
            Err(_) if self.flaw == Some(TargetFlaw::LookDoesNotWait) => Ok(None),
            Err(_) => self.target.marker(history, change).await,
        }
    }

    async fn survey(&self, history: &History, ids: &[&str]) -> Result<Survey, BackendError> {
        self.target.survey(history, ids).await
    }

    async fn end_session(&self, session: &str) -> Result<(), BackendError> {
        self.target.end_session(session).await
    }
}

struct FlawedSession {
    session: Box<dyn Session>,
    flaw: Option<TargetFlaw>,
}

#[async_trait]
impl Session for FlawedSession {
    fn handle(&mut self, type_id: TypeId) -> Option<&mut (dyn Any + Send)> {
        self.session.handle(type_id)
    }

    async fn begin_marker(&mut self, fence: &Fence, update: &MarkerUpdate) -> Result<Begun, BackendError> {
        let mut update = update.clone();
        if self.flaw == Some(TargetFlaw::DoneOverwritten) {
            update.outranks = u64::MAX;
        }
        match self.session.begin_marker(fence, &update).await? {
            Begun::Fenced(_) if self.flaw == Some(TargetFlaw::FenceIgnored) => Ok(Begun::Written),
            begun => Ok(begun),
        }
    }

    async fn finish_marker(&mut self, update: &MarkerUpdate) -> Result<(), BackendError> {
        let finished = self.session.finish_marker(update).await;
        if self.flaw == Some(TargetFlaw::FinishNeverFails) { Ok(()) } else { finished }
    }

    async fn commit(self: Box<Self>) -> Result<(), BackendError> {
        self.session.commit().await
    }

    async fn rollback(self: Box<Self>) -> Result<(), BackendError> {
        self.session.rollback().await
    }

    async fn abort(self: Box<Self>) -> Result<(), BackendError> {
        if self.flaw == Some(TargetFlaw::AbortCommits) {
            return self.session.commit().await;
        }
        self.session.abort().await
    }
}
