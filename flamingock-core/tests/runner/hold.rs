//! Changes that are undone and held: no start runs them until they are released.

use std::sync::Arc;
use std::time::Duration;

use crate::support::{House, change, on_db, on_flags, orders, put, tx, verify_flags};
use flamingock_core::audit::{AuditState, AuditStore, Operation};
use flamingock_core::change::{Change, TargetState};
use flamingock_core::operate::{Action, Operator, Resolution, Ruling, Standing, Undo};
use flamingock_core::plan::{DriftKind, Policies, Policy};
use flamingock_core::report::{ChangeOutcome, Report, RunStatus};
use flamingock_core::{Flamingock, RunErrorKind, RunMode};

fn operator(house: &House) -> Operator {
    Operator::new(Arc::new(house.store.clone()), Arc::new(house.store.clone()), orders())
        .lock_wait(Duration::from_millis(300))
}

/// Puts its id, and takes it away again.
fn undoable(id: &str, order: &str) -> Change {
    let mut change = put(id, order);
    let key = id.to_owned();
    change.rollback = Some(on_db(move |db| Ok(db.remove(&key)?)));
    change
}

fn abc() -> [Change; 3] {
    [undoable("a", "1"), undoable("b", "2"), undoable("c", "3")]
}

fn hold(ids: &[&str]) -> Undo {
    Undo {
        changes: ids.iter().map(|id| (*id).to_owned()).collect(),
        hold: true,
        operator: Some("jane".to_owned()),
        reason: Some("shipping is not live".to_owned()),
    }
}

async fn applied(house: &House) -> Flamingock {
    let app = house.app(abc());
    app.run().await.expect("applies");
    app
}

async fn newest(house: &House, id: &str) -> (Operation, Option<AuditState>) {
    let latest = house.store.latest(&orders()).await.expect("reads");
    let entry = latest.into_iter().find(|entry| entry.change == id).expect("is there");
    (entry.operation, entry.state)
}

fn held(report: &Report) -> Vec<&str> {
    let details = report.stages.iter().flat_map(|stage| &stage.details);
    details.filter(|change| change.outcome == ChangeOutcome::Held).map(|change| change.id.as_str()).collect()
}

#[tokio::test]
async fn what_is_undone_and_held_is_not_run_until_it_is_released() {
    let house = House::new();
    let app = applied(&house).await;
    let report = app.undo_with(&hold(&["b"])).await.expect("undoes");
    assert_eq!((report.status, report.changes.undone), (RunStatus::Success, 1));
    let latest = house.store.latest(&orders()).await.expect("reads");
    let entry = latest.iter().find(|entry| entry.change == "b").expect("is there");
    assert_eq!((entry.operation, entry.operator.as_deref()), (Operation::Hold, Some("jane")));
    assert_eq!(entry.reason.as_deref(), Some("shipping is not live"));

    let plan = app.plan().await.expect("plans");
    assert_eq!(plan.with(Action::Held).map(|change| change.id.as_str()).collect::<Vec<_>>(), ["b"]);
    assert!(plan.up_to_date);
    let report = app.run().await.expect("is complete");
    assert_eq!((report.status, held(&report).as_slice()), (RunStatus::NoChanges, ["b"].as_slice()));
    assert_eq!((report.changes.already_applied, report.changes.held), (2, 1));
    assert_eq!(house.db.get("b"), None, "it did not run");

    // One read says the same.
    house.store.reset_counts();
    let report = app.run().await.expect("is complete");
    assert_eq!(house.store.counts().reads(), 1);
    assert_eq!((report.changes.already_applied, report.changes.held), (2, 1));
    assert!(report.summary().contains("2 change(s) applied before, 1 held"), "{}", report.summary());

    let released = operator(&house).release(&["b".to_owned()], "jane", "live").await.expect("releases");
    assert_eq!((released.len(), released[0].operation), (1, Operation::Release));
    assert_eq!(operator(&house).status().await.expect("is readable").count(Standing::RolledBack), 1);
    let report = app.run().await.expect("applies");
    assert_eq!((report.status, report.changes.applied), (RunStatus::Success, 1));
    assert_eq!(report.drifts[0].kind, DriftKind::OutOfOrder, "c is applied already");
    assert_eq!(house.db.get("b").as_deref(), Some("applied"));
}

#[tokio::test]
async fn changes_after_a_held_one_go_on_and_both_other_modes_call_it_complete() {
    let house = House::new();
    let app = house.app(abc().into_iter().take(2));
    app.run().await.expect("applies");
    app.undo_with(&hold(&["b"])).await.expect("undoes");
    let report = house.app(abc()).run().await.expect("goes on");
    assert_eq!((report.changes.applied, held(&report).as_slice()), (1, ["b"].as_slice()));
    assert_eq!((house.db.get("b"), house.db.get("c").as_deref()), (None, Some("applied")));
    for mode in [RunMode::Check, RunMode::Wait(Duration::from_secs(1))] {
        // The first pipeline is none that the head names.
        for changes in [2, 3] {
            let app = house.builder(abc().into_iter().take(changes)).mode(mode).build().expect("is wired");
            let report = app.run().await.expect("is complete");
            assert_eq!(report.changes.held, 1, "{mode:?} {changes}");
        }
    }
}

#[tokio::test]
async fn a_hold_that_was_cut_off_after_its_commit_stays_a_hold() {
    let house = House::new();
    applied(&house).await;
    let store = house.store.clone();
    let mut cut_off = put("b", "2");
    cut_off.rollback = Some(on_db(move |db| {
        store.set_online(false);
        Ok(db.remove("b")?)
    }));
    let app = house.builder([undoable("a", "1"), cut_off, undoable("c", "3")]);
    let app = app.operation_timeout(Duration::from_millis(50)).build().expect("is wired");
    app.undo_with(&hold(&["b"])).await.expect_err("the store is down");
    house.store.set_online(true);
    assert_eq!(newest(&house, "b").await, (Operation::Hold, Some(AuditState::Started)));

    house.expire_lock().await;
    let report = house.app(abc()).run().await.expect("settles it");
    assert_eq!((held(&report).as_slice(), report.changes.held), (["b"].as_slice(), 1));
    assert_eq!(newest(&house, "b").await, (Operation::Hold, Some(AuditState::RolledBack)));
    assert_eq!(house.db.get("b"), None, "it did not run");
    let again = house.app(abc()).run().await.expect("is complete");
    assert_eq!((again.changes.already_applied, again.changes.held), (2, 1));
}

#[tokio::test]
async fn a_hold_that_was_cut_off_on_a_plain_target_is_settled_by_verify_or_an_issue() {
    let flag = |state: Option<TargetState>| {
        let mut change = change(
            "flag",
            "1",
            "flags",
            on_flags(|flags| {
                flags.put("flag", "on");
                Ok(())
            }),
        );
        change.rollback = Some(on_flags(|flags| {
            flags.remove("flag");
            Err("the connection was lost".into())
        }));
        change.verify = state.map(|state| verify_flags(move |_| Ok(state)));
        change
    };
    let house = House::new();
    house.app([flag(None)]).run().await.expect("applies");
    house.app([flag(None)]).undo_with(&hold(&["flag"])).await.expect_err("fails half-way");
    assert_eq!(newest(&house, "flag").await, (Operation::Hold, Some(AuditState::RollbackFailed)));
    assert_eq!(house.app([flag(None)]).run().await.expect_err("is stuck").kind(), RunErrorKind::Issue);
    let report = house.app([flag(Some(TargetState::NotApplied))]).run().await.expect("settles it");
    assert_eq!(held(&report), ["flag"]);
}

#[tokio::test]
async fn a_hold_that_fails_in_its_transaction_leaves_the_change_applied() {
    let house = House::new();
    applied(&house).await;
    let mut fails = put("c", "3");
    fails.rollback = Some(on_db(|_| Err("there are rows that need it".into())));
    let app = house.app([undoable("a", "1"), undoable("b", "2"), fails]);
    app.undo_with(&hold(&["c"])).await.expect_err("fails");
    assert_eq!(newest(&house, "c").await, (Operation::Hold, Some(AuditState::Applied)));
    assert_eq!(app.run().await.expect("is complete").changes.already_applied, 3);
}

#[tokio::test]
async fn what_is_rolled_back_already_is_held_as_well() {
    let house = House::new();
    let app = applied(&house).await;
    app.undo(&["c"]).await.expect("undoes");
    let refused = app.undo(&["c"]).await.expect_err("is not applied");
    assert!(refused.to_string().contains("`c` is not applied"), "{refused}");
    let report = app.undo_with(&hold(&["c", "b", "c"])).await.expect("holds both");
    assert_eq!((report.changes.undone, held(&report).as_slice()), (1, ["c"].as_slice()));
    let refused = app.undo_with(&hold(&["c"])).await.expect_err("is held");
    assert!(refused.to_string().contains("`c` is held, since entry"), "{refused}");
    assert_eq!(app.run().await.expect("is complete").changes.held, 2);

    // After a failure that its transaction took back, and after a ruling.
    let fails = || tx("d", "4", |_| Err("no".into()));
    let with = |last: Change| house.app(abc().into_iter().chain([last]));
    with(fails()).run().await.expect_err("fails");
    with(fails()).undo_with(&hold(&["d"])).await.expect("holds");
    assert_eq!(with(fails()).run().await.expect("goes on").changes.held, 3);
    let ruling = Ruling::new("a", Resolution::RolledBack, "gone").correct(true);
    operator(&house).rule(&ruling).await.expect("rules");
    let disagrees = app.undo_with(&hold(&["a"])).await.expect_err("the marker says that it is applied");
    assert_eq!(disagrees.kind(), RunErrorKind::Refused);
}

#[tokio::test]
async fn only_what_is_held_is_released_all_of_it_or_nothing() {
    let house = House::new();
    let app = applied(&house).await;
    app.undo_with(&hold(&["b"])).await.expect("undoes");
    let refused = async |ids: &[&str]| {
        let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
        operator(&house).release(&ids, "jane", "").await.expect_err("is refused").to_string()
    };
    assert!(refused(&["b", "a"]).await.contains("`a` is not held, it is APPLIED"));
    assert!(refused(&["b", "x"]).await.contains("knows no change `x`"));
    assert_eq!(newest(&house, "b").await.0, Operation::Hold);
    let rule = |resolution| Ruling::new("b", resolution, "looked").by("jane");
    let error = operator(&house).rule(&rule(Resolution::RolledBack)).await.expect_err("is held");
    assert!(error.to_string().contains("`flamingock release b --service orders`"), "{error}");
    let error = operator(&house).rule(&rule(Resolution::Applied)).await.expect_err("is settled");
    assert!(error.to_string().contains("--override"), "{error}");
}

#[tokio::test]
async fn a_released_change_obeys_the_policy_for_what_comes_late() {
    let house = House::new();
    let app = applied(&house).await;
    app.undo_with(&hold(&["b"])).await.expect("undoes");
    let strict = house.builder(abc()).policies(Policies::default().out_of_order(Policy::Fail));
    let strict = strict.build().expect("is wired");
    strict.run().await.expect("a held one is not late");
    operator(&house).release(&["b".to_owned()], "jane", "").await.expect("releases");
    assert_eq!(strict.run().await.expect_err("comes late").kind(), RunErrorKind::Drift);
}
