//! What `#[verify]` is asked, and when.

use std::any::TypeId;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::{House, count, on_flags, orders, plain, put, tx, verify_flags};
use flamingock_core::audit::AuditStore;
use flamingock_core::change::{
    Body, Change, ChangeContext, Invocation, Method, MethodError, Param, ParamKind, TargetState,
};
use flamingock_core::operate::Baseline;
use flamingock_core::report::ChangeOutcome;
use flamingock_core::{CancellationToken, RunErrorKind};

type Told = Arc<Mutex<Vec<(&'static str, u32, String)>>>;

fn note(told: &Told, who: &'static str, invocation: Invocation<'_>) -> Result<(), MethodError> {
    let (_, dependencies) = invocation.split();
    let context = dependencies.shared::<ChangeContext>("context")?;
    let key = context.idempotency_key().as_str().to_owned();
    told.lock().expect("not poisoned").push((who, context.attempt(), key));
    Ok(())
}

fn context() -> Vec<Param> {
    let (type_id, type_name) = (TypeId::of::<ChangeContext>(), "ChangeContext");
    vec![Param { name: "context".into(), kind: ParamKind::Shared, type_id, type_name, line: 1 }]
}

/// A plain change whose methods note which attempt they are of; it fails.
fn noting(told: &Told, says: TargetState) -> Change {
    let (applying, verifying) = (Arc::clone(told), Arc::clone(told));
    let mut change = plain("a", "1", |_| Ok(()));
    change.apply = Method {
        params: context(),
        body: Body::Blocking(Arc::new(move |invocation| {
            note(&applying, "apply", invocation)?;
            Err(MethodError::new("no"))
        })),
    };
    change.verify = Some(Method {
        params: context(),
        body: Body::Blocking(Arc::new(move |invocation| {
            note(&verifying, "verify", invocation)?;
            Ok(says)
        })),
    });
    change.rollback = Some(on_flags(|_| Ok(())));
    change
}

#[tokio::test]
async fn verify_is_told_which_attempt_it_is_asked_about_and_has_its_key() {
    let house = House::new();
    let told = Told::default();
    let take = || std::mem::take(&mut *told.lock().expect("not poisoned"));

    // None yet.
    let app = house.app([noting(&told, TargetState::NotApplied)]);
    app.examine("a").await.expect("examines");
    let baseline = Baseline { to: "a".to_owned(), reason: None, operator: None };
    app.baseline(&baseline).await.expect_err("is not there");
    let asked = take();
    assert_eq!(
        asked.iter().map(|(who, attempt, _)| (*who, *attempt)).collect::<Vec<_>>(),
        [("verify", 1); 2]
    );

    // Undone once, so that the keys are new, and then failed twice.
    house.app([count("a", "1")]).run().await.expect("applies");
    app.undo(&["a"]).await.expect("undoes");
    let mut broken = noting(&told, TargetState::NotApplied);
    broken.rollback = None;
    let app = house.app([broken]);
    app.run().await.expect_err("fails");
    app.run().await.expect_err("fails again");
    app.examine("a").await.expect("examines");
    let now = take();
    let calls: Vec<_> = now.iter().map(|(who, attempt, _)| (*who, *attempt)).collect();
    assert_eq!(calls, [("apply", 1), ("verify", 1), ("apply", 2), ("verify", 2)]);
    assert!(now.iter().all(|(_, _, key)| *key == now[0].2), "{now:?}");
    assert_ne!(now[0].2, asked[0].2);
}

#[tokio::test]
async fn verify_is_asked_only_about_what_the_marker_leaves_open() {
    let house = House::new();
    let asked = Arc::new(AtomicU32::new(0));
    let verified = |mut change: Change, says| {
        let asked = Arc::clone(&asked);
        change.verify = Some(verify_flags(move |_| {
            asked.fetch_add(1, Ordering::Relaxed);
            Ok(says)
        }));
        change
    };
    // In a transaction `#[verify]` takes what is shared on the change's own target; here, from the builder.
    let app = |change: Change| {
        let builder = house.builder([change]).dependency(house.flags.clone());
        builder.operation_timeout(Duration::from_millis(50)).build().expect("is wired")
    };
    let cut_off = |fails: bool| {
        let store = house.store.clone();
        tx("a", "1", move |db| {
            store.set_online(false);
            db.put("a", "applied")?;
            if fails { Err("no".into()) } else { Ok(()) }
        })
    };
    // Not committed: there is no marker. Committed: it says so.
    for (fails, outcome) in [(true, ChangeOutcome::Applied), (false, ChangeOutcome::Recovered)] {
        app(cut_off(fails)).run().await.expect_err("the store is down");
        house.store.set_online(true);
        house.expire_lock().await;
        if !fails {
            let report = app(verified(put("a", "1"), TargetState::PartiallyApplied)).run().await;
            let report = report.expect("is settled");
            assert_eq!(report.stages[0].details[0].outcome, outcome);
        }
    }
    assert_eq!(asked.load(Ordering::Relaxed), 0);

    // Half of it: only `#[verify]` can tell.
    let half = tx("b", "2", |db| {
        db.implicit_commit()?;
        Err("the second statement failed".into())
    });
    app(half).run().await.expect_err("fails");
    app(verified(put("b", "2"), TargetState::NotApplied)).run().await.expect("applies");
    assert_eq!((house.db.get("b").as_deref(), asked.load(Ordering::Relaxed)), (Some("applied"), 1));
}

#[tokio::test]
async fn a_run_that_is_told_to_stop_while_it_asks_verify_records_no_issue() {
    let house = House::new();
    house.app([plain("a", "1", |_| Err("the connection was lost".into()))]).run().await.expect_err("fails");
    let stop = CancellationToken::new();
    let mut asked = count("a", "1");
    let stops = stop.clone();
    asked.verify = Some(Method {
        params: Vec::new(),
        body: Body::Async(Arc::new(move |_| {
            stops.cancel();
            Box::pin(std::future::pending())
        })),
    });
    let app = house.builder([asked]).cancel_on(stop).shutdown_grace(Duration::from_millis(1));
    let error = app.build().expect("is wired").run().await.expect_err("is stopped");
    assert_eq!(error.kind(), RunErrorKind::Cancelled);
    let head = house.store.head(&orders()).await.expect("is reached").expect("is there");
    let verdict = head.verdict.expect("of the run before");
    assert_ne!(verdict.execution, error.report().execution, "those who wait try for themselves");
}
