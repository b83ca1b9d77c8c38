use std::future::Future;

use flamingock_sql::{Connection, Dialect, Options};

/// What an audit store needs of a database beyond its [`Dialect`].
pub trait StoreDialect: Dialect {
    /// Why a database cannot keep an audit, if so, told from how it is connected to.
    fn refusal(options: &Options<Self>) -> Option<String>;

    /// The options of the heartbeat's connection: it gives up early rather than wait.
    fn impatient(options: &Options<Self>) -> Options<Self>;

    /// Why an acknowledged append may still be lost in a power cut, if so, as the connection is set up.
    fn weakness(
        connection: &mut Connection<Self>,
    ) -> impl Future<Output = Result<Option<String>, sqlx::Error>> + Send;
}
