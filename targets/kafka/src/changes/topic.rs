use std::collections::BTreeMap;
use std::time::Duration;

use flamingock_core::change::TargetState;
use flamingock_core::{BackendError, BackendErrorKind};
use rdkafka::admin::{NewTopic, TopicReplication};
use rdkafka::error::RDKafkaErrorCode;

use super::configs::{read, same};
use super::{KafkaChanges, LAG, about};
use crate::connection::{Look, Operation};
use crate::errors;

/// A topic as it is to be. What is not said is the broker's default.
///
/// ```
/// # use flamingock_target_kafka::Topic;
/// let topic = Topic::new("orders").partitions(6).replication(3).config("retention.ms", "604800000");
/// assert_eq!(topic.name(), "orders");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    name: String,
    partitions: Option<i32>,
    replication: Option<i32>,
    configs: BTreeMap<String, String>,
}

impl Topic {
    /// A topic with the broker's defaults.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), partitions: None, replication: None, configs: BTreeMap::new() }
    }

    /// How many partitions it has; at least 1.
    #[must_use]
    pub fn partitions(mut self, partitions: i32) -> Self {
        self.partitions = Some(partitions);
        self
    }

    /// On how many brokers each partition is kept; at least 1.
    #[must_use]
    pub fn replication(mut self, replicas: i32) -> Self {
        self.replication = Some(replicas);
        self
    }

    /// Sets one of its configs, such as `retention.ms`. Values are compared as the broker reads them: `0.50` is `0.5`.
    #[must_use]
    pub fn config(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.configs.insert(name.into(), value.into());
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// What the cluster has of a topic.
pub(super) struct Found {
    pub(super) partitions: i32,
    replication: i32,
    /// Every partition has a broker that leads it.
    pub(super) ready: bool,
}

impl KafkaChanges {
    /// Creates the topic, and returns when every partition has a leader. A topic that is there already and as
    /// described is left alone.
    ///
    /// # Errors
    /// `InvalidData` when there is another topic of this name, with the differences, or when the broker
    /// refuses the description; and as for [every operation](Self).
    pub async fn create_topic(&self, topic: &Topic) -> Result<(), BackendError> {
        let wanted = topic.clone();
        let create = move |operation: &Operation| create(operation, &wanted);
        self.connection.perform("create topic", about("topic", &topic.name), create).await
    }

    /// Whether the topic is there and as described: `PartiallyApplied` when it is there and differs.
    ///
    /// # Errors
    /// As for [every operation](Self).
    pub async fn topic_state(&self, topic: &Topic) -> Result<TargetState, BackendError> {
        let wanted = topic.clone();
        let state = move |operation: &Operation| {
            Ok(match compare(operation, &wanted)? {
                None => TargetState::NotApplied,
                Some(differences) if differences.is_empty() => TargetState::Applied,
                Some(_) => TargetState::PartiallyApplied,
            })
        };
        self.connection.perform("look at topic", about("topic", &topic.name), state).await
    }

    /// Takes [`create_topic`](Self::create_topic) back: deletes the topic, with its records, if it is the one
    /// described. Nothing is done when there is none.
    ///
    /// # Errors
    /// `InvalidData` when the topic of this name is another one, with the differences: it is left alone; and as
    /// for [every operation](Self).
    pub async fn remove_topic(&self, topic: &Topic) -> Result<(), BackendError> {
        let created = topic.clone();
        let remove = move |operation: &Operation| match compare(operation, &created)? {
            None => Ok(()),
            Some(differences) if differences.is_empty() => delete(operation, &created.name),
            Some(differences) => Err(operation.refuse(format!(
                "it is not the topic that was created, and is left alone: it has {}; \
                 `delete_topic` deletes any topic of a name",
                differences.join(", ")
            ))),
        };
        self.connection.perform("remove topic", about("topic", &topic.name), remove).await
    }

    /// Deletes whatever topic has this name, with its records. Nothing is done when there is none.
    ///
    /// # Errors
    /// As for [every operation](Self).
    pub async fn delete_topic(&self, name: &str) -> Result<(), BackendError> {
        let topic = name.to_owned();
        let delete = move |operation: &Operation| delete(operation, &topic);
        self.connection.perform("delete topic", about("topic", name), delete).await
    }

    /// Whether a topic of this name is gone: `Applied` when there is none, for a change that deletes it.
    ///
    /// # Errors
    /// As for [every operation](Self).
    pub async fn topic_deleted_state(&self, name: &str) -> Result<TargetState, BackendError> {
        let topic = name.to_owned();
        let state = move |operation: &Operation| {
            let gone = seek(&operation.look(None)?, &topic)?.is_none();
            Ok(if gone { TargetState::Applied } else { TargetState::NotApplied })
        };
        self.connection.perform("look at topic", about("topic", name), state).await
    }
}

fn create(operation: &Operation, topic: &Topic) -> Result<(), BackendError> {
    if topic.partitions.is_some_and(|count| count < 1) || topic.replication.is_some_and(|count| count < 1) {
        return Err(operation.refuse("a topic has one partition and one replica at least"));
    }
    let look = reach(operation, &topic.name)?;
    // -1: what the broker has as its default.
    let replication = TopicReplication::Fixed(topic.replication.unwrap_or(-1));
    let mut new = NewTopic::new(&topic.name, topic.partitions.unwrap_or(-1), replication);
    for (name, value) in &topic.configs {
        new = new.set(name, value);
    }
    // Only the controller knows whether there is one: a broker that lags behind may still show a deleted topic.
    let created = operation.ask(|admin, options| admin.create_topics([&new], options))?;
    for (_, code) in created.into_iter().filter_map(Result::err) {
        match code {
            RDKafkaErrorCode::TopicAlreadyExists => {}
            // Who may not create topics is refused before it is looked whether there is one.
            code if is_denied(code) && compare(operation, topic).is_ok_and(is_as_described) => {}
            code => return Err(operation.refused_with(code)),
        }
    }
    let is_ready = || Ok(find(&look, &topic.name)?.is_some_and(|found| found.ready));
    if !operation.wait_for(Duration::MAX, is_ready)? {
        return Err(operation.refused_with(RDKafkaErrorCode::LeaderNotAvailable));
    }
    match compare(operation, topic)? {
        Some(differences) if differences.is_empty() => Ok(()),
        Some(differences) => Err(operation.refuse(format!(
            "the topic of this name has {}; change it with `add_partitions` and `set_topic_configs`, or use another \
             name",
            differences.join(", ")
        ))),
        None => Err(operation.refused_with(RDKafkaErrorCode::LeaderNotAvailable)),
    }
}

/// In what the topic differs from its description, for as long as that may be due to a broker that lags behind.
/// `None` when there is no such topic.
fn compare(operation: &Operation, topic: &Topic) -> Result<Option<Vec<String>>, BackendError> {
    let look = operation.look(None)?;
    if seek(&look, &topic.name)?.is_none() {
        return Ok(None);
    }
    let mut compared = None;
    operation.wait_for(LAG, || {
        let found = find(&look, &topic.name)?;
        compared = found.map(|found| differences(operation, topic, &found)).transpose()?;
        Ok(compared.as_ref().is_some_and(Vec::is_empty))
    })?;
    Ok(compared)
}

fn is_as_described(compared: Option<Vec<String>>) -> bool {
    compared.is_some_and(|differences| differences.is_empty())
}

/// Whether the user lacks a permission.
pub(super) fn is_denied(code: RDKafkaErrorCode) -> bool {
    errors::kind_of(code) == BackendErrorKind::Denied
}

/// In what the topic differs from its description.
fn differences(operation: &Operation, topic: &Topic, found: &Found) -> Result<Vec<String>, BackendError> {
    let mut differences = Vec::new();
    let mut compare = |what: &str, wanted: Option<i32>, found: i32| {
        if let Some(wanted) = wanted.filter(|wanted| *wanted != found) {
            differences.push(format!("{found} {what} instead of {wanted}"));
        }
    };
    compare("partition(s)", topic.partitions, found.partitions);
    compare("replica(s)", topic.replication, found.replication);
    if !topic.configs.is_empty() {
        let configs = read(operation, &topic.name)?;
        for (name, wanted) in &topic.configs {
            match configs.get(name).and_then(|config| config.value.as_deref()) {
                value if same(value, Some(wanted)) => {}
                Some(value) => differences.push(format!("{name} = {value} instead of {wanted}")),
                None => differences.push(format!("no {name} instead of {wanted}")),
            }
        }
    }
    Ok(differences)
}

fn delete(operation: &Operation, name: &str) -> Result<(), BackendError> {
    let look = reach(operation, name)?;
    let deleted = operation.ask(|admin, options| admin.delete_topics(&[name], options))?;
    for (_, code) in deleted.into_iter().filter_map(Result::err) {
        match code {
            RDKafkaErrorCode::UnknownTopicOrPartition => {}
            code if is_denied(code) && seek(&look, name).is_ok_and(|found| found.is_none()) => {}
            code => return Err(operation.refused_with(code)),
        }
    }
    if operation.wait_for(Duration::MAX, || Ok(find(&look, name)?.is_none()))? {
        return Ok(());
    }
    Err(operation.refused_with(RDKafkaErrorCode::OperationTimedOut))
}

/// A client that has reached a broker. If not, it says why, which the admin client does not.
pub(super) fn reach<'o>(operation: &'o Operation, name: &str) -> Result<Look<'o>, BackendError> {
    let look = operation.look(None)?;
    look.metadata(name)?;
    Ok(look)
}

/// A topic that has to be there. It may be new, and the broker may not know it yet.
pub(super) fn expect(look: &Look<'_>, name: &str) -> Result<Found, BackendError> {
    let mut found = None;
    look.operation.wait_for(LAG, || {
        found = find(look, name)?;
        Ok(found.is_some())
    })?;
    found.ok_or_else(|| look.operation.refuse(format!("there is no topic `{name}`: create it first")))
}

/// The topic, if there is one: a broker that does not know it may lag behind.
fn seek(look: &Look<'_>, name: &str) -> Result<Option<Found>, BackendError> {
    let mut found = find(look, name)?;
    if found.is_some() {
        return Ok(found);
    }
    let known = exists(look.operation, name)?;
    if known == Some(false) {
        return Ok(None);
    }
    look.operation.wait_for(LAG, || {
        found = find(look, name)?;
        Ok(found.is_some())
    })?;
    if found.is_none() && known == Some(true) {
        return Err(look.operation.refused_with(RDKafkaErrorCode::LeaderNotAvailable));
    }
    Ok(found)
}

/// Whether the controller knows such a topic; `None` when the user may not ask. Nothing is created.
fn exists(operation: &Operation, name: &str) -> Result<Option<bool>, BackendError> {
    let new = NewTopic::new(name, -1, TopicReplication::Fixed(-1));
    let options = operation.options().validate_only(true);
    let answer = operation.ask(|admin, _| admin.create_topics([&new], &options))?;
    match answer.into_iter().find_map(Result::err) {
        Some((_, RDKafkaErrorCode::TopicAlreadyExists)) => Ok(Some(true)),
        Some((_, code)) if is_denied(code) => Ok(None),
        Some((_, code)) if errors::kind_of(code) != BackendErrorKind::InvalidData => {
            Err(operation.refused_with(code))
        }
        // Only what is not there is looked at any further.
        _ => Ok(Some(false)),
    }
}

/// The topic, if the broker knows one.
pub(super) fn find(look: &Look<'_>, name: &str) -> Result<Option<Found>, BackendError> {
    let metadata = look.metadata(name)?;
    let Some(topic) = metadata.topics().iter().find(|topic| topic.name() == name) else { return Ok(None) };
    match topic.error().map(RDKafkaErrorCode::from) {
        None | Some(RDKafkaErrorCode::LeaderNotAvailable) => {}
        Some(RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownTopicOrPartition) => return Ok(None),
        Some(code) => return Err(look.operation.refused_with(code)),
    }
    let partitions = topic.partitions();
    let count = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    Ok(Some(Found {
        partitions: count(partitions.len()),
        replication: count(partitions.iter().map(|partition| partition.replicas().len()).min().unwrap_or(0)),
        ready: !partitions.is_empty() && partitions.iter().all(|partition| partition.leader() >= 0),
    }))
}
