use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use flamingock_core::change::Resources;
use flamingock_core::memory::MemoryTarget;
use flamingock_core::target::{
    Fence, FenceRaised, Marker, Markers, Mode, Session, SessionType, Survey, TargetSystem,
};
use flamingock_core::{BackendError, History};

use super::fault::Op;
use super::process::Process;
use super::session::FaultySession;

/// A target system, as one process reaches it.
pub(super) struct FaultyTarget {
    process: Arc<Process>,
    inner: Inner,
}

enum Inner {
    Db(MemoryTarget),
    Plain(Box<dyn TargetSystem>),
}

impl FaultyTarget {
    /// The transactional one.
    pub(super) fn db(process: &Arc<Process>) -> Self {
        let inner = Inner::Db(process.world.db.clone());
        Self { process: Arc::clone(process), inner }
    }

    /// The one without transactions.
    pub(super) fn flags(process: &Arc<Process>) -> Self {
        let inner = Inner::Plain(Box::new(process.world.flags.target("flags")));
        Self { process: Arc::clone(process), inner }
    }

    fn inner(&self) -> &dyn TargetSystem {
        match &self.inner {
            Inner::Db(db) => db,
            Inner::Plain(plain) => plain.as_ref(),
        }
    }

    fn database(&self) -> MemoryTarget {
        self.process.world.db.clone()
    }
}

impl fmt::Debug for FaultyTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyTarget").field("id", &self.inner().id()).finish_non_exhaustive()
    }
}

#[async_trait]
impl TargetSystem for FaultyTarget {
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
        self.process.now(Op::Check, self.id(), self.inner().check()).await
    }

    async fn open(&self, mode: Mode) -> Result<Box<dyn Session>, BackendError> {
        let open = async {
            let session = self.inner().open(mode).await?;
            self.process.world.session_opened();
            Ok(FaultySession::new(&self.process, session))
        };
        let session = self.process.now(Op::Open, self.id(), open).await?;
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
impl Markers for FaultyTarget {
    async fn raise_fence(&self, fence: &Fence) -> Result<FenceRaised, BackendError> {
        let (db, fence) = (self.database(), fence.clone());
        let what = format!("to {}", fence.token);
        self.process
            .effect(Op::RaiseFence, &what, Box::pin(async move { db.raise_fence(&fence).await }))
            .await
    }

    async fn marker(&self, history: &History, change: &str) -> Result<Option<Marker>, BackendError> {
        let db = self.database();
        self.process.now(Op::Look, change, db.marker(history, change)).await
    }

    async fn survey(&self, history: &History, ids: &[&str]) -> Result<Survey, BackendError> {
        let db = self.database();
        self.process.now(Op::Survey, "", db.survey(history, ids)).await
    }

    async fn end_session(&self, session: &str) -> Result<(), BackendError> {
        let (db, session) = (self.database(), session.to_owned());
        let what = session.clone();
        let perform = async move { db.end_session(&session).await };
        self.process.effect(Op::EndSession, &what, Box::pin(perform)).await
    }
}
