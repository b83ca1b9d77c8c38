//! Configs of topics.

use flamingock_core::BackendErrorKind;
use flamingock_core::change::TargetState;
use flamingock_target_kafka::{KafkaChanges, Topic};

use crate::server::{kafka, name};

async fn topic(kafka: &KafkaChanges) -> String {
    let topic =
        Topic::new(name("configured")).config("retention.ms", "3600000").config("segment.ms", "600000");
    kafka.create_topic(&topic).await.unwrap();
    topic.name().to_owned()
}

pub(crate) async fn configs_are_set_and_the_others_stay() {
    let kafka = kafka();
    let topic = topic(&kafka).await;
    let wanted = [("retention.ms", "7200000"), ("cleanup.policy", "compact")];
    assert_eq!(kafka.topic_configs_state(&topic, &wanted).await.unwrap(), TargetState::NotApplied);
    kafka.set_topic_configs(&topic, &[("retention.ms", "7200000")]).await.unwrap();
    assert_eq!(kafka.topic_configs_state(&topic, &wanted).await.unwrap(), TargetState::PartiallyApplied);
    kafka.set_topic_configs(&topic, &wanted).await.unwrap();
    assert_eq!(kafka.topic_configs_state(&topic, &wanted).await.unwrap(), TargetState::Applied);
    let other = [("segment.ms", "600000")];
    assert_eq!(kafka.topic_configs_state(&topic, &other).await.unwrap(), TargetState::Applied);
}

pub(crate) async fn configs_that_are_set_twice_are_set_once() {
    let kafka = kafka();
    let topic = topic(&kafka).await;
    for _ in 0..2 {
        kafka.set_topic_configs(&topic, &[("max.message.bytes", "2000000")]).await.unwrap();
    }
    let all = [("max.message.bytes", "2000000"), ("retention.ms", "3600000"), ("segment.ms", "600000")];
    assert_eq!(kafka.topic_configs_state(&topic, &all).await.unwrap(), TargetState::Applied);
}

pub(crate) async fn configs_may_be_written_in_another_way_than_the_broker_does() {
    let kafka = kafka();
    let written = [("min.cleanable.dirty.ratio", "0.50"), ("cleanup.policy", "compact, delete")];
    let shown = [("min.cleanable.dirty.ratio", "0.5"), ("cleanup.policy", "compact,delete")];
    let topic = topic(&kafka).await;
    for _ in 0..2 {
        kafka.set_topic_configs(&topic, &written).await.unwrap();
    }
    for configs in [&written, &shown] {
        assert_eq!(kafka.topic_configs_state(&topic, configs).await.unwrap(), TargetState::Applied);
    }
    let topic =
        Topic::new(name("configured")).config(written[0].0, written[0].1).config("preallocate", "FALSE");
    for _ in 0..2 {
        kafka.create_topic(&topic).await.unwrap();
    }
    assert_eq!(kafka.topic_state(&topic).await.unwrap(), TargetState::Applied);
}

pub(crate) async fn configs_are_taken_away_again() {
    let kafka = kafka();
    let topic = topic(&kafka).await;
    for _ in 0..2 {
        kafka.reset_topic_configs(&topic, &["retention.ms"]).await.unwrap();
    }
    // A week is what the broker has for all.
    let left = [("retention.ms", "604800000"), ("segment.ms", "600000")];
    assert_eq!(kafka.topic_configs_state(&topic, &left).await.unwrap(), TargetState::Applied);
}

pub(crate) async fn what_a_topic_has_by_default_counts() {
    let kafka = kafka();
    let topic = topic(&kafka).await;
    let wanted = [("cleanup.policy", "delete")];
    assert_eq!(kafka.topic_configs_state(&topic, &wanted).await.unwrap(), TargetState::Applied);
}

pub(crate) async fn a_value_that_the_broker_does_not_take_is_told() {
    let kafka = kafka();
    let topic = topic(&kafka).await;
    for (name, value) in [("retention.ms", "for ever"), ("no.such.config", "1")] {
        let error = kafka.set_topic_configs(&topic, &[(name, value)]).await.unwrap_err();
        assert_eq!(error.kind(), BackendErrorKind::InvalidData);
        let error = error.to_string();
        assert!(error.contains(name) && error.contains(&format!("instead of `{value}`")), "{error}");
    }
    let kept = [("retention.ms", "3600000"), ("segment.ms", "600000")];
    assert_eq!(kafka.topic_configs_state(&topic, &kept).await.unwrap(), TargetState::Applied);
}
