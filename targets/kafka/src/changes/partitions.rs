use std::time::Duration;

use flamingock_core::BackendError;
use flamingock_core::change::TargetState;
use rdkafka::admin::NewPartitions;
use rdkafka::error::RDKafkaErrorCode;

use super::topic::{expect, find, is_denied, reach};
use super::{KafkaChanges, LAG, about};
use crate::connection::Operation;

impl KafkaChanges {
    /// Adds partitions until the topic has so many in all. Records stay where they are; which partition a key
    /// goes to may change. Kafka cannot take partitions away again, so there is nothing for `#[rollback]` to do.
    ///
    /// # Errors
    /// `InvalidData` when there is no such topic, or when it has more already; and as for
    /// [every operation](Self).
    pub async fn add_partitions(&self, topic: &str, total: i32) -> Result<(), BackendError> {
        let name = topic.to_owned();
        let add = move |operation: &Operation| add(operation, &name, total);
        self.connection.perform("add partitions", about("topic", topic), add).await
    }

    /// Whether the topic has so many partitions: `PartiallyApplied` when it has more.
    ///
    /// # Errors
    /// `InvalidData` when there is no such topic; and as for [every operation](Self).
    pub async fn partitions_state(&self, topic: &str, total: i32) -> Result<TargetState, BackendError> {
        let name = topic.to_owned();
        let state = move |operation: &Operation| {
            let found = expect(&operation.look(None)?, &name)?;
            Ok(match found.partitions {
                partitions if partitions == total => TargetState::Applied,
                partitions if partitions < total => TargetState::NotApplied,
                _ => TargetState::PartiallyApplied,
            })
        };
        self.connection.perform("look at partitions", about("topic", topic), state).await
    }
}

fn add(operation: &Operation, topic: &str, total: i32) -> Result<(), BackendError> {
    let look = reach(operation, topic)?;
    let new = NewPartitions::new(topic, usize::try_from(total).unwrap_or_default());
    let added = operation.ask(|admin, options| admin.create_partitions([&new], options))?;
    let refused = added.into_iter().find_map(Result::err).map(|(_, code)| code);
    let limit = match refused {
        None => Duration::MAX,
        // It has so many already, or more: also a broker that lags behind knows soon. Who may not alter the topic is
        // refused before that is looked at.
        Some(code) if code == RDKafkaErrorCode::InvalidPartitions || is_denied(code) => LAG,
        Some(code) => return Err(operation.refused_with(code)),
    };
    let mut partitions = 0;
    let there = operation.wait_for(limit, || {
        let found = find(&look, topic)?;
        partitions = found.as_ref().map_or(0, |found| found.partitions);
        Ok(partitions == total && found.is_some_and(|found| found.ready))
    })?;
    if there {
        return Ok(());
    }
    if let Some(code) = refused.filter(|code| is_denied(*code)) {
        return Err(operation.refused_with(code));
    }
    if partitions > total {
        return Err(operation.refuse(format!(
            "it has {partitions} partitions, and {total} are asked for: Kafka cannot take any away"
        )));
    }
    Err(operation.refused_with(RDKafkaErrorCode::LeaderNotAvailable))
}
