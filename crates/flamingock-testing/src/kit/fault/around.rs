use std::sync::Arc;

use flamingock_core::Around;
use flamingock_core::audit::AuditStore;
use flamingock_core::change::Change;
use flamingock_core::lock::LockStore;
use flamingock_core::target::TargetSystem;

use super::method::{Role, faulty};
use super::process::Process;
use super::store::{FaultyLock, FaultyStore};
use super::target::FaultyTarget;

/// Puts an application into a process.
#[derive(Debug)]
pub(in crate::kit) struct Within<'a>(pub(in crate::kit) &'a Arc<Process>);

impl Around for Within<'_> {
    fn audit_store(&self, inner: Arc<dyn AuditStore>) -> Arc<dyn AuditStore> {
        Arc::new(FaultyStore { process: Arc::clone(self.0), inner })
    }

    fn lock_store(&self, inner: Arc<dyn LockStore>) -> Arc<dyn LockStore> {
        Arc::new(FaultyLock { process: Arc::clone(self.0), inner })
    }

    fn target(&self, inner: Arc<dyn TargetSystem>) -> Arc<dyn TargetSystem> {
        Arc::new(FaultyTarget { process: Arc::clone(self.0), inner })
    }

    fn change(&self, mut change: Change) -> Change {
        let id = Arc::<str>::from(change.id.as_str());
        change.apply = faulty(self.0, &id, Role::Apply, change.apply);
        change.rollback = change.rollback.map(|method| faulty(self.0, &id, Role::Rollback, method));
        change.verify = change.verify.map(|method| faulty(self.0, &id, Role::Verify, method));
        change
    }
}
