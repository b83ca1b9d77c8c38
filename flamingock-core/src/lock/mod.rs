//! The lock: one runner per history at a time, by a lease that expires.

mod store;

pub use store::{Acquisition, FencingToken, Holder, Lease, LockRequest, LockStore};
