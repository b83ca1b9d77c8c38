use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use flamingock_core::change::Resources;
use flamingock_core::memory::MemoryTarget;
use flamingock_core::target::{
    Fence, FenceRaised, Marker, Markers, Mode, Session, SessionType, Survey, TargetSystem,
};
use flamingock_core::{BackendError, History};

use super::session::FaultySession;
use super::{House, Op, Wire};

/// A target system, as one process reaches it.
pub(super) struct FaultyTarget<W> {
    wire: Arc<W>,
    inner: Inner,
}

enum Inner {
    Db(MemoryTarget),
    Plain(Box<dyn TargetSystem>),
}

impl<W: Wire> FaultyTarget<W> {
    /// The transactional one.
    pub(super) fn db(wire: &Arc<W>) -> Self {
        let inner = Inner::Db(wire.house().db.clone());
        Self { wire: Arc::clone(wire), inner }
    }

    /// The one without transactions.
    pub(super) fn flags(wire: &Arc<W>) -> Self {
        let inner = Inner::Plain(Box::new(wire.house().flags.target("flags")));
        Self { wire: Arc::clone(wire), inner }
    }

    fn inner(&self) -> &dyn TargetSystem {
        match &self.inner {
            Inner::Db(db) => db,
            Inner::Plain(plain) => plain.as_ref(),
        }
    }

    fn house(&self) -> Arc<House> {
        Arc::clone(self.wire.house())
    }
}

impl<W: Wire> fmt::Debug for FaultyTarget<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyTarget").field("id", &self.inner().id()).finish_non_exhaustive()
    }
}

#[async_trait]
impl<W: Wire> TargetSystem for FaultyTarget<W> {
    fn id(&self) -> &str {
        self.inner().id()
    }

    fn kind(&self) -> &str {
        self.inner().kind()
    }

    fn address(&self) -> String {
        self.inner().address()
    }

    fn resources(&self, mode: Mode) -> &Resources {
        self.inner().resources(mode)
    }

    fn session_types(&self, mode: Mode) -> Option<Vec<SessionType>> {
        self.inner().session_types(mode)
    }

    async fn check(&self) -> Result<(), BackendError> {
        self.wire.now(Op::Check, self.id(), self.inner().check()).await
    }

    async fn open(&self, mode: Mode) -> Result<Box<dyn Session>, BackendError> {
        let open = async {
            let session = self.inner().open(mode).await?;
            let number = self.wire.house().session_opened(self.wire.name());
            Ok(FaultySession::new(&self.wire, number, session))
        };
        let session = self.wire.now(Op::Open, self.id(), open).await?;
        Ok(Box::new(session))
    }

    fn markers(&self) -> Option<&dyn Markers> {
        match &self.inner {
            Inner::Db(_) => Some(self),
            Inner::Plain(_) => None,
        }
    }
}

#[async_trait]
impl<W: Wire> Markers for FaultyTarget<W> {
    async fn raise_fence(&self, fence: &Fence) -> Result<FenceRaised, BackendError> {
        let (house, what, fence) = (self.house(), format!("to {}", fence.token), fence.clone());
        let perform = move || {
            let (house, fence) = (Arc::clone(&house), fence.clone());
            Box::pin(async move { house.raise_fence(&fence).await }) as _
        };
        self.wire.effect(Op::RaiseFence, &what, Box::new(perform)).await
    }

    async fn marker(&self, history: &History, change: &str) -> Result<Option<Marker>, BackendError> {
        let house = self.house();
        self.wire.now(Op::Look, change, house.marker(history, change)).await
    }

    async fn survey(&self, history: &History, ids: &[&str]) -> Result<Survey, BackendError> {
        let house = self.house();
        self.wire.now(Op::Survey, "", house.db.survey(history, ids)).await
    }

    async fn end_session(&self, session: &str) -> Result<(), BackendError> {
        let (house, what, session) = (self.house(), session, session.to_owned());
        let perform = move || {
            let (house, session) = (Arc::clone(&house), session.clone());
            Box::pin(async move { house.db.end_session(&session).await }) as _
        };
        self.wire.effect(Op::EndSession, what, Box::new(perform)).await
    }
}
