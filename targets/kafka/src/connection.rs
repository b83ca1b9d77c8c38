use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flamingock_core::{BackendError, BackendErrorKind};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::{FromClientConfig, FromClientConfigAndContext};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::metadata::Metadata;
use rdkafka::{ClientConfig, TopicPartitionList};
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

use crate::errors;
use crate::notices::Notices;

/// How long one request for metadata waits before it is looked whether there is a reason to give up.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long it is listened to what a client says besides its answers.
const LISTENING: Duration = Duration::from_millis(20);
/// How much later an operation may say why it did not get an answer in time.
const GRACE: Duration = Duration::from_millis(500);
const SERVERS: &str = "bootstrap.servers";
const REQUEST_LIMIT: &str = "socket.timeout.ms";

/// A cluster, how long to wait for it, and what it must not be told about.
pub(crate) struct Connection {
    target: String,
    config: ClientConfig,
    address: String,
    timeout: Duration,
    admin: Arc<AdminClient<DefaultClientContext>>,
    /// What runs at the moment.
    running: TaskTracker,
}

impl Connection {
    pub(crate) fn new(target: String, config: ClientConfig, timeout: Duration) -> Result<Self, BackendError> {
        let refuse = |message: &str| {
            let error = BackendError::new(BackendErrorKind::Misconfigured, "configure Kafka", message);
            Err(error.context("target", &target))
        };
        let Some(address) = config.get(SERVERS).filter(|servers| !servers.trim().is_empty()) else {
            return refuse("`bootstrap.servers` is not set: name a broker, such as `kafka:9092`");
        };
        if config.get("transactional.id").is_some() {
            return refuse("`transactional.id` is the target's own to choose: leave it out");
        }
        if timeout < Duration::from_secs(1) {
            return refuse("the timeout is too short: a second is the least");
        }
        let address = address.to_owned();
        let mut config = config;
        if config.get(REQUEST_LIMIT).is_none() {
            config.set(REQUEST_LIMIT, timeout.as_millis().min(300_000).to_string());
        }
        let mut admin = config.clone();
        admin.remove("group.id");
        let admin = create(&config, &address, "create admin client", &admin)?;
        let running = TaskTracker::new();
        Ok(Self { target, config, address, timeout, admin: Arc::new(admin), running })
    }

    pub(crate) fn target(&self) -> &str {
        &self.target
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(crate) fn admin(&self) -> &Arc<AdminClient<DefaultClientContext>> {
        &self.admin
    }

    /// For a producer that does not wait longer than everything else.
    pub(crate) fn producer_config(&self) -> ClientConfig {
        let mut config = self.config.clone();
        let limits = ["message.timeout.ms", "delivery.timeout.ms"];
        if limits.iter().all(|limit| config.get(limit).is_none()) {
            config.set("message.timeout.ms", self.timeout.as_millis().to_string());
        }
        config
    }

    pub(crate) fn create<T: FromClientConfig>(
        &self,
        operation: &'static str,
        config: &ClientConfig,
    ) -> Result<T, BackendError> {
        create(&self.config, &self.address, operation, config)
    }

    /// Asks a broker.
    pub(crate) async fn reach(self: &Arc<Self>, name: &'static str) -> Result<(), BackendError> {
        // Any name will do; one that is there in every cluster sooner or later is short to answer.
        let look = |operation: &Operation| operation.look(None)?.metadata("__consumer_offsets").map(drop);
        self.perform(name, Vec::new(), look).await
    }

    /// Runs an operation to its end, also when nobody waits for it any more, and within the timeout.
    pub(crate) async fn perform<T: Send + 'static>(
        self: &Arc<Self>,
        name: &'static str,
        about: Vec<(&'static str, String)>,
        act: impl FnOnce(&Operation) -> Result<T, BackendError> + Send + 'static,
    ) -> Result<T, BackendError> {
        let deadline = Instant::now() + self.timeout;
        let operation = Operation { connection: Arc::clone(self), name, about, deadline };
        let own = operation.clone();
        let running = self.running.spawn_blocking(move || act(&own));
        // Some calls of librdkafka take longer than they are told to.
        match tokio::time::timeout(self.timeout + GRACE, running).await {
            Ok(Ok(done)) => done,
            Ok(Err(error)) => Err(operation.error(BackendErrorKind::Other, error.to_string())),
            Err(_) => Err(operation.refused_with(RDKafkaErrorCode::OperationTimedOut)),
        }
    }

    /// Runs what nobody waits for, but [`settle`](Self::settle).
    pub(crate) fn aside(&self, act: impl FnOnce() + Send + 'static) {
        if let Ok(runtime) = Handle::try_current() {
            self.running.spawn_blocking_on(act, &runtime);
        }
    }

    /// Waits until nothing runs any more.
    pub(crate) async fn settle(&self) {
        self.running.close();
        self.running.wait().await;
        self.running.reopen();
    }
}

/// One operation of the helper, on a thread of its own.
#[derive(Clone)]
pub(crate) struct Operation {
    pub(crate) connection: Arc<Connection>,
    name: &'static str,
    about: Vec<(&'static str, String)>,
    deadline: Instant,
}

impl Operation {
    /// What is left of its time; never nothing, which librdkafka takes for something else.
    pub(crate) fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
    }

    pub(crate) fn is_late(&self) -> bool {
        Instant::now() >= self.deadline
    }

    /// An error of this operation.
    pub(crate) fn error(&self, kind: BackendErrorKind, message: impl AsRef<str>) -> BackendError {
        let message = redacted(&self.connection.config, message.as_ref());
        let mut error = BackendError::new(kind, self.name, message);
        for (name, value) in &self.about {
            error = error.context(name, value);
        }
        error.context("brokers", &self.connection.address)
    }

    /// Refused for what was asked for; nothing was done.
    pub(crate) fn refuse(&self, message: impl AsRef<str>) -> BackendError {
        self.error(BackendErrorKind::InvalidData, message)
    }

    /// The driver's error, with what to do.
    pub(crate) fn failed(&self, error: &KafkaError) -> BackendError {
        let remedy = errors::code(error).and_then(errors::remedy);
        let remedy = remedy.map(|remedy| format!("; {remedy}")).unwrap_or_default();
        self.error(errors::kind(error), errors::text(error) + &remedy)
    }

    /// The same for a code without an error around it.
    pub(crate) fn refused_with(&self, code: RDKafkaErrorCode) -> BackendError {
        self.failed(&KafkaError::AdminOp(code))
    }

    /// That the admin client is to answer in time.
    pub(crate) fn options(&self) -> AdminOptions {
        let left = Some(self.left());
        AdminOptions::new().request_timeout(left).operation_timeout(left)
    }

    /// Asks the admin client.
    pub(crate) fn ask<T, F: Future<Output = KafkaResult<T>>>(
        &self,
        request: impl FnOnce(&AdminClient<DefaultClientContext>, &AdminOptions) -> F,
    ) -> Result<T, BackendError> {
        let answer = request(&self.connection.admin, &self.options());
        Handle::current().block_on(answer).map_err(|error| self.failed(&error))
    }

    /// A client to look with; one with a group can commit its offsets.
    pub(crate) fn look(&self, group: Option<&str>) -> Result<Look<'_>, BackendError> {
        let mut config = self.connection.config.clone();
        config.set("allow.auto.create.topics", "false").set("enable.auto.commit", "false");
        config.set("isolation.level", "read_committed");
        match group {
            Some(group) => config.set("group.id", group),
            None => config.remove("group.id"),
        };
        let consumer = BaseConsumer::from_config_and_context(&config, Notices::default());
        let consumer = consumer.map_err(|error| self.failed(&error))?;
        Ok(Look { consumer: Passing::new(consumer), operation: self })
    }

    /// Waits until it is so, at most for the time that the operation has left, and for `limit`.
    pub(crate) fn wait_for(
        &self,
        limit: Duration,
        mut is_so: impl FnMut() -> Result<bool, BackendError>,
    ) -> Result<bool, BackendError> {
        let began = Instant::now();
        loop {
            if is_so()? {
                return Ok(true);
            }
            if self.is_late() || began.elapsed() >= limit {
                return Ok(false);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// A client that only looks: it creates no topic that it asks about.
pub(crate) struct Look<'a> {
    pub(crate) consumer: Passing<BaseConsumer<Notices>>,
    pub(crate) operation: &'a Operation,
}

/// A client that is thrown away aside: without a broker that takes longer than anybody wants to wait.
pub(crate) struct Passing<T: Send + 'static> {
    client: Option<T>,
}

impl<T: Send + 'static> Passing<T> {
    pub(crate) fn new(client: T) -> Self {
        Self { client: Some(client) }
    }
}

impl<T: Send + 'static> Deref for Passing<T> {
    type Target = T;

    #[expect(clippy::expect_used, reason = "only `drop` takes it")]
    fn deref(&self) -> &T {
        self.client.as_ref().expect("there until it is dropped")
    }
}

impl<T: Send + 'static> Drop for Passing<T> {
    fn drop(&mut self) {
        let client = self.client.take();
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(move || drop(client))),
            Err(_) => drop(client),
        }
    }
}

impl Look<'_> {
    /// What the cluster knows about a topic.
    pub(crate) fn metadata(&self, topic: &str) -> Result<Metadata, BackendError> {
        loop {
            let patience = self.operation.left().min(PATIENCE);
            match self.consumer.client().fetch_metadata(Some(topic), patience) {
                Ok(metadata) => return Ok(metadata),
                Err(error) => self.give_up(&error)?,
            }
        }
    }

    /// What the client's group has committed. Waits for transactions that are open.
    pub(crate) fn committed(&self, list: &TopicPartitionList) -> Result<TopicPartitionList, BackendError> {
        loop {
            match self.consumer.committed_offsets(list.clone(), self.operation.left()) {
                Ok(committed) => return Ok(committed),
                Err(error) => self.give_up(&error)?,
            }
        }
    }

    /// Whether to try again; if not, it fails with the best reason that is known.
    pub(crate) fn give_up(&self, error: &KafkaError) -> Result<(), BackendError> {
        // A poll that does not wait ends at the first log line, however many there are before an error.
        let began = Instant::now();
        while self.consumer.poll(LISTENING).is_some() && began.elapsed() < PATIENCE {}
        let trouble = self.consumer.context().trouble();
        let temporary = errors::kind(error) == BackendErrorKind::Unavailable;
        let is_final = !temporary || trouble.as_ref().is_some_and(|trouble| trouble.is_final());
        if !is_final && !self.operation.is_late() {
            return Ok(());
        }
        let Some(trouble) = trouble.filter(|_| temporary) else { return Err(self.operation.failed(error)) };
        let within = format!("within {:?}", self.operation.connection.timeout);
        let within = if trouble.is_final() { String::new() } else { format!("no answer {within}: ") };
        let remedy = errors::remedy(trouble.code).map(|remedy| format!("; {remedy}")).unwrap_or_default();
        let message = format!("{within}{}{remedy}", trouble.reason);
        Err(self.operation.error(errors::kind_of(trouble.code), message))
    }
}

fn create<T: FromClientConfig>(
    secrets: &ClientConfig,
    address: &str,
    operation: &'static str,
    config: &ClientConfig,
) -> Result<T, BackendError> {
    config.create().map_err(|error| {
        let message = redacted(secrets, &errors::text(&error));
        BackendError::new(errors::kind(&error), operation, message).context("brokers", address)
    })
}

/// The text without the values of secret settings.
fn redacted(config: &ClientConfig, text: &str) -> String {
    let mut text = text.to_owned();
    for setting in config.config_map().into_keys().filter(|setting| errors::is_secret(setting)) {
        if let Some(secret) = config.get(setting).filter(|secret| !secret.is_empty()) {
            text = text.replace(secret, "***");
        }
    }
    text
}
