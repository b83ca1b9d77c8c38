use std::future::Future;
use std::time::Duration;

use flamingock_core::BackendError;
use flamingock_core::target::Mode;
use flamingock_sql::{Connection, Dialect, Operation, Options, Row};
use sqlx::Pool;

/// How long a session may be in the way of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// How long it waits for a lock, while it holds others.
    pub lock_timeout: Duration,
    /// How long its transaction may stand still between two statements, where the server can tell.
    pub idle_timeout: Duration,
}

/// What a target system needs of a database beyond its [`Dialect`].
pub trait TargetDialect: Dialect {
    /// Watches over the connection of one session.
    type Watch: Send + Sync + 'static;

    /// A query that reaches the database.
    const PROBE: &'static str;

    /// Whether nothing of a session can take effect once its connection was closed.
    const CLOSE_ENDS_SESSIONS: bool;

    /// Whether the connection of a change that is applied serves the next one, if it
    /// [`is_untouched`](Self::is_untouched).
    const KEEPS_CONNECTIONS: bool = false;

    /// Why a database cannot be a target, if so, told from how it is connected to.
    fn refusal(options: &Options<Self>) -> Option<String>;

    /// Why the database cannot be written to, if so, told from what [`PROBE`](Self::PROBE) gave.
    fn read_only(probed: &[Row]) -> Option<&'static str>;

    /// How the connection of a session is opened, where the pool's connections are opened with `options`.
    fn session_options(options: &Options<Self>, limits: &Limits) -> Options<Self>;

    /// Begins the transaction of a change. The fence is not locked by it, but by the next statement.
    fn begin_change(options: &Options<Self>, limits: &Limits) -> String;

    /// Prepares a connection for a change without a transaction, if it needs that.
    fn begin_plain(limits: &Limits) -> Option<String> {
        let _ = limits;
        None
    }

    /// Begins a transaction that locks the fence for a look at it.
    fn begin_look(limits: &Limits) -> String;

    /// Puts a watch on the connection of a session that was just opened.
    fn watch(
        connection: &mut Connection<Self>,
        mode: Mode,
    ) -> impl Future<Output = Result<Self::Watch, sqlx::Error>> + Send;

    /// The watch on the next session over the same connection, where it is known without asking: then
    /// [`watch`](Self::watch) is not called for it.
    fn watch_next(watch: &Self::Watch) -> Option<Self::Watch> {
        let _ = watch;
        None
    }

    /// Whether a connection is, after a change, as it was when it was opened.
    fn is_untouched(
        connection: &mut Connection<Self>,
    ) -> impl Future<Output = Result<bool, sqlx::Error>> + Send {
        let _ = connection;
        std::future::ready(Ok(false))
    }

    /// Whether a transaction is open, which a plain change began and did not end.
    fn is_in_transaction(
        connection: &mut Connection<Self>,
    ) -> impl Future<Output = Result<bool, sqlx::Error>> + Send;

    /// The server's name for the session, where it has one.
    fn session_name(watch: &Self::Watch) -> Option<String>;

    /// The statement that locks the fence for the rest of the transaction, and then reads it.
    fn lock_fence(fences: &str, columns: &str, condition: &str) -> String;

    /// Who is in the way, after the fence could not be locked for this error; [`None`] when it was
    /// something else, or cannot be told. `condition` picks a history's rows in either table.
    fn blocker(
        pool: &Pool<Self::Database>,
        error: &sqlx::Error,
        fences: &str,
        markers: &str,
        condition: &str,
    ) -> impl Future<Output = Option<String>> + Send;

    /// What is true of a marker that was written in the current transaction, as a condition that
    /// follows others; empty where [`was_ended`](Self::was_ended) tells.
    const OF_THIS_TRANSACTION: &'static str;

    /// Whether statements commit by themselves what was done before them, and go on. Then the fence is
    /// locked again before the marker is finished.
    const COMMITS_BY_ITSELF: bool = false;

    /// Whether the change ended the session's transaction by itself.
    fn was_ended(watch: &Self::Watch) -> bool;

    /// From now on the session's transaction may be committed.
    fn permit_commit(watch: &Self::Watch);

    /// Ends what the session is still doing in the server. Called before its connection is dropped.
    fn interrupt(
        operation: &Operation<'_, Self>,
        pool: &Pool<Self::Database>,
        watch: &Self::Watch,
    ) -> impl Future<Output = Result<(), BackendError>> + Send;

    /// Returns when nothing of an interrupted session is left in the server. Called after its connection
    /// was dropped, which may have sent what was still in its buffers.
    fn gone(
        operation: &Operation<'_, Self>,
        pool: &Pool<Self::Database>,
        watch: &Self::Watch,
    ) -> impl Future<Output = Result<(), BackendError>> + Send;

    /// Ends the session of this name, and returns when it is gone.
    fn end_session(
        operation: &Operation<'_, Self>,
        pool: &Pool<Self::Database>,
        session: &str,
    ) -> impl Future<Output = Result<(), BackendError>> + Send;
}
