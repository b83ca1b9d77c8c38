use std::any::{Any, TypeId};

use crate::lock::FencingToken;
use crate::words::words;
use crate::{BackendError, History};
use async_trait::async_trait;

/// An open connection of a target, exclusive to one change.
///
/// # Contract
/// - In transactional mode everything done through its handles becomes visible at
///   [`commit`](Self::commit) or never, except what the target commits by itself.
/// - In plain mode each statement takes effect by itself; `commit` and `rollback` close the session,
///   and roll back what the change began in it and did not end.
/// - After [`rollback`](Self::rollback) or [`abort`](Self::abort) returned `Ok`, nothing that the
///   session did can take effect any more.
/// - A session that is dropped is rolled back sooner or later; its connection is not used again
///   before it is clean.
#[async_trait]
pub trait Session: Send {
    /// The handle of this type, for a `&mut T` parameter.
    fn handle(&mut self, type_id: TypeId) -> Option<&mut (dyn Any + Send)>;

    /// Locks the fence, compares it with `fence`, and writes the marker `begun` or `undoing`.
    /// First of all in a transactional session; never called in plain mode.
    ///
    /// - The fence must be this very one, else [`Begun::Fenced`] (token 0 where there is none) and
    ///   nothing is written.
    /// - For `begun`: a marker `done` whose sequence is greater than
    ///   [`outranks`](MarkerUpdate::outranks) is left alone and answered by [`Begun::Stands`].
    /// - For `undoing`: whatever stands is overwritten.
    /// - It waits for a transaction that has the same fence or marker open.
    ///
    /// # Errors
    /// When the target is not reached, or the fence could not be locked in time; the message says
    /// who holds it, where the target can tell.
    async fn begin_marker(&mut self, fence: &Fence, update: &MarkerUpdate) -> Result<Begun, BackendError>;

    /// Turns `begun` into `done`, or `undoing` into `undone`. Last of all before the commit. Where
    /// something inside committed by itself, it locks the fence again, which must still be this run's.
    ///
    /// # Errors
    /// Unless exactly one marker with this execution was turned: the change ended its own transaction.
    /// `LeaseLost` when the fence is another's by now.
    async fn finish_marker(&mut self, update: &MarkerUpdate) -> Result<(), BackendError>;

    /// Commits, or closes a plain session.
    ///
    /// # Errors
    /// When the answer was an error or none came: the outcome is then unknown and the marker decides.
    /// Of a plain session, when the change left something open in it that is lost: the change has then
    /// failed. Not for a temporary error, which says nothing about what was done.
    async fn commit(self: Box<Self>) -> Result<(), BackendError>;

    /// Rolls back, or closes the plain session of a method that failed.
    ///
    /// # Errors
    /// When it cannot be told whether the transaction is gone, or whether what a plain change gave up on may
    /// still take effect. A plain change is then not compensated, and its outcome unknown.
    async fn rollback(self: Box<Self>) -> Result<(), BackendError>;

    /// After a method was dropped half-way: ends what may still run in the server on behalf of this
    /// session, from a second connection where that is needed, waits until it has ended, and throws
    /// the connection away.
    ///
    /// # Errors
    /// When it cannot be told whether it has ended.
    async fn abort(self: Box<Self>) -> Result<(), BackendError>;
}

/// A run's fence in a target: what its transactions must find there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// Whose changes.
    pub history: History,
    /// The token of the run's office.
    pub token: FencingToken,
    /// The run.
    pub execution: String,
}

words! {
    /// How far a change got, as the target itself knows it.
    MarkerState {
        /// Apply has begun. Visible to others only when something inside committed by itself.
        Begun = "begun",
        /// Applied.
        Done = "done",
        /// Undo has begun. Visible to others only when something inside committed by itself.
        Undoing = "undoing",
        /// Undone.
        Undone = "undone",
    }
}

impl MarkerState {
    /// Whether a part of it may be there: it has begun, and did not come to its end.
    #[must_use]
    pub fn is_half(self) -> bool {
        matches!(self, Self::Begun | Self::Undoing)
    }

    /// What [`Session::finish_marker`] turns it into.
    #[must_use]
    pub fn finished(self) -> Self {
        match self {
            Self::Begun | Self::Done => Self::Done,
            Self::Undoing | Self::Undone => Self::Undone,
        }
    }
}

/// What a transaction writes about its change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkerUpdate {
    /// The change.
    pub change: String,
    /// `Begun` to apply, `Undoing` to undo.
    pub state: MarkerState,
    /// Sequence of the STARTED that it answers.
    pub sequence: u64,
    /// A ruling or an undo recorded at this sequence outranks markers that are not newer; 0: none.
    pub outranks: u64,
}

/// What came of [`Session::begin_marker`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// The marker is written, the change may run.
    Written,
    /// The change is already applied: this marker says `done`.
    Stands(Marker),
    /// The fence is not ours, but this token's.
    Fenced(FencingToken),
}

/// What a target keeps about a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// How far it got.
    pub state: MarkerState,
    /// The run that wrote it.
    pub execution: String,
    /// Token of that run.
    pub token: FencingToken,
    /// Sequence of the STARTED that it answers.
    pub sequence: u64,
    /// The server's name for the session that wrote it, where it has one.
    pub session: Option<String>,
}
