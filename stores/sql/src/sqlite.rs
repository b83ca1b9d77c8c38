use std::str::FromStr as _;
use std::time::{Duration, Instant};

use flamingock_core::{BackendError, BackendErrorKind};
use flamingock_sql::{Dialect as _, Operation, Sqlite};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};

use crate::{SqlAuditStore, StoreDialect};

/// How long a connection of the store waits for another writer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the heartbeat's connection waits for another writer.
const IMPATIENCE: Duration = Duration::from_millis(250);

/// Audit store and lock in an SQLite file.
///
/// ```
/// # async fn example() -> Result<(), flamingock_core::BackendError> {
/// use flamingock_store_sql::SqliteAuditStore;
///
/// let store = SqliteAuditStore::connect("sqlite://audit.db").await?.table_prefix("changes_");
/// # Ok(()) }
/// ```
///
/// # What to know
/// - **One clock.** SQLite has no server: leases are judged by the clock of the machine, through
///   SQLite's own functions. All processes on one file must run on one machine; SQLite asks for the
///   same, since its file locks do not work on network drives.
/// - **One writer.** SQLite lets one connection write at a time. The store waits for others (as long as
///   the pool's `busy_timeout` says) and then fails with [`BackendErrorKind::Busy`]. Changes may be
///   applied to the same file, also through the same pool.
/// - **Durability.** An append that was acknowledged must survive a power cut. With
///   `synchronous = FULL`, SQLite's default, it does. `OFF`, and `NORMAL` in WAL mode, are warned about.
/// - A pool of one connection, and a database in memory, are refused before anything runs.
pub type SqliteAuditStore = SqlAuditStore<Sqlite>;

impl SqlAuditStore<Sqlite> {
    /// Opens the file at `url`, such as `sqlite://audit.db`, and creates it if it is not there (its
    /// directory must be). A new file is put in WAL mode; one that is there keeps the mode it has. A `mode`
    /// in the URL, such as `?mode=ro`, is obeyed: then nothing is created.
    ///
    /// # Errors
    /// When the URL is not understood or the file cannot be opened.
    pub async fn connect(url: &str) -> Result<Self, BackendError> {
        let options = SqliteConnectOptions::from_str(url).map_err(|error| {
            BackendError::new(BackendErrorKind::Misconfigured, "connect", error.to_string()).source(error)
        })?;
        let options = options.busy_timeout(PATIENCE).synchronous(SqliteSynchronous::Full);
        if url.split_once('?').is_some_and(|(_, query)| query.contains("mode=")) {
            return Self::connect_with(options).await;
        }
        let options = options.create_if_missing(true);
        let is_new = options.get_filename().metadata().map_or(true, |file| file.len() == 0);
        if is_new && !Sqlite::in_memory(&options) {
            set_wal(&options).await?;
        }
        Self::connect_with(options).await
    }

    /// Opens the file as `options` say: nothing is created unless they do.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub async fn connect_with(options: SqliteConnectOptions) -> Result<Self, BackendError> {
        let pool = SqlitePoolOptions::new()
            .max_connections(4)
            .connect_with(options.clone())
            .await
            .map_err(|error| Operation::<Sqlite>::new("connect", &options).error(error))?;
        Ok(Self::new(pool))
    }
}

/// Puts a new file in WAL mode, in which readers and the writer do not wait for each other.
async fn set_wal(options: &SqliteConnectOptions) -> Result<(), BackendError> {
    use sqlx::{ConnectOptions as _, Connection as _};
    let operation = Operation::<Sqlite>::new("connect", options);
    let started = Instant::now();
    loop {
        // Several processes may do it at once, and SQLite does not wait here.
        let error = match options.clone().journal_mode(SqliteJournalMode::Wal).connect().await {
            Ok(connection) => return connection.close().await.map_err(|error| operation.error(error)),
            Err(error) => operation.error(error),
        };
        if error.kind() != BackendErrorKind::Busy || started.elapsed() > PATIENCE {
            return Err(error);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

impl StoreDialect for Sqlite {
    // It has no statements that write within others, and its transactions cost no messages.
    const AT_ONCE: bool = false;

    fn refusal(options: &SqliteConnectOptions) -> Option<String> {
        Self::in_memory(options).then(|| {
            "a database in memory forgets the audit, and every connection may get another one: \
             give the path of a file (in tests, of a temporary one, or use the in-memory store)"
                .to_owned()
        })
    }

    fn impatient(options: &SqliteConnectOptions) -> SqliteConnectOptions {
        options.clone().busy_timeout(IMPATIENCE)
    }

    async fn weakness(connection: &mut SqliteConnection) -> Result<Option<String>, sqlx::Error> {
        let synchronous = Self::rows(connection, "PRAGMA synchronous".to_owned()).await?;
        let journal = Self::rows(connection, "PRAGMA journal_mode".to_owned()).await?;
        let weak =
            match (synchronous.first().map(|row| row.integer(0)), journal.first().map(|row| row.text(0))) {
                (Some(Ok(0)), _) => Some("OFF"),
                (Some(Ok(1)), Some(Ok("wal"))) => Some("NORMAL in WAL mode"),
                _ => None,
            };
        Ok(weak.map(|mode| {
            format!(
                "with synchronous = {mode}, the newest entries of the audit can be lost in a power cut; \
                 open the audit's file with `.synchronous(SqliteSynchronous::Full)`"
            )
        }))
    }
}
