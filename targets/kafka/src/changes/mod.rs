//! The helper that changes take as `&KafkaChanges`.

mod configs;
mod marks;
mod offsets;
mod partitions;
mod record;
mod topic;
mod transaction;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use flamingock_core::change::TargetState;

use crate::connection::Connection;

pub use offsets::Offsets;
pub use record::Record;
pub use topic::Topic;
pub use transaction::KafkaTransaction;

/// How long a broker may not know yet what another one knows.
const LAG: Duration = Duration::from_secs(5);

/// What changes on Kafka mostly do; take it as `&KafkaChanges`.
///
/// Each operation is idempotent: what is there already is left as it is, so applying it twice is the same as
/// once. Each returns when its effect is visible, or fails within the target's timeout, and each has a look
/// that answers `#[verify]`. An operation that has begun runs to its end even if the change is dropped
/// half-way; the runner waits for that before it compensates.
///
/// Errors are [`BackendError`](flamingock_core::BackendError)s: `Unavailable` (it may have taken effect),
/// `Denied`, `InvalidData` (refused, nothing was done), `LeaseLost` (another run of the service has taken over).
///
/// ```
/// use flamingock_core::BackendError;
/// use flamingock_core::change::TargetState;
/// use flamingock_target_kafka::{KafkaChanges, Topic};
///
/// fn orders() -> Topic {
///     Topic::new("orders").partitions(6).config("cleanup.policy", "compact")
/// }
///
/// async fn apply(kafka: &KafkaChanges) -> Result<(), BackendError> {
///     kafka.create_topic(&orders()).await
/// }
///
/// async fn rollback(kafka: &KafkaChanges) -> Result<(), BackendError> {
///     kafka.remove_topic(&orders()).await
/// }
///
/// async fn verify(kafka: &KafkaChanges) -> Result<TargetState, BackendError> {
///     kafka.topic_state(&orders()).await
/// }
/// ```
#[derive(Clone)]
pub struct KafkaChanges {
    connection: Arc<Connection>,
}

impl KafkaChanges {
    pub(crate) fn new(connection: Arc<Connection>) -> Self {
        Self { connection }
    }
}

impl fmt::Debug for KafkaChanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaChanges").field("address", &self.connection.address()).finish_non_exhaustive()
    }
}

/// What an operation is about, for its errors.
fn about(name: &'static str, value: &str) -> Vec<(&'static str, String)> {
    vec![(name, value.to_owned())]
}

/// What it means that `done` of `all` are as they should be.
fn state(done: usize, all: usize) -> TargetState {
    match done {
        done if done == all => TargetState::Applied,
        0 => TargetState::NotApplied,
        _ => TargetState::PartiallyApplied,
    }
}
