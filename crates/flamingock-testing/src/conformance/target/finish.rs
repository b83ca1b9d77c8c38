use std::sync::Arc;

use flamingock_core::target::{MarkerState, Mode};

use super::context::{Targets, begin, fence, marker, open, state, undo, update};
use super::{TargetCase, transactional};
use crate::conformance::case::cases;
use crate::conformance::target_fixture::{End, TargetCapabilities};

pub(super) fn cases() -> Vec<TargetCase> {
    cases![
        finish_turns_begun_into_done if transactional,
        finish_turns_undoing_into_undone if transactional,
        finish_without_a_marker_begun_fails if transactional,
        finish_of_another_change_than_was_begun_fails if transactional,
        finish_of_undo_where_apply_was_begun_fails if transactional,
        finish_fails_when_the_change_rolled_back_its_own_transaction if |c| ends(c, End::Rollback),
        what_a_change_committed_from_inside_is_visible_as_begun if |c| ends(c, End::Commit),
        an_undo_that_committed_from_inside_is_visible_as_undoing if |c| ends(c, End::Commit),
        rollback_after_a_commit_from_inside_leaves_begun if |c| ends(c, End::Commit),
        finish_after_a_commit_from_inside_and_the_marker_agree if |c| ends(c, End::Commit),
        finish_after_a_commit_from_inside_fails_when_another_run_has_the_marker_now
            if |c| ends(c, End::Commit),
        begun_that_stands_is_overwritten_by_the_next_run if |c| ends(c, End::Commit),
    ]
}

fn ends(capabilities: &TargetCapabilities, end: End) -> bool {
    transactional(capabilities) && capabilities.can_end(end)
}

async fn finish_turns_begun_into_done(targets: Arc<Targets>) {
    let fence = fence(1, "run-1");
    let target = targets.fenced(&fence).await;
    targets.apply(&*target, &fence, "a", 1).await;
    assert_eq!(state(&*target, "a").await, Some(MarkerState::Done));
}

async fn finish_turns_undoing_into_undone(targets: Arc<Targets>) {
    let fence = fence(1, "run-1");
    let target = targets.fenced(&fence).await;
    targets.apply(&*target, &fence, "a", 1).await;
    let mut session = begin(&*target, &fence, &undo("a", 2)).await;
    session.finish_marker(&undo("a", 2)).await.expect("finish the marker");
    session.commit().await.expect("commit");
    assert_eq!(state(&*target, "a").await, Some(MarkerState::Undone));
}

async fn finish_without_a_marker_begun_fails(targets: Arc<Targets>) {
    let target = targets.fenced(&fence(1, "run-1")).await;
    let mut session = open(&*target).await;
    session.finish_marker(&update("a", 1)).await.expect_err("nothing was begun");
    session.rollback().await.expect("roll back");
    assert_eq!(marker(&*target, "a").await, None);
}

async fn finish_of_another_change_than_was_begun_fails(targets: Arc<Targets>) {
    let fence = fence(1, "run-1");
    let target = targets.fenced(&fence).await;
    let mut session = begin(&*target, &fence, &update("a", 1)).await;
    session.finish_marker(&update("b", 1)).await.expect_err("it was not begun");
    session.rollback().await.expect("roll back");
    assert_eq!(marker(&*target, "b").await, None);
}

async fn finish_of_undo_where_apply_was_begun_fails(targets: Arc<Targets>) {
    let fence = fence(1, "run-1");
    let target = targets.fenced(&fence).await;
    let mut session = begin(&*target, &fence, &update("a", 1)).await;
    session.finish_marker(&undo("a", 1)).await.expect_err("undo was not begun");
    session.rollback().await.expect("roll back");
    assert_eq!(marker(&*target, "a").await, None);
}

async fn finish_fails_when_the_change_rolled_back_its_own_transaction(targets: Arc<Targets>) {
    let fence = fence(1, "run-1");
    let target = targets.fenced(&fence).await;
    let mut session = targets.half_way(&*target, &fence, "a", 1).await;
    targets.end(&mut *session, End::Rollback).await;
    session.finish_marker(&update("a", 1)).await.expect_err("the marker is gone");
    // A rollback of what is gone may fail; the marker decides.
    let _ = session.rollback().await;
    targets.assert_nothing_of("a").await;
    targets.apply(&*target, &fence, "a", 2).await;
}

async fn what_a_change_committed_from_inside_is_visible_as_begun(targets: Arc<Targets>) {
    let fence = fence(1, "run-1");
    let target = targets.fenced(&fence).await;
    let mut session = targets.half_way(&*target, &fence, "a", 1).await;
    targets.end(&mut *session, End::Commit).await;
    assert!(targets.has("a").await);
    let marker = marker(&*targets.open().await, "a").await.expect("a marker");
    let found = (marker.state, marker.execution.as_str(), marker.sequence);
    assert_eq!(found, (MarkerState::Begun, "run-1", 1));
    assert_eq!(marker.session.is_some(), targets.capabilities.names_sessions);
    let _ = session.rollback().await;
}

async fn an_undo_that_committed_from_inside_is_visible_as_undoing(targets: Arc<Targets>) {
    let fence = fence(1, "run-1");
    let target = targets.fenced(&fence).await;
    targets.apply(&*target, &fence, "a", 1).await;
    let mut session = begin(&*target, &fence, &undo("a", 2)).await;
    targets.end(&mut *session, End::Commit).await;
    let _ = session.rollback().await;
    let marker = marker(&*target, "a").await.expect("a marker");
    assert_eq!((marker.state, marker.sequence), (MarkerState::Undoing, 2));
}

async fn rollback_after_a_commit_from_inside_leaves_begun(targets: Arc<Targets>) {
    let fence = fence(1, "run-1");
    let target = targets.fenced(&fence).await;
    let mut session = targets.half_way(&*target, &fence, "a", 1).await;
    targets.end(&mut *session, End::Commit).await;
    // Whether it says so or not: what was committed stays.
    let _ = session.rollback().await;
    assert_eq!(state(&*target, "a").await, Some(MarkerState::Begun));
    assert!(targets.has("a").await);
}

async fn finish_after_a_commit_from_inside_and_the_marker_agree(targets: Arc<Targets>) {
    let fence = fence(1, "run-1");
    let target = targets.fenced(&fence).await;
    let mut session = targets.half_way(&*target, &fence, "a", 1).await;
    targets.end(&mut *session, End::Commit).await;
    targets.put(&*target, &mut *session, Mode::Transactional, "b").await;
    let finished = session.finish_marker(&update("a", 1)).await.is_ok();
    let committed = if finished { session.commit().await } else { session.rollback().await };
    let state = state(&*target, "a").await.expect("a marker");
    match (finished, committed) {
        (true, Ok(())) => assert_eq!(state, MarkerState::Done),
        // Unknown: the marker decides, and must not say what is not so.
        (true, Err(_)) => assert!([MarkerState::Begun, MarkerState::Done].contains(&state), "{state}"),
        (false, _) => assert_eq!(state, MarkerState::Begun),
    }
    assert!(targets.has("b").await || state == MarkerState::Begun, "done, and half of it is missing");
}

async fn finish_after_a_commit_from_inside_fails_when_another_run_has_the_marker_now(targets: Arc<Targets>) {
    let (old, new) = (fence(1, "run-1"), fence(2, "run-2"));
    let target = targets.fenced(&old).await;
    let mut session = targets.half_way(&*target, &old, "a", 1).await;
    targets.end(&mut *session, End::Commit).await;

    let other = targets.fenced(&new).await;
    super::context::mark(&*other, &new, &update("a", 2)).await;
    let stands = marker(&*other, "a").await.expect("a marker");
    session.finish_marker(&update("a", 1)).await.expect_err("the marker is another run's");
    let _ = session.rollback().await;
    assert_eq!(marker(&*other, "a").await, Some(stands));
}

async fn begun_that_stands_is_overwritten_by_the_next_run(targets: Arc<Targets>) {
    let (old, new) = (fence(1, "run-1"), fence(2, "run-2"));
    let target = targets.fenced(&old).await;
    let mut session = begin(&*target, &old, &update("a", 1)).await;
    targets.end(&mut *session, End::Commit).await;
    let _ = session.rollback().await;

    let target = targets.fenced(&new).await;
    assert_eq!(state(&*target, "a").await, Some(MarkerState::Begun));
    targets.apply(&*target, &new, "a", 3).await;
    let marker = marker(&*target, "a").await.expect("a marker");
    assert_eq!((marker.state, marker.execution.as_str()), (MarkerState::Done, "run-2"));
}
