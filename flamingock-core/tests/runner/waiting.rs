//! Several instances: who waits, for what, and how it ends.

use std::time::Duration;

use crate::support::faults::{Fate, Faults};
use crate::support::{House, orders, plain, put, slow};
use flamingock_core::audit::AuditStore;
use flamingock_core::change::Change;
use flamingock_core::operate::{Resolution, Ruling};
use flamingock_core::pipeline::Stage;
use flamingock_core::report::{Report, RunStatus};
use flamingock_core::{BackendErrorKind, Flamingock, RunError, RunErrorKind, RunMode};

const MOMENT: Duration = Duration::from_millis(50);
const WHILE: Duration = Duration::from_millis(500);

fn waits(house: &House, changes: impl IntoIterator<Item = Change>, time: Duration) -> Flamingock {
    house.builder(changes).mode(RunMode::Wait(time)).build().expect("is wired")
}

/// Runs the second when the first is at work.
async fn one_after_another(
    first: &Flamingock,
    second: &Flamingock,
) -> (Result<Report, RunError>, Result<Report, RunError>) {
    tokio::join!(first.run(), async {
        tokio::time::sleep(MOMENT).await;
        second.run().await
    })
}

#[tokio::test(start_paused = true)]
async fn who_waits_leaves_when_the_work_is_done_even_if_the_lock_is_not_given_back() {
    let house = House::new();
    let faults = Faults::default();
    faults.next("release", [Fate::Fails(BackendErrorKind::Unavailable)]);
    let first = house.app([slow("a", "1", WHILE, false)]).around(&faults);
    let second = house.builder([slow("a", "1", WHILE, false)]).lock_wait(WHILE * 4);
    let (first, second) = one_after_another(&first, &second.build().expect("is wired")).await;
    first.expect("applies");
    assert!(!house.lock_is_free().await);
    assert_eq!(second.expect("is up to date").status, RunStatus::NoChanges);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_short_run_waits_shortly() {
    let house = House::new();
    let short = || house.app([slow("a", "1", MOMENT + MOMENT / 5, false)]);
    let (first, second) = one_after_another(&short(), &short()).await;
    first.expect("applies");
    let waited = second.expect("is up to date").duration_ms;
    assert!(waited < 100, "{waited} ms");
}

#[tokio::test(start_paused = true)]
async fn the_failure_of_another_release_is_not_that_of_who_waited_for_it() {
    let house = House::new();
    let first = house.app([slow("x", "1", WHILE, true)]);
    let (first, second) = one_after_another(&first, &house.app([put("a", "1")])).await;
    assert_eq!(first.expect_err("fails").kind(), RunErrorKind::ChangeFailed);
    assert_eq!(second.expect("applies").changes.applied, 1);
}

#[tokio::test(start_paused = true)]
async fn a_lock_whose_only_writer_is_busy_is_waited_for_and_one_that_refuses_is_not() {
    let house = House::new();
    let busy = Faults::default();
    busy.next("try acquire", (0..10).map(|_| Fate::Fails(BackendErrorKind::Busy)));
    house.app([put("a", "1")]).around(&busy).run().await.expect("applies");

    let denied = Faults::default();
    denied.next("try acquire", [Fate::Fails(BackendErrorKind::Denied)]);
    let error = house.app([put("b", "1")]).around(&denied).run().await.expect_err("is refused");
    assert_eq!((error.kind(), denied.calls("try acquire")), (RunErrorKind::AuditStore, 1));
}

#[tokio::test(start_paused = true)]
async fn mode_wait_is_over_when_a_newer_release_has_applied_everything() {
    let house = House::new();
    let newer = house.app([slow("a", "1", WHILE, false), put("b", "2")]);
    let older = waits(&house, [slow("a", "1", WHILE, false)], WHILE * 20);
    let (newer, older) = one_after_another(&newer, &older).await;
    newer.expect("applies");
    assert_eq!(older.expect("is up to date").changes.already_applied, 1);
}

#[tokio::test(start_paused = true)]
async fn mode_wait_goes_on_when_another_release_has_ended_without_what_is_waited_for() {
    let house = House::new();
    let older = house.app([slow("a", "1", WHILE, false)]);
    let newer = waits(&house, [slow("a", "1", WHILE, false), put("b", "2")], WHILE * 4);
    let (older, newer) = one_after_another(&older, &newer).await;
    older.expect("applies");
    assert_eq!(newer.expect_err("b is missing").kind(), RunErrorKind::WaitTimeout);
    // One by the run, two by who waits: at first and when something had ended, and not at every look.
    assert_eq!(house.store.counts().latest_reads, 3);
}

#[tokio::test(start_paused = true)]
async fn mode_wait_reads_one_row_at_a_time_while_another_instance_is_at_work() {
    let house = House::new();
    let changes = || [put("a", "1"), slow("b", "2", WHILE, false)];
    let (first, waiting) =
        one_after_another(&house.app(changes()), &waits(&house, changes(), WHILE * 4)).await;
    first.expect("applies");
    waiting.expect("is ready");
    // One by the run, one by who waits, at its first look.
    assert_eq!(house.store.counts().latest_reads, 2);
}

#[tokio::test(start_paused = true)]
async fn mode_wait_fails_with_a_run_that_fails_meanwhile_and_not_with_one_before() {
    let house = House::new();
    let broken = || house.app([slow("a", "1", WHILE, true)]);
    let waiting = waits(&house, [slow("a", "1", WHILE, false)], WHILE * 4);
    let (first, second) = one_after_another(&broken(), &waiting).await;
    first.expect_err("fails");
    let error = second.expect_err("what it waited for failed");
    assert_eq!(error.kind(), RunErrorKind::AnotherRunFailed);
    assert!(error.to_string().contains("failed: a"), "{error}");

    // The head still says so, and somebody has mended it.
    assert!(house.store.head(&orders()).await.expect("reads").and_then(|head| head.verdict).is_some());
    let mended = house.app([slow("a", "1", WHILE, false)]);
    let (second, first) = tokio::join!(waiting.run(), async {
        tokio::time::sleep(WHILE).await;
        mended.run().await
    });
    first.expect("applies");
    second.expect("is up to date");
}

#[tokio::test(start_paused = true)]
async fn a_ruling_waits_for_a_run_and_is_not_kept_from_its_issue_by_how_that_ends() {
    let house = House::new();
    let in_stage = |stage: &str, mut change: Change| {
        change.stage = Some(stage.to_owned());
        change
    };
    let app = || {
        let issue = in_stage("first", plain("a", "1", |_| Err("quota".into())));
        let fails = in_stage("second", slow("b", "1", WHILE, true));
        let builder = house.builder([issue, fails]).stage(Stage::new("first")).stage(Stage::new("second"));
        builder.build().expect("is wired")
    };
    app().run().await.expect_err("is an issue from now on");
    let ruling = Ruling::new("a", Resolution::Applied, "looked at it");
    let pod = app();
    let (run, ruled) = tokio::join!(pod.run(), async {
        tokio::time::sleep(MOMENT).await;
        app().rule(&ruling, WHILE * 4).await
    });
    assert_eq!(run.expect_err("fails").kind(), RunErrorKind::ChangeFailed);
    ruled.expect("rules");
}

#[tokio::test(start_paused = true)]
async fn to_wait_for_ever_is_to_wait_until_it_is_done() {
    let house = House::new();
    let changes = || [slow("a", "1", WHILE, false)];
    let patient = || {
        let builder = house.builder(changes()).lock_wait(Duration::MAX).operation_timeout(Duration::MAX);
        builder.shutdown_grace(Duration::MAX).build().expect("is wired")
    };
    let (first, second) = one_after_another(&patient(), &patient()).await;
    first.expect("applies");
    second.expect("is up to date");

    let house = House::new();
    let (first, second) =
        one_after_another(&house.app(changes()), &waits(&house, changes(), Duration::MAX)).await;
    first.expect("applies");
    second.expect("is up to date");
}

#[tokio::test(start_paused = true)]
async fn to_wait_for_no_time_is_to_look_once() {
    let house = House::new();
    let error = waits(&house, [put("a", "1")], Duration::ZERO).run().await.expect_err("is pending");
    assert_eq!((error.kind(), house.store.counts().head_reads), (RunErrorKind::WaitTimeout, 1));
}
