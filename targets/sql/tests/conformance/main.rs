//! The conformance suite of target systems, on each database.

mod mysql;
mod postgres;
#[path = "../../../../stores/sql/tests/server/mod.rs"]
mod server;
mod sqlite;

use std::process::ExitCode;

use flamingock_testing::conformance::{run, target_suite};

fn main() -> ExitCode {
    run(sqlite::fixtures().chain(mysql::fixtures()).chain(postgres::fixtures()).map(target_suite))
}
