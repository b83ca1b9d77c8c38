//! The suites: each sentence of a trait's `# Contract` is a case that every implementation runs.
//!
//! A case is a function in one of the lists below `audit_store`, `lock` and `target`; nothing else
//! has to be told about a new one. A condition after it (`if |c| c.persistent`) keeps it from those
//! that declare that they cannot.

mod audit_store;
mod case;
#[cfg(test)]
mod flaws;
mod lock;
mod proxy;
mod store_fixture;
mod suite;
mod support;
mod target;
mod target_fixture;

pub use audit_store::audit_store_suite;
pub use lock::lock_suite;
pub use proxy::{Proxy, Traffic};
pub use store_fixture::{Damage, StoreCapabilities, StoreFixture, StoreHandle, StorePlace};
pub use suite::{Suite, run};
pub use target::target_suite;
pub use target_fixture::{End, TargetCapabilities, TargetFixture, TargetPlace, handle};

/// What the methods of a fixture may fail with.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
