//! What an attempt that failed says about what an earlier one left. Found by the crash points and the
//! simulation of `tests/reliability`.

use std::time::Duration;

use crate::support::faults::{Fate, Faults};
use crate::support::{House, on_flags, plain, put, tx};
use flamingock_core::change::{Change, ChangeError, RecoveryStrategy};
use flamingock_core::report::ChangeOutcome;
use flamingock_core::{BackendErrorKind, RunErrorKind};

fn retried(mut change: Change) -> Change {
    change.recovery = RecoveryStrategy::AlwaysRetry;
    change
}

#[tokio::test]
async fn half_of_a_change_is_not_taken_for_rolled_back_when_its_retry_does_nothing() {
    let house = House::new();
    let half = retried(tx("a", "1", |db| {
        db.put("first", "done")?;
        db.implicit_commit()?;
        Err("the second statement failed".into())
    }));
    house.app([half]).run().await.expect_err("fails half-way");

    let refused = retried(tx("a", "1", |_| Err("the lock timed out".into())));
    let error = house.app([refused]).run().await.expect_err("fails before anything");
    assert_eq!(error.report().failing().next().map(|change| change.outcome), Some(ChangeOutcome::Failed));
    assert_eq!(house.log().await, ["a STARTED", "a FAILED", "a STARTED", "a FAILED"]);

    // Under the other strategy the half is still there to be asked about.
    let error = house.app([tx("a", "1", |_| Ok(()))]).run().await.expect_err("is blocked");
    assert_eq!(error.kind(), RunErrorKind::Issue);
}

#[tokio::test]
async fn a_retry_that_says_nothing_was_done_does_not_speak_for_the_attempt_before() {
    let house = House::new();
    let half = retried(plain("a", "1", |flags| {
        flags.put("a", "half");
        Err("the connection was lost".into())
    }));
    house.app([half]).run().await.expect_err("fails half-way");

    let refused = plain("a", "1", |_| Err(ChangeError::not_applied("connection refused").into()));
    house.app([retried(refused)]).run().await.expect_err("fails before anything");
    assert_eq!(house.log().await, ["a STARTED", "a FAILED", "a STARTED", "a FAILED"]);
    assert_eq!(house.flags.get("a").as_deref(), Some("half"));
}

#[tokio::test]
async fn a_change_that_failed_is_not_said_to_be_applied_when_the_audit_store_is_lost() {
    let house = House::new();
    let store = house.store.clone();
    let fails = tx("a", "1", move |_| {
        store.set_online(false);
        Err("no such column".into())
    });
    let app = house.builder([fails]).operation_timeout(Duration::from_millis(50)).build().expect("is right");
    let error = app.run().await.expect_err("the store is down");
    assert_eq!(error.kind(), RunErrorKind::AuditStore);
    assert!(!error.to_string().contains("Applied but not recorded"), "{error}");
}

#[tokio::test]
async fn an_undo_that_does_nothing_does_not_say_that_a_half_undone_change_is_applied() {
    let house = House::new();
    let undone_by = |rollback| {
        let mut change = plain("a", "1", |flags| {
            flags.put("first", "on");
            flags.put("second", "on");
            Ok(())
        });
        change.rollback = Some(rollback);
        change
    };
    let half = undone_by(on_flags(|flags| {
        flags.remove("second");
        Err("the connection was lost".into())
    }));
    let app = house.app([half]);
    app.run().await.expect("applies");
    app.undo(&["a"]).await.expect_err("fails half-way");

    let refused = undone_by(on_flags(|_| Err(ChangeError::not_applied("connection refused").into())));
    let app = house.app([refused]);
    let error = app.undo(&["a"]).await.expect_err("fails before anything");
    assert_eq!(error.report().failing().next().map(|change| change.outcome), Some(ChangeOutcome::Failed));
    let log = house.log().await;
    assert_eq!(log[2..], ["a STARTED", "a ROLLBACK_FAILED", "a STARTED", "a ROLLBACK_FAILED"]);
    assert_eq!(app.run().await.expect_err("is blocked").kind(), RunErrorKind::Issue);
}

#[tokio::test]
async fn what_a_failed_plain_change_gave_up_on_and_may_still_run_is_not_compensated() {
    let house = House::new();
    let mut fails = plain("a", "1", |_| Err("the first of two requests was refused".into()));
    fails.rollback = Some(on_flags(|_| Ok(())));
    let faults = Faults::default();
    faults.next("rollback", [Fate::Fails(BackendErrorKind::Unavailable)]);
    let error = house.app([fails, put("b", "2")]).around(&faults).run().await.expect_err("has failed");
    let change = error.report().failing().next().expect("has failed").clone();
    assert_eq!((change.outcome, house.log().await), (ChangeOutcome::Unknown, vec!["a STARTED".to_owned()]));
    assert!(error.to_string().contains("was refused"), "{error}");
}

#[tokio::test]
async fn what_a_plain_change_leaves_open_in_its_session_makes_it_fail() {
    for compensated in [false, true] {
        let house = House::new();
        let mut leaves = plain("a", "1", |flags| {
            flags.put("a", "half");
            Ok(())
        });
        if compensated {
            leaves.rollback = Some(on_flags(|flags| {
                flags.remove("a");
                Ok(())
            }));
        }
        let faults = Faults::default();
        faults.next("commit", [Fate::Fails(BackendErrorKind::Other)]);
        let error = house.app([leaves, put("b", "2")]).around(&faults).run().await.expect_err("has failed");
        assert!(error.to_string().contains("as the test wants it"), "{error}");
        let recorded: &[_] = if compensated {
            &["a STARTED", "a FAILED", "a ROLLED_BACK"]
        } else {
            &["a STARTED", "a FAILED"]
        };
        assert_eq!(house.log().await, recorded);
        assert_eq!(house.flags.get("a").is_some(), !compensated);
    }
}
