use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use flamingock_core::History;
use flamingock_core::audit::AuditStore;
use flamingock_core::lock::LockStore;

use super::BoxError;

/// How the suites get at an audit store, a lock, or both.
#[async_trait]
pub trait StoreFixture: fmt::Debug + Send + Sync + 'static {
    /// Name of the implementation, first in the names of its cases: `sqlite`.
    fn name(&self) -> String;

    /// Whether it can be tested here. Asked once, before the first case.
    ///
    /// # Errors
    /// Says what is missing and how to get it: its cases are reported as ignored.
    fn available(&self) -> Result<(), String> {
        Ok(())
    }

    /// What it declares.
    fn capabilities(&self) -> StoreCapabilities {
        StoreCapabilities::default()
    }

    /// An empty place that no other case sees: a new database, file or prefix. Nothing is
    /// initialized in it.
    ///
    /// # Errors
    /// When there is none; the case fails.
    async fn fresh(&self) -> Result<Arc<dyn StorePlace>, BoxError>;
}

/// Where one case keeps its data.
#[async_trait]
pub trait StorePlace: fmt::Debug + Send + Sync + 'static {
    /// A new handle on this place, as another process would have: it shares no connection and no
    /// memory with the others. Nothing is initialized by it.
    ///
    /// # Errors
    /// When it cannot be opened; the case fails.
    async fn open(&self) -> Result<StoreHandle, BoxError>;

    /// Does this to the place. Called only for what [`StoreCapabilities::damages`] declares.
    ///
    /// # Errors
    /// When it cannot; the case fails.
    async fn damage(&self, damage: Damage, history: &History, sequence: u64) -> Result<(), BoxError> {
        Err(format!("the fixture cannot do {damage:?} to entry {sequence} of {history}").into())
    }

    /// Removes the place. Called after a case that passed; what a failed one leaves can be looked at.
    ///
    /// # Errors
    /// When it cannot; the case fails.
    async fn remove(&self) -> Result<(), BoxError> {
        Ok(())
    }
}

/// One process' access to a place.
#[derive(Debug, Clone)]
pub struct StoreHandle {
    /// The audit store.
    pub audit: Option<Arc<dyn AuditStore>>,
    /// The lock.
    pub lock: Option<Arc<dyn LockStore>>,
}

impl StoreHandle {
    /// Of a store that is both.
    pub fn both(store: impl AuditStore + LockStore) -> Self {
        let store = Arc::new(store);
        let audit = Arc::clone(&store);
        Self { audit: Some(audit), lock: Some(store) }
    }

    /// Of an audit store that is no lock.
    pub fn audit(store: impl AuditStore) -> Self {
        Self { audit: Some(Arc::new(store)), lock: None }
    }

    /// Of a lock that is no audit store.
    pub fn lock(store: impl LockStore) -> Self {
        Self { audit: None, lock: Some(Arc::new(store)) }
    }
}

/// What an implementation of audit store or lock declares. It decides which cases are run.
///
/// ```
/// use flamingock_testing::conformance::{Damage, StoreCapabilities};
/// let sqlite = StoreCapabilities::default().damages([Damage::UnreadableEntry, Damage::NewerFormat]);
/// let in_one_process = StoreCapabilities::default().one_handle().forgets();
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreCapabilities {
    /// Several handles may be open on one place at once. By default yes.
    pub several_handles: bool,
    /// What was stored is still there after every handle was dropped. By default yes.
    pub persistent: bool,
    /// Audit store and lock are one: breaking the lock raises the head's token. By default yes.
    pub lock_in_audit_store: bool,
    /// The store judges expiry by a clock of its own, so that it knows at once who has expired. By
    /// default yes.
    pub lock_has_clock: bool,
    /// What [`StorePlace::damage`] can do. By default nothing.
    pub damages: Vec<Damage>,
    /// A secret that the connection is made with, and that must show up nowhere.
    pub secret: Option<String>,
    /// How long a case may take, where that is not 30 s.
    pub case_timeout: Option<Duration>,
}

impl Default for StoreCapabilities {
    fn default() -> Self {
        Self {
            several_handles: true,
            persistent: true,
            lock_in_audit_store: true,
            lock_has_clock: true,
            damages: Vec::new(),
            secret: None,
            case_timeout: None,
        }
    }
}

impl StoreCapabilities {
    /// Only one handle may be open on a place at a time: races run on clones of it.
    #[must_use]
    pub fn one_handle(mut self) -> Self {
        self.several_handles = false;
        self
    }

    /// Nothing outlives the last handle.
    #[must_use]
    pub fn forgets(mut self) -> Self {
        self.persistent = false;
        self
    }

    /// The lock knows nothing of the audit.
    #[must_use]
    pub fn lock_apart(mut self) -> Self {
        self.lock_in_audit_store = false;
        self
    }

    /// The store has no clock: contenders watch an unchanged lease.
    #[must_use]
    pub fn lock_without_clock(mut self) -> Self {
        self.lock_has_clock = false;
        self
    }

    /// What the fixture can break.
    #[must_use]
    pub fn damages(mut self, damages: impl IntoIterator<Item = Damage>) -> Self {
        self.damages.extend(damages);
        self
    }

    /// A case may take this long: for a server that stands in for a faster one.
    #[must_use]
    pub fn case_timeout(mut self, timeout: Duration) -> Self {
        self.case_timeout = Some(timeout);
        self
    }

    /// A secret that must show up in no address, no debug output and no error.
    #[must_use]
    pub fn secret(mut self, secret: impl Into<String>) -> Self {
        self.secret = Some(secret.into());
        self
    }
}

/// What a fixture can do to a place behind the store's back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Damage {
    /// The entry of this history and sequence holds something that is no entry, such as an unknown state.
    UnreadableEntry,
    /// What is stored says that a newer release wrote it.
    NewerFormat,
    /// A table or collection of the store's name has another shape. Done to an empty place.
    OtherShape,
    /// It can be read and not written, by handles opened from now on.
    ReadOnly,
    /// It is not reached any more, by any handle.
    Unreachable,
}
