//! Audit store and lock for Flamingock on Redis 5 or newer, and on what speaks its language (Valkey).
//!
//! - [`RedisAuditStore`]: audit store and lock.
//! - [`RedisLockStore`]: the lock alone, for an audit that is kept elsewhere.
//!
//! Each operation is one Lua script, which Redis runs alone and as a whole. Of each history these keys are
//! kept, each name beginning with a prefix (`flamingock:` unless told otherwise) and the history in braces:
//!
//! - `{service/tenant}:head`, a hash: where the history stands;
//! - `{service/tenant}:log`, a stream: the audit, with sequences as ids and each entry as JSON;
//! - `{service/tenant}:latest`, a hash: the sequence of the newest entry of each change;
//! - `{service/tenant}:lock`, a hash: who holds the lock;
//!
//! and beside them the set `histories`. None of them has a time to live.

mod audit;
mod cluster;
mod durability;
mod entry;
mod errors;
#[cfg(test)]
mod fuzz;
mod head;
mod keys;
mod link;
mod lock;
mod place;
mod reply;
mod script;
mod store;

pub use redis;
pub use store::{RedisAuditStore, RedisLockStore};
