//! The suite for [`TargetSystem`](flamingock_core::target::TargetSystem), sessions, fences and markers.

mod context;
mod session;

use std::sync::Arc;

use self::context::Targets;
use super::case::Case;
use super::suite::Suite;
use super::target_fixture::{TargetCapabilities, TargetFixture};

type TargetCase = Case<Arc<Targets>, TargetCapabilities>;

fn cases() -> Vec<TargetCase> {
    [session::cases()].into_iter().flatten().collect()
}

/// The suite for target systems.
pub fn target_suite(fixture: Arc<dyn TargetFixture>) -> Suite {
    let capabilities = fixture.capabilities();
    let asked = Arc::clone(&fixture);
    let mut suite = Suite::builder("target", fixture.name(), move || asked.available());
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
    suite.build()
}
