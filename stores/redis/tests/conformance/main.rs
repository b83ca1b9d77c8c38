//! The conformance suites of audit stores and locks, and what is particular to Redis.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a case of a suite fails by a panic, as any test does"
)]

mod fixture;
mod particular;
mod server;

use std::process::ExitCode;

use flamingock_testing::conformance::run;

fn main() -> ExitCode {
    let exit = run(fixture::suites().into_iter().chain([particular::suite()]));
    fixture::stop();
    exit
}
