use flamingock_core::{BackendError, BackendErrorKind};
use flamingock_sql::{Dialect as _, MySql, Operation};
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlPoolOptions};

use crate::{SqlAuditStore, StoreDialect};

/// Audit store and lock in a MySQL or MariaDB database.
///
/// ```
/// # fn example(pool: sqlx::MySqlPool) {
/// use flamingock_store_sql::MySqlAuditStore;
///
/// let store = MySqlAuditStore::new(pool).table_prefix("changes_");
/// # }
/// ```
///
/// # What to know
/// - **MySQL 8.0 or MariaDB 10.5**, or newer, and InnoDB. Tested on MySQL 9.7 and MariaDB 10.11.
/// - **One message.** Each write is a transaction of several statements, sent as one message. The server
///   carries it through or rolls it back, whatever becomes of the sender: a process that freezes leaves no
///   transaction open. Nothing is prepared on the server.
/// - **One clock.** Leases are judged by the server's `UTC_TIMESTAMP(6)`.
/// - **The primary.** Head and lock are read where they are written: connect to the primary, not to a
///   replica or to a proxy that splits reads off. On Galera, connect all instances to one node.
/// - **Durability.** An append that was acknowledged must survive a power cut. With
///   `innodb_flush_log_at_trx_commit` other than 1 it may not: the store warns, and goes on, since it cannot
///   tell a test server from a mistake.
/// - **Ids** are kept as bytes (`VARBINARY(255)`), since that is how they are compared; some clients show
///   them as hexadecimal numbers unless told otherwise (`mysql --skip-binary-as-hex`).
/// - **Size.** An append must fit in the server's `max_allowed_packet` (16 MiB and more by default).
/// - Connections with `autocommit = 0`, or without a strict `sql_mode`, in which text that is too long is
///   cut, are refused before anything runs. So is a pool of one connection.
/// - A user with `caching_sha2_password` (the default of MySQL 8) needs a connection with TLS, which is used
///   where the server offers it.
pub type MySqlAuditStore = SqlAuditStore<MySql>;

impl SqlAuditStore<MySql> {
    /// Connects to `url`, such as `mysql://user:password@host:3306/database?ssl-mode=VERIFY_IDENTITY`.
    ///
    /// # Errors
    /// When the URL is not understood or the server is not reached. The password is shown in neither case.
    pub async fn connect(url: &str) -> Result<Self, BackendError> {
        let options = url.parse::<MySqlConnectOptions>().map_err(|error| {
            let message = format!("the URL of the audit store is not understood: {error}");
            BackendError::new(BackendErrorKind::Misconfigured, "connect", message)
        })?;
        Self::connect_with(options).await
    }

    /// Connects as `options` say.
    ///
    /// # Errors
    /// When the server is not reached.
    pub async fn connect_with(options: MySqlConnectOptions) -> Result<Self, BackendError> {
        let pool = MySqlPoolOptions::new()
            .max_connections(4)
            .connect_with(options.clone())
            .await
            .map_err(|error| Operation::<MySql>::new("connect", &options).error(error))?;
        Ok(Self::new(pool))
    }
}

impl StoreDialect for MySql {
    const AT_ONCE: bool = true;
    const SCRIPTS: bool = true;

    fn refusal(_options: &MySqlConnectOptions) -> Option<String> {
        None
    }

    fn impatient(options: &MySqlConnectOptions) -> MySqlConnectOptions {
        // Its statements wait for nothing but each other; the run bounds them.
        options.clone()
    }

    async fn weakness(connection: &mut MySqlConnection) -> Result<Option<String>, sqlx::Error> {
        // Not `@@name`, which is an error where a server does not know the name.
        let settings = "SHOW VARIABLES WHERE Variable_name IN \
                        ('autocommit', 'sql_mode', 'innodb_flush_log_at_trx_commit')";
        let rows = Self::rows(connection, settings.to_owned()).await?;
        let setting = |name| {
            let row = rows.iter().find(|row| row.text(0) == Ok(name));
            row.and_then(|row| row.text(1).ok()).unwrap_or_default()
        };
        let refuse = |message: &str| Err(sqlx::Error::Configuration(message.into()));
        if matches!(setting("autocommit"), "OFF" | "0") {
            return refuse(
                "the connections have autocommit = 0, so that what is written would never be committed: \
                 set it to 1 for the user or the pool of the audit store",
            );
        }
        if !["STRICT_TRANS_TABLES", "STRICT_ALL_TABLES"].iter().any(|mode| setting("sql_mode").contains(mode))
        {
            return refuse(
                "the `sql_mode` of the connections is not strict, so that text that is too long would be cut: \
                 add STRICT_TRANS_TABLES to it, for the pool of the audit store at least",
            );
        }
        let flush = setting("innodb_flush_log_at_trx_commit");
        Ok((flush != "1").then(|| {
            format!(
                "with innodb_flush_log_at_trx_commit = {flush}, the newest entries of the audit can be lost in \
                 a power cut; set it to 1"
            )
        }))
    }
}
