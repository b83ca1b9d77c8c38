//! Offsets of consumer groups.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use flamingock_core::BackendErrorKind;
use flamingock_core::change::TargetState;
use flamingock_target_kafka::rdkafka::consumer::{BaseConsumer, Consumer};
use flamingock_target_kafka::{KafkaChanges, Offsets, Record, Topic};

use crate::server::{Broker, TIMEOUT, context, kafka, name};

/// With three records in partition 0 and one in partition 1.
async fn topic(kafka: &KafkaChanges) -> String {
    let topic = Topic::new(name("read")).partitions(2);
    kafka.create_topic(&topic).await.unwrap();
    produce(kafka, topic.name(), "seed", &[0, 0, 0, 1]).await;
    topic.name().to_owned()
}

async fn produce(kafka: &KafkaChanges, topic: &str, change: &str, partitions: &[i32]) {
    let records = partitions.iter().map(|partition| Record::to(topic).partition(*partition).value("x"));
    // One service produces one thing at a time.
    kafka.produce(&context(topic, change, 1), records).await.unwrap();
}

pub(crate) async fn offsets_are_reset_to_the_beginning_and_the_end() {
    let (kafka, group) = (kafka(), name("group"));
    let topic = topic(&kafka).await;
    assert!(kafka.committed_offsets(&group, &topic).await.unwrap().is_empty());
    // The mark that a transaction ends with stands in the log, too.
    for (offsets, at) in [(Offsets::Latest, [4, 2]), (Offsets::Earliest, [0, 0])] {
        assert_eq!(kafka.offsets_state(&group, &topic, &offsets).await.unwrap(), TargetState::NotApplied);
        for _ in 0..2 {
            kafka.reset_offsets(&group, &topic, &offsets).await.unwrap();
            assert_eq!(kafka.offsets_state(&group, &topic, &offsets).await.unwrap(), TargetState::Applied);
            let found = kafka.committed_offsets(&group, &topic).await.unwrap();
            assert_eq!(found, BTreeMap::from([(0, at[0]), (1, at[1])]));
        }
    }
}

pub(crate) async fn offsets_are_reset_to_a_time() {
    let (kafka, group) = (kafka(), name("group"));
    let topic = topic(&kafka).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    produce(&kafka, &topic, "more", &[0]).await;
    let since = Offsets::Since(i64::try_from(now).unwrap());
    kafka.reset_offsets(&group, &topic, &since).await.unwrap();
    let found = kafka.committed_offsets(&group, &topic).await.unwrap();
    assert_eq!(found, BTreeMap::from([(0, 4), (1, 2)]));
    assert_eq!(kafka.offsets_state(&group, &topic, &since).await.unwrap(), TargetState::Applied);
}

pub(crate) async fn offsets_are_reset_to_what_they_were() {
    let (kafka, group) = (kafka(), name("group"));
    let topic = topic(&kafka).await;
    let exactly = Offsets::Exactly(BTreeMap::from([(0, 2), (1, 1)]));
    kafka.reset_offsets(&group, &topic, &exactly).await.unwrap();
    let before = kafka.committed_offsets(&group, &topic).await.unwrap();
    kafka.reset_offsets(&group, &topic, &Offsets::Earliest).await.unwrap();
    kafka.reset_offsets(&group, &topic, &Offsets::Exactly(BTreeMap::from([(0, 2)]))).await.unwrap();
    assert_eq!(kafka.offsets_state(&group, &topic, &exactly).await.unwrap(), TargetState::PartiallyApplied);
    kafka.reset_offsets(&group, &topic, &Offsets::Exactly(before)).await.unwrap();
    assert_eq!(kafka.offsets_state(&group, &topic, &exactly).await.unwrap(), TargetState::Applied);
}

pub(crate) async fn offsets_that_do_not_exist_are_refused() {
    let (kafka, group) = (kafka(), name("group"));
    let topic = topic(&kafka).await;
    for (offsets, told) in [([(7, 0)], "no partition 7, but 2 in all"), ([(0, 99)], "no offset 99")] {
        let offsets = Offsets::Exactly(BTreeMap::from(offsets));
        let error = kafka.reset_offsets(&group, &topic, &offsets).await.unwrap_err();
        assert_eq!(error.kind(), BackendErrorKind::InvalidData);
        assert!(error.to_string().contains(told), "{error}");
    }
    let error = kafka.reset_offsets(&group, &name("absent"), &Offsets::Earliest).await.unwrap_err();
    assert_eq!(error.kind(), BackendErrorKind::InvalidData);
    assert!(kafka.committed_offsets(&group, &topic).await.unwrap().is_empty());
}

pub(crate) async fn a_group_with_active_consumers_is_not_touched() {
    let (kafka, group) = (kafka(), name("group"));
    let topic = topic(&kafka).await;
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let (joined, has_joined) = tokio::sync::oneshot::channel();
    let (group_id, of) = (group.clone(), topic.clone());
    let consuming = tokio::task::spawn_blocking(move || {
        let mut config = Broker::find().unwrap().config();
        config.set("group.id", group_id).set("enable.auto.commit", "false");
        let consumer: BaseConsumer = config.set("auto.offset.reset", "earliest").create().unwrap();
        consumer.subscribe(&[&of]).unwrap();
        let since = Instant::now();
        while consumer.poll(Duration::from_millis(50)).is_none() {
            assert!(since.elapsed() < TIMEOUT, "no record in time");
        }
        joined.send(()).unwrap();
        while stopped.try_recv().is_err() {
            let _ = consumer.poll(Duration::from_millis(50));
        }
    });
    has_joined.await.unwrap();
    let error = kafka.reset_offsets(&group, &topic, &Offsets::Latest).await.unwrap_err();
    assert!(error.to_string().contains("stop the group's consumers first"), "{error}");
    assert!(error.to_string().contains(&group), "{error}");
    stop.send(()).unwrap();
    consuming.await.unwrap();
    kafka.reset_offsets(&group, &topic, &Offsets::Latest).await.unwrap();
    assert_eq!(kafka.committed_offsets(&group, &topic).await.unwrap(), BTreeMap::from([(0, 4), (1, 2)]));
}
