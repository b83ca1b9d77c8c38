use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use flamingock_core::History;
use flamingock_core::lock::FencingToken;
use flamingock_core::target::{
    Begun, Fence, FenceRaised, Marker, MarkerState, MarkerUpdate, Markers, Mode, Session, TargetSystem,
};
use tokio::task::JoinHandle;

use crate::conformance::target_fixture::{End, TargetCapabilities, TargetPlace};

/// How long a case watches that something waits. Less than any lock timeout.
pub(super) const WATCHED: Duration = Duration::from_millis(400);

/// What a case of the target suite works with: a place of its own.
#[derive(Debug)]
pub(super) struct Targets {
    pub(super) place: Arc<dyn TargetPlace>,
    pub(super) capabilities: TargetCapabilities,
}

impl Targets {
    pub(super) fn new(place: Arc<dyn TargetPlace>, capabilities: TargetCapabilities) -> Self {
        Self { place, capabilities }
    }

    /// Another process' handle.
    pub(super) async fn open(&self) -> Arc<dyn TargetSystem> {
        self.place.open().await.expect("the fixture opens its place")
    }

    /// A handle, after the fence was raised to this one.
    pub(super) async fn fenced(&self, fence: &Fence) -> Arc<dyn TargetSystem> {
        let target = self.open().await;
        assert_eq!(raise(&*target, fence).await, FenceRaised::Raised);
        target
    }

    /// Makes the effect `name` through a session.
    pub(super) async fn put(
        &self,
        target: &dyn TargetSystem,
        session: &mut dyn Session,
        mode: Mode,
        name: &str,
    ) {
        self.place.put(target, session, mode, name).await.expect("the fixture makes its effect");
    }

    /// Whether the effect `name` is there for everybody.
    pub(super) async fn has(&self, name: &str) -> bool {
        self.place.has(name).await.expect("the fixture looks for its effect")
    }

    /// Ends the session's transaction from inside.
    pub(super) async fn end(&self, session: &mut dyn Session, end: End) {
        self.place.end(session, end).await.expect("the fixture ends the transaction");
    }

    /// A session in which the change `name` is open and has made its effect.
    pub(super) async fn half_way(
        &self,
        target: &dyn TargetSystem,
        fence: &Fence,
        name: &str,
        sequence: u64,
    ) -> Box<dyn Session> {
        let mut session = begin(target, fence, &update(name, sequence)).await;
        self.put(target, &mut *session, Mode::Transactional, name).await;
        session
    }

    /// Applies the change `name`, which makes the effect of its name, as a run does.
    pub(super) async fn apply(&self, target: &dyn TargetSystem, fence: &Fence, name: &str, sequence: u64) {
        let mut session = self.half_way(target, fence, name, sequence).await;
        session.finish_marker(&update(name, sequence)).await.expect("finish the marker");
        session.commit().await.expect("commit");
    }

    /// That the change `name` left neither marker nor effect.
    pub(super) async fn assert_nothing_of(&self, name: &str) {
        let target = self.open().await;
        assert_eq!(marker(&*target, name).await, None);
        assert!(!self.has(name).await, "the effect of `{name}` is there");
    }
}

/// A session with the marker written.
pub(super) async fn begin(
    target: &dyn TargetSystem,
    fence: &Fence,
    update: &MarkerUpdate,
) -> Box<dyn Session> {
    let mut session = open(target).await;
    assert_eq!(session.begin_marker(fence, update).await.expect("begin the marker"), Begun::Written);
    session
}

/// Writes the marker of a change that has no effect, and commits.
pub(super) async fn mark(target: &dyn TargetSystem, fence: &Fence, update: &MarkerUpdate) {
    let mut session = begin(target, fence, update).await;
    session.finish_marker(update).await.expect("finish the marker");
    session.commit().await.expect("commit");
}

/// What came of beginning a marker; the session is rolled back.
pub(super) async fn begun(target: &dyn TargetSystem, fence: &Fence, update: &MarkerUpdate) -> Begun {
    let mut session = open(target).await;
    let begun = session.begin_marker(fence, update).await.expect("begin the marker");
    session.rollback().await.expect("roll back");
    begun
}

pub(super) async fn open(target: &dyn TargetSystem) -> Box<dyn Session> {
    target.open(Mode::Transactional).await.expect("open a session")
}

pub(super) fn markers(target: &dyn TargetSystem) -> &dyn Markers {
    target.markers().expect("a target with transactions keeps markers")
}

pub(super) async fn raise(target: &dyn TargetSystem, fence: &Fence) -> FenceRaised {
    markers(target).raise_fence(fence).await.expect("raise the fence")
}

/// The fence of a run of `orders`.
pub(super) fn fence(token: u64, execution: &str) -> Fence {
    fence_of(&History::new("orders"), token, execution)
}

pub(super) fn fence_of(history: &History, token: u64, execution: &str) -> Fence {
    Fence { history: history.clone(), token: FencingToken(token), execution: execution.to_owned() }
}

/// Apply of a change that nothing outranks.
pub(super) fn update(change: &str, sequence: u64) -> MarkerUpdate {
    MarkerUpdate { change: change.to_owned(), state: MarkerState::Begun, sequence, outranks: 0 }
}

/// Undo of a change.
pub(super) fn undo(change: &str, sequence: u64) -> MarkerUpdate {
    MarkerUpdate { state: MarkerState::Undoing, ..update(change, sequence) }
}

/// The marker of a change of `orders`.
pub(super) async fn marker(target: &dyn TargetSystem, change: &str) -> Option<Marker> {
    markers(target).marker(&History::new("orders"), change).await.expect("look at the marker")
}

pub(super) async fn state(target: &dyn TargetSystem, change: &str) -> Option<MarkerState> {
    marker(target, change).await.map(|marker| marker.state)
}

/// Runs `task` aside, and watches that it waits.
pub(super) async fn waiting<T: Send + 'static>(
    task: impl Future<Output = T> + Send + 'static,
) -> JoinHandle<T> {
    let task = tokio::spawn(task);
    tokio::time::sleep(WATCHED).await;
    assert!(!task.is_finished(), "it did not wait for the open transaction");
    task
}
