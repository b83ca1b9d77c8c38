use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flamingock_core::History;
use flamingock_core::audit::{AuditEntry, AuditStore, ChainHash, EntryFilter, Head};
use flamingock_core::lock::{Holder, LockStore};
use flamingock_core::memory::{MemoryMap, MemoryStore, MemoryTarget};
use flamingock_core::target::Markers;
use futures_util::future::BoxFuture;

/// The servers, which outlive every process.
pub(super) struct World {
    pub(super) audit: MemoryStore,
    lock: Mutex<MemoryStore>,
    pub(super) db: MemoryTarget,
    pub(super) flags: MemoryMap,
    /// Effects so far, of all processes: by them the late ones are due.
    effects: AtomicU64,
    late: Mutex<Vec<Late>>,
    /// Sessions opened on `db`, which numbers them.
    opened: AtomicU64,
    /// Sessions that a process holds.
    held: AtomicU64,
    acknowledged: Mutex<Vec<(u64, ChainHash)>>,
    trace: Option<Mutex<Vec<String>>>,
    /// Whether something landed late after all processes were done.
    outlived: AtomicBool,
}

/// A request that is still on its way.
struct Late {
    due: u64,
    what: String,
    land: BoxFuture<'static, ()>,
}

impl World {
    pub(super) fn new(traced: bool) -> Self {
        Self {
            audit: MemoryStore::new(),
            lock: Mutex::new(MemoryStore::new()),
            // Shorter than a lease: who is blocked for ever learns it in time.
            db: MemoryTarget::new("db").lock_timeout(Duration::from_millis(500)),
            flags: MemoryMap::new(),
            effects: AtomicU64::new(0),
            late: Mutex::default(),
            opened: AtomicU64::new(0),
            held: AtomicU64::new(0),
            acknowledged: Mutex::default(),
            trace: traced.then(Mutex::default),
            outlived: AtomicBool::new(false),
        }
    }

    pub(super) fn history() -> History {
        History::new("orders")
    }

    /// The lock, kept apart from the audit: it may lose what it knows.
    pub(super) fn lock(&self) -> MemoryStore {
        guard(&self.lock).clone()
    }

    /// The lock forgets holder and token.
    pub(super) async fn forget_lock(&self) {
        let fresh = MemoryStore::new();
        LockStore::initialize(&fresh).await.expect("memory can be set up");
        *guard(&self.lock) = fresh;
    }

    // ---- what is late ----

    /// Counts an effect, after letting land what is due before it.
    pub(super) async fn next_effect(&self) {
        let now = self.effects.fetch_add(1, Ordering::Relaxed);
        self.land(|late| late.due <= now).await;
    }

    /// Everything that was on its way has arrived.
    pub(super) async fn settle(&self) {
        let any = !guard(&self.late).is_empty();
        self.outlived.store(any, Ordering::Relaxed);
        self.land(|_| true).await;
    }

    /// Whether something was late for everybody: a longer delay makes no difference.
    pub(super) fn outlived(&self) -> bool {
        self.outlived.load(Ordering::Relaxed)
    }

    async fn land(&self, is_due: impl Fn(&Late) -> bool) {
        let due: Vec<Late> = {
            let mut late = guard(&self.late);
            let all = std::mem::take(&mut *late);
            let (due, rest) = all.into_iter().partition(is_due);
            *late = rest;
            due
        };
        for Late { what, land, .. } in due {
            self.note(|| format!("      lands now: {what}"));
            land.await;
        }
    }

    pub(super) fn send_late(&self, delay: u64, what: String, land: BoxFuture<'static, ()>) {
        let due = self.effects.load(Ordering::Relaxed) + delay;
        guard(&self.late).push(Late { due, what, land });
    }

    // ---- sessions ----

    pub(super) fn session_opened(&self) {
        self.opened.fetch_add(1, Ordering::Relaxed);
        self.held.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn session_gone(&self) {
        self.held.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn any_session(&self) -> bool {
        self.held.load(Ordering::Relaxed) > 0
    }

    /// The target ends every session that is open.
    pub(super) async fn end_sessions(&self) {
        for number in 1..=self.opened.load(Ordering::Relaxed) {
            self.db.end_session(&format!("memory-session-{number}")).await.expect("memory is there");
        }
    }

    // ---- what is known ----

    pub(super) fn acknowledge(&self, entries: &[AuditEntry]) {
        guard(&self.acknowledged).extend(entries.iter().map(|entry| (entry.sequence, entry.hash)));
    }

    pub(super) fn acknowledged(&self) -> Vec<(u64, ChainHash)> {
        guard(&self.acknowledged).clone()
    }

    pub(super) async fn entries(&self) -> Vec<AuditEntry> {
        self.audit.entries(&Self::history(), &EntryFilter::default()).await.unwrap_or_default()
    }

    pub(super) async fn head(&self) -> Option<Head> {
        self.audit.head(&Self::history()).await.expect("memory is there")
    }

    pub(super) async fn lock_holder(&self) -> Option<Holder> {
        self.lock().inspect(&Self::history()).await.expect("memory is there")
    }

    // ---- telling ----

    pub(super) fn note(&self, line: impl FnOnce() -> String) {
        if let Some(trace) = &self.trace {
            guard(trace).push(line());
        }
    }

    pub(super) fn trace(&self) -> Vec<String> {
        self.trace.as_ref().map(|trace| guard(trace).clone()).unwrap_or_default()
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("effects", &self.effects).finish_non_exhaustive()
    }
}

/// A panic elsewhere fails the case anyway.
pub(super) fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
