//! The audit: an append-only log of what was done, chained by hashes, and its head.

mod entry;
#[cfg(test)]
mod fuzz;
mod hash;
mod head;
mod record;
mod store;

pub use entry::{AuditEntry, AuditState, ErrorDetail, Evidence, Operation, TxStrategy};
pub use hash::{ChainBreak, ChainHash, verify_chain};
pub use head::{Head, Verdict, VerdictStatus};
pub use record::{Field, FieldKind, Value};
pub use store::{Append, AuditStore, EntryFilter, Execution, HeadChange, Office};

/// The format of entries and heads that this release writes. It reads this one and the one before.
pub const FORMAT: u32 = 1;
