//! An operator's side, on the in-memory store and targets.

use std::sync::Arc;
use std::time::Duration;

use crate::support::faults::{Fate, Faults};
use crate::support::{House, change, count, on_db, on_flags, orders, plain, put, tx, verify_flags};
use flamingock_core::audit::{AuditState, AuditStore, Evidence, Operation};
use flamingock_core::change::{Change, TargetState};
use flamingock_core::lock::{Acquisition, LockRequest, LockStore};
use flamingock_core::operate::{
    Action, Answer, Baseline, Only, Operator, Outcome, Request, Resolution, Ruling, SavedPlan, Standing,
    Undo, UndoSelection,
};
use flamingock_core::pipeline::Stage;
use flamingock_core::report::RunStatus;
use flamingock_core::{BackendErrorKind, FlamingockBuilder, History, RunErrorKind};

fn operator(house: &House) -> Operator {
    Operator::new(Arc::new(house.store.clone()), Arc::new(house.store.clone()), orders())
        .lock_wait(Duration::from_millis(300))
}

fn broken(id: &str, order: &str) -> Change {
    plain(id, order, |_| Err("no such flag".into()))
}

fn ruling(id: &str, resolution: Resolution) -> Ruling {
    Ruling::new(id, resolution, "looked at it").by("jane")
}

#[tokio::test]
async fn a_ruling_applied_settles_an_issue_and_says_who_and_why() {
    let house = House::new();
    house.app([broken("flag", "1"), put("row", "2")]).run().await.expect_err("fails");
    let operator = operator(&house);
    let status = operator.status().await.expect("is readable");
    assert_eq!(status.change("flag").map(|(_, standing)| *standing), Some(Standing::Issue));

    let ruled = operator.rule(&ruling("flag", Resolution::Applied)).await.expect("rules");
    assert_eq!(ruled.entry.operation, Operation::Ruling);
    assert_eq!(ruled.entry.refers_to, Some(ruled.before.sequence));
    assert_eq!(
        (ruled.entry.operator.as_deref(), ruled.entry.reason.as_deref()),
        (Some("jane"), Some("looked at it"))
    );
    assert!(house.lock_is_free().await);

    house.app([broken("flag", "1"), put("row", "2")]).run().await.expect("goes on after it");
    assert!(operator.verify(None).await.expect("is readable").finding.is_none());
}

#[tokio::test]
async fn a_ruling_rolled_back_lets_it_run_again() {
    let house = House::new();
    house.app([broken("flag", "1")]).run().await.expect_err("fails");
    operator(&house).rule(&ruling("flag", Resolution::RolledBack)).await.expect("rules");
    house.app([count("flag", "1")]).run().await.expect("applies");
    assert_eq!(house.flags.get("flag").as_deref(), Some("1"));
}

#[tokio::test]
async fn a_ruling_is_refused_where_it_makes_no_sense() {
    let house = House::new();
    house.app([put("row", "1")]).run().await.expect("applies");
    let operator = operator(&house);
    let refused = async |ruling: Ruling| {
        let error = operator.rule(&ruling).await.expect_err("is refused");
        assert_eq!(error.kind(), RunErrorKind::Refused);
        error.to_string()
    };
    assert!(refused(ruling("rwo", Resolution::Applied)).await.contains("knows no change"));
    assert!(refused(ruling("row", Resolution::RolledBack)).await.contains("--override"));
    assert!(refused(Ruling::new("row", Resolution::Applied, " ")).await.contains("reason"));
    assert!(refused(ruling("row", Resolution::Applied).correct(true)).await.contains("already"));
    assert_eq!(house.log().await.len(), 2, "nothing was recorded");
    operator.rule(&ruling("row", Resolution::RolledBack).correct(true)).await.expect("corrects");
}

#[tokio::test]
async fn a_change_that_is_running_is_refused_with_its_holder_and_an_uncertain_one_needs_force() {
    let house = House::new();
    house.app([put("row", "1")]).run().await.expect("applies");
    // A run that started the change and still lives.
    let store = house.store.clone();
    let request = LockRequest {
        history: orders(),
        owner: "pod-7".to_owned(),
        execution: "run-7".to_owned(),
        lease: Duration::from_secs(60),
    };
    let Acquisition::Acquired(lease) = store.try_acquire(&request).await.expect("asks") else {
        unreachable!("the lock is free")
    };
    let execution = flamingock_core::audit::Execution { id: "run-7".to_owned(), owner: "pod-7".to_owned() };
    let office = store.take_office(&orders(), lease.token, &execution).await.expect("takes office");
    let mut entry = store.latest(&orders()).await.expect("reads").remove(0);
    (entry.sequence, entry.state) = (office.head.sequence + 1, Some(AuditState::Started));
    (entry.execution, entry.token) = (execution.id.clone(), office.token);
    entry.hash = office.head.hash.next(&entry);
    let head = flamingock_core::audit::HeadChange {
        sequence: entry.sequence,
        hash: entry.hash,
        digests: Vec::new(),
        verdict: None,
    };
    let append = flamingock_core::audit::Append {
        expected: office.head.sequence,
        entries: std::slice::from_ref(&entry),
        head,
    };
    store.append(&office, &append).await.expect("appends");

    let operator = operator(&house);
    let status = operator.status().await.expect("is readable");
    assert_eq!(status.count(Standing::Running), 1);
    let error = operator.rule(&ruling("row", Resolution::Applied)).await.expect_err("it is running");
    assert_eq!(error.kind(), RunErrorKind::LockTimeout);
    assert!(error.to_string().contains("pod-7"), "{error}");

    store.release(&lease).await.expect("releases");
    let error = operator.rule(&ruling("row", Resolution::Applied)).await.expect_err("may settle itself");
    assert!(error.to_string().contains("--force"), "{error}");
    operator.rule(&ruling("row", Resolution::Applied).force(true)).await.expect("rules");
}

#[tokio::test]
async fn a_ruling_is_refused_when_another_run_recorded_something_while_it_waited() {
    let house = House::new();
    house.app([broken("flag", "1")]).run().await.expect_err("fails");
    let request = LockRequest {
        history: orders(),
        owner: "another".to_owned(),
        execution: "run-9".to_owned(),
        lease: Duration::from_secs(60),
    };
    let Acquisition::Acquired(lease) = house.store.try_acquire(&request).await.expect("asks") else {
        panic!("the lock is free");
    };
    // Both look at the same entry, and wait; who comes second rules about a state that is gone.
    let patient = operator(&house).lock_wait(Duration::from_secs(10));
    let (applied, rolled_back) =
        (ruling("flag", Resolution::Applied), ruling("flag", Resolution::RolledBack));
    let release = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        house.store.release(&lease).await.expect("releases");
    };
    let (first, second, ()) = tokio::join!(patient.rule(&applied), patient.rule(&rolled_back), release);
    let [Ok(_), Err(error)] = (if first.is_ok() { [first, second] } else { [second, first] }) else {
        panic!("not one of them");
    };
    assert_eq!(error.kind(), RunErrorKind::Refused);
    let text = error.to_string();
    assert!(text.contains("while the lock was waited for, another run recorded MANUAL_"), "{text}");
    assert!(text.contains("look at the target again"), "{text}");
}

#[tokio::test]
async fn a_ruling_is_refused_when_another_run_recorded_something_since_the_operator_looked() {
    let house = House::new();
    house.app([broken("flag", "1")]).run().await.expect_err("fails");
    let operator = operator(&house);
    let seen = operator.status().await.expect("is readable").change("flag").expect("is there").0.sequence;
    operator.rule(&ruling("flag", Resolution::RolledBack)).await.expect("rules");
    house.app([broken("flag", "1")]).run().await.expect_err("fails again");
    let error = operator.rule(&ruling("flag", Resolution::Applied).seen(seen)).await.expect_err("is refused");
    assert_eq!(error.kind(), RunErrorKind::Refused);
    let text = error.to_string();
    assert!(text.contains("since you looked") && text.contains("look at the target again"), "{text}");
    let seen = operator.status().await.expect("is readable").change("flag").expect("is there").0.sequence;
    operator.rule(&ruling("flag", Resolution::Applied).seen(seen)).await.expect("rules");
}

#[tokio::test]
async fn a_ruling_against_the_marker_is_an_issue_until_the_marker_is_overruled() {
    let house = House::new();
    house.app([put("row", "1")]).run().await.expect("applies");
    let operator = operator(&house);
    operator.rule(&ruling("row", Resolution::RolledBack).correct(true)).await.expect("rules");
    let error = house.app([put("row", "1")]).run().await.expect_err("the marker disagrees");
    assert_eq!(error.kind(), RunErrorKind::Issue);
    let plan = house.app([put("row", "1")]).plan().await.expect("plans");
    assert!(plan.has_issues());
    // The audit alone calls it settled: the start has told.
    let status = operator.status().await.expect("is readable");
    assert!(status.is_blocked());
    assert_eq!(status.change("row").map(|(_, standing)| *standing), Some(Standing::Issue));
    let again = ruling("row", Resolution::RolledBack).against_target(true);
    let ruled = operator.rule(&again).await.expect("rules");
    assert_eq!(ruled.entry.evidence, Evidence::Overruled);
    let status = operator.status().await.expect("is readable");
    assert_eq!((status.is_blocked(), status.count(Standing::Issue)), (false, 0));
    house.app([put("row", "1")]).run().await.expect("applies again");
}

#[tokio::test]
async fn what_the_last_start_called_an_issue_is_one_until_it_is_ruled_on() {
    let house = House::new();
    let mut taken_back = put("c", "3");
    taken_back.rollback = Some(on_db(|db| Ok(db.remove("c")?)));
    let app = house.app([put("a", "1"), put("b", "2"), taken_back]);
    app.run().await.expect("applies");
    let operator = operator(&house);
    for id in ["a", "b"] {
        operator.rule(&ruling(id, Resolution::RolledBack).correct(true)).await.expect("rules");
    }
    app.run().await.expect_err("the markers disagree");
    let issues = async || {
        let status = operator.status().await.expect("is readable");
        assert_eq!(status.is_blocked(), status.count(Standing::Issue) > 0);
        let issues = status.changes.into_iter().filter(|(_, standing)| *standing == Standing::Issue);
        issues.map(|(entry, _)| entry.change).collect::<Vec<_>>().join(" ")
    };
    let lock = async || {
        let (owner, execution) = ("another".to_owned(), "run-9".to_owned());
        let request = LockRequest { history: orders(), owner, execution, lease: Duration::from_secs(60) };
        let Acquisition::Acquired(lease) = house.store.try_acquire(&request).await.expect("asks") else {
            panic!("the lock is free");
        };
        lease
    };

    // Neither is settled by what is about others.
    operator.tag("before", "jane").await.expect("tags");
    assert_eq!(issues().await, "a b");
    lock().await;
    operator.unlock("it hangs", "jane").await.expect("breaks").expect("was held");
    assert_eq!(issues().await, "a b");
    let undo = Undo { changes: vec!["c".to_owned()], hold: true, ..Undo::default() };
    app.undo_with(&undo).await.expect("undoes");
    assert_eq!(issues().await, "a b");
    operator.release(&undo.changes, "jane", "").await.expect("releases");
    assert_eq!(issues().await, "a b");

    operator.rule(&ruling("a", Resolution::Applied).correct(true)).await.expect("rules");
    assert_eq!(issues().await, "b");
    // The run that said so is not the one that is waited for.
    let lease = lock().await;
    let (started, ()) = tokio::join!(app.run(), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        house.store.release(&lease).await.expect("releases");
    });
    assert_eq!(started.expect_err("the marker disagrees").kind(), RunErrorKind::Issue);
    assert_eq!(issues().await, "b");

    operator.rule(&ruling("b", Resolution::Applied).correct(true)).await.expect("rules");
    assert_eq!(issues().await, "");
    app.run().await.expect("applies the one that was undone");
}

#[tokio::test]
async fn an_issue_of_a_change_that_is_gone_with_its_stage_is_one_after_the_start_that_found_it() {
    let house = House::new();
    let in_stage = |stage: &str, mut change: Change| {
        change.stage = Some(stage.to_owned());
        let builder = house.builder([change]).stage(Stage::new(stage));
        builder.operation_timeout(Duration::from_millis(50)).build().expect("is wired")
    };
    let store = house.store.clone();
    let old = in_stage(
        "old",
        tx("a", "1", move |db| {
            store.set_online(false);
            Ok(db.put("a", "applied")?)
        }),
    );
    old.run().await.expect_err("the store is down");
    house.store.set_online(true);
    house.expire_lock().await;
    let operator = operator(&house);
    let stands = async || {
        let status = operator.status().await.expect("is readable");
        status.change("a").map(|(_, standing)| *standing)
    };
    assert_eq!(stands().await, Some(Standing::Uncertain));
    let new = in_stage("new", put("b", "1"));
    let error = new.run().await.expect_err("nobody can ask the marker any more");
    assert_eq!(error.kind(), RunErrorKind::Issue);
    assert_eq!(stands().await, Some(Standing::Issue));
    operator.rule(&ruling("a", Resolution::Applied).force(true)).await.expect("rules");
    new.run().await.expect("is up to date");
}

#[tokio::test]
async fn through_the_application_the_target_is_asked_before_a_ruling_is_recorded() {
    let house = House::new();
    let app = house.app([put("row", "1")]);
    app.run().await.expect("applies");
    let rule = async |ruling: Ruling| app.rule(&ruling, Duration::from_millis(300)).await;
    let error = rule(ruling("row", Resolution::RolledBack).correct(true)).await.expect_err("disagrees");
    assert!(error.to_string().contains("by its marker it has it"), "{error}");
    let against = ruling("row", Resolution::RolledBack).correct(true).against_target(true);
    assert_eq!(rule(against).await.expect("rules").entry.evidence, Evidence::Overruled);
    assert_eq!(app.run().await.expect("applies again").changes.applied, 1);

    // Merely uncertain: an answer that was lost. The marker settles it, so that no force is needed.
    let store = house.store.clone();
    let cut_off = tx("cut-off", "2", move |db| {
        store.set_online(false);
        Ok(db.put("cut-off", "applied")?)
    });
    let app = house.builder([put("row", "1"), cut_off]).operation_timeout(Duration::from_millis(50));
    let app = app.build().expect("is wired");
    app.run().await.expect_err("the store is down");
    house.store.set_online(true);
    house.expire_lock().await;
    let rule = async |ruling: Ruling| app.rule(&ruling, Duration::from_millis(300)).await;
    let error = rule(ruling("cut-off", Resolution::RolledBack)).await.expect_err("disagrees");
    assert!(error.to_string().contains("--against-target"), "{error}");
    let ruled = rule(ruling("cut-off", Resolution::Applied)).await.expect("agrees");
    assert_eq!((ruled.before.state, ruled.entry.evidence), (Some(AuditState::Started), Evidence::None));
    assert_eq!(
        rule(ruling("rwo", Resolution::Applied)).await.expect_err("unknown").kind(),
        RunErrorKind::Refused
    );
}

#[tokio::test]
async fn a_verify_that_contradicts_a_ruling_asks_for_a_consent_of_its_own() {
    let house = House::new();
    house.app([broken("flag", "1")]).run().await.expect_err("fails");
    let mut checked = broken("flag", "1");
    checked.verify = Some(verify_flags(|_| Ok(TargetState::NotApplied)));
    let app = house.app([checked]);
    let wait = Duration::from_millis(300);
    let error = app.rule(&ruling("flag", Resolution::Applied), wait).await.expect_err("disagrees");
    assert!(error.to_string().contains("by its verify it has it not"), "{error}");
    app.rule(&ruling("flag", Resolution::Applied).against_target(true), wait).await.expect("rules");
    app.run().await.expect("it counts as applied");
}

#[tokio::test]
async fn a_tag_keeps_a_complete_history_complete_and_its_name_is_taken() {
    let house = House::new();
    house.app([put("row", "1")]).run().await.expect("applies");
    let operator = operator(&house);
    operator.tag("v1", "jane").await.expect("tags");
    assert_eq!(operator.tag("v1", "jane").await.expect_err("is taken").kind(), RunErrorKind::Refused);
    house.store.reset_counts();
    house.app([put("row", "1")]).run().await.expect("is up to date");
    assert_eq!(house.store.counts().reads(), 1);
}

#[tokio::test]
async fn breaking_the_lock_is_recorded_and_puts_its_holder_out_of_office() {
    let house = House::new();
    house.app([put("row", "1")]).run().await.expect("applies");
    let operator = operator(&house);
    assert!(operator.unlock("pod died", "jane").await.expect("looks").is_none(), "it is free");
    let request = LockRequest {
        history: orders(),
        owner: "pod-7".to_owned(),
        execution: "run-7".to_owned(),
        lease: Duration::from_secs(60),
    };
    let Acquisition::Acquired(lease) = house.store.try_acquire(&request).await.expect("asks") else {
        unreachable!("the lock is free")
    };
    assert_eq!(operator.unlock(" ", "jane").await.expect_err("no reason").kind(), RunErrorKind::Refused);
    let (holder, entry) = operator.unlock("pod died", "jane").await.expect("breaks").expect("was held");
    assert_eq!(holder.owner, "pod-7");
    assert_eq!((entry.operation, entry.reason.as_deref()), (Operation::Unlock, Some("pod died")));
    assert!(house.store.extend(&lease).await.expect_err("is lost").is_lease_lost());
    assert!(house.lock_is_free().await);
}

#[tokio::test]
async fn an_operator_creates_no_history_by_a_typing_error() {
    let house = House::new();
    house.app([put("row", "1")]).run().await.expect("applies");
    let store = house.store.clone();
    let stranger = Operator::new(Arc::new(store.clone()), Arc::new(store.clone()), History::new("odrers"));
    assert!(stranger.status().await.expect("is readable").head.is_none());
    assert_eq!(stranger.tag("v1", "jane").await.expect_err("unknown").kind(), RunErrorKind::Refused);
    assert_eq!(store.histories().await.expect("lists"), [orders()]);
}

#[tokio::test]
async fn a_plan_changes_nothing_and_a_run_accepts_no_other_one() {
    let house = House::new();
    let first = house.app([put("a", "1")]);
    let plan = first.plan().await.expect("plans");
    assert_eq!((plan.with(Action::Apply).count(), plan.made_from.sequence), (1, 0));
    assert_eq!(house.store.histories().await.expect("lists"), [], "nothing was created");

    let only = Only { plan: Some(plan.made_from.clone()), ..Only::default() };
    let other = house.app([put("a", "1"), put("b", "2")]);
    let error = other.apply_only(&only).await.expect_err("another pipeline");
    assert_eq!(error.kind(), RunErrorKind::Refused);
    first.apply_only(&only).await.expect("applies as planned");

    let plan = other.plan().await.expect("plans").made_from;
    operator(&house).tag("moved-on", "jane").await.expect("tags");
    let error = other.apply_only(&Only { plan: Some(plan), ..Only::default() }).await.expect_err("moved on");
    assert!(error.to_string().contains("make a new plan"), "{error}");
}

#[tokio::test]
async fn a_narrowed_run_stops_where_it_was_told_and_never_says_that_all_is_applied() {
    let house = House::new();
    let changes = || [put("a", "1"), put("b", "2"), put("c", "3")];
    let only = Only { until: Some("b".to_owned()), ..Only::default() };
    let report = house.app(changes()).apply_only(&only).await.expect("applies");
    assert_eq!((report.status, report.changes.applied), (RunStatus::Success, 2));
    assert_eq!(house.db.get("c"), None);
    let head = house.store.head(&orders()).await.expect("reads").expect("is there");
    assert_eq!(head.digests, [""; 0]);
    assert_eq!(house.app(changes()).run().await.expect("applies the rest").changes.applied, 1);

    let unknown = Only { stages: vec!["nope".to_owned()], ..Only::default() };
    let error = house.app(changes()).apply_only(&unknown).await.expect_err("no such stage");
    assert!(error.to_string().contains("`default`"), "{error}");
}

#[tokio::test]
async fn a_narrowed_run_is_refused_when_its_last_change_is_in_a_stage_that_it_leaves_out() {
    let house = House::new();
    let staged = |stage: &str, mut change: Change| {
        change.stage = Some(stage.to_owned());
        change
    };
    let changes = [staged("first", put("a", "1")), staged("second", put("b", "1"))];
    let stages = ["first", "second"].map(Stage::new);
    let app = stages.into_iter().fold(house.builder(changes), FlamingockBuilder::stage);
    let app = app.build().expect("is wired");
    let only = |stages: &[&str], until: &str| Only {
        stages: stages.iter().map(|stage| (*stage).to_owned()).collect(),
        until: Some(until.to_owned()),
        ..Only::default()
    };
    for (stage, until) in [("second", "a"), ("first", "b")] {
        let error = app.apply_only(&only(&[stage], until)).await.expect_err("never comes to it");
        assert_eq!(error.kind(), RunErrorKind::Refused);
        assert!(error.to_string().contains(&format!("only `{stage}` is to run")), "{error}");
    }
    assert_eq!((house.db.get("a"), house.db.get("b")), (None, None));
    let report = app.apply_only(&only(&["first", "second"], "b")).await.expect("applies");
    assert_eq!(report.changes.applied, 2);
}

#[tokio::test]
async fn a_baseline_adopts_what_is_there_and_asks_verify() {
    let house = House::new();
    let with_verify = |state| {
        let mut change = count("flag", "1");
        change.verify = Some(verify_flags(move |_| Ok(state)));
        change
    };
    let to = |id: &str| Baseline { to: id.to_owned(), reason: None, operator: Some("jane".to_owned()) };
    let changes = |state| [with_verify(state), put("a", "2"), put("b", "3")];
    let error =
        house.app(changes(TargetState::NotApplied)).baseline(&to("a")).await.expect_err("is not there");
    assert_eq!(error.kind(), RunErrorKind::Refused);
    assert_eq!(house.log().await, [""; 0]);

    let entries = house.app(changes(TargetState::Applied)).baseline(&to("a")).await.expect("adopts");
    let evidence: Vec<_> = entries.iter().map(|entry| (entry.operation, entry.evidence)).collect();
    assert_eq!(evidence, [(Operation::Baseline, Evidence::Verify), (Operation::Baseline, Evidence::None)]);
    let report = house.app(changes(TargetState::Applied)).run().await.expect("applies the rest");
    assert_eq!((report.changes.applied, report.changes.already_applied), (1, 2));
    assert_eq!((house.flags.get("flag"), house.db.get("a")), (None, None), "nothing was run");
}

#[tokio::test]
async fn a_baseline_that_is_interrupted_goes_on_where_it_was() {
    let (house, faults) = (House::new(), Faults::default());
    let app =
        || house.app((0..2500).map(|at| put(&format!("c{at:04}"), &format!("{at:04}")))).around(&faults);
    let all = Baseline { to: "c2499".to_owned(), reason: None, operator: None };
    faults.next("append", [Fate::Passes, Fate::Fails(BackendErrorKind::StorageFull)]);
    let error = app().baseline(&all).await.expect_err("the disk is full");
    assert_eq!((error.kind(), house.log().await.len()), (RunErrorKind::AuditStore, 1000));
    let entries = app().baseline(&all).await.expect("adopts the rest");
    assert_eq!((entries.len(), entries[0].change.as_str(), faults.calls("append")), (1500, "c1000", 4));
    assert_eq!(app().run().await.expect("has nothing to do").changes.already_applied, 2500);
}

#[tokio::test]
async fn undo_by_selection_takes_the_last_ones_first() {
    let house = House::new();
    let undoable = |id: &str, order: &str| {
        let mut change = put(id, order);
        let key = id.to_owned();
        change.rollback = Some(on_db(move |db| Ok(db.remove(&key)?)));
        change
    };
    let changes = || [undoable("a", "1"), undoable("b", "2"), put("c", "3")];
    house.app(changes().into_iter().take(1)).run().await.expect("applies");
    operator(&house).tag("v1", "jane").await.expect("tags");
    let app = house.app([undoable("a", "1"), undoable("b", "2")]);
    app.run().await.expect("applies");
    let ids = async |selection| {
        let entries = app.undoable(&selection, false).await?;
        Ok::<_, flamingock_core::RunError>(entries.into_iter().map(|entry| entry.change).collect::<Vec<_>>())
    };
    assert_eq!(ids(UndoSelection::Last(2)).await.expect("selects"), ["b", "a"]);
    assert_eq!(ids(UndoSelection::To("a".to_owned())).await.expect("selects"), ["b"]);
    assert_eq!(ids(UndoSelection::Tag("v1".to_owned())).await.expect("selects"), ["b"]);
    assert_eq!(ids(UndoSelection::Since(jiff::Timestamp::MIN)).await.expect("selects"), ["b", "a"]);
    assert!(ids(UndoSelection::Tag("v9".to_owned())).await.is_err());
    house.app(changes()).run().await.expect("applies");
    let error =
        house.app(changes()).undoable(&UndoSelection::Last(2), false).await.expect_err("c has no rollback");
    assert!(error.to_string().contains("no #[rollback]"), "{error}");
}

#[tokio::test]
async fn undo_runs_the_compensation_of_an_issue() {
    let house = House::new();
    house.app([broken("flag", "1")]).run().await.expect_err("fails");
    let mut compensated = change("flag", "1", "flags", on_flags(|_| Ok(())));
    compensated.rollback = Some(on_flags(|flags| {
        flags.put("compensated", "yes");
        Ok(())
    }));
    house.app([compensated]).undo(&["flag"]).await.expect("compensates");
    assert_eq!(house.flags.get("compensated").as_deref(), Some("yes"));
    assert_eq!(house.log().await.last().map(String::as_str), Some("flag ROLLED_BACK"));
}

#[tokio::test]
async fn examining_a_change_says_what_the_next_start_would_do() {
    let house = House::new();
    house.app([broken("flag", "1")]).run().await.expect_err("fails");
    let mut checked = broken("flag", "1");
    checked.verify = Some(verify_flags(|_| Ok(TargetState::Applied)));
    let app = house.app([checked]);
    let found = app.examine("flag").await.expect("examines");
    assert_eq!(found.next, Action::Record);
    assert_eq!(app.examine("falg").await.expect_err("unknown").kind(), RunErrorKind::Refused);
    assert!(app.validate().await.expect("validates").is_good());
}

#[tokio::test]
async fn an_answer_survives_its_way_through_json() {
    let house = House::new();
    let app = house.app([put("row", "1"), broken("flag", "2")]);
    for request in [
        Request::Plan,
        Request::Validate,
        Request::Apply(Only {
            plan: Some(SavedPlan { sequence: 9, digest: String::new() }),
            ..Only::default()
        }),
        Request::Apply(Only::default()),
        Request::Examine("flag".to_owned()),
        Request::Undo(Undo { changes: vec!["nope".to_owned()], ..Undo::default() }),
    ] {
        let text = serde_json::to_string(&request).expect("is data");
        assert_eq!(serde_json::from_str::<Request>(&text).expect("is understood"), request);
        let answer = app.answer(&request).await;
        let text = serde_json::to_string(&answer).expect("is data");
        assert_eq!(serde_json::from_str::<Answer>(&text).expect("is understood"), answer);
        let good = matches!(
            &answer,
            Answer::Done(Outcome::Preview(_) | Outcome::Validation(_) | Outcome::Examination(_))
        );
        assert_eq!(good, answer.exit_code() == 0);
    }
}
