use std::convert::Infallible;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use flamingock_core::lock::{Lease, LockStore};
use flamingock_core::{BackendError, BackendErrorKind, CancellationToken};

use super::moment::Moment;
use super::plan::{Effect, Fault};

/// The process that a run is: alive until a fault kills it.
#[derive(Debug, Default)]
pub(in crate::kit) struct Process {
    faults: Mutex<Vec<(Fault, bool)>>,
    dead: CancellationToken,
    lease: Mutex<Option<(Arc<dyn LockStore>, Lease)>>,
}

impl Process {
    pub(in crate::kit) fn new(faults: Vec<Fault>) -> Arc<Self> {
        let faults = Mutex::new(faults.into_iter().map(|fault| (fault, false)).collect());
        Arc::new(Self { faults, ..Self::default() })
    }

    /// Resolves when it is dead.
    pub(in crate::kit) async fn died(&self) {
        self.dead.cancelled().await;
    }

    pub(super) fn is_dead(&self) -> bool {
        self.dead.is_cancelled()
    }

    pub(super) fn kill(&self) {
        self.dead.cancel();
    }

    /// Ends it here; whoever drives it drops everything it had in hand.
    pub(super) async fn die(&self) -> Infallible {
        self.kill();
        std::future::pending().await
    }

    /// The faults that no run came to.
    pub(in crate::kit) fn unreached(&self) -> Vec<Fault> {
        self.faults().iter().filter(|(_, reached)| !reached).map(|(fault, _)| fault.clone()).collect()
    }

    fn faults(&self) -> MutexGuard<'_, Vec<(Fault, bool)>> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to happen to this moment, told once.
    pub(super) fn due(&self, moment: Moment, change: &str) -> Option<Effect> {
        let mut faults = self.faults();
        let (fault, reached) = faults
            .iter_mut()
            .find(|(fault, reached)| !reached && fault.at.moment == moment && fault.at.change == change)?;
        *reached = true;
        Some(fault.effect)
    }

    /// Does something, or lets happen to it what is to happen.
    pub(super) async fn pass<T>(
        &self,
        operation: &'static str,
        due: Option<Effect>,
        perform: impl Future<Output = Result<T, BackendError>>,
    ) -> Result<T, BackendError> {
        if self.is_dead() {
            return Err(lost(operation));
        }
        match due {
            None => perform.await,
            Some(Effect::CrashBefore) => match self.die().await {},
            Some(Effect::CrashAfter) => {
                // It happened or it did not: nobody is left to hear.
                let _ = perform.await;
                match self.die().await {}
            }
            Some(Effect::LoseAnswer) => perform.await.and(Err(lost(operation))),
            Some(Effect::Fail) => Err(lost(operation)),
        }
    }

    /// The lock it holds.
    pub(super) fn holds(&self, lock: &Arc<dyn LockStore>, lease: &Lease) {
        *self.lease.lock().unwrap_or_else(PoisonError::into_inner) = Some((Arc::clone(lock), lease.clone()));
    }

    /// What time does to a dead process' lease, at once.
    pub(in crate::kit) async fn expire(&self) -> Result<(), BackendError> {
        let held = self.lease.lock().unwrap_or_else(PoisonError::into_inner).take();
        match held {
            Some((lock, lease)) => lock.release(&lease).await,
            None => Ok(()),
        }
    }
}

/// What is heard of a connection that was cut.
pub(super) fn lost(operation: &'static str) -> BackendError {
    BackendError::new(BackendErrorKind::Unavailable, operation, "the connection was lost (by this test)")
}
