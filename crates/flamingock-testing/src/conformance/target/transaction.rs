use std::sync::Arc;
use std::time::Duration;

use flamingock_core::target::{MarkerState, Mode};
use futures_util::FutureExt;

use super::context::{Targets, WATCHED, begin, fence, marker, open, state, update};
use super::{TargetCase, concurrent, transactional};
use crate::conformance::case::cases;
use crate::conformance::support::pause;

pub(super) fn cases() -> Vec<TargetCase> {
    cases![
        what_a_transaction_does_is_visible_at_commit if transactional,
        what_a_transaction_did_is_gone_after_rollback if transactional,
        what_a_transaction_did_is_gone_after_abort if transactional,
        nothing_takes_effect_after_an_abort_of_a_method_dropped_half_way if transactional,
        nothing_takes_effect_after_an_abort_of_a_begin_dropped_half_way if concurrent,
        a_session_that_is_dropped_is_rolled_back_sooner_or_later if transactional,
        a_session_dropped_before_anything_was_done_blocks_nobody if transactional,
        the_connection_of_an_aborted_session_is_clean_when_it_is_used_again if transactional,
        a_change_rolled_back_can_be_applied_by_the_same_run if transactional,
        a_transaction_sees_what_it_did_and_a_second_statement_works if transactional,
        what_was_committed_is_there_after_reopening if |c| transactional(c) && c.persistent,
    ]
}

async fn what_a_transaction_does_is_visible_at_commit(targets: Arc<Targets>) {
    let fence = fence(1, "run-1");
    let target = targets.fenced(&fence).await;
    let mut session = targets.half_way(&*target, &fence, "a", 1).await;
    assert!(!targets.has("a").await, "visible before the commit");
    session.finish_marker(&update("a", 1)).await.expect("finish the marker");
    assert!(!targets.has("a").await, "visible before the commit");
    session.commit().await.expect("commit");
    assert!(targets.has("a").await, "not visible after the commit");
    assert_eq!(state(&*target, "a").await, Some(MarkerState::Done));
}

async fn what_a_transaction_did_is_gone_after_rollback(targets: Arc<Targets>) {
    let fence = fence(1, "run-1");
    let target = targets.fenced(&fence).await;
    let session = targets.half_way(&*target, &fence, "a", 1).await;
    session.rollback().await.expect("roll back");
    targets.assert_nothing_of("a").await;

    let mut session = targets.half_way(&*target, &fence, "a", 2).await;
    session.finish_marker(&update("a", 2)).await.expect("finish the marker");
    session.rollback().await.expect("roll back");
    targets.assert_nothing_of("a").await;
}

async fn what_a_transaction_did_is_gone_after_abort(targets: Arc<Targets>) {
    let fence = fence(1, "run-1");
    let target = targets.fenced(&fence).await;
    let session = targets.half_way(&*target, &fence, "a", 1).await;
    session.abort().await.expect("abort");
    targets.assert_nothing_of("a").await;
}

async fn nothing_takes_effect_after_an_abort_of_a_method_dropped_half_way(targets: Arc<Targets>) {
    let fence = fence(1, "run-1");
    let target = targets.fenced(&fence).await;
    for round in 0..10 {
        let name = format!("change-{round}");
        let mut session = begin(&*target, &fence, &update(&name, 1)).await;
        // The statement is sent at the first poll, and a timeout drops the method then or later.
        let method = targets.place.put(&*target, &mut *session, Mode::Transactional, &name);
        if round % 2 == 0 {
            let _ = method.now_or_never();
            pause(round).await;
        } else {
            let _ = tokio::time::timeout(Duration::from_millis(round), method).await;
        }
        session.abort().await.expect("abort");
        targets.assert_nothing_of(&name).await;
    }
    pause(200).await;
    for round in 0..10 {
        targets.assert_nothing_of(&format!("change-{round}")).await;
    }
}

async fn nothing_takes_effect_after_an_abort_of_a_begin_dropped_half_way(targets: Arc<Targets>) {
    let fence = fence(1, "run-1");
    let target = targets.fenced(&fence).await;
    let blocker = targets.half_way(&*target, &fence, "a", 1).await;
    let other = targets.open().await;
    // A target with one writer may wait when the session is opened already.
    let waiting = tokio::time::timeout(WATCHED, other.open(Mode::Transactional)).await;
    if let Ok(session) = waiting {
        let mut session = session.expect("open a session");
        let update = update("b", 2);
        let waiting = tokio::time::timeout(WATCHED, session.begin_marker(&fence, &update));
        assert!(waiting.await.is_err(), "it did not wait for the open transaction");
        session.abort().await.expect("abort");
    }
    blocker.rollback().await.expect("roll back");
    targets.assert_nothing_of("b").await;
    targets.apply(&*target, &fence, "b", 3).await;
}

async fn a_session_that_is_dropped_is_rolled_back_sooner_or_later(targets: Arc<Targets>) {
    let fence = fence(1, "run-1");
    let target = targets.fenced(&fence).await;
    let mut session = targets.half_way(&*target, &fence, "a", 1).await;
    session.finish_marker(&update("a", 1)).await.expect("finish the marker");
    drop(session);
    // Looking at the marker waits for it.
    targets.assert_nothing_of("a").await;
    targets.apply(&*target, &fence, "a", 2).await;
}

async fn a_session_dropped_before_anything_was_done_blocks_nobody(targets: Arc<Targets>) {
    let fence = fence(1, "run-1");
    let target = targets.fenced(&fence).await;
    for _ in 0..20 {
        drop(open(&*target).await);
    }
    targets.apply(&*target, &fence, "a", 1).await;
}

async fn the_connection_of_an_aborted_session_is_clean_when_it_is_used_again(targets: Arc<Targets>) {
    let fence = fence(1, "run-1");
    let target = targets.fenced(&fence).await;
    for round in 0..10 {
        let session = targets.half_way(&*target, &fence, "aborted", 2 * round + 1).await;
        match round % 3 {
            0 => session.abort().await.expect("abort"),
            1 => session.rollback().await.expect("roll back"),
            _ => drop(session),
        }
        let name = format!("change-{round}");
        targets.apply(&*target, &fence, &name, 2 * round + 2).await;
        assert!(targets.has(&name).await);
        targets.assert_nothing_of("aborted").await;
    }
}

async fn a_change_rolled_back_can_be_applied_by_the_same_run(targets: Arc<Targets>) {
    let fence = fence(1, "run-1");
    let target = targets.fenced(&fence).await;
    targets.half_way(&*target, &fence, "a", 1).await.rollback().await.expect("roll back");
    targets.apply(&*target, &fence, "a", 3).await;
    let marker = marker(&*target, "a").await.expect("a marker");
    assert_eq!((marker.state, marker.sequence), (MarkerState::Done, 3));
    assert!(targets.has("a").await);
}

async fn a_transaction_sees_what_it_did_and_a_second_statement_works(targets: Arc<Targets>) {
    let fence = fence(1, "run-1");
    let target = targets.fenced(&fence).await;
    let mut session = targets.half_way(&*target, &fence, "a", 1).await;
    for name in ["b", "c", "d"] {
        targets.put(&*target, &mut *session, Mode::Transactional, name).await;
    }
    session.finish_marker(&update("a", 1)).await.expect("finish the marker");
    session.commit().await.expect("commit");
    for name in ["a", "b", "c", "d"] {
        assert!(targets.has(name).await, "`{name}` is not there");
    }
}

async fn what_was_committed_is_there_after_reopening(targets: Arc<Targets>) {
    let fence = fence(7, "run-1");
    targets.apply(&*targets.fenced(&fence).await, &fence, "a", 1).await;
    let target = targets.open().await;
    assert_eq!(state(&*target, "a").await, Some(MarkerState::Done));
    assert!(targets.has("a").await);
    // The fence as well.
    let session = begin(&*target, &fence, &update("b", 2)).await;
    session.rollback().await.expect("roll back");
}
