//! The mark that a change's transaction leaves beside its records, so that it is known whether it was committed:
//! an offset of a group that nobody consumes with. Its number is the fencing token, its text says the rest.

use flamingock_core::change::ChangeContext;
use flamingock_core::{BackendError, BackendErrorKind};
use rdkafka::consumer::{Consumer, ConsumerGroupMetadata};
use rdkafka::{Offset, TopicPartitionList};

use crate::connection::{Look, Operation};

/// Whose mark it is, in which topics.
#[derive(Debug, Clone)]
pub(super) struct Marks {
    /// The same for all changes of a service on a target: Kafka lets one producer with it at work.
    pub(super) transactional_id: String,
    group: String,
    token: i64,
    key: String,
    pub(super) topics: Vec<String>,
}

/// What the records of a transaction are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The change's own.
    Done,
    /// Those that take it back.
    Undone,
}

impl Marks {
    /// Sorted and each once.
    pub(super) fn new<'t>(
        target: &str,
        context: &ChangeContext,
        topics: impl IntoIterator<Item = &'t str>,
    ) -> Self {
        let history = context.history();
        let names = [&history.service, &history.tenant, target].map(escaped);
        let transactional_id = format!("flamingock/{}", names.join("/"));
        let mut topics: Vec<_> = topics.into_iter().map(str::to_owned).collect();
        topics.sort();
        topics.dedup();
        Self {
            group: format!("{transactional_id}/{}", escaped(context.id())),
            transactional_id,
            token: i64::try_from(context.fencing_token().0).unwrap_or(i64::MAX),
            key: context.idempotency_key().to_string(),
            topics,
        }
    }

    /// A client that sees them.
    pub(super) fn look<'o>(&self, operation: &'o Operation) -> Result<Look<'o>, BackendError> {
        operation.look(Some(&self.group))
    }

    /// In how many of the topics the change's records are. Waits for transactions that are open.
    pub(super) fn done(&self, look: &Look<'_>) -> Result<usize, BackendError> {
        let mut list = TopicPartitionList::new();
        for topic in &self.topics {
            super::topic::expect(look, topic)?;
            list.add_partition(topic, 0);
        }
        let text = self.text(Meaning::Done);
        let mut done = 0;
        for mark in look.committed(&list)?.elements() {
            mark.error().map_err(|error| look.operation.failed(&error))?;
            let Offset::Offset(token) = mark.offset() else { continue };
            if token > self.token {
                return Err(look.operation.error(
                    BackendErrorKind::LeaseLost,
                    format!("a newer run (token {token}) has produced the records of this change"),
                ));
            }
            done += usize::from(mark.metadata() == text);
        }
        Ok(done)
    }

    /// What is to be committed together with the records.
    pub(super) fn to_commit(
        &self,
        look: &Look<'_>,
        meaning: Meaning,
    ) -> Result<(TopicPartitionList, ConsumerGroupMetadata), BackendError> {
        let failed = |error| look.operation.failed(&error);
        let mut list = TopicPartitionList::new();
        for topic in &self.topics {
            let mut mark = list.add_partition(topic, 0);
            mark.set_offset(Offset::Offset(self.token)).map_err(failed)?;
            mark.set_metadata(self.text(meaning));
        }
        let group = look.consumer.group_metadata().ok_or_else(|| {
            look.operation.error(BackendErrorKind::Other, "the driver has no metadata of the group")
        })?;
        Ok((list, group))
    }

    fn text(&self, meaning: Meaning) -> String {
        let meaning = match meaning {
            Meaning::Done => "done",
            Meaning::Undone => "undone",
        };
        format!("{meaning} {}", self.key)
    }
}

/// So that what stands between two slashes is one name.
fn escaped(name: impl AsRef<str>) -> String {
    name.as_ref().replace('%', "%25").replace('/', "%2F")
}

#[cfg(test)]
mod tests {
    use flamingock_core::History;
    use flamingock_core::lock::FencingToken;

    use super::*;

    fn marks(service: &str, tenant: &str, target: &str, change: &str) -> Marks {
        let history = History::new(service).tenant(tenant);
        Marks::new(target, &ChangeContext::new(history, change, FencingToken(7)), ["b", "a", "b"])
    }

    #[test]
    fn names_with_slashes_are_not_mistaken_for_others() {
        let one = marks("a/b", "", "events", "x");
        let other = marks("a", "b", "events", "x");
        assert_eq!(other.transactional_id, "flamingock/a/b/events");
        assert_eq!(one.transactional_id, "flamingock/a%2Fb//events");
        assert_ne!(marks("a%2Fb", "", "events", "x").transactional_id, one.transactional_id);
        assert_eq!(other.group, "flamingock/a/b/events/x");
    }

    #[test]
    fn each_topic_is_marked_once() {
        assert_eq!(marks("orders", "", "events", "x").topics, ["a", "b"]);
    }
}
