use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use flamingock_core::change::Resources;
use flamingock_core::target::{Mode, Session, SessionType, TargetSystem};
use flamingock_core::{BackendError, BackendErrorKind};
use rdkafka::ClientConfig;
use rdkafka::admin::AdminClient;
use rdkafka::client::DefaultClientContext;
use rdkafka::producer::FutureProducer;

use crate::changes::KafkaChanges;
use crate::connection::Connection;
use crate::session::KafkaSession;

const TIMEOUT: Duration = Duration::from_secs(15);

/// A Kafka cluster whose topics, configs, offsets and records are changed. A plain target: a failed change
/// is compensated by its `#[rollback]`, and `#[verify]` settles a killed one.
///
/// ```
/// use flamingock_target_kafka::{KafkaTarget, rdkafka::ClientConfig};
///
/// let mut config = ClientConfig::new();
/// config.set("bootstrap.servers", "kafka-1:9092,kafka-2:9092");
/// let target = KafkaTarget::new("events", config)?;
/// # Ok::<(), flamingock_core::BackendError>(())
/// ```
pub struct KafkaTarget {
    connection: Arc<Connection>,
    resources: Resources,
}

impl KafkaTarget {
    /// The cluster that this configuration names, with [librdkafka's settings]. No operation takes
    /// longer than 15 s.
    ///
    /// A change's `&FutureProducer` sends with `acks=all`, and gives up in the same time, unless the
    /// configuration says otherwise.
    ///
    /// [librdkafka's settings]: https://docs.confluent.io/platform/current/clients/librdkafka/html/md_CONFIGURATION.html
    ///
    /// # Errors
    /// When `bootstrap.servers` is missing, or a setting is not known or not valid. No I/O happens here,
    /// but librdkafka begins to connect in the background.
    pub fn new(id: impl Into<String>, config: ClientConfig) -> Result<Self, BackendError> {
        Self::with_timeout(id, config, TIMEOUT)
    }

    /// The same, with another limit for each operation, of a second at least.
    ///
    /// # Errors
    /// As [`new`](Self::new), and when the limit is shorter than a second.
    pub fn with_timeout(
        id: impl Into<String>,
        config: ClientConfig,
        timeout: Duration,
    ) -> Result<Self, BackendError> {
        let connection = Arc::new(Connection::new(id.into(), config, timeout)?);
        let mut producer = connection.producer_config();
        let producer: FutureProducer = connection.create("create producer", producer.set("acks", "all"))?;
        let mut resources = Resources::new();
        resources.insert_arc::<AdminClient<DefaultClientContext>>(Arc::clone(connection.admin()));
        resources.insert(producer);
        resources.insert(KafkaChanges::new(Arc::clone(&connection)));
        Ok(Self { connection, resources })
    }
}

/// No settings: there are passwords among them.
impl fmt::Debug for KafkaTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaTarget")
            .field("id", &self.connection.target())
            .field("address", &self.connection.address())
            .field("timeout", &self.connection.timeout())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl TargetSystem for KafkaTarget {
    fn id(&self) -> &str {
        self.connection.target()
    }

    fn kind(&self) -> &str {
        "kafka"
    }

    fn address(&self) -> String {
        self.connection.address().to_owned()
    }

    fn resources(&self, _mode: Mode) -> &Resources {
        &self.resources
    }

    fn session_types(&self, mode: Mode) -> Option<Vec<SessionType>> {
        match mode {
            Mode::Transactional => None,
            Mode::Plain => Some(Vec::new()),
        }
    }

    async fn check(&self) -> Result<(), BackendError> {
        self.connection.reach("check").await
    }

    async fn open(&self, mode: Mode) -> Result<Box<dyn Session>, BackendError> {
        if mode == Mode::Transactional {
            let message = "Kafka has no transaction over its topics and settings: leave `transactional` out";
            return Err(BackendError::new(BackendErrorKind::Misconfigured, "open session", message));
        }
        self.connection.reach("open session").await?;
        Ok(Box::new(KafkaSession::new(Arc::clone(&self.connection))))
    }
}
