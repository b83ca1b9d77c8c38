use flamingock_core::{BackendError, BackendErrorKind};
use flamingock_sql::{Dialect as _, Operation, Postgres};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};

use crate::{SqlAuditStore, StoreDialect};

/// Audit store and lock in a PostgreSQL database.
///
/// ```
/// # fn example(pool: sqlx::PgPool) {
/// use flamingock_store_sql::PostgresAuditStore;
///
/// let store = PostgresAuditStore::new(pool).schema("ops");
/// # }
/// ```
///
/// # What to know
/// - **One statement, one message.** Each operation is a single statement, sent as a simple query:
///   nothing is prepared, no transaction is open between two messages, and no setting or lock of a
///   session is used. So it works behind PgBouncer in transaction mode (which needs
///   `ignore_startup_parameters = extra_float_digits` for sqlx), and a process that freezes holds nothing.
/// - **One clock.** Leases are judged by the server's `clock_timestamp()`.
/// - **The primary.** Head and lock are read where they are written: connect to the primary. A standby
///   can be read and refuses the rest.
/// - **Durability.** An append that was acknowledged must survive a crash of the server. With
///   `synchronous_commit = off` or `fsync = off` it may not: the store warns, and goes on, since it cannot
///   tell a test server from a mistake.
/// - **Rights.** The role needs `SELECT`, `INSERT` and `UPDATE` on the three tables, and `CREATE` in their
///   schema only where the store is to create them. The schema itself is not created.
/// - Where the isolation level of the role is stricter than the server's default, operations that lose
///   a race (`40001`, `40P01`) are tried again.
/// - A pool of one connection is refused before anything runs.
pub type PostgresAuditStore = SqlAuditStore<Postgres>;

impl SqlAuditStore<Postgres> {
    /// Connects to `url`, such as `postgres://user:password@host:5432/database?sslmode=verify-full`.
    ///
    /// # Errors
    /// When the URL is not understood or the server is not reached. The password is shown in neither case.
    pub async fn connect(url: &str) -> Result<Self, BackendError> {
        let misconfigured =
            |message: String| BackendError::new(BackendErrorKind::Misconfigured, "connect", message);
        // Else sqlx would take what stands before the first colon for one, and a password for a database.
        if !["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
            return Err(misconfigured(
                "the URL of the audit store should begin with `postgres://`".to_owned(),
            ));
        }
        let options = url.parse::<PgConnectOptions>().map_err(|error| {
            misconfigured(format!("the URL of the audit store is not understood: {error}"))
        })?;
        Self::connect_with(options).await
    }

    /// Connects as `options` say.
    ///
    /// # Errors
    /// When the server is not reached.
    pub async fn connect_with(options: PgConnectOptions) -> Result<Self, BackendError> {
        let pool = PgPoolOptions::new()
            .max_connections(4)
            .connect_with(options.clone())
            .await
            .map_err(|error| Operation::<Postgres>::new("connect", &options).error(error))?;
        Ok(Self::new(pool))
    }

    /// The schema of its tables; unless told, the first one of the connection's `search_path`. Name it where
    /// something may set another `search_path` on connections of the pool.
    #[must_use]
    pub fn schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = Some(schema.into());
        self
    }
}

impl StoreDialect for Postgres {
    const AT_ONCE: bool = true;

    fn refusal(_options: &PgConnectOptions) -> Option<String> {
        None
    }

    fn impatient(options: &PgConnectOptions) -> PgConnectOptions {
        // Its statements wait for nothing but each other; the run bounds them.
        options.clone()
    }

    async fn weakness(connection: &mut PgConnection) -> Result<Option<String>, sqlx::Error> {
        let settings = "SELECT current_setting('synchronous_commit'), current_setting('fsync')";
        let rows = Self::rows(connection, settings.to_owned()).await?;
        let setting = |index| rows.first().and_then(|row| row.text(index).ok());
        let weak = match (setting(0), setting(1)) {
            (_, Some("off")) => "fsync",
            (Some("off"), _) => "synchronous_commit",
            _ => return Ok(None),
        };
        Ok(Some(format!(
            "with {weak} = off, the newest entries of the audit can be lost when the server crashes; \
             switch it on, for the role of the audit store at least"
        )))
    }
}
