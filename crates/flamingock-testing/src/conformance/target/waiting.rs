use std::sync::Arc;
use std::time::{Duration, Instant};

use flamingock_core::lock::FencingToken;
use flamingock_core::target::{Begun, FenceRaised, MarkerState, Mode, Session, TargetSystem};
use flamingock_core::{BackendError, BackendErrorKind};
use futures_util::future::join_all;

use super::context::{Targets, WATCHED, begun, fence, marker, markers, open, raise, state, update, waiting};
use super::{TargetCase, concurrent};
use crate::conformance::case::cases;

pub(super) fn cases() -> Vec<TargetCase> {
    cases![
        a_marker_look_waits_for_an_open_transaction_and_sees_its_commit if concurrent,
        a_marker_look_waits_for_an_open_transaction_and_sees_its_rollback if concurrent,
        a_marker_look_waits_for_an_open_transaction_of_another_change if concurrent,
        a_marker_look_that_is_given_up_is_in_nobodys_way if concurrent,
        raising_a_fence_waits_for_a_transaction_open_under_an_older_one if concurrent,
        raising_a_fence_goes_on_when_the_older_transaction_is_dropped if concurrent,
        a_run_whose_fence_was_raised_while_it_waited_is_fenced if concurrent,
        a_second_marker_waits_and_finds_the_first_done if concurrent,
        a_second_marker_waits_and_goes_on_when_the_first_is_rolled_back if concurrent,
        a_marker_look_that_waited_too_long_fails_and_concludes_nothing if concurrent,
        raising_a_fence_that_waited_too_long_fails_and_changes_nothing if concurrent,
        a_transaction_that_waited_too_long_fails_and_writes_nothing if concurrent,
        an_error_of_a_wait_names_what_is_in_the_way if |c| concurrent(c) && c.names_blocker,
        of_16_that_apply_a_change_at_once_under_one_fence_one_does if concurrent,
        of_8_runs_that_start_together_one_applies_the_change if concurrent,
    ]
}

/// Finishes the marker of `a` and commits.
async fn finish(mut session: Box<dyn Session>) {
    session.finish_marker(&update("a", 1)).await.expect("finish the marker");
    session.commit().await.expect("commit");
}

async fn a_marker_look_waits_for_an_open_transaction_and_sees_its_commit(targets: Arc<Targets>) {
    let fence = fence(1, "run-1");
    let target = targets.fenced(&fence).await;
    let session = targets.half_way(&*target, &fence, "a", 1).await;
    let other = targets.open().await;
    let look = waiting(async move { state(&*other, "a").await }).await;
    finish(session).await;
    assert_eq!(look.await.expect("the look"), Some(MarkerState::Done));
}

async fn a_marker_look_waits_for_an_open_transaction_and_sees_its_rollback(targets: Arc<Targets>) {
    let fence = fence(1, "run-1");
    let target = targets.fenced(&fence).await;
    let session = targets.half_way(&*target, &fence, "a", 1).await;
    let other = targets.open().await;
    let look = waiting(async move { state(&*other, "a").await }).await;
    session.rollback().await.expect("roll back");
    assert_eq!(look.await.expect("the look"), None);
}

async fn a_marker_look_waits_for_an_open_transaction_of_another_change(targets: Arc<Targets>) {
    let fence = fence(1, "run-1");
    let target = targets.fenced(&fence).await;
    let session = targets.half_way(&*target, &fence, "a", 1).await;
    let other = targets.open().await;
    // It locks the fence, and the fence is the history's.
    let look = waiting(async move { state(&*other, "b").await }).await;
    finish(session).await;
    assert_eq!(look.await.expect("the look"), None);
}

async fn a_marker_look_that_is_given_up_is_in_nobodys_way(targets: Arc<Targets>) {
    let fence = fence(1, "run-1");
    let target = targets.fenced(&fence).await;
    let session = targets.half_way(&*target, &fence, "a", 1).await;
    let other = targets.open().await;
    assert!(tokio::time::timeout(WATCHED, marker(&*other, "a")).await.is_err(), "it did not wait");
    finish(session).await;
    assert_eq!(state(&*other, "a").await, Some(MarkerState::Done));
    targets.apply(&*target, &fence, "b", 2).await;
}

async fn raising_a_fence_waits_for_a_transaction_open_under_an_older_one(targets: Arc<Targets>) {
    let old = fence(1, "run-1");
    let target = targets.fenced(&old).await;
    let session = targets.half_way(&*target, &old, "a", 1).await;
    let other = targets.open().await;
    let raising = waiting(async move {
        let raised = raise(&*other, &fence(2, "run-2")).await;
        (raised, state(&*other, "a").await)
    })
    .await;
    finish(session).await;
    let seen = raising.await.expect("raise the fence");
    assert_eq!(seen, (FenceRaised::Raised, Some(MarkerState::Done)));
    assert!(targets.has("a").await);
    assert_eq!(begun(&*target, &old, &update("b", 2)).await, Begun::Fenced(FencingToken(2)));
}

async fn raising_a_fence_goes_on_when_the_older_transaction_is_dropped(targets: Arc<Targets>) {
    let old = fence(1, "run-1");
    let target = targets.fenced(&old).await;
    let session = targets.half_way(&*target, &old, "a", 1).await;
    let other = targets.open().await;
    let raising = waiting(async move { raise(&*other, &fence(2, "run-2")).await }).await;
    drop(session);
    assert_eq!(raising.await.expect("raise the fence"), FenceRaised::Raised);
    targets.assert_nothing_of("a").await;
}

async fn a_run_whose_fence_was_raised_while_it_waited_is_fenced(targets: Arc<Targets>) {
    let old = fence(1, "run-1");
    let target = targets.fenced(&old).await;
    let session = targets.half_way(&*target, &old, "a", 1).await;
    let other = targets.open().await;
    let raising = waiting(async move { raise(&*other, &fence(2, "run-2")).await }).await;
    let stale = targets.open().await;
    let begin = waiting(async move { begun(&*stale, &fence(1, "run-1"), &update("b", 2)).await }).await;
    finish(session).await;
    assert_eq!(raising.await.expect("raise the fence"), FenceRaised::Raised);
    // Which of the two was served first is the target's business; a third begin is fenced for certain.
    let first = begin.await.expect("begin the marker");
    assert!(matches!(first, Begun::Fenced(FencingToken(2)) | Begun::Written), "{first:?}");
    assert_eq!(begun(&*target, &old, &update("b", 3)).await, Begun::Fenced(FencingToken(2)));
}

async fn a_second_marker_waits_and_finds_the_first_done(targets: Arc<Targets>) {
    let ours = fence(1, "run-1");
    let target = targets.fenced(&ours).await;
    let session = targets.half_way(&*target, &ours, "a", 1).await;
    let other = targets.open().await;
    let second = waiting(async move { begun(&*other, &fence(1, "run-1"), &update("a", 2)).await }).await;
    finish(session).await;
    match second.await.expect("begin the marker") {
        Begun::Stands(marker) => assert_eq!((marker.state, marker.sequence), (MarkerState::Done, 1)),
        begun => panic!("the change is applied already, and it answered {begun:?}"),
    }
}

async fn a_second_marker_waits_and_goes_on_when_the_first_is_rolled_back(targets: Arc<Targets>) {
    let ours = fence(1, "run-1");
    let target = targets.fenced(&ours).await;
    let session = targets.half_way(&*target, &ours, "a", 1).await;
    let other = targets.open().await;
    let second = waiting(async move { begun(&*other, &fence(1, "run-1"), &update("a", 2)).await }).await;
    session.rollback().await.expect("roll back");
    assert_eq!(second.await.expect("begin the marker"), Begun::Written);
}

impl Targets {
    /// That `error` came when the lock timeout was over, and not much later.
    fn assert_in_time(&self, since: Instant, error: &BackendError) {
        let (waited, timeout) = (since.elapsed(), self.capabilities.lock_timeout);
        assert!(waited >= timeout / 2, "it gave up after {waited:?}, not {timeout:?}: {error}");
        assert!(waited <= timeout * 2 + Duration::from_secs(3), "it waited {waited:?}, not {timeout:?}");
        let temporary = matches!(error.kind(), BackendErrorKind::Unavailable | BackendErrorKind::Busy);
        assert!(temporary, "{:?}: {error}", error.kind());
    }
}

async fn a_marker_look_that_waited_too_long_fails_and_concludes_nothing(targets: Arc<Targets>) {
    let fence = fence(1, "run-1");
    let target = targets.fenced(&fence).await;
    let session = targets.half_way(&*target, &fence, "a", 1).await;
    let other = targets.open().await;
    let since = Instant::now();
    let error = markers(&*other).marker(&fence.history, "a").await.expect_err("a look that did not wait");
    targets.assert_in_time(since, &error);
    finish(session).await;
    assert_eq!(state(&*other, "a").await, Some(MarkerState::Done));
}

async fn raising_a_fence_that_waited_too_long_fails_and_changes_nothing(targets: Arc<Targets>) {
    let old = fence(1, "run-1");
    let target = targets.fenced(&old).await;
    let session = targets.half_way(&*target, &old, "a", 1).await;
    let other = targets.open().await;
    let since = Instant::now();
    let raised = markers(&*other).raise_fence(&fence(2, "run-2")).await;
    targets.assert_in_time(since, &raised.expect_err("a fence raised over an open transaction"));
    finish(session).await;
    targets.apply(&*target, &old, "b", 2).await;
}

/// What came of beginning `a` beside an open transaction: a target with one writer fails at `open`.
async fn begin_beside(target: &dyn TargetSystem) -> Result<Begun, BackendError> {
    let mut session = target.open(Mode::Transactional).await?;
    let begun = session.begin_marker(&fence(1, "run-1"), &update("a", 2)).await;
    let _ = session.rollback().await;
    begun
}

async fn a_transaction_that_waited_too_long_fails_and_writes_nothing(targets: Arc<Targets>) {
    let fence = fence(1, "run-1");
    let target = targets.fenced(&fence).await;
    let session = targets.half_way(&*target, &fence, "a", 1).await;
    let other = targets.open().await;
    let since = Instant::now();
    let error = begin_beside(&*other).await.expect_err("a marker begun beside an open transaction");
    targets.assert_in_time(since, &error);
    finish(session).await;
    let marker = marker(&*other, "a").await.expect("a marker");
    assert_eq!((marker.state, marker.sequence), (MarkerState::Done, 1));
}

async fn an_error_of_a_wait_names_what_is_in_the_way(targets: Arc<Targets>) {
    let fence = fence(1, "run-blocking");
    let target = targets.fenced(&fence).await;
    let mut session = targets.half_way(&*target, &fence, "blocking-change", 1).await;
    let error = markers(&*targets.open().await).marker(&fence.history, "a").await.expect_err("a look");
    session.finish_marker(&update("blocking-change", 1)).await.expect("finish the marker");
    session.commit().await.expect("commit");
    let marker = marker(&*target, "blocking-change").await.expect("a marker");
    let names = [Some("run-blocking".to_owned()), Some("blocking-change".to_owned()), marker.session];
    let text = error.to_string();
    assert!(names.iter().flatten().any(|name| text.contains(name)), "{text} names none of {names:?}");
}

async fn of_16_that_apply_a_change_at_once_under_one_fence_one_does(targets: Arc<Targets>) {
    targets.fenced(&fence(1, "run-1")).await;
    let mut applying = Vec::new();
    for sequence in 1..=16 {
        let (targets, target) = (Arc::clone(&targets), targets.open().await);
        applying.push(tokio::spawn(async move {
            let update = update("a", sequence);
            let mut session = open(&*target).await;
            let begun = session.begin_marker(&fence(1, "run-1"), &update).await.expect("begin the marker");
            if begun != Begun::Written {
                session.rollback().await.expect("roll back");
                return begun;
            }
            targets.put(&*target, &mut *session, Mode::Transactional, "a").await;
            session.finish_marker(&update).await.expect("finish the marker");
            session.commit().await.expect("commit");
            begun
        }));
    }
    let begun: Vec<_> = join_all(applying).await.into_iter().map(|begun| begun.expect("a run")).collect();
    assert_eq!(begun.iter().filter(|begun| **begun == Begun::Written).count(), 1, "{begun:?}");
    assert_eq!(begun.iter().filter(|begun| matches!(begun, Begun::Stands(_))).count(), 15, "{begun:?}");
    assert!(targets.has("a").await);
}

/// What a run does with one change, down to its last look; whether it applied it.
async fn run(targets: &Targets, target: &dyn TargetSystem, token: u64) -> bool {
    let fence = fence(token, &format!("run-{token}"));
    if raise(target, &fence).await != FenceRaised::Raised || marker(target, "a").await.is_some() {
        return false;
    }
    let mut session = open(target).await;
    let update = update("a", token);
    if session.begin_marker(&fence, &update).await.expect("begin the marker") != Begun::Written {
        session.rollback().await.expect("roll back");
        return false;
    }
    targets.put(target, &mut *session, Mode::Transactional, "a").await;
    session.finish_marker(&update).await.expect("finish the marker");
    session.commit().await.expect("commit");
    true
}

async fn of_8_runs_that_start_together_one_applies_the_change(targets: Arc<Targets>) {
    let mut running = Vec::new();
    for token in 1..=8 {
        let (targets, target) = (Arc::clone(&targets), targets.open().await);
        running.push(tokio::spawn(async move { run(&targets, &*target, token).await }));
    }
    let applied = join_all(running).await.into_iter().filter(|run| *run.as_ref().expect("a run")).count();
    assert_eq!(applied, 1, "the change was applied {applied} times");
    assert_eq!(state(&*targets.open().await, "a").await, Some(MarkerState::Done));
    assert!(targets.has("a").await);
}
