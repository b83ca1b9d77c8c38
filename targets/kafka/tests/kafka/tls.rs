//! TLS with a private CA.

use flamingock_core::BackendErrorKind;
use flamingock_core::change::TargetState;
use flamingock_core::target::TargetSystem;
use flamingock_target_kafka::rdkafka::ClientConfig;
use flamingock_target_kafka::{Record, Topic};

use crate::server::{Broker, changes, committed, config, context, name, target};

fn tls() -> ClientConfig {
    let mut config = config(Broker::find().unwrap().other("tls").unwrap());
    config.set("security.protocol", "ssl");
    config
}

pub(crate) async fn a_broker_with_a_private_ca_is_reached_with_its_certificate() {
    let mut config = tls();
    config.set("ssl.ca.location", Broker::find().unwrap().other("ca").unwrap());
    let target = target(config);
    target.check().await.unwrap();
    let (kafka, topic) = (changes(&target), Topic::new(name("tls")));
    kafka.create_topic(&topic).await.unwrap();
    kafka.produce(&context("tls", "seed", 1), [Record::to(topic.name()).value("safe")]).await.unwrap();
    assert_eq!(committed(topic.name()).await, ["safe"]);
    assert_eq!(kafka.topic_state(&topic).await.unwrap(), TargetState::Applied);
}

pub(crate) async fn a_broker_with_an_unknown_certificate_is_refused() {
    let error = target(tls()).check().await.unwrap_err();
    assert_eq!(error.kind(), BackendErrorKind::Misconfigured, "{error}");
    assert!(error.to_string().contains("ssl.ca.location"), "{error}");
}
