//! The broker that tests are given, and names of their own in it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flamingock_core::History;
use flamingock_core::change::ChangeContext;
use flamingock_core::lock::FencingToken;
use flamingock_core::target::{Mode, TargetSystem};
use flamingock_target_kafka::rdkafka::ClientConfig;
use flamingock_target_kafka::rdkafka::consumer::{BaseConsumer, Consumer};
use flamingock_target_kafka::rdkafka::message::Message;
use flamingock_target_kafka::rdkafka::util::Timeout;
use flamingock_target_kafka::rdkafka::{Offset, TopicPartitionList};
use flamingock_target_kafka::{KafkaChanges, KafkaTarget};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// What no address, error or debug output may show.
pub(crate) const PASSWORD: &str = "s3cret";
/// How long the tests' targets wait.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(10);
const VARIABLE: &str = "FLAMINGOCK_TEST_KAFKA_URL";

/// Where it listens: `kafka://HOST:PORT?sasl=HOST:PORT&tls=HOST:PORT&ca=FILE`.
#[derive(Debug, Clone)]
pub(crate) struct Broker {
    pub(crate) plain: String,
    others: HashMap<String, String>,
}

impl Broker {
    pub(crate) fn find() -> Result<Self, String> {
        let url = std::env::var(VARIABLE)
            .ok()
            .filter(|url| !url.is_empty())
            .ok_or_else(|| format!("{VARIABLE} names no broker; `cargo xtask test` starts Apache Kafka"))?;
        let (address, query) = url.split_once('?').unwrap_or((&url, ""));
        let plain =
            address.strip_prefix("kafka://").ok_or(format!("{VARIABLE} does not begin with kafka://"))?;
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let others = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Ok(Self { plain: plain.to_owned(), others })
    }

    /// What else it has: `sasl`, `tls`, `ca`.
    pub(crate) fn other(&self, name: &str) -> Result<&str, String> {
        self.others
            .get(name)
            .map(String::as_str)
            .ok_or_else(|| format!("{VARIABLE} has no `{name}=`: it names no such listener"))
    }

    pub(crate) fn config(&self) -> ClientConfig {
        config(&self.plain)
    }

    pub(crate) fn sasl(&self, user: &str, password: &str) -> ClientConfig {
        let mut config = config(self.other("sasl").unwrap());
        config.set("security.protocol", "sasl_plaintext").set("sasl.mechanism", "PLAIN");
        config.set("sasl.username", user).set("sasl.password", password);
        config
    }
}

pub(crate) fn config(address: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", address);
    config
}

pub(crate) fn target(config: ClientConfig) -> KafkaTarget {
    KafkaTarget::with_timeout("events", config, TIMEOUT).unwrap()
}

/// The helper of a target on the broker.
pub(crate) fn kafka() -> KafkaChanges {
    changes(&target(Broker::find().unwrap().config()))
}

pub(crate) fn changes(target: &KafkaTarget) -> KafkaChanges {
    target.resources(Mode::Plain).get::<KafkaChanges>().unwrap().clone()
}

/// A name that no other test has.
pub(crate) fn name(what: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros();
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{what}-{}-{now}-{next}", std::process::id())
}

/// Allows the user `guest` an operation on a topic, or forbids it. In Kafka's own protocol, as the driver cannot ask
/// for it.
pub(crate) async fn permit(allow: bool, operation: u8, topic: &str) {
    const CREATE_ACLS: [u8; 4] = [0, 30, 0, 1];
    let text = |text: &str| [&u16::try_from(text.len()).unwrap().to_be_bytes(), text.as_bytes()].concat();
    let (correlation, client, one) = ([0; 4], text(""), 1_u32.to_be_bytes());
    let (a_topic, literally, from_any_host) = ([2], [3], text("*"));
    let permission = [operation, if allow { 3 } else { 2 }];
    let request = [
        &CREATE_ACLS[..],
        &correlation,
        &client,
        &one,
        &a_topic,
        &text(topic),
        &literally,
        &text("User:guest"),
        &from_any_host,
        &permission,
    ];
    let request = request.concat();
    let mut broker = tokio::net::TcpStream::connect(Broker::find().unwrap().plain).await.unwrap();
    broker.write_u32(u32::try_from(request.len()).unwrap()).await.unwrap();
    broker.write_all(&request).await.unwrap();
    let mut answer = vec![0; usize::try_from(broker.read_u32().await.unwrap()).unwrap()];
    broker.read_exact(&mut answer).await.unwrap();
    // After the correlation, a pause to take and the count: the result of the only one.
    assert_eq!(answer[12..14], [0, 0], "{answer:?}");
}

/// A change of a service, in a run with this token.
pub(crate) fn context(service: &str, change: &str, token: u64) -> ChangeContext {
    ChangeContext::new(History::new(service), change, FencingToken(token))
}

/// The values of all records that are committed, in the order of their offsets within a partition.
pub(crate) async fn committed(topic: &str) -> Vec<String> {
    let topic = topic.to_owned();
    tokio::task::spawn_blocking(move || read(&topic)).await.unwrap()
}

fn read(topic: &str) -> Vec<String> {
    let mut config = Broker::find().unwrap().config();
    config.set("group.id", name("reader")).set("isolation.level", "read_committed");
    config.set("enable.partition.eof", "true").set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.create().unwrap();
    let metadata = consumer.fetch_metadata(Some(topic), TIMEOUT).unwrap();
    let mut list = TopicPartitionList::new();
    for partition in metadata.topics()[0].partitions() {
        list.add_partition_offset(topic, partition.id(), Offset::Beginning).unwrap();
    }
    let mut left = list.count();
    consumer.assign(&list).unwrap();
    let mut values = Vec::new();
    while left > 0 {
        use flamingock_target_kafka::rdkafka::error::KafkaError::PartitionEOF;
        match consumer.poll(Timeout::After(TIMEOUT)).expect("no answer from the broker") {
            Ok(record) => {
                let value =
                    record.payload().map_or("-".to_owned(), |v| String::from_utf8_lossy(v).into_owned());
                values.push(value);
            }
            Err(PartitionEOF(_)) => left -= 1,
            Err(error) => panic!("{error}"),
        }
    }
    values
}
