use flamingock_core::BackendErrorKind;
use flamingock_core::audit::Value;
use sqlx::error::DatabaseError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Executor as _, Row as _, TypeInfo as _, ValueRef as _};

use crate::{ColumnKind, Diagnosis, Dialect, Row};

/// SQLite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sqlite;

impl Sqlite {
    /// Whether the options lead to a database in memory, which no second connection and no second
    /// start can rely on.
    pub fn in_memory(options: &SqliteConnectOptions) -> bool {
        use sqlx::ConnectOptions as _;
        let file = options.get_filename();
        // There is no other way to ask for the flag; the name is left out, as some names make sqlx panic here.
        let url = options.clone().filename("audit.db").to_url_lossy();
        let flagged = url.query_pairs().any(|(key, value)| key == "mode" && value == "memory");
        // An empty name is a temporary file that is gone with its connection.
        flagged || file.as_os_str().is_empty() || file.as_os_str() == ":memory:"
    }
}

impl Dialect for Sqlite {
    type Database = sqlx::Sqlite;

    const KIND: &'static str = "sqlite";
    // The lock to write is taken at once: one that is taken after a read is refused, not waited for.
    const BEGIN: &'static str = "BEGIN IMMEDIATE";
    // There is no server: the clock of the machine that holds the file. Milliseconds, exactly.
    const NOW: &'static str = "CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000";
    const FOR_UPDATE: &'static str = "";
    const OR_LEAVE: &'static str = " ON CONFLICT DO NOTHING";

    fn column_type(kind: ColumnKind) -> &'static str {
        match kind {
            ColumnKind::Key | ColumnKind::Text => "TEXT COLLATE BINARY",
            ColumnKind::Integer => "INTEGER",
        }
    }

    fn quote_name(name: &str) -> String {
        // Not in double quotes: SQLite takes those for text where there is no such column.
        format!("`{}`", name.replace('`', "``"))
    }

    fn quote_text(text: &str) -> String {
        // SQLite knows no escape character: a doubled quote is all it takes.
        format!("'{}'", text.replace('\'', "''"))
    }

    fn columns_of(_schema: Option<&str>, table: &str) -> String {
        format!("SELECT name FROM pragma_table_info({})", Self::quote_text(table))
    }

    fn address(options: &SqliteConnectOptions) -> String {
        format!("sqlite:{}", options.get_filename().display())
    }

    fn diagnose(error: &dyn DatabaseError, options: &SqliteConnectOptions) -> Diagnosis {
        let code = error.code().and_then(|code| code.parse().ok()).unwrap_or_default();
        match code & 0xff {
            CANTOPEN => cannot_open(options),
            _ => diagnose_code(code, error.message()),
        }
    }

    fn lost_race(_error: &dyn DatabaseError) -> bool {
        // There is one writer, and it is waited for.
        false
    }

    fn is_missing_table(error: &dyn DatabaseError) -> bool {
        error.message().starts_with("no such table")
    }

    async fn rows(connection: &mut SqliteConnection, sql: String) -> Result<Vec<Row>, sqlx::Error> {
        let rows = connection.fetch_all(AssertSqlSafe(sql)).await?;
        Ok(rows.iter().map(read).collect())
    }

    async fn execute(connection: &mut SqliteConnection, sql: String) -> Result<u64, sqlx::Error> {
        Ok(connection.execute(AssertSqlSafe(sql)).await?.rows_affected())
    }
}

fn read(row: &SqliteRow) -> Row {
    let value = |index: usize| {
        let kind = row.try_get_raw(index).map_err(|error| error.to_string())?.type_info().name().to_owned();
        let is_null = row.try_get_raw(index).is_ok_and(|value| value.is_null());
        match kind.as_str() {
            _ if is_null => Ok(Value::Null),
            "INTEGER" => row.try_get(index).map(Value::Integer).map_err(|error| error.to_string()),
            "TEXT" => row.try_get(index).map(Value::Text).map_err(|error| error.to_string()),
            other => Err(format!("a value of type {other}")),
        }
    };
    Row((0..row.len()).map(value).collect())
}

const CANTOPEN: i32 = 14;

/// SQLite says no more than that it cannot open the file; the file system knows why.
fn cannot_open(options: &SqliteConnectOptions) -> Diagnosis {
    let file = options.get_filename();
    let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    let (kind, remedy) = if directory.is_some_and(|directory| !directory.is_dir()) {
        (BackendErrorKind::Misconfigured, "its directory does not exist: create it, or correct the path")
    } else if file.is_dir() {
        (BackendErrorKind::Misconfigured, "it is a directory: give the path of a file in it")
    } else if file.exists() {
        (
            BackendErrorKind::Denied,
            "the file is there: give this process the right to read and write it and its directory",
        )
    } else {
        let remedy = "the file does not exist: set `create_if_missing(true)`, or correct the path; \
                      if it is set, this process may not write in the directory";
        (BackendErrorKind::Misconfigured, remedy)
    };
    Diagnosis { kind, remedy }
}

/// What a result code means (<https://www.sqlite.org/rescode.html>).
fn diagnose_code(code: i32, message: &str) -> Diagnosis {
    use BackendErrorKind::{
        Busy, Corrupt, Denied, InvalidData, Other, ReadOnly, Schema, StorageFull, Unavailable,
    };
    const NOT_SQLITE: &str = "the file is no SQLite database, or an encrypted one: correct the path";
    let (kind, remedy) = match (code & 0xff, code) {
        (3 | 23, _) => (Denied, "give this process the right to read and write the file and its directory"),
        (5 | 6, _) => (
            Busy,
            "another connection is writing to the file: SQLite has one writer at a time; \
             look for a long transaction, or another process that keeps the file locked",
        ),
        (7, _) => (Unavailable, "out of memory"),
        (8, _) => (ReadOnly, "the file, its directory or the connection may not be written"),
        (9, _) => (Unavailable, "the statement was interrupted"),
        (10, _) => (Unavailable, "the file system failed: look at the disk, or at the network it is on"),
        (11, _) => (Corrupt, "the file is damaged: restore it from a backup"),
        (13, _) => (StorageFull, "free space on the disk that holds the file"),
        (15 | 17, _) => (Unavailable, "try again"),
        (18 | 20, _) => (InvalidData, ""),
        // PRIMARYKEY and UNIQUE: a row stands where none should.
        (19, 1555 | 2067) => {
            (Corrupt, "a row with this key is there already: somebody else wrote to the table")
        }
        (19, _) => (InvalidData, ""),
        (26, _) => (Corrupt, NOT_SQLITE),
        (1, _) if is_schema(message) => (Schema, "the tables are missing or of another shape"),
        _ => (Other, ""),
    };
    Diagnosis { kind, remedy }
}

fn is_schema(message: &str) -> bool {
    ["no such table", "no such column", "has no column named"].iter().any(|words| message.contains(words))
}
