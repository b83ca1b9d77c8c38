//! What a run that died left running in the target: on MySQL a statement that commits by itself goes on
//! in the server when its client is gone.

use std::sync::Arc;
use std::time::Duration;

use crate::support::faults::{Fate, Faults};
use crate::support::{House, change, on_db_blocking, put, tx};
use flamingock_core::change::{Body, Change, Method, RecoveryStrategy, TargetState};
use flamingock_core::memory::MemoryTarget;
use flamingock_core::operate::{Resolution, Ruling};
use flamingock_core::pipeline::Stage;
use flamingock_core::{BackendErrorKind, Flamingock, RunErrorKind};

const LONG: Duration = Duration::from_millis(500);

/// Adds to what is there, as one statement that commits before and after itself.
fn statement(takes: Duration, add: i32) -> Method {
    on_db_blocking(move |db| {
        db.implicit_commit()?;
        std::thread::sleep(takes);
        let there: i32 = db.get("there")?.map_or(0, |there| there.parse().expect("a number"));
        db.put("there", (there + add).to_string())?;
        Ok(db.implicit_commit()?)
    })
}

fn there(db: &MemoryTarget) -> i32 {
    db.get("there").map_or(0, |there| there.parse().expect("a number"))
}

fn adding(takes: Duration) -> Change {
    let mut change = change("a", "1", "db", statement(takes, 1));
    change.rollback = Some(statement(takes, -1));
    change
}

fn verified(house: &House, mut change: Change) -> Change {
    let db = house.db.clone();
    let body = Body::Async(Arc::new(move |_| {
        let state = if there(&db) > 0 { TargetState::Applied } else { TargetState::NotApplied };
        Box::pin(async move { Ok(state) }) as _
    }));
    change.verify = Some(Method { params: Vec::new(), body });
    change
}

fn retried(mut change: Change) -> Change {
    change.recovery = RecoveryStrategy::AlwaysRetry;
    change
}

/// Dies while the statement runs, and for longer than its lease.
async fn dies<T>(house: &House, run: impl Future<Output = T>) {
    assert!(tokio::time::timeout(LONG / 3, run).await.is_err(), "it is still at it");
    house.expire_lock().await;
}

#[tokio::test]
async fn a_statement_that_outlives_its_run_takes_effect_once() {
    let next: [fn(&House, Change) -> Change; 3] = [
        |_, change| retried(change),
        |house, change| retried(verified(house, change)),
        |house, change| verified(house, change),
    ];
    for (case, next) in next.into_iter().enumerate() {
        let house = House::new();
        dies(&house, house.app([adding(LONG)]).run()).await;
        house.app([next(&house, adding(Duration::ZERO))]).run().await.expect("applies");
        tokio::time::sleep(LONG).await;
        assert_eq!(there(&house.db), 1, "case {case}");
    }
}

#[tokio::test]
async fn an_undo_that_outlives_its_run_does_not_undo_what_is_recorded_as_applied() {
    let house = House::new();
    house.app([adding(Duration::ZERO)]).run().await.expect("applies");
    dies(&house, house.app([adding(LONG)]).undo(&["a"])).await;
    house.app([verified(&house, adding(Duration::ZERO))]).run().await.expect("is settled");
    tokio::time::sleep(LONG).await;
    assert_eq!(house.log().await.last().map(String::as_str), Some("a APPLIED"));
    assert_eq!(there(&house.db), 1);
}

fn half() -> Change {
    tx("a", "1", |db| {
        db.implicit_commit()?;
        Err("the second statement failed".into())
    })
}

/// `a`, and `b` in a stage of its own.
fn in_two_stages(house: &House, a: Change, faults: &Faults) -> Flamingock {
    let mut changes = [a, put("b", "1")];
    for (change, stage) in changes.iter_mut().zip(["one", "two"]) {
        change.stage = Some(stage.to_owned());
    }
    let builder = house.builder(changes);
    let app = builder.stage(Stage::new("one")).stage(Stage::new("two")).build().expect("is wired");
    app.around(faults)
}

#[tokio::test]
async fn a_session_that_cannot_be_ended_makes_an_issue_of_its_change_alone() {
    let house = House::new();
    house.app([half()]).run().await.expect_err("fails half-way");
    let faults = Faults::default();
    faults.next("end session", [Fate::Fails(BackendErrorKind::Other)]);
    let error = in_two_stages(&house, retried(put("a", "1")), &faults).run().await.expect_err("is blocked");
    assert_eq!((error.kind(), faults.calls("end session")), (RunErrorKind::Issue, 1));
    let text = error.to_string();
    assert!(text.contains("change `a` on `db`: ISSUE; its earlier attempt may still be at work"), "{text}");
    assert_eq!((house.db.get("a"), house.db.get("b").as_deref()), (None, Some("applied")));

    // Nor is `#[verify]` asked about what may still change.
    let faults = Faults::default();
    faults.next("end session", [Fate::Fails(BackendErrorKind::Other)]);
    let app = in_two_stages(&house, verified(&house, put("a", "1")), &faults);
    assert_eq!(app.run().await.expect_err("is blocked").kind(), RunErrorKind::Issue);
    assert_eq!(house.db.get("a"), None);

    // Whoever has seen that it is gone says so.
    let faults = Faults::default();
    faults.next("end session", [Fate::Fails(BackendErrorKind::Other)]);
    let app = in_two_stages(&house, retried(put("a", "1")), &faults);
    let ruling = Ruling::new("a", Resolution::RolledBack, "it is gone").by("me").force(true);
    app.rule(&ruling, LONG).await.expect("rules");
    app.run().await.expect("applies");
    assert_eq!(faults.calls("end session"), 2);
}

#[tokio::test]
async fn a_session_is_ended_also_after_its_change_was_ruled_on() {
    let house = House::new();
    house.app([half()]).run().await.expect_err("fails half-way");
    let faults = Faults::default();
    let app = house.app([put("a", "1")]).around(&faults);
    let ruling = Ruling::new("a", Resolution::RolledBack, "nothing is there").by("me").force(true);
    app.rule(&ruling, LONG).await.expect("rules");
    assert_eq!(faults.calls("end session"), 0);
    app.run().await.expect("applies");
    assert_eq!(faults.calls("end session"), 1);
}

#[tokio::test]
async fn a_session_is_ended_at_the_second_attempt_and_not_by_who_merely_looks() {
    let house = House::new();
    house.app([half()]).run().await.expect_err("fails half-way");
    let faults = Faults::default();
    let app = in_two_stages(&house, retried(verified(&house, put("a", "1"))), &faults);
    app.plan().await.expect("plans");
    app.examine("a").await.expect("examines");
    assert_eq!(faults.calls("end session"), 0);
    faults.next("end session", [Fate::Fails(BackendErrorKind::Unavailable)]);
    app.run().await.expect("applies");
    assert_eq!(faults.calls("end session"), 2);
}
