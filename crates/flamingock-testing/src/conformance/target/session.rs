use std::sync::Arc;

use flamingock_core::target::{MarkerState, Mode};

use super::TargetCase;
use super::context::{Targets, begin, fence, state, update};
use crate::conformance::case::cases;

pub(super) fn cases() -> Vec<TargetCase> {
    cases![what_a_transaction_does_is_visible_at_commit if |c| c.supports(Mode::Transactional)]
}

async fn what_a_transaction_does_is_visible_at_commit(targets: Arc<Targets>) {
    let fence = fence(1, "run-1");
    let target = targets.fenced(&fence).await;
    let mut session = begin(&*target, &fence, &update("a", 1)).await;
    targets.put(&*target, &mut *session, Mode::Transactional, "a").await;
    session.finish_marker(&update("a", 1)).await.expect("finish the marker");
    assert!(!targets.has("a").await, "visible before the commit");
    session.commit().await.expect("commit");
    assert!(targets.has("a").await, "not visible after the commit");
    assert_eq!(state(&*target, "a").await, Some(MarkerState::Done));
}
