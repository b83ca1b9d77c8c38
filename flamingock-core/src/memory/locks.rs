use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::time::Instant;

use super::MemoryStore;
use crate::lock::{Acquisition, FencingToken, Holder, Lease, LockRequest, LockStore};
use crate::{BackendError, History};

/// The lock of one history. The counter outlives its holders.
#[derive(Default)]
pub(super) struct Lock {
    token: FencingToken,
    held: Option<Held>,
}

struct Held {
    owner: String,
    execution: String,
    since: Timestamp,
    until: Instant,
}

impl Lock {
    fn acquire(&mut self, request: &LockRequest, now: Instant) -> Acquisition {
        match &mut self.held {
            Some(held) if held.owner == request.owner && held.execution == request.execution => {
                held.until = now + request.lease;
            }
            Some(held) if now < held.until => return Acquisition::Held(held.holder(self.token, now)),
            _ => {
                self.token = FencingToken(self.token.0 + 1);
                self.held = Some(Held {
                    owner: request.owner.clone(),
                    execution: request.execution.clone(),
                    since: Timestamp::now(),
                    until: now + request.lease,
                });
            }
        }
        Acquisition::Acquired(Lease { request: request.clone(), token: self.token })
    }

    /// What the holder of this lease holds; [`None`] when it does not any more.
    fn held_under(&mut self, lease: &Lease) -> Option<&mut Held> {
        // The token names one holder only.
        self.held.as_mut().filter(|_| self.token == lease.token)
    }

    fn holder(&self, now: Instant) -> Option<Holder> {
        self.held.as_ref().map(|held| held.holder(self.token, now))
    }
}

impl Held {
    fn holder(&self, token: FencingToken, now: Instant) -> Holder {
        Holder {
            owner: self.owner.clone(),
            execution: self.execution.clone(),
            token,
            since: self.since,
            remaining: Some(self.until.saturating_duration_since(now)),
        }
    }
}

#[async_trait]
impl LockStore for MemoryStore {
    async fn initialize(&self) -> Result<(), BackendError> {
        self.initialize_both()
    }

    async fn try_acquire(&self, request: &LockRequest) -> Result<Acquisition, BackendError> {
        let now = self.now();
        let mut state = self.reach_initialized("acquire the lock")?;
        let acquisition = state.locks.entry(request.history.clone()).or_default().acquire(request, now);
        match acquisition {
            Acquisition::Acquired(_) => state.counts.acquires += 1,
            Acquisition::Held(_) => state.counts.acquires_held += 1,
        }
        Ok(acquisition)
    }

    async fn extend(&self, lease: &Lease) -> Result<(), BackendError> {
        let now = self.now();
        let mut state = self.reach_initialized("extend the lease")?;
        let lock = state.locks.entry(lease.request.history.clone()).or_default();
        let Some(held) = lock.held_under(lease) else {
            let message = match lock.holder(now) {
                Some(holder) => format!("{} holds the lock", holder.owner),
                None => "the lock was broken or given back".to_owned(),
            };
            return Err(BackendError::lease_lost("extend the lease", message));
        };
        held.until = now + lease.request.lease;
        state.counts.extends += 1;
        Ok(())
    }

    async fn release(&self, lease: &Lease) -> Result<(), BackendError> {
        let mut state = self.reach_initialized("release the lock")?;
        let lock = state.locks.entry(lease.request.history.clone()).or_default();
        if lock.held_under(lease).is_some() {
            lock.held = None;
            state.counts.releases += 1;
        }
        Ok(())
    }

    async fn inspect(&self, history: &History) -> Result<Option<Holder>, BackendError> {
        let now = self.now();
        let mut state = self.reach_initialized("inspect the lock")?;
        state.counts.inspections += 1;
        let holder = state.locks.get(history).and_then(|lock| lock.holder(now));
        Ok(holder.filter(|holder| holder.remaining.is_some_and(|remaining| !remaining.is_zero())))
    }

    async fn break_lock(&self, history: &History) -> Result<Option<Holder>, BackendError> {
        let now = self.now();
        let mut state = self.reach_initialized("break the lock")?;
        state.counts.breaks += 1;
        let lock = state.locks.entry(history.clone()).or_default();
        let (holder, token) = (lock.holder(now), lock.token);
        lock.held = None;
        if let Some(ledger) = state.ledgers.get_mut(history) {
            ledger.depose(token);
        }
        Ok(holder)
    }

    async fn dedicated(&self) -> Result<Arc<dyn LockStore>, BackendError> {
        drop(self.reach("open a connection for the lease")?);
        Ok(Arc::new(self.clone()))
    }
}
