use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::types::TransactWriteItem;
use flamingock_core::lock::{Acquisition, FencingToken, Holder, Lease, LockRequest, LockStore};
use flamingock_core::{BackendError, BackendErrorKind, History};
use jiff::Timestamp;
use tokio::time::Instant;

use crate::DynamoAuditStore;
use crate::contention::Contention;
use crate::error::{Failure, Verdict, failure, transaction_failure};
use crate::expression::Expression;
use crate::head::Stored as StoredHead;
use crate::item::{FORMAT_ITEM, HEAD, Item, LOCK, TABLE, key, number, partition, text};
use crate::operation::Operation;
use crate::watch::Version;

/// How often at most contenders note in the lock what they have watched.
const NOTE_EVERY: Duration = Duration::from_secs(1);

/// A lock as it is stored.
#[derive(Debug)]
pub(crate) struct Stored {
    /// Who has it, and in which run; [`None`] when it is free.
    owner: Option<(String, String)>,
    token: FencingToken,
    since: i64,
    lease: Duration,
    version: u64,
    watched: Duration,
}

impl Stored {
    pub(crate) fn read(item: &Item) -> Result<Self, String> {
        let owner = item.optional_text("owner")?.map(str::to_owned);
        let execution = item.optional_text("execution_id")?.unwrap_or_default().to_owned();
        Ok(Self {
            owner: owner.map(|owner| (owner, execution)),
            token: FencingToken(item.number("token")?),
            since: item.number("since")?,
            lease: Duration::from_micros(item.number("lease_us")?),
            version: item.number("version")?,
            watched: Duration::from_micros(item.optional_number("watched_us")?.unwrap_or_default()),
        })
    }

    pub(crate) fn holder(&self) -> Option<Holder> {
        let (owner, execution) = self.owner.clone()?;
        let since = Timestamp::from_microsecond(self.since).unwrap_or_default();
        Some(Holder { owner, execution, token: self.token, since, remaining: None })
    }

    fn is_ours(&self, request: &LockRequest) -> bool {
        self.owner.as_ref().is_some_and(|(owner, run)| *owner == request.owner && *run == request.execution)
    }

    fn version(&self) -> Version {
        let execution = self.owner.as_ref().map(|(_, execution)| execution.clone()).unwrap_or_default();
        Version { number: self.version, token: self.token.0, execution }
    }

    /// How long it must stand unchanged. A hundredth more than the lease: two stopwatches differ.
    fn patience(&self) -> Duration {
        self.lease.saturating_add(self.lease / 100)
    }
}

#[async_trait]
impl LockStore for DynamoAuditStore {
    async fn initialize(&self) -> Result<(), BackendError> {
        self.set_up().await
    }

    async fn try_acquire(&self, request: &LockRequest) -> Result<Acquisition, BackendError> {
        let operation = self.operation("acquire lock");
        let mut contention = Contention::begin();
        loop {
            let stored = self.read_lock(operation, &request.history).await?;
            if let Some(stored) = &stored
                && !stored.is_ours(request)
                && let Some(holder) = stored.holder()
            {
                let stood = self.stood(&request.history, stored);
                if stood < stored.patience() {
                    self.note(operation, &request.history, stored, stood).await;
                    return Ok(Acquisition::Held(holder));
                }
            }
            let failure = match self.take(operation, request, stored.as_ref()).await {
                Ok(token) => {
                    self.watches.forget(&partition(&request.history));
                    return Ok(Acquisition::Acquired(Lease { request: request.clone(), token }));
                }
                Err(failure) => failure,
            };
            // Somebody was faster, or its holder extended: look again.
            let lost = matches!(failure.verdict, Verdict::ConditionFailed(_));
            let goes_on =
                if lost { contention.pause().await } else { contention.goes_on_after(&failure).await };
            if !goes_on {
                let message = "others take the lock and give it back faster than can be seen: ask again";
                return Err(if lost {
                    operation.fail(BackendErrorKind::Unavailable, message)
                } else {
                    failure.error
                });
            }
        }
    }

    async fn extend(&self, lease: &Lease) -> Result<(), BackendError> {
        let operation = self.operation("extend lock");
        let extend = Expression::new()
            .raise("version")
            .set("lease_us", micros(lease.request.lease))
            .remove("watched_us");
        match self.as_holder(operation, lease, extend).await {
            Err(failure) if matches!(failure.verdict, Verdict::ConditionFailed(_)) => {
                let message = "somebody else took or broke the lock: this run stops";
                Err(operation.fail(BackendErrorKind::LeaseLost, message))
            }
            other => other.map_err(BackendError::from),
        }
    }

    async fn release(&self, lease: &Lease) -> Result<(), BackendError> {
        let operation = self.operation("release lock");
        match self.as_holder(operation, lease, free()).await {
            Err(failure) if matches!(failure.verdict, Verdict::ConditionFailed(_)) => Ok(()),
            other => other.map_err(BackendError::from),
        }
    }

    /// A holder that is certain to have expired, by what contenders noted or this process saw, is not
    /// shown; of others nobody can say.
    async fn inspect(&self, history: &History) -> Result<Option<Holder>, BackendError> {
        let stored = self.read_lock(self.operation("inspect lock"), history).await?;
        let live =
            stored.filter(|stored| stored.owner.is_some() && self.stood(history, stored) < stored.patience());
        Ok(live.and_then(|stored| stored.holder()))
    }

    async fn break_lock(&self, history: &History) -> Result<Option<Holder>, BackendError> {
        let operation = self.operation("break lock");
        let mut contention = Contention::begin();
        loop {
            let stored = self.read_lock(operation, history).await?;
            let head = self.stored_head(operation, history).await?;
            if stored.is_none() && head.is_none() {
                return Ok(None);
            }
            let items = self.breaking(history, stored.as_ref(), head.as_ref());
            let items = items.map_err(|error| operation.build(&error))?;
            let request = self.client.transact_write_items().set_transact_items(Some(items));
            let Err(error) = request.send().await else {
                return Ok(stored.and_then(|stored| stored.holder()));
            };
            let failure = transaction_failure(operation, &error);
            let lost = matches!(failure.verdict, Verdict::ConditionFailed(_));
            let goes_on =
                if lost { contention.pause().await } else { contention.goes_on_after(&failure).await };
            if !goes_on {
                let message = "the lock and the head change faster than can be seen: try again";
                return Err(if lost {
                    operation.fail(BackendErrorKind::Unavailable, message)
                } else {
                    failure.error
                });
            }
        }
    }

    async fn dedicated(&self) -> Result<Arc<dyn LockStore>, BackendError> {
        let separate = self.separate().await;
        // Connects, and tells now what will not work later.
        separate.get(separate.operation("connect"), TABLE, FORMAT_ITEM).await?;
        Ok(Arc::new(separate))
    }
}

impl DynamoAuditStore {
    async fn read_lock(
        &self,
        operation: Operation<'_>,
        history: &History,
    ) -> Result<Option<Stored>, BackendError> {
        let item = self.get(operation, &partition(history), LOCK).await?;
        let corrupt = |problem| operation.corrupt(format_args!("the lock of {history}"), problem);
        item.as_ref().map(Stored::read).transpose().map_err(corrupt)
    }

    /// For how long the lock has stood unchanged, for certain.
    fn stood(&self, history: &History, stored: &Stored) -> Duration {
        self.watches.observe(&partition(history), &stored.version(), stored.watched, Instant::now())
    }

    /// Notes in the lock what was watched, for contenders that come after this one. If it fails, the
    /// next one watches for longer: asking does not fail for that.
    async fn note(&self, operation: Operation<'_>, history: &History, stored: &Stored, stood: Duration) {
        if stood.saturating_sub(stored.watched) < NOTE_EVERY.min(stored.lease / 20) {
            return;
        }
        let note = Expression::new()
            .set("watched_us", micros(stood))
            .when_equal("version", number(stored.version))
            .when_absent_or_below("watched_us", micros(stood));
        let request =
            note.on(self.client.update_item().table_name(&self.table), key(&partition(history), LOCK));
        if let Err(error) = request.send().await {
            let failure = failure(operation, &error);
            if !matches!(failure.verdict, Verdict::ConditionFailed(_)) {
                tracing::debug!(error = %failure.error, "what was watched of a lease was not noted");
            }
        }
    }

    /// Takes a lock that is ours, free or expired, if it still is as it was read.
    async fn take(
        &self,
        operation: Operation<'_>,
        request: &LockRequest,
        stored: Option<&Stored>,
    ) -> Result<FencingToken, Failure> {
        let mut take = Expression::new().set("lease_us", micros(request.lease)).remove("watched_us");
        let mut token = stored.map_or(FencingToken(0), |stored| stored.token);
        if !stored.is_some_and(|stored| stored.is_ours(request)) {
            token = FencingToken(token.0.saturating_add(1));
            take = take
                .set("owner", text(&request.owner))
                .set("execution_id", text(&request.execution))
                .set("token", number(token))
                // For people: this machine's clock, never compared.
                .set("since", number(Timestamp::now().as_microsecond()));
        }
        take = match stored {
            Some(stored) => take.raise("version").when_equal("version", number(stored.version)),
            None => take.set("version", number(1)).when_absent("version"),
        };
        let key = key(&partition(&request.history), LOCK);
        let sent = take.on(self.client.update_item().table_name(&self.table), key).send().await;
        sent.map(|_| token).map_err(|error| failure(operation, &error))
    }

    /// Changes the lock, if this lease holds it.
    async fn as_holder(
        &self,
        operation: Operation<'_>,
        lease: &Lease,
        change: Expression,
    ) -> Result<(), Failure> {
        let change = change
            .when_equal("owner", text(&lease.request.owner))
            .when_equal("execution_id", text(&lease.request.execution))
            .when_equal("token", number(lease.token));
        let mut contention = Contention::begin();
        loop {
            let key = key(&partition(&lease.request.history), LOCK);
            let request = change.clone().on(self.client.update_item().table_name(&self.table), key);
            let Err(error) = request.send().await else { return Ok(()) };
            let failure = failure(operation, &error);
            if !contention.goes_on_after(&failure).await {
                return Err(failure);
            }
        }
    }

    /// Frees the lock and puts the run in office out of it, both at once, as both were read.
    fn breaking(
        &self,
        history: &History,
        stored: Option<&Stored>,
        head: Option<&StoredHead>,
    ) -> Result<Vec<TransactWriteItem>, aws_sdk_dynamodb::error::BuildError> {
        let (lock_key, head_key) = (key(&partition(history), LOCK), key(&partition(history), HEAD));
        let lock = match stored {
            Some(stored) => {
                free().when_equal("version", number(stored.version)).update_in(&self.table, lock_key)?
            }
            None => Expression::new().when_absent("version").check_in(&self.table, lock_key)?,
        };
        let broken = stored.map_or(FencingToken(0), |stored| stored.token);
        let head = match head {
            Some(StoredHead { head, .. }) => Expression::new()
                .set("token", number(head.token.max(broken).0.saturating_add(1)))
                .when_equal("token", number(head.token))
                .update_in(&self.table, head_key)?,
            None => Expression::new().when_absent("token").check_in(&self.table, head_key)?,
        };
        Ok(vec![lock, head])
    }
}

/// Frees a lock. Token and version stay, and the latter rises.
fn free() -> Expression {
    Expression::new().raise("version").remove("owner").remove("execution_id").remove("watched_us")
}

fn micros(duration: Duration) -> aws_sdk_dynamodb::types::AttributeValue {
    // A hundred years are as good as for ever.
    let longest = Duration::from_secs(100 * 366 * 24 * 60 * 60);
    number(duration.min(longest).as_micros())
}
