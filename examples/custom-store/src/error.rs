use flamingock_core::{BackendError, BackendErrorKind};

/// Why something was not done: redb's reason, or the contract's.
#[derive(Debug)]
pub(crate) enum Failure {
    Redb(redb::Error),
    Backend(BackendError),
}

// Each step of redb has an error type of its own; all of them convert into `redb::Error`.
impl<E: Into<redb::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Redb(error.into())
    }
}

impl Failure {
    /// The only place that knows redb's errors.
    pub(crate) fn of(self, operation: &'static str, address: &str) -> BackendError {
        let error = match self {
            Self::Backend(error) => return error,
            Self::Redb(error) => error,
        };
        let kind = match &error {
            redb::Error::DatabaseAlreadyOpen => BackendErrorKind::Busy,
            redb::Error::Corrupted(_) => BackendErrorKind::Corrupt,
            redb::Error::TableDoesNotExist(_) | redb::Error::TableTypeMismatch { .. } => {
                BackendErrorKind::Schema
            }
            redb::Error::UpgradeRequired(_) => BackendErrorKind::NewerFormat,
            redb::Error::ValueTooLarge(_) => BackendErrorKind::InvalidData,
            redb::Error::Io(error) => match error.kind() {
                std::io::ErrorKind::PermissionDenied => BackendErrorKind::Denied,
                std::io::ErrorKind::ReadOnlyFilesystem => BackendErrorKind::ReadOnly,
                std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                    BackendErrorKind::StorageFull
                }
                _ => BackendErrorKind::Unavailable,
            },
            _ => BackendErrorKind::Other,
        };
        BackendError::new(kind, operation, error.to_string()).context("store", address).source(error)
    }
}

/// What is stored is no record of ours.
pub(crate) fn corrupt(what: &str, error: &serde_json::Error) -> Failure {
    let message = format!("{what} cannot be read: {error}");
    Failure::Backend(BackendError::new(BackendErrorKind::Corrupt, "read", message))
}

/// What is to be stored is none.
pub(crate) fn unstorable(error: &serde_json::Error) -> Failure {
    Failure::Backend(BackendError::new(BackendErrorKind::InvalidData, "write", error.to_string()))
}

/// It came before `initialize`.
pub(crate) fn not_initialized(operation: &'static str) -> BackendError {
    BackendError::new(BackendErrorKind::Schema, operation, "initialize was not called")
}
