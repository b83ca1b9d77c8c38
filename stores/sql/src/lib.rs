//! Audit store and lock for Flamingock on SQL databases. One feature per database: `mysql`,
//! `postgres`, `sqlite`.
//!
//! The store is written once, over the [`Dialect`](flamingock_sql::Dialect) of a database. It keeps
//! three tables, each name beginning with a prefix (`flamingock_` unless told otherwise):
//!
//! - `entries`: the audit, a row per entry, a column per field;
//! - `heads`: where each history stands, a row per history;
//! - `locks`: who holds the lock of each history, a row per history.

mod at_once;
mod audit;
mod dialect;
#[cfg(all(test, feature = "sqlite"))]
mod fuzz;
mod head;
mod lock;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
mod schema;
mod script;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;

pub use dialect::StoreDialect;
#[cfg(feature = "mysql")]
pub use mysql::MySqlAuditStore;
#[cfg(feature = "postgres")]
pub use postgres::PostgresAuditStore;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteAuditStore;
pub use store::SqlAuditStore;
