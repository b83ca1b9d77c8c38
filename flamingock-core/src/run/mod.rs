//! The runner: the only place where effects happen.
//!
//! ```text
//! runner       a run from its first read to its last append; undo, baseline: the same for those;
//!  │           narrow: a part of it; rule: what an operator records; look: what is only read
//!  ├ acquire     waiting for the lock, and leaving as soon as there is nothing left to do
//!  │  └ lease       holding it, with a heartbeat that nothing else starves
//!  ├ office      taking office, raising the fences, comparing targets and audit
//!  ├ evidence    asking markers and `#[verify]` about uncertain changes
//!  └ stage       the changes of a stage, in order
//!     └ step        one change: STARTED, apply or undo, its outcome
//!        └ method      calling one method, with timeout, cancellation and panics
//! journal      appends under one office, also when answers get lost
//! context      what all of them share: the run and what it has done so far
//! ```

mod acquire;
mod baseline;
mod context;
mod evidence;
mod journal;
mod lease;
mod look;
mod method;
mod narrow;
mod office;
mod permit;
mod rule;
mod runner;
mod stage;
mod step;
mod undo;
mod within;
