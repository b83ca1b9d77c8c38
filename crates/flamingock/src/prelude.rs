//! What a file with changes needs: `use flamingock::prelude::*;`

pub use flamingock_core::change::{
    BoxError, ChangeContext, ChangeError, ChangeResult, CodeChange, IdempotencyKey, TargetState,
};
pub use flamingock_core::change_set;
pub use flamingock_core::lock::FencingToken;
pub use flamingock_macros::{apply, change, include_changes, rollback, verify};
