use std::future::Future;

use flamingock_sql::{Connection, Dialect, Options};

/// What an audit store needs of a database beyond its [`Dialect`].
pub trait StoreDialect: Dialect {
    /// Whether one statement can be an upsert that returns its row, and can write within another: then
    /// each write of the store is one, and needs no transaction around it.
    const AT_ONCE: bool;

    /// Whether that is a script of several statements, sent at once, instead of a single one.
    const SCRIPTS: bool = false;

    /// Why a database cannot keep an audit, if so, told from how it is connected to.
    fn refusal(options: &Options<Self>) -> Option<String>;

    /// The options of the heartbeat's connection: it gives up early rather than wait.
    fn impatient(options: &Options<Self>) -> Options<Self>;

    /// Why an acknowledged append may still be lost in a power cut, if so, as the connection is set up.
    fn weakness(
        connection: &mut Connection<Self>,
    ) -> impl Future<Output = Result<Option<String>, sqlx::Error>> + Send;
}
