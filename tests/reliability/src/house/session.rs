use std::any::{Any, TypeId};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use flamingock_core::BackendError;
use flamingock_core::target::{Begun, Fence, MarkerUpdate, Session};

use super::wire::lost;
use super::{Op, Wire, guard};

/// A session, as one process holds it.
pub(super) struct FaultySession<W: Wire> {
    wire: Arc<W>,
    number: u64,
    inner: Option<Box<dyn Session>>,
}

impl<W: Wire> FaultySession<W> {
    pub(super) fn new(wire: &Arc<W>, number: u64, inner: Box<dyn Session>) -> Self {
        Self { wire: Arc::clone(wire), number, inner: Some(inner) }
    }

    async fn end(self, op: Op) -> Result<(), BackendError> {
        let wire = Arc::clone(&self.wire);
        // A request that is never sent leaves the session in here, and it is dropped like any other.
        let session = Mutex::new(Some(self));
        let perform = move || {
            let session = guard(&session).take();
            let perform = async move {
                // The same request twice finds the session gone.
                let inner = session.ok_or_else(lost)?.take().ok_or_else(lost)?;
                match op {
                    Op::Commit => inner.commit().await,
                    Op::Rollback => inner.rollback().await,
                    _ => inner.abort().await,
                }
            };
            Box::pin(perform) as _
        };
        wire.effect(op, "", Box::new(perform)).await
    }

    fn take(mut self) -> Option<Box<dyn Session>> {
        self.wire.house().session_gone(self.number);
        self.inner.take()
    }
}

impl<W: Wire> Drop for FaultySession<W> {
    fn drop(&mut self) {
        let Some(inner) = self.inner.take() else { return };
        self.wire.house().session_gone(self.number);
        self.wire.leaves(inner);
    }
}

#[async_trait]
impl<W: Wire> Session for FaultySession<W> {
    fn handle(&mut self, type_id: TypeId) -> Option<&mut (dyn Any + Send)> {
        self.inner.as_mut().and_then(|inner| inner.handle(type_id))
    }

    async fn begin_marker(&mut self, fence: &Fence, update: &MarkerUpdate) -> Result<Begun, BackendError> {
        let inner = self.inner.as_mut().ok_or_else(lost)?;
        let what = format!("{} {}", update.change, update.state);
        let house = self.wire.house();
        self.wire.now(Op::BeginMarker, &what, house.begin_marker(inner.as_mut(), fence, update)).await
    }

    async fn finish_marker(&mut self, update: &MarkerUpdate) -> Result<(), BackendError> {
        let inner = self.inner.as_mut().ok_or_else(lost)?;
        self.wire.now(Op::FinishMarker, &update.change, inner.finish_marker(update)).await
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
