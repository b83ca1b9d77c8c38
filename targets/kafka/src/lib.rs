//! Apache Kafka as a target system for Flamingock.
//!
//! Changes of a [`KafkaTarget`] take, by `&T`:
//!
//! - [`KafkaChanges`]: topics, partitions, configs, offsets of consumer groups and records, each
//!   operation idempotent, bounded in time, and with a look that answers `#[verify]`;
//! - `rdkafka`'s [`AdminClient`](rdkafka::admin::AdminClient) and
//!   [`FutureProducer`](rdkafka::producer::FutureProducer), for everything else.

mod changes;
mod connection;
mod errors;
mod notices;
mod session;
mod target;

pub use changes::{KafkaChanges, KafkaTransaction, Offsets, Record, Topic};
pub use rdkafka;
pub use target::KafkaTarget;
