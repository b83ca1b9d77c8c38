use crate::{BackendError, BackendErrorKind};

/// How a write fails when a test asks for it. The caller hears the same in both cases: no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It did not take effect.
    NoEffect,
    /// It took effect, and the answer was lost.
    AnswerLost,
}

/// The error of a write that fails so.
pub(super) fn lost(operation: &'static str) -> BackendError {
    BackendError::new(BackendErrorKind::Unavailable, operation, "the connection was lost")
}
