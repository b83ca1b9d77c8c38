use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, Instant};

use flamingock_core::target::Mode;
use flamingock_core::{BackendError, BackendErrorKind};
use flamingock_sql::{Dialect, Operation, Postgres, Row};
use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool};

use crate::{Limits, SqlTarget, TargetDialect};

/// A PostgreSQL database as a target system.
///
/// ```
/// # fn example(pool: sqlx::PgPool) {
/// use flamingock_target_sql::PostgresTarget;
///
/// let target = PostgresTarget::new("orders-db", pool).schema("ops");
/// # }
/// ```
///
/// # What its changes take
/// - In a transactional change: `&mut PgConnection`, or `&mut Transaction<'_, Postgres>`. DDL is part of
///   the transaction.
/// - With `transactional = false`: `&mut PgConnection`, where each statement takes effect by itself
///   (needed for `CREATE INDEX CONCURRENTLY`, `VACUUM` and a few more), and `&PgPool`. It fails when it
///   leaves a transaction open; but what sqlx rolls back, a `begin()` without `commit()`, nobody can see.
///
/// # What to know
/// - Changes have a connection beside the pool, opened as the pool's are. It serves the next change only as
///   long as it is as it was opened: what a change sets on it (`search_path`, a role, a temporary table) is
///   seen by nobody else, but for custom settings (`SET app.x`), which no server lists. It is named in
///   `pg_stat_activity.application_name`: the pool's own name, and `flamingock-` with a number.
/// - A change's transaction is `READ COMMITTED`, waits for a lock as long as
///   [`lock_timeout`](SqlTarget::lock_timeout) says, and is ended by the server when it stands still for
///   longer than [`idle_timeout`](Self::idle_timeout): a change that computes for minutes between two
///   statements needs more. Plain changes run under the server's own settings.
/// - A change that runs `COMMIT` or `ROLLBACK` itself fails. What it committed stays, and its marker says so.
/// - What a change that is given up was doing is ended with `pg_terminate_backend`, which a role may do to
///   its own sessions.
/// - A change that runs `ROLLBACK` itself and goes on fails, too; but what it did after that, outside any
///   transaction, stays, and no marker tells of it.
/// - PgBouncer in transaction mode will do (sqlx needs `ignore_startup_parameters = extra_float_digits`), but
///   a plain change has to send its statements with `sqlx::raw_sql`: the two messages of a prepared one may
///   get to different servers. Connections without it are better: only there can another process' session
///   be ended for certain. And give what shares the pooler an `application_name`: else it may be lent a
///   connection with the name of a plain change, and be ended with that when the change is given up.
pub type PostgresTarget = SqlTarget<Postgres>;

impl SqlTarget<Postgres> {
    /// The schema of the tables `fences` and `markers`; unless told, the first one of the connection's
    /// `search_path`. It is not created. Name it where changes set another `search_path`, as the files of
    /// `pg_dump` do.
    #[must_use]
    pub fn schema(mut self, schema: impl Into<String>) -> Self {
        self.rows.schema = Some(schema.into());
        self
    }

    /// How long a change's transaction may stand still between two statements before the server ends it;
    /// 60 seconds unless told. About as long as a lease: a process that freezes within a change is in its
    /// successor's way until then.
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.limits.idle_timeout = timeout;
        self
    }
}

/// How long a session may take to end after it was told to.
const ENDING: Duration = Duration::from_secs(10);

/// How long the one who is in the way is looked for.
const LOOKING: Duration = Duration::from_secs(2);

/// What the name of a session of a target ends with, as a regular expression.
const OURS: &str = "flamingock-[0-9a-f]{16}$";

/// When a server process was started, in microseconds: with its id, one of a kind.
const STARTED: &str = "(EXTRACT(EPOCH FROM backend_start) * 1000000)::bigint";

/// Forgets the statements that sqlx has prepared, and no other.
const DEALLOCATE: &str = "DO $do$ DECLARE prepared text; BEGIN \
     FOR prepared IN SELECT name FROM pg_prepared_statements WHERE name LIKE 'sqlx%' LOOP \
     EXECUTE format('DEALLOCATE %I', prepared); END LOOP; END $do$";

/// Counts what a session has that a new one has not, whether a change left it or the pool's own hooks:
/// settings, another role, temporary tables, prepared statements, cursors, channels, locks.
const TRACES: &str = "SELECT (SELECT COUNT(*) FROM pg_settings WHERE source = 'session') \
     + (SELECT COUNT(*) FROM pg_stat_get_activity(pg_backend_pid()) \
         WHERE pg_get_userbyid(usesysid) <> session_user OR session_user <> current_user) \
     + (pg_my_temp_schema() <> 0)::int \
     + (SELECT COUNT(*) FROM pg_prepared_statements) \
     + (SELECT COUNT(*) FROM pg_cursors WHERE is_holdable) \
     + (SELECT COUNT(*) FROM pg_listening_channels()) \
     + (SELECT COUNT(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory')";

/// A session of the server: its process, which is nobody else's. Behind a connection pooler, process and
/// start are of the connection that the pooler last lent, and `pooled` the name that the session has
/// wherever it is at work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionName {
    process: i64,
    started: i64,
    pooled: Option<String>,
}

impl SessionName {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '/');
        let mut number = || parts.next()?.parse().ok();
        let (process, started) = (number()?, number()?);
        Some(Self { process, started, pooled: parts.next().map(str::to_owned) })
    }
}

impl fmt::Display for SessionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.process, self.started)?;
        self.pooled.as_ref().map_or(Ok(()), |name| write!(f, "/{name}"))
    }
}

impl TargetDialect for Postgres {
    type Watch = SessionName;

    const PROBE: &'static str = "SELECT CASE WHEN pg_is_in_recovery() THEN 1 \
         WHEN current_setting('transaction_read_only') = 'on' THEN 2 ELSE 0 END";
    const CLOSE_ENDS_SESSIONS: bool = false;
    const KEEPS_CONNECTIONS: bool = true;
    // The marker's version is of the transaction that wrote it. A version has 32 bits.
    const OF_THIS_TRANSACTION: &'static str = " AND xmin::text = mod(txid_current(), 4294967296)::text";

    fn refusal(_options: &PgConnectOptions) -> Option<String> {
        None
    }

    fn read_only(probed: &[Row]) -> Option<&'static str> {
        match probed.first().map(|row| row.integer(0)) {
            Some(Ok(1)) => Some("the server is a standby: connect to the primary"),
            Some(Ok(2)) => {
                Some("the connection is read-only: set `default_transaction_read_only` to off for its role")
            }
            _ => None,
        }
    }

    fn session_options(options: &PgConnectOptions, _limits: &Limits) -> PgConnectOptions {
        options.clone().application_name(&application_name(options))
    }

    fn begin_change(options: &PgConnectOptions, limits: &Limits) -> String {
        // A name for this transaction only: the connection's own stays on what a pooler lends to others.
        let name = application_name(options);
        format!("{}; SET LOCAL application_name = '{name}'", Self::begin_look(limits))
    }

    fn begin_look(limits: &Limits) -> String {
        format!(
            "{}; SET LOCAL lock_timeout = {}; SET LOCAL idle_in_transaction_session_timeout = {}",
            Self::BEGIN,
            milliseconds(limits.lock_timeout),
            milliseconds(limits.idle_timeout),
        )
    }

    async fn watch(connection: &mut PgConnection, mode: Mode) -> Result<SessionName, sqlx::Error> {
        // A process that was started with such a name serves us alone. A pooler sets names afterwards.
        let sql = format!(
            "SELECT pid, {STARTED}, application_name, \
             (SELECT COUNT(*) FROM pg_prepared_statements WHERE name LIKE 'sqlx%'), \
             (SELECT COUNT(*) FROM pg_settings WHERE name = 'application_name' AND reset_val ~ '{OURS}') \
             FROM pg_stat_get_activity(pg_backend_pid())"
        );
        let rows = Self::rows(connection, sql).await?;
        let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
        let read = || -> Result<(SessionName, i64), String> {
            let pooled = match row.integer(4)? {
                0 => Some(row.optional_text(2)?.unwrap_or_default().to_owned()),
                _ => None,
            };
            let session = SessionName { process: row.integer(0)?, started: row.integer(1)?, pooled };
            Ok((session, row.integer(3)?))
        };
        let (session, prepared) = read().map_err(|problem| sqlx::Error::Decode(problem.into()))?;
        if prepared > 0 && mode == Mode::Transactional {
            // Others that a connection pooler lent this connection to left them, under the very names that
            // sqlx gives to those of the change.
            connection.clear_cached_statements().await?;
            Self::execute(connection, DEALLOCATE.to_owned()).await?;
        }
        Ok(session)
    }

    fn watch_next(watch: &SessionName) -> Option<SessionName> {
        // The process is its own as long as it is connected, and nobody else prepares anything there.
        watch.pooled.is_none().then(|| watch.clone())
    }

    async fn is_untouched(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
        connection.clear_cached_statements().await?;
        let rows = Self::rows(connection, TRACES.to_owned()).await?;
        Ok(rows.first().is_some_and(|row| row.integer(0) == Ok(0)))
    }

    async fn is_in_transaction(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
        let sql = "SELECT (now() <> statement_timestamp())::int";
        match Self::rows(connection, sql.to_owned()).await {
            Ok(rows) => Ok(rows.first().is_some_and(|row| row.integer(0) != Ok(0))),
            // One in which a statement has failed, or that the server has ended for standing still.
            Err(sqlx::Error::Database(error))
                if matches!(error.code().as_deref(), Some("25P02" | "25P03")) =>
            {
                Ok(true)
            }
            Err(error) => Err(error),
        }
    }

    fn session_name(watch: &SessionName) -> Option<String> {
        Some(watch.to_string())
    }

    fn lock_fence(fences: &str, columns: &str, condition: &str) -> String {
        format!("SELECT {columns} FROM {fences} WHERE {condition} FOR UPDATE")
    }

    async fn blocker(
        pool: &PgPool,
        error: &sqlx::Error,
        fences: &str,
        _markers: &str,
        condition: &str,
    ) -> Option<String> {
        let sqlx::Error::Database(error) = error else { return None };
        if error.code().as_deref() != Some("55P03") {
            return None;
        }
        // Who locks a row writes the number of its transaction on it.
        let sql = format!(
            "SELECT pid || '/' || {STARTED} || '/' || COALESCE(application_name, ''), COALESCE(state, 'hidden'), \
             COALESCE(xact_start::text, '?'), COALESCE(query_start::text, '?') \
             FROM {fences} AS fence JOIN pg_stat_activity ON backend_xid = fence.xmax WHERE {condition}"
        );
        let look = async {
            let mut connection = Self::connect(pool).await?;
            let rows = Self::rows(&mut connection, sql).await;
            let _ = connection.close().await;
            rows
        };
        let rows = tokio::time::timeout(LOOKING, look).await.ok()?.ok()?;
        let row = rows.first()?;
        let [session, state, since, query] = [0, 1, 2, 3].map(|index| row.text(index).unwrap_or("?"));
        Some(format!(
            "session {session}, {state}, its transaction open since {since}, its last query sent at {query}"
        ))
    }

    fn was_ended(_watch: &SessionName) -> bool {
        // The server says so when the marker is finished.
        false
    }

    fn permit_commit(_watch: &SessionName) {}

    async fn interrupt(
        operation: &Operation<'_, Self>,
        pool: &PgPool,
        watch: &SessionName,
    ) -> Result<(), BackendError> {
        end(operation, pool, watch).await
    }

    async fn gone(
        operation: &Operation<'_, Self>,
        pool: &PgPool,
        watch: &SessionName,
    ) -> Result<(), BackendError> {
        end(operation, pool, watch).await
    }

    async fn end_session(
        operation: &Operation<'_, Self>,
        pool: &PgPool,
        session: &str,
    ) -> Result<(), BackendError> {
        let parsed = SessionName::parse(session).ok_or_else(|| {
            operation.corrupt("the session in a marker", format_args!("`{}`", session.escape_debug()))
        })?;
        end(operation, pool, &parsed).await
    }
}

/// The name of a session: the pool's own as far as it fits (63 bytes), and a number that is its alone.
/// Nothing in it needs escaping.
fn application_name(options: &PgConnectOptions) -> String {
    let number = RandomState::new().hash_one(Instant::now());
    let own = options.get_application_name().unwrap_or_default().chars();
    let own: String = own.filter(|c| (' '..='~').contains(c) && !"/'\\".contains(*c)).take(34).collect();
    format!("{own} flamingock-{number:016x}").trim_start().to_owned()
}

/// As the server takes it; not 0, which is for ever.
fn milliseconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX).max(1)
}

/// Ends what a session does in the server, and returns when nothing of it is left.
///
/// Behind a connection pooler, who bears the session's name is ended. A process that has the session's
/// number, but another name, works for somebody else who came after it, or for a change that renamed itself:
/// it is not ended, but waited for until it has done what it was doing before.
async fn end(
    operation: &Operation<'_, Postgres>,
    pool: &PgPool,
    session: &SessionName,
) -> Result<(), BackendError> {
    let mut connection = Postgres::connect(pool).await.map_err(|error| operation.error(error))?;
    let ended = until_gone(operation, &mut connection, session).await;
    let _ = connection.close().await;
    ended
}

async fn until_gone(
    operation: &Operation<'_, Postgres>,
    connection: &mut PgConnection,
    session: &SessionName,
) -> Result<(), BackendError> {
    let number = |rows: &[Row]| rows.first().map_or(Ok(0), |row| row.integer(0));
    let corrupt = |problem| operation.corrupt("what the server says of its sessions", problem);
    let now = operation.rows(connection, format!("SELECT {}", Postgres::NOW)).await?;
    let now = number(&now).map_err(corrupt)?;
    let process = format!("pid = {} AND {STARTED} = {}", session.process, session.started);
    let (own, found) = match &session.pooled {
        None => ("TRUE".to_owned(), process),
        Some(name) => {
            let own = format!("application_name = {}", operation.text(name)?);
            let before = format!("state <> 'idle' AND EXTRACT(EPOCH FROM query_start) * 1000000 < {now}");
            (own.clone(), format!("{own} OR ({process} AND {before})"))
        }
    };
    let sql = format!(
        "WITH found AS MATERIALIZED (SELECT pid, {own} AS own FROM pg_stat_activity \
         WHERE pid <> pg_backend_pid() AND ({found})), \
         ended AS MATERIALIZED (SELECT pg_terminate_backend(pid) FROM found WHERE own) \
         SELECT (SELECT COUNT(*) FROM found) + 0 * (SELECT COUNT(*) FROM ended)",
    );
    let asked = Instant::now();
    while number(&operation.rows(connection, sql.clone()).await?).map_err(corrupt)? > 0 {
        if asked.elapsed() > ENDING {
            let message = format!("the session {session} was told to end, and is still there");
            return Err(operation.fail(BackendErrorKind::Unavailable, message));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_of_a_session_is_read_or_refused() {
        bolero::check!().with_type::<(i64, i64, Option<String>)>().for_each(|(process, started, pooled)| {
            let name = SessionName { process: *process, started: *started, pooled: pooled.clone() };
            assert_eq!(SessionName::parse(&name.to_string()), Some(name));
            let own = pooled.as_deref().unwrap_or_default();
            let _ = SessionName::parse(own);
            let named = application_name(&PgConnectOptions::new().application_name(own));
            assert!(named.len() <= 63 && !named.contains(['\'', '\\', '/']), "{named}");
        });
    }
}
