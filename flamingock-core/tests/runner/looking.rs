//! Looking without changing anything, and runs that find little to do.

use std::sync::Arc;

use crate::support::faults::{Fate, Faults};
use crate::support::{House, count, orders, plain, put, tx};
use flamingock_core::audit::AuditStore;
use flamingock_core::change::{Body, Change, Method, TargetState};
use flamingock_core::operate::{Action, Only, Operator, Verdict};
use flamingock_core::pipeline::Stage;
use flamingock_core::report::RunStatus;
use flamingock_core::{Around, BackendErrorKind, Flamingock, RunErrorKind, RunMode};

fn check(house: &House, changes: impl IntoIterator<Item = Change>) -> Flamingock {
    house.builder(changes).mode(RunMode::Check).build().expect("is wired")
}

fn faulty(house: &House, faults: &Faults) -> Operator {
    let store = faults.audit_store(Arc::new(house.store.clone()));
    Operator::new(store, Arc::new(house.store.clone()), orders())
}

#[tokio::test]
async fn an_entry_that_cannot_be_read_is_named() {
    let house = House::new();
    house.app([put("a", "1"), put("b", "2")]).run().await.expect("applies");
    let corrupt = || Fate::Fails(BackendErrorKind::Corrupt);
    let faults = Faults::default();
    // The page, and then, one by one, the third.
    faults.next("entries", [corrupt(), Fate::Passes, Fate::Passes, corrupt()]);
    let report = faulty(&house, &faults).verify(None).await.expect("finds it");
    assert_eq!(report.entries, 2);
    assert_eq!(report.finding.map(|finding| finding.sequence), Some(3));

    // That it cannot be asked is not a finding.
    let faults = Faults::default();
    faults.next("entries", [Fate::Fails(BackendErrorKind::Denied)]);
    let error = faulty(&house, &faults).verify(None).await.expect_err("is refused");
    assert_eq!(error.kind(), RunErrorKind::AuditStore);
}

#[tokio::test]
async fn a_tag_is_found_without_reading_the_whole_audit() {
    let house = House::new();
    house.app((0..600).map(|n| count(&format!("c{n}"), &n.to_string()))).run().await.expect("applies");
    let operator = Operator::new(Arc::new(house.store.clone()), Arc::new(house.store.clone()), orders());
    operator.tag("v1", "jane").await.expect("tags");
    house.store.reset_counts();
    operator.tag("v1", "jane").await.expect_err("is taken");
    assert_eq!(house.store.counts().entry_reads, 1);
}

#[tokio::test]
async fn a_check_of_what_is_complete_is_one_read() {
    let house = House::new();
    house.app([put("a", "1")]).run().await.expect("applies");
    house.store.reset_counts();
    let report = check(&house, [put("a", "1")]).run().await.expect("is complete");
    assert_eq!((report.changes.already_applied, house.store.counts().reads()), (1, 1));
}

#[tokio::test]
async fn a_check_says_what_is_pending_and_what_is_uncertain() {
    let house = House::new();
    let broken = || plain("a", "1", |_| Err("quota".into()));
    let error = check(&house, [broken()]).run().await.expect_err("is pending");
    assert!(!error.to_string().contains("uncertain"), "{error}");
    house.app([broken()]).run().await.expect_err("fails");
    let error = check(&house, [broken()]).run().await.expect_err("is uncertain");
    assert!(error.to_string().starts_with("1 change(s) are uncertain: a. Mode"), "{error}");
    let error = check(&house, [broken(), put("b", "2")]).run().await.expect_err("is pending");
    assert!(
        error.to_string().contains("1 change(s) are pending: b; 1 change(s) are uncertain: a"),
        "{error}"
    );
}

/// How many releases the next start of is one read.
async fn complete(house: &House) -> usize {
    house.store.head(&orders()).await.expect("reads").expect("is there").digests.len()
}

#[tokio::test]
async fn two_releases_that_are_both_complete_do_not_take_the_one_read_from_each_other() {
    let house = House::new();
    let older = || house.app([put("a", "1")]);
    let newer = || house.app([put("a", "1"), put("b", "2")]);
    older().run().await.expect("applies");
    newer().run().await.expect("applies");
    assert_eq!(complete(&house).await, 1, "what was appended may concern the older one");
    older().run().await.expect("has nothing to do");
    for app in [older(), newer(), older()] {
        house.store.reset_counts();
        assert_eq!(app.run().await.expect("is complete").status, RunStatus::NoChanges);
        assert_eq!(house.store.counts().reads(), 1);
    }
    assert_eq!(complete(&house).await, 2);
}

#[tokio::test]
async fn a_narrowed_run_that_had_nothing_to_do_leaves_complete_releases_complete() {
    let house = House::new();
    house.app([put("a", "1")]).run().await.expect("applies");
    let more = house.app([put("a", "1"), put("b", "2"), put("c", "3")]);
    let until = |id: &str| Only { until: Some(id.to_owned()), ..Only::default() };
    house.store.reset_counts();
    assert_eq!(more.apply_only(&until("a")).await.expect("is done").status, RunStatus::NoChanges);
    assert_eq!((house.store.counts().appends, complete(&house).await), (0, 1));
    assert_eq!(more.apply_only(&until("b")).await.expect("applies").changes.applied, 1);
    assert_eq!(complete(&house).await, 0);

    let error = more.apply_only(&until("d")).await.expect_err("there is none");
    assert_eq!(error.kind(), RunErrorKind::Refused);
    assert!(error.to_string().contains("`d`"), "{error}");
}

#[tokio::test]
async fn a_run_up_to_a_change_does_not_go_on_with_the_stages_after_it() {
    let house = House::new();
    let staged = |stage: &str, mut change: Change| {
        change.stage = Some(stage.to_owned());
        change
    };
    let changes = [staged("first", put("a", "1")), staged("second", put("b", "1"))];
    let app = house.builder(changes).stage(Stage::new("first")).stage(Stage::new("second"));
    let only = Only { until: Some("a".to_owned()), ..Only::default() };
    let report = app.build().expect("is wired").apply_only(&only).await.expect("applies");
    assert_eq!((report.changes.applied, house.db.get("b")), (1, None));
}

#[tokio::test]
async fn a_baseline_skips_what_is_applied_and_refuses_what_has_failed() {
    let house = House::new();
    let baseline = |to: &str| flamingock_core::operate::Baseline {
        to: to.to_owned(),
        reason: None,
        operator: Some("jane".to_owned()),
    };
    house.app([put("a", "1")]).run().await.expect("applies");
    let entries = house.app([put("a", "1"), put("b", "2")]).baseline(&baseline("b")).await.expect("adopts");
    assert_eq!(entries.iter().map(|entry| entry.change.as_str()).collect::<Vec<_>>(), ["b"]);

    let broken = plain("c", "3", |_| Err("quota".into()));
    let app = house.app([put("a", "1"), put("b", "2"), broken, put("d", "4")]);
    app.run().await.expect_err("fails");
    let error = app.baseline(&baseline("d")).await.expect_err("c is an issue");
    assert!(
        error.to_string().contains(
            "`c` is FAILED: if the target has it, rule `flamingock audit fix -c c --service orders -r APPLIED --reason"
        ),
        "{error}"
    );
    let entries = house.entries().await;
    assert!(entries.iter().all(|entry| entry.change != "d"));
}

#[tokio::test]
async fn what_the_next_start_would_do_does_not_depend_on_what_it_does_not_ask() {
    let house = House::new();
    let cut_off = tx("a", "1", |_| Err("no such column".into()));
    // `FAILED` and `ROLLED_BACK` are not recorded.
    let faults = Faults::default();
    faults.next("append", [Fate::Passes, Fate::Fails(BackendErrorKind::StorageFull)]);
    house.app([cut_off]).around(&faults).run().await.expect_err("the disk is full");
    let said = |mut change: Change| {
        let body = Body::Async(Arc::new(|_| Box::pin(async { Ok(TargetState::Applied) }) as _));
        change.verify = Some(Method { params: Vec::new(), body });
        change
    };
    // Of one its transaction left no marker, the other was never tried.
    for change in [put("a", "1"), count("b", "2")] {
        let id = change.id.clone();
        let app = house.app([said(change)]);
        let found = app.examine(&id).await.expect("examines");
        assert_eq!((found.next, found.verify), (Action::Apply, Some(Verdict::State(TargetState::Applied))));
        let plan = app.plan().await.expect("plans");
        assert_eq!(plan.with(Action::Apply).count(), 1);
    }
    house.app([said(put("a", "1")), said(count("b", "2"))]).run().await.expect("applies");
    assert_eq!((house.db.get("a").as_deref(), house.flags.get("b").as_deref()), (Some("applied"), Some("1")));
}

#[tokio::test]
async fn a_change_without_a_transaction_has_no_marker_to_be_looked_for() {
    let house = House::new();
    let mut plain = put("a", "1");
    plain.transactional = Some(false);
    for (change, transactional) in [(plain, false), (put("a", "1"), true)] {
        let found = house.app([change]).examine("a").await.expect("examines");
        assert_eq!((found.transactional, found.marker), (transactional, None));
    }
}

#[tokio::test]
async fn a_lock_that_is_kept_elsewhere_is_not_taken_for_the_audit_store() {
    let house = House::new();
    for elsewhere in [false, true] {
        let faults = Faults::default();
        faults.next("try acquire", [Fate::Fails(BackendErrorKind::Denied)]);
        let builder = house.builder([put("a", "1")]);
        let builder = if elsewhere { builder.lock_store(house.store.clone()) } else { builder };
        let app = builder.build().expect("is wired").around(&faults);
        let text = app.run().await.expect_err("is refused").to_string();
        assert_eq!(text.starts_with("lock store: try acquire failed"), elsewhere, "{text}");
        assert_eq!(text.starts_with("audit store"), !elsewhere, "{text}");
    }
}

#[tokio::test]
async fn whoever_only_looks_does_not_take_it_for_the_audit_store_either() {
    let house = House::new();
    house.app([put("a", "1")]).run().await.expect("applies");
    let faults = Faults::default();
    let fails = async |operator: Operator| {
        faults.next("inspect", [Fate::Fails(BackendErrorKind::Denied)]);
        operator.status().await.expect_err("is refused").to_string()
    };
    for elsewhere in [false, true] {
        let builder = house.builder([put("a", "1")]);
        let builder = if elsewhere { builder.lock_store(house.store.clone()) } else { builder };
        let text = fails(builder.build().expect("is wired").around(&faults).operator()).await;
        assert_eq!(text.starts_with("lock store: inspect failed"), elsewhere, "{text}");
        assert_eq!(text.starts_with("audit store"), !elsewhere, "{text}");
    }
    // Without the application.
    let (store, lock) = (Arc::new(house.store.clone()), faults.lock_store(Arc::new(house.store.clone())));
    let text = fails(Operator::new(store, lock, orders())).await;
    assert!(text.starts_with("lock store: inspect failed"), "{text}");
    let store = Arc::new(house.store.clone());
    house.store.set_online(false);
    let operator = Operator::new(Arc::clone(&store) as _, store, orders());
    let text = operator.status().await.expect_err("is away").to_string();
    assert!(text.starts_with("audit store"), "{text}");
}
