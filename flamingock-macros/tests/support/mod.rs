//! Runs a method of a change as the runner does.

use std::any::{Any, TypeId};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use flamingock::BackendError;
use flamingock::change::{Body, Invocation, Method, MethodError, Resources};
use flamingock::target::{Begun, Fence, MarkerUpdate, Session};

/// Runs a method that never waits.
pub(crate) fn run<'a, T>(
    method: &'a Method<T>,
    session: Option<&'a mut dyn Session>,
    resources: &'a Resources,
) -> Result<T, MethodError> {
    let invocation = Invocation { session, resources: [resources; 3] };
    match &method.body {
        Body::Blocking(body) => body(invocation),
        Body::Async(body) => match pin!(body(invocation)).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => result,
            Poll::Pending => unreachable!("the method waits"),
        },
    }
}

/// A session with one handle.
pub(crate) struct OneHandle<T>(pub(crate) T);

#[async_trait::async_trait]
impl<T: Any + Send> Session for OneHandle<T> {
    fn handle(&mut self, type_id: TypeId) -> Option<&mut (dyn Any + Send)> {
        (type_id == TypeId::of::<T>()).then_some(&mut self.0)
    }

    async fn begin_marker(&mut self, _: &Fence, _: &MarkerUpdate) -> Result<Begun, BackendError> {
        unreachable!("the methods of a change write no markers")
    }

    async fn finish_marker(&mut self, _: &MarkerUpdate) -> Result<(), BackendError> {
        unreachable!("the methods of a change write no markers")
    }

    async fn commit(self: Box<Self>) -> Result<(), BackendError> {
        Ok(())
    }

    async fn rollback(self: Box<Self>) -> Result<(), BackendError> {
        Ok(())
    }

    async fn abort(self: Box<Self>) -> Result<(), BackendError> {
        Ok(())
    }
}
