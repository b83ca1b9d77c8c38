use std::sync::{Mutex, PoisonError};

use rdkafka::ClientContext;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};

/// What librdkafka says besides answers: why a broker is not reached, and what came of a commit.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    trouble: Option<Trouble>,
    committed: Option<Committed>,
}

/// An error of the connection.
#[derive(Debug, Clone)]
pub(crate) struct Trouble {
    pub(crate) code: RDKafkaErrorCode,
    pub(crate) reason: String,
}

/// What came of a commit of offsets, as a whole and for each partition.
pub(crate) type Committed = KafkaResult<Vec<(i32, KafkaResult<()>)>>;

impl Notices {
    fn with<T>(&self, act: impl FnOnce(&mut Seen) -> T) -> T {
        act(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The last error, or one that will not go away by waiting.
    pub(crate) fn trouble(&self) -> Option<Trouble> {
        self.with(|seen| seen.trouble.clone())
    }

    /// The answer to a commit, once it is there.
    pub(crate) fn committed(&self) -> Option<Committed> {
        self.with(|seen| seen.committed.take())
    }
}

impl Trouble {
    /// Waiting does not help.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self.code, RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SSL)
    }
}

impl ClientContext for Notices {
    fn error(&self, error: KafkaError, reason: &str) {
        let Some(code) = error.rdkafka_error_code() else { return };
        self.with(|seen| {
            // That all are down follows from the others, which say why.
            let says_more = code != RDKafkaErrorCode::AllBrokersDown || seen.trouble.is_none();
            if says_more && !seen.trouble.as_ref().is_some_and(Trouble::is_final) {
                seen.trouble = Some(Trouble { code, reason: reason.to_owned() });
            }
        });
    }
}

impl ConsumerContext for Notices {
    fn commit_callback(&self, result: KafkaResult<()>, offsets: &TopicPartitionList) {
        let partition = |offset: &rdkafka::topic_partition_list::TopicPartitionListElem<'_>| {
            (offset.partition(), offset.error())
        };
        let committed = result.map(|()| offsets.elements().iter().map(partition).collect());
        self.with(|seen| seen.committed = Some(committed));
    }
}
