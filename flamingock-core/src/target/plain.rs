use std::any::{Any, TypeId};
use std::sync::Arc;

use async_trait::async_trait;

use super::{Begun, Fence, MarkerUpdate, Mode, Session, SessionType, TargetSystem};
use crate::change::Resources;
use crate::{BackendError, BackendErrorKind};

/// A target without transactions and without a driver of its own: a REST API, a folder of files,
/// a feature-flag service. Its changes get what [`with`](Self::with) was given, by `&T`.
///
/// ```
/// # use flamingock_core::target::NonTransactionalTarget;
/// # struct FlagClient;
/// let flags = NonTransactionalTarget::new("flags").at("https://flags.example").with(FlagClient);
/// ```
#[derive(Debug)]
pub struct NonTransactionalTarget {
    id: String,
    kind: String,
    address: String,
    resources: Resources,
}

impl NonTransactionalTarget {
    /// A target with this id, and nothing in it yet.
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), kind: "plain".to_owned(), address: String::new(), resources: Resources::new() }
    }

    /// What kind of system it is, for the audit; `plain` unless told.
    #[must_use]
    pub fn kind(mut self, kind: impl Into<String>) -> Self {
        self.kind = kind.into();
        self
    }

    /// Where it is, for the audit. Without secrets: it is stored and shown.
    #[must_use]
    pub fn at(mut self, address: impl Into<String>) -> Self {
        self.address = address.into();
        self
    }

    /// Adds a dependency that its changes take as `&T`.
    #[must_use]
    pub fn with<T: Send + Sync + 'static>(mut self, dependency: T) -> Self {
        self.resources.insert(dependency);
        self
    }

    /// Adds a shared dependency that its changes take as `&T`; `T` may be a trait object.
    #[must_use]
    pub fn with_arc<T: ?Sized + Send + Sync + 'static>(mut self, dependency: Arc<T>) -> Self {
        self.resources.insert_arc(dependency);
        self
    }
}

#[async_trait]
impl TargetSystem for NonTransactionalTarget {
    fn id(&self) -> &str {
        &self.id
    }

    fn kind(&self) -> &str {
        &self.kind
    }

    fn address(&self) -> String {
        self.address.clone()
    }

    fn resources(&self, _mode: Mode) -> &Resources {
        &self.resources
    }

    fn session_types(&self, mode: Mode) -> Option<Vec<SessionType>> {
        match mode {
            Mode::Transactional => None,
            Mode::Plain => Some(Vec::new()),
        }
    }

    async fn check(&self) -> Result<(), BackendError> {
        Ok(())
    }

    async fn open(&self, _mode: Mode) -> Result<Box<dyn Session>, BackendError> {
        Ok(Box::new(PlainSession))
    }
}

/// The session of a target that has none: no handles, nothing to close.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlainSession;

#[async_trait]
impl Session for PlainSession {
    fn handle(&mut self, _type_id: TypeId) -> Option<&mut (dyn Any + Send)> {
        None
    }

    async fn begin_marker(&mut self, _fence: &Fence, _update: &MarkerUpdate) -> Result<Begun, BackendError> {
        Err(no_markers("begin marker"))
    }

    async fn finish_marker(&mut self, _update: &MarkerUpdate) -> Result<(), BackendError> {
        Err(no_markers("finish marker"))
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

fn no_markers(operation: &'static str) -> BackendError {
    BackendError::new(
        BackendErrorKind::Misconfigured,
        operation,
        "a target without transactions keeps no markers",
    )
}
