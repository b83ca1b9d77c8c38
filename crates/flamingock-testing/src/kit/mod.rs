//! The kit for users: given an application, when it runs, then this is what happened.
//!
//! ```text
//! given      an application, what its audit has already, what is to go wrong
//!  ├ existing   writes the entries and markers that are there before
//!  └ fault      crashes, lost answers and failures, at a moment of a change
//! ran        what happened, and what was expected of it
//!  ├ entry      an audit entry, as a test names it
//!  ├ event      an event, as a test names it
//!  └ diff       expected and actual sequences, side by side
//! stairway   apply, undo, apply again
//! ```

mod diff;
mod entry;
pub mod event;
mod existing;
mod fault;
mod given;
mod ran;
mod stairway;

pub use entry::{Entry, entry, entry_of};
pub use fault::{At, CrashAt, Moment, after, before, crash_now};
pub use given::FlamingockTest;
pub use ran::Ran;
pub use stairway::{Stairway, apply_rollback_apply};
