use std::collections::BTreeMap;
use std::time::Duration;

use flamingock_core::change::TargetState;
use flamingock_core::{BackendError, BackendErrorKind};
use rdkafka::admin::{AlterConfig, ConfigEntry, ConfigSource, ResourceSpecifier};

use super::topic::look_at;
use super::{KafkaChanges, about};
use crate::connection::Operation;

/// How long a broker that took a change may take to show it.
const SHOWN: Duration = Duration::from_secs(5);

impl KafkaChanges {
    /// Sets configs of a topic, such as `retention.ms`; the topic's other configs stay as they are.
    ///
    /// The driver can only replace all configs of a topic at once: they are read, merged, written, and read
    /// again. So no other process should change the same topic's configs at the same time.
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
            look_at(operation, &name)?.ok_or_else(|| operation.no_topic())?;
            let found = read(operation, &name)?;
            let has = |(name, value): &&(String, String)| {
                found.get(name).is_some_and(|config| config.value.as_ref() == Some(value))
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

/// All configs of a topic; none when there is no such topic, which the driver does not tell.
pub(super) fn read(
    operation: &Operation,
    topic: &str,
) -> Result<BTreeMap<String, ConfigEntry>, BackendError> {
    let topic = ResourceSpecifier::Topic(topic);
    let read = operation.ask(|admin, options| admin.describe_configs([&topic], options))?;
    let mut configs = BTreeMap::new();
    for resource in read {
        let resource = resource.map_err(|code| operation.refused_with(code))?;
        configs.extend(resource.entries.into_iter().map(|entry| (entry.name.clone(), entry)));
    }
    Ok(configs)
}

/// The configs that were set for this topic.
fn own(operation: &Operation, topic: &str) -> Result<BTreeMap<String, String>, BackendError> {
    let own = read(operation, topic)?.into_values().filter(|c| c.source == ConfigSource::DynamicTopic);
    let value = |config: ConfigEntry| match config.value {
        Some(value) => Ok((config.name, value)),
        // Written back without it, it would be lost.
        None => Err(operation.error(
            BackendErrorKind::Denied,
            format!("the broker does not show the value of `{}`, so that it would be lost", config.name),
        )),
    };
    own.map(value).collect()
}

fn change(
    operation: &Operation,
    topic: &str,
    changes: &BTreeMap<String, Option<String>>,
) -> Result<(), BackendError> {
    look_at(operation, topic)?.ok_or_else(|| operation.no_topic())?;
    let mut wanted = own(operation, topic)?;
    let before = wanted.clone();
    for (name, value) in changes {
        match value {
            Some(value) => wanted.insert(name.clone(), value.clone()),
            None => wanted.remove(name),
        };
    }
    if wanted == before {
        return Ok(());
    }
    let mut alter = AlterConfig::new(ResourceSpecifier::Topic(topic));
    alter.entries = wanted.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let altered = operation.ask(|admin, options| admin.alter_configs([&alter], options))?;
    if let Some((_, code)) = altered.into_iter().find_map(Result::err) {
        return Err(operation.refused_with(code));
    }
    // The driver does not tell whether the broker refused it.
    let mut found = BTreeMap::new();
    let taken = operation.wait_for(SHOWN, || {
        found = own(operation, topic)?;
        Ok(found == wanted)
    })?;
    if taken {
        return Ok(());
    }
    let shown = |value: Option<&String>| value.map_or("the default".to_owned(), |value| format!("`{value}`"));
    let differs: Vec<_> = wanted
        .keys()
        .chain(found.keys().filter(|name| !wanted.contains_key(*name)))
        .filter(|name| wanted.get(*name) != found.get(*name))
        .map(|name| format!("{name} is {} instead of {}", shown(found.get(name)), shown(wanted.get(name))))
        .collect();
    Err(operation.refuse(format!(
        "the broker did not take it over: {}; check names, values and the permission to alter configs",
        differs.join(", ")
    )))
}
