use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use flamingock_core::BackendErrorKind::{self, *};
use sqlx::error::{DatabaseError, ErrorKind};
use sqlx::sqlite::SqliteConnectOptions;

use super::*;
use crate::Sqlite;

/// What SQLite would say.
#[derive(Debug)]
struct Said(i32, &'static str);

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.1)
    }
}

impl Error for Said {}

impl DatabaseError for Said {
    fn message(&self) -> &str {
        self.1
    }

    fn code(&self) -> Option<Cow<'_, str>> {
        Some(self.0.to_string().into())
    }

    fn as_error(&self) -> &(dyn Error + Send + Sync + 'static) {
        self
    }

    fn as_error_mut(&mut self) -> &mut (dyn Error + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn Error + Send + Sync + 'static> {
        self
    }

    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

fn said(code: i32, message: &'static str) -> sqlx::Error {
    sqlx::Error::Database(Box::new(Said(code, message)))
}

fn lost() -> sqlx::Error {
    std::io::Error::new(std::io::ErrorKind::ConnectionReset, "connection reset by peer").into()
}

#[test]
fn every_error_of_the_driver_has_its_kind() {
    let options = SqliteConnectOptions::new().filename("no-such-directory/audit.db");
    let operation = Operation::<Sqlite>::new("append", &options);
    let table: Vec<(sqlx::Error, BackendErrorKind)> = vec![
        (lost(), Unavailable),
        (sqlx::Error::WorkerCrashed, Unavailable),
        (sqlx::Error::Protocol("unexpected end".into()), Unavailable),
        (sqlx::Error::PoolTimedOut, Unavailable),
        (sqlx::Error::PoolClosed, Misconfigured),
        (sqlx::Error::Configuration("bad url".into()), Misconfigured),
        (sqlx::Error::Encode("too long".into()), InvalidData),
        (sqlx::Error::Decode("not text".into()), Corrupt),
        (sqlx::Error::ColumnNotFound("hash".into()), Corrupt),
        (sqlx::Error::RowNotFound, Other),
        (said(5, "database is locked"), Busy),
        (said(261, "database is locked"), Busy),
        (said(517, "database is locked"), Busy),
        (said(6, "database table is locked"), Busy),
        (said(8, "attempt to write a readonly database"), ReadOnly),
        (said(1032, "attempt to write a readonly database"), ReadOnly),
        (said(13, "database or disk is full"), StorageFull),
        (said(14, "unable to open database file"), Misconfigured),
        (said(26, "file is not a database"), Corrupt),
        (said(11, "database disk image is malformed"), Corrupt),
        (said(10, "disk I/O error"), Unavailable),
        (said(266, "disk I/O error"), Unavailable),
        (said(23, "not authorized"), Denied),
        (said(18, "string or blob too big"), InvalidData),
        (said(1555, "UNIQUE constraint failed"), Corrupt),
        (said(1299, "NOT NULL constraint failed"), InvalidData),
        (said(1, "no such table: flamingock_heads"), Schema),
        (said(1, "no such column: digests"), Schema),
        (said(1, "table flamingock_heads has no column named hash"), Schema),
        (said(1, "near \"SELEC\": syntax error"), Other),
    ];
    for (error, kind) in table {
        let shown = error.to_string();
        let mapped = operation.error(error);
        assert_eq!(mapped.kind(), kind, "{shown}");
        assert_eq!(mapped.operation(), "append");
        assert!(Error::source(&mapped).is_some(), "{shown}");
    }
}

#[test]
fn a_message_says_what_helps_and_where() {
    let options = SqliteConnectOptions::new().filename("audit.db");
    let error = Operation::<Sqlite>::new("append", &options).error(said(13, "database or disk is full"));
    assert_eq!(
        error.to_string(),
        "append failed: database or disk is full; free space on the disk that holds the file \
         (database: sqlite:audit.db)"
    );
}

#[test]
fn literals_cannot_be_left() {
    let options = SqliteConnectOptions::new();
    let operation = Operation::<Sqlite>::new("append", &options);
    assert_eq!(operation.text("it's \\' \"x\"").unwrap(), "'it''s \\'' \"x\"'");
    assert_eq!(operation.text("a\0b").unwrap_err().kind(), InvalidData);
    assert_eq!(operation.number(u64::MAX).unwrap_err().kind(), InvalidData);
}

#[test]
fn a_debug_output_shows_no_options() {
    let options = SqliteConnectOptions::new().pragma("key", "s3cret");
    assert!(!format!("{:?}", Operation::<Sqlite>::new("append", &options)).contains("s3cret"));
}
