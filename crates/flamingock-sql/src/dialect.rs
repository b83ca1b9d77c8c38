use std::fmt;
use std::future::Future;

use flamingock_core::BackendErrorKind;
use sqlx::Connection as _;
use sqlx::error::DatabaseError;

use crate::{ColumnKind, Row};

/// The connection of a dialect.
pub type Connection<D> = <<D as Dialect>::Database as sqlx::Database>::Connection;

/// What a connection of a dialect is opened with.
pub type Options<D> = <Connection<D> as sqlx::Connection>::Options;

/// A name in a schema, or in the one that the connection looks in; quoted.
pub fn quote_in<D: Dialect>(schema: Option<&str>, name: &str) -> String {
    match schema {
        Some(schema) => format!("{}.{}", D::quote_name(schema), D::quote_name(name)),
        None => D::quote_name(name),
    }
}

/// How one database differs from the others: its SQL, its quoting and its errors.
pub trait Dialect: fmt::Debug + Send + Sync + Sized + 'static {
    /// The driver.
    type Database: sqlx::Database;

    /// Name of the database: `sqlite`, `postgres`, ..
    const KIND: &'static str;

    /// Begins a transaction that is going to write.
    const BEGIN: &'static str;

    /// The database's own clock, as an expression: microseconds since 1970, an integer.
    const NOW: &'static str;

    /// What a `SELECT` ends with to lock its rows; empty where [`BEGIN`](Self::BEGIN) locks enough.
    const FOR_UPDATE: &'static str;

    /// What an `INSERT` ends with to leave a row that has its key already as it is.
    const OR_LEAVE: &'static str;

    /// Whether an index is created with its table, because it cannot be created unless it is there.
    const INDEX_IN_TABLE: bool = false;

    /// What a `CREATE TABLE` ends with.
    const TABLE_OPTIONS: &'static str = "";

    /// The type of a column, compared byte by byte where it is text.
    fn column_type(kind: ColumnKind) -> &'static str;

    /// An identifier, quoted.
    fn quote_name(name: &str) -> String;

    /// A text literal, quoted so that nothing in it can end it. `text` has no NUL.
    fn quote_text(text: &str) -> String;

    /// A query that lists the columns of a table, one name per row; no rows when there is none.
    fn columns_of(schema: Option<&str>, table: &str) -> String;

    /// Where a connection leads, without secrets.
    fn address(options: &Options<Self>) -> String;

    /// The schema in which tables are found, where the connection's options name it: a statement may lead the
    /// connection to another one.
    fn schema(options: &Options<Self>) -> Option<String> {
        let _ = options;
        None
    }

    /// What an error of the database means.
    fn diagnose(error: &dyn DatabaseError, options: &Options<Self>) -> Diagnosis;

    /// Whether the error says that a table is not there.
    fn is_missing_table(error: &dyn DatabaseError) -> bool;

    /// Whether the error says that another was faster and that nothing was done, so that the same,
    /// tried again, may succeed.
    fn lost_race(error: &dyn DatabaseError) -> bool;

    /// Runs the statements that create tables and indexes that are not there.
    fn create(
        connection: &mut Connection<Self>,
        statements: Vec<String>,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send {
        async move {
            let mut transaction = connection.begin_with(Self::BEGIN).await?;
            for statement in statements {
                Self::execute(&mut transaction, statement).await?;
            }
            transaction.commit().await
        }
    }

    /// Runs a query and reads all its rows.
    fn rows(
        connection: &mut Connection<Self>,
        sql: String,
    ) -> impl Future<Output = Result<Vec<Row>, sqlx::Error>> + Send;

    /// Runs a statement; the number of rows it changed.
    fn execute(
        connection: &mut Connection<Self>,
        sql: String,
    ) -> impl Future<Output = Result<u64, sqlx::Error>> + Send;
}

/// What an error means, and what helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Diagnosis {
    /// What went wrong.
    pub kind: BackendErrorKind,
    /// What to do about it, as part of a sentence; empty when the database's own words say enough.
    pub remedy: &'static str,
}
