use std::sync::Arc;
use std::time::Duration;

use flamingock_core::History;
use flamingock_core::lock::{Acquisition, Lease, LockRequest, LockStore};
use futures_util::future::join_all;

use crate::conformance::audit_store::StoreCase;
use crate::conformance::case::cases;
use crate::conformance::support::{Stores, orders};

pub(super) fn cases() -> Vec<StoreCase> {
    cases![of_16_that_acquire_at_once_one_wins]
}

pub(super) const LONG: Duration = Duration::from_secs(60);

pub(super) fn request(history: &History, run: &str, lease: Duration) -> LockRequest {
    LockRequest {
        history: history.clone(),
        owner: format!("orders@host#{run}"),
        execution: run.to_owned(),
        lease,
    }
}

/// The lease, which the lock must give.
#[track_caller]
pub(super) fn acquired(acquisition: Acquisition) -> Lease {
    match acquisition {
        Acquisition::Acquired(lease) => lease,
        Acquisition::Held(holder) => panic!("the lock should be free, and is held by {holder:?}"),
    }
}

async fn of_16_that_acquire_at_once_one_wins(stores: Arc<Stores>) {
    let mut locks: Vec<Arc<dyn LockStore>> = Vec::new();
    for _ in 0..16 {
        locks.push(stores.lock().await);
    }
    let asking = locks.into_iter().enumerate().map(|(run, lock)| {
        tokio::spawn(async move { lock.try_acquire(&request(&orders(), &format!("run-{run}"), LONG)).await })
    });
    let answers: Vec<_> = join_all(asking)
        .await
        .into_iter()
        .map(|answer| answer.expect("no panic").expect("an answer"))
        .collect();
    let winners = answers.iter().filter(|answer| matches!(answer, Acquisition::Acquired(_))).count();
    assert_eq!(winners, 1, "{answers:?}");
}
