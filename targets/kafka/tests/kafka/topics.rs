//! Topics and partitions.

use flamingock_core::BackendErrorKind;
use flamingock_core::change::TargetState;
use flamingock_target_kafka::{Record, Topic};

use crate::proxy;
use crate::server::{Broker, PASSWORD, changes, committed, config, context, kafka, name, permit, target};

pub(crate) async fn a_topic_is_created_as_described() {
    let (kafka, topic) = (kafka(), Topic::new(name("orders")).partitions(3).replication(1));
    let topic = topic.config("cleanup.policy", "compact").config("retention.ms", "3600000");
    assert_eq!(kafka.topic_state(&topic).await.unwrap(), TargetState::NotApplied);
    kafka.create_topic(&topic).await.unwrap();
    assert_eq!(kafka.topic_state(&topic).await.unwrap(), TargetState::Applied);
    assert_eq!(kafka.partitions_state(topic.name(), 3).await.unwrap(), TargetState::Applied);
    let configs = [("cleanup.policy", "compact"), ("retention.ms", "3600000")];
    assert_eq!(kafka.topic_configs_state(topic.name(), &configs).await.unwrap(), TargetState::Applied);
}

pub(crate) async fn a_topic_that_is_created_twice_is_created_once() {
    let (kafka, topic) = (kafka(), Topic::new(name("orders")).partitions(2));
    kafka.create_topic(&topic).await.unwrap();
    kafka.produce(&context(topic.name(), "seed", 1), [Record::to(topic.name()).value("kept")]).await.unwrap();
    kafka.create_topic(&topic).await.unwrap();
    assert_eq!(kafka.topic_state(&topic).await.unwrap(), TargetState::Applied);
    assert_eq!(committed(topic.name()).await, ["kept"]);
}

pub(crate) async fn another_topic_of_the_same_name_is_told_and_left_alone() {
    let (kafka, name) = (kafka(), name("orders"));
    kafka.create_topic(&Topic::new(&name).partitions(1)).await.unwrap();
    let wanted = Topic::new(&name).partitions(3).replication(2).config("cleanup.policy", "compact");
    assert_eq!(kafka.topic_state(&wanted).await.unwrap(), TargetState::PartiallyApplied);
    let error = kafka.create_topic(&wanted).await.unwrap_err();
    assert_eq!(error.kind(), BackendErrorKind::InvalidData);
    let error = error.to_string();
    for part in [
        "create topic failed",
        "1 partition(s) instead of 3",
        "1 replica(s) instead of 2",
        "cleanup.policy = delete instead of compact",
        "add_partitions",
        &name,
        "127.0.0.1",
    ] {
        assert!(error.contains(part), "no `{part}` in: {error}");
    }
    assert_eq!(kafka.partitions_state(&name, 1).await.unwrap(), TargetState::Applied);
}

pub(crate) async fn a_topic_is_removed_with_its_records() {
    let (kafka, topic) = (kafka(), Topic::new(name("orders")));
    kafka.remove_topic(&topic).await.unwrap();
    kafka.create_topic(&topic).await.unwrap();
    kafka.produce(&context(topic.name(), "seed", 1), [Record::to(topic.name()).value("gone")]).await.unwrap();
    kafka.remove_topic(&topic).await.unwrap();
    assert_eq!(kafka.topic_state(&topic).await.unwrap(), TargetState::NotApplied);
    kafka.remove_topic(&topic).await.unwrap();
    kafka.create_topic(&topic).await.unwrap();
    assert!(committed(topic.name()).await.is_empty());
}

pub(crate) async fn a_topic_that_somebody_else_has_made_is_not_removed() {
    let (kafka, name) = (kafka(), name("orders"));
    let (theirs, ours) = (Topic::new(&name).partitions(2), Topic::new(&name).partitions(5));
    kafka.create_topic(&theirs).await.unwrap();
    let error = kafka.remove_topic(&ours).await.unwrap_err();
    assert!(error.to_string().contains("left alone: it has 2 partition(s) instead of 5"), "{error}");
    assert_eq!(kafka.topic_state(&theirs).await.unwrap(), TargetState::Applied);
}

pub(crate) async fn a_topic_that_is_deleted_twice_is_deleted_once() {
    let (kafka, topic) = (kafka(), Topic::new(name("orders")).partitions(2));
    kafka.create_topic(&topic).await.unwrap();
    assert_eq!(kafka.topic_deleted_state(topic.name()).await.unwrap(), TargetState::NotApplied);
    for _ in 0..2 {
        kafka.delete_topic(topic.name()).await.unwrap();
        assert_eq!(kafka.topic_deleted_state(topic.name()).await.unwrap(), TargetState::Applied);
    }
}

pub(crate) async fn partitions_are_added_up_to_a_number() {
    let (kafka, topic) = (kafka(), Topic::new(name("orders")).partitions(2));
    kafka.create_topic(&topic).await.unwrap();
    assert_eq!(kafka.partitions_state(topic.name(), 5).await.unwrap(), TargetState::NotApplied);
    for _ in 0..2 {
        kafka.add_partitions(topic.name(), 5).await.unwrap();
        assert_eq!(kafka.partitions_state(topic.name(), 5).await.unwrap(), TargetState::Applied);
    }
}

pub(crate) async fn partitions_cannot_be_taken_away() {
    let (kafka, topic) = (kafka(), Topic::new(name("orders")).partitions(4));
    kafka.create_topic(&topic).await.unwrap();
    let error = kafka.add_partitions(topic.name(), 3).await.unwrap_err();
    assert_eq!(error.kind(), BackendErrorKind::InvalidData);
    assert!(error.to_string().contains("it has 4 partitions, and 3 are asked for"), "{error}");
    assert_eq!(kafka.partitions_state(topic.name(), 3).await.unwrap(), TargetState::PartiallyApplied);
}

pub(crate) async fn what_the_broker_refuses_is_told() {
    let kafka = kafka();
    for (topic, told) in [
        (Topic::new("no/such:name"), "Invalid topic"),
        (Topic::new(name("orders")).replication(3), "no more replicas than there are brokers"),
        (Topic::new(name("orders")).config("retention.ms", "for ever"), "InvalidConfig"),
        (Topic::new(name("orders")).partitions(0), "one partition"),
        (Topic::new("nul\0"), "create topic failed"),
        (Topic::new(""), "create topic failed"),
    ] {
        let error = kafka.create_topic(&topic).await.unwrap_err();
        assert_eq!(error.kind(), BackendErrorKind::InvalidData, "{error}");
        assert!(error.to_string().contains(told), "no `{told}` in: {error}");
    }
}

pub(crate) async fn a_topic_that_a_broker_does_not_know_yet_is_not_taken_for_absent() {
    let topic = Topic::new(name("orders"));
    kafka().create_topic(&topic).await.unwrap();
    let proxy = proxy::hiding(&Broker::find().unwrap().plain, topic.name()).await.unwrap();
    let lagging = changes(&target(config(&proxy.address())));
    let (state, deleted, removed) = tokio::join!(
        lagging.topic_state(&topic),
        lagging.topic_deleted_state(topic.name()),
        lagging.remove_topic(&topic),
    );
    for error in [state.unwrap_err(), deleted.unwrap_err(), removed.unwrap_err()] {
        assert_eq!(error.kind(), BackendErrorKind::Unavailable, "{error}");
    }
    assert_eq!(kafka().topic_state(&topic).await.unwrap(), TargetState::Applied);
}

pub(crate) async fn what_is_so_already_needs_no_permission() {
    const DESCRIBE: u8 = 8;
    let (topic, absent) = (Topic::new(name("orders")).partitions(2), name("absent"));
    kafka().create_topic(&topic).await.unwrap();
    permit(true, DESCRIBE, topic.name()).await;
    permit(true, DESCRIBE, &absent).await;
    let guest = changes(&target(Broker::find().unwrap().sasl("guest", PASSWORD)));
    guest.create_topic(&topic).await.unwrap();
    guest.add_partitions(topic.name(), 2).await.unwrap();
    guest.delete_topic(&absent).await.unwrap();
    guest.remove_topic(&Topic::new(&absent)).await.unwrap();
    assert_eq!(guest.topic_state(&Topic::new(&absent)).await.unwrap(), TargetState::NotApplied);
    for error in [
        guest.create_topic(&topic.clone().partitions(3)).await.unwrap_err(),
        guest.add_partitions(topic.name(), 3).await.unwrap_err(),
        guest.delete_topic(topic.name()).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), BackendErrorKind::Denied, "{error}");
    }
    assert_eq!(kafka().topic_state(&topic).await.unwrap(), TargetState::Applied);
}
