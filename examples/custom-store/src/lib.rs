//! Audit and lock in one file of [redb](https://docs.rs/redb), an embedded key-value store: for a service
//! on one machine that has no database. It shows what a store of one's own takes; `tests/conformance.rs`
//! holds it to the contracts.
//!
//! ```
//! use custom_store::RedbStore;
//! use flamingock_core::Flamingock;
//! # use std::sync::Arc;
//! # use flamingock_core::change::{Body, Change, Method, Order, Source};
//! # use flamingock_core::target::NonTransactionalTarget;
//! # let apply = Method { params: Vec::new(), body: Body::Async(Arc::new(|_| Box::pin(async { Ok(()) }))) };
//! # let change = Change::new("a", Order::new("1"), "flags", Source::new("src/changes.rs", 1), "v1:00", apply);
//! # let folder = tempfile::tempdir()?;
//! # let file = folder.path().join("audit.redb");
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let app = Flamingock::builder()
//!     .service("orders")
//!     .change(change)
//!     .audit_store(RedbStore::open(file)?)
//!     .target(NonTransactionalTarget::new("flags"))
//!     .build()?;
//! assert_eq!(app.run().await?.changes.applied, 1);
//! assert_eq!(app.run().await?.changes.applied, 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A file is open in one process at a time: redb refuses the second. So a replica that starts while another
//! runs fails at [`RedbStore::open`] and is to try again.

mod audit;
mod error;
mod lock;
mod records;
mod store;

pub use store::RedbStore;
