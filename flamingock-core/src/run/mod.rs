//! The runner: the only place where effects happen.
//!
//! ```text
//! runner    the run from its first read to its last append
//!  ├ acquire   waiting for the lock, and leaving as soon as there is nothing left to do
//!  │  └ lease     holding it, with a heartbeat on its own thread
//!  ├ journal   appends under one office, also when answers get lost
//!  ├ evidence  asking markers and `#[verify]` about uncertain changes
//!  └ step      one change: STARTED, apply or undo, its outcome
//!     └ method    calling one method, with timeout, cancellation and panics
//! ```

mod acquire;
mod evidence;
mod journal;
mod lease;
mod method;
mod runner;
mod stage;
mod step;
mod undo;
mod within;
