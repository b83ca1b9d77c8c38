//! Conformance suites for authors of Flamingock audit stores, locks and target systems.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a case of a suite fails by a panic, as any test does"
)]

pub mod conformance;
pub mod entries;
