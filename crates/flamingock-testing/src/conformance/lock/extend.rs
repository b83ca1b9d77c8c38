use std::sync::Arc;
use std::thread;

use flamingock_core::BackendErrorKind;

use super::support::{LONG, acquire, ask, held};
use crate::conformance::audit_store::StoreCase;
use crate::conformance::case::cases;
use crate::conformance::support::{Stores, assert_fails, orders};

pub(super) fn cases() -> Vec<StoreCase> {
    cases![
        extend_keeps_the_lock_and_its_token,
        extend_again_is_no_error,
        a_released_lock_is_free_at_once,
        release_again_is_no_error,
        release_of_a_lock_that_another_holds_now_changes_nothing,
        extend_of_a_lock_that_another_holds_now_fails_and_changes_nothing,
        each_change_of_holder_raises_the_token,
        the_same_run_that_released_it_gets_a_higher_token,
        a_dedicated_lock_is_the_same_lock,
        a_dedicated_lock_works_on_a_runtime_of_its_own,
    ]
}

async fn extend_keeps_the_lock_and_its_token(stores: Arc<Stores>) {
    let lock = stores.lock().await;
    let lease = acquire(&lock, "run-1", LONG).await;
    lock.extend(&lease).await.expect("extend");
    assert_eq!(held(ask(&stores.lock().await, "run-2", LONG).await).token, lease.token);
}

async fn extend_again_is_no_error(stores: Arc<Stores>) {
    let lock = stores.lock().await;
    let lease = acquire(&lock, "run-1", LONG).await;
    for _ in 0..5 {
        lock.extend(&lease).await.expect("extend");
    }
}

async fn a_released_lock_is_free_at_once(stores: Arc<Stores>) {
    let (first, second) = (stores.lock().await, stores.lock().await);
    let lease = acquire(&first, "run-1", LONG).await;
    first.release(&lease).await.expect("release");
    assert_eq!(second.inspect(&orders()).await.expect("inspect"), None);
    acquire(&second, "run-2", LONG).await;
}

async fn release_again_is_no_error(stores: Arc<Stores>) {
    let lock = stores.lock().await;
    let lease = acquire(&lock, "run-1", LONG).await;
    lock.release(&lease).await.expect("release");
    lock.release(&lease).await.expect("release again");
}

async fn release_of_a_lock_that_another_holds_now_changes_nothing(stores: Arc<Stores>) {
    let lock = stores.lock().await;
    let old = acquire(&lock, "run-1", LONG).await;
    lock.release(&old).await.expect("release");
    let new = acquire(&lock, "run-2", LONG).await;
    lock.release(&old).await.expect("release of what is no longer ours");
    assert_eq!(held(ask(&lock, "run-3", LONG).await).execution, "run-2");
    lock.extend(&new).await.expect("extend");
}

async fn extend_of_a_lock_that_another_holds_now_fails_and_changes_nothing(stores: Arc<Stores>) {
    let lock = stores.lock().await;
    let old = acquire(&lock, "run-1", LONG).await;
    lock.release(&old).await.expect("release");
    let new = acquire(&lock, "run-2", LONG).await;
    assert_fails(lock.extend(&old).await, BackendErrorKind::LeaseLost);
    assert_eq!(held(ask(&lock, "run-3", LONG).await).token, new.token);
    lock.release(&new).await.expect("release");
    assert_fails(lock.extend(&old).await, BackendErrorKind::LeaseLost);
    assert_eq!(lock.inspect(&orders()).await.expect("inspect"), None);
}

async fn each_change_of_holder_raises_the_token(stores: Arc<Stores>) {
    let mut last = 0;
    for run in 0..5 {
        let lock = stores.lock().await;
        let lease = acquire(&lock, &format!("run-{run}"), LONG).await;
        assert!(lease.token.0 > last, "{} after {last}", lease.token);
        last = lease.token.0;
        lock.release(&lease).await.expect("release");
    }
}

async fn the_same_run_that_released_it_gets_a_higher_token(stores: Arc<Stores>) {
    let lock = stores.lock().await;
    let first = acquire(&lock, "run-1", LONG).await;
    lock.release(&first).await.expect("release");
    let second = acquire(&lock, "run-1", LONG).await;
    assert!(second.token > first.token, "{} after {}", second.token, first.token);
    assert_fails(lock.extend(&first).await, BackendErrorKind::LeaseLost);
}

async fn a_dedicated_lock_is_the_same_lock(stores: Arc<Stores>) {
    let lock = stores.lock().await;
    let dedicated = lock.dedicated().await.expect("a connection of its own");
    let lease = acquire(&lock, "run-1", LONG).await;
    dedicated.extend(&lease).await.expect("extend");
    assert_eq!(held(ask(&dedicated, "run-2", LONG).await).token, lease.token);
    dedicated.release(&lease).await.expect("release");
    acquire(&lock, "run-2", LONG).await;
}

async fn a_dedicated_lock_works_on_a_runtime_of_its_own(stores: Arc<Stores>) {
    let lock = stores.lock().await;
    let lease = acquire(&lock, "run-1", LONG).await;
    let (from_heartbeat, extended) = (Arc::clone(&lock), lease.clone());
    let heartbeat = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let dedicated = from_heartbeat.dedicated().await.expect("a connection of its own");
            for _ in 0..3 {
                dedicated.extend(&extended).await.expect("extend");
            }
        });
    });
    tokio::task::spawn_blocking(|| heartbeat.join()).await.expect("no panic").expect("the heartbeat");
    // That runtime is gone, and the lock still works here.
    lock.extend(&lease).await.expect("extend");
    lock.release(&lease).await.expect("release");
}
