use std::sync::Arc;
use std::time::Duration;

use flamingock_core::History;
use flamingock_core::lock::{Acquisition, LockRequest, LockStore};
use futures_util::future::join_all;

use super::support::{LONG, acquire, acquired, ask, held, request};
use crate::conformance::audit_store::StoreCase;
use crate::conformance::case::cases;
use crate::conformance::store_fixture::Damage;
use crate::conformance::support::{Stores, assert_fails, assert_hidden, orders};

pub(super) fn cases() -> Vec<StoreCase> {
    cases![
        a_free_lock_is_given_as_it_was_asked_for,
        of_16_that_acquire_at_once_one_wins,
        of_16_that_acquire_and_release_in_turn_never_two_hold_it,
        a_held_lock_says_who_holds_it,
        asking_for_a_held_lock_changes_nothing,
        acquiring_again_by_its_holder_is_given_the_same_token,
        another_execution_of_the_same_owner_is_another_holder,
        another_owner_with_the_same_execution_is_another_holder,
        locks_of_different_histories_do_not_touch_each_other,
        histories_that_differ_in_case_or_trailing_space_have_locks_of_their_own,
        initialize_again_keeps_the_holder,
        initialize_by_16_at_once_succeeds_for_each,
        a_holder_is_still_known_after_reopening if |c| c.persistent,
        awkward_owners_are_told_as_they_are,
        no_operation_waits_for_the_lock,
        a_lock_that_is_not_reached_is_unavailable if |c| c.damages.contains(&Damage::Unreachable),
        no_secret_is_shown if |c| c.secret.is_some(),
    ]
}

async fn a_free_lock_is_given_as_it_was_asked_for(stores: Arc<Stores>) {
    let lock = stores.lock().await;
    assert_eq!(lock.inspect(&orders()).await.expect("inspect"), None);
    let lease = acquire(&lock, "run-1", LONG).await;
    assert_eq!(lease.request, request(&orders(), "run-1", LONG));
    assert!(lease.token.0 > 0, "a token counts from 1");
}

async fn sixteen(stores: &Stores) -> Vec<Arc<dyn LockStore>> {
    let mut locks = Vec::new();
    for _ in 0..16 {
        locks.push(stores.lock().await);
    }
    locks
}

async fn of_16_that_acquire_at_once_one_wins(stores: Arc<Stores>) {
    let asking = sixteen(&stores).await.into_iter().enumerate().map(|(run, lock)| {
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

async fn of_16_that_acquire_and_release_in_turn_never_two_hold_it(stores: Arc<Stores>) {
    let inside = Arc::new(tokio::sync::Mutex::new(()));
    let running = sixteen(&stores).await.into_iter().enumerate().map(|(run, lock)| {
        let inside = Arc::clone(&inside);
        tokio::spawn(async move {
            let run = format!("run-{run}");
            let lease = loop {
                match ask(&lock, &run, LONG).await {
                    Acquisition::Acquired(lease) => break lease,
                    Acquisition::Held(_) => tokio::time::sleep(Duration::from_millis(5)).await,
                }
            };
            let alone = inside.try_lock().expect("another holds the lock as well");
            tokio::time::sleep(Duration::from_millis(5)).await;
            drop(alone);
            lock.release(&lease).await.expect("release");
            lease.token.0
        })
    });
    let mut tokens: Vec<_> = join_all(running).await.into_iter().map(|run| run.expect("a turn")).collect();
    tokens.sort_unstable();
    tokens.dedup();
    assert_eq!(tokens.len(), 16, "two holders had one token");
}

async fn a_held_lock_says_who_holds_it(stores: Arc<Stores>) {
    let lease = acquire(&stores.lock().await, "run-1", LONG).await;
    let lock = stores.lock().await;
    let told = held(ask(&lock, "run-2", LONG).await);
    let inspected = lock.inspect(&orders()).await.expect("inspect").expect("a holder");
    for holder in [told, inspected] {
        let who = (holder.owner.as_str(), holder.execution.as_str(), holder.token);
        assert_eq!(who, ("orders@host#run-1", "run-1", lease.token));
        if let Some(remaining) = holder.remaining {
            assert!(remaining <= LONG && remaining > LONG / 2, "{remaining:?}");
        }
    }
}

async fn asking_for_a_held_lock_changes_nothing(stores: Arc<Stores>) {
    let (first, second) = (stores.lock().await, stores.lock().await);
    let lease = acquire(&first, "run-1", LONG).await;
    for _ in 0..3 {
        held(ask(&second, "run-2", LONG).await);
    }
    first.extend(&lease).await.expect("extend");
    assert_eq!(held(ask(&second, "run-2", LONG).await).token, lease.token);
}

async fn acquiring_again_by_its_holder_is_given_the_same_token(stores: Arc<Stores>) {
    let lock = stores.lock().await;
    let first = acquire(&lock, "run-1", LONG).await;
    // The answer was lost, perhaps with the connection.
    let again = acquire(&stores.lock().await, "run-1", LONG).await;
    assert_eq!(again, first);
    lock.extend(&first).await.expect("extend");
}

async fn another_execution_of_the_same_owner_is_another_holder(stores: Arc<Stores>) {
    let lock = stores.lock().await;
    let lease = acquire(&lock, "run-1", LONG).await;
    let other = LockRequest { execution: "run-2".to_owned(), ..request(&orders(), "run-1", LONG) };
    let holder = held(lock.try_acquire(&other).await.expect("try to acquire"));
    assert_eq!((holder.execution.as_str(), holder.token), ("run-1", lease.token));
}

async fn another_owner_with_the_same_execution_is_another_holder(stores: Arc<Stores>) {
    let lock = stores.lock().await;
    acquire(&lock, "run-1", LONG).await;
    let other = LockRequest { owner: "ORDERS@host#run-1".to_owned(), ..request(&orders(), "run-1", LONG) };
    held(lock.try_acquire(&other).await.expect("try to acquire"));
}

async fn locks_of_different_histories_do_not_touch_each_other(stores: Arc<Stores>) {
    let lock = stores.lock().await;
    let histories = [orders(), orders().tenant("t1"), orders().tenant("t2"), History::new("billing")];
    let mut leases = Vec::new();
    for history in &histories {
        let answer = lock.try_acquire(&request(history, &format!("of {history}"), LONG)).await;
        leases.push(acquired(answer.expect("try to acquire")));
    }
    lock.release(&leases[0]).await.expect("release");
    lock.break_lock(&histories[1]).await.expect("break");
    assert_eq!(lock.inspect(&histories[0]).await.expect("inspect"), None);
    assert_eq!(lock.inspect(&histories[1]).await.expect("inspect"), None);
    for (history, lease) in histories.iter().zip(&leases).skip(2) {
        lock.extend(lease).await.expect("extend");
        let holder = lock.inspect(history).await.expect("inspect").expect("a holder");
        assert_eq!(holder.execution, format!("of {history}"));
    }
}

async fn histories_that_differ_in_case_or_trailing_space_have_locks_of_their_own(stores: Arc<Stores>) {
    let lock = stores.lock().await;
    for name in ["add", "Add", "add ", "ädd", "a\u{308}dd"] {
        for history in [History::new(name), orders().tenant(name)] {
            acquired(lock.try_acquire(&request(&history, "run-1", LONG)).await.expect("try to acquire"));
        }
    }
}

async fn initialize_again_keeps_the_holder(stores: Arc<Stores>) {
    let lock = stores.lock().await;
    let lease = acquire(&lock, "run-1", LONG).await;
    lock.initialize().await.expect("initialize again");
    assert_eq!(held(ask(&stores.lock().await, "run-2", LONG).await).token, lease.token);
}

async fn initialize_by_16_at_once_succeeds_for_each(stores: Arc<Stores>) {
    let mut handles = Vec::new();
    for _ in 0..16 {
        handles.push(stores.open().await.lock.expect("the fixture has a lock"));
    }
    let creating = handles.into_iter().map(|lock| tokio::spawn(async move { lock.initialize().await }));
    for outcome in join_all(creating).await {
        outcome.expect("no panic").expect("initialize");
    }
    acquire(&stores.lock().await, "run-1", LONG).await;
}

async fn a_holder_is_still_known_after_reopening(stores: Arc<Stores>) {
    let lease = {
        let lock = stores.reopen().await.lock.expect("the fixture has a lock");
        lock.initialize().await.expect("initialize");
        acquire(&lock, "run-1", LONG).await
    };
    let lock = stores.reopen().await.lock.expect("the fixture has a lock");
    lock.initialize().await.expect("initialize");
    assert_eq!(held(ask(&lock, "run-2", LONG).await).token, lease.token);
    lock.extend(&lease).await.expect("extend");
}

async fn awkward_owners_are_told_as_they_are(stores: Arc<Stores>) {
    let lock = stores.lock().await;
    for owner in ["o'neill@\"host\"\\#1", "🦩@漢字#$1?:name%s", "'; DELETE FROM flamingock_lock; --"] {
        let history = History::new(owner).tenant(owner);
        let asked = LockRequest { owner: owner.to_owned(), ..request(&history, owner, LONG) };
        let lease = acquired(lock.try_acquire(&asked).await.expect("try to acquire"));
        assert_eq!(lease.request, asked);
        let holder = lock.inspect(&history).await.expect("inspect").expect("a holder");
        assert_eq!((holder.owner.as_str(), holder.execution.as_str()), (owner, owner));
        lock.extend(&lease).await.expect("extend");
        lock.release(&lease).await.expect("release");
    }
}

async fn no_operation_waits_for_the_lock(stores: Arc<Stores>) {
    let (holder, other) = (stores.lock().await, stores.lock().await);
    let lease = acquire(&holder, "run-1", LONG).await;
    let without_waiting = async {
        held(ask(&other, "run-2", LONG).await);
        other.inspect(&orders()).await.expect("inspect");
        holder.extend(&lease).await.expect("extend");
        other.break_lock(&orders()).await.expect("break");
    };
    tokio::time::timeout(Duration::from_secs(10), without_waiting).await.expect("nothing waits");
}

async fn a_lock_that_is_not_reached_is_unavailable(stores: Arc<Stores>) {
    use flamingock_core::BackendErrorKind::Unavailable;

    let lock = stores.lock().await;
    let lease = acquire(&lock, "run-1", LONG).await;
    stores.damage(Damage::Unreachable, &orders(), 0).await;
    assert_fails(lock.try_acquire(&lease.request).await, Unavailable);
    // Not `LeaseLost`: nobody else may have it, and the next try may succeed.
    assert_fails(lock.extend(&lease).await, Unavailable);
    assert_fails(lock.release(&lease).await, Unavailable);
    assert_fails(lock.inspect(&orders()).await, Unavailable);
    assert_fails(lock.break_lock(&orders()).await, Unavailable);
}

async fn no_secret_is_shown(stores: Arc<Stores>) {
    let secret = stores.capabilities.secret.clone().expect("declared");
    let lock = stores.lock().await;
    assert_hidden(&secret, [format!("{lock:?}"), format!("{lock:#?}")]);
}
