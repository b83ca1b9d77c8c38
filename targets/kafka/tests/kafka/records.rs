//! Records in transactions.

use flamingock_core::BackendErrorKind;
use flamingock_core::change::TargetState;
use flamingock_target_kafka::rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use flamingock_target_kafka::{KafkaChanges, Record, Topic};

use crate::server::{Broker, TIMEOUT, committed, context, kafka, name};

async fn topic(kafka: &KafkaChanges) -> String {
    let topic = Topic::new(name("records"));
    kafka.create_topic(&topic).await.unwrap();
    topic.name().to_owned()
}

fn records(topic: &str, values: &[&str]) -> Vec<Record> {
    values.iter().map(|value| Record::to(topic).key(*value).value(*value)).collect()
}

pub(crate) async fn records_are_produced_once_however_often_the_change_is_applied() {
    let (kafka, service) = (kafka(), name("service"));
    let topic = topic(&kafka).await;
    let state =
        async |token| kafka.produced_state(&context(&service, "seed", token), &[&topic]).await.unwrap();
    assert_eq!(state(1).await, TargetState::NotApplied);
    for token in 1..=3 {
        kafka.produce(&context(&service, "seed", token), records(&topic, &["a", "b"])).await.unwrap();
        assert_eq!(state(token).await, TargetState::Applied);
    }
    assert_eq!(committed(&topic).await, ["a", "b"]);
}

pub(crate) async fn records_are_taken_back_only_where_they_are() {
    let (kafka, service) = (kafka(), name("service"));
    let topic = topic(&kafka).await;
    let change = context(&service, "seed", 1);
    let undo = || [Record::to(&topic).key("a")];
    // Nothing is there yet.
    kafka.unproduce(&change, undo()).await.unwrap();
    assert!(committed(&topic).await.is_empty());
    kafka.produce(&change, records(&topic, &["a"])).await.unwrap();
    for _ in 0..2 {
        kafka.unproduce(&change, undo()).await.unwrap();
        assert_eq!(kafka.produced_state(&change, &[&topic]).await.unwrap(), TargetState::NotApplied);
    }
    assert_eq!(committed(&topic).await, ["a", "-"]);
    kafka.produce(&change, records(&topic, &["a"])).await.unwrap();
    assert_eq!(kafka.produced_state(&change, &[&topic]).await.unwrap(), TargetState::Applied);
    assert_eq!(committed(&topic).await, ["a", "-", "a"]);
}

pub(crate) async fn a_refused_record_leaves_none_of_the_others() {
    let kafka = kafka();
    let topic = topic(&kafka).await;
    kafka.set_topic_configs(&topic, &[("max.message.bytes", "1000")]).await.unwrap();
    let change = context(&name("service"), "seed", 1);
    let large = "x".repeat(5000);
    let error = kafka.produce(&change, records(&topic, &["a", &large, "b"])).await.unwrap_err();
    assert_eq!(error.kind(), BackendErrorKind::InvalidData, "{error}");
    assert!(error.to_string().contains("max.message.bytes"), "{error}");
    assert!(committed(&topic).await.is_empty());
    assert_eq!(kafka.produced_state(&change, &[&topic]).await.unwrap(), TargetState::NotApplied);
    kafka.produce(&change, records(&topic, &["a"])).await.unwrap();
    assert_eq!(committed(&topic).await, ["a"]);
}

pub(crate) async fn an_aborted_transaction_is_not_seen() {
    let kafka = kafka();
    let topic = topic(&kafka).await;
    let change = context(&name("service"), "seed", 1);
    let mut transaction = kafka.transaction(&change, &[&topic]).await.unwrap().unwrap();
    for record in records(&topic, &["a", "b"]) {
        transaction.send(&record).await.unwrap();
    }
    transaction.abort().await.unwrap();
    assert!(committed(&topic).await.is_empty());
    assert_eq!(kafka.produced_state(&change, &[&topic]).await.unwrap(), TargetState::NotApplied);
}

pub(crate) async fn a_dropped_transaction_is_not_seen_and_holds_nobody_up() {
    let kafka = kafka();
    let topic = topic(&kafka).await;
    let change = context(&name("service"), "seed", 1);
    let mut transaction = kafka.transaction(&change, &[&topic]).await.unwrap().unwrap();
    transaction.send(&Record::to(&topic).value("a")).await.unwrap();
    drop(transaction);
    kafka.produce(&context(&name("other"), "seed", 1), records(&topic, &["b"])).await.unwrap();
    // An open transaction before it would hide it.
    let mut seen = committed(&topic).await;
    for _ in 0..50 {
        if !seen.is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        seen = committed(&topic).await;
    }
    assert_eq!(seen, ["b"]);
}

pub(crate) async fn a_stale_producer_is_fenced_by_the_broker() {
    let (kafka, service) = (kafka(), name("service"));
    let topic = topic(&kafka).await;
    // A run that is paused with its transaction open, as the broker sees it.
    let stale = kafka.transaction(&context(&service, "seed", 1), &[&topic]).await.unwrap();
    let mut stale = stale.unwrap();
    stale.send(&Record::to(&topic).value("stale")).await.unwrap();
    // Its successor does not wait for it.
    kafka.produce(&context(&service, "seed", 2), records(&topic, &["new"])).await.unwrap();
    let error = stale.commit().await.unwrap_err();
    assert_eq!(error.kind(), BackendErrorKind::LeaseLost, "{error}");
    assert!(error.to_string().contains("another run of this service has taken over"), "{error}");
    assert_eq!(committed(&topic).await, ["new"]);

    // The same for one that knows nothing of the helper: it is the broker that refuses it.
    let raw: FutureProducer = Broker::find()
        .unwrap()
        .config()
        .set("transactional.id", format!("flamingock/{service}//events"))
        .create()
        .unwrap();
    let owned = topic.clone();
    let raw = tokio::task::spawn_blocking(move || {
        raw.init_transactions(TIMEOUT).unwrap();
        raw.begin_transaction().unwrap();
        drop(raw.send_result(FutureRecord::<str, str>::to(&owned).payload("raw")));
        raw
    });
    let raw = raw.await.unwrap();
    kafka.produce(&context(&service, "next", 3), records(&topic, &["newer"])).await.unwrap();
    let refused = tokio::task::spawn_blocking(move || raw.commit_transaction(TIMEOUT)).await.unwrap();
    assert!(refused.unwrap_err().to_string().contains("fenced"));
    assert_eq!(committed(&topic).await, ["new", "newer"]);
}

pub(crate) async fn a_stale_run_that_wakes_late_produces_nothing() {
    let (kafka, service) = (kafka(), name("service"));
    let topic = topic(&kafka).await;
    kafka.produce(&context(&service, "seed", 2), records(&topic, &["new"])).await.unwrap();
    let stale = context(&service, "seed", 1);
    for error in [
        kafka.produce(&stale, records(&topic, &["stale"])).await.unwrap_err(),
        kafka.unproduce(&stale, records(&topic, &["stale"])).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), BackendErrorKind::LeaseLost);
        assert!(error.to_string().contains("a newer run (token 2)"), "{error}");
    }
    assert_eq!(committed(&topic).await, ["new"]);
}

pub(crate) async fn a_transaction_takes_more_records_than_fit_into_the_queue() {
    let mut config = Broker::find().unwrap().config();
    config.set("queue.buffering.max.messages", "50");
    let kafka = crate::server::changes(&crate::server::target(config));
    let topic = topic(&kafka).await;
    let change = context(&name("service"), "seed", 1);
    let all: Vec<_> = (0..500).map(|number| Record::to(&topic).value(number.to_string())).collect();
    kafka.produce(&change, all).await.unwrap();
    let seen = committed(&topic).await;
    assert_eq!(seen, (0..500).map(|number| number.to_string()).collect::<Vec<_>>());
}

pub(crate) async fn a_transaction_that_was_open_for_too_long_is_not_taken_for_a_stale_one() {
    let mut config = Broker::find().unwrap().config();
    for setting in ["transaction.timeout.ms", "message.timeout.ms", "socket.timeout.ms"] {
        config.set(setting, "2000");
    }
    let kafka = crate::server::changes(&crate::server::target(config));
    let topic = topic(&kafka).await;
    let change = context(&name("service"), "seed", 1);
    let mut slow = kafka.transaction(&change, &[&topic]).await.unwrap().unwrap();
    // The broker looks every ten seconds for what is open for too long.
    let mut sent = Ok(());
    for _ in 0..60 {
        sent = slow.send(&Record::to(&topic).value("late")).await;
        if sent.is_err() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    for error in [sent.unwrap_err(), slow.commit().await.unwrap_err()] {
        assert_eq!(error.kind(), BackendErrorKind::Other, "{error}");
        assert!(error.to_string().contains("longer than `transaction.timeout.ms` (2s)"), "{error}");
    }
    assert!(committed(&topic).await.is_empty());
    assert_eq!(kafka.produced_state(&change, &[&topic]).await.unwrap(), TargetState::NotApplied);
}

pub(crate) async fn a_stale_transaction_that_was_open_for_too_long_is_told_of_the_newer_run() {
    let mut config = Broker::find().unwrap().config();
    for setting in ["transaction.timeout.ms", "message.timeout.ms", "socket.timeout.ms"] {
        config.set(setting, "2000");
    }
    let kafka = crate::server::changes(&crate::server::target(config));
    let (topic, service) = (topic(&kafka).await, name("service"));
    let mut stale = kafka.transaction(&context(&service, "seed", 1), &[&topic]).await.unwrap().unwrap();
    stale.send(&Record::to(&topic).value("stale")).await.unwrap();
    kafka.produce(&context(&service, "seed", 2), records(&topic, &["new"])).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
    let error = stale.commit().await.unwrap_err();
    assert_eq!(error.kind(), BackendErrorKind::LeaseLost, "{error}");
    assert_eq!(committed(&topic).await, ["new"]);
}

pub(crate) async fn messages_and_requests_may_take_longer_than_a_transaction_by_default() {
    for setting in ["message.timeout.ms", "delivery.timeout.ms", "socket.timeout.ms"] {
        let mut config = Broker::find().unwrap().config();
        config.set(setting, "300000");
        let kafka = crate::server::changes(&crate::server::target(config));
        let topic = topic(&kafka).await;
        kafka.produce(&context(&name("service"), "seed", 1), records(&topic, &["a"])).await.unwrap();
        assert_eq!(committed(&topic).await, ["a"]);
    }
}

pub(crate) async fn other_services_and_changes_have_marks_of_their_own() {
    let (kafka, service) = (kafka(), name("service"));
    let topic = topic(&kafka).await;
    for (service, change) in [(service.as_str(), "one"), (&service, "two"), (&name("other"), "one")] {
        let change = context(service, change, 1);
        assert_eq!(kafka.produced_state(&change, &[&topic]).await.unwrap(), TargetState::NotApplied);
        kafka.produce(&change, records(&topic, &["a"])).await.unwrap();
    }
    assert_eq!(committed(&topic).await.len(), 3);
}

pub(crate) async fn a_record_for_another_topic_is_refused() {
    let kafka = kafka();
    let (topic, other) = (topic(&kafka).await, topic(&kafka).await);
    let change = context(&name("service"), "seed", 1);
    let mut transaction = kafka.transaction(&change, &[&topic]).await.unwrap().unwrap();
    let error = transaction.send(&Record::to(&other).value("a")).await.unwrap_err();
    assert_eq!(error.kind(), BackendErrorKind::InvalidData);
    assert!(error.to_string().contains(&other), "{error}");
    drop(transaction);
    let error = kafka.produce(&change, []).await.unwrap_err();
    assert!(error.to_string().contains("nothing to produce"), "{error}");
}

pub(crate) async fn headers_keys_and_partitions_are_kept() {
    use flamingock_target_kafka::rdkafka::consumer::{BaseConsumer, Consumer};
    use flamingock_target_kafka::rdkafka::message::{Headers, Message};
    use flamingock_target_kafka::rdkafka::{Offset, TopicPartitionList};

    let (kafka, topic) = (kafka(), Topic::new(name("records")).partitions(3));
    kafka.create_topic(&topic).await.unwrap();
    let record = Record::to(topic.name()).partition(2).key("k").value("v").header("source", "test");
    kafka.produce(&context(&name("service"), "seed", 1), [record]).await.unwrap();
    let name = topic.name().to_owned();
    let read = tokio::task::spawn_blocking(move || {
        let consumer: BaseConsumer =
            Broker::find().unwrap().config().set("group.id", crate::server::name("reader")).create().unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&name, 2, Offset::Beginning).unwrap();
        consumer.assign(&list).unwrap();
        consumer.poll(TIMEOUT).expect("a record").unwrap().detach()
    });
    let read = read.await.unwrap();
    assert_eq!((read.key().unwrap(), read.payload().unwrap()), (&b"k"[..], &b"v"[..]));
    let header = read.headers().unwrap().get(0);
    assert_eq!((header.key, header.value.unwrap()), ("source", &b"test"[..]));
}
