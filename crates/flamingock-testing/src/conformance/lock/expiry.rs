use std::sync::Arc;
use std::time::Duration;

use flamingock_core::BackendErrorKind;
use flamingock_core::lock::Acquisition;
use futures_util::future::join_all;

use super::support::{LONG, SHORT, acquire, acquire_in_time, ask, held};
use crate::conformance::audit_store::StoreCase;
use crate::conformance::case::cases;
use crate::conformance::support::{Stores, assert_fails, orders, pause};

pub(super) fn cases() -> Vec<StoreCase> {
    cases![
        a_lease_that_expired_is_taken_by_the_next_that_asks,
        a_lease_is_not_taken_before_it_expires,
        of_16_that_ask_for_an_expired_lease_one_wins,
        extend_starts_the_lease_anew,
        acquiring_again_by_its_holder_starts_the_lease_anew,
        extend_after_expiry_succeeds_when_nobody_took_the_lock,
        acquiring_again_after_expiry_succeeds_when_nobody_took_the_lock,
        extend_after_expiry_and_takeover_fails_and_changes_nothing,
        release_after_expiry_and_takeover_changes_nothing,
        an_expired_holder_is_not_shown if |c| c.lock_has_clock,
    ]
}

async fn a_lease_that_expired_is_taken_by_the_next_that_asks(stores: Arc<Stores>) {
    let old = acquire(&stores.lock().await, "run-1", SHORT).await;
    let new = acquire_in_time(&stores.lock().await, "run-2", LONG).await;
    assert!(new.token > old.token, "{} after {}", new.token, old.token);
}

async fn a_lease_is_not_taken_before_it_expires(stores: Arc<Stores>) {
    let (first, second) = (stores.lock().await, stores.lock().await);
    let lease = Duration::from_secs(2);
    // From before the store began to count.
    let since = tokio::time::Instant::now();
    acquire(&first, "run-1", lease).await;
    acquire_in_time(&second, "run-2", LONG).await;
    // A tenth less: clocks of store and test need not tick alike.
    assert!(since.elapsed() >= lease * 9 / 10, "taken after {:?}", since.elapsed());
}

async fn of_16_that_ask_for_an_expired_lease_one_wins(stores: Arc<Stores>) {
    acquire(&stores.lock().await, "run-0", SHORT).await;
    let mut asking = Vec::new();
    for run in 1..=16 {
        let lock = stores.lock().await;
        asking.push(tokio::spawn(async move {
            let run = format!("run-{run}");
            // Each asks until somebody of the sixteen has it.
            loop {
                match ask(&lock, &run, LONG).await {
                    Acquisition::Acquired(_) => return true,
                    Acquisition::Held(holder) if holder.execution == "run-0" => pause(20).await,
                    Acquisition::Held(_) => return false,
                }
            }
        }));
    }
    let won = join_all(asking).await.into_iter().filter(|won| *won.as_ref().expect("an answer")).count();
    assert_eq!(won, 1);
}

async fn extend_starts_the_lease_anew(stores: Arc<Stores>) {
    let (first, second) = (stores.lock().await, stores.lock().await);
    let lease = acquire(&first, "run-1", Duration::from_secs(1)).await;
    for _ in 0..4 {
        pause(400).await;
        first.extend(&lease).await.expect("extend");
        held(ask(&second, "run-2", LONG).await);
    }
}

async fn acquiring_again_by_its_holder_starts_the_lease_anew(stores: Arc<Stores>) {
    let (first, second) = (stores.lock().await, stores.lock().await);
    let lease = acquire(&first, "run-1", SHORT).await;
    assert_eq!(acquire(&first, "run-1", LONG).await.token, lease.token);
    pause(600).await;
    held(ask(&second, "run-2", LONG).await);
}

async fn extend_after_expiry_succeeds_when_nobody_took_the_lock(stores: Arc<Stores>) {
    let (first, second) = (stores.lock().await, stores.lock().await);
    let mut lease = acquire(&first, "run-1", SHORT).await;
    pause(600).await;
    lease.request.lease = LONG;
    first.extend(&lease).await.expect("extend");
    assert_eq!(held(ask(&second, "run-2", LONG).await).token, lease.token);
}

async fn acquiring_again_after_expiry_succeeds_when_nobody_took_the_lock(stores: Arc<Stores>) {
    let (first, second) = (stores.lock().await, stores.lock().await);
    acquire(&first, "run-1", SHORT).await;
    pause(600).await;
    let again = acquire_in_time(&first, "run-1", LONG).await;
    assert_eq!(held(ask(&second, "run-2", LONG).await).token, again.token);
    first.extend(&again).await.expect("extend");
}

async fn extend_after_expiry_and_takeover_fails_and_changes_nothing(stores: Arc<Stores>) {
    let (first, second) = (stores.lock().await, stores.lock().await);
    let old = acquire(&first, "run-1", SHORT).await;
    let new = acquire_in_time(&second, "run-2", LONG).await;
    assert_fails(first.extend(&old).await, BackendErrorKind::LeaseLost);
    assert_eq!(held(ask(&first, "run-1", LONG).await).token, new.token);
    second.extend(&new).await.expect("extend");
}

async fn release_after_expiry_and_takeover_changes_nothing(stores: Arc<Stores>) {
    let (first, second) = (stores.lock().await, stores.lock().await);
    let old = acquire(&first, "run-1", SHORT).await;
    let new = acquire_in_time(&second, "run-2", LONG).await;
    first.release(&old).await.expect("release of what is no longer ours");
    assert_eq!(held(ask(&first, "run-3", LONG).await).token, new.token);
}

async fn an_expired_holder_is_not_shown(stores: Arc<Stores>) {
    let lock = stores.lock().await;
    acquire(&lock, "run-1", SHORT).await;
    assert!(lock.inspect(&orders()).await.expect("inspect").is_some());
    pause(600).await;
    assert_eq!(lock.inspect(&orders()).await.expect("inspect"), None);
}
