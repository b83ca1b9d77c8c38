//! Simulation: three runners at once, in a world that a seed decides about: when each does what, what
//! becomes of each request, who stands still and who dies. The same seed is the same run again.
//!
//! Time is Tokio's, paused: it passes only when everybody waits. There is one thread, and nothing
//! draws lots but generators that come from the seed.

mod case;
mod explore;
mod line;
mod runner;
mod weather;

pub use case::{Case, Outcome};
pub use explore::{Tally, simulate};
