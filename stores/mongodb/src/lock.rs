use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use flamingock_core::lock::{Acquisition, FencingToken, Holder, Lease, LockRequest, LockStore};
use flamingock_core::{BackendError, BackendErrorKind, History};
use mongodb::bson::{Bson, DateTime, Document, doc};

use crate::MongoAuditStore;
use crate::document::{id, number, text};
use crate::error::{Operation, is_duplicate_key};

/// How often the lock is asked for when others are faster.
const TRIES: u32 = 10;

/// A lock as it is stored.
pub(crate) struct Stored {
    /// Who has it, and in which run; [`None`] when it is free.
    owner: Option<(String, String)>,
    token: u64,
    since: DateTime,
    expires_at: DateTime,
}

impl Stored {
    pub(crate) fn read(document: &Document) -> Result<Self, String> {
        let owner = match document.get("owner") {
            None | Some(Bson::Null) => None,
            Some(_) => {
                Some((text(document, "owner")?.to_owned(), text(document, "execution_id")?.to_owned()))
            }
        };
        let time = |name| document.get_datetime(name).copied().map_err(|error| format!("{name}: {error}"));
        let (since, expires_at) = (time("since")?, time("expires_at")?);
        Ok(Self { owner, token: number(document, "token")?, since, expires_at })
    }

    /// Who has it, the lease expired or not.
    pub(crate) fn holder(&self, now: DateTime) -> Option<Holder> {
        let (owner, execution) = self.owner.clone()?;
        let remaining = self.expires_at.timestamp_millis().saturating_sub(now.timestamp_millis());
        Some(Holder {
            owner,
            execution,
            token: FencingToken(self.token),
            since: jiff::Timestamp::from_millisecond(self.since.timestamp_millis()).unwrap_or_default(),
            remaining: Some(Duration::from_millis(u64::try_from(remaining).unwrap_or_default())),
        })
    }

    fn is_ours(&self, request: &LockRequest) -> bool {
        self.owner.as_ref().is_some_and(|(owner, run)| *owner == request.owner && *run == request.execution)
    }

    /// Who keeps others from having it.
    fn live(&self, now: DateTime) -> Option<Holder> {
        self.holder(now).filter(|_| self.expires_at > now)
    }
}

#[async_trait]
impl LockStore for MongoAuditStore {
    async fn initialize(&self) -> Result<(), BackendError> {
        self.set_up().await
    }

    async fn try_acquire(&self, request: &LockRequest) -> Result<Acquisition, BackendError> {
        let operation = self.operation("acquire lock")?;
        operation.bounded(self.acquire(&operation, request)).await
    }

    async fn extend(&self, lease: &Lease) -> Result<(), BackendError> {
        let operation = self.operation("extend lock")?;
        let extended = operation.bounded(async {
            let now = self.now(&operation).await?;
            self.prolong(&operation, &lease.request, lease.token.0, now).await
        });
        if extended.await? {
            return Ok(());
        }
        let message = "somebody else took or broke the lock: this run stops";
        Err(operation.fail(BackendErrorKind::LeaseLost, message))
    }

    async fn release(&self, lease: &Lease) -> Result<(), BackendError> {
        let operation = self.operation("release lock")?;
        let held = held_by(&operation, &lease.request, lease.token.0)?;
        let released = async { self.locks().update_one(held, free()).await.map_err(|e| operation.error(e)) };
        operation.bounded(released).await.map(drop)
    }

    async fn inspect(&self, history: &History) -> Result<Option<Holder>, BackendError> {
        let operation = self.operation("inspect lock")?;
        let inspected = operation.bounded(async {
            let stored = self.read_lock(&operation, history).await?;
            Ok(stored.zip(Some(self.roughly_now(&operation).await?)))
        });
        Ok(inspected.await?.and_then(|(stored, now)| stored.live(now)))
    }

    async fn break_lock(&self, history: &History) -> Result<Option<Holder>, BackendError> {
        let operation = self.operation("break lock")?;
        operation.bounded(self.take_away(&operation, history)).await
    }

    async fn dedicated(&self) -> Result<Arc<dyn LockStore>, BackendError> {
        let operation = self.operation("connect")?;
        let Some(own) = self.reopened(&operation)? else {
            tracing::warn!(
                store = self.describe(),
                "the lease is extended over the application's client: a change that blocks its runtime \
                 keeps it from being extended; `connect` and `with_options` open one for the lease"
            );
            return Ok(Arc::new(self.clone()));
        };
        // It is open now, and on this runtime.
        operation.bounded(own.roughly_now(&operation)).await?;
        Ok(Arc::new(own))
    }
}

impl MongoAuditStore {
    async fn read_lock(
        &self,
        operation: &Operation<'_>,
        history: &History,
    ) -> Result<Option<Stored>, BackendError> {
        let found = self.locks().find_one(doc! { "_id": id(history) }).await;
        let found = found.map_err(|error| operation.error(error))?;
        let corrupt = |problem| operation.corrupt(format_args!("the lock of {history}"), problem);
        found.as_ref().map(Stored::read).transpose().map_err(corrupt)
    }

    /// Takes what is free, on the condition that it is still as it was seen.
    async fn acquire(
        &self,
        operation: &Operation<'_>,
        request: &LockRequest,
    ) -> Result<Acquisition, BackendError> {
        let acquired =
            |token| Ok(Acquisition::Acquired(Lease { request: request.clone(), token: FencingToken(token) }));
        for _ in 0..TRIES {
            // Those who wait only read: they are many, and must not be in the way of the one who works.
            let Some(stored) = self.read_lock(operation, &request.history).await? else {
                let now = self.now(operation).await?;
                let first = doc! {
                    "_id": id(&request.history),
                    "owner": &request.owner,
                    "execution_id": &request.execution,
                    "token": 1_i64,
                    "since": now,
                    "expires_at": expiry(now, request.lease),
                };
                match self.locks().insert_one(first).await {
                    Ok(_) => return acquired(1),
                    Err(error) if is_duplicate_key(&error) => continue,
                    Err(error) => return Err(operation.error(error)),
                }
            };
            if stored.is_ours(request) {
                let now = self.now(operation).await?;
                if self.prolong(operation, request, stored.token, now).await? {
                    return acquired(stored.token);
                }
                continue;
            }
            if let Some(holder) = stored.live(self.roughly_now(operation).await?) {
                return Ok(Acquisition::Held(holder));
            }
            let now = self.now(operation).await?;
            if let Some(holder) = stored.live(now) {
                return Ok(Acquisition::Held(holder));
            }
            let token = stored.token.saturating_add(1);
            // Had it been taken or extended meanwhile, one of these would have changed.
            let as_seen = doc! {
                "_id": id(&request.history),
                "token": operation.number(stored.token)?,
                "owner": stored.owner.as_ref().map(|(owner, _)| owner),
                "expires_at": stored.expires_at,
            };
            let ours = doc! {
                "owner": &request.owner,
                "execution_id": &request.execution,
                "token": operation.number(token)?,
                "since": now,
                "expires_at": expiry(now, request.lease),
            };
            let taken = self.locks().update_one(as_seen, doc! { "$set": ours }).await;
            if taken.map_err(|error| operation.error(error))?.matched_count == 1 {
                return acquired(token);
            }
        }
        let message = "others take the lock and give it back faster than can be seen: ask again";
        Err(operation.fail(BackendErrorKind::Unavailable, message))
    }

    /// Starts a lease anew. `false`: it is not this run's any more.
    async fn prolong(
        &self,
        operation: &Operation<'_>,
        request: &LockRequest,
        token: u64,
        now: DateTime,
    ) -> Result<bool, BackendError> {
        let held = held_by(operation, request, token)?;
        // An extension that was long under way must not take back a later one.
        let longer = doc! { "$max": { "expires_at": expiry(now, request.lease) } };
        let updated = self.locks().update_one(held, longer).await;
        Ok(updated.map_err(|error| operation.error(error))?.matched_count == 1)
    }

    /// Frees the lock whoever holds it, and puts the run in office out of it.
    ///
    /// The two are documents of their own. First the lock: whoever held it can no longer extend it. Then
    /// the head: of the run that was in office before, and of the holder if it took office meanwhile; not
    /// that of somebody who got the free lock in between and has done nothing wrong. After a crash between
    /// the two, breaking it again does the second.
    async fn take_away(
        &self,
        operation: &Operation<'_>,
        history: &History,
    ) -> Result<Option<Holder>, BackendError> {
        let in_office =
            self.heads().find_one(doc! { "_id": id(history) }).projection(doc! { "token": 1 }).await;
        let in_office = in_office.map_err(|error| operation.error(error))?;
        let now = self.roughly_now(operation).await?;
        let broken = self.locks().find_one_and_update(doc! { "_id": id(history) }, free()).await;
        let broken = broken.map_err(|error| operation.error(error))?;
        let corrupt = |problem| operation.corrupt(format_args!("the lock of {history}"), problem);
        let holder = match broken.as_ref().map(Stored::read).transpose() {
            Ok(stored) => stored.and_then(|stored| stored.holder(now)),
            // It is free now, and can be read again.
            Err(problem) => {
                let error = corrupt(problem);
                tracing::warn!(%error, "the lock was broken");
                None
            }
        };
        if let Some(head) = in_office {
            let mut deposed = vec![doc! { "token": head.get("token").cloned() }];
            if let Some(holder) = &holder {
                deposed.push(doc! { "execution_id": &holder.execution });
            }
            let condition = doc! { "_id": id(history), "$or": deposed };
            let raised = self.heads().update_one(condition, doc! { "$inc": { "token": 1_i64 } }).await;
            raised.map_err(|error| operation.error(error))?;
        } else if let Some(holder) = &holder {
            // It may have taken the first office of all meanwhile.
            let condition = doc! { "_id": id(history), "execution_id": &holder.execution };
            let raised = self.heads().update_one(condition, doc! { "$inc": { "token": 1_i64 } }).await;
            raised.map_err(|error| operation.error(error))?;
        }
        Ok(holder)
    }
}

/// The condition that a request is still the one that holds the lock.
fn held_by(operation: &Operation<'_>, request: &LockRequest, token: u64) -> Result<Document, BackendError> {
    Ok(doc! {
        "_id": id(&request.history),
        "owner": &request.owner,
        "execution_id": &request.execution,
        "token": operation.number(token)?,
    })
}

/// What frees a lock. The token stays.
fn free() -> Document {
    let never = DateTime::from_millis(0);
    doc! { "$set": { "owner": Bson::Null, "execution_id": Bson::Null, "expires_at": never } }
}

/// When a lease that starts now ends.
fn expiry(now: DateTime, lease: Duration) -> DateTime {
    // A hundred years are as good as for ever, and leave room to add.
    let longest = Duration::from_secs(100 * 366 * 24 * 60 * 60);
    let lease = i64::try_from(lease.min(longest).as_millis()).unwrap_or_default();
    DateTime::from_millis(now.timestamp_millis().saturating_add(lease))
}
