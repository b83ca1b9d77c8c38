use std::sync::Arc;

use flamingock_core::lock::LockStore;
use flamingock_store_redis::{RedisAuditStore, RedisLockStore};

use super::{Naming, Place};
use crate::error::Result;

/// Whether it leads to a Redis.
pub(super) fn is_url(url: &str) -> bool {
    let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
    matches!(scheme, "redis" | "rediss" | "redis-cluster" | "rediss-cluster" | "unix")
}

pub(super) async fn open(url: &str, naming: &Naming) -> Result<Place> {
    let store = RedisAuditStore::connect(url).await.map_err(|error| naming.not_opened(error))?;
    let store = match &naming.table_prefix {
        Some(prefix) => store.key_prefix(prefix),
        None => store,
    };
    // Whether the server keeps data well enough, the application judges. What it keeps can be looked at
    // and ruled on.
    Ok(Place::of(store.allow_volatile(true)))
}

/// The lock alone, as an application has it whose audit is elsewhere.
pub(super) async fn lock(url: &str, naming: &Naming) -> Result<Arc<dyn LockStore>> {
    let lock = RedisLockStore::connect(url).await.map_err(|error| naming.not_opened(error))?;
    Ok(match &naming.table_prefix {
        Some(prefix) => Arc::new(lock.key_prefix(prefix)),
        None => Arc::new(lock),
    })
}
