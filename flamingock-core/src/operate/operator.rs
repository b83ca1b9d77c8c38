use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{ChainReport, Ruled, Ruling, Standing};
use crate::audit::{AuditEntry, AuditStore, ChainHash, EntryFilter, Head, VerdictStatus};
use crate::builder::Flamingock;
use crate::event::Event;
use crate::lock::{Holder, LockStore};
use crate::pipeline::{Pipeline, Targets};
use crate::{History, RunError};

/// An operator at an audit store, without the application: no changes, no targets.
///
/// ```
/// # use std::sync::Arc;
/// # use flamingock_core::{History, memory::MemoryStore, operate::Operator};
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let store = Arc::new(MemoryStore::new());
/// let operator = Operator::new(store.clone(), store, History::new("orders"));
/// assert!(operator.status().await?.head.is_none()); // it never ran
/// # Ok::<(), flamingock_core::RunError>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Operator {
    app: Flamingock,
}

/// Where a history stands.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Status {
    /// The head; [`None`] before the first run.
    pub head: Option<Head>,
    /// Who holds the lock.
    pub holder: Option<Holder>,
    /// The newest entry of each change, by sequence, and where the change stands.
    pub changes: Vec<(AuditEntry, Standing)>,
}

impl Status {
    /// Whether the last run needed an operator, and not all that it named is settled since.
    pub fn is_blocked(&self) -> bool {
        let verdict = self.head.as_ref().and_then(|head| head.verdict.as_ref());
        verdict.is_some_and(|verdict| verdict.status == VerdictStatus::Blocked)
    }

    /// How many changes stand so.
    pub fn count(&self, wanted: Standing) -> usize {
        self.changes.iter().filter(|(_, standing)| *standing == wanted).count()
    }

    /// The newest entry of a change, and where it stands.
    pub fn change(&self, id: &str) -> Option<&(AuditEntry, Standing)> {
        self.changes.iter().find(|(entry, _)| entry.change == id)
    }
}

impl Operator {
    /// An operator at this store, for this history. It waits up to 70 s for the lock: longer than a
    /// dead runner's lease lasts. A lock that is another object than the store counts as kept elsewhere.
    pub fn new(store: Arc<dyn AuditStore>, lock: Arc<dyn LockStore>, history: History) -> Self {
        let mut settings = crate::builder::Settings::new();
        settings.history = history;
        settings.lock_wait = Duration::from_secs(70);
        settings.name_owner();
        let own_lock = !std::ptr::addr_eq(Arc::as_ptr(&store), Arc::as_ptr(&lock));
        let pipeline = Pipeline { stages: Vec::new(), inactive: Vec::new(), digest: String::new() };
        let app = Flamingock {
            settings,
            store,
            lock,
            own_lock,
            targets: Targets::new(),
            resources: Arc::default(),
            pipeline,
            listeners: Arc::default(),
        };
        Self { app }
    }

    /// How long to wait for the lock.
    #[must_use]
    pub fn lock_wait(mut self, wait: Duration) -> Self {
        self.app.settings.lock_wait = wait;
        self
    }

    /// Gives up waiting when the token is cancelled.
    #[must_use]
    pub fn cancel_on(mut self, token: CancellationToken) -> Self {
        self.app.settings.cancel = token;
        self
    }

    /// Adds a listener: it hears who is waited for.
    #[must_use]
    pub fn on_event(mut self, listener: impl Fn(&Event<'_>) + Send + Sync + 'static) -> Self {
        self.app = self.app.listened_to(listener);
        self
    }

    /// Whose changes.
    pub fn history(&self) -> &History {
        &self.app.settings.history
    }

    /// The audit store.
    pub fn store(&self) -> &Arc<dyn AuditStore> {
        &self.app.store
    }

    /// Where everything stands: head, lock, and each change.
    ///
    /// # Errors
    /// When the store is not reached.
    pub async fn status(&self) -> Result<Status, RunError> {
        self.app.operated(async |run| run.status().await).await
    }

    /// The head and the lock, without the changes.
    ///
    /// # Errors
    /// When the store is not reached.
    pub async fn holder(&self) -> Result<(Option<Head>, Option<Holder>), RunError> {
        self.app.operated(async |run| Ok((run.read_head().await?, run.holder().await?))).await
    }

    /// A page of entries.
    ///
    /// # Errors
    /// When the store is not reached, or an entry cannot be read.
    pub async fn entries(&self, filter: &EntryFilter) -> Result<Vec<AuditEntry>, RunError> {
        self.app.operated(async |run| run.entries(filter).await).await
    }

    /// Rules about a change: takes the lock and office, looks again, and records it.
    ///
    /// # Errors
    /// `Refused` when there is no such change, no reason, nothing to settle, or when it needs
    /// [`correct`](Ruling::correct), [`force`](Ruling::force) or [`against_target`](Ruling::against_target);
    /// `LockTimeout` when it is running.
    pub async fn rule(&self, ruling: &Ruling) -> Result<Ruled, RunError> {
        self.app.operated(async |run| run.rule(ruling).await).await
    }

    /// Lets held changes run again: the next start applies them. All of them, or none.
    ///
    /// # Errors
    /// `Refused` when one of them is not held; `LockTimeout`.
    pub async fn release(
        &self,
        changes: &[String],
        operator: &str,
        reason: &str,
    ) -> Result<Vec<AuditEntry>, RunError> {
        self.app.operated(async |run| run.let_run(changes, operator, reason).await).await
    }

    /// Names this point of the history.
    ///
    /// # Errors
    /// `Refused` when the name is taken or the history is empty; `LockTimeout`.
    pub async fn tag(&self, name: &str, operator: &str) -> Result<AuditEntry, RunError> {
        self.app.operated(async |run| run.tag(name, operator).await).await
    }

    /// Takes the lock from whoever holds it, and records that. Waits for nobody: whoever waits for the lock
    /// may have it when this returns. [`None`] when it was free.
    ///
    /// # Errors
    /// `Refused` without a reason; `LeaseLost` when another took office in the same moment.
    pub async fn unlock(
        &self,
        reason: &str,
        operator: &str,
    ) -> Result<Option<(Holder, AuditEntry)>, RunError> {
        self.app.operated(async |run| run.unlock(reason, operator).await).await
    }

    /// Checks every entry against the chain, the chain against the head, and both against a sequence
    /// and hash that were noted elsewhere.
    ///
    /// # Errors
    /// When the store is not reached. What does not hold is in the report.
    pub async fn verify(&self, expect: Option<(u64, ChainHash)>) -> Result<ChainReport, RunError> {
        self.app.operated(async |run| run.verify_audit(expect).await).await
    }
}

impl Flamingock {
    /// An operator at this application's audit store.
    pub fn operator(&self) -> Operator {
        let mut operator =
            Operator::new(Arc::clone(&self.store), Arc::clone(&self.lock), self.settings.history.clone());
        operator.app.own_lock = self.own_lock;
        operator.app.settings.host = Arc::clone(&self.settings.host);
        operator.app.settings.name_owner();
        operator.cancel_on(self.settings.cancel.clone())
    }
}
