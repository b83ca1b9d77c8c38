//! The runner on the in-memory store and targets.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::support::{House, change, count, on_db, on_db_async, on_flags, plain, put, tx, verify_flags};
use flamingock_core::change::{Body, ChangeError, Method, RecoveryStrategy, TargetState};
use flamingock_core::memory::Fault;
use flamingock_core::pipeline::Stage;
use flamingock_core::report::{ChangeOutcome, RunStatus, StageState};
use flamingock_core::{RunErrorKind, RunMode};

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
async fn an_implicit_commit_is_partially_applied_and_not_run_again() {
    let house = House::new();
    let ddl = || {
        tx("a", "1", |db| {
            db.put("first", "done")?;
            db.implicit_commit()?;
            Err("the second statement failed".into())
        })
    };
    house.app([ddl()]).run().await.expect_err("fails");
    assert_eq!(house.log().await, ["a STARTED", "a FAILED"]);
    for _ in 0..2 {
        let error = house.app([ddl()]).run().await.expect_err("is blocked");
        assert_eq!(error.kind(), RunErrorKind::Issue);
        let note = error.report().failing().next().and_then(|change| change.note.clone()).expect("says why");
        assert!(note.contains("partially applied"), "{note}");
    }
    assert_eq!(house.log().await.len(), 2);
}

#[tokio::test]
async fn an_implicit_commit_in_a_change_that_succeeds_is_applied() {
    let house = House::new();
    let ddl = tx("a", "1", |db| {
        db.put("first", "done")?;
        db.implicit_commit()?;
        Ok(db.put("second", "done")?)
    });
    house.app([ddl]).run().await.expect("applies");
    assert_eq!(house.db.get("second").as_deref(), Some("done"));
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_applied() {
    let house = House::new();
    house.db.fail_next_commit(Fault::AnswerLost);
    let report = house.app([put("a", "1"), put("b", "2")]).run().await.expect("applies");
    assert_eq!(report.changes.applied, 2);
    let entries = house.entries().await;
    assert_eq!(entries[1].evidence.as_str(), "marker");
}

#[tokio::test]
async fn a_commit_that_did_not_happen_is_rolled_back() {
    let house = House::new();
    house.db.fail_next_commit(Fault::NoEffect);
    house.app([put("a", "1")]).run().await.expect_err("fails");
    assert_eq!(house.log().await, ["a STARTED", "a FAILED", "a ROLLED_BACK"]);
    house.app([put("a", "1")]).run().await.expect("applies");
}

#[tokio::test]
async fn a_target_that_cannot_be_asked_after_a_lost_commit_leaves_the_outcome_open() {
    let house = House::new();
    let db = house.db.clone();
    let dies = tx("a", "1", move |handle| {
        handle.put("a", "applied")?;
        db.set_online(false);
        Ok(())
    });
    let app = house.builder([dies]).operation_timeout(Duration::from_millis(200)).build().expect("is right");
    let error = app.run().await.expect_err("is open");
    assert_eq!(error.report().failing().next().map(|c| c.outcome), Some(ChangeOutcome::Unknown));
    assert_eq!(house.log().await, ["a STARTED"]);
    house.db.set_online(true);
    house.app([put("a", "1")]).run().await.expect("applies");
    assert_eq!(house.db.get("a").as_deref(), Some("applied"));
}

#[tokio::test]
async fn an_append_whose_answer_is_lost_is_found_in_the_head() {
    let house = House::new();
    house.store.fail_next_append(Fault::AnswerLost);
    house.app([put("a", "1"), put("b", "2")]).run().await.expect("applies");
    assert_eq!(house.log().await, ["a STARTED", "a APPLIED", "b STARTED", "b APPLIED"]);
    let house = House::new();
    house.store.fail_next_append(Fault::NoEffect);
    house.app([put("a", "1"), put("b", "2")]).run().await.expect("applies");
    assert_eq!(house.log().await.len(), 4);
}

#[tokio::test]
async fn a_started_that_cannot_be_written_means_the_change_does_not_run() {
    let house = House::new();
    let store = house.store.clone();
    let cuts = plain("a", "1", move |flags| {
        store.set_online(false);
        flags.put("a", "applied");
        Ok(())
    });
    let app = house
        .builder([cuts, count("b", "2")])
        .operation_timeout(Duration::from_millis(50))
        .build()
        .expect("is right");
    let error = app.run().await.expect_err("the store is down");
    assert_eq!(error.kind(), RunErrorKind::AuditStore);
    assert!(error.to_string().contains("Applied but not recorded: a"), "{error}");
    assert_eq!(house.flags.get("b"), None);
    assert_eq!(error.report().changes.not_reached, 1);
}

#[tokio::test]
async fn an_uncertain_plain_change_is_settled_by_verify() {
    for (says, runs) in [(TargetState::Applied, "1"), (TargetState::NotApplied, "2")] {
        let house = House::new();
        crash_after(&house, count("a", "1")).await;
        let mut change = count("a", "1");
        change.verify = Some(verify_flags(move |_| Ok(says)));
        house.app([change]).run().await.expect("is settled");
        assert_eq!(house.flags.get("a").as_deref(), Some(runs), "{says:?}");
    }
}

#[tokio::test]
async fn an_uncertain_plain_change_is_retried_when_it_may_be() {
    let house = House::new();
    crash_after(&house, count("a", "1")).await;
    let error = house.app([count("a", "1")]).run().await.expect_err("is blocked");
    assert_eq!(error.kind(), RunErrorKind::Issue);
    let mut change = count("a", "1");
    change.recovery = RecoveryStrategy::AlwaysRetry;
    house.app([change]).run().await.expect("applies");
    assert_eq!(house.flags.get("a").as_deref(), Some("2"));
}

/// Runs the change and drops the run before its outcome is recorded.
async fn crash_after(house: &House, mut first: flamingock_core::change::Change) {
    let flags = house.flags.clone();
    let id = first.id.clone();
    let apply = first.apply.clone();
    let Body::Async(body) = apply.body.clone() else { panic!("is async") };
    first.apply.body = Body::Async(Arc::new(move |invocation| {
        let body = Arc::clone(&body);
        Box::pin(async move {
            body(invocation).await?;
            std::future::pending().await
        })
    }));
    let app = house.app([first]);
    tokio::select! {
        _ = app.run() => panic!("it hangs"),
        () = async { while flags.get(&id).is_none() { tokio::time::sleep(Duration::from_millis(5)).await } } => {}
    }
    while !house.lock_is_free().await {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_dropped_run_gives_the_lock_back_and_the_next_start_goes_on() {
    let house = House::new();
    let hangs = change(
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
    let app = house.app([hangs]);
    assert!(tokio::time::timeout(Duration::from_millis(100), app.run()).await.is_err());
    while !house.lock_is_free().await {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(house.log().await, ["a STARTED"]);
    house.app([put("a", "1")]).run().await.expect("applies");
    assert_eq!(house.db.get("a").as_deref(), Some("applied"));
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

#[tokio::test]
async fn undo_runs_the_rollbacks_newest_first_and_the_next_run_applies_again() {
    let house = House::new();
    let changes = || {
        let mut a = put("a", "1");
        a.rollback = Some(on_db(|db| Ok(db.remove("a")?)));
        let mut b = count("b", "2");
        b.rollback = Some(on_flags(|flags| {
            flags.remove("b");
            Ok(())
        }));
        [a, b, put("c", "3")]
    };
    let app = house.app(changes());
    app.run().await.expect("applies");
    let refused = app.undo(&["a", "c", "nonsense"]).await.expect_err("c has no rollback");
    assert_eq!(refused.kind(), RunErrorKind::Refused);
    assert!(house.db.get("a").is_some());

    let report = app.undo(&["a", "b"]).await.expect("undoes");
    assert_eq!(report.changes.undone, 2);
    assert_eq!((house.db.get("a"), house.flags.get("b")), (None, None));
    assert_eq!(house.log().await[6..], ["b STARTED", "b ROLLED_BACK", "a STARTED", "a ROLLED_BACK"]);

    let report = house.app(changes()).run().await.expect("applies");
    assert_eq!((report.changes.applied, report.changes.already_applied), (2, 1));
    assert!(house.db.get("a").is_some());
}

#[tokio::test]
async fn an_undo_that_fails_in_a_transaction_leaves_the_change_applied() {
    let house = House::new();
    let mut a = put("a", "1");
    a.rollback = Some(on_db(|db| {
        db.remove("a")?;
        Err("still referenced".into())
    }));
    let app = house.app([a]);
    app.run().await.expect("applies");
    app.undo(&["a"]).await.expect_err("fails");
    assert_eq!(house.db.get("a").as_deref(), Some("applied"));
    assert_eq!(house.log().await[2..], ["a STARTED", "a APPLIED"]);
    assert_eq!(app.run().await.expect("is up to date").status, RunStatus::NoChanges);
}

#[tokio::test]
async fn a_restored_audit_store_stops_the_run_until_somebody_accepts_it() {
    let house = House::new();
    let changes = || [put("a", "1"), put("b", "2")];
    house.app(changes()).run().await.expect("applies");
    let restored = House { store: flamingock_core::memory::MemoryStore::new(), ..house.clone() };
    let error = restored.app(changes()).run().await.expect_err("the audit went back");
    assert_eq!(error.kind(), RunErrorKind::AuditWentBack);
    let app = restored.builder(changes()).accept_restored(true).build().expect("is right");
    let report = app.run().await.expect("takes over what the markers say");
    assert_eq!(report.changes.applied, 2);
    assert!(report.stages[0].details.iter().all(|change| change.outcome == ChangeOutcome::Recovered));
}

#[tokio::test]
async fn a_restored_target_stops_the_run() {
    let house = House::new();
    house.app([put("a", "1")]).run().await.expect("applies");
    let restored = House { db: flamingock_core::memory::MemoryTarget::new("db"), ..house.clone() };
    let error = restored.app([put("a", "1"), put("b", "2")]).run().await.expect_err("the target went back");
    assert_eq!(error.kind(), RunErrorKind::TargetWentBack);
}

#[tokio::test]
async fn a_renamed_service_is_noticed() {
    let house = House::new();
    house.app([put("a", "1")]).run().await.expect("applies");
    let app = house.builder([put("a", "1")]).service("orders-v2").build().expect("is right");
    let error = app.run().await.expect_err("the targets know it by another name");
    assert_eq!(error.kind(), RunErrorKind::ServiceRenamed);
    assert!(error.to_string().contains("under `orders`"), "{error}");
}

#[tokio::test]
async fn a_lease_taken_by_another_stops_the_run_and_records_nothing_more() {
    use flamingock_core::lock::LockStore;
    let house = House::new();
    let store = house.store.clone();
    let loses = change("a", "1", "flags", on_flags(|_| Ok(())));
    let broken = change(
        "b",
        "2",
        "db",
        on_db_async(move |db| {
            let store = store.clone();
            Box::pin(async move {
                db.put("b", "half")?;
                store.break_lock(&flamingock_core::History::new("orders")).await?;
                std::future::pending().await
            })
        }),
    );
    let app = house.builder([loses, broken]).lease(Duration::from_millis(200)).build().expect("is right");
    let error = app.run().await.expect_err("the lease is lost");
    assert_eq!(error.kind(), RunErrorKind::LeaseLost);
    assert_eq!(house.db.get("b"), None);
    assert_eq!(house.log().await.last().map(String::as_str), Some("b STARTED"));
}

#[tokio::test]
async fn a_blocking_change_does_not_starve_the_lease() {
    let house = House::new();
    let blocks = || {
        let body = Body::Async(Arc::new(|_| {
            Box::pin(async {
                // On purpose: the runtime's only thread sleeps for several leases.
                std::thread::sleep(Duration::from_millis(700));
                Ok(())
            }) as std::pin::Pin<Box<dyn Future<Output = _> + Send>>
        }));
        change("a", "1", "flags", Method { params: Vec::new(), body })
    };
    let app = house.builder([blocks()]).lease(Duration::from_millis(200)).build().expect("is right");
    app.run().await.expect("applies");
}
