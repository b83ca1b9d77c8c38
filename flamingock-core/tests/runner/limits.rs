//! Time that is over, a run that is told to stop, a lease that is lost: what ends, and what is then known.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use crate::support::faults::{Fate, Faults};
use crate::support::{House, Outcome, change, on_db_async, on_flags, orders, put, tx};
use flamingock_core::change::{Body, Change, Method};
use flamingock_core::lock::{FencingToken, LockStore};
use flamingock_core::memory::MemoryStore;
use flamingock_core::report::{ChangeOutcome, ChangeReport, Report};
use flamingock_core::target::{Fence, Markers};
use flamingock_core::{BackendErrorKind, CancellationToken, RunErrorKind};
use tokio::time::Instant;

const SHORT: Duration = Duration::from_millis(50);

/// A change on a target without transactions.
fn plainly<F>(id: &str, order: &str, body: impl Fn() -> F + Send + Sync + 'static) -> Change
where
    F: Future<Output = Outcome> + Send + 'static,
{
    let body = Arc::new(body);
    let body = Body::Async(Arc::new(move |_| {
        let body = Arc::clone(&body);
        Box::pin(async move { body().await.map_err(flamingock_core::change::MethodError::new) })
            as std::pin::Pin<Box<dyn Future<Output = _> + Send>>
    }));
    change(id, order, "flags", Method { params: Vec::new(), body })
}

fn blocking(id: &str, body: impl Fn() + Send + Sync + 'static) -> Change {
    let body = Body::Blocking(Arc::new(move |_| {
        body();
        Ok(())
    }));
    change(id, "1", "flags", Method { params: Vec::new(), body })
}

/// Blocks until the heartbeat has heard that another has the lock, and for some time more.
fn losing_its_lease(house: &House, faults: &Faults, more: Duration) -> Change {
    let (store, faults) = (house.store.clone(), faults.clone());
    blocking("a", move || {
        let asked = faults.calls("extend");
        tokio::runtime::Handle::current().block_on(store.break_lock(&orders())).expect("breaks it");
        while faults.calls("extend") == asked {
            std::thread::sleep(SHORT / 10);
        }
        std::thread::sleep(more);
    })
}

fn hanging_in_a_transaction(id: &str, order: &str) -> Change {
    change(id, order, "db", on_db_async(|_| Box::pin(std::future::pending())))
}

fn bad(report: &Report) -> &ChangeReport {
    report.failing().next().expect("is reported")
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_told_to_stop_takes_a_transaction_back_at_once_and_lets_a_plain_change_finish() {
    let house = House::new();
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    let finishes = plainly("a", "1", move || {
        let stopping = stopping.clone();
        async move {
            stopping.cancel();
            tokio::time::sleep(Duration::from_secs(5)).await;
            Ok(())
        }
    });
    let app = house.builder([finishes.clone()]).cancel_on(stop).build().expect("is wired");
    app.run().await.expect("it was the last one");
    assert_eq!(house.log().await, ["a STARTED", "a APPLIED"]);

    let stop = CancellationToken::new();
    let app = house.builder([finishes, hanging_in_a_transaction("b", "2")]).cancel_on(stop.clone());
    let app = app.build().expect("is wired");
    let began = Instant::now();
    let (ended, ()) = tokio::join!(app.run(), async {
        tokio::time::sleep(SHORT).await;
        stop.cancel();
    });
    assert_eq!(ended.expect_err("is cancelled").kind(), RunErrorKind::Cancelled);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(house.log().await[2..], ["b STARTED", "b FAILED", "b ROLLED_BACK"]);
}

#[tokio::test]
async fn a_blocking_change_that_ends_after_its_time_is_recorded_as_what_it_did() {
    let house = House::new();
    let mut late = blocking("a", || std::thread::sleep(SHORT * 3));
    late.timeout = Some(SHORT);
    house.app([late]).run().await.expect("it came to an end after all");
    assert_eq!(house.log().await, ["a STARTED", "a APPLIED"]);
}

#[tokio::test]
async fn a_blocking_change_that_ends_after_its_lease_is_lost_is_not_recorded() {
    let house = House::new();
    let faults = Faults::default();
    let change = losing_its_lease(&house, &faults, SHORT);
    let app = house.builder([change]).lease(SHORT * 2).build().expect("is wired");
    let error = app.around(&faults).run().await.expect_err("the lease is lost");
    assert_eq!(error.kind(), RunErrorKind::LeaseLost);
    let report = error.report();
    assert_eq!((bad(report).outcome, report.changes.failed), (ChangeOutcome::Unknown, 1));
    assert_eq!(house.log().await, ["a STARTED"]);
}

#[tokio::test]
async fn a_blocking_change_that_goes_on_after_its_lease_is_lost_ends_the_run() {
    for target in ["flags", "db"] {
        let house = House::new();
        let faults = Faults::default();
        let mut goes_on = losing_its_lease(&house, &faults, SHORT * 10);
        goes_on.target_system = target.to_owned();
        let app = house.builder([goes_on]).lease(SHORT * 2).shutdown_grace(SHORT).build().expect("is wired");
        let error = app.around(&faults).run().await.expect_err("the lease is lost");
        assert_eq!(error.kind(), RunErrorKind::LeaseLost);
        assert!(error.to_string().contains("change `a` cannot be stopped and still runs"), "{error}");
        assert_eq!(house.log().await, ["a STARTED"]);
    }
}

/// While its only thread for blocking work is taken, until `free` says so.
fn without_a_free_thread<F: Future<Output = ()>>(test: impl FnOnce(mpsc::Sender<()>) -> F) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().max_blocking_threads(1).build().expect("a runtime");
    let (free, freed) = mpsc::channel();
    runtime.spawn_blocking(move || freed.recv());
    runtime.block_on(test(free));
}

#[test]
fn a_blocking_change_that_gets_no_thread_within_its_time_has_done_nothing_and_never_runs() {
    for target in ["flags", "db"] {
        without_a_free_thread(|free| async move {
            let house = House::new();
            let (ran, runs) = mpsc::channel();
            let mut queued = blocking("a", move || ran.send(()).expect("is heard"));
            queued.target_system = target.to_owned();
            queued.rollback = Some(blocking("a", || panic!("there is nothing to compensate")).apply);
            let unhurried = house.app([queued.clone()]);
            queued.timeout = Some(SHORT);
            let error = house.app([queued]).run().await.expect_err("its time is over");
            let detail = bad(error.report()).error.clone().expect("says why");
            assert!(detail.message.contains("not done within 50ms; it had not begun"), "{detail}");
            assert_eq!(house.log().await, ["a STARTED", "a FAILED", "a ROLLED_BACK"]);

            free.send(()).expect("waits for it");
            tokio::time::sleep(SHORT).await;
            assert!(runs.try_recv().is_err(), "it ran after the run, without the lock");
            unhurried.run().await.expect("applies");
            assert_eq!(runs.try_iter().count(), 1);
        });
    }
}

#[test]
fn a_blocking_change_that_waits_for_a_thread_never_runs_when_its_run_is_dropped() {
    without_a_free_thread(|free| async move {
        let house = House::new();
        let (ran, runs) = mpsc::channel();
        let app = house.app([blocking("a", move || ran.send(()).expect("is heard"))]);
        tokio::time::timeout(SHORT, app.run()).await.expect_err("is dropped");
        free.send(()).expect("waits for it");
        tokio::time::sleep(SHORT).await;
        assert!(runs.try_recv().is_err(), "it ran after the run, without the lock");
    });
}

#[tokio::test(start_paused = true)]
async fn nothing_is_concluded_while_something_may_still_run_in_the_target() {
    for mut hangs in [hanging_in_a_transaction("a", "1"), plainly("a", "1", std::future::pending)] {
        let house = House::new();
        hangs.timeout = Some(SHORT);
        hangs.rollback = Some(if hangs.target_system == "db" {
            crate::support::on_db(|_| Ok(()))
        } else {
            on_flags(|_| Ok(()))
        });
        let faults = Faults::default();
        faults.next("abort", [Fate::Fails(BackendErrorKind::Unavailable)]);
        let error = house.app([hangs, put("b", "2")]).around(&faults).run().await.expect_err("hangs");
        let change = bad(error.report());
        assert_eq!(change.outcome, ChangeOutcome::Unknown);
        let note = change.note.clone().expect("says why");
        assert!(note.contains("what still runs could not be ended"), "{note}");
        assert_eq!(house.log().await, ["a STARTED"], "neither failed nor compensated");
    }
}

#[tokio::test]
async fn a_lease_that_is_lost_ends_the_run_even_if_the_target_cannot_be_asked_to_stop() {
    let house = House::new();
    let store = house.store.clone();
    let loses = plainly("a", "1", move || {
        let store = store.clone();
        async move {
            store.break_lock(&orders()).await?;
            std::future::pending().await
        }
    });
    let faults = Faults::default();
    faults.next("abort", [Fate::Fails(BackendErrorKind::Unavailable)]);
    let app = house.builder([loses, put("b", "2")]).lease(SHORT * 2).build().expect("is wired");
    let error = app.around(&faults).run().await.expect_err("the lease is lost");
    assert_eq!(error.kind(), RunErrorKind::LeaseLost);
    assert_eq!((house.log().await, house.db.get("b")), (vec!["a STARTED".to_owned()], None));
}

#[tokio::test(start_paused = true)]
async fn a_plain_change_asks_the_lock_itself_before_it_runs() {
    use BackendErrorKind::{Busy, LeaseLost, Unavailable};
    // Whose only writer is busy, most likely with a change of ours, or that is away for a moment, is still ours.
    for (kind, runs) in
        [(Busy, true), (Unavailable, true), (LeaseLost, false), (BackendErrorKind::Denied, false)]
    {
        let house = House::new();
        let faults = Faults::default();
        faults.next("extend", [Fate::Fails(kind)]);
        let app = house.app([crate::support::count("a", "1")]).around(&faults);
        let ended = app.run().await;
        assert_eq!(house.flags.get("a").is_some(), runs, "{kind:?}");
        if let Err(error) = ended {
            assert_eq!(error.kind(), RunErrorKind::LeaseLost);
            assert!(std::error::Error::source(&error).is_some(), "{error}");
            assert_eq!(house.log().await, ["a STARTED"]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_target_that_takes_its_time_is_waited_for() {
    let house = House::new();
    let faults = Faults::default();
    for operation in ["check", "raise fence", "survey", "open", "begin marker", "finish marker", "commit"] {
        faults.next(operation, [Fate::Slow(SHORT)]);
    }
    house.app([put("a", "1")]).around(&faults).run().await.expect("applies");
    assert_eq!(house.log().await, ["a STARTED", "a APPLIED"]);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_is_not_reached_ends_the_run_before_the_lock_is_asked_for() {
    let house = House::new();
    let faults = Faults::default();
    faults.next("check", [Fate::Fails(BackendErrorKind::Denied)]);
    let error = house.app([put("a", "1")]).around(&faults).run().await.expect_err("is not reached");
    assert_eq!((error.kind(), faults.calls("try acquire")), (RunErrorKind::Target, 0));
    assert!(error.to_string().contains("target system `db`"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_overtaken_while_it_takes_office_does_not_say_that_the_audit_went_back() {
    let house = House::new();
    let (store, db) = (house.store.clone(), house.db.clone());
    let overtakes = Box::pin(async move {
        let execution = flamingock_core::audit::Execution { id: "run-9".into(), owner: "another".into() };
        use flamingock_core::audit::AuditStore;
        let office = store.take_office(&orders(), FencingToken(0), &execution).await.expect("takes office");
        let fence = Fence { history: orders(), token: office.token, execution: execution.id };
        db.raise_fence(&fence).await.expect("raises");
    });
    let faults = Faults::default();
    faults.next("raise fence", [Fate::After(overtakes, None)]);
    let error = house.app([put("a", "1")]).around(&faults).run().await.expect_err("is overtaken");
    assert_eq!(error.kind(), RunErrorKind::LeaseLost, "{error}");
}

#[tokio::test]
async fn a_change_that_ends_its_own_transaction_is_no_success() {
    let house = House::new();
    let error = house.app([tx("a", "1", |db| Ok(db.implicit_rollback()?))]).run().await.expect_err("fails");
    assert_eq!(error.kind(), RunErrorKind::ChangeFailed);
    let detail = bad(error.report()).error.clone().expect("says why");
    assert!(detail.message.contains("the change ended its own transaction"), "{detail}");
    assert_eq!(house.log().await, ["a STARTED", "a FAILED", "a ROLLED_BACK"]);
}

#[tokio::test]
async fn a_newer_run_on_the_target_is_noticed_before_the_change_is_done() {
    let house = House::new();
    let target = house.db.clone();
    let overtaken = change(
        "a",
        "1",
        "db",
        on_db_async(move |db| {
            let target = target.clone();
            Box::pin(async move {
                // Gives up the lock on the fence.
                db.implicit_commit()?;
                let newer = Fence { history: orders(), token: FencingToken(99), execution: "run-9".into() };
                target.raise_fence(&newer).await?;
                Ok(())
            })
        }),
    );
    let error = house.app([overtaken]).run().await.expect_err("is overtaken");
    assert_eq!(error.kind(), RunErrorKind::LeaseLost);
    assert_eq!(house.log().await, ["a STARTED"], "what it left is not for this run to say");
}

#[tokio::test]
async fn a_plain_change_gets_a_session_where_the_target_has_sessions() {
    let house = House::new();
    let target = house.db.clone();
    let mut seen_at_once = change(
        "a",
        "1",
        "db",
        on_db_async(move |db| {
            let target = target.clone();
            Box::pin(async move {
                db.put("a", "applied")?;
                if target.get("a").is_some() { Err("on purpose".into()) } else { Ok(()) }
            })
        }),
    );
    seen_at_once.transactional = Some(false);
    house.app([seen_at_once]).run().await.expect_err("fails after what it did");
    assert_eq!(house.db.get("a").as_deref(), Some("applied"));

    // Where it has none, opening asks whether it is reached.
    let house = House { store: MemoryStore::new(), ..house };
    let faults = Faults::default();
    faults.next("open", [Fate::Fails(BackendErrorKind::Unavailable)]);
    house.app([crate::support::count("b", "1")]).around(&faults).run().await.expect_err("is not reached");
    assert_eq!(house.log().await, ["b STARTED", "b FAILED", "b ROLLED_BACK"]);
}
