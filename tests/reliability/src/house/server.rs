use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flamingock_core::History;
use flamingock_core::audit::{AuditEntry, AuditStore, ChainHash, EntryFilter, Head};
use flamingock_core::lock::{Holder, LockStore};
use flamingock_core::memory::{MemoryMap, MemoryStore, MemoryTarget};
use flamingock_core::target::Markers;

use super::Flaw;

/// The servers, which outlive every process, and what is known about the runs from outside.
pub(crate) struct House {
    pub(crate) audit: MemoryStore,
    lock: Mutex<MemoryStore>,
    pub(crate) db: MemoryTarget,
    pub(crate) flags: MemoryMap,
    sessions: Mutex<Sessions>,
    acknowledged: Mutex<Vec<(u64, ChainHash)>>,
    offices: Mutex<Offices>,
    /// The processes that live, and the execution that took office.
    alive: Mutex<BTreeMap<usize, Option<String>>>,
    contested: AtomicBool,
    trace: Option<Mutex<Vec<String>>>,
    /// What the servers do wrong on purpose.
    pub(super) flaw: Option<Flaw>,
    /// Fences raised under [`Flaw::NoFence`].
    pub(super) fences: AtomicU64,
}

/// The sessions on `db`, which numbers them.
#[derive(Default)]
struct Sessions {
    opened: u64,
    /// Who holds which.
    held: BTreeMap<u64, usize>,
}

/// Who took office, and when somebody in office looked.
#[derive(Debug, Default, Clone)]
pub(crate) struct Offices {
    /// Executions, in the order in which they took office.
    pub(crate) taken: Vec<String>,
    /// How many had taken office, and how long the log was, when it was read.
    pub(crate) looks: Vec<(usize, u64)>,
}

impl House {
    pub(crate) fn new(traced: bool, flaw: Option<Flaw>) -> Self {
        Self {
            audit: MemoryStore::new(),
            lock: Mutex::new(MemoryStore::new()),
            // Shorter than a lease: who is blocked for ever learns it in time.
            db: MemoryTarget::new("db").lock_timeout(Duration::from_millis(500)),
            flags: MemoryMap::new(),
            sessions: Mutex::default(),
            acknowledged: Mutex::default(),
            offices: Mutex::default(),
            alive: Mutex::default(),
            contested: AtomicBool::new(false),
            trace: traced.then(Mutex::default),
            flaw,
            fences: AtomicU64::new(0),
        }
    }

    pub(crate) fn history() -> History {
        History::new("orders")
    }

    /// The lock, kept apart from the audit: it may lose what it knows.
    pub(crate) fn lock(&self) -> MemoryStore {
        guard(&self.lock).clone()
    }

    /// The lock forgets holder and token.
    pub(crate) async fn forget_lock(&self) {
        let fresh = MemoryStore::new();
        LockStore::initialize(&fresh).await.expect("memory can be set up");
        *guard(&self.lock) = fresh;
    }

    // ---- sessions ----

    /// A process opened one; returns its number.
    pub(crate) fn session_opened(&self, process: usize) -> u64 {
        let mut sessions = guard(&self.sessions);
        sessions.opened += 1;
        let number = sessions.opened;
        sessions.held.insert(number, process);
        number
    }

    pub(crate) fn session_gone(&self, number: u64) {
        guard(&self.sessions).held.remove(&number);
    }

    pub(crate) fn any_session(&self) -> bool {
        !guard(&self.sessions).held.is_empty()
    }

    /// The target ends the open sessions of one process, or of all.
    pub(crate) async fn end_sessions(&self, of: Option<usize>) {
        let held = guard(&self.sessions).held.clone();
        for (number, _) in held.into_iter().filter(|(_, process)| of.is_none_or(|of| of == *process)) {
            self.db.end_session(&format!("memory-session-{number}")).await.expect("memory is there");
        }
    }

    // ---- what is known ----

    pub(crate) fn acknowledge(&self, entries: &[AuditEntry]) {
        guard(&self.acknowledged).extend(entries.iter().map(|entry| (entry.sequence, entry.hash)));
    }

    pub(crate) fn acknowledged(&self) -> Vec<(u64, ChainHash)> {
        guard(&self.acknowledged).clone()
    }

    pub(crate) fn office_taken(&self, process: usize, execution: &str) {
        guard(&self.offices).taken.push(execution.to_owned());
        let mut alive = guard(&self.alive);
        if alive.iter().any(|(other, in_office)| *other != process && in_office.is_some()) {
            self.contested.store(true, Ordering::Relaxed);
        }
        if let Some(in_office) = alive.get_mut(&process) {
            *in_office = Some(execution.to_owned());
        }
    }

    pub(crate) fn process_lives(&self, process: usize) {
        guard(&self.alive).insert(process, None);
    }

    pub(crate) fn process_ended(&self, process: usize) {
        guard(&self.alive).remove(&process);
    }

    /// An operator looks at what this run left, which has lost its lease, and rules.
    pub(crate) fn ruled_about(&self, execution: &str) {
        if guard(&self.alive).values().any(|in_office| in_office.as_deref() == Some(execution)) {
            self.contested.store(true, Ordering::Relaxed);
        }
    }

    /// Whether a process took office, or ruled, while another that had it was still at work.
    pub(crate) fn was_contested(&self) -> bool {
        self.contested.load(Ordering::Relaxed)
    }

    /// Whoever is in office reads what it acts on.
    pub(crate) fn looked(&self, length: u64) {
        let mut offices = guard(&self.offices);
        let taken = offices.taken.len();
        offices.looks.push((taken, length));
    }

    pub(crate) fn offices(&self) -> Offices {
        guard(&self.offices).clone()
    }

    pub(crate) async fn entries(&self) -> Vec<AuditEntry> {
        self.audit.entries(&Self::history(), &EntryFilter::default()).await.unwrap_or_default()
    }

    pub(crate) async fn head(&self) -> Option<Head> {
        self.audit.head(&Self::history()).await.expect("memory is there")
    }

    pub(crate) async fn lock_holder(&self) -> Option<Holder> {
        self.lock().inspect(&Self::history()).await.expect("memory is there")
    }

    // ---- telling ----

    pub(crate) fn note(&self, line: impl FnOnce() -> String) {
        if let Some(trace) = &self.trace {
            guard(trace).push(line());
        }
    }

    pub(crate) fn trace(&self) -> Vec<String> {
        self.trace.as_ref().map(|trace| guard(trace).clone()).unwrap_or_default()
    }
}

impl fmt::Debug for House {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("House").field("audit", &self.audit).finish_non_exhaustive()
    }
}

/// A panic elsewhere fails the case anyway.
pub(crate) fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
