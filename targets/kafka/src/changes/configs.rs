use std::collections::BTreeMap;

use flamingock_core::change::TargetState;
use flamingock_core::{BackendError, BackendErrorKind};
use futures_util::future::try_join_all;
use rdkafka::admin::{AlterConfig, ConfigEntry, ConfigResourceResult, ConfigSource, ResourceSpecifier};

use super::topic::expect;
use super::{KafkaChanges, LAG, about};
use crate::connection::Operation;

/// What a broker shows of a topic's configs, by name.
type Configs = BTreeMap<String, ConfigEntry>;

impl KafkaChanges {
    /// Sets configs of a topic, such as `retention.ms`; the topic's other configs stay as they are.
    ///
    /// The driver can only replace all configs of a topic at once: they are read, merged, written, and read
    /// again. So no other process should change the same topic's configs at the same time. They are read from
    /// every broker, and nothing is written unless all show the same.
    ///
    /// # Errors
    /// `InvalidData` when there is no such topic, or when the broker did not take over what was written;
    /// and as for [every operation](Self).
    pub async fn set_topic_configs(&self, topic: &str, configs: &[(&str, &str)]) -> Result<(), BackendError> {
        let changes = configs.iter().map(|(name, value)| ((*name).to_owned(), Some((*value).to_owned())));
        self.change_configs("set topic configs", topic, changes.collect()).await
    }

    /// Takes configs of a topic away, so that the broker's defaults count again; the others stay as they are.
    ///
    /// # Errors
    /// As [`set_topic_configs`](Self::set_topic_configs).
    pub async fn reset_topic_configs(&self, topic: &str, names: &[&str]) -> Result<(), BackendError> {
        let changes = names.iter().map(|name| ((*name).to_owned(), None));
        self.change_configs("reset topic configs", topic, changes.collect()).await
    }

    /// Whether the topic has these configs, be it by default: `PartiallyApplied` when it has some of them.
    ///
    /// # Errors
    /// `InvalidData` when there is no such topic; and as for [every operation](Self).
    pub async fn topic_configs_state(
        &self,
        topic: &str,
        configs: &[(&str, &str)],
    ) -> Result<TargetState, BackendError> {
        let wanted: Vec<_> =
            configs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let name = topic.to_owned();
        let state = move |operation: &Operation| {
            expect(&operation.look(None)?, &name)?;
            let found = read(operation, &name)?;
            let has = |(name, value): &&(String, String)| {
                found.get(name).is_some_and(|config| same(config.value.as_deref(), Some(value)))
            };
            Ok(super::state(wanted.iter().filter(has).count(), wanted.len()))
        };
        self.connection.perform("look at topic configs", about("topic", topic), state).await
    }

    async fn change_configs(
        &self,
        name: &'static str,
        topic: &str,
        changes: BTreeMap<String, Option<String>>,
    ) -> Result<(), BackendError> {
        let topic_name = topic.to_owned();
        let change = move |operation: &Operation| change(operation, &topic_name, &changes);
        self.connection.perform(name, about("topic", topic), change).await
    }
}

/// All configs of a topic. Each broker answers from its own copy of them, which may be an old one: they are taken
/// for true when all brokers show the same.
pub(super) fn read(operation: &Operation, topic: &str) -> Result<Configs, BackendError> {
    let (look, resource) = (operation.look(None)?, ResourceSpecifier::Topic(topic));
    let mut shown: Vec<Configs> = Vec::new();
    let agreed = operation.wait_for(LAG, || {
        let metadata = look.metadata(topic)?;
        let brokers = metadata.brokers().iter().map(|broker| broker.id());
        let answers =
            operation.ask(|admin, _| {
                try_join_all(brokers.map(|broker| {
                    admin.describe_configs([&resource], &operation.options().broker_id(broker))
                }))
            })?;
        shown = answers.into_iter().map(|answer| entries(operation, answer)).collect::<Result<_, _>>()?;
        // The driver does not tell that a broker refuses, or does not know the topic: there are no entries then. A
        // topic without any does not exist.
        Ok(shown.iter().all(|configs| !configs.is_empty() && own(configs).eq(own(&shown[0]))))
    })?;
    let nobody_shows_any = shown.iter().all(BTreeMap::is_empty);
    match shown.pop() {
        Some(configs) if agreed => Ok(configs),
        _ if nobody_shows_any => Err(operation.error(
            BackendErrorKind::Denied,
            "no broker shows the topic's configs; grant the user `DescribeConfigs` on it",
        )),
        _ => Err(operation.error(
            BackendErrorKind::Unavailable,
            "the brokers show different configs of the topic: one of them lags behind; check that all of them run, \
             and try again",
        )),
    }
}

fn entries(operation: &Operation, answer: Vec<ConfigResourceResult>) -> Result<Configs, BackendError> {
    let mut configs = BTreeMap::new();
    for resource in answer {
        let resource = resource.map_err(|code| operation.refused_with(code))?;
        configs.extend(resource.entries.into_iter().map(|entry| (entry.name.clone(), entry)));
    }
    Ok(configs)
}

/// The configs that were set for this topic.
fn own(configs: &Configs) -> impl Iterator<Item = (&str, Option<&str>)> {
    let own = configs.values().filter(|config| config.source == ConfigSource::DynamicTopic);
    own.map(|config| (config.name.as_str(), config.value.as_deref()))
}

fn change(
    operation: &Operation,
    topic: &str,
    changes: &BTreeMap<String, Option<String>>,
) -> Result<(), BackendError> {
    expect(&operation.look(None)?, topic)?;
    let before = read(operation, topic)?;
    if differences(&before, changes).is_empty() {
        return Ok(());
    }
    let mut alter = AlterConfig::new(ResourceSpecifier::Topic(topic));
    for (name, value) in own(&before).filter(|(name, _)| !changes.contains_key(*name)) {
        let value = value.ok_or_else(|| {
            // Written back without it, it would be lost.
            let message = format!("the broker does not show the value of `{name}`, so that it would be lost");
            operation.error(BackendErrorKind::Denied, message)
        })?;
        alter = alter.set(name, value);
    }
    for (name, value) in changes {
        if let Some(value) = value {
            alter = alter.set(name, value);
        }
    }
    let altered = operation.ask(|admin, options| admin.alter_configs([&alter], options))?;
    if let Some((_, code)) = altered.into_iter().find_map(Result::err) {
        return Err(operation.refused_with(code));
    }
    // The driver does not tell whether the broker refused it.
    let mut left = Vec::new();
    let taken = operation.wait_for(LAG, || {
        left = differences(&read(operation, topic)?, changes);
        Ok(left.is_empty())
    })?;
    if taken {
        return Ok(());
    }
    Err(operation.refuse(format!(
        "the broker did not take it over: {}; check names and the permission to alter configs, and write values as \
         the broker does",
        left.join(", ")
    )))
}

/// What is not as it is to be.
fn differences(found: &Configs, changes: &BTreeMap<String, Option<String>>) -> Vec<String> {
    let found: BTreeMap<_, _> = own(found).collect();
    let shown = |value: Option<&str>| value.map_or("the default".to_owned(), |value| format!("`{value}`"));
    let mut differences = Vec::new();
    for (name, wanted) in changes {
        let (found, wanted) = (found.get(name.as_str()).copied().flatten(), wanted.as_deref());
        if !same(found, wanted) {
            differences.push(format!("{name} is {} instead of {}", shown(found), shown(wanted)));
        }
    }
    differences
}

/// Whether it is the same to the broker, which shows `0.5` where `0.50` was written, and `a,b` for `a, b`.
pub(super) fn same(one: Option<&str>, other: Option<&str>) -> bool {
    let read = |value: &str| value.split(',').map(|part| canonical(part.trim())).collect::<Vec<_>>();
    one.map(read) == other.map(read)
}

fn canonical(part: &str) -> String {
    if let Ok(number) = part.parse::<i64>() {
        return number.to_string();
    }
    if let Ok(number) = part.parse::<f64>() {
        return number.to_string();
    }
    match part.to_ascii_lowercase() {
        truth if truth == "true" || truth == "false" => truth,
        _ => part.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::same;

    #[test]
    fn values_are_compared_as_the_broker_reads_them() {
        for (shown, written) in [
            ("compact", "compact"),
            ("0.5", "0.50"),
            ("1.0E-4", "0.0001"),
            ("1.0", "1"),
            ("604800000", " 0604800000 "),
            ("true", "TRUE"),
            ("compact,delete", "compact, delete"),
            ("", ""),
        ] {
            assert!(same(Some(shown), Some(written)), "{shown} {written}");
        }
        for (shown, written) in [
            ("0.5", "0.51"),
            ("9223372036854775807", "9223372036854775806"),
            ("compact", "Compact"),
            ("compact,delete", "compact"),
            ("a b", "ab"),
            ("", "0"),
        ] {
            assert!(!same(Some(shown), Some(written)), "{shown} {written}");
        }
        assert!(same(None, None) && !same(None, Some("")));
    }
}
