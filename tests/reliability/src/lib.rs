//! Evidence for the promise: "Your system will always be left in a known, auditable and consistent
//! state, no matter what happens."
//!
//! [`crash`] takes the runner as it is and breaks every effect of a run, one after the other, up to
//! two deep. [`simulation`] lets three runners at once meet everything that a seed can think of.
//! [`model`] explores every interleaving of the protocol. What holds, in the same words, stands in the book under *Reliability*.
#![expect(clippy::expect_used, reason = "what fails here fails the test")]

pub mod crash;
mod house;
pub mod model;
pub mod simulation;

pub use house::Flaw;
