//! The suite for [`LockStore`](flamingock_core::lock::LockStore).

mod acquire;
mod breaking;
mod expiry;
mod extend;
mod support;

use std::sync::Arc;

use super::audit_store::{StoreCase, store_suite};
use super::store_fixture::StoreFixture;
use super::suite::Suite;

fn cases() -> Vec<StoreCase> {
    [acquire::cases(), extend::cases(), expiry::cases(), breaking::cases()].into_iter().flatten().collect()
}

/// The suite for locks: what [`LockStore`](flamingock_core::lock::LockStore) promises.
pub fn lock_suite(fixture: Arc<dyn StoreFixture>) -> Suite {
    store_suite("lock", fixture, cases())
}
