use std::any::{Any, TypeId};
use std::sync::Arc;

use async_trait::async_trait;
use flamingock_core::BackendError;
use flamingock_core::target::{Begun, Fence, MarkerUpdate, Session};

use super::moment::Moment;
use super::plan::Effect;
use super::process::Process;

/// A session, as the process reaches it.
pub(super) struct FaultySession {
    pub(super) process: Arc<Process>,
    pub(super) inner: Box<dyn Session>,
    /// Empty until the marker names it: a session without a transaction is of no change.
    pub(super) change: String,
}

impl FaultySession {
    fn due(&self, moment: Moment) -> Option<Effect> {
        self.process.due(moment, &self.change)
    }
}

#[async_trait]
impl Session for FaultySession {
    fn handle(&mut self, type_id: TypeId) -> Option<&mut (dyn Any + Send)> {
        self.inner.handle(type_id)
    }

    async fn begin_marker(&mut self, fence: &Fence, update: &MarkerUpdate) -> Result<Begun, BackendError> {
        self.change.clone_from(&update.change);
        let due = self.due(Moment::Marker);
        self.process.pass("begin marker", due, self.inner.begin_marker(fence, update)).await
    }

    async fn finish_marker(&mut self, update: &MarkerUpdate) -> Result<(), BackendError> {
        let due = self.due(Moment::Finish);
        self.process.pass("finish marker", due, self.inner.finish_marker(update)).await
    }

    async fn commit(self: Box<Self>) -> Result<(), BackendError> {
        let due = self.due(Moment::Commit);
        self.process.pass("commit", due, self.inner.commit()).await
    }

    async fn rollback(self: Box<Self>) -> Result<(), BackendError> {
        let due = self.due(Moment::TransactionRollback);
        self.process.pass("roll back", due, self.inner.rollback()).await
    }

    async fn abort(self: Box<Self>) -> Result<(), BackendError> {
        self.inner.abort().await
    }
}
