//! The suite for [`AuditStore`](flamingock_core::audit::AuditStore).

mod append;
mod damage;
mod entries;
mod fidelity;
mod head;
mod latest;
mod office;
mod races;

use std::sync::Arc;

use super::case::Case;
use super::store_fixture::{StoreCapabilities, StoreFixture};
use super::suite::Suite;
use super::support::Stores;

pub(super) type StoreCase = Case<Arc<Stores>, StoreCapabilities>;

fn cases() -> Vec<StoreCase> {
    [
        head::cases(),
        office::cases(),
        append::cases(),
        races::cases(),
        latest::cases(),
        entries::cases(),
        fidelity::cases(),
        damage::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The suite for audit stores: what [`AuditStore`](flamingock_core::audit::AuditStore) promises.
pub fn audit_store_suite(fixture: Arc<dyn StoreFixture>) -> Suite {
    store_suite("audit_store", fixture, cases())
}

/// Registers those cases that the implementation has to pass.
pub(super) fn store_suite(
    seam: &'static str,
    fixture: Arc<dyn StoreFixture>,
    cases: Vec<StoreCase>,
) -> Suite {
    let capabilities = fixture.capabilities();
    let asked = Arc::clone(&fixture);
    let mut suite = Suite::new(seam, fixture.name(), move || asked.available());
    if let Some(timeout) = capabilities.case_timeout {
        suite = suite.timeout(timeout);
    }
    for case in cases.into_iter().filter(|case| (case.applies)(&capabilities)) {
        let (fixture, capabilities) = (Arc::clone(&fixture), capabilities.clone());
        suite.case(case.name, move || {
            Box::pin(async move {
                let place = fixture.fresh().await.expect("the fixture makes a fresh place");
                (case.run)(Arc::new(Stores::new(Arc::clone(&place), capabilities))).await;
                place.remove().await.expect("the fixture removes its place");
            })
        });
    }
    suite
}
