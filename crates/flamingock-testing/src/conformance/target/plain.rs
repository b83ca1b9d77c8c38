use std::sync::Arc;

use flamingock_core::target::Mode;

use super::TargetCase;
use super::context::Targets;
use crate::conformance::case::cases;
use crate::conformance::target_fixture::TargetCapabilities;

pub(super) fn cases() -> Vec<TargetCase> {
    cases![
        in_plain_mode_each_statement_takes_effect_by_itself if plain,
        in_plain_mode_rollback_takes_nothing_back if plain,
        in_plain_mode_abort_takes_nothing_back if plain,
        a_plain_session_that_is_dropped_keeps_what_it_did if plain,
        in_plain_mode_no_fence_is_needed if plain,
        what_was_done_in_plain_mode_is_there_after_reopening if |c| plain(c) && c.persistent,
    ]
}

fn plain(capabilities: &TargetCapabilities) -> bool {
    capabilities.supports(Mode::Plain)
}

async fn in_plain_mode_each_statement_takes_effect_by_itself(targets: Arc<Targets>) {
    let target = targets.open().await;
    let mut session = target.open(Mode::Plain).await.expect("open a session");
    assert!(!targets.has("a").await);
    targets.put(&*target, &mut *session, Mode::Plain, "a").await;
    assert!(targets.has("a").await, "not visible at once");
    targets.put(&*target, &mut *session, Mode::Plain, "b").await;
    assert!(targets.has("b").await, "not visible at once");
    session.commit().await.expect("close the session");
    assert!(targets.has("a").await && targets.has("b").await);
}

async fn in_plain_mode_rollback_takes_nothing_back(targets: Arc<Targets>) {
    let target = targets.open().await;
    let mut session = target.open(Mode::Plain).await.expect("open a session");
    targets.put(&*target, &mut *session, Mode::Plain, "a").await;
    session.rollback().await.expect("close the session");
    assert!(targets.has("a").await);
}

async fn in_plain_mode_abort_takes_nothing_back(targets: Arc<Targets>) {
    let target = targets.open().await;
    let mut session = target.open(Mode::Plain).await.expect("open a session");
    targets.put(&*target, &mut *session, Mode::Plain, "a").await;
    session.abort().await.expect("abort");
    assert!(targets.has("a").await);
    // The target is usable afterwards.
    let mut session = target.open(Mode::Plain).await.expect("open a session");
    targets.put(&*target, &mut *session, Mode::Plain, "b").await;
    session.commit().await.expect("close the session");
}

async fn a_plain_session_that_is_dropped_keeps_what_it_did(targets: Arc<Targets>) {
    let target = targets.open().await;
    let mut session = target.open(Mode::Plain).await.expect("open a session");
    targets.put(&*target, &mut *session, Mode::Plain, "a").await;
    drop(session);
    assert!(targets.has("a").await);
}

async fn in_plain_mode_no_fence_is_needed(targets: Arc<Targets>) {
    let target = targets.open().await;
    let session = target.open(Mode::Plain).await.expect("open a session");
    session.commit().await.expect("close the session");
}

async fn what_was_done_in_plain_mode_is_there_after_reopening(targets: Arc<Targets>) {
    {
        let target = targets.open().await;
        let mut session = target.open(Mode::Plain).await.expect("open a session");
        targets.put(&*target, &mut *session, Mode::Plain, "a").await;
        session.commit().await.expect("close the session");
    }
    targets.open().await.check().await.expect("check");
    assert!(targets.has("a").await);
}
