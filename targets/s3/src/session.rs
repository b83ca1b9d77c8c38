use std::any::{Any, TypeId};

use async_trait::async_trait;
use flamingock_core::BackendError;
use flamingock_core::target::{Begun, Fence, MarkerUpdate, PlainSession, Session};

use crate::error::S3ErrorKind;
use crate::running::Lost;
use crate::s3::S3Changes;

/// A plain session that knows what still runs.
pub(crate) struct S3Session {
    plain: PlainSession,
    s3: S3Changes,
    lost_before: Lost,
}

impl S3Session {
    pub(crate) fn new(s3: S3Changes) -> Self {
        let lost_before = s3.running.lost().clone();
        Self { plain: PlainSession, s3, lost_before }
    }

    /// S3 cannot be told to stop: what was sent ends with its answer.
    async fn settle(&self, operation: &'static str) -> Result<(), BackendError> {
        let running = &self.s3.running;
        running.settle().await;
        if running.lost().is_subset(&self.lost_before) {
            return Ok(());
        }
        let message = "a request was not answered, and may still take effect";
        Err(self.s3.at(operation).error(S3ErrorKind::Unavailable, message).into())
    }
}

#[async_trait]
impl Session for S3Session {
    fn handle(&mut self, type_id: TypeId) -> Option<&mut (dyn Any + Send)> {
        self.plain.handle(type_id)
    }

    async fn begin_marker(&mut self, fence: &Fence, update: &MarkerUpdate) -> Result<Begun, BackendError> {
        self.plain.begin_marker(fence, update).await
    }

    async fn finish_marker(&mut self, update: &MarkerUpdate) -> Result<(), BackendError> {
        self.plain.finish_marker(update).await
    }

    async fn commit(self: Box<Self>) -> Result<(), BackendError> {
        Ok(())
    }

    /// A change that has failed may have left requests behind, too.
    async fn rollback(self: Box<Self>) -> Result<(), BackendError> {
        self.settle("roll back session").await
    }

    async fn abort(self: Box<Self>) -> Result<(), BackendError> {
        self.settle("abort session").await
    }
}
