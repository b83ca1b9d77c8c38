//! Tests of Flamingock applications, and conformance suites for authors of audit stores, locks and target
//! systems.
//!
//! # Of an application
//!
//! Applications use this crate as `flamingock::testing`. [`FlamingockTest`] runs one and compares what it
//! did: entries, states, events, issues. It lets the process die, or lets an answer get lost, at any
//! [`Moment`] of a change, and shows what the next start does. [`Stairway`] applies, undoes and applies again.
//!
//! # Of a store, a lock or a target system
//!
//! Core's traits carry their promises in a section `# Contract`. Here each sentence of a contract is
//! a case with a name that says it, races and crashes included; every implementation of this project,
//! the in-memory one too, passes the same cases.
//!
//! To run them on a plugin, write a *fixture*: it makes empty places and opens handles on them. What
//! the plugin declares decides which cases it gets. In `Cargo.toml`:
//!
//! ```toml
//! [dev-dependencies]
//! flamingock-testing = "0.1"
//!
//! [[test]]
//! name = "conformance"
//! harness = false
//! ```
//!
//! and in `tests/conformance.rs`:
//!
//! ```no_run
//! use std::process::ExitCode;
//! use std::sync::Arc;
//!
//! use async_trait::async_trait;
//! use flamingock_core::memory::MemoryStore; // your store
//! use flamingock_testing::conformance::{
//!     BoxError, StoreFixture, StoreHandle, StorePlace, audit_store_suite, lock_suite, run,
//! };
//!
//! #[derive(Debug)]
//! struct Fixture;
//!
//! #[async_trait]
//! impl StoreFixture for Fixture {
//!     fn name(&self) -> String {
//!         "memory".to_owned()
//!     }
//!
//!     async fn fresh(&self) -> Result<Arc<dyn StorePlace>, BoxError> {
//!         Ok(Arc::new(Place(MemoryStore::new()))) // a new database, a new file
//!     }
//! }
//!
//! #[derive(Debug)]
//! struct Place(MemoryStore);
//!
//! #[async_trait]
//! impl StorePlace for Place {
//!     async fn open(&self) -> Result<StoreHandle, BoxError> {
//!         Ok(StoreHandle::both(self.0.clone())) // a connection of its own, as another process has
//!     }
//! }
//!
//! fn main() -> ExitCode {
//!     run([audit_store_suite(Arc::new(Fixture)), lock_suite(Arc::new(Fixture))])
//! }
//! ```
//!
//! A target system has a [`TargetFixture`](conformance::TargetFixture) and the
//! [`target_suite`](conformance::target_suite).
//!
//! - A case whose server is not there is *ignored*, with the reason, and never passed. Name the
//!   implementation in `FLAMINGOCK_TEST_REQUIRE` (several with commas) and it fails instead.
//! - Each case has a place, a runtime and 30 seconds of its own. A place is removed when its case
//!   passed, and kept when it failed.
//! - A [`Proxy`](conformance::Proxy) in front of a server makes it unreachable, or swallows its answers.
//! - The arguments are those of `cargo test`: `cargo test --test conformance -- expired` runs the
//!   cases about expiry, `-- --list` names all.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "an expectation that does not hold panics, as in any test"
)]

pub mod conformance;
pub mod entries;
mod kit;

pub use kit::{
    At, CrashAt, Entry, FlamingockTest, Moment, Ran, Stairway, after, apply_rollback_apply, before,
    crash_now, entry, entry_of, event,
};
