//! Changes that are applied, fail, and are stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::support::{House, change, count, on_db_async, on_flags, plain, put, tx};
use flamingock_core::RunErrorKind;
use flamingock_core::change::{Body, ChangeError, Method};
use flamingock_core::pipeline::Stage;
use flamingock_core::report::{ChangeOutcome, RunStatus, StageState};

#[tokio::test]
async fn the_first_start_applies_in_order_and_the_second_finds_nothing_to_do() {
    let house = House::new();
    let changes = || [put("b", "10"), put("a", "9"), count("c", "11")];
    let report = house.app(changes()).run().await.expect("applies");
    assert_eq!((report.status, report.changes.applied), (RunStatus::Success, 3));
    assert_eq!(
        house.log().await,
        ["a STARTED", "a APPLIED", "b STARTED", "b APPLIED", "c STARTED", "c APPLIED"]
    );

    let report = house.app(changes()).run().await.expect("is up to date");
    assert_eq!((report.status, report.changes.already_applied), (RunStatus::NoChanges, 3));
    assert_eq!(house.flags.get("c").as_deref(), Some("1"));
    assert!(house.lock_is_free().await);
}

#[tokio::test]
async fn a_start_with_nothing_to_do_is_one_read_at_10_and_at_100_000_changes() {
    for changes in [10_u32, 100_000] {
        let house = House::new();
        let runs = Arc::new(AtomicU32::new(0));
        let all = || {
            (0..changes).map(|n| {
                let runs = Arc::clone(&runs);
                plain(&format!("change-{n}"), &n.to_string(), move |_| {
                    runs.fetch_add(1, Ordering::Relaxed);
                    Ok(())
                })
            })
        };
        house.app(all()).run().await.expect("applies");
        house.store.reset_counts();
        let report = house.app(all()).run().await.expect("is up to date");
        let counts = house.store.counts();
        assert_eq!((counts.reads(), counts.head_reads), (1, 1), "{counts:?}");
        assert_eq!((counts.audit_writes(), counts.lock_writes()), (0, 0), "{counts:?}");
        assert_eq!(report.changes.already_applied, changes as usize);
        assert_eq!(runs.load(Ordering::Relaxed), changes);
    }
}

#[tokio::test]
async fn applying_costs_two_durable_writes_per_change_and_a_constant_number_per_run() {
    let writes = async |n: u64| {
        let house = House::new();
        house.app((0..n).map(|n| put(&format!("change-{n}"), &n.to_string()))).run().await.expect("applies");
        let counts = house.store.counts();
        (counts.audit_writes(), counts.lock_writes())
    };
    let (few, few_lock) = writes(10).await;
    let (many, many_lock) = writes(40).await;
    assert_eq!(many - few, 30, "one append per change; the other write is the target's commit");
    assert_eq!(few - 10, 2, "one to take office, one to close");
    assert_eq!((few_lock, many_lock), (2, 2), "one to acquire, one to release");
}

#[tokio::test]
async fn a_failed_transactional_change_leaves_nothing_behind_and_is_tried_again() {
    let house = House::new();
    let broken = tx("b", "2", |db| {
        db.put("b", "half")?;
        Err("no such column".into())
    });
    let error = house.app([put("a", "1"), broken, put("c", "3")]).run().await.expect_err("fails");
    assert_eq!(error.kind(), RunErrorKind::ChangeFailed);
    assert!(error.to_string().contains("failed: b"), "{error}");
    let report = error.report();
    assert_eq!((report.changes.applied, report.changes.failed, report.changes.not_reached), (1, 1, 1));
    assert_eq!(house.db.get("b"), None);
    assert_eq!(house.log().await, ["a STARTED", "a APPLIED", "b STARTED", "b FAILED", "b ROLLED_BACK"]);
    assert!(house.lock_is_free().await);

    let report = house.app([put("a", "1"), put("b", "2"), put("c", "3")]).run().await.expect("applies");
    assert_eq!((report.changes.applied, report.changes.already_applied), (2, 1));
    let attempts: Vec<u32> =
        house.entries().await.iter().filter(|e| e.change == "b").map(|e| e.attempt).collect();
    assert_eq!(attempts, [1, 1, 1, 2, 2]);
}

#[tokio::test]
async fn a_failed_plain_change_is_compensated_after_it_is_recorded_as_failed() {
    let house = House::new();
    let mut broken = plain("b", "2", |flags| {
        flags.put("b", "half");
        Err("quota".into())
    });
    broken.rollback = Some(on_flags(|flags| {
        flags.remove("b");
        Ok(())
    }));
    let error = house.app([count("a", "1"), broken]).run().await.expect_err("fails");
    assert_eq!(house.flags.get("b"), None);
    assert_eq!(error.report().failing().next().map(|c| c.outcome), Some(ChangeOutcome::RolledBack));
    assert_eq!(house.log().await[2..], ["b STARTED", "b FAILED", "b ROLLED_BACK"]);
}

#[tokio::test]
async fn a_plain_change_without_compensation_becomes_an_issue_that_blocks_its_stage() {
    let house = House::new();
    let broken = || plain("b", "2", |_| Err("quota".into()));
    house.app([count("a", "1"), broken()]).run().await.expect_err("fails");
    let error = house.app([count("a", "1"), broken(), count("c", "3")]).run().await.expect_err("is blocked");
    assert_eq!(error.kind(), RunErrorKind::Issue);
    assert_eq!(error.report().stages[0].state, StageState::Blocked);
    assert!(error.to_string().contains("manual intervention required for: b"), "{error}");
    assert_eq!(house.flags.get("c"), None);
    assert!(house.lock_is_free().await);
}

#[tokio::test]
async fn a_failed_compensation_is_an_issue() {
    let house = House::new();
    let mut broken = plain("b", "2", |_| Err("quota".into()));
    broken.rollback = Some(on_flags(|_| Err("still the quota".into())));
    house.app([broken.clone()]).run().await.expect_err("fails");
    assert_eq!(house.log().await, ["b STARTED", "b FAILED", "b ROLLBACK_FAILED"]);
    let error = house.app([broken]).run().await.expect_err("is blocked");
    assert_eq!(error.kind(), RunErrorKind::Issue);
}

#[tokio::test]
async fn a_plain_change_that_says_nothing_was_done_is_no_issue() {
    let house = House::new();
    let refused = plain("b", "2", |_| Err(ChangeError::not_applied("connection refused").into()));
    house.app([refused]).run().await.expect_err("fails");
    assert_eq!(house.log().await, ["b STARTED", "b FAILED", "b ROLLED_BACK"]);
    house.app([count("b", "2")]).run().await.expect("applies");
}

#[tokio::test]
async fn a_failed_stage_does_not_stop_the_next() {
    let house = House::new();
    let staged = |mut change: flamingock_core::change::Change, stage: &str| {
        change.stage = Some(stage.to_owned());
        change
    };
    let broken = || staged(tx("a", "1", |_| Err("no".into())), "first");
    let app = |first| {
        let builder = house.builder([first, staged(put("b", "1"), "second")]);
        builder.stage(Stage::new("first")).stage(Stage::new("second")).build().expect("is right")
    };
    let error = app(broken()).run().await.expect_err("fails");
    assert_eq!(
        error.report().stages.iter().map(|s| s.state).collect::<Vec<_>>(),
        [StageState::Failed, StageState::Completed]
    );
    assert_eq!(house.db.get("b").as_deref(), Some("applied"));
    app(staged(put("a", "1"), "first")).run().await.expect("applies");
}

#[tokio::test]
async fn a_panic_is_a_failed_change_and_leaves_the_lock_free() {
    let house = House::new();
    let error = house.app([tx("a", "1", |_| panic!("index out of bounds"))]).run().await.expect_err("fails");
    let change = error.report().failing().next().expect("is reported").clone();
    let detail = change.error.expect("has an error");
    assert_eq!((detail.type_name.as_str(), detail.message.as_str()), ("panic", "index out of bounds"));
    assert!(house.lock_is_free().await);
    let blocking = Method { params: Vec::new(), body: Body::Blocking(Arc::new(|_| panic!("in a thread"))) };
    let error = house.app([change_of("flags", blocking)]).run().await.expect_err("fails");
    assert_eq!(error.kind(), RunErrorKind::ChangeFailed);
    assert!(house.lock_is_free().await);
}

fn change_of(target: &str, apply: Method) -> flamingock_core::change::Change {
    change("blocking", "1", target, apply)
}

#[tokio::test]
async fn a_change_that_takes_too_long_is_rolled_back() {
    let house = House::new();
    let mut slow = change(
        "a",
        "1",
        "db",
        on_db_async(|db| {
            Box::pin(async move {
                db.put("a", "half")?;
                std::future::pending().await
            })
        }),
    );
    slow.timeout = Some(Duration::from_millis(50));
    let error = house.app([slow]).run().await.expect_err("times out");
    let detail = error.report().failing().next().and_then(|change| change.error.clone()).expect("says why");
    assert_eq!(detail.message, "not done within 50ms");
    assert_eq!(house.db.get("a"), None);
    assert_eq!(house.log().await, ["a STARTED", "a FAILED", "a ROLLED_BACK"]);
}

#[tokio::test]
async fn cancellation_rolls_a_transaction_back_and_lets_a_plain_change_finish() {
    let token = tokio_util::sync::CancellationToken::new();
    let house = House::new();
    let cancel = token.clone();
    let finishes = plain("a", "1", move |flags| {
        cancel.cancel();
        flags.put("a", "applied");
        Ok(())
    });
    let app = house.builder([finishes, put("b", "2")]).cancel_on(token).build().expect("is right");
    let error = app.run().await.expect_err("is cancelled");
    assert_eq!(error.kind(), RunErrorKind::Cancelled);
    assert_eq!(house.log().await, ["a STARTED", "a APPLIED"]);
    assert!(house.lock_is_free().await);

    let token = tokio_util::sync::CancellationToken::new();
    let cancel = token.clone();
    let hangs = change(
        "b",
        "2",
        "db",
        on_db_async(move |db| {
            let cancel = cancel.clone();
            Box::pin(async move {
                db.put("b", "half")?;
                cancel.cancel();
                std::future::pending().await
            })
        }),
    );
    let app = house.builder([count("a", "1"), hangs]).cancel_on(token).build().expect("is right");
    let error = app.run().await.expect_err("is cancelled");
    assert_eq!(house.db.get("b"), None);
    assert_eq!(house.log().await[2..], ["b STARTED", "b FAILED", "b ROLLED_BACK"]);
    assert_eq!(error.kind(), RunErrorKind::Cancelled);
}
