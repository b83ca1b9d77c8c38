use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::runtime::Handle;
use tokio::time::Instant;

use super::audit::Ledger;
use super::locks::Lock;
use super::{Fault, StoreCounts};
use crate::{BackendError, BackendErrorKind, History};

/// An audit store and lock in memory. Clones share what is stored, as processes share a server.
///
/// ```
/// # use flamingock_core::{History, audit::AuditStore, memory::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let store = MemoryStore::new();
/// assert_eq!(store.head(&History::new("orders")).await?, None);
/// assert_eq!(store.counts().head_reads, 1);
/// # Ok::<(), flamingock_core::BackendError>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct MemoryStore {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// The runtime whose clock is the store's: the first that used it. Leases are judged by one clock,
    /// also when a heartbeat runs on another runtime and a test has paused one of them.
    clock: OnceLock<Handle>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) initialized: bool,
    pub(super) unreachable: bool,
    pub(super) next_append: Option<Fault>,
    pub(super) counts: StoreCounts,
    pub(super) ledgers: BTreeMap<History, Ledger>,
    pub(super) locks: HashMap<History, Lock>,
}

impl MemoryStore {
    /// Nothing in it yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// How often it was asked for what, so far.
    pub fn counts(&self) -> StoreCounts {
        self.state().counts
    }

    /// Counts from zero again.
    pub fn reset_counts(&self) {
        self.state().counts = StoreCounts::default();
    }

    /// Unplugs it, or plugs it in again. Meanwhile everything fails with `Unavailable`.
    pub fn set_online(&self, online: bool) {
        self.state().unreachable = !online;
    }

    /// Makes the next append fail.
    pub fn fail_next_append(&self, fault: Fault) {
        self.state().next_append = Some(fault);
    }

    /// What is stored, as it is, for tests and for `Debug`.
    fn state(&self) -> MutexGuard<'_, State> {
        // A panic cannot leave it half-changed: nothing in here calls foreign code.
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is stored, as an operation reaches it.
    pub(super) fn reach(&self, operation: &'static str) -> Result<MutexGuard<'_, State>, BackendError> {
        let state = self.state();
        if state.unreachable {
            let error =
                BackendError::new(BackendErrorKind::Unavailable, operation, "the store is switched off");
            return Err(error.context("store", "memory"));
        }
        Ok(state)
    }

    /// The same for what needs tables in a real store.
    pub(super) fn reach_initialized(
        &self,
        operation: &'static str,
    ) -> Result<MutexGuard<'_, State>, BackendError> {
        let state = self.reach(operation)?;
        if !state.initialized {
            let error = BackendError::new(BackendErrorKind::Schema, operation, "initialize was not called");
            return Err(error.context("store", "memory"));
        }
        Ok(state)
    }

    pub(super) fn initialize_both(&self) -> Result<(), BackendError> {
        let mut state = self.reach("initialize")?;
        state.initialized = true;
        state.counts.initializations += 1;
        Ok(())
    }

    /// Now, by the store's own clock.
    pub(super) fn now(&self) -> Instant {
        let clock = self.shared.clock.get().cloned().or_else(|| {
            let here = Handle::try_current().ok()?;
            Some(self.shared.clock.get_or_init(|| here).clone())
        });
        let _on_its_runtime = clock.as_ref().map(Handle::enter);
        Instant::now()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("MemoryStore")
            .field("histories", &state.ledgers.len())
            .field("entries", &state.ledgers.values().map(Ledger::len).sum::<usize>())
            .finish_non_exhaustive()
    }
}
