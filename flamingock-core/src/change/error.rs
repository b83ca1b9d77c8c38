use std::error::Error;
use std::fmt;

/// Any error a change may return.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// What a change's methods return, unless they name an error type of their own.
pub type ChangeResult<E = BoxError> = Result<(), E>;

/// An error of a change that says more than that it failed.
#[derive(Debug)]
pub struct ChangeError {
    source: BoxError,
}

impl ChangeError {
    /// Nothing was done: the target was not touched, so a failure of this change is no issue.
    ///
    /// For changes on targets without transactions, where a failure otherwise leaves it open how
    /// much was done. Typically a connection that was refused.
    ///
    /// ```
    /// # use flamingock_core::change::{ChangeError, ChangeResult};
    /// fn connect() -> std::io::Result<()> { Err(std::io::ErrorKind::ConnectionRefused.into()) }
    ///
    /// fn apply() -> ChangeResult {
    ///     connect().map_err(ChangeError::not_applied)?;
    ///     // .. from here on the target is touched
    ///     Ok(())
    /// }
    /// # assert!(apply().is_err());
    /// ```
    pub fn not_applied(source: impl Into<BoxError>) -> Self {
        Self { source: source.into() }
    }
}

impl fmt::Display for ChangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing was done")
    }
}

impl Error for ChangeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.source.as_ref())
    }
}

/// The error of a change's method, with the name of its type.
#[derive(Debug)]
pub struct MethodError {
    type_name: &'static str,
    error: BoxError,
}

impl MethodError {
    /// Keeps the name of `E`, which boxing would lose. An error that is boxed already is a `BoxError`.
    pub fn new<E: Into<BoxError>>(error: E) -> Self {
        let name = std::any::type_name::<E>();
        let boxed = name == std::any::type_name::<BoxError>();
        Self { type_name: if boxed { "BoxError" } else { name }, error: error.into() }
    }

    /// The name of the error's type, as the method's signature has it.
    pub fn type_name(&self) -> &'static str {
        self.type_name
    }

    /// Whether the method said that nothing was done.
    pub fn not_applied(&self) -> bool {
        self.error.is::<ChangeError>()
    }

    /// The messages of the error and of its causes, outermost first.
    pub fn chain(&self) -> Vec<String> {
        let mut messages = vec![self.error.to_string()];
        let mut cause = self.error.source();
        while let Some(error) = cause {
            messages.push(error.to_string());
            cause = error.source();
        }
        messages
    }
}

impl fmt::Display for MethodError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}
