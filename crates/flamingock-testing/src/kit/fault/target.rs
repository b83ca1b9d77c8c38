use std::sync::Arc;

use async_trait::async_trait;
use flamingock_core::BackendError;
use flamingock_core::change::Resources;
use flamingock_core::target::{Markers, Mode, Session, SessionType, TargetSystem};

use super::process::Process;
use super::session::FaultySession;

/// A target system, as the process reaches it.
#[derive(Debug)]
pub(super) struct FaultyTarget {
    pub(super) process: Arc<Process>,
    pub(super) inner: Arc<dyn TargetSystem>,
}

#[async_trait]
impl TargetSystem for FaultyTarget {
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
        self.inner.check().await
    }

    async fn open(&self, mode: Mode) -> Result<Box<dyn Session>, BackendError> {
        let inner = self.inner.open(mode).await?;
        Ok(Box::new(FaultySession { process: Arc::clone(&self.process), inner, change: String::new() }))
    }

    fn markers(&self) -> Option<&dyn Markers> {
        self.inner.markers()
    }
}
