use flamingock_core::BackendErrorKind;
use flamingock_core::audit::Value;
use sqlx::error::DatabaseError;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlDatabaseError, MySqlRow};
use sqlx::{AssertSqlSafe, Executor as _, Row as _, TypeInfo as _, ValueRef as _};

use crate::{ColumnKind, Diagnosis, Dialect, Row};

/// MySQL and MariaDB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MySql;

impl MySql {
    /// The server's number for an error.
    pub fn number(error: &dyn DatabaseError) -> u16 {
        error.try_downcast_ref::<MySqlDatabaseError>().map(MySqlDatabaseError::number).unwrap_or_default()
    }
}

impl Dialect for MySql {
    type Database = sqlx::MySql;

    const KIND: &'static str = "mysql";
    const BEGIN: &'static str = "START TRANSACTION";
    // Not `UNIX_TIMESTAMP(NOW(6))`, which goes through the time zone of the session.
    const NOW: &'static str = "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))";
    const FOR_UPDATE: &'static str = " FOR UPDATE";
    // Not `INSERT IGNORE`, which takes any error for a warning. It locks the row that stands.
    const OR_LEAVE: &'static str = " ON DUPLICATE KEY UPDATE `service` = `service`";
    const INDEX_IN_TABLE: bool = true;
    const TABLE_OPTIONS: &'static str = " ENGINE = InnoDB";

    fn column_type(kind: ColumnKind) -> &'static str {
        match kind {
            // Bytes: the collations that compare text by its bytes either take no notice of trailing
            // spaces or have another name on MariaDB than on MySQL. Three of them fit in an index.
            ColumnKind::Key => "VARBINARY(255)",
            ColumnKind::Text => "LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
            ColumnKind::Integer => "BIGINT",
        }
    }

    fn quote_name(name: &str) -> String {
        format!("`{}`", name.replace('`', "``"))
    }

    /// In quotes only what no `sql_mode` and no character set reads in another way: `NO_BACKSLASH_ESCAPES`
    /// turns an escaped backslash into two, and in some character sets a quote can be part of a letter.
    fn quote_text(text: &str) -> String {
        if text.is_ascii() && !text.contains('\\') {
            return format!("'{}'", text.replace('\'', "''"));
        }
        const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
        let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
        let digits: String = text.bytes().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect();
        format!("_utf8mb4 X'{digits}'")
    }

    fn columns_of(schema: Option<&str>, table: &str) -> String {
        let schema = schema.map_or_else(|| "DATABASE()".to_owned(), Self::quote_text);
        format!(
            "SELECT column_name FROM information_schema.columns \
             WHERE table_schema = {schema} AND table_name = {}",
            Self::quote_text(table)
        )
    }

    fn schema(options: &MySqlConnectOptions) -> Option<String> {
        options.get_database().map(str::to_owned)
    }

    fn address(options: &MySqlConnectOptions) -> String {
        let database = options.get_database().map(|name| format!("/{name}")).unwrap_or_default();
        match options.get_socket() {
            Some(socket) => format!("mysql:{}{database}", socket.display()),
            None => format!("mysql://{}:{}{database}", options.get_host(), options.get_port()),
        }
    }

    fn diagnose(error: &dyn DatabaseError, _options: &MySqlConnectOptions) -> Diagnosis {
        diagnose_number(Self::number(error), error.message())
    }

    fn is_missing_table(error: &dyn DatabaseError) -> bool {
        Self::number(error) == 1146
    }

    fn lost_race(error: &dyn DatabaseError) -> bool {
        // A table or a row that is there by now, a row that has changed since it was read
        // (MariaDB with `innodb_snapshot_isolation`), a deadlock.
        matches!(Self::number(error), 1050 | 1062 | 1020 | 1213)
    }

    /// Each commits by itself.
    async fn create(connection: &mut MySqlConnection, statements: Vec<String>) -> Result<(), sqlx::Error> {
        for statement in statements {
            Self::execute(connection, statement).await?;
        }
        Ok(())
    }

    async fn rows(connection: &mut MySqlConnection, sql: String) -> Result<Vec<Row>, sqlx::Error> {
        let rows = connection.fetch_all(AssertSqlSafe(sql)).await?;
        Ok(rows.iter().map(read).collect())
    }

    async fn execute(connection: &mut MySqlConnection, sql: String) -> Result<u64, sqlx::Error> {
        Ok(connection.execute(AssertSqlSafe(sql)).await?.rows_affected())
    }
}

fn read(row: &MySqlRow) -> Row {
    let value = |index: usize| {
        let raw = row.try_get_raw(index).map_err(|error| error.to_string())?;
        if raw.is_null() {
            return Ok(Value::Null);
        }
        let kind = raw.type_info().name().to_owned();
        match kind.as_str() {
            "BIGINT" | "INT" => row.try_get(index).map(Value::Integer).map_err(|error| error.to_string()),
            "BIGINT UNSIGNED" | "INT UNSIGNED" => {
                let number: u64 = row.try_get(index).map_err(|error| error.to_string())?;
                i64::try_from(number).map(Value::Integer).map_err(|error| error.to_string())
            }
            // Keys are bytes, and the driver takes text for bytes as well where it is compared by them.
            "VARBINARY" | "VARCHAR" | "CHAR" | "BLOB" | "LONGBLOB" | "TEXT" | "MEDIUMTEXT" | "LONGTEXT" => {
                let bytes: Vec<u8> = row.try_get(index).map_err(|error| error.to_string())?;
                String::from_utf8(bytes).map(Value::Text).map_err(|error| error.to_string())
            }
            other => Err(format!("a value of type {other}")),
        }
    };
    Row((0..row.len()).map(value).collect())
}

/// What an error number means (<https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html>,
/// <https://mariadb.com/docs/server/reference/error-codes>).
pub(crate) fn diagnose_number(number: u16, message: &str) -> Diagnosis {
    use BackendErrorKind::{
        Corrupt, Denied, InvalidData, Misconfigured, Other, ReadOnly, Schema, StorageFull, Unavailable,
    };
    let (kind, remedy) = match number {
        1205 => (Unavailable, "another session holds a lock for longer than this one waits"),
        1213 | 1020 | 1047 | 1180 | 3100 | 3101 => {
            (Unavailable, "others are at work on the same rows, or the cluster is: try again")
        }
        1040 | 1203 | 1226 => {
            (Unavailable, "the server has no connection left for this user: use fewer, or allow more")
        }
        1129 => (Unavailable, "the server refuses this host after many broken connections: FLUSH HOSTS"),
        1037 | 1038 | 1041 => (Unavailable, "the server is out of memory"),
        1053 | 1077 | 1079 | 1080 | 1152 | 1158..=1161 | 1184 | 1927 | 4031 => {
            (Unavailable, "the server ended the connection")
        }
        1317 | 1028 | 1969 | 3024 => (Unavailable, "the statement was cancelled, or ran for too long"),
        1153 => (InvalidData, "a statement is greater than the server's `max_allowed_packet`: raise it"),
        1044 | 1045 | 1130 | 1370 | 1698 | 1820 | 1862 | 3118 | 4151 => {
            (Denied, "correct the user name or the password, or what the user may do from this host")
        }
        1142 | 1143 | 1227 => (Denied, "grant the user what it needs"),
        1046 => (Misconfigured, "name the database in the URL"),
        1049 => (Misconfigured, "create the database, or correct its name"),
        1251 | 3159 => (Misconfigured, "connect with TLS"),
        1665 => (Misconfigured, "set `binlog_format` to ROW or MIXED"),
        1071 | 1115 | 1273 | 1286 => {
            (Misconfigured, "the server is too old or lacks InnoDB: MySQL 8.0 or MariaDB 10.5 is needed")
        }
        1290 | 1836 => (ReadOnly, "the server is read-only: connect to the primary"),
        1792 => (ReadOnly, "sessions of this user only read: set `transaction_read_only` to OFF"),
        1021 | 1114 => (StorageFull, "free space on the server's disk"),
        // "Error writing file" and "Got error from storage engine", with the number of the system's error.
        3 | 1026 | 1030 if message.contains("28") => (StorageFull, "free space on the server's disk"),
        1034 | 1035 | 1194 | 1195 | 1712 => {
            (Corrupt, "the server's files are damaged: restore them from a backup")
        }
        1022 | 1062 | 1586 => {
            (Corrupt, "a row with this key is there already: somebody else wrote to the table")
        }
        1051 | 1054 | 1072 | 1136 | 1146 | 1364 => (Schema, "the tables are missing or of another shape"),
        1048 | 1264 | 1265 | 1292 | 1300 | 1301 | 1366 | 1406 | 3988 => (InvalidData, ""),
        _ => (Other, ""),
    };
    Diagnosis { kind, remedy }
}

#[cfg(test)]
mod tests;
