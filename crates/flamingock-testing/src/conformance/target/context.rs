use std::sync::Arc;

use flamingock_core::History;
use flamingock_core::lock::FencingToken;
use flamingock_core::target::{
    Begun, Fence, FenceRaised, Marker, MarkerState, MarkerUpdate, Markers, Mode, Session, TargetSystem,
};

use crate::conformance::target_fixture::{TargetCapabilities, TargetPlace};

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

    /// A handle whose fence is this one.
    pub(super) async fn fenced(&self, fence: &Fence) -> Arc<dyn TargetSystem> {
        let target = self.open().await;
        assert_eq!(markers(&*target).raise_fence(fence).await.expect("raise the fence"), FenceRaised::Raised);
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

    /// Applies the change `name`, which makes the effect of its name, as a run does.
    pub(super) async fn apply(&self, target: &dyn TargetSystem, fence: &Fence, name: &str, sequence: u64) {
        let mut session = begin(target, fence, &update(name, sequence)).await;
        self.put(target, &mut *session, Mode::Transactional, name).await;
        session.finish_marker(&update(name, sequence)).await.expect("finish the marker");
        session.commit().await.expect("commit");
    }
}

/// A session with the marker `begun` written.
pub(super) async fn begin(
    target: &dyn TargetSystem,
    fence: &Fence,
    update: &MarkerUpdate,
) -> Box<dyn Session> {
    let mut session = target.open(Mode::Transactional).await.expect("open");
    assert_eq!(session.begin_marker(fence, update).await.expect("begin the marker"), Begun::Written);
    session
}

pub(super) fn markers(target: &dyn TargetSystem) -> &dyn Markers {
    target.markers().expect("a target with transactions keeps markers")
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

/// The marker of a change of `orders`.
pub(super) async fn marker(target: &dyn TargetSystem, change: &str) -> Option<Marker> {
    markers(target).marker(&History::new("orders"), change).await.expect("look at the marker")
}

pub(super) async fn state(target: &dyn TargetSystem, change: &str) -> Option<MarkerState> {
    marker(target, change).await.map(|marker| marker.state)
}
