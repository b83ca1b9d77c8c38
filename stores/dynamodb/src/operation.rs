use std::fmt::Display;

use aws_sdk_dynamodb::error::BuildError;
use flamingock_core::{BackendError, BackendErrorKind};

/// What is being done, and where: for errors.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operation<'a> {
    pub(crate) name: &'static str,
    pub(crate) address: &'a str,
}

impl Operation<'_> {
    pub(crate) fn fail(&self, kind: BackendErrorKind, message: impl Into<String>) -> BackendError {
        BackendError::new(kind, self.name, message).context("store", self.address)
    }

    pub(crate) fn corrupt(&self, what: impl Display, problem: impl Display) -> BackendError {
        self.fail(BackendErrorKind::Corrupt, format!("{what} cannot be read: {problem}"))
    }

    pub(crate) fn newer_format(&self, format: u64) -> BackendError {
        let known = flamingock_core::audit::FORMAT;
        let message = format!("the audit has format {format}, this release knows up to {known}");
        self.fail(BackendErrorKind::NewerFormat, message)
    }

    /// Of a request that lacks a part.
    pub(crate) fn build(&self, error: &BuildError) -> BackendError {
        self.fail(BackendErrorKind::Other, format!("the request could not be made: {error}"))
    }
}
