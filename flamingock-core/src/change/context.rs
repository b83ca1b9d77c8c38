use std::fmt;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::lock::FencingToken;

/// What a change can learn about its own run; take it as `&ChangeContext`.
#[derive(Clone)]
pub struct ChangeContext {
    pub(crate) id: Arc<str>,
    pub(crate) execution: Arc<str>,
    pub(crate) attempt: u32,
    pub(crate) token: FencingToken,
    pub(crate) cancelled: CancellationToken,
    pub(crate) progress: Arc<dyn ProgressSink>,
}

pub(crate) trait ProgressSink: Send + Sync {
    fn progress(&self, change: &str, done: u64, total: u64, message: &str);
}

impl ChangeContext {
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

    /// Tells listeners how far a long change is. It is not stored.
    pub fn progress(&self, done: u64, total: u64, message: &str) {
        self.progress.progress(&self.id, done, total, message);
    }

    /// Whether the run is to stop. A long change looks at it between two steps.
    pub fn cancelled(&self) -> bool {
        self.cancelled.is_cancelled()
    }
}

impl fmt::Debug for ChangeContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChangeContext")
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
pub struct IdempotencyKey(pub(crate) String);

impl IdempotencyKey {
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
