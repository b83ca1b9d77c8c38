//! The suite for [`TargetSystem`](flamingock_core::target::TargetSystem), sessions, fences and markers.

mod begin;
mod context;
mod declared;
mod ending;
mod fence;
mod finish;
mod plain;
mod survey;
mod transaction;
mod waiting;

use std::sync::Arc;

use flamingock_core::target::Mode;

use self::context::Targets;
use super::case::Case;
use super::suite::Suite;
use super::target_fixture::{TargetCapabilities, TargetFixture};

type TargetCase = Case<Arc<Targets>, TargetCapabilities>;

fn cases() -> Vec<TargetCase> {
    [
        declared::cases(),
        plain::cases(),
        transaction::cases(),
        begin::cases(),
        finish::cases(),
        fence::cases(),
        waiting::cases(),
        ending::cases(),
        survey::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The suite for target systems: what [`TargetSystem`](flamingock_core::target::TargetSystem),
/// [`Session`](flamingock_core::target::Session) and [`Markers`](flamingock_core::target::Markers)
/// promise.
pub fn target_suite(fixture: Arc<dyn TargetFixture>) -> Suite {
    let capabilities = fixture.capabilities();
    let asked = Arc::clone(&fixture);
    let mut suite = Suite::new("target", fixture.name(), move || asked.available());
    for case in cases().into_iter().filter(|case| (case.applies)(&capabilities)) {
        let (fixture, capabilities) = (Arc::clone(&fixture), capabilities.clone());
        suite.case(case.name, move || {
            Box::pin(async move {
                let place = fixture.fresh().await.expect("the fixture makes a fresh place");
                (case.run)(Arc::new(Targets::new(Arc::clone(&place), capabilities))).await;
                place.remove().await.expect("the fixture removes its place");
            })
        });
    }
    suite
}

/// For cases about transactions.
fn transactional(capabilities: &TargetCapabilities) -> bool {
    capabilities.supports(Mode::Transactional)
}

/// For cases about two sessions that get in each other's way.
fn concurrent(capabilities: &TargetCapabilities) -> bool {
    transactional(capabilities) && capabilities.several_sessions
}
