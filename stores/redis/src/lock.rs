use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use flamingock_core::audit::AuditStore;
use flamingock_core::lock::{Acquisition, FencingToken, Holder, Lease, LockRequest, LockStore};
use flamingock_core::{BackendError, BackendErrorKind, History};
use redis::Value;

use crate::errors::Operation;
use crate::link::Again;
use crate::place::Place;
use crate::script::{ACQUIRE, BREAK, EXTEND, INSPECT, RELEASE};
use crate::{RedisAuditStore, RedisLockStore, durability, reply};

impl Place {
    async fn try_acquire(&self, request: &LockRequest) -> Result<Acquisition, BackendError> {
        let operation = self.operation("acquire lock");
        let call = ACQUIRE.on([self.keys.lock(&request.history)]).args([
            request.owner.clone(),
            request.execution.clone(),
            microseconds(request.lease),
        ]);
        let answer = self.call(&operation, call, Again::Yes).await?;
        let corrupt = |problem| unreadable(&operation, &request.history, problem);
        let (word, values) = reply::word(answer).map_err(corrupt)?;
        if word == "acquired" {
            let token = values.first().ok_or_else(|| "no token".to_owned()).and_then(reply::number);
            let token = FencingToken(token.map_err(corrupt)?);
            return Ok(Acquisition::Acquired(Lease { request: request.clone(), token }));
        }
        let holder = holder(values).map_err(corrupt)?;
        holder.map(Acquisition::Held).ok_or_else(|| corrupt("it has no owner".to_owned()))
    }

    async fn extend(&self, lease: &Lease) -> Result<(), BackendError> {
        let operation = self.operation("extend lock");
        let history = &lease.request.history;
        let call =
            EXTEND.on([self.keys.lock(history)]).args(held_by(lease)).arg(microseconds(lease.request.lease));
        let answer = self.call(&operation, call, Again::Yes).await?;
        let (word, _) = reply::word(answer).map_err(|problem| unreadable(&operation, history, problem))?;
        if word == "extended" {
            return Ok(());
        }
        let message = "somebody else took or broke the lock, or the server lost it: this run stops";
        Err(operation.fail(BackendErrorKind::LeaseLost, message))
    }

    async fn release(&self, lease: &Lease) -> Result<(), BackendError> {
        let operation = self.operation("release lock");
        let call = RELEASE.on([self.keys.lock(&lease.request.history)]).args(held_by(lease));
        self.call(&operation, call, Again::Yes).await.map(drop)
    }

    async fn inspect(&self, history: &History) -> Result<Option<Holder>, BackendError> {
        let operation = self.operation("inspect lock");
        let answer = self.call(&operation, INSPECT.on([self.keys.lock(history)]), Again::Yes).await?;
        let holder = seen(answer).map_err(|problem| unreadable(&operation, history, problem))?;
        Ok(holder.filter(|holder| holder.remaining.is_some_and(|remaining| !remaining.is_zero())))
    }

    async fn break_lock(
        &self,
        history: &History,
        head: Option<String>,
    ) -> Result<Option<Holder>, BackendError> {
        let operation = self.operation("break lock");
        let call = BREAK.on([self.keys.lock(history)].into_iter().chain(head));
        // Not again: the second answer would say that nobody held it.
        let answer = self.call(&operation, call, Again::No).await?;
        seen(answer).map_err(|problem| unreadable(&operation, history, problem))
    }
}

fn unreadable(operation: &Operation<'_>, history: &History, problem: String) -> BackendError {
    operation.corrupt(format_args!("the lock of {history}"), problem)
}

/// What a lock must still say for a lease to hold it.
fn held_by(lease: &Lease) -> [String; 3] {
    [lease.request.owner.clone(), lease.request.execution.clone(), lease.token.0.to_string()]
}

fn microseconds(lease: Duration) -> String {
    // A hundred years are as good as for ever, and scripts can still add them to the time.
    let longest = Duration::from_secs(100 * 366 * 24 * 60 * 60);
    lease.min(longest).as_micros().to_string()
}

fn seen(answer: Value) -> Result<Option<Holder>, String> {
    reply::word(answer).and_then(|(_, values)| holder(values))
}

/// Who holds a lock, from its fields and the time; [`None`] when it is free.
fn holder(values: Vec<Value>) -> Result<Option<Holder>, String> {
    let [lock, now]: [Value; 2] = values.try_into().map_err(|_| "an answer of another length".to_owned())?;
    let lock = reply::array(lock)?;
    let [owner, execution, token, since, expires] = lock.as_slice() else {
        return Err("an answer of another length".to_owned());
    };
    let Some(owner) = reply::optional_text(owner)? else { return Ok(None) };
    let since =
        jiff::Timestamp::from_microsecond(reply::number(since)?).map_err(|error| error.to_string())?;
    let left = reply::number::<i64>(expires)?.saturating_sub(reply::number(&now)?);
    Ok(Some(Holder {
        owner: owner.to_owned(),
        execution: reply::text(execution)?.to_owned(),
        token: FencingToken(reply::number(token)?),
        since,
        remaining: Some(Duration::from_micros(u64::try_from(left).unwrap_or_default())),
    }))
}

/// The operations of a lock, which differ in nothing but how they are set up and what breaking changes.
macro_rules! lock_store {
    ($store:ident, |$initialized:ident| $initialize:expr, |$broken:ident, $history:ident| $head:expr, |$self:ident, $place:ident| $apart:expr) => {
        #[async_trait]
        impl LockStore for $store {
            async fn initialize(&self) -> Result<(), BackendError> {
                let $initialized = self;
                $initialize.await
            }

            async fn try_acquire(&self, request: &LockRequest) -> Result<Acquisition, BackendError> {
                self.place.try_acquire(request).await
            }

            async fn extend(&self, lease: &Lease) -> Result<(), BackendError> {
                self.place.extend(lease).await
            }

            async fn release(&self, lease: &Lease) -> Result<(), BackendError> {
                self.place.release(lease).await
            }

            async fn inspect(&self, history: &History) -> Result<Option<Holder>, BackendError> {
                self.place.inspect(history).await
            }

            async fn break_lock(&self, $history: &History) -> Result<Option<Holder>, BackendError> {
                let $broken = self;
                self.place.break_lock($history, $head).await
            }

            async fn dedicated(&self) -> Result<Arc<dyn LockStore>, BackendError> {
                let ($self, $place) = (self, self.place.apart().await?);
                Ok(Arc::new($apart))
            }
        }
    };
}

lock_store!(
    RedisAuditStore,
    |store| AuditStore::initialize(store),
    |store, history| Some(store.place.keys.head(history)),
    |store, place| Self { place, ..store.clone() }
);
lock_store!(RedisLockStore, |store| store.set_up(), |_store, history| None, |_store, place| Self { place });

impl RedisLockStore {
    async fn set_up(&self) -> Result<(), BackendError> {
        self.place.connect().await?;
        durability::check_lock(&self.place.operation("initialize"), &self.place.link).await
    }
}
