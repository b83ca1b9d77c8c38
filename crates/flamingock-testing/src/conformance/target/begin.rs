use std::sync::Arc;

use flamingock_core::History;
use flamingock_core::lock::FencingToken;
use flamingock_core::target::{Begun, FenceRaised, Marker, MarkerState, MarkerUpdate, Mode, TargetSystem};

use super::context::{
    Targets, begin, begun, fence, fence_of, mark, marker, markers, raise, state, undo, update,
};
use super::{TargetCase, transactional};
use crate::conformance::case::cases;

pub(super) fn cases() -> Vec<TargetCase> {
    cases![
        a_marker_says_who_wrote_it_and_what_it_answers if transactional,
        a_marker_of_a_session_names_it if |c| transactional(c) && c.names_sessions,
        a_transaction_under_an_older_fence_is_fenced_and_writes_nothing if transactional,
        a_transaction_under_a_newer_fence_than_was_raised_is_fenced if transactional,
        a_transaction_under_another_runs_fence_with_the_same_token_is_fenced if transactional,
        a_transaction_without_a_fence_is_fenced if transactional,
        begun_is_refused_when_done_stands if transactional,
        begun_overwrites_a_done_that_is_outranked if transactional,
        begun_is_refused_when_done_is_newer_than_what_outranks if transactional,
        begun_overwrites_undone if transactional,
        undoing_overwrites_done if transactional,
        undoing_overwrites_an_outranked_or_newer_marker if transactional,
        a_marker_per_change if transactional,
        a_marker_per_history if transactional,
        ids_that_differ_in_case_or_trailing_space_have_markers_of_their_own if transactional,
        awkward_ids_have_markers_like_others if transactional,
    ]
}

async fn a_marker_says_who_wrote_it_and_what_it_answers(targets: Arc<Targets>) {
    let fence = fence(7, "run-1");
    let target = targets.fenced(&fence).await;
    assert_eq!(marker(&*target, "a").await, None);
    targets.apply(&*target, &fence, "a", 41).await;
    let found = marker(&*targets.open().await, "a").await.expect("a marker");
    let expected = Marker {
        state: MarkerState::Done,
        execution: "run-1".to_owned(),
        token: FencingToken(7),
        sequence: 41,
        session: found.session.clone(),
    };
    assert_eq!(found, expected);
}

async fn a_marker_of_a_session_names_it(targets: Arc<Targets>) {
    let fence = fence(1, "run-1");
    let target = targets.fenced(&fence).await;
    targets.apply(&*target, &fence, "a", 1).await;
    let marker = marker(&*target, "a").await.expect("a marker");
    assert!(marker.session.is_some_and(|session| !session.is_empty()));
}

async fn a_transaction_under_an_older_fence_is_fenced_and_writes_nothing(targets: Arc<Targets>) {
    let (old, new) = (fence(1, "run-1"), fence(2, "run-2"));
    let target = targets.fenced(&old).await;
    targets.fenced(&new).await;
    assert_eq!(begun(&*target, &old, &update("a", 1)).await, Begun::Fenced(FencingToken(2)));
    assert_eq!(begun(&*target, &old, &undo("a", 1)).await, Begun::Fenced(FencingToken(2)));
    assert_eq!(marker(&*target, "a").await, None);

    // Also where done stands: the newer run may be undoing it.
    targets.apply(&*target, &new, "a", 2).await;
    assert_eq!(begun(&*target, &old, &update("a", 1)).await, Begun::Fenced(FencingToken(2)));
}

async fn a_transaction_under_a_newer_fence_than_was_raised_is_fenced(targets: Arc<Targets>) {
    let target = targets.fenced(&fence(1, "run-1")).await;
    assert_eq!(begun(&*target, &fence(2, "run-1"), &update("a", 1)).await, Begun::Fenced(FencingToken(1)));
}

async fn a_transaction_under_another_runs_fence_with_the_same_token_is_fenced(targets: Arc<Targets>) {
    let target = targets.fenced(&fence(1, "run-1")).await;
    assert_eq!(begun(&*target, &fence(1, "run-2"), &update("a", 1)).await, Begun::Fenced(FencingToken(1)));
}

async fn a_transaction_without_a_fence_is_fenced(targets: Arc<Targets>) {
    // Another history's fence is none of ours.
    let target = targets.fenced(&fence_of(&History::new("billing"), 1, "run-1")).await;
    let begun = begun(&*target, &fence(1, "run-1"), &update("a", 1)).await;
    assert!(matches!(begun, Begun::Fenced(_)), "{begun:?}");
    assert_eq!(marker(&*target, "a").await, None);
}

async fn begun_is_refused_when_done_stands(targets: Arc<Targets>) {
    let first = fence(1, "run-1");
    let target = targets.fenced(&first).await;
    targets.apply(&*target, &first, "a", 5).await;
    let stands = marker(&*target, "a").await.expect("a marker");

    let second = fence(2, "run-2");
    let target = targets.fenced(&second).await;
    assert_eq!(begun(&*target, &second, &update("a", 9)).await, Begun::Stands(stands.clone()));
    assert_eq!(marker(&*target, "a").await, Some(stands));
}

async fn begun_overwrites_a_done_that_is_outranked(targets: Arc<Targets>) {
    let fence = fence(1, "run-1");
    let target = targets.fenced(&fence).await;
    targets.apply(&*target, &fence, "a", 5).await;
    // Not newer than the ruling: also when it has the very same sequence.
    for (outranks, sequence) in [(5, 7), (8, 9)] {
        let ruled = MarkerUpdate { outranks, ..update("a", sequence) };
        mark(&*target, &fence, &ruled).await;
        let marker = marker(&*target, "a").await.expect("a marker");
        assert_eq!((marker.state, marker.sequence), (MarkerState::Done, sequence));
    }
}

async fn begun_is_refused_when_done_is_newer_than_what_outranks(targets: Arc<Targets>) {
    let fence = fence(1, "run-1");
    let target = targets.fenced(&fence).await;
    targets.apply(&*target, &fence, "a", 5).await;
    let begun = begun(&*target, &fence, &MarkerUpdate { outranks: 4, ..update("a", 7) }).await;
    assert!(matches!(begun, Begun::Stands(_)), "{begun:?}");
}

/// Undoes a change, as a run does.
async fn undo_it(target: &dyn TargetSystem, sequence: u64) {
    mark(target, &fence(1, "run-1"), &undo("a", sequence)).await;
}

async fn begun_overwrites_undone(targets: Arc<Targets>) {
    let fence = fence(1, "run-1");
    let target = targets.fenced(&fence).await;
    targets.apply(&*target, &fence, "a", 1).await;
    undo_it(&*target, 3).await;
    assert_eq!(state(&*target, "a").await, Some(MarkerState::Undone));
    mark(&*target, &fence, &update("a", 5)).await;
    let marker = marker(&*target, "a").await.expect("a marker");
    assert_eq!((marker.state, marker.sequence), (MarkerState::Done, 5));
}

async fn undoing_overwrites_done(targets: Arc<Targets>) {
    let fence = fence(1, "run-1");
    let target = targets.fenced(&fence).await;
    targets.apply(&*target, &fence, "a", 1).await;
    begin(&*target, &fence, &undo("a", 3)).await.rollback().await.expect("roll back");
    assert_eq!(state(&*target, "a").await, Some(MarkerState::Done), "the undo was rolled back");
    undo_it(&*target, 5).await;
    let marker = marker(&*target, "a").await.expect("the row stays");
    assert_eq!((marker.state, marker.sequence), (MarkerState::Undone, 5));
}

async fn undoing_overwrites_an_outranked_or_newer_marker(targets: Arc<Targets>) {
    let fence = fence(1, "run-1");
    let target = targets.fenced(&fence).await;
    // Nothing stands; then undone stands; then a done of a later sequence.
    undo_it(&*target, 1).await;
    undo_it(&*target, 2).await;
    targets.apply(&*target, &fence, "a", 9).await;
    undo_it(&*target, 5).await;
    let marker = marker(&*target, "a").await.expect("a marker");
    assert_eq!((marker.state, marker.sequence), (MarkerState::Undone, 5));
}

async fn a_marker_per_change(targets: Arc<Targets>) {
    let fence = fence(1, "run-1");
    let target = targets.fenced(&fence).await;
    targets.apply(&*target, &fence, "a", 1).await;
    targets.apply(&*target, &fence, "b", 2).await;
    let sequence = async |change| marker(&*target, change).await.map(|marker| marker.sequence);
    assert_eq!((sequence("a").await, sequence("b").await, sequence("c").await), (Some(1), Some(2), None));
}

async fn a_marker_per_history(targets: Arc<Targets>) {
    let histories = ["", "t1", "T1", "t1 "].map(|tenant| History::new("orders").tenant(tenant));
    for (history, sequence) in histories.iter().zip(1..) {
        let fence = fence_of(history, sequence, "run-1");
        let target = targets.fenced(&fence).await;
        assert_eq!(markers(&*target).marker(history, "a").await.expect("look at the marker"), None);
        targets.apply(&*target, &fence, "a", sequence).await;
    }
    let target = targets.open().await;
    for (history, sequence) in histories.iter().zip(1..) {
        let marker = markers(&*target).marker(history, "a").await.expect("look at the marker");
        assert_eq!(marker.map(|marker| marker.sequence), Some(sequence), "{history:?}");
        // Each fence is still what it was.
        assert_eq!(raise(&*target, &fence_of(history, sequence, "run-1")).await, FenceRaised::Raised);
    }
}

async fn ids_that_differ_in_case_or_trailing_space_have_markers_of_their_own(targets: Arc<Targets>) {
    let ids = ["add", "Add", "add ", " add", "ädd", "a\u{308}dd"];
    let fence = fence(1, "run-1");
    let target = targets.fenced(&fence).await;
    for (id, sequence) in ids.into_iter().zip(1..) {
        mark(&*target, &fence, &update(id, sequence)).await;
    }
    for (id, sequence) in ids.into_iter().zip(1..) {
        let marker = marker(&*target, id).await.map(|marker| marker.sequence);
        assert_eq!(marker, Some(sequence), "`{id}`");
    }
}

async fn awkward_ids_have_markers_like_others(targets: Arc<Targets>) {
    for text in ["it's \"quoted\" \\ twice\\", "🦩 $1 ? :name %s {}", "'; DROP TABLE x; --"] {
        let fence = fence_of(&History::new(text).tenant(text), 1, text);
        let target = targets.fenced(&fence).await;
        let mut session = begin(&*target, &fence, &update(text, 1)).await;
        targets.put(&*target, &mut *session, Mode::Transactional, "a").await;
        session.finish_marker(&update(text, 1)).await.expect("finish the marker");
        session.rollback().await.expect("roll back");
        mark(&*target, &fence, &update(text, 2)).await;
        let marker = markers(&*target).marker(&fence.history, text).await.expect("look at the marker");
        let marker = marker.expect("a marker");
        assert_eq!((marker.execution.as_str(), marker.sequence), (text, 2));
    }
}
