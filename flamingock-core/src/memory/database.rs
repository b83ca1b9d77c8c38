use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::OwnedMutexGuard;

use super::Fault;
use crate::lock::FencingToken;
use crate::target::{Fence, Marker};
use crate::{BackendError, BackendErrorKind, History};

/// The server's side of a [`MemoryTarget`](super::MemoryTarget): what all its connections share.
#[derive(Default)]
pub(super) struct Database {
    state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) unreachable: bool,
    pub(super) next_commit: Option<Fault>,
    pub(super) data: BTreeMap<String, String>,
    pub(super) fences: HashMap<History, FenceRow>,
    pub(super) markers: BTreeMap<(History, String), Marker>,
    /// Who holds a lock has its guard: a session, or a look at the fence.
    fence_locks: HashMap<History, Arc<tokio::sync::Mutex<()>>>,
    pub(super) sessions: HashMap<u64, Transaction>,
    opened: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FenceRow {
    pub(super) token: FencingToken,
    pub(super) execution: String,
}

/// What an open session has done so far. Taking it out of the state rolls it back.
#[derive(Default)]
pub(super) struct Transaction {
    /// Whether statements take effect one by one: in plain mode, and after a ROLLBACK from inside.
    pub(super) autocommit: bool,
    pub(super) writes: BTreeMap<String, Option<String>>,
    pub(super) markers: BTreeMap<(History, String), Marker>,
    /// The fence that the session began under, and the change.
    pub(super) begun: Option<(Fence, String)>,
    /// The lock on that fence; none any more after the transaction ended from inside.
    pub(super) guard: Option<OwnedMutexGuard<()>>,
}

impl State {
    pub(super) fn open(&mut self, autocommit: bool) -> u64 {
        self.opened += 1;
        self.sessions.insert(self.opened, Transaction { autocommit, ..Transaction::default() });
        self.opened
    }

    /// The session's transaction; an error once the session was ended from outside.
    pub(super) fn transaction(
        &mut self,
        session: u64,
        operation: &'static str,
    ) -> Result<&mut Transaction, BackendError> {
        self.sessions.get_mut(&session).ok_or_else(|| ended(session, operation))
    }

    /// Makes visible what a transaction did, and releases its lock.
    pub(super) fn apply(&mut self, transaction: &mut Transaction) {
        for (key, value) in std::mem::take(&mut transaction.writes) {
            match value {
                Some(value) => self.data.insert(key, value),
                None => self.data.remove(&key),
            };
        }
        self.markers.append(&mut transaction.markers);
        transaction.guard = None;
    }

    fn blocker(&self, history: &History) -> String {
        let holder = self.sessions.iter().find_map(|(id, transaction)| {
            let (fence, change) = transaction.begun.as_ref().filter(|_| transaction.guard.is_some())?;
            (fence.history == *history).then(|| (session_name(*id), &fence.execution, change))
        });
        match holder {
            Some((session, execution, change)) => {
                format!("{session}, in which run {execution} has change `{change}` open")
            }
            None => "another look at it".to_owned(),
        }
    }
}

impl Database {
    /// What is there, as it is.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // A panic cannot leave it half-changed: nothing in here calls foreign code.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is there, as an operation reaches it.
    pub(super) fn reach(&self, operation: &'static str) -> Result<MutexGuard<'_, State>, BackendError> {
        let state = self.state();
        if state.unreachable {
            let message = "the target is switched off";
            return Err(BackendError::new(BackendErrorKind::Unavailable, operation, message));
        }
        Ok(state)
    }

    /// Waits for the lock on a fence, but not for ever.
    pub(super) async fn lock_fence(
        &self,
        history: &History,
        timeout: Duration,
        operation: &'static str,
    ) -> Result<OwnedMutexGuard<()>, BackendError> {
        let lock = Arc::clone(self.reach(operation)?.fence_locks.entry(history.clone()).or_default());
        match tokio::time::timeout(timeout, lock.lock_owned()).await {
            Ok(guard) => Ok(guard),
            Err(_) => {
                let blocker = self.state().blocker(history);
                let message =
                    format!("the fence of {history} is still locked after {timeout:?} by {blocker}");
                Err(BackendError::new(BackendErrorKind::Unavailable, operation, message))
            }
        }
    }
}

pub(super) fn session_name(session: u64) -> String {
    format!("memory-session-{session}")
}

pub(super) fn ended(session: u64, operation: &'static str) -> BackendError {
    let message = format!("{} was ended", session_name(session));
    BackendError::new(BackendErrorKind::Unavailable, operation, message)
}
