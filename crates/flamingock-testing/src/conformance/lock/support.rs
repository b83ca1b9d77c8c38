use std::sync::Arc;
use std::time::Duration;

use flamingock_core::History;
use flamingock_core::lock::{Acquisition, Holder, Lease, LockRequest, LockStore};

use crate::conformance::support::orders;

/// A lease that does not expire while a case runs.
pub(super) const LONG: Duration = Duration::from_secs(60);

/// A lease that does.
pub(super) const SHORT: Duration = Duration::from_millis(300);

pub(super) fn request(history: &History, run: &str, lease: Duration) -> LockRequest {
    LockRequest {
        history: history.clone(),
        owner: format!("orders@host#{run}"),
        execution: run.to_owned(),
        lease,
    }
}

/// Asks for the lock on `orders`.
pub(super) async fn ask(lock: &Arc<dyn LockStore>, run: &str, lease: Duration) -> Acquisition {
    lock.try_acquire(&request(&orders(), run, lease)).await.expect("try to acquire")
}

/// Gets the lock on `orders`, which must be free.
pub(super) async fn acquire(lock: &Arc<dyn LockStore>, run: &str, lease: Duration) -> Lease {
    acquired(ask(lock, run, lease).await)
}

#[track_caller]
pub(super) fn acquired(acquisition: Acquisition) -> Lease {
    match acquisition {
        Acquisition::Acquired(lease) => lease,
        Acquisition::Held(holder) => panic!("the lock should be free, and is held by {holder:?}"),
    }
}

#[track_caller]
pub(super) fn held(acquisition: Acquisition) -> Holder {
    match acquisition {
        Acquisition::Held(holder) => holder,
        Acquisition::Acquired(lease) => {
            panic!("the lock should be held by another, and was given: {lease:?}")
        }
    }
}

/// Asks until the lock is given: a store without a clock has to be watched for a whole lease.
pub(super) async fn acquire_in_time(lock: &Arc<dyn LockStore>, run: &str, lease: Duration) -> Lease {
    loop {
        match ask(lock, run, lease).await {
            Acquisition::Acquired(lease) => return lease,
            Acquisition::Held(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}
