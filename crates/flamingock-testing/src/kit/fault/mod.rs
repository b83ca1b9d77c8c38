//! What goes wrong, at a moment of a change.
//!
//! Store, lock, targets and changes of an application stand behind a [`Process`](process::Process),
//! which dies where a test says: everything the run had in hand is dropped there.

mod around;
mod method;
mod moment;
mod plan;
mod process;
mod session;
mod store;
mod target;

pub use method::crash_now;
pub use moment::{At, CrashAt, Moment, after, before};

pub(super) use around::Within;
pub(super) use plan::{Effect, Fault};
pub(super) use process::Process;
