//! What a run does when the audit store refuses an append, or its answer is lost.

use std::time::Duration;

use crate::support::faults::{Fate, Faults};
use crate::support::{House, count, on_flags, orders, plain, put, tx, verify_flags};
use flamingock_core::audit::{AuditStore, Evidence, Execution};
use flamingock_core::change::{Change, RecoveryStrategy, TargetState};
use flamingock_core::lock::{FencingToken, LockRequest, LockStore};
use flamingock_core::memory::MemoryStore;
use flamingock_core::report::{ChangeOutcome, Report};
use flamingock_core::{BackendErrorKind, RunError, RunErrorKind};

#[tokio::test(start_paused = true)]
async fn a_run_that_was_put_out_of_office_meanwhile_stops_at_once() {
    for kind in [BackendErrorKind::Unavailable, BackendErrorKind::InvalidData, BackendErrorKind::Other] {
        for broken in [true, false] {
            let house = House::new();
            let store = house.store.clone();
            let meanwhile = Box::pin(async move {
                if broken {
                    store.break_lock(&orders()).await.expect("breaks it");
                    return;
                }
                let execution = Execution { id: "run-9".to_owned(), owner: "another".to_owned() };
                store.take_office(&orders(), FencingToken(0), &execution).await.expect("takes office");
            });
            let faults = Faults::default();
            faults.next("append", [Fate::After(meanwhile, Some(kind))]);
            let error = house.app([put("a", "1")]).around(&faults).run().await.expect_err("is out of office");
            assert_eq!((error.kind(), faults.calls("append")), (RunErrorKind::LeaseLost, 1), "{error}");
            assert_eq!((house.db.get("a"), house.log().await.len()), (None, 0));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_append_that_cannot_work_is_not_tried_again_and_says_what_is_not_recorded() {
    let house = House::new();
    let faults = Faults::default();
    faults.next("append", [Fate::Passes, Fate::Fails(BackendErrorKind::StorageFull)]);
    let app = house.app([count("a", "1"), count("b", "2")]).around(&faults);
    let error = app.run().await.expect_err("the disk is full");
    assert_eq!((error.kind(), faults.calls("append")), (RunErrorKind::AuditStore, 2));
    assert!(error.to_string().contains("Applied but not recorded: a;"), "{error}");
    assert_eq!((house.log().await, house.flags.get("b")), (vec!["a STARTED".to_owned()], None));
}

#[tokio::test(start_paused = true)]
async fn a_change_that_failed_is_not_said_to_be_applied_but_not_recorded() {
    let house = House::new();
    let faults = Faults::default();
    faults.next("append", [Fate::Passes, Fate::Fails(BackendErrorKind::StorageFull)]);
    let app = house.app([tx("a", "1", |_| Err("no such column".into()))]).around(&faults);
    let error = app.run().await.expect_err("the disk is full");
    assert!(!error.to_string().contains("Applied but not recorded"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_append_whose_answer_is_lost_is_looked_for_until_the_store_answers() {
    let house = House::new();
    let faults = Faults::default();
    faults.next("append", [Fate::AnswerLost]);
    // The first look at the head is that of the start.
    faults.next("head", [Fate::Passes, Fate::Fails(BackendErrorKind::Unavailable)]);
    house.app([put("a", "1")]).around(&faults).run().await.expect("applies");
    assert_eq!(house.log().await, ["a STARTED", "a APPLIED"]);
}

#[tokio::test(start_paused = true)]
async fn an_append_that_nobody_answers_is_tried_again_before_the_limit() {
    let house = House::new();
    let faults = Faults::default();
    let never = || Fate::Slow(Duration::from_secs(3600));
    faults.next("append", [Fate::Passes, never()]).next("head", [Fate::Passes, never()]);
    let app = house.builder([count("a", "1")]).operation_timeout(Duration::from_secs(30));
    let began = tokio::time::Instant::now();
    app.build().expect("is wired").around(&faults).run().await.expect("applies");
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    assert_eq!(house.log().await, ["a STARTED", "a APPLIED"]);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_come_back_is_given_up_within_the_limit() {
    let house = House::new();
    let faults = Faults::default();
    faults.next("append", (0..100).map(|_| Fate::Fails(BackendErrorKind::Unavailable)));
    let app = house.builder([put("a", "1")]).operation_timeout(Duration::from_secs(1));
    let began = tokio::time::Instant::now();
    let error = app.build().expect("is wired").around(&faults).run().await.expect_err("is down");
    assert_eq!(error.kind(), RunErrorKind::AuditStore);
    // Up to another second is for the lock.
    assert!(began.elapsed() <= Duration::from_secs(2), "{:?}", began.elapsed());
    assert!((3..7).contains(&faults.calls("append")), "{}", faults.calls("append"));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_read_only_while_its_primary_hands_over_is_waited_for() {
    let (house, faults) = (House::new(), Faults::default());
    let handover = || (0..4).map(|_| Fate::Fails(BackendErrorKind::ReadOnly));
    faults.next("append", [Fate::Passes].into_iter().chain(handover())).next("extend", handover());
    house.app([count("a", "1")]).around(&faults).run().await.expect("applies");
    assert_eq!(house.log().await, ["a STARTED", "a APPLIED"]);
}

#[tokio::test(start_paused = true)]
async fn a_text_that_the_store_refuses_does_not_keep_the_outcome_from_being_recorded() {
    let house = House::new();
    let faults = Faults::default();
    faults.next("append", [Fate::Passes, Fate::Fails(BackendErrorKind::InvalidData)]);
    let mut broken = tx("a", "1", |_| Err("falsche Größe".into()));
    broken.description = Some("Größen".to_owned());
    let error = house.app([broken]).around(&faults).run().await.expect_err("fails");
    assert_eq!(error.kind(), RunErrorKind::ChangeFailed);
    assert_eq!(house.log().await, ["a STARTED", "a FAILED", "a ROLLED_BACK"]);
    let failed = house.entries().await.remove(1);
    assert_eq!(failed.error.expect("says why").message, "falsche Gr??e");
    assert_eq!(failed.description, None);
}

#[tokio::test(start_paused = true)]
async fn a_text_that_the_store_refuses_does_not_keep_a_change_from_being_compensated() {
    let house = House::new();
    let faults = Faults::default();
    faults.next("append", [Fate::Passes, Fate::Fails(BackendErrorKind::InvalidData)]);
    let mut broken = plain("a", "1", |flags| {
        flags.put("a", "half");
        Err("falsche Größe".into())
    });
    broken.rollback = Some(on_flags(|flags| {
        flags.remove("a");
        Ok(())
    }));
    let error = house.app([broken]).around(&faults).run().await.expect_err("fails");
    assert_eq!((error.kind(), house.flags.get("a")), (RunErrorKind::ChangeFailed, None));
    assert_eq!(house.log().await, ["a STARTED", "a FAILED", "a ROLLED_BACK"]);
    let failed = house.entries().await.remove(1);
    assert_eq!(failed.error.expect("says why").message, "falsche Gr??e");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_for_half_of_the_limit_is_waited_for_when_something_is_done_already() {
    let house = House::new();
    let faults = Faults::default();
    // As a store refuses at once while it restarts.
    let refused = (0..10).map(|_| Fate::Fails(BackendErrorKind::Unavailable));
    faults.next("append", std::iter::once(Fate::Passes).chain(refused));
    let began = tokio::time::Instant::now();
    house.app([count("a", "1")]).around(&faults).run().await.expect("applies");
    assert!(began.elapsed() > Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!(house.log().await, ["a STARTED", "a APPLIED"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_recorded_is_said_with_what_the_next_start_makes_of_it() {
    let unrecorded = async |house: &House, change: Change, undo: bool| {
        let faults = Faults::default();
        faults.next("append", [Fate::Passes, Fate::Fails(BackendErrorKind::StorageFull)]);
        let app = house.app([change]).around(&faults);
        let ended = if undo { app.undo(&["a"]).await } else { app.run().await };
        ended.expect_err("the disk is full").to_string()
    };
    let asked = |says| {
        let mut change = count("a", "1");
        change.verify = Some(verify_flags(move |_| Ok(says)));
        change
    };
    let retried = || {
        let mut change = count("a", "1");
        change.recovery = RecoveryStrategy::AlwaysRetry;
        change
    };
    let undoable = || {
        let mut change = count("a", "1");
        change.rollback = Some(on_flags(|_| Ok(())));
        change
    };
    for (change, next) in [
        (put("a", "1"), "Applied but not recorded: a; the next start finds that out"),
        (asked(TargetState::Applied), "Applied but not recorded: a; the next start asks #[verify]"),
        (retried(), "Applied but not recorded: a; the next start applies that again"),
        (
            undoable(),
            "Applied but not recorded: a; the next start cannot tell, and calls it an issue: rule `flamingock audit \
             fix -c a --service orders -r APPLIED --reason ..` when the store is back",
        ),
    ] {
        let text = unrecorded(&House::new(), change, false).await;
        assert!(text.contains(next), "{text}");
    }

    let house = House::new();
    house.app([undoable()]).run().await.expect("applies");
    let text = unrecorded(&house, undoable(), true).await;
    let ruling = "`flamingock audit fix -c a --service orders -r ROLLED_BACK --reason ..`";
    assert!(text.contains("Undone but not recorded: a;") && text.contains(ruling), "{text}");
    assert!(!text.contains("Applied but not"), "{text}");
    let error = house.app([undoable()]).run().await.expect_err("it cannot tell");
    assert_eq!(error.kind(), RunErrorKind::Issue);
}

#[tokio::test(start_paused = true)]
async fn what_went_wrong_in_a_change_is_told_although_it_cannot_be_recorded() {
    let house = House::new();
    let faults = Faults::default();
    let full = || [Fate::Passes, Fate::Fails(BackendErrorKind::StorageFull)];
    let must_be_told = |ended: Result<Report, RunError>, why: &str| {
        let error = ended.expect_err("the disk is full");
        assert_eq!(error.kind(), RunErrorKind::AuditStore);
        let text = error.to_string();
        assert!(text.contains(&format!("In change `a` this had gone wrong before: {why}")), "{text}");
        let failing = error.report().failing().next().expect("is reported");
        let told = failing.error.as_ref().map(ToString::to_string).expect("says why");
        assert!(told.contains(why), "{told}");
        assert_eq!((failing.outcome, error.report().changes.failed), (ChangeOutcome::Unknown, 1));
        text
    };
    let fails = |mut change: Change| {
        change.rollback = Some(on_flags(|_| Err("409: half of it is undone".into())));
        change
    };

    faults.next("append", full());
    let half = fails(plain("a", "1", |_| Err("409: half of it is there".into())));
    must_be_told(house.app([half.clone()]).around(&faults).run().await, "409: half of it is there");
    let house = House::new();
    faults.next("append", full());
    let transactional = tx("a", "1", |_| Err("no such column".into()));
    must_be_told(house.app([transactional]).around(&faults).run().await, "no such column");

    // And what came of its compensation.
    let house = House::new();
    faults.next("append", std::iter::once(Fate::Passes).chain(full()));
    let text = must_be_told(house.app([half]).around(&faults).run().await, "409: half of it is there");
    assert!(text.contains("#[rollback] failed, too: 409: half of it is undone"), "{text}");

    let house = House::new();
    let app = house.app([fails(count("a", "1"))]);
    app.run().await.expect("applies");
    faults.next("append", full());
    must_be_told(app.around(&faults).undo(&["a"]).await, "409: half of it is undone");
}

#[tokio::test(start_paused = true)]
async fn a_change_whose_start_the_store_refuses_does_not_run() {
    let house = House::new();
    let faults = Faults::default();
    faults.next("append", [Fate::Fails(BackendErrorKind::InvalidData)]);
    let error = house.app([count("a", "1")]).around(&faults).run().await.expect_err("is refused");
    assert_eq!((error.kind(), faults.calls("append")), (RunErrorKind::AuditStore, 1));
    assert_eq!(house.flags.get("a"), None);
}

#[tokio::test]
async fn an_entry_says_when_for_how_long_and_since_which_undo() {
    let house = House::new();
    let mut change = put("a", "1");
    change.rollback = Some(crate::support::on_db(|db| Ok(db.remove("a")?)));
    let app = house.app([change]);
    let began = jiff::Timestamp::now();
    let report = app.run().await.expect("applies");
    app.undo(&["a"]).await.expect("undoes");
    app.run().await.expect("applies again");
    app.undo(&["a"]).await.expect("undoes again");
    let entries = house.entries().await;
    let told = |entry: &flamingock_core::audit::AuditEntry| {
        let state = entry.state.expect("has a state").to_string();
        (state, entry.attempt, entry.refers_to, entry.duration.is_some())
    };
    let told: Vec<_> = entries.iter().map(told).collect();
    let lines = [
        ("STARTED", None, false),
        ("APPLIED", None, true),
        ("STARTED", None, false),
        ("ROLLED_BACK", None, true),
        // Since the undo that entry 4 records.
        ("STARTED", Some(4), false),
        ("APPLIED", Some(4), true),
        ("STARTED", Some(4), false),
        ("ROLLED_BACK", Some(4), true),
    ];
    assert_eq!(told, lines.map(|(state, since, took)| (state.to_owned(), 1, since, took)));
    assert!(entries.iter().all(|entry| entry.recorded_at.duration_since(began).as_secs().abs() < 60));
    let head = report.head.expect("is known");
    assert_eq!((head.sequence, head.hash), (2, entries[1].hash));
}

#[tokio::test]
async fn what_an_earlier_run_applied_is_said_to_be_recovered() {
    let house = House::new();
    let changes = |n| [put("a", "1"), put("b", "2"), put("c", "3")].into_iter().take(n);
    for n in 1..=3 {
        house.app(changes(n)).run().await.expect("applies");
    }
    // An audit that knows nothing of it, and whose tokens are behind those of the target.
    let restored = House { store: MemoryStore::new(), ..house.clone() };
    let app = restored.builder(changes(3)).accept_restored(true).build().expect("is wired");
    let report = app.run().await.expect("takes over what the markers say");
    for change in &report.stages[0].details {
        assert_eq!(change.outcome, ChangeOutcome::Recovered);
        assert!(change.note.as_deref().is_some_and(|note| note.contains("applied before")), "{change:?}");
    }
    assert_eq!(restored.entries().await[1].evidence, Evidence::Marker);
}

#[tokio::test]
async fn the_token_in_the_audit_is_ahead_of_that_of_the_lock() {
    let house = House::new();
    let lock = MemoryStore::new();
    LockStore::initialize(&lock).await.expect("is ready");
    for run in 0..9 {
        let request = LockRequest {
            history: orders(),
            owner: "another".to_owned(),
            execution: format!("run-{run}"),
            lease: Duration::from_secs(60),
        };
        lock.try_acquire(&request).await.expect("asks");
        lock.break_lock(&orders()).await.expect("breaks");
    }
    house.builder([put("a", "1")]).lock_store(lock).build().expect("is wired").run().await.expect("applies");
    assert!(house.entries().await[0].token > FencingToken(9));
}
