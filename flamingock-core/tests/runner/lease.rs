//! The lease: how it is kept, and when it is lost. Time is paused, also for the heartbeat.

use std::time::Duration;

use crate::support::faults::{Fate, Faults};
use crate::support::{House, count, put, slow};
use flamingock_core::__private::Host;
use flamingock_core::change::Change;
use flamingock_core::report::Report;
use flamingock_core::{BackendErrorKind, RunError, RunErrorKind};
use futures_util::future::BoxFuture;
use tokio::time::Instant;
use uuid::Uuid;

use BackendErrorKind::{Busy, LeaseLost, Unavailable};

const LEASE: Duration = Duration::from_secs(3);

/// This machine; whether the heartbeat goes on, on the test's own runtime.
#[derive(Debug)]
struct Here {
    beats: bool,
}

impl Host for Here {
    fn name(&self) -> String {
        "here".to_owned()
    }

    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }

    fn id(&self) -> Uuid {
        Uuid::now_v7()
    }

    fn heartbeat(&self, beats: BoxFuture<'static, ()>) -> std::io::Result<()> {
        if !self.beats {
            return Err(std::io::Error::other("no more threads"));
        }
        tokio::spawn(beats);
        Ok(())
    }
}

async fn run(
    house: &House,
    changes: impl IntoIterator<Item = Change>,
    faults: &Faults,
    beats: bool,
) -> Result<Report, RunError> {
    let app = house.builder(changes).lease(LEASE).host(Here { beats }).build().expect("is wired");
    app.around(faults).run().await
}

#[tokio::test(start_paused = true)]
async fn it_is_extended_in_every_third_of_it_as_long_as_a_change_takes() {
    let (house, faults) = (House::new(), Faults::default());
    run(&house, [slow("a", "1", LEASE * 10, false)], &faults, true).await.expect("applies");
    assert!((28..=30).contains(&faults.calls("extend")), "{}", faults.calls("extend"));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_for_a_moment_does_not_let_it_expire() {
    for kind in [Unavailable, Busy] {
        let (house, faults) = (House::new(), Faults::default());
        // Some leases later, so that it counts from the last extension and not from the first.
        let later = (0..9).map(|_| Fate::Passes);
        faults.next("extend", later.chain([Fate::Fails(kind), Fate::Fails(kind)]));
        let app = run(&house, [slow("a", "1", LEASE * 10, false)], &faults, true);
        tokio::pin!(app);
        let ended = loop {
            tokio::select! {
                ended = &mut app => break ended,
                () = tokio::time::sleep(LEASE / 20) => assert!(!house.lock_is_free().await, "{kind:?}"),
            }
        };
        ended.expect("applies");
        assert_eq!(house.log().await, ["a STARTED", "a APPLIED"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_single_writer_that_is_in_the_way_for_long_does_not_take_it() {
    let (house, faults) = (House::new(), Faults::default());
    faults.next("extend", (0..40).map(|_| Fate::Fails(Busy)));
    run(&house, [slow("a", "1", LEASE * 4, false)], &faults, true).await.expect("applies");
    assert!(faults.calls("extend") > 40, "{}", faults.calls("extend"));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_stays_away_ends_the_run_when_the_lease_ends_and_not_before() {
    let (house, faults) = (House::new(), Faults::default());
    faults.next("extend", (0..1000).map(|_| Fate::Fails(Unavailable)));
    let began = Instant::now();
    let error = run(&house, [slow("a", "1", LEASE * 10, false)], &faults, true).await.expect_err("is lost");
    assert_eq!(error.kind(), RunErrorKind::LeaseLost);
    let after = began.elapsed();
    assert!(LEASE <= after && after < LEASE * 2, "{after:?}");
    assert_eq!((house.db.get("a"), house.log().await), (None, vec!["a STARTED".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_was_in_the_way_once_does_not_keep_it_when_the_store_then_stays_away() {
    let away = || (0..1000).map(|_| Fate::Fails(Unavailable));
    let (house, faults) = (House::new(), Faults::default());
    faults.next("extend", [Fate::Fails(Busy)].into_iter().chain(away()));
    let began = Instant::now();
    let error = run(&house, [slow("a", "1", LEASE * 10, false)], &faults, true).await.expect_err("is lost");
    assert_eq!(error.kind(), RunErrorKind::LeaseLost);
    assert!(began.elapsed() < LEASE * 2, "{:?}", began.elapsed());

    // In the way until the lease is over; then `b` asks, before the heartbeat does again.
    let (house, faults) = (House::new(), Faults::default());
    faults.next("extend", (0..9).map(|_| Fate::Fails(Busy)).chain(away()));
    let changes = [slow("a", "1", LEASE * 31 / 30, false), count("b", "2")];
    let error = run(&house, changes, &faults, true).await.expect_err("is lost");
    assert_eq!((error.kind(), faults.calls("extend")), (RunErrorKind::LeaseLost, 10));
    assert_eq!((house.db.get("a").as_deref(), house.flags.get("b")), (Some("applied"), None));
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_another_has_ends_the_run_at_once() {
    let (house, faults) = (House::new(), Faults::default());
    faults.next("extend", [Fate::Fails(LeaseLost)]);
    let began = Instant::now();
    let error = run(&house, [slow("a", "1", LEASE * 10, false)], &faults, true).await.expect_err("is lost");
    assert_eq!(error.kind(), RunErrorKind::LeaseLost);
    assert!(began.elapsed() < LEASE / 2, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn when_it_was_lost_during_a_commit_no_other_change_begins() {
    let (house, faults) = (House::new(), Faults::default());
    faults.next("commit", [Fate::Slow(LEASE / 2)]);
    faults.next("extend", [Fate::Fails(LeaseLost)]);
    let error = run(&house, [put("a", "1"), put("b", "2")], &faults, true).await.expect_err("is lost");
    assert_eq!(error.kind(), RunErrorKind::LeaseLost);
    assert_eq!((house.log().await, house.db.get("b")), (vec!["a STARTED".to_owned()], None));
}

#[tokio::test(start_paused = true)]
async fn without_a_heartbeat_it_is_extended_by_what_asks_the_lock() {
    let (house, faults) = (House::new(), Faults::default());
    // `b` asks when most of the first lease is over; when `c` ends, the second is not, and nothing is asked.
    faults.next("extend", [Fate::Passes, Fate::Fails(Unavailable)]);
    let changes = [slow("a", "1", LEASE * 4 / 5, false), count("b", "2"), slow("c", "3", LEASE / 2, false)];
    run(&house, changes, &faults, false).await.expect("applies");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_dropped_while_it_gives_the_lock_back_does_not_keep_it() {
    let (house, faults) = (House::new(), Faults::default());
    faults.next("release", [Fate::Slow(LEASE)]);
    let dropped = run(&house, [put("a", "1")], &faults, true);
    tokio::time::timeout(LEASE / 10, dropped).await.expect_err("is dropped");
    tokio::time::sleep(LEASE / 10).await;
    assert!(house.lock_is_free().await);
    assert_eq!(faults.calls("release"), 2, "once more by the heartbeat");
    house.app([put("a", "1")]).around(&faults).run().await.expect("is up to date");

    // And once is enough.
    let (house, faults) = (House::new(), Faults::default());
    run(&house, [put("a", "1")], &faults, true).await.expect("applies");
    tokio::time::sleep(LEASE).await;
    assert_eq!(faults.calls("release"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_change_that_takes_longer_than_it_is_no_less_ours_while_nobody_else_can_write() {
    let (house, faults) = (House::new(), Faults::default());
    faults.next("extend", [Fate::Fails(Busy)]);
    run(&house, [slow("a", "1", LEASE * 2, false)], &faults, false).await.expect("applies");
    assert_eq!(house.log().await, ["a STARTED", "a APPLIED"]);
}
