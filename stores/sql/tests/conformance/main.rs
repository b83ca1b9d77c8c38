//! The conformance suites of audit stores and locks, on each database.

mod mysql;
mod postgres;
#[path = "../server/mod.rs"]
mod server;
mod sqlite;

use std::process::ExitCode;
use std::sync::Arc;

use flamingock_testing::conformance::{audit_store_suite, lock_suite, run};

fn main() -> ExitCode {
    let fixtures = sqlite::fixtures().chain(mysql::fixtures()).chain(postgres::fixtures());
    run(fixtures.flat_map(|fixture| [audit_store_suite(Arc::clone(&fixture)), lock_suite(fixture)]))
}
