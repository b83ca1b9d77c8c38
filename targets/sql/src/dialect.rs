use std::future::Future;
use std::time::Duration;

use flamingock_core::target::Mode;
use flamingock_sql::{Connection, Dialect, Options};
use sqlx::Pool;

/// What a target system needs of a database beyond its [`Dialect`].
pub trait TargetDialect: Dialect {
    /// Watches over the connection of one session.
    type Watch: Send + Sync + 'static;

    /// A query that reaches the database.
    const PROBE: &'static str;

    /// Whether nothing of a session can take effect once [`close`](Self::close) has returned.
    const CLOSE_ENDS_SESSIONS: bool;

    /// Why a database cannot be a target, if so, told from how it is connected to.
    fn refusal(options: &Options<Self>) -> Option<String>;

    /// Where one session gets its connection from; it waits so long for a lock.
    fn connections(pool: &Pool<Self::Database>, lock_timeout: Duration) -> Pool<Self::Database>;

    /// Gives back what [`connections`](Self::connections) gave, once its connection was dropped.
    fn close(connections: Pool<Self::Database>) -> impl Future<Output = ()> + Send;

    /// Puts a watch on the connection of a session that was just opened.
    fn watch(
        connection: &mut Connection<Self>,
        mode: Mode,
    ) -> impl Future<Output = Result<Self::Watch, sqlx::Error>> + Send;

    /// The server's name for the session, where it has one.
    fn session_name(watch: &Self::Watch) -> Option<String>;

    /// The statement that locks the fence for the rest of the transaction.
    fn lock_fence(fences: &str, condition: &str) -> String;

    /// Whether the change ended the session's transaction by itself.
    fn was_ended(watch: &Self::Watch) -> bool;

    /// From now on the session's transaction may be committed.
    fn permit_commit(watch: &Self::Watch);

    /// Ends what the session is still doing in the server. Called before its connection is dropped.
    fn interrupt(
        pool: &Pool<Self::Database>,
        watch: &Self::Watch,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// Ends the session of this name, and returns when it is gone.
    fn end_session(
        pool: &Pool<Self::Database>,
        session: &str,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;
}
