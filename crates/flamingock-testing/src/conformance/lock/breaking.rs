use std::sync::Arc;

use flamingock_core::BackendErrorKind;
use flamingock_core::audit::AuditState::{Applied, Started};
use flamingock_core::audit::{Append, Head, HeadChange};
use flamingock_core::lock::FencingToken;

use super::support::{LONG, SHORT, acquire};
use crate::conformance::audit_store::StoreCase;
use crate::conformance::case::cases;
use crate::conformance::support::{
    Recorder, Stores, all, assert_fails, execution, head, orders, pause, sequences,
};

pub(super) fn cases() -> Vec<StoreCase> {
    cases![
        a_broken_lock_is_free_and_its_holder_is_told,
        breaking_a_free_lock_is_no_error,
        the_holder_of_a_broken_lock_cannot_extend_it,
        the_holder_of_a_broken_lock_releases_it_without_harm,
        breaking_keeps_the_counter,
        breaking_an_expired_lock_takes_it_from_its_holder_as_well,
        breaking_the_lock_puts_its_holder_out_of_office if |c| c.lock_in_audit_store,
        breaking_the_lock_changes_nothing_in_the_head_but_the_token if |c| c.lock_in_audit_store,
        breaking_the_lock_leaves_other_histories_in_office if |c| c.lock_in_audit_store,
        breaking_the_lock_of_a_history_without_a_head_makes_none if |c| c.lock_in_audit_store,
    ]
}

async fn a_broken_lock_is_free_and_its_holder_is_told(stores: Arc<Stores>) {
    let (first, second) = (stores.lock().await, stores.lock().await);
    let lease = acquire(&first, "run-1", LONG).await;
    let holder = second.break_lock(&orders()).await.expect("break").expect("it was held");
    assert_eq!((holder.execution.as_str(), holder.token), ("run-1", lease.token));
    assert_eq!(second.inspect(&orders()).await.expect("inspect"), None);
    acquire(&second, "run-2", LONG).await;
}

async fn breaking_a_free_lock_is_no_error(stores: Arc<Stores>) {
    let lock = stores.lock().await;
    assert_eq!(lock.break_lock(&orders()).await.expect("break"), None);
    let lease = acquire(&lock, "run-1", LONG).await;
    lock.release(&lease).await.expect("release");
    assert_eq!(lock.break_lock(&orders()).await.expect("break"), None);
}

async fn the_holder_of_a_broken_lock_cannot_extend_it(stores: Arc<Stores>) {
    let (first, second) = (stores.lock().await, stores.lock().await);
    let lease = acquire(&first, "run-1", LONG).await;
    second.break_lock(&orders()).await.expect("break");
    assert_fails(first.extend(&lease).await, BackendErrorKind::LeaseLost);
    assert_eq!(second.inspect(&orders()).await.expect("inspect"), None);
    acquire(&second, "run-2", LONG).await;
    assert_fails(first.extend(&lease).await, BackendErrorKind::LeaseLost);
}

async fn the_holder_of_a_broken_lock_releases_it_without_harm(stores: Arc<Stores>) {
    let (first, second) = (stores.lock().await, stores.lock().await);
    let lease = acquire(&first, "run-1", LONG).await;
    second.break_lock(&orders()).await.expect("break");
    let new = acquire(&second, "run-2", LONG).await;
    first.release(&lease).await.expect("release of what is no longer ours");
    second.extend(&new).await.expect("extend");
}

async fn breaking_keeps_the_counter(stores: Arc<Stores>) {
    let lock = stores.lock().await;
    let mut last = 0;
    for _ in 0..3 {
        // The same run each time: what it held before must not pass for what it holds now.
        let lease = acquire(&lock, "run-1", LONG).await;
        assert!(lease.token.0 > last, "{} after {last}", lease.token);
        last = lease.token.0;
        lock.break_lock(&orders()).await.expect("break");
    }
}

async fn breaking_an_expired_lock_takes_it_from_its_holder_as_well(stores: Arc<Stores>) {
    let lock = stores.lock().await;
    let lease = acquire(&lock, "run-1", SHORT).await;
    pause(600).await;
    lock.break_lock(&orders()).await.expect("break");
    assert_fails(lock.extend(&lease).await, BackendErrorKind::LeaseLost);
}

async fn breaking_the_lock_puts_its_holder_out_of_office(stores: Arc<Stores>) {
    let (lock, store) = (stores.lock().await, stores.audit().await);
    let lease = acquire(&lock, "run-1", LONG).await;
    let mut run = Recorder::start(&store, &orders(), "run-1").await;
    run.record(&[("a", Started)]).await;
    stores.lock().await.break_lock(&orders()).await.expect("break");
    assert_fails(run.append(&[("a", Applied)]).await, BackendErrorKind::LeaseLost);
    assert_eq!(sequences(&all(&store, &orders()).await), [1]);

    let next = acquire(&lock, "run-2", LONG).await;
    assert!(next.token > lease.token, "{} after {}", next.token, lease.token);
    let office = store.take_office(&orders(), next.token, &execution("run-2")).await.expect("take office");
    assert!(office.token > run.office.token, "{} after {}", office.token, run.office.token);
}

async fn breaking_the_lock_changes_nothing_in_the_head_but_the_token(stores: Arc<Stores>) {
    let (lock, store) = (stores.lock().await, stores.audit().await);
    acquire(&lock, "run-1", LONG).await;
    let mut run = Recorder::start(&store, &orders(), "run-1").await;
    run.record(&[("a", Started), ("a", Applied)]).await;
    let change = HeadChange { digests: vec!["v1:ab".to_owned()], ..run.chain.head_change() };
    store.append(&run.office, &Append { expected: 2, entries: &[], head: change }).await.expect("append");
    let before = head(&store, &orders()).await;
    lock.break_lock(&orders()).await.expect("break");
    let after = head(&store, &orders()).await;
    assert!(after.token > before.token, "{} after {}", after.token, before.token);
    assert_eq!(after, Head { token: after.token, ..before });
}

async fn breaking_the_lock_leaves_other_histories_in_office(stores: Arc<Stores>) {
    let (lock, store) = (stores.lock().await, stores.audit().await);
    acquire(&lock, "run-1", LONG).await;
    let mut run = Recorder::start(&store, &orders().tenant("t1"), "run-1").await;
    lock.break_lock(&orders()).await.expect("break");
    run.record(&[("a", Started)]).await;
}

async fn breaking_the_lock_of_a_history_without_a_head_makes_none(stores: Arc<Stores>) {
    let (lock, store) = (stores.lock().await, stores.audit().await);
    acquire(&lock, "run-1", LONG).await;
    lock.break_lock(&orders()).await.expect("break");
    // A head names who took office; nobody did.
    assert_eq!(store.head(&orders()).await.expect("head"), None);
    let office = store.take_office(&orders(), FencingToken(9), &execution("run-2")).await.expect("office");
    assert_eq!(office.token, FencingToken(10));
}
