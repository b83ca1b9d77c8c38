//! What reports, events and logs say about runs that did not do everything.

use std::sync::{Arc, Mutex};

use crate::support::{
    House, change, count, on_db, on_db_async, on_flags, orders, plain, put, slow, told, tx,
};
use flamingock_core::change::{Body, Change, Method};
use flamingock_core::event::Event;
use flamingock_core::lock::LockStore;
use flamingock_core::operate::{Only, Undo};
use flamingock_core::pipeline::Stage;
use flamingock_core::report::{Report, StageState};
use flamingock_core::{CancellationToken, Flamingock, FlamingockBuilder, RunErrorKind};

fn staged(stage: &str, mut change: Change) -> Change {
    change.stage = Some(stage.to_owned());
    change
}

fn in_two_stages(house: &House, first: Change, second: Change) -> FlamingockBuilder {
    let builder = house.builder([staged("first", first), staged("second", second)]);
    builder.stage(Stage::new("first")).stage(Stage::new("second"))
}

fn wired(builder: FlamingockBuilder) -> Flamingock {
    builder.build().expect("is wired")
}

fn stages(report: &Report) -> Vec<(&str, StageState, usize)> {
    report.stages.iter().map(|stage| (stage.name.as_str(), stage.state, stage.changes.not_reached)).collect()
}

fn undoable(id: &str) -> Change {
    let key = id.to_owned();
    let mut change = put(id, "1");
    change.rollback = Some(on_db(move |db| Ok(db.remove(&key)?)));
    change
}

#[tokio::test]
async fn a_run_that_was_stopped_reports_the_stages_that_it_did_not_reach() {
    let house = House::new();
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    let stops = plain("a", "1", move |_| {
        stopping.cancel();
        Ok(())
    });
    let app = wired(in_two_stages(&house, stops, put("b", "1")).cancel_on(stop));
    let error = app.run().await.expect_err("is cancelled");
    assert_eq!(
        stages(error.report()),
        [("first", StageState::Completed, 0), ("second", StageState::NotReached, 1)]
    );
}

#[tokio::test]
async fn what_was_not_asked_for_is_not_reported_as_not_reached() {
    let house = House::new();
    let broken = tx("a", "1", |_| Err("no".into()));
    let app = wired(in_two_stages(&house, broken, put("b", "1")));
    let only = Only { stages: vec!["first".to_owned()], ..Only::default() };
    let error = app.apply_only(&only).await.expect_err("fails");
    assert_eq!(stages(error.report()), [("first", StageState::Failed, 0)]);

    let mut stuck = put("a", "1");
    stuck.rollback = Some(on_db(|_| Err("still referenced".into())));
    let app = wired(in_two_stages(&house, stuck, put("b", "1")));
    app.run().await.expect("applies");
    let error = app.undo(&["a"]).await.expect_err("fails");
    assert_eq!(stages(error.report()), [("first", StageState::Failed, 0)]);
    let error = app.undo(&["c"]).await.expect_err("there is none");
    assert_eq!(stages(error.report()), []);

    let disabled = wired(in_two_stages(&house, put("a", "1"), put("b", "1")).enabled(false));
    assert_eq!(stages(&disabled.run().await.expect("does nothing")), []);
}

#[tokio::test]
async fn an_undo_reports_the_stages_that_it_touched_and_counts_their_changes() {
    let house = House::new();
    let changes = [("first", "a"), ("first", "b"), ("second", "c"), ("second", "d")];
    let orders = ["1", "2", "1", "2"];
    let changes = changes.into_iter().zip(orders).map(|((stage, id), order)| {
        let mut change = staged(stage, undoable(id));
        change.order = Some(flamingock_core::change::Order::new(order));
        change
    });
    let app = wired(house.builder(changes).stage(Stage::new("first")).stage(Stage::new("second")));
    app.run().await.expect("applies");
    let report = app.undo(&["a", "b", "d"]).await.expect("undoes");
    let counted = report.stages.iter().map(|stage| {
        (stage.name.as_str(), stage.state, stage.changes.total, stage.changes.undone, stage.details.len())
    });
    assert_eq!(
        counted.collect::<Vec<_>>(),
        [("second", StageState::Completed, 1, 1, 1), ("first", StageState::Completed, 2, 2, 2)]
    );
    let hold = Undo { changes: vec!["a".to_owned(), "c".to_owned()], hold: true, ..Undo::default() };
    let report = app.undo_with(&hold).await.expect("holds one, undoes and holds the other");
    assert_eq!((report.changes.held, report.changes.undone, report.changes.failed), (1, 1, 0));
}

#[tokio::test]
async fn only_what_may_have_left_something_is_compensated_by_an_undo() {
    let house = House::new();
    // Plain, and as it was before.
    let mut compensated = plain("a", "1", |_| Err("quota".into()));
    compensated.rollback = Some(on_flags(|_| Ok(())));
    let app = house.app([compensated]);
    app.run().await.expect_err("fails");
    let error = app.undo(&["a"]).await.expect_err("nothing is left of it");
    assert!(error.to_string().contains("`a` is not applied"), "{error}");

    // In a transaction that did not come to its end: its marker tells, and the next start asks it.
    let house = House::new();
    let store = house.store.clone();
    let mut cut_off = tx("a", "1", move |_| {
        store.set_online(false);
        Err("the machine went down".into())
    });
    cut_off.rollback = Some(on_db(|_| Ok(())));
    let app = house.builder([cut_off]).operation_timeout(std::time::Duration::from_millis(50));
    let app = wired(app);
    app.run().await.expect_err("the store is down");
    house.store.set_online(true);
    house.expire_lock().await;
    assert_eq!(house.log().await, ["a STARTED"]);
    let error = app.undo(&["a"]).await.expect_err("nobody knows that it is applied");
    assert!(error.to_string().contains("`a` is not applied"), "{error}");
}

#[tokio::test]
async fn an_issue_of_a_change_that_the_code_no_longer_has_is_not_counted_among_those_that_it_has() {
    let house = House::new();
    let broken = || plain("b", "2", |_| Err("quota".into()));
    house.app([count("a", "1"), broken()]).run().await.expect_err("fails");
    let error = house.app([count("a", "1"), broken()]).run().await.expect_err("is blocked");
    let counted = |report: &Report| {
        let changes = report.changes;
        (changes.total, changes.already_applied, changes.failed, changes.not_reached)
    };
    assert_eq!(counted(error.report()), (2, 1, 1, 0));
    let error = house.app([count("a", "1")]).run().await.expect_err("is blocked");
    assert_eq!(error.kind(), RunErrorKind::Issue);
    assert_eq!(counted(error.report()), (1, 1, 0, 0));
}

#[tokio::test]
async fn a_stage_with_nothing_to_do_is_not_said_to_begin() {
    let house = House::new();
    wired(in_two_stages(&house, put("a", "1"), put("b", "1"))).run().await.expect("applies");
    let started = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&started);
    let more = house.builder([staged("first", put("a", "1")), staged("second", put("b", "1"))]);
    let more = more.change(staged("second", put("c", "2"))).on_event(move |event| {
        if let Event::StageStarted { stage, pending } = event {
            heard.lock().expect("not poisoned").push(((*stage).to_owned(), *pending));
        }
    });
    let more = wired(more.stage(Stage::new("first")).stage(Stage::new("second")));
    more.run().await.expect("applies");
    assert_eq!(*started.lock().expect("not poisoned"), [("second".to_owned(), 1)]);
}

#[tokio::test]
async fn a_change_that_ended_badly_is_logged_as_an_error_also_when_nobody_knows_how() {
    let of_changes = || {
        let of_changes = told::take().events.into_iter().filter(|(_, text)| text.starts_with("change ended"));
        of_changes.map(|(level, text)| format!("{level} {text}")).collect::<Vec<_>>()
    };
    told::take();
    let house = House::new();
    house.app([put("a", "1"), tx("b", "2", |_| Err("no".into()))]).run().await.expect_err("fails");
    assert_eq!(of_changes(), ["INFO change ended", "ERROR change ended badly"]);

    let store = house.store.clone();
    let loses = on_db_async(move |_| {
        let store = store.clone();
        Box::pin(async move {
            store.break_lock(&orders()).await?;
            std::future::pending().await
        })
    });
    let app = house.builder([put("a", "1"), change("b", "2", "db", loses)]);
    let app = wired(app.lease(std::time::Duration::from_millis(100)));
    assert_eq!(app.run().await.expect_err("loses its lease").kind(), RunErrorKind::LeaseLost);
    assert_eq!(of_changes(), ["ERROR change ended badly"]);
}

#[tokio::test]
async fn those_who_wait_for_a_run_that_finds_an_issue_are_told_so() {
    let house = House::new();
    let flag = || plain("flag", "1", |_| Err("quota".into()));
    let time = std::time::Duration::from_millis(100);
    let app = || wired(in_two_stages(&house, slow("a", "1", time, false), flag()));
    wired(in_two_stages(&house, put("x", "1"), flag())).run().await.expect_err("fails");
    let (first, second) = (app(), app());
    let (first, second) = tokio::join!(first.run(), async {
        tokio::time::sleep(time / 2).await;
        second.run().await
    });
    assert_eq!(first.expect_err("is blocked").kind(), RunErrorKind::Issue);
    let error = second.expect_err("waited for it");
    assert_eq!(error.kind(), RunErrorKind::AnotherRunFailed, "{error}");
}

#[tokio::test]
async fn a_run_that_was_stopped_says_which_change_it_left_half_done() {
    for (target, half) in [("flags", true), ("db", false)] {
        let house = House::new();
        let stop = CancellationToken::new();
        let stops = stop.clone();
        let apply = Method {
            params: Vec::new(),
            body: Body::Async(Arc::new(move |_| {
                stops.cancel();
                Box::pin(std::future::pending())
            })),
        };
        let app = house.builder([change("a", "1", target, apply)]).cancel_on(stop);
        let app = wired(app.shutdown_grace(std::time::Duration::from_millis(1)));
        let error = app.run().await.expect_err("is stopped");
        assert_eq!(error.kind(), RunErrorKind::Cancelled);
        let text = error.to_string();
        assert_eq!(text.contains("\n  - tests/run.rs:1: change `a` on `flags`: FAILED"), half, "{text}");
        assert_eq!(text.contains("the next start goes on from here"), !half, "{text}");
    }
}
