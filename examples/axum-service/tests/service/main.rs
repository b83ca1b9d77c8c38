//! The real binary, started as a process, on a real PostgreSQL.
#![expect(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "what fails here fails the test")]

mod cases;
mod database;
mod service;

use std::process::ExitCode;
use std::time::Duration;

use flamingock::testing::conformance::{Suite, run};

/// Where it is.
const POSTGRES: &str = "FLAMINGOCK_TEST_POSTGRES_URL";

fn main() -> ExitCode {
    let available = || match std::env::var(POSTGRES) {
        Ok(_) => Ok(()),
        Err(_) => Err(format!("{POSTGRES} is not set")),
    };
    let mut suite = Suite::new("axum_service", "postgres", available).timeout(Duration::from_secs(90));
    cases::add(&mut suite);
    run([suite])
}
