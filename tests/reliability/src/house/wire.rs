use std::fmt;
use std::sync::Arc;

use flamingock_core::target::Session;
use flamingock_core::{BackendError, BackendErrorKind};
use futures_util::future::BoxFuture;

use super::House;

pub(crate) type Answer<T> = Result<T, BackendError>;

/// An effect as its server carries it out, each time that the request arrives.
pub(crate) type Effect<T> = Box<dyn Fn() -> BoxFuture<'static, Answer<T>> + Send + Sync>;

/// How one process reaches the servers: what becomes of each effect is decided here.
pub(crate) trait Wire: fmt::Debug + Send + Sync + 'static {
    /// The servers.
    fn house(&self) -> &Arc<House>;

    /// Which process it is, counted from 1.
    fn name(&self) -> usize;

    /// An effect that a server can carry out later, too, or twice.
    fn effect<T: Send + 'static>(
        &self,
        op: Op,
        what: &str,
        perform: Effect<T>,
    ) -> impl Future<Output = Answer<T>> + Send;

    /// An effect that happens now or never: a read, or a statement in a session.
    fn now<T: Send>(
        &self,
        op: Op,
        what: &str,
        perform: impl Future<Output = Answer<T>> + Send,
    ) -> impl Future<Output = Answer<T>> + Send;

    /// The process lets go of a session without ending it.
    fn leaves(&self, session: Box<dyn Session>);

    /// How long a lease lasts by the lock's clock, as a part of what it lasts by this machine's.
    fn lease_factor(&self) -> f64 {
        1.0
    }
}

pub(crate) fn lost() -> BackendError {
    BackendError::new(BackendErrorKind::Unavailable, "faulty", "no answer")
}

/// An effect of a run: everything that passes between the runner and the rest of the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    /// `AuditStore::initialize`.
    Initialize,
    /// `AuditStore::head`.
    Head,
    /// `AuditStore::take_office`.
    TakeOffice,
    /// `AuditStore::append`.
    Append,
    /// `AuditStore::latest`.
    Latest,
    /// `LockStore::try_acquire`.
    TryAcquire,
    /// `LockStore::extend`, from the run itself.
    Extend,
    /// `LockStore::release`.
    Release,
    /// `TargetSystem::check`.
    Check,
    /// `TargetSystem::open`.
    Open,
    /// `Markers::raise_fence`.
    RaiseFence,
    /// `Markers::marker`.
    Look,
    /// `Markers::survey`.
    Survey,
    /// `Markers::end_session`.
    EndSession,
    /// `Session::begin_marker`.
    BeginMarker,
    /// One statement of a change's apply or rollback.
    Body,
    /// A change's verify.
    Verify,
    /// `Session::finish_marker`.
    FinishMarker,
    /// `Session::commit`.
    Commit,
    /// `Session::rollback`.
    Rollback,
    /// `Session::abort`.
    Abort,
}

/// Which server an effect goes to. An outage takes one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// Audit store and lock.
    Store,
    /// All target systems.
    Target,
}

impl Op {
    /// Whether it changes anything. Of a read that failed nobody can tell whether it happened.
    pub fn has_effect(self) -> bool {
        !matches!(self, Self::Head | Self::Latest | Self::Check | Self::Look | Self::Survey | Self::Verify)
    }

    /// The server it goes to.
    pub fn side(self) -> Side {
        match self {
            Self::Initialize
            | Self::Head
            | Self::TakeOffice
            | Self::Append
            | Self::Latest
            | Self::TryAcquire
            | Self::Extend
            | Self::Release => Side::Store,
            _ => Side::Target,
        }
    }
}
