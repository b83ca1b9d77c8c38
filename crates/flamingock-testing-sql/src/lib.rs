//! A database of its own for each test: what `#[flamingock::test]` runs.
//!
//! [`run`] makes the databases that a test takes, runs it, and removes them when it passed. Those of a test
//! that failed stay for a look, and the failure says where they are. What killed tests left behind is
//! removed by a later test, once it is [`KEPT`] old.
#![expect(
    clippy::panic,
    clippy::print_stderr,
    reason = "this is what a test fails by, and says what it left"
)]

mod applied;
mod database;
#[cfg(feature = "mysql")]
mod mysql;
mod name;
mod options;
mod outcome;
#[cfg(feature = "postgres")]
mod postgres;
mod run;
mod server;
#[cfg(feature = "sqlite")]
mod sqlite;

pub use flamingock_core::change::BoxError;

pub use database::{Created, KEPT, TestDatabase};
pub use options::Options;
pub use outcome::Outcome;
pub use run::{Databases, run};
