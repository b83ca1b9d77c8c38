//! The suite for [`LockStore`](flamingock_core::lock::LockStore).

mod acquire;

use std::sync::Arc;

use super::audit_store::{StoreCase, store_suite};
use super::store_fixture::StoreFixture;
use super::suite::Suite;

fn cases() -> Vec<StoreCase> {
    [acquire::cases()].into_iter().flatten().collect()
}

/// The suite for locks.
pub fn lock_suite(fixture: Arc<dyn StoreFixture>) -> Suite {
    store_suite("lock", fixture, cases())
}
