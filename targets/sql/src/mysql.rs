use std::time::Duration;

use flamingock_core::target::Mode;
use flamingock_core::{BackendError, BackendErrorKind};
use flamingock_sql::{Dialect as _, MySql, Operation, Row};
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlPool};
use sqlx::{ConnectOptions as _, Connection as _};
use uuid::Uuid;

use crate::{Limits, SqlTarget, TargetDialect};

/// A MySQL or MariaDB database as a target system.
///
/// ```
/// # fn example(pool: sqlx::MySqlPool) {
/// use flamingock_target_sql::MySqlTarget;
///
/// let target = MySqlTarget::new("orders-db", pool);
/// # }
/// ```
///
/// # What its changes take
/// - In a transactional change: `&mut MySqlConnection`, or `&mut Transaction<'_, MySql>`.
/// - With `transactional = false`: `&mut MySqlConnection`, where each statement takes effect by itself,
///   and `&MySqlPool`. It fails when it leaves a transaction open; but what sqlx rolls back, a
///   `begin()` without `commit()`, nobody can see.
///
/// # What to know
/// - **DDL commits.** On MySQL and MariaDB, `CREATE`, `ALTER`, `DROP` and their like commit what was done
///   before them, and themselves; one that fails has committed what was before it, too. A transactional
///   change may have them, and is applied exactly once when all goes well. When something fails at or after
///   the first of them, the run records that the change is partially applied, and nobody tries it again
///   before an operator or the change's `#[verify]` has settled it. So give each DDL statement a change of
///   its own, and a `#[verify]` that looks whether the table or column is there.
/// - Each change gets a connection of its own, opened as the pool's are and closed after it, with
///   `autocommit = 0`: what follows a statement that committed is a new transaction. What a change sets on
///   its connection is seen by nobody else.
/// - A lock of a row or of a table (`innodb_lock_wait_timeout`, `lock_wait_timeout`) is waited for as long
///   as [`lock_timeout`](SqlTarget::lock_timeout) says, in whole seconds. When it is the fence that could
///   not be locked, the error says which change of which run has it.
/// - A transaction that says nothing for a minute is ended by the server (`wait_timeout`, on the session), so
///   that a process that froze in a change is not in its successor's way. A transactional change that pauses
///   for longer between two statements fails.
/// - A session is ended by `KILL`, and found by a user-level lock (`GET_LOCK`) that it holds. Where that is
///   refused, as by Percona XtraDB Cluster in its strict mode, markers name no session.
/// - Fences and markers are in the database that the pool's options name, also where a change says `USE`.
/// - Connect to the primary: a server with `read_only` is refused.
pub type MySqlTarget = SqlTarget<MySql>;

/// How long the one who is in the way is looked for.
const LOOKING: Duration = Duration::from_secs(2);

/// How often one looks whether a session is gone.
const POLL: Duration = Duration::from_millis(50);

/// A session in the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    connection: u64,
    /// A user-level lock that it holds, under a name that nobody else ever takes: connections are
    /// numbered anew when the server starts.
    lock: Option<String>,
    /// The server, since others may answer at the same address.
    server: String,
}

impl Watch {
    /// As it stands in markers: `12/flamingock-0190..@db-1:3306`.
    fn name(&self) -> Option<String> {
        let Self { connection, lock, server } = self;
        lock.as_ref().map(|lock| format!("{connection}/{lock}@{server}"))
    }

    fn parse(name: &str) -> Option<Self> {
        let (session, server) = name.split_once('@')?;
        let (connection, lock) = session.split_once('/')?;
        let connection = connection.parse().ok()?;
        Some(Self { connection, lock: Some(lock.to_owned()), server: server.to_owned() })
    }

    fn read(row: &Row, lock: Option<String>) -> Result<Self, String> {
        let server = format!("{}:{}", row.text(1)?, row.integer(2)?);
        Ok(Self { connection: row.unsigned(0)?, lock, server })
    }
}

/// What identifies a session.
const WHO: &str = "SELECT CONNECTION_ID(), @@hostname, CAST(@@port AS SIGNED)";

impl TargetDialect for MySql {
    type Watch = Watch;

    const PROBE: &'static str = "SHOW GLOBAL VARIABLES LIKE 'read_only'";
    // The server notices a little later that a connection was closed.
    const CLOSE_ENDS_SESSIONS: bool = false;
    const OF_THIS_TRANSACTION: &'static str = "";
    const COMMITS_BY_ITSELF: bool = true;

    fn refusal(_options: &MySqlConnectOptions) -> Option<String> {
        None
    }

    fn read_only(probed: &[Row]) -> Option<&'static str> {
        let value = probed.first().and_then(|row| row.text(1).ok()).unwrap_or("OFF");
        (!matches!(value, "OFF" | "0")).then_some("the server has `read_only` on: connect to the primary")
    }

    fn session_options(options: &MySqlConnectOptions, _limits: &Limits) -> MySqlConnectOptions {
        options.clone()
    }

    fn begin_change(_options: &MySqlConnectOptions, limits: &Limits) -> String {
        Self::begin_look(limits)
    }

    fn begin_plain(limits: &Limits) -> Option<String> {
        Some(settings(limits, "1"))
    }

    fn begin_look(limits: &Limits) -> String {
        let idle = seconds(limits.idle_timeout);
        format!("{}, wait_timeout = {idle}; {}", settings(limits, "0"), Self::BEGIN)
    }

    async fn watch(connection: &mut MySqlConnection, _mode: Mode) -> Result<Watch, sqlx::Error> {
        let lock = format!("flamingock-{}", Uuid::now_v7().simple());
        let locked = format!("{WHO}, GET_LOCK({}, 0)", Self::quote_text(&lock));
        let (rows, lock) = match Self::rows(connection, locked).await {
            Ok(rows) => (rows, Some(lock)),
            Err(sqlx::Error::Database(_)) => (Self::rows(connection, WHO.to_owned()).await?, None),
            Err(error) => return Err(error),
        };
        let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
        let lock = lock.filter(|_| row.integer(3) == Ok(1));
        Watch::read(row, lock).map_err(|problem| sqlx::Error::Decode(problem.into()))
    }

    async fn is_in_transaction(connection: &mut MySqlConnection) -> Result<bool, sqlx::Error> {
        // Nobody may read whether one is open, but everybody is refused this where one is.
        match Self::execute(connection, "SET TRANSACTION READ WRITE".to_owned()).await {
            Ok(_) => Ok(false),
            Err(sqlx::Error::Database(error)) if Self::number(&*error) == TRANSACTION_IN_PROGRESS => Ok(true),
            Err(error) => Err(error),
        }
    }

    fn session_name(watch: &Watch) -> Option<String> {
        watch.name()
    }

    fn lock_fence(fences: &str, columns: &str, condition: &str) -> String {
        // Reads what is committed, whatever the transaction has seen before.
        format!("SELECT {columns} FROM {fences} WHERE {condition}{}", Self::FOR_UPDATE)
    }

    async fn blocker(
        pool: &MySqlPool,
        error: &sqlx::Error,
        _fences: &str,
        markers: &str,
        condition: &str,
    ) -> Option<String> {
        let sqlx::Error::Database(error) = error else { return None };
        if Self::number(&**error) != LOCK_WAIT_TIMEOUT {
            return None;
        }
        let look = async {
            let mut connection = pool.connect_options().connect().await.ok()?;
            // Who locks whole tables keeps everybody from looking.
            let _ = Self::execute(&mut connection, "SET lock_wait_timeout = 1".to_owned()).await;
            let blocker = match change_in_progress(&mut connection, markers, condition).await {
                Some(blocker) => Some(blocker),
                None => oldest_transaction(&mut connection).await,
            };
            let _ = connection.close().await;
            blocker
        };
        tokio::time::timeout(LOOKING, look).await.ok()?
    }

    fn was_ended(_watch: &Watch) -> bool {
        false
    }

    fn permit_commit(_watch: &Watch) {}

    async fn interrupt(
        operation: &Operation<'_, Self>,
        pool: &MySqlPool,
        watch: &Watch,
    ) -> Result<(), BackendError> {
        let mut connection = connect(operation, pool).await?;
        let killed = kill(operation, &mut connection, watch).await;
        let _ = connection.close().await;
        killed.map(drop)
    }

    async fn gone(
        operation: &Operation<'_, Self>,
        pool: &MySqlPool,
        watch: &Watch,
    ) -> Result<(), BackendError> {
        let mut connection = connect(operation, pool).await?;
        let gone = wait(operation, &mut connection, watch.connection).await;
        let _ = connection.close().await;
        gone
    }

    async fn end_session(
        operation: &Operation<'_, Self>,
        pool: &MySqlPool,
        session: &str,
    ) -> Result<(), BackendError> {
        let watch = Watch::parse(session)
            .ok_or_else(|| operation.corrupt(format_args!("the session `{session}`"), "it names none"))?;
        let mut connection = connect(operation, pool).await?;
        let ended = async {
            let rows = operation.rows(&mut connection, WHO.to_owned()).await?;
            let here = rows.first().map(|row| Watch::read(row, None)).transpose();
            let here = here.map_err(|problem| operation.corrupt("the server's name", problem))?;
            if here.is_none_or(|here| here.server != watch.server) {
                let message = format!(
                    "the session `{session}` is on another server, where one must look whether it is gone"
                );
                return Err(operation.fail(BackendErrorKind::Other, message));
            }
            match kill(operation, &mut connection, &watch).await? {
                Some(id) => wait(operation, &mut connection, id).await,
                None => Ok(()),
            }
        };
        let ended = ended.await;
        let _ = connection.close().await;
        ended
    }
}

/// "Lock wait timeout exceeded; try restarting transaction".
const LOCK_WAIT_TIMEOUT: u16 = 1205;

/// "Transaction characteristics can't be changed while a transaction is in progress".
const TRANSACTION_IN_PROGRESS: u16 = 1568;

/// "Unknown thread id".
const UNKNOWN_THREAD: u16 = 1094;

/// What is set on the connection of a session.
fn settings(limits: &Limits, autocommit: &str) -> String {
    let lock = seconds(limits.lock_timeout);
    format!("SET autocommit = {autocommit}, innodb_lock_wait_timeout = {lock}, lock_wait_timeout = {lock}")
}

/// As the server takes it: whole seconds, and at least one.
fn seconds(time: Duration) -> u128 {
    time.as_millis().div_ceil(1000).clamp(1, 1_000_000)
}

/// A connection beside the pool, which may have none left.
async fn connect(
    operation: &Operation<'_, MySql>,
    pool: &MySqlPool,
) -> Result<MySqlConnection, BackendError> {
    pool.connect_options().connect().await.map_err(|error| operation.error(error))
}

/// Ends a session; its number, where there was one.
async fn kill(
    operation: &Operation<'_, MySql>,
    connection: &mut MySqlConnection,
    watch: &Watch,
) -> Result<Option<u64>, BackendError> {
    let id = match &watch.lock {
        Some(lock) => {
            let holder = format!("SELECT IS_USED_LOCK({})", operation.text(lock)?);
            let rows = operation.rows(connection, holder).await?;
            // NULL: nobody, so it is gone.
            match rows.first().and_then(|row| row.unsigned(0).ok()) {
                Some(id) => id,
                None => return Ok(None),
            }
        }
        None => watch.connection,
    };
    match MySql::execute(connection, format!("KILL {id}")).await {
        Ok(_) => Ok(Some(id)),
        Err(sqlx::Error::Database(error)) if MySql::number(&*error) == UNKNOWN_THREAD => Ok(None),
        Err(error) => Err(operation.error(error)),
    }
}

/// Returns when a connection is gone, and what it did rolled back. The caller bounds it.
async fn wait(
    operation: &Operation<'_, MySql>,
    connection: &mut MySqlConnection,
    id: u64,
) -> Result<(), BackendError> {
    let sql = format!("SELECT 1 FROM information_schema.processlist WHERE id = {id}");
    while !operation.rows(connection, sql.clone()).await?.is_empty() {
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

/// The change whose transaction has the fence, read before it is committed: no right is needed for it.
async fn change_in_progress(
    connection: &mut MySqlConnection,
    markers: &str,
    condition: &str,
) -> Option<String> {
    let sql = format!(
        "SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED; \
         SELECT change_id, execution_id, session FROM {markers} \
         WHERE {condition} AND state IN ('begun', 'undoing') ORDER BY token DESC LIMIT 1"
    );
    let rows = MySql::rows(connection, sql).await.ok()?;
    let row = rows.first()?;
    let (change, execution) = (row.text(0).ok()?, row.text(1).ok()?);
    let session = row.text(2).map(|session| format!(", session {session}")).unwrap_or_default();
    Some(format!("change `{change}` of run {execution}{session}"))
}

/// Told to those who have the right to see it (`PROCESS`).
async fn oldest_transaction(connection: &mut MySqlConnection) -> Option<String> {
    let sql = "SELECT CAST(trx_mysql_thread_id AS SIGNED), CAST(trx_started AS CHAR) \
               FROM information_schema.innodb_trx ORDER BY trx_started LIMIT 1";
    let rows = MySql::rows(connection, sql.to_owned()).await.ok()?;
    let row = rows.first()?;
    let (id, since) = (row.integer(0).ok()?, row.text(1).ok()?);
    Some(format!("perhaps the oldest open transaction, of connection {id} since {since}"))
}

#[cfg(test)]
mod tests {
    use flamingock_core::audit::Value;

    use super::*;

    #[test]
    fn a_session_is_found_by_its_name() {
        let lock = Some("flamingock-0190".to_owned());
        let watch = Watch { connection: 12, lock, server: "db-1:3306".to_owned() };
        let name = watch.name().expect("a name");
        assert_eq!(name, "12/flamingock-0190@db-1:3306");
        assert_eq!(Watch::parse(&name), Some(watch.clone()));
        // One that holds no lock could be mistaken for another after the server was restarted.
        assert_eq!(Watch { lock: None, ..watch }.name(), None);
        for name in ["", "12", "12@db-1:3306", "twelve/lock@db-1:3306"] {
            assert_eq!(Watch::parse(name), None, "{name}");
        }
    }

    #[test]
    fn a_read_only_server_is_refused() {
        let said = |value: &str| {
            let row = ["read_only", value].map(|text| Ok(Value::Text(text.to_owned())));
            MySql::read_only(&[Row(row.into())])
        };
        assert_eq!((said("OFF"), said("0")), (None, None));
        // MariaDB 12 has more words for it than one.
        for value in ["ON", "1", "NO_LOCK"] {
            assert!(said(value).is_some_and(|problem| problem.contains("primary")), "{value}");
        }
    }

    #[test]
    fn times_are_whole_seconds_and_at_least_one() {
        let limits = |lock_timeout: u64| Limits {
            lock_timeout: Duration::from_millis(lock_timeout),
            idle_timeout: Duration::from_secs(60),
        };
        assert!(settings(&limits(0), "0").contains("innodb_lock_wait_timeout = 1,"));
        assert!(settings(&limits(1001), "1").ends_with(", lock_wait_timeout = 2"));
        assert!(MySql::begin_look(&limits(1)).starts_with("SET autocommit = 0, "));
        assert!(MySql::begin_look(&limits(1)).contains(", wait_timeout = 60; "));
    }

    #[test]
    fn any_name_of_a_session_is_read_or_refused() {
        bolero::check!().with_type::<String>().for_each(|name| {
            for name in [name.clone(), format!("12/{name}@{name}")] {
                if let Some(watch) = Watch::parse(&name) {
                    assert_eq!(watch.name().and_then(|name| Watch::parse(&name)), Some(watch));
                }
            }
        });
    }
}
