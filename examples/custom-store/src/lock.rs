use std::sync::Arc;

use async_trait::async_trait;
use flamingock_core::lock::{Acquisition, FencingToken, Holder, Lease, LockRequest, LockStore};
use flamingock_core::{BackendError, History};
use jiff::Timestamp;
use redb::WriteTransaction;

use crate::RedbStore;
use crate::error::Failure;
use crate::records::{HEADS, Held, LOCKS, Lock, StoredHead, bytes, get, key};

#[async_trait]
impl LockStore for RedbStore {
    async fn initialize(&self) -> Result<(), BackendError> {
        self.initialize_both().await
    }

    async fn try_acquire(&self, request: &LockRequest) -> Result<Acquisition, BackendError> {
        let request = request.clone();
        self.write("acquire the lock", move |transaction| {
            change_lock(transaction, &request.history.clone(), |lock| {
                let now = Timestamp::now();
                let until = now + request.lease;
                match &mut lock.held {
                    Some(held) if held.owner == request.owner && held.execution == request.execution => {
                        held.until = until;
                    }
                    Some(held) if now < held.until => {
                        return Ok(lock.holder(now).map(Acquisition::Held));
                    }
                    _ => {
                        let (owner, execution) = (request.owner.clone(), request.execution.clone());
                        lock.token = FencingToken(lock.token.0 + 1);
                        lock.held = Some(Held { owner, execution, since: now, until });
                    }
                }
                Ok(Some(Acquisition::Acquired(Lease { token: lock.token, request })))
            })
        })
        .await?
        .ok_or_else(|| BackendError::lease_lost("acquire the lock", "it has no holder"))
    }

    async fn extend(&self, lease: &Lease) -> Result<(), BackendError> {
        let lease = lease.clone();
        self.write("extend the lease", move |transaction| {
            change_lock(transaction, &lease.request.history, |lock| match held_under(lock, &lease) {
                Some(held) => {
                    held.until = Timestamp::now() + lease.request.lease;
                    Ok(())
                }
                None => {
                    let message = "the lock was taken, broken or given back";
                    Err(Failure::Backend(BackendError::lease_lost("extend the lease", message)))
                }
            })
        })
        .await
    }

    async fn release(&self, lease: &Lease) -> Result<(), BackendError> {
        let lease = lease.clone();
        self.write("release the lock", move |transaction| {
            change_lock(transaction, &lease.request.history, |lock| {
                if held_under(lock, &lease).is_some() {
                    lock.held = None;
                }
                Ok(())
            })
        })
        .await
    }

    async fn inspect(&self, history: &History) -> Result<Option<Holder>, BackendError> {
        let history = history.clone();
        let found = self.read("inspect the lock", move |transaction| {
            let lock: Option<Lock> = get(&transaction.open_table(LOCKS)?, "the lock", &key(&history)?)?;
            let holder = lock.and_then(|lock| lock.holder(Timestamp::now()));
            Ok(holder.filter(|holder| holder.remaining.is_some_and(|remaining| !remaining.is_zero())))
        });
        Ok(found.await?.flatten())
    }

    async fn break_lock(&self, history: &History) -> Result<Option<Holder>, BackendError> {
        let history = history.clone();
        self.write("break the lock", move |transaction| {
            let (holder, token) = change_lock(transaction, &history, |lock| {
                let holder = lock.holder(Timestamp::now());
                lock.held = None;
                Ok((holder, lock.token))
            })?;
            depose(transaction, &history, token)?;
            Ok(holder)
        })
        .await
    }

    async fn dedicated(&self) -> Result<Arc<dyn LockStore>, BackendError> {
        // Each operation has a thread of its own already.
        Ok(Arc::new(self.clone()))
    }
}

/// What the holder of this lease holds, if it still does. A token names one holder only.
fn held_under<'a>(lock: &'a mut Lock, lease: &Lease) -> Option<&'a mut Held> {
    let token = lock.token;
    lock.held.as_mut().filter(|_| token == lease.token)
}

/// Reads a lock, changes it and stores it, within one transaction. One that fails changes nothing.
fn change_lock<T>(
    transaction: &WriteTransaction,
    history: &History,
    change: impl FnOnce(&mut Lock) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let key = key(history)?;
    let mut locks = transaction.open_table(LOCKS)?;
    let mut lock: Lock = get(&locks, "the lock", &key)?.unwrap_or_default();
    let done = change(&mut lock)?;
    locks.insert(key.as_str(), bytes(&lock)?.as_slice())?;
    Ok(done)
}

/// Puts whoever is in office out of it, where anybody is.
fn depose(transaction: &WriteTransaction, history: &History, token: FencingToken) -> Result<(), Failure> {
    let key = key(history)?;
    let mut heads = transaction.open_table(HEADS)?;
    let stored: Option<StoredHead> = get(&heads, "the head", &key)?;
    if let Some(StoredHead(mut head)) = stored {
        head.token = FencingToken(head.token.max(token).0 + 1);
        heads.insert(key.as_str(), bytes(&StoredHead(head))?.as_slice())?;
    }
    Ok(())
}
