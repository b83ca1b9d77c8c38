//! Crash points: every effect of a run is killed, failed, delayed or left without an answer, one
//! after the other, and the next start must put things right.
//!
//! The runner, the in-memory store and the in-memory targets are the real ones. Between them stand
//! wrappers that count what passes and make the fault happen at the chosen place. A checker then reads
//! what the targets contain and what the audit says, and nothing else.

mod case;
mod explore;
mod fault;
mod process;
mod scenario;
mod world;

pub use explore::{Depth, Tally, explore};
pub use fault::Fault;
pub use scenario::{Scenario, scenarios};
