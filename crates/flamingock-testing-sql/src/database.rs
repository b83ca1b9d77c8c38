use std::fmt;
use std::time::Duration;

use flamingock_core::change::BoxError;
use futures_util::future::BoxFuture;

use crate::Options;

/// How long a database stays that no test removed: one of a test that failed or was killed.
pub const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// How long to wait for connections that a test which passed still holds.
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
pub(crate) const CLOSE: Duration = Duration::from_secs(5);

/// A type that a test takes as a parameter to get a database of its own.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no database that a test can take",
    label = "not a pool of a database",
    note = "a test takes `PgPool`, `MySqlPool` or `SqlitePool`, with the feature `postgres`, `mysql` or `sqlite` of `flamingock`"
)]
pub trait TestDatabase: Sized + Send {
    /// Makes a database of its own, and opens it.
    ///
    /// # Errors
    /// When there is no server, or it refuses; the message says what to do.
    fn create(options: &Options) -> impl Future<Output = Result<(Self, Created), BoxError>> + Send;
}

/// A database that was made.
pub struct Created {
    /// Where it is, without a password.
    pub address: String,
    /// Removes it.
    pub remove: Box<dyn FnOnce() -> BoxFuture<'static, Result<(), BoxError>> + Send>,
}

impl fmt::Debug for Created {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Created").field("address", &self.address).finish_non_exhaustive()
    }
}
