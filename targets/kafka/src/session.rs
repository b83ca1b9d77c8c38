use std::any::{Any, TypeId};
use std::sync::Arc;

use async_trait::async_trait;
use flamingock_core::BackendError;
use flamingock_core::target::{Begun, Fence, MarkerUpdate, PlainSession, Session};

use crate::connection::Connection;

/// A plain session that knows what still runs.
pub(crate) struct KafkaSession {
    plain: PlainSession,
    connection: Arc<Connection>,
}

impl KafkaSession {
    pub(crate) fn new(connection: Arc<Connection>) -> Self {
        Self { plain: PlainSession, connection }
    }
}

#[async_trait]
impl Session for KafkaSession {
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

    /// A change that has failed may have left operations behind, too.
    async fn rollback(self: Box<Self>) -> Result<(), BackendError> {
        self.abort().await
    }

    /// Each operation ends by itself, within its timeout.
    async fn abort(self: Box<Self>) -> Result<(), BackendError> {
        self.connection.settle().await;
        Ok(())
    }
}
