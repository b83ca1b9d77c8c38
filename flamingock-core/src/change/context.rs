use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::History;
use crate::lock::FencingToken;

/// What a change can learn about its own run; take it as `&ChangeContext`.
#[derive(Clone)]
pub struct ChangeContext {
    pub(crate) history: History,
    pub(crate) id: Arc<str>,
    pub(crate) execution: Arc<str>,
    pub(crate) attempt: u32,
    pub(crate) token: FencingToken,
    pub(crate) key: IdempotencyKey,
    pub(crate) cancelled: CancellationToken,
    pub(crate) progress: Arc<dyn ProgressSink>,
}

pub(crate) trait ProgressSink: Send + Sync {
    fn progress(&self, change: &str, done: u64, total: u64, message: &str);
}

/// Listens to a change that no run has called.
struct Nobody;

impl ProgressSink for Nobody {
    fn progress(&self, _change: &str, _done: u64, _total: u64, _message: &str) {}
}

impl ChangeContext {
    /// A context for a test that calls a change's method itself: of a first attempt, in a run of its own.
    ///
    /// ```
    /// # use flamingock_core::{History, change::ChangeContext, lock::FencingToken};
    /// let context = ChangeContext::new(History::new("orders"), "create-events", FencingToken(1));
    /// assert_eq!((context.id(), context.attempt()), ("create-events", 1));
    /// ```
    pub fn new(history: History, change: &str, token: FencingToken) -> Self {
        Self {
            key: IdempotencyKey::new(&history, change, 0),
            history,
            id: change.into(),
            execution: uuid::Uuid::now_v7().to_string().into(),
            attempt: 1,
            token,
            cancelled: CancellationToken::new(),
            progress: Arc::new(Nobody),
        }
    }

    /// Whose change it is: service and tenant.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Id of the change.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Id of this run (UUIDv7), the same for all its changes.
    pub fn execution_id(&self) -> &str {
        &self.execution
    }

    /// 1 for the first attempt at this change, one more for each attempt after it.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Rises with every run that takes office: hand it to systems that can refuse an older one.
    pub fn fencing_token(&self) -> FencingToken {
        self.token
    }

    /// The same for every attempt at this change until it is undone or ruled rolled back.
    pub fn idempotency_key(&self) -> &IdempotencyKey {
        &self.key
    }

    /// Tells listeners how far a long change is. It is not stored.
    pub fn progress(&self, done: u64, total: u64, message: &str) {
        self.progress.progress(&self.id, done, total, message);
    }

    /// The same, whose progress is told to `listener`, too, as done, total and message, and to it first.
    #[must_use]
    pub fn listened_to(&self, listener: impl Fn(u64, u64, &str) + Send + Sync + 'static) -> Self {
        let progress = Arc::new(Overheard { listener, next: Arc::clone(&self.progress) });
        Self { progress, ..self.clone() }
    }

    /// Whether the run is to stop. A long change looks at it between two steps.
    pub fn cancelled(&self) -> bool {
        self.cancelled.is_cancelled()
    }
}

struct Overheard<F> {
    listener: F,
    next: Arc<dyn ProgressSink>,
}

impl<F: Fn(u64, u64, &str) + Send + Sync> ProgressSink for Overheard<F> {
    fn progress(&self, change: &str, done: u64, total: u64, message: &str) {
        (self.listener)(done, total, message);
        self.next.progress(change, done, total, message);
    }
}

impl fmt::Debug for ChangeContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChangeContext")
            .field("history", &self.history)
            .field("id", &self.id)
            .field("execution", &self.execution)
            .field("attempt", &self.attempt)
            .field("token", &self.token)
            .finish_non_exhaustive()
    }
}

/// The same for every attempt at a change until it is undone or ruled rolled back; take it as
/// `&IdempotencyKey` and hand it to systems that recognise a repeated request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// `epoch` is that of the last undo or ruling.
    pub(crate) fn new(history: &History, change: &str, epoch: u64) -> Self {
        let mut sha = Sha256::new();
        for part in [history.service.as_str(), &history.tenant, change, &epoch.to_string()] {
            sha.update((part.len() as u64).to_be_bytes());
            sha.update(part.as_bytes());
        }
        Self(sha.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect())
    }

    /// The key: 32 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
