//! The reference implementation of every trait, in memory: for tests that need no server.
//!
//! It keeps to the same contracts as the real ones: appends are fenced, leases expire, transactions
//! wait for each other and roll back. Time is Tokio's, so a test that pauses it needs no patience.
//!
//! ```
//! # use flamingock_core::memory::{MemoryMap, MemoryStore, MemoryTarget};
//! let store = MemoryStore::new(); // audit store and lock
//! let orders = MemoryTarget::new("orders-db"); // with transactions: `db: &mut MemoryTransaction`
//! let flags = MemoryMap::new();
//! let target = flags.target("flags"); // without: `flags: &MemoryMap`
//! ```

mod audit;
mod counts;
mod database;
mod fault;
mod locks;
mod map;
mod store;
mod target;
mod transaction;

#[cfg(test)]
mod tests;

pub use counts::StoreCounts;
pub use fault::Fault;
pub use map::MemoryMap;
pub use store::MemoryStore;
pub use target::MemoryTarget;
pub use transaction::MemoryTransaction;
