//! What goes wrong: told in time, with the operation and the broker, and without passwords.

use std::time::{Duration, Instant};

use flamingock_core::change::TargetState;
use flamingock_core::target::{Mode, TargetSystem};
use flamingock_core::{BackendError, BackendErrorKind};
use flamingock_target_kafka::{KafkaTarget, Offsets, Record, Topic};
use futures_util::FutureExt;
use futures_util::future::join_all;

use crate::proxy;
use crate::server::{
    Broker, PASSWORD, TIMEOUT, changes, committed, config, context, kafka, name, permit, target,
};

/// How long the targets of these tests wait.
const SHORT: Duration = Duration::from_secs(3);
/// What more it may take on a busy machine.
const SLACK: Duration = Duration::from_secs(5);

fn assert_told(error: &BackendError, kind: BackendErrorKind, parts: &[&str]) {
    assert_eq!(error.kind(), kind, "{error}");
    for text in [error.to_string(), format!("{error:?}"), format!("{error:#?}")] {
        assert!(!text.contains(PASSWORD) && !text.contains("wr0ng"), "{text}");
    }
    for part in parts {
        assert!(error.to_string().contains(part), "no `{part}` in: {error}");
    }
}

pub(crate) async fn wrong_credentials_are_told_at_once() {
    let broker = Broker::find().unwrap();
    let target = target(broker.sasl("flamingock", "wr0ng"));
    let began = Instant::now();
    let address = broker.other("sasl").unwrap();
    let parts = [address, "Authentication failed", "check user, password and mechanism"];
    let error = target.check().await.unwrap_err();
    assert_told(&error, BackendErrorKind::Denied, &[&["check failed"], parts.as_slice()].concat());
    let error = changes(&target).create_topic(&Topic::new("x")).await.unwrap_err();
    assert_told(&error, BackendErrorKind::Denied, &[&["create topic failed"], parts.as_slice()].concat());
    assert!(began.elapsed() < TIMEOUT, "it waited for what cannot get better: {:?}", began.elapsed());
}

pub(crate) async fn a_user_without_the_permission_is_told() {
    let topic = name("orders");
    kafka().create_topic(&Topic::new(&topic)).await.unwrap();
    let target = target(Broker::find().unwrap().sasl("guest", PASSWORD));
    target.check().await.unwrap();
    let guest = changes(&target);
    let change = context("orders", "seed", 1);
    for error in [
        guest.create_topic(&Topic::new(name("orders"))).await.unwrap_err(),
        guest.delete_topic(&topic).await.unwrap_err(),
        guest.add_partitions(&topic, 3).await.unwrap_err(),
        guest.set_topic_configs(&topic, &[("retention.ms", "1")]).await.unwrap_err(),
        guest.reset_offsets("readers", &topic, &Offsets::Earliest).await.unwrap_err(),
        guest.produce(&change, [Record::to(&topic).value("x")]).await.unwrap_err(),
    ] {
        assert_told(&error, BackendErrorKind::Denied, &["grant the user this permission"]);
    }
    assert!(committed(&topic).await.is_empty());
}

pub(crate) async fn configs_that_are_not_shown_are_not_replaced() {
    const ALTER_CONFIGS: u8 = 11;
    const DESCRIBE_CONFIGS: u8 = 10;
    const DESCRIBE: u8 = 8;
    let owner = kafka();
    let topic = Topic::new(name("orders")).config("cleanup.policy", "compact");
    owner.create_topic(&topic).await.unwrap();
    for (allow, operation) in [(true, DESCRIBE), (true, ALTER_CONFIGS), (false, DESCRIBE_CONFIGS)] {
        permit(allow, operation, topic.name()).await;
    }
    let guest = changes(&target(Broker::find().unwrap().sasl("guest", PASSWORD)));
    let set = [("retention.ms", "1000")];
    for error in [
        guest.set_topic_configs(topic.name(), &set).await.unwrap_err(),
        guest.reset_topic_configs(topic.name(), &["retention.ms"]).await.unwrap_err(),
        guest.topic_configs_state(topic.name(), &set).await.unwrap_err(),
    ] {
        assert_told(&error, BackendErrorKind::Denied, &["grant the user `DescribeConfigs`", topic.name()]);
    }
    assert_eq!(owner.topic_state(&topic).await.unwrap(), TargetState::Applied);
    assert_eq!(owner.topic_configs_state(topic.name(), &set).await.unwrap(), TargetState::NotApplied);
}

pub(crate) async fn a_broker_that_is_not_there_is_told_in_time() {
    let target = KafkaTarget::with_timeout("events", config("127.0.0.1:1"), SHORT).unwrap();
    let parts = ["no answer within 3s", "Connection refused", "127.0.0.1:1", "check that the brokers run"];
    let (kafka, topic) = (changes(&target), Topic::new("x"));
    let change = context("orders", "seed", 1);
    for attempt in 0..4 {
        let began = Instant::now();
        let error = match attempt {
            0 => target.check().await.unwrap_err(),
            1 => kafka.create_topic(&topic).await.unwrap_err(),
            2 => kafka.committed_offsets("g", "x").await.unwrap_err(),
            _ => kafka.produced_state(&change, &["x"]).await.unwrap_err(),
        };
        assert_told(&error, BackendErrorKind::Unavailable, &parts);
        assert!(began.elapsed() < SHORT + SLACK, "{:?}: {error}", began.elapsed());
    }
}

pub(crate) async fn a_broker_that_does_not_answer_is_told_in_time() {
    let proxy = proxy::to(&Broker::find().unwrap().plain).await.unwrap();
    proxy.swallow_answers(true);
    let target = KafkaTarget::with_timeout("events", config(&proxy.address()), SHORT).unwrap();
    for _ in 0..2 {
        let began = Instant::now();
        let error = target.check().await.unwrap_err();
        assert_told(&error, BackendErrorKind::Unavailable, &[&proxy.address()]);
        assert!(began.elapsed() < SHORT + SLACK, "{:?}", began.elapsed());
    }
    // It comes back.
    proxy.swallow_answers(false);
    target.check().await.unwrap();
}

pub(crate) async fn a_host_that_is_unknown_is_told() {
    let target = KafkaTarget::with_timeout("events", config("no-such-host.invalid:9092"), SHORT).unwrap();
    let error = target.check().await.unwrap_err();
    assert_told(&error, BackendErrorKind::Unavailable, &["no-such-host.invalid", "Failed to resolve"]);
}

pub(crate) async fn an_unknown_topic_is_told_and_not_created() {
    let (kafka, topic) = (kafka(), name("absent"));
    let change = context("orders", "seed", 1);
    let (one, latest, topics) = ([("retention.ms", "1")], Offsets::Latest, [topic.as_str()]);
    // At once: each of them waits for a broker that lags behind.
    let errors = join_all([
        kafka.add_partitions(&topic, 3).map(Result::unwrap_err).boxed(),
        kafka.partitions_state(&topic, 3).map(Result::unwrap_err).boxed(),
        kafka.set_topic_configs(&topic, &one).map(Result::unwrap_err).boxed(),
        kafka.reset_topic_configs(&topic, &["retention.ms"]).map(Result::unwrap_err).boxed(),
        kafka.topic_configs_state(&topic, &one).map(Result::unwrap_err).boxed(),
        kafka.reset_offsets("readers", &topic, &latest).map(Result::unwrap_err).boxed(),
        kafka.committed_offsets("readers", &topic).map(Result::unwrap_err).boxed(),
        kafka.produce(&change, [Record::to(&topic).value("x")]).map(Result::unwrap_err).boxed(),
        kafka.produced_state(&change, &topics).map(Result::unwrap_err).boxed(),
    ]);
    for error in errors.await {
        assert_told(&error, BackendErrorKind::InvalidData, &[&topic, "create", "first"]);
    }
    // The broker would create it for who does not take care.
    assert_eq!(kafka.topic_deleted_state(&topic).await.unwrap(), TargetState::Applied);
}

pub(crate) async fn a_broker_that_goes_away_in_the_middle_is_told_in_time() {
    let direct = kafka();
    let topic = Topic::new(name("orders"));
    direct.create_topic(&topic).await.unwrap();
    for step in 0..5 {
        let proxy = proxy::to(&Broker::find().unwrap().plain).await.unwrap();
        let target = KafkaTarget::with_timeout("events", config(&proxy.address()), SHORT).unwrap();
        let kafka = changes(&target);
        target.check().await.unwrap();
        let change = context(&name("service"), "seed", 1);
        let mut transaction = kafka.transaction(&change, &[topic.name()]).await.unwrap().unwrap();
        transaction.send(&Record::to(topic.name()).value("lost")).await.unwrap();
        proxy.unplug();
        let began = Instant::now();
        let error = match step {
            0 => transaction.commit().await.unwrap_err(),
            1 => kafka.create_topic(&Topic::new(name("orders"))).await.unwrap_err(),
            2 => kafka.set_topic_configs(topic.name(), &[("retention.ms", "1")]).await.unwrap_err(),
            3 => kafka.reset_offsets("readers", topic.name(), &Offsets::Latest).await.unwrap_err(),
            _ => kafka.produced_state(&change, &[topic.name()]).await.unwrap_err(),
        };
        assert_told(&error, BackendErrorKind::Unavailable, &[&proxy.address()]);
        assert!(began.elapsed() < SHORT + SLACK, "{:?}: {error}", began.elapsed());
        // What was open is ended by the next run, and is not seen.
        assert_eq!(direct.produced_state(&change, &[topic.name()]).await.unwrap(), TargetState::NotApplied);
        let next = context(&change.history().service.clone(), "next", 2);
        direct.produce(&next, [Record::to(topic.name()).value(step.to_string())]).await.unwrap();
    }
    assert_eq!(committed(topic.name()).await, ["0", "1", "2", "3", "4"]);
}

pub(crate) async fn a_password_is_shown_nowhere() {
    let target = target(Broker::find().unwrap().sasl("flamingock", PASSWORD));
    target.check().await.unwrap();
    let kafka = changes(&target);
    let resources = target.resources(Mode::Plain);
    for text in [format!("{target:#?}"), format!("{kafka:#?}"), format!("{resources:#?}"), target.address()] {
        assert!(!text.contains(PASSWORD), "{text}");
    }
}

pub(crate) async fn settings_that_cannot_work_are_told_before_any_io() {
    let broker = Broker::find().unwrap();
    let with = |name: &str, value: &str| {
        let mut config = broker.config();
        config.set(name, value);
        KafkaTarget::new("events", config).unwrap_err()
    };
    let kind = BackendErrorKind::Misconfigured;
    assert_told(&with("bootstrap.servers", " "), kind, &["`bootstrap.servers` is not set", "events"]);
    assert_told(&with("transactional.id", "mine"), kind, &["`transactional.id`", "leave it out"]);
    assert_told(&with("no.such.setting", "1"), kind, &["no.such.setting"]);
    assert_told(&with("security.protocol", "smoke"), kind, &["security.protocol"]);
    assert_told(&with("sasl.password", "wr0ng\0"), BackendErrorKind::InvalidData, &[&broker.plain]);
    let short = KafkaTarget::with_timeout("events", broker.config(), Duration::from_millis(10)).unwrap_err();
    assert_told(&short, kind, &["a second is the least"]);
    let tls = broker.config().set("security.protocol", "ssl").clone();
    if !cfg!(feature = "tls") {
        assert_told(&KafkaTarget::new("events", tls).unwrap_err(), kind, &["kafka-tls"]);
        let mut scram = broker.sasl("flamingock", PASSWORD);
        scram.set("sasl.mechanism", "SCRAM-SHA-512");
        assert_told(&KafkaTarget::new("events", scram).unwrap_err(), kind, &["kafka-tls"]);
    }
}

pub(crate) async fn a_commit_whose_answer_is_lost_is_known_afterwards() {
    let (direct, topic) = (kafka(), Topic::new(name("orders")));
    direct.create_topic(&topic).await.unwrap();
    let proxy = proxy::to(&Broker::find().unwrap().plain).await.unwrap();
    let target = KafkaTarget::with_timeout("events", config(&proxy.address()), SHORT).unwrap();
    let service = name("service");
    let change = context(&service, "seed", 1);
    let transaction = changes(&target).transaction(&change, &[topic.name()]).await.unwrap();
    let mut transaction = transaction.unwrap();
    transaction.send(&Record::to(topic.name()).value("once")).await.unwrap();
    proxy.swallow_answers(true);
    let began = Instant::now();
    let error = transaction.commit().await.unwrap_err();
    assert_told(
        &error,
        BackendErrorKind::Unavailable,
        &["commit transaction failed", "may have taken effect"],
    );
    assert!(began.elapsed() < SHORT + SLACK, "{:?}", began.elapsed());
    // Whichever it is: the next attempt leaves it in the topic once.
    direct.produce(&context(&service, "seed", 2), [Record::to(topic.name()).value("once")]).await.unwrap();
    assert_eq!(committed(topic.name()).await, ["once"]);
}

pub(crate) async fn what_a_failed_change_has_begun_is_waited_for() {
    let proxy = proxy::to(&Broker::find().unwrap().plain).await.unwrap();
    let target = KafkaTarget::with_timeout("events", config(&proxy.address()), SHORT).unwrap();
    let (kafka, topic) = (changes(&target), Topic::new(name("orders")));
    let session = target.open(Mode::Plain).await.unwrap();
    proxy.swallow_answers(true);
    // The change fails meanwhile, and nobody waits for it any more.
    assert!(tokio::time::timeout(Duration::from_millis(500), kafka.create_topic(&topic)).await.is_err());
    let began = Instant::now();
    session.rollback().await.unwrap();
    assert!(began.elapsed() > SHORT / 2, "it still runs after {:?}", began.elapsed());
}
