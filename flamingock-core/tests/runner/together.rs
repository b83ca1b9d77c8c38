//! Modes, and instances that start together.

use std::time::Duration;

use crate::support::{House, change, count, on_db_async, put};
use flamingock_core::report::RunStatus;
use flamingock_core::{RunErrorKind, RunMode};

#[tokio::test]
async fn check_changes_nothing_and_fails_when_something_is_pending() {
    let house = House::new();
    let check = |changes: Vec<_>| house.builder(changes).mode(RunMode::Check).build().expect("is right");
    let error = check(vec![put("a", "1")]).run().await.expect_err("is pending");
    assert_eq!(error.kind(), RunErrorKind::Pending);
    assert!(error.to_string().contains("1 change(s) are pending: a"), "{error}");
    let counts = house.store.counts();
    assert_eq!((counts.audit_writes(), counts.lock_writes()), (0, 0));
    house.app([put("a", "1")]).run().await.expect("applies");
    check(vec![put("a", "1")]).run().await.expect("is up to date");
}

#[tokio::test]
async fn wait_returns_when_another_instance_has_applied_everything() {
    let house = House::new();
    let waiting = house
        .builder([put("a", "1")])
        .mode(RunMode::Wait(Duration::from_secs(20)))
        .build()
        .expect("is right");
    let waiter = tokio::spawn(async move { waiting.run().await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    house.app([put("a", "1")]).run().await.expect("applies");
    assert_eq!(waiter.await.expect("ends").expect("is ready").status, RunStatus::NoChanges);

    let house = House::new();
    let waiting = house
        .builder([put("a", "1")])
        .mode(RunMode::Wait(Duration::from_millis(100)))
        .build()
        .expect("is right");
    assert_eq!(waiting.run().await.expect_err("nobody came").kind(), RunErrorKind::WaitTimeout);
}

#[tokio::test]
async fn wait_is_over_for_an_older_release_when_a_newer_one_has_applied_more() {
    let house = House::new();
    house.app([put("a", "1")]).run().await.expect("applies");
    // It appends, so the head no longer names the older pipeline.
    house.app([put("a", "1"), put("b", "2")]).run().await.expect("applies");
    let older = house
        .builder([put("a", "1")])
        .mode(RunMode::Wait(Duration::from_millis(100)))
        .build()
        .expect("is right");
    assert_eq!(older.run().await.expect("is up to date").status, RunStatus::NoChanges);
}

#[tokio::test]
async fn disabled_looks_at_nothing() {
    let house = House::new();
    house.store.set_online(false);
    let app = house.builder([put("a", "1")]).enabled(false).build().expect("is right");
    assert_eq!(app.run().await.expect("does nothing").status, RunStatus::Disabled);
}

#[tokio::test]
async fn of_sixteen_that_start_together_one_applies_and_all_end_up_to_date() {
    let house = House::new();
    let starts = (0..16).map(|_| {
        let app = house.app([count("a", "1"), put("b", "2"), count("c", "3")]);
        tokio::spawn(async move { app.run().await })
    });
    let mut applied = 0;
    for start in starts.collect::<Vec<_>>() {
        applied += start.await.expect("ends").expect("is up to date").changes.applied;
    }
    assert_eq!(applied, 3);
    assert_eq!(house.flags.get("a").as_deref(), Some("1"));
    assert_eq!(house.log().await.len(), 6);
}

#[tokio::test]
async fn those_who_waited_for_a_run_that_failed_fail_with_its_verdict() {
    let house = House::new();
    let slow = || {
        change(
            "a",
            "1",
            "db",
            on_db_async(|_| {
                Box::pin(async {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    Err("no such column".into())
                })
            }),
        )
    };
    let (first, second) = (house.app([slow()]), house.app([slow()]));
    let (first, second) = tokio::join!(first.run(), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        second.run().await
    });
    assert_eq!(first.expect_err("fails").kind(), RunErrorKind::ChangeFailed);
    assert_eq!(second.expect_err("waited for it").kind(), RunErrorKind::AnotherRunFailed);
    assert_eq!(house.log().await.len(), 3, "it was tried once");
}

#[tokio::test]
async fn a_holder_that_does_not_let_go_is_named() {
    let house = House::new();
    let hangs = || change("a", "1", "db", on_db_async(|_| Box::pin(std::future::pending())));
    let (first, second) =
        (house.app([hangs()]), house.builder([hangs()]).lock_wait(Duration::from_millis(200)));
    let second = second.build().expect("is right");
    let error = tokio::select! {
        _ = first.run() => panic!("it hangs"),
        error = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            second.run().await.expect_err("the lock is held")
        } => error,
    };
    assert_eq!(error.kind(), RunErrorKind::LockTimeout);
    assert!(error.to_string().contains("orders@"), "{error}");
}
