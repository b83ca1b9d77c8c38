//! Outcomes that are uncertain: changes that commit by themselves, answers that are lost, runs that crash.

use std::sync::Arc;
use std::time::Duration;

use crate::support::{House, change, count, on_db_async, plain, put, tx, verify_flags};
use flamingock_core::RunErrorKind;
use flamingock_core::change::{Body, RecoveryStrategy, TargetState};
use flamingock_core::memory::Fault;
use flamingock_core::report::ChangeOutcome;

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
