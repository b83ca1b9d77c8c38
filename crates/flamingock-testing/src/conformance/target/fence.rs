use std::sync::Arc;

use flamingock_core::History;
use flamingock_core::lock::FencingToken;
use flamingock_core::target::{FenceRaised, MarkerState};
use futures_util::future::join_all;

use super::context::{Targets, begin, fence, fence_of, marker, markers, raise, state, update};
use super::{TargetCase, concurrent, transactional};
use crate::conformance::case::cases;

pub(super) fn cases() -> Vec<TargetCase> {
    cases![
        before_the_first_fence_there_is_no_marker if transactional,
        a_marker_look_before_the_first_fence_creates_nothing_that_is_in_the_way if transactional,
        a_fence_raised_again_by_the_same_run_is_raised if transactional,
        a_fence_is_raised_to_a_greater_token if transactional,
        an_older_fence_is_answered_by_the_newer_and_changes_nothing if transactional,
        another_runs_fence_with_the_same_token_is_answered_as_newer if transactional,
        the_same_run_with_an_older_token_is_answered_by_its_newer if transactional,
        a_large_token_is_kept if transactional,
        a_fence_per_history if transactional,
        raising_a_fence_keeps_the_markers if transactional,
        of_16_that_raise_fences_at_once_the_greatest_stands if concurrent,
        of_16_that_raise_the_same_fence_at_once_each_is_answered_raised if concurrent,
    ]
}

async fn before_the_first_fence_there_is_no_marker(targets: Arc<Targets>) {
    assert_eq!(marker(&*targets.open().await, "a").await, None);
}

async fn a_marker_look_before_the_first_fence_creates_nothing_that_is_in_the_way(targets: Arc<Targets>) {
    marker(&*targets.open().await, "a").await;
    let fence = fence(1, "run-1");
    targets.apply(&*targets.fenced(&fence).await, &fence, "a", 1).await;
}

async fn a_fence_raised_again_by_the_same_run_is_raised(targets: Arc<Targets>) {
    let fence = fence(3, "run-1");
    let target = targets.fenced(&fence).await;
    assert_eq!(raise(&*target, &fence).await, FenceRaised::Raised);
    assert_eq!(raise(&*targets.open().await, &fence).await, FenceRaised::Raised);
    targets.apply(&*target, &fence, "a", 1).await;
}

async fn a_fence_is_raised_to_a_greater_token(targets: Arc<Targets>) {
    for (token, execution) in [(1, "run-1"), (2, "run-2"), (40, "run-3"), (41, "run-3")] {
        let fence = fence(token, execution);
        let target = targets.fenced(&fence).await;
        begin(&*target, &fence, &update("a", 1)).await.rollback().await.expect("roll back");
    }
}

async fn an_older_fence_is_answered_by_the_newer_and_changes_nothing(targets: Arc<Targets>) {
    let new = fence(5, "run-2");
    let target = targets.fenced(&new).await;
    assert_eq!(raise(&*target, &fence(4, "run-1")).await, FenceRaised::Newer(FencingToken(5)));
    targets.apply(&*target, &new, "a", 1).await;
}

async fn another_runs_fence_with_the_same_token_is_answered_as_newer(targets: Arc<Targets>) {
    let ours = fence(5, "run-1");
    let target = targets.fenced(&ours).await;
    for execution in ["run-2", "RUN-1", "run-1 "] {
        assert_eq!(raise(&*target, &fence(5, execution)).await, FenceRaised::Newer(FencingToken(5)));
    }
    targets.apply(&*target, &ours, "a", 1).await;
}

async fn the_same_run_with_an_older_token_is_answered_by_its_newer(targets: Arc<Targets>) {
    let target = targets.fenced(&fence(5, "run-1")).await;
    assert_eq!(raise(&*target, &fence(4, "run-1")).await, FenceRaised::Newer(FencingToken(5)));
}

async fn a_large_token_is_kept(targets: Arc<Targets>) {
    let large = i64::MAX.unsigned_abs() - 1;
    let fence = fence(large, "run-1");
    let target = targets.fenced(&fence).await;
    targets.apply(&*target, &fence, "a", large).await;
    let marker = marker(&*target, "a").await.expect("a marker");
    assert_eq!((marker.token, marker.sequence), (FencingToken(large), large));
    assert_eq!(raise(&*target, &super::context::fence(7, "run-2")).await, FenceRaised::Newer(marker.token));
}

async fn a_fence_per_history(targets: Arc<Targets>) {
    targets.fenced(&fence(9, "run-1")).await;
    let others = [("orders", "t1"), ("ORDERS", ""), ("orders ", ""), ("", "orders"), ("billing", "")];
    for (service, tenant) in others {
        let fence = fence_of(&History::new(service).tenant(tenant), 1, "run-2");
        let target = targets.fenced(&fence).await;
        begin(&*target, &fence, &update("a", 1)).await.rollback().await.expect("roll back");
    }
    let ours = fence(9, "run-1");
    begin(&*targets.open().await, &ours, &update("a", 1)).await.rollback().await.expect("roll back");
}

async fn raising_a_fence_keeps_the_markers(targets: Arc<Targets>) {
    let old = fence(1, "run-1");
    targets.apply(&*targets.fenced(&old).await, &old, "a", 1).await;
    let target = targets.fenced(&fence(2, "run-2")).await;
    let marker = marker(&*target, "a").await.expect("a marker");
    assert_eq!((marker.state, marker.token), (MarkerState::Done, FencingToken(1)));
}

async fn of_16_that_raise_fences_at_once_the_greatest_stands(targets: Arc<Targets>) {
    let mut raising = Vec::new();
    for token in 1..=16 {
        let target = targets.open().await;
        raising.push(tokio::spawn(async move {
            markers(&*target).raise_fence(&fence(token, &format!("run-{token}"))).await
        }));
    }
    for (outcome, token) in join_all(raising).await.into_iter().zip(1..) {
        match outcome.expect("no panic").expect("raise the fence") {
            FenceRaised::Raised => {}
            FenceRaised::Newer(newer) => assert!(newer > FencingToken(token), "{newer} is not newer"),
        }
    }
    let greatest = fence(16, "run-16");
    let target = targets.open().await;
    begin(&*target, &greatest, &update("a", 1)).await.rollback().await.expect("roll back");
    assert_eq!(state(&*target, "a").await, None);
}

async fn of_16_that_raise_the_same_fence_at_once_each_is_answered_raised(targets: Arc<Targets>) {
    let mut raising = Vec::new();
    for _ in 0..16 {
        let target = targets.open().await;
        raising.push(tokio::spawn(async move { raise(&*target, &fence(1, "run-1")).await }));
    }
    for outcome in join_all(raising).await {
        assert_eq!(outcome.expect("raise the fence"), FenceRaised::Raised);
    }
}
