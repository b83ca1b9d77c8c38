//! Target systems for Flamingock on SQL databases. One feature per database: `mysql`, `postgres`,
//! `sqlite`.
//!
//! The target is written once, over the [`Dialect`](flamingock_sql::Dialect) of a database. In the
//! database that it changes it keeps two tables, each name beginning with a prefix (`flamingock_`
//! unless told otherwise):
//!
//! - `fences`: which run may write here, a row per history;
//! - `markers`: how far each change got, a row per change, written in the change's own transaction.

mod dialect;
mod markers;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
mod rows;
mod session;
#[cfg(feature = "sqlite")]
mod sqlite;
mod target;

pub use dialect::{Limits, TargetDialect};
#[cfg(feature = "mysql")]
pub use mysql::MySqlTarget;
#[cfg(feature = "postgres")]
pub use postgres::PostgresTarget;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteTarget;
pub use target::SqlTarget;
