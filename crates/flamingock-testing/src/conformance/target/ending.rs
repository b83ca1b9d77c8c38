use std::sync::Arc;

use flamingock_core::target::{MarkerState, Mode};

use super::context::{Targets, fence, marker, markers, raise, update};
use super::{TargetCase, concurrent};
use crate::conformance::case::cases;
use crate::conformance::target_fixture::{End, TargetCapabilities};

pub(super) fn cases() -> Vec<TargetCase> {
    cases![
        ending_a_session_that_is_gone_is_no_error if names_sessions,
        a_session_ended_from_outside_takes_no_effect_any_more if |c| names_sessions(c) && c.can_end(End::Commit),
        ending_a_session_leaves_what_it_committed_from_inside if |c| names_sessions(c) && c.can_end(End::Commit),
    ]
}

fn names_sessions(capabilities: &TargetCapabilities) -> bool {
    concurrent(capabilities) && capabilities.names_sessions
}

async fn ending_a_session_that_is_gone_is_no_error(targets: Arc<Targets>) {
    let old = fence(1, "run-1");
    // The process that had it is gone, and with it its connections.
    targets.apply(&*targets.fenced(&old).await, &old, "a", 1).await;
    let new = fence(2, "run-2");
    let target = targets.fenced(&new).await;
    let session = marker(&*target, "a").await.expect("a marker").session.expect("a session");
    markers(&*target).end_session(&session).await.expect("end the session");
    targets.apply(&*target, &new, "b", 2).await;
}

async fn a_session_ended_from_outside_takes_no_effect_any_more(targets: Arc<Targets>) {
    let old = fence(1, "run-1");
    let target = targets.fenced(&old).await;
    let mut session = targets.half_way(&*target, &old, "a", 1).await;
    targets.end(&mut *session, End::Commit).await;

    let other = targets.fenced(&fence(2, "run-2")).await;
    let name = marker(&*other, "a").await.expect("a marker").session.expect("a session");
    markers(&*other).end_session(&name).await.expect("end the session");

    // What its process, frozen until now, still sends.
    let _ = targets.place.put(&*target, &mut *session, Mode::Transactional, "b").await;
    let finished = session.finish_marker(&update("a", 1)).await;
    let committed = session.commit().await;
    assert!(finished.is_err() || committed.is_err(), "it did not notice that it was ended");
    assert!(!targets.has("b").await, "it took effect after it was ended");
    let marker = marker(&*other, "a").await.expect("a marker");
    assert_eq!(marker.state, MarkerState::Begun);
}

async fn ending_a_session_leaves_what_it_committed_from_inside(targets: Arc<Targets>) {
    let target = targets.fenced(&fence(1, "run-1")).await;
    let mut session = targets.half_way(&*target, &fence(1, "run-1"), "a", 1).await;
    targets.end(&mut *session, End::Commit).await;
    targets.put(&*target, &mut *session, Mode::Transactional, "b").await;

    let other = targets.open().await;
    raise(&*other, &fence(2, "run-2")).await;
    let name = marker(&*other, "a").await.expect("a marker").session.expect("a session");
    markers(&*other).end_session(&name).await.expect("end the session");
    assert!(targets.has("a").await);
    // The next run takes the change from here.
    targets.apply(&*other, &fence(2, "run-2"), "c", 3).await;
    drop(session);
}
