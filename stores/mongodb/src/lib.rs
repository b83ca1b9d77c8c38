//! Audit store and lock for Flamingock on MongoDB, with the official driver.
//!
//! [`MongoAuditStore`] keeps three collections, each name beginning with a prefix (`flamingock_` unless
//! told otherwise):
//!
//! - `heads`: where each history stands, a document per history;
//! - `entries`: the audit, a document per entry, a field per field;
//! - `locks`: who holds the lock of each history, a document per history.
//!
//! # One document decides
//!
//! An append is one conditional update of the head: it fits only where token, execution and sequence are
//! those of the run, and it carries the new entries in the head's *outbox*. A single document changes as a
//! whole on every MongoDB, so this is atomic on a standalone server, too, which has no transactions of
//! several documents; a replica set and a sharded cluster are used in the same way. Afterwards the
//! entries are copied to their collection. Their places there are their `_id`, so that copying them again
//! changes nothing. The outbox is replaced only by the next append, and only once its entries are known
//! to be in their collection. So whenever a process dies, each entry is in one of the two places or in
//! both: readers look at both (they need no permission to write), and the next writer completes the copy.

mod audit;
mod clock;
mod document;
mod error;
#[cfg(test)]
mod fuzz;
mod head;
mod lock;
mod outbox;
mod schema;
mod store;

pub use mongodb;
pub use store::MongoAuditStore;
