use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flamingock_core::change::{ChangeContext, TargetState};
use flamingock_core::{BackendError, BackendErrorKind};
use futures_util::FutureExt;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::future_producer::DeliveryFuture;
use rdkafka::producer::{FutureProducer, Producer};

use super::marks::{Marks, Meaning};
use super::{KafkaChanges, Record};
use crate::connection::{Connection, Operation, Passing};
use crate::errors;

/// How long a broker keeps a transaction open, unless told otherwise.
const OPEN: Duration = Duration::from_secs(60);
const LIMIT: &str = "transaction.timeout.ms";
/// What the driver lets take no longer than the transaction.
const SHORTER: [&str; 3] = ["message.timeout.ms", "delivery.timeout.ms", "socket.timeout.ms"];

impl KafkaChanges {
    /// Produces records in one transaction: consumers that read only what is committed see all of them or
    /// none. If an attempt at this change has produced them before, nothing is done.
    ///
    /// See [`transaction`](Self::transaction) for how.
    ///
    /// # Errors
    /// `InvalidData` when there are no records, a topic does not exist, or a record is refused; `LeaseLost`
    /// when another run has taken over; and as for [every operation](Self). Only `Unavailable` and
    /// `LeaseLost` leave it open whether they were produced.
    pub async fn produce(
        &self,
        context: &ChangeContext,
        records: impl IntoIterator<Item = Record>,
    ) -> Result<(), BackendError> {
        self.send_all(context, records, Meaning::Done).await
    }

    /// Takes [`produce`](Self::produce) back with records that undo the others, such as records without a
    /// value in a compacted topic. For `#[rollback]`: nothing is done unless the change's own records are there.
    ///
    /// They must go to the topics that the others went to.
    ///
    /// # Errors
    /// As [`produce`](Self::produce).
    pub async fn unproduce(
        &self,
        context: &ChangeContext,
        records: impl IntoIterator<Item = Record>,
    ) -> Result<(), BackendError> {
        self.send_all(context, records, Meaning::Undone).await
    }

    /// Whether the records of this change are in these topics, and were not taken back. It waits for a
    /// transaction that is still open, and looks at a mark rather than at records, however many there are.
    ///
    /// # Errors
    /// `InvalidData` when there is no such topic; and as for [every operation](Self).
    pub async fn produced_state(
        &self,
        context: &ChangeContext,
        topics: &[&str],
    ) -> Result<TargetState, BackendError> {
        let marks = Marks::new(self.connection.target(), context, topics.iter().copied());
        let about = about(&marks);
        let state = move |operation: &Operation| {
            let done = marks.done(&marks.look(operation)?)?;
            Ok(super::state(done, marks.topics.len()))
        };
        self.connection.perform("look at produced records", about, state).await
    }

    /// Begins a transaction for records to these topics: for so many that [`produce`](Self::produce) should not
    /// hold them all. `None` when an attempt at this change has committed one before.
    ///
    /// The `transactional.id` is that of the service on this target: beginning ends a transaction that a killed
    /// or paused run has left open, and the broker refuses whatever that run still sends. The commit leaves
    /// a mark, in the same transaction: an offset of the group `flamingock/SERVICE/TENANT/TARGET/CHANGE`. By it
    /// the next attempt knows that the records are there.
    ///
    /// # Errors
    /// As [`produce`](Self::produce).
    pub async fn transaction(
        &self,
        context: &ChangeContext,
        topics: &[&str],
    ) -> Result<Option<KafkaTransaction>, BackendError> {
        let marks = Marks::new(self.connection.target(), context, topics.iter().copied());
        self.begin(marks, Meaning::Done).await
    }

    async fn send_all(
        &self,
        context: &ChangeContext,
        records: impl IntoIterator<Item = Record>,
        meaning: Meaning,
    ) -> Result<(), BackendError> {
        let records: Vec<_> = records.into_iter().collect();
        let marks = Marks::new(self.connection.target(), context, records.iter().map(Record::topic));
        let Some(mut transaction) = self.begin(marks, meaning).await? else { return Ok(()) };
        for record in &records {
            transaction.send(record).await?;
        }
        transaction.commit().await
    }

    async fn begin(&self, marks: Marks, meaning: Meaning) -> Result<Option<KafkaTransaction>, BackendError> {
        let about = about(&marks);
        let begin = move |operation: &Operation| begin(operation, marks, meaning);
        self.connection.perform("begin transaction", about, begin).await
    }
}

fn about(marks: &Marks) -> Vec<(&'static str, String)> {
    vec![("topics", marks.topics.join(", ")), ("transactional.id", marks.transactional_id.clone())]
}

fn begin(
    operation: &Operation,
    marks: Marks,
    meaning: Meaning,
) -> Result<Option<KafkaTransaction>, BackendError> {
    if marks.topics.is_empty() {
        return Err(operation.refuse("there is nothing to produce: name a topic or a record"));
    }
    let look = marks.look(operation)?;
    // Before anything is ended: a run that is out of office ends nobody else's transaction.
    let finished = |done: usize| match meaning {
        Meaning::Done => done == marks.topics.len(),
        Meaning::Undone => done == 0,
    };
    let _ = marks.done(&look)?;
    let connection = &operation.connection;
    let mut config = connection.producer_config();
    let set = |setting: &str| config.get(setting)?.parse().ok().map(Duration::from_millis);
    let limit = set(LIMIT).unwrap_or_else(|| {
        SHORTER.into_iter().filter_map(set).fold(OPEN.max(connection.timeout()), Duration::max)
    });
    config.set(LIMIT, limit.as_millis().to_string());
    config.set("transactional.id", &marks.transactional_id);
    let producer: FutureProducer = connection.create("create producer", &config)?;
    let producer = Passing::new(producer);
    producer.init_transactions(operation.left()).map_err(|error| operation.failed(&error))?;
    // Nobody older can commit any more: what is there now is all there is.
    if finished(marks.done(&look)?) {
        return Ok(None);
    }
    producer.begin_transaction().map_err(|error| operation.failed(&error))?;
    Ok(Some(KafkaTransaction {
        began: Instant::now(),
        limit,
        connection: Arc::clone(connection),
        producer: Some(producer),
        marks,
        meaning,
        deliveries: VecDeque::new(),
    }))
}

/// An open transaction of a change; [`transaction`](KafkaChanges::transaction) begins it. Dropped, it is aborted.
#[must_use = "nothing is produced without `commit`"]
pub struct KafkaTransaction {
    began: Instant,
    /// How long the broker keeps it open.
    limit: Duration,
    connection: Arc<Connection>,
    /// None once it has ended.
    producer: Option<Passing<FutureProducer>>,
    marks: Marks,
    meaning: Meaning,
    /// Of what was sent, in this order.
    deliveries: VecDeque<DeliveryFuture>,
}

impl fmt::Debug for KafkaTransaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaTransaction").field("marks", &self.marks).finish_non_exhaustive()
    }
}

impl KafkaTransaction {
    /// Sends a record, without waiting for the broker. Whether it was taken, the next calls say.
    ///
    /// # Errors
    /// `InvalidData` when the record is for another topic than the transaction, or one was refused by the
    /// broker; `Unavailable` when they are not taken in time; `LeaseLost` when another run has taken over. Nothing is
    /// produced then: drop the transaction. `Other` when the broker has ended it after `transaction.timeout.ms`.
    pub async fn send(&mut self, record: &Record) -> Result<(), BackendError> {
        let until = Instant::now() + self.connection.timeout();
        if !self.marks.topics.iter().any(|topic| topic == record.topic()) {
            let message =
                format!("the transaction is not for topic `{}`: name it at its beginning", record.topic());
            return Err(self.error(BackendErrorKind::InvalidData, message));
        }
        if let Some(error) = self.refused(false) {
            return Err(self.failed(&error).await);
        }
        let Some(producer) = &self.producer else { return Ok(()) };
        loop {
            match producer.send_result(record.for_driver()) {
                Ok(delivery) => {
                    self.deliveries.push_back(delivery);
                    return Ok(());
                }
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _))
                    if Instant::now() < until =>
                {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err((error, _)) => return Err(self.failed(&error).await),
            }
        }
    }

    /// Commits the records and the mark.
    ///
    /// # Errors
    /// `InvalidData` when the broker refused a record: nothing is produced. `LeaseLost` and `Unavailable`: it
    /// is not known whether they are, and [`produced_state`](KafkaChanges::produced_state) tells. `Other` when the
    /// broker has ended it after `transaction.timeout.ms`.
    pub async fn commit(mut self) -> Result<(), BackendError> {
        let Some(producer) = self.producer.take() else { return Ok(()) };
        let (connection, about) = (Arc::clone(&self.connection), about(&self.marks));
        let commit = move |operation: &Operation| commit(operation, &producer, &mut self);
        connection.perform("commit transaction", about, commit).await
    }

    /// Aborts it: nobody who reads only what is committed has seen its records.
    ///
    /// # Errors
    /// When the broker does not answer; it ends the transaction itself, after `transaction.timeout.ms` (a
    /// minute at least, unless configured).
    pub async fn abort(mut self) -> Result<(), BackendError> {
        let Some(producer) = self.producer.take() else { return Ok(()) };
        let (connection, about) = (Arc::clone(&self.connection), about(&self.marks));
        let abort = move |operation: &Operation| {
            producer.abort_transaction(operation.left()).map_err(|error| self.told(operation, &error))
        };
        connection.perform("abort transaction", about, abort).await
    }

    /// The first refusal of a record, among those that are answered, or of all that will ever be.
    fn refused(&mut self, all: bool) -> Option<KafkaError> {
        while let Some(delivery) = self.deliveries.front_mut() {
            match delivery.now_or_never() {
                Some(Ok(Ok(_)) | Err(_)) => {}
                Some(Ok(Err((error, _)))) => {
                    self.deliveries.clear();
                    return Some(error);
                }
                None if all => {}
                None => break,
            }
            self.deliveries.pop_front();
        }
        None
    }

    /// The broker refuses who comes too late as it does whose place another run has taken.
    fn outlived(&self, error: &KafkaError) -> Option<String> {
        let fenced = errors::kind(error) == BackendErrorKind::LeaseLost;
        (fenced && self.began.elapsed() >= self.limit).then(|| {
            format!(
                "the transaction was open for longer than `{LIMIT}` ({:?}), so that the broker has ended \
                 it, or another run of this service has taken over; where none has, produce less in one \
                 transaction, or configure more time",
                self.limit
            )
        })
    }

    fn told(&self, operation: &Operation, error: &KafkaError) -> BackendError {
        match self.outlived(error) {
            Some(message) => ended(operation, &self.marks, message),
            None => operation.failed(error),
        }
    }

    fn error(&self, kind: BackendErrorKind, message: impl Into<String>) -> BackendError {
        let mut error = BackendError::new(kind, "produce record", message);
        for (name, value) in about(&self.marks) {
            error = error.context(name, value);
        }
        error.context("brokers", self.connection.address())
    }

    async fn failed(&self, error: &KafkaError) -> BackendError {
        if let Some(message) = self.outlived(error) {
            let marks = self.marks.clone();
            let look = move |operation: &Operation| Ok(ended(operation, &marks, message));
            return self
                .connection
                .perform("produce record", about(&self.marks), look)
                .await
                .unwrap_or_else(|error| error);
        }
        let remedy = errors::code(error).and_then(errors::remedy);
        let remedy = remedy.map(|remedy| format!("; {remedy}")).unwrap_or_default();
        self.error(errors::kind(error), errors::text(error) + &remedy)
    }
}

/// What is told when a transaction was refused that had been open for too long: a newer run's mark says that it was
/// not for that.
fn ended(operation: &Operation, marks: &Marks, message: String) -> BackendError {
    match marks.look(operation).and_then(|look| marks.done(&look)) {
        Err(error) if error.kind() == BackendErrorKind::LeaseLost => error,
        _ => operation.error(BackendErrorKind::Other, message),
    }
}

fn commit(
    operation: &Operation,
    producer: &FutureProducer,
    transaction: &mut KafkaTransaction,
) -> Result<(), BackendError> {
    let look = transaction.marks.look(operation)?;
    let (marks, group) = transaction.marks.to_commit(&look, transaction.meaning)?;
    let committed = producer
        .send_offsets_to_transaction(&marks, &group, operation.left())
        .and_then(|()| producer.commit_transaction(operation.left()));
    let Err(error) = committed else { return Ok(()) };
    let must_abort = matches!(&error, KafkaError::Transaction(error) if error.txn_requires_abort());
    if !must_abort {
        return Err(transaction.told(operation, &error));
    }
    // What was refused says more than that something was.
    let error = transaction.refused(true).unwrap_or(error);
    let aborted = producer.abort_transaction(operation.left());
    let told = transaction.told(operation, &error);
    match aborted {
        Ok(()) => Err(told),
        Err(abort) => Err(operation.error(told.kind(), format!("{told}; nor was it aborted: {abort}"))),
    }
}

impl Drop for KafkaTransaction {
    fn drop(&mut self) {
        if let Some(producer) = self.producer.take() {
            let timeout = self.connection.timeout();
            self.connection.aside(move || {
                // If not, the broker ends it some time.
                let _ = producer.abort_transaction(timeout);
            });
        }
    }
}
