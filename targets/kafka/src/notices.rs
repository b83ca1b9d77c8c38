use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka::ClientContext;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// What librdkafka says besides answers: why a broker is not reached.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    trouble: Mutex<Option<Trouble>>,
}

/// An error of the connection.
#[derive(Debug, Clone)]
pub(crate) struct Trouble {
    pub(crate) code: RDKafkaErrorCode,
    pub(crate) reason: String,
}

impl Notices {
    fn lock(&self) -> MutexGuard<'_, Option<Trouble>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last error, or one that will not go away by waiting.
    pub(crate) fn trouble(&self) -> Option<Trouble> {
        self.lock().clone()
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
        let mut trouble = self.lock();
        // That all are down follows from the others, which say why.
        let says_more = code != RDKafkaErrorCode::AllBrokersDown || trouble.is_none();
        if says_more && !trouble.as_ref().is_some_and(Trouble::is_final) {
            *trouble = Some(Trouble { code, reason: reason.to_owned() });
        }
    }
}

impl ConsumerContext for Notices {}
