//! What Flamingock's audit stores and target systems on SQL databases share: the [`Dialect`] of a
//! database, the mapping of its errors, tables and quoting.
//!
//! Statements are text with quoted literals, run as simple queries: nothing is prepared or cached on
//! a server, so the same code works behind a connection pooler. What differs between databases is
//! in their [`Dialect`]; the stores and targets themselves are written once. A new database is one
//! module with its `Dialect` here, and one with what it needs more in each of the other two crates.

mod dialect;
#[cfg(all(test, feature = "mysql", feature = "postgres", feature = "sqlite"))]
mod fuzz;
mod lent;
#[cfg(feature = "mysql")]
mod mysql;
mod operation;
#[cfg(feature = "postgres")]
mod postgres;
mod row;
#[cfg(feature = "sqlite")]
mod sqlite;
mod table;

pub use dialect::{Connection, Diagnosis, Dialect, Options, quote_in};
pub use lent::{Lent, PATIENCE};
#[cfg(feature = "mysql")]
pub use mysql::MySql;
pub use operation::Operation;
#[cfg(feature = "postgres")]
pub use postgres::Postgres;
pub use row::Row;
#[cfg(feature = "sqlite")]
pub use sqlite::Sqlite;
pub use table::{Column, ColumnKind, Table, check_prefix, check_schema, ensure_tables};
