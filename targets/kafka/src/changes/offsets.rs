use std::collections::BTreeMap;
use std::sync::mpsc;

use flamingock_core::change::TargetState;
use flamingock_core::{BackendError, BackendErrorKind};
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use super::KafkaChanges;
use super::topic::expect;
use crate::connection::{Look, Operation};

/// Where a consumer group is to go on reading a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Offsets {
    /// At the first record that there is.
    Earliest,
    /// After the last record that there is now.
    Latest,
    /// At the first record that is not older, in milliseconds since 1970 (UTC); after the last one where all are.
    Since(i64),
    /// At these offsets, by partition; the others stay as they are.
    Exactly(BTreeMap<i32, i64>),
}

impl KafkaChanges {
    /// Sets where a consumer group goes on reading a topic. The group's consumers must be stopped meanwhile.
    ///
    /// # Errors
    /// `InvalidData` when there is no such topic, partition or offset; `Other` while the group has active
    /// consumers; and as for [every operation](Self).
    pub async fn reset_offsets(
        &self,
        group: &str,
        topic: &str,
        offsets: &Offsets,
    ) -> Result<(), BackendError> {
        let (name, to) = ((group.to_owned(), topic.to_owned()), offsets.clone());
        let reset = move |operation: &Operation| reset(operation, &name.0, &name.1, &to);
        self.connection.perform("reset offsets", about(group, topic), reset).await
    }

    /// Whether the group stands there: `PartiallyApplied` when it does in some partitions. It says `NotApplied`
    /// as soon as the consumers have gone on, and for `Latest` as soon as there are newer records.
    ///
    /// # Errors
    /// As [`reset_offsets`](Self::reset_offsets).
    pub async fn offsets_state(
        &self,
        group: &str,
        topic: &str,
        offsets: &Offsets,
    ) -> Result<TargetState, BackendError> {
        let (name, to) = ((group.to_owned(), topic.to_owned()), offsets.clone());
        let state = move |operation: &Operation| {
            let look = operation.look(Some(&name.0))?;
            let wanted = resolve(&look, &name.1, &to)?;
            let found = committed(&look, &name.1, wanted.keys().copied())?;
            let there = wanted.iter().filter(|(partition, offset)| found.get(partition) == Some(offset));
            Ok(super::state(there.count(), wanted.len()))
        };
        self.connection.perform("look at offsets", about(group, topic), state).await
    }

    /// Where the group stands, by partition; those that it has never committed are left out. For a
    /// `#[rollback]`, given to [`Offsets::Exactly`].
    ///
    /// # Errors
    /// `InvalidData` when there is no such topic; and as for [every operation](Self).
    pub async fn committed_offsets(
        &self,
        group: &str,
        topic: &str,
    ) -> Result<BTreeMap<i32, i64>, BackendError> {
        let name = (group.to_owned(), topic.to_owned());
        let read = move |operation: &Operation| {
            let look = operation.look(Some(&name.0))?;
            let partitions = partitions(&look, &name.1)?;
            committed(&look, &name.1, 0..partitions)
        };
        self.connection.perform("read offsets", about(group, topic), read).await
    }
}

fn about(group: &str, topic: &str) -> Vec<(&'static str, String)> {
    vec![("group", group.to_owned()), ("topic", topic.to_owned())]
}

fn reset(operation: &Operation, group: &str, topic: &str, to: &Offsets) -> Result<(), BackendError> {
    let look = operation.look(Some(group))?;
    let wanted = resolve(&look, topic, to)?;
    if committed(&look, topic, wanted.keys().copied())? == wanted {
        return Ok(());
    }
    let mut list = TopicPartitionList::new();
    for (partition, offset) in &wanted {
        list.add_partition_offset(topic, *partition, Offset::Offset(*offset))
            .map_err(|error| operation.failed(&error))?;
    }
    // The driver tells how a commit ended only to who waits for it without a limit.
    let (answer, answered) = mpsc::channel();
    let committer = operation.look(Some(group))?.consumer;
    operation.connection.aside(move || {
        let _ = answer.send(committer.commit(&list, CommitMode::Sync));
    });
    match answered.recv_timeout(operation.left()) {
        Ok(Err(error)) => return Err(refused(operation, &error)),
        Ok(Ok(())) => {}
        Err(_) => return Err(operation.refused_with(RDKafkaErrorCode::OperationTimedOut)),
    }
    if committed(&look, topic, wanted.keys().copied())? == wanted {
        return Ok(());
    }
    Err(operation.error(
        BackendErrorKind::Other,
        "the group stands elsewhere: somebody else has committed offsets for it; stop the group's consumers first",
    ))
}

/// A group with consumers at work refuses in several ways.
fn refused(operation: &Operation, error: &KafkaError) -> BackendError {
    use RDKafkaErrorCode::{IllegalGeneration, RebalanceInProgress, StaleMemberEpoch, UnknownMemberId};
    match crate::errors::code(error) {
        Some(IllegalGeneration | RebalanceInProgress | StaleMemberEpoch | UnknownMemberId) => {
            operation.refused_with(UnknownMemberId)
        }
        _ => operation.failed(error),
    }
}

fn partitions(look: &Look<'_>, topic: &str) -> Result<i32, BackendError> {
    Ok(expect(look, topic)?.partitions)
}

/// The offsets that are meant.
fn resolve(look: &Look<'_>, topic: &str, to: &Offsets) -> Result<BTreeMap<i32, i64>, BackendError> {
    let operation = look.operation;
    let failed = |error: KafkaError| operation.failed(&error);
    let count = partitions(look, topic)?;
    let bounds =
        |partition| look.consumer.fetch_watermarks(topic, partition, operation.left()).map_err(failed);
    match to {
        Offsets::Earliest => (0..count).map(|partition| Ok((partition, bounds(partition)?.0))).collect(),
        Offsets::Latest => (0..count).map(|partition| Ok((partition, bounds(partition)?.1))).collect(),
        Offsets::Since(time) => {
            let mut times = TopicPartitionList::new();
            for partition in 0..count {
                times.add_partition_offset(topic, partition, Offset::Offset(*time)).map_err(failed)?;
            }
            let found = look.consumer.offsets_for_times(times, operation.left()).map_err(failed)?;
            let mut offsets = BTreeMap::new();
            for element in found.elements() {
                element.error().map_err(failed)?;
                let offset = match element.offset() {
                    Offset::Offset(offset) => offset,
                    // All records are older.
                    _ => bounds(element.partition())?.1,
                };
                offsets.insert(element.partition(), offset);
            }
            Ok(offsets)
        }
        Offsets::Exactly(offsets) => {
            for (partition, offset) in offsets {
                if !(0..count).contains(partition) {
                    return Err(
                        operation.refuse(format!("it has no partition {partition}, but {count} in all"))
                    );
                }
                let (first, end) = bounds(*partition)?;
                if !(first..=end).contains(offset) {
                    return Err(operation.refuse(format!(
                        "partition {partition} has no offset {offset}: its records are {first} to {end}"
                    )));
                }
            }
            Ok(offsets.clone())
        }
    }
}

fn committed(
    look: &Look<'_>,
    topic: &str,
    partitions: impl Iterator<Item = i32>,
) -> Result<BTreeMap<i32, i64>, BackendError> {
    let mut list = TopicPartitionList::new();
    partitions.for_each(|partition| {
        list.add_partition(topic, partition);
    });
    let mut offsets = BTreeMap::new();
    for element in look.committed(&list)?.elements() {
        element.error().map_err(|error| look.operation.failed(&error))?;
        if let Offset::Offset(offset) = element.offset() {
            offsets.insert(element.partition(), offset);
        }
    }
    Ok(offsets)
}
