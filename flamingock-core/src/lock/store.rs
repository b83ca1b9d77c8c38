use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{BackendError, History};

/// A number that only rises. What carries an older one is refused.
///
/// (Martin Kleppmann, "How to do distributed locking", 2016.)
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FencingToken(pub u64);

impl fmt::Display for FencingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Who asks for the lock, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockRequest {
    /// Whose changes are to be run.
    pub history: History,
    /// `service@host#uuid`: unique to one builder of one process.
    pub owner: String,
    /// The run that asks.
    pub execution: String,
    /// How long the lock is held without being extended.
    pub lease: Duration,
}

/// The lock, held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// What was asked for.
    pub request: LockRequest,
    /// Rises with each change of holder.
    pub token: FencingToken,
}

/// Who holds the lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// See [`LockRequest::owner`].
    pub owner: String,
    /// See [`LockRequest::execution`].
    pub execution: String,
    /// See [`Lease::token`].
    pub token: FencingToken,
    /// When it was acquired, by the clock of the store; for people, never compared.
    pub since: jiff::Timestamp,
    /// What is left of the lease, by the clock of the store; [`None`] where the store has no clock.
    pub remaining: Option<Duration>,
}

/// What came of asking for the lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acquisition {
    /// It is ours.
    Acquired(Lease),
    /// It is another's.
    Held(Holder),
}

/// The lock on a history.
///
/// # Contract
/// - At most one owner holds the lock of a history at a time; of many that ask at once, one wins.
/// - Histories do not touch each other.
/// - Acquiring again with the owner and execution that hold it is answered [`Acquisition::Acquired`]
///   with the same token, and extends the lease: a lost answer is asked for again.
/// - Each change of holder raises the token. Releasing and breaking keep the counter.
/// - While another holds a live lease, [`try_acquire`](Self::try_acquire) says who and changes nothing.
/// - Once a lease has expired, by one clock only (the store's own; where it has none, the contender's
///   stopwatch on an unchanged lease), the next that asks gets it.
/// - [`extend`](Self::extend) succeeds as long as nobody else took the lock, even after expiry;
///   afterwards, and after it was released or broken, it fails with `LeaseLost` and changes nothing.
/// - [`release`](Self::release) frees it for the next at once; when it is no longer ours it changes
///   nothing and is no error.
/// - [`break_lock`](Self::break_lock) takes it from its holder, whose `extend` then fails.
/// - No operation waits for the lock or keeps a transaction, a session lock or a connection open.
#[async_trait]
pub trait LockStore: fmt::Debug + Send + Sync + 'static {
    /// Creates what it needs, where it may, or checks that it is there. Idempotent.
    ///
    /// # Errors
    /// When the store is not reached, or what is there has another shape.
    async fn initialize(&self) -> Result<(), BackendError>;

    /// Asks for the lock once.
    ///
    /// # Errors
    /// When the store is not reached. That somebody else holds it is no error.
    async fn try_acquire(&self, request: &LockRequest) -> Result<Acquisition, BackendError>;

    /// Starts the lease anew.
    ///
    /// # Errors
    /// `LeaseLost` when somebody else took or broke it.
    async fn extend(&self, lease: &Lease) -> Result<(), BackendError>;

    /// Gives it back.
    ///
    /// # Errors
    /// When the store is not reached; the lease then expires.
    async fn release(&self, lease: &Lease) -> Result<(), BackendError>;

    /// Who holds a live lease, if anybody does.
    ///
    /// # Errors
    /// When the store is not reached.
    async fn inspect(&self, history: &History) -> Result<Option<Holder>, BackendError>;

    /// Takes the lock from whoever holds it, and leaves it free. Where the lock lives in the audit
    /// store, the head's fencing token rises in the same step, so that its holder is out of office.
    ///
    /// Returns who held it, also when the lease had expired.
    ///
    /// # Errors
    /// When the store is not reached.
    async fn break_lock(&self, history: &History) -> Result<Option<Holder>, BackendError>;

    /// The same lock over a connection of its own, opened on the runtime that calls this: the
    /// heartbeat must not wait behind a change that blocks.
    ///
    /// # Errors
    /// When the store is not reached.
    async fn dedicated(&self) -> Result<Arc<dyn LockStore>, BackendError>;
}
