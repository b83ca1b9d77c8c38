use std::error::Error;
use std::fmt;

/// The error of an audit store, a lock or a target system.
///
/// Plugins map their driver's errors to it in one function. Messages carry no secrets.
///
/// ```
/// # use flamingock_core::{BackendError, BackendErrorKind};
/// let error = BackendError::new(BackendErrorKind::Unavailable, "append", "connection refused")
///     .context("store", "sqlite:audit.db");
/// assert!(error.is_temporary());
/// assert_eq!(error.to_string(), "append failed: connection refused (store: sqlite:audit.db)");
/// ```
///
/// `{:?}` is the same text as `{}`, because that is what a `main` that returns it prints; `{:#?}`
/// shows everything.
pub struct BackendError {
    inner: Box<Inner>,
}

#[derive(Debug)]
struct Inner {
    kind: BackendErrorKind,
    operation: &'static str,
    message: String,
    context: Vec<(&'static str, String)>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What went wrong, as far as the caller can act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BackendErrorKind {
    /// Not reached, connection lost, timed out, overloaded. The operation may have taken effect.
    Unavailable,
    /// Another writer is in the way and stays there: nobody else can write either, and the
    /// operation took no effect. Only stores with a single writer (SQLite) have it.
    Busy,
    /// A newer runner is in office, or somebody else holds the lock. The operation took no effect.
    LeaseLost,
    /// Refused for what it was given: too long, not encodable. The operation took no effect.
    InvalidData,
    /// What is stored cannot be read as what it should be.
    Corrupt,
    /// Tables or collections are missing or of another shape.
    Schema,
    /// What is stored was written by a newer release.
    NewerFormat,
    /// The user or the file may not be written.
    ReadOnly,
    /// The disk or the quota is full.
    StorageFull,
    /// Credentials or permissions are refused.
    Denied,
    /// The plugin is set up in a way that cannot work.
    Misconfigured,
    /// Anything else.
    Other,
}

impl BackendError {
    /// An error of an operation, such as `append`, with what the driver said.
    pub fn new(kind: BackendErrorKind, operation: &'static str, message: impl Into<String>) -> Self {
        let inner = Inner { kind, operation, message: message.into(), context: Vec::new(), source: None };
        Self { inner: Box::new(inner) }
    }

    /// The runner is no longer in office, or no longer holds the lock.
    pub fn lease_lost(operation: &'static str, message: impl Into<String>) -> Self {
        Self::new(BackendErrorKind::LeaseLost, operation, message)
    }

    /// Adds a fact, such as the address. Never a secret.
    #[must_use]
    pub fn context(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.inner.context.push((name, value.into()));
        self
    }

    /// Adds the driver's own error. Its messages must carry no secrets.
    #[must_use]
    pub fn source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.inner.source = Some(source.into());
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> BackendErrorKind {
        self.inner.kind
    }

    /// What was being done.
    pub fn operation(&self) -> &'static str {
        self.inner.operation
    }

    /// Whether trying again may help.
    pub fn is_temporary(&self) -> bool {
        matches!(self.inner.kind, BackendErrorKind::Unavailable | BackendErrorKind::Busy)
    }

    /// Whether the caller has lost its lease or its office.
    pub fn is_lease_lost(&self) -> bool {
        self.inner.kind == BackendErrorKind::LeaseLost
    }
}

impl fmt::Display for BackendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed: {}", self.inner.operation, self.inner.message)?;
        for (index, (name, value)) in self.inner.context.iter().enumerate() {
            write!(f, "{}{name}: {value}", if index == 0 { " (" } else { ", " })?;
        }
        if self.inner.context.is_empty() { Ok(()) } else { f.write_str(")") }
    }
}

impl fmt::Debug for BackendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() { self.inner.fmt(f) } else { fmt::Display::fmt(self, f) }
    }
}

impl Error for BackendError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.inner.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}
