//! The real binary, started as a process, on real servers.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

mod cases;
mod systems;

use std::process::ExitCode;
use std::time::Duration;

use flamingock_testing::conformance::{Suite, run};

fn main() -> ExitCode {
    // Named after the last of its servers to be started, so that a run that must find it must run this.
    let mut suite =
        Suite::new("inventory_service", "moto", systems::available).timeout(Duration::from_secs(120));
    suite.case("four systems are changed in one pipeline", || Box::pin(cases::applied()));
    suite.case("the third fails and the next start goes on from there", || Box::pin(cases::third_fails()));
    suite.case("a flag service that is down leaves the others applied", || Box::pin(cases::no_flags()));
    run([suite])
}
