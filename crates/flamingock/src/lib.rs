//! Change-as-Code: versioned, ordered, audited changes to every system your application depends on.

pub mod prelude;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;

pub use flamingock_core::{BackendError, BackendErrorKind, History, audit, change_set, lock, target};
pub use flamingock_macros::{apply, change, include_changes, rollback, verify};

// Beside the attribute of the same name: a module and a macro do not collide.
pub use flamingock_core::change;
