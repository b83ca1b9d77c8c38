use std::any::{Any, TypeId};
use std::sync::Arc;

use async_trait::async_trait;
use flamingock_core::BackendError;
use flamingock_core::target::{Begun, Fence, MarkerUpdate, Session};

use super::fault::Op;
use super::process::{Process, lost};

/// A session, as one process holds it.
pub(super) struct FaultySession {
    process: Arc<Process>,
    inner: Option<Box<dyn Session>>,
}

impl FaultySession {
    pub(super) fn new(process: &Arc<Process>, inner: Box<dyn Session>) -> Self {
        Self { process: Arc::clone(process), inner: Some(inner) }
    }

    async fn end(mut self, op: Op) -> Result<(), BackendError> {
        let process = Arc::clone(&self.process);
        // A request that is never sent leaves the session in here, and it is dropped like any other.
        let perform = async move {
            let inner = self.inner.take().ok_or_else(lost)?;
            self.process.world.session_gone();
            match op {
                Op::Commit => inner.commit().await,
                Op::Rollback => inner.rollback().await,
                _ => inner.abort().await,
            }
        };
        process.effect(op, "", Box::pin(perform)).await
    }
}

impl Drop for FaultySession {
    fn drop(&mut self) {
        let Some(inner) = self.inner.take() else { return };
        self.process.world.session_gone();
        match self.process.lingers() {
            0 => drop(inner),
            effects => {
                let what = format!("{}: the server ends a session left open", self.process.name);
                self.process.world.send_late(effects, what, Box::pin(async move { drop(inner) }));
            }
        }
    }
}

#[async_trait]
impl Session for FaultySession {
    fn handle(&mut self, type_id: TypeId) -> Option<&mut (dyn Any + Send)> {
        self.inner.as_mut().and_then(|inner| inner.handle(type_id))
    }

    async fn begin_marker(&mut self, fence: &Fence, update: &MarkerUpdate) -> Result<Begun, BackendError> {
        let inner = self.inner.as_mut().ok_or_else(lost)?;
        let what = format!("{} {}", update.change, update.state);
        self.process.now(Op::BeginMarker, &what, inner.begin_marker(fence, update)).await
    }

    async fn finish_marker(&mut self, update: &MarkerUpdate) -> Result<(), BackendError> {
        let inner = self.inner.as_mut().ok_or_else(lost)?;
        self.process.now(Op::FinishMarker, &update.change, inner.finish_marker(update)).await
    }

    async fn commit(self: Box<Self>) -> Result<(), BackendError> {
        self.end(Op::Commit).await
    }

    async fn rollback(self: Box<Self>) -> Result<(), BackendError> {
        self.end(Op::Rollback).await
    }

    async fn abort(self: Box<Self>) -> Result<(), BackendError> {
        self.end(Op::Abort).await
    }
}
