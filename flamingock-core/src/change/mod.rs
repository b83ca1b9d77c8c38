//! What a change is: its metadata, its methods, and what they are given.

mod context;
mod definition;
mod entry;
mod error;
mod method;
mod order;
mod resources;
mod set;
mod source;

pub use context::{ChangeContext, IdempotencyKey};
pub use definition::{Change, ChangeKind, CodeChange, RecoveryStrategy};
pub use entry::{BodyEntry, ChangeEntry, MethodEntry, ParamEntry};
pub use error::{BoxError, ChangeError, ChangeResult, MethodError};
pub use method::{
    Body, Dependencies, Invocation, Method, MethodFuture, MethodOutput, Param, ParamKind, SessionHandle,
    TargetState, finish,
};
pub use order::Order;
pub use resources::Resources;
pub use set::ChangeSet;

pub use source::Source;

pub(crate) use context::ProgressSink;
pub(crate) use set::within;
