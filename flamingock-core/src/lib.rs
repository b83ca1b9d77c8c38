//! The runner of Flamingock, and the traits that audit stores, locks and target systems implement.
//!
//! Applications depend on the `flamingock` facade; authors of plugins depend on this crate.

mod around;
pub mod audit;
mod backend;
mod builder;
pub mod change;
mod error;
pub mod event;
mod history;
mod host;
pub mod lock;
pub mod memory;
pub mod operate;
pub mod pipeline;
pub mod plan;
pub mod report;
mod run;
pub mod target;
mod words;

pub use around::Around;
pub use backend::{BackendError, BackendErrorKind};
pub use builder::{Flamingock, FlamingockBuilder, RunMode};
pub use error::{RunError, RunErrorKind};
pub use history::History;
pub use tokio_util::sync::CancellationToken;

#[doc(hidden)]
pub mod __private {
    //! For generated code and for simulations. Not public API.
    pub use inventory;

    pub use crate::host::Host;
}
