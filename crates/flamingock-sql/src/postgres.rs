use flamingock_core::BackendErrorKind;
use flamingock_core::audit::Value;
use sqlx::error::DatabaseError;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgDatabaseError, PgPool, PgRow};
use sqlx::{AssertSqlSafe, Executor as _, Row as _, TypeInfo as _, ValueRef as _, raw_sql};

use crate::{ColumnKind, Diagnosis, Dialect, Row};

/// PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Postgres;

impl Postgres {
    /// A connection beside those of a pool, set up as they are. Free when all of those are in use.
    ///
    /// # Errors
    /// When the server is not reached.
    pub async fn connect(pool: &PgPool) -> Result<PgConnection, sqlx::Error> {
        let options = pool.connect_options().as_ref().clone();
        let own = pool.options().clone().min_connections(0).max_connections(1).connect_lazy_with(options);
        Ok(own.acquire().await?.detach())
    }
}

impl Dialect for Postgres {
    type Database = sqlx::Postgres;

    const KIND: &'static str = "postgres";
    // Whatever the role's default is: who has waited for a lock has to see what the other committed.
    const BEGIN: &'static str = "BEGIN ISOLATION LEVEL READ COMMITTED";
    // Not `now()`, which stands still within a transaction.
    const NOW: &'static str = "(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::bigint";
    const FOR_UPDATE: &'static str = " FOR UPDATE";
    const OR_LEAVE: &'static str = " ON CONFLICT DO NOTHING";

    fn column_type(kind: ColumnKind) -> &'static str {
        match kind {
            ColumnKind::Key | ColumnKind::Text => "TEXT COLLATE \"C\"",
            ColumnKind::Integer => "BIGINT",
        }
    }

    fn quote_name(name: &str) -> String {
        format!("\"{}\"", name.replace('"', "\"\""))
    }

    fn quote_text(text: &str) -> String {
        // Whatever `standard_conforming_strings` says: in `E''` the backslash always escapes.
        format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
    }

    fn columns_of(schema: Option<&str>, table: &str) -> String {
        let name = Self::quote_text(&crate::quote_in::<Self>(schema, table));
        format!(
            "SELECT attname::text FROM pg_catalog.pg_attribute \
             WHERE attrelid = pg_catalog.to_regclass({name}) AND attnum > 0 AND NOT attisdropped"
        )
    }

    fn address(options: &PgConnectOptions) -> String {
        let host = match options.get_socket() {
            Some(socket) => socket.display().to_string(),
            None => options.get_host().to_owned(),
        };
        let database = options.get_database().map(|name| format!("/{name}")).unwrap_or_default();
        format!("postgres://{host}:{}{database}", options.get_port())
    }

    fn diagnose(error: &dyn DatabaseError, _options: &PgConnectOptions) -> Diagnosis {
        diagnose_state(error.code().as_deref().unwrap_or_default(), error.message())
    }

    fn is_missing_table(error: &dyn DatabaseError) -> bool {
        error.code().as_deref() == Some("42P01")
    }

    fn lost_race(error: &dyn DatabaseError) -> bool {
        match error.code().as_deref() {
            // Serialization failure, deadlock.
            Some("40001" | "40P01") => true,
            // Another has created the table, the index, or the type that comes with a table.
            Some("42P07" | "42710") => true,
            // The same, before PostgreSQL itself noticed: the row in its catalog is there.
            Some("23505") => error
                .try_downcast_ref::<PgDatabaseError>()
                .is_some_and(|error| error.schema() == Some("pg_catalog")),
            Some("XX000") => error.message().starts_with("tuple concurrently"),
            _ => false,
        }
    }

    async fn create(connection: &mut PgConnection, statements: Vec<String>) -> Result<(), sqlx::Error> {
        // In one message, and so in one transaction that no frozen process leaves open.
        Self::execute(connection, statements.join(";\n")).await.map(drop)
    }

    async fn rows(connection: &mut PgConnection, sql: String) -> Result<Vec<Row>, sqlx::Error> {
        let rows = connection.fetch_all(raw_sql(AssertSqlSafe(sql))).await?;
        Ok(rows.iter().map(read).collect())
    }

    async fn execute(connection: &mut PgConnection, sql: String) -> Result<u64, sqlx::Error> {
        Ok(connection.execute(raw_sql(AssertSqlSafe(sql))).await?.rows_affected())
    }
}

fn read(row: &PgRow) -> Row {
    let value = |index: usize| {
        let raw = row.try_get_raw(index).map_err(|error| error.to_string())?;
        if raw.is_null() {
            return Ok(Value::Null);
        }
        match raw.type_info().name() {
            "INT8" => row.try_get(index).map(Value::Integer).map_err(|error| error.to_string()),
            "INT4" => row
                .try_get::<i32, _>(index)
                .map(|number| Value::Integer(number.into()))
                .map_err(|error| error.to_string()),
            "TEXT" => row.try_get(index).map(Value::Text).map_err(|error| error.to_string()),
            other => Err(format!("a value of type {other}")),
        }
    };
    Row((0..row.len()).map(value).collect())
}

/// What an SQLSTATE means (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
pub(crate) fn diagnose_state(state: &str, message: &str) -> Diagnosis {
    use BackendErrorKind::{
        Corrupt, Denied, InvalidData, Misconfigured, Other, ReadOnly, Schema, StorageFull, Unavailable,
    };
    let class = state.get(..2).unwrap_or_default();
    let (kind, remedy) = match (class, state) {
        // A connection pooler answers with the class of broken connections, whatever is wrong.
        ("08", _) if message.contains("startup parameter") => (
            Misconfigured,
            "this is a connection pooler: PgBouncer needs `ignore_startup_parameters = extra_float_digits`",
        ),
        ("08", _) if message.contains("no such database") => (Misconfigured, ""),
        ("08", _) if message.contains("authentication failed") || message.contains("no such user") => {
            (Denied, "correct the user name or the password")
        }
        ("08", _) => (Unavailable, ""),
        ("28", _) => (Denied, "correct the user name or the password, or the server's pg_hba.conf"),
        (_, "3D000") => (Misconfigured, "create the database, or correct its name"),
        (_, "42501") => (Denied, "grant the role what it needs"),
        (_, "25006") => {
            (ReadOnly, "connect to the primary, or set `default_transaction_read_only` to off for this role")
        }
        (_, "25P02") => (Other, "an earlier statement failed, and what came after it went on nevertheless"),
        (_, "25P03") => (Unavailable, "the transaction stood still for too long, so the server ended it"),
        ("40", _) => (Unavailable, "others are at work on the same rows: try again"),
        (_, "42P01" | "42703") => (Schema, "the tables are missing or of another shape"),
        (_, "3F000") => (Schema, "create the schema, or name another one"),
        (_, "42P05" | "26000") => (
            Misconfigured,
            "prepared statements do not go with a connection pooler in transaction mode: \
             use `sqlx::raw_sql`, or connect without the pooler",
        ),
        (_, "53100") => (StorageFull, "free space on the server's disk"),
        (_, "53300") => (Unavailable, "the server has no connection left: use fewer, or allow more"),
        ("53", _) => (Unavailable, ""),
        (_, "55P03") => (Unavailable, "another session holds the lock"),
        (_, "57014") => (Unavailable, "the statement was cancelled, or ran into `statement_timeout`"),
        ("57", _) => (Unavailable, "the server ended the connection, or does not take any yet"),
        ("58", _) => (Unavailable, "the server's own files failed: look at its log"),
        ("54" | "22", _) => (InvalidData, ""),
        (_, "23505") => (Corrupt, "a row with this key is there already: somebody else wrote to the table"),
        ("23", _) => (InvalidData, ""),
        (_, "XX001" | "XX002") => (Corrupt, "the server's files are damaged: restore them from a backup"),
        _ => (Other, ""),
    };
    Diagnosis { kind, remedy }
}

#[cfg(test)]
mod tests;
