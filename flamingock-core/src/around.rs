use std::sync::Arc;

use crate::History;
use crate::audit::AuditStore;
use crate::builder::{Flamingock, FlamingockBuilder};
use crate::change::Change;
use crate::lock::LockStore;
use crate::target::TargetSystem;

/// Puts something around what a run touches: to count, to trace, or to make it fail in a test.
///
/// Each method is given a part and answers with what is to stand in its place; unless told, the part
/// itself.
pub trait Around {
    /// The audit store.
    fn audit_store(&self, store: Arc<dyn AuditStore>) -> Arc<dyn AuditStore> {
        store
    }

    /// The lock.
    fn lock_store(&self, lock: Arc<dyn LockStore>) -> Arc<dyn LockStore> {
        lock
    }

    /// A target system.
    fn target(&self, target: Arc<dyn TargetSystem>) -> Arc<dyn TargetSystem> {
        target
    }

    /// A change. What names it (id, order, target system, checksum) stays as it is.
    fn change(&self, change: Change) -> Change {
        change
    }
}

impl Flamingock {
    /// The same application with something around its parts.
    #[must_use]
    pub fn around(&self, around: &impl Around) -> Self {
        let mut app = self.clone();
        app.store = around.audit_store(app.store);
        app.lock = around.lock_store(app.lock);
        for target in app.targets.values_mut() {
            *target = around.target(Arc::clone(target));
        }
        for change in app.pipeline.stages.iter_mut().flat_map(|stage| &mut stage.changes) {
            change.change = around.change(change.change.clone());
        }
        app
    }
}

/// What it was built from.
impl Flamingock {
    /// Whose changes.
    pub fn history(&self) -> &History {
        &self.settings.history
    }

    /// Where the audit is kept.
    pub fn audit_store(&self) -> &Arc<dyn AuditStore> {
        &self.store
    }

    /// The lock.
    pub fn lock_store(&self) -> &Arc<dyn LockStore> {
        &self.lock
    }

    /// The target system with this id.
    pub fn target(&self, id: &str) -> Option<&Arc<dyn TargetSystem>> {
        self.targets.get(id)
    }
}

impl FlamingockBuilder {
    /// Keeps audit and lock here, unless an audit store was given.
    pub fn audit_store_or<S: AuditStore + LockStore>(self, store: S) -> Self {
        if self.has_audit_store() { self } else { self.audit_store(store) }
    }
}
