//! For generated code. Not public API, and not subject to semantic versioning.

pub use flamingock_core::__private::inventory;
pub use flamingock_core::change::{
    BodyEntry, ChangeEntry, CodeChange, Invocation, MethodEntry, MethodError, MethodFuture, ParamEntry,
    ParamKind, RecoveryStrategy, TargetState, finish,
};
