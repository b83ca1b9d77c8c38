use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use flamingock_core::BackendError;
use flamingock_core::target::Mode;
use flamingock_sql::{Dialect as _, Operation, Row, Sqlite};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqlitePool};

use crate::{Limits, SqlTarget, TargetDialect};

/// An SQLite file as a target system.
///
/// ```
/// # async fn example() -> Result<(), sqlx::Error> {
/// use flamingock_target_sql::SqliteTarget;
/// use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
///
/// let options = SqliteConnectOptions::new().filename("orders.db").create_if_missing(true);
/// let target = SqliteTarget::new("orders-db", SqlitePool::connect_with(options).await?);
/// # Ok(()) }
/// ```
///
/// # What its changes take
/// - In a transactional change: `&mut SqliteConnection`, or `&mut Transaction<'_, Sqlite>`. DDL is
///   part of the transaction.
/// - With `transactional = false`: `&mut SqliteConnection`, where each statement takes effect by itself
///   (needed for `VACUUM`, for one), and `&SqlitePool`. It fails when it leaves a transaction open; but what
///   sqlx rolls back, a `begin()` without `commit()`, nobody can see.
///
/// # What to know
/// - A transactional change is all or nothing, whatever is in its text: a `COMMIT` in it is refused by
///   SQLite (`constraint failed`) and rolls back; after a `ROLLBACK` in it nothing more takes effect, and the
///   change fails.
/// - SQLite lets one connection write at a time. A change waits for others as long as
///   [`lock_timeout`](SqlTarget::lock_timeout) says. The audit store may be in the same file.
/// - Each change gets a connection of its own, opened as the pool's are and closed after it: what a change
///   sets on its connection (a `PRAGMA`, a temporary table) is seen by nobody else.
/// - A database in memory is refused: each connection may get another one.
pub type SqliteTarget = SqlTarget<Sqlite>;

/// Virtual machine instructions between two looks at whether to stop: some microseconds.
const INSTRUCTIONS: i32 = 1000;

/// Hooks on the connection of a session. Dropping it stops what the connection is doing.
#[derive(Debug, Default)]
pub struct Watch {
    stop: Arc<AtomicBool>,
    may_commit: Arc<AtomicBool>,
    ended: Arc<AtomicBool>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl TargetDialect for Sqlite {
    type Watch = Watch;

    // Reads the schema, and so the file.
    const PROBE: &'static str = "SELECT COUNT(*) FROM sqlite_master";
    const CLOSE_ENDS_SESSIONS: bool = true;

    fn refusal(options: &SqliteConnectOptions) -> Option<String> {
        Self::in_memory(options).then(|| {
            "a database in memory is another one for each connection: give the path of a file \
             (in tests, of a temporary one)"
                .to_owned()
        })
    }

    fn read_only(_probed: &[Row]) -> Option<&'static str> {
        None
    }

    fn session_options(options: &SqliteConnectOptions, limits: &Limits) -> SqliteConnectOptions {
        options.clone().busy_timeout(limits.lock_timeout)
    }

    fn begin_change(_options: &SqliteConnectOptions, _limits: &Limits) -> String {
        // Who waits for the one writer waits for the fence.
        "BEGIN".to_owned()
    }

    fn begin_look(_limits: &Limits) -> String {
        Self::BEGIN.to_owned()
    }

    async fn watch(connection: &mut SqliteConnection, mode: Mode) -> Result<Watch, sqlx::Error> {
        let watch = Watch::default();
        let mut handle = connection.lock_handle().await?;
        let stop = Arc::clone(&watch.stop);
        handle.set_progress_handler(INSTRUCTIONS, move || !stop.load(Ordering::Relaxed));
        if mode == Mode::Transactional {
            let (may_commit, ended) = (Arc::clone(&watch.may_commit), Arc::clone(&watch.ended));
            // A commit that is not ours becomes a rollback: also that of a statement after a ROLLBACK.
            handle.set_commit_hook(move || {
                let may_commit = may_commit.load(Ordering::Acquire);
                ended.fetch_or(!may_commit, Ordering::AcqRel);
                may_commit
            });
            let ended = Arc::clone(&watch.ended);
            handle.set_rollback_hook(move || ended.store(true, Ordering::Release));
        }
        Ok(watch)
    }

    async fn is_in_transaction(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
        // Begins only where none is open, and locks nothing.
        match Self::execute(connection, "BEGIN; ROLLBACK".to_owned()).await {
            Ok(_) => Ok(false),
            Err(sqlx::Error::Database(_)) => Ok(true),
            Err(error) => Err(error),
        }
    }

    fn session_name(_watch: &Watch) -> Option<String> {
        None
    }

    fn lock_fence(fences: &str, columns: &str, condition: &str) -> String {
        // Any write locks the file. It comes before any read, so SQLite waits for the lock.
        format!("UPDATE {fences} SET token = token WHERE {condition} RETURNING {columns}")
    }

    async fn blocker(
        _pool: &SqlitePool,
        _error: &sqlx::Error,
        _fences: &str,
        _markers: &str,
        _condition: &str,
    ) -> Option<String> {
        None
    }

    const OF_THIS_TRANSACTION: &'static str = "";

    fn was_ended(watch: &Watch) -> bool {
        watch.ended.load(Ordering::Acquire)
    }

    fn permit_commit(watch: &Watch) {
        // Not after the change has ended the transaction: what it did since is not the run's to commit.
        if !Self::was_ended(watch) {
            watch.may_commit.store(true, Ordering::Release);
        }
    }

    async fn interrupt(
        _operation: &Operation<'_, Self>,
        _pool: &SqlitePool,
        watch: &Watch,
    ) -> Result<(), BackendError> {
        watch.stop.store(true, Ordering::Relaxed);
        Ok(())
    }

    async fn gone(
        _operation: &Operation<'_, Self>,
        _pool: &SqlitePool,
        _watch: &Watch,
    ) -> Result<(), BackendError> {
        // Its thread has ended when its pool is closed.
        Ok(())
    }

    async fn end_session(
        _operation: &Operation<'_, Self>,
        _pool: &SqlitePool,
        _session: &str,
    ) -> Result<(), BackendError> {
        // SQLite has no sessions but the connections of its processes, and they end with them.
        Ok(())
    }
}
