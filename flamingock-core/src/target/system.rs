use std::any::TypeId;
use std::fmt;

use async_trait::async_trait;

use super::{Fence, Marker, Session};
use crate::change::Resources;
use crate::lock::FencingToken;
use crate::{BackendError, History};

/// How a change runs on its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// In one transaction of the target, with fence and marker.
    Transactional,
    /// Statement by statement, compensated by `#[rollback]` when it fails.
    Plain,
}

/// A type that `&mut T` finds in a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionType {
    /// The type.
    pub id: TypeId,
    /// Its name, for messages.
    pub name: &'static str,
}

impl SessionType {
    /// The entry for `T`.
    pub fn of<T: 'static>() -> Self {
        Self { id: TypeId::of::<T>(), name: std::any::type_name::<T>() }
    }
}

/// A system that changes are applied to.
///
/// # Contract
/// - `id`, `kind`, `address`, `resources` and `session_types` are fixed at construction and do no I/O.
/// - Every type that `session_types(mode)` names is found by [`Session::handle`] in a session opened
///   in that mode, and no other.
/// - `resources(Mode::Transactional)` offers nothing through which a change could get around its
///   transaction, such as the pool.
/// - A target that supports [`Mode::Transactional`] keeps [`Markers`].
#[async_trait]
pub trait TargetSystem: fmt::Debug + Send + Sync + 'static {
    /// The id that changes name, unique within the application.
    fn id(&self) -> &str;

    /// What it is: `postgres`, `kafka`, ..
    fn kind(&self) -> &str;

    /// Where it is, without secrets.
    fn address(&self) -> String;

    /// What `&T` parameters find, before the builder's own dependencies.
    fn resources(&self, mode: Mode) -> &Resources;

    /// What `&mut T` parameters find; [`None`] when the mode is not supported.
    fn session_types(&self, mode: Mode) -> Option<Vec<SessionType>>;

    /// Reaches the target and compares it with what was declared. Called before anything runs.
    ///
    /// # Errors
    /// When it is not reached or is not what was declared.
    async fn check(&self) -> Result<(), BackendError>;

    /// Opens a session for one change. In plain mode only for a method that takes `&mut T`, or where there
    /// is none to take: so such a target can say here that it is not reached, and in
    /// [`abort`](Session::abort) wait for what still runs.
    ///
    /// # Errors
    /// When the target is not reached. Nothing was done then.
    async fn open(&self, mode: Mode) -> Result<Box<dyn Session>, BackendError>;

    /// Fence and markers; [`None`] on a target without transactions.
    fn markers(&self) -> Option<&dyn Markers> {
        None
    }
}

/// What came of [`Markers::raise_fence`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FenceRaised {
    /// It is ours.
    Raised,
    /// There is a newer one, or another run's with the same token; nothing was changed.
    Newer(FencingToken),
}

/// What a target knows about a history as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// How many of this history's markers say `done`.
    pub done: u64,
    /// Other services that have a marker `done` for one of the ids asked about, sorted.
    pub other_services: Vec<String>,
}

/// The fence and the markers that a transactional target keeps.
///
/// # Contract
/// - One fence per history: token and execution. One marker per history and change.
/// - [`raise_fence`](Self::raise_fence) waits for transactions that are open under an older fence of
///   the history. Raising it again with the same token and execution is answered `Raised`.
/// - [`marker`](Self::marker) locks the fence before it looks, so that a commit still under way is
///   waited for. If it cannot, it fails: nothing may be concluded from a look that did not wait.
/// - A wait is bounded by a lock timeout; the error is `Unavailable` (`Busy` where there is a single
///   writer) and names the blocker where the target can tell.
/// - What is missing (tables) is created by `raise_fence`, where the target may; `marker` and
///   `survey` answer as if there were nothing.
#[async_trait]
pub trait Markers: Send + Sync {
    /// Raises the fence of a history to this run's.
    ///
    /// # Errors
    /// When the target is not reached, or an open transaction did not end within the lock timeout.
    async fn raise_fence(&self, fence: &Fence) -> Result<FenceRaised, BackendError>;

    /// The marker of a change, read under the fence's lock.
    ///
    /// # Errors
    /// As [`raise_fence`](Self::raise_fence).
    async fn marker(&self, history: &History, change: &str) -> Result<Option<Marker>, BackendError>;

    /// Counts `done` markers, and finds markers of the same ids under other services.
    ///
    /// # Errors
    /// When the target is not reached.
    async fn survey(&self, history: &History, ids: &[&str]) -> Result<Survey, BackendError>;

    /// Ends the session that a marker names, and returns when it is gone. No error when there is none.
    ///
    /// # Errors
    /// When it cannot be told whether it is gone.
    async fn end_session(&self, session: &str) -> Result<(), BackendError>;
}
