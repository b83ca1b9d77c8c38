use std::fmt::Debug;

/// What a test may return.
#[diagnostic::on_unimplemented(
    message = "a test cannot return `{Self}`",
    note = "a test returns nothing, or `Result<(), E>` with an error that implements `Debug`"
)]
pub trait Outcome {
    /// What went wrong, if it did.
    fn error(self) -> Option<String>;
}

impl Outcome for () {
    fn error(self) -> Option<String> {
        None
    }
}

impl<E: Debug> Outcome for Result<(), E> {
    fn error(self) -> Option<String> {
        self.err().map(|error| format!("Error: {error:?}"))
    }
}
