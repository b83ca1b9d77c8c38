//! The in-memory implementation passes every suite.

use std::process::ExitCode;

fn main() -> ExitCode {
    flamingock_testing::conformance::run([])
}
