use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use anyhow::{Context, Result};

use crate::interrupt::Interrupt;
use crate::services::{self, Services};
use crate::tally::Tally;
use crate::workspace;

/// The implementations that the suite must find, beside the servers; elsewhere an absent one is only
/// reported as ignored.
const REQUIRED: [&str; 2] = ["memory", "sqlite"];

/// Runs every test of the workspace with the servers that they need, and closes with the counts.
/// `false`: a test failed, or none ran.
pub(crate) fn run(arguments: &[OsString]) -> Result<bool> {
    let interrupt = Interrupt::listen()?;
    services::prepare()?;
    let services = Services::start(&interrupt)?;
    let required: Vec<_> = REQUIRED.into_iter().chain(services.names()).collect();

    let mut cargo = workspace::cargo()?;
    cargo.args(["test", "--workspace", "--all-features", "--no-fail-fast", "--"]);
    // Those that are ignored need a server.
    cargo.arg("--include-ignored").args(arguments);
    cargo.env("FLAMINGOCK_TEST_REQUIRE", required.join(",")).envs(services.urls());
    let mut running = interrupt.spawn(cargo.stdout(Stdio::piped()))?;
    let output = running.child.stdout.take().context("cargo test has no output")?;
    let tally = echo(BufReader::new(output), std::io::stdout())?;
    let status = running.child.wait().context("cargo test was lost")?;
    drop(running);
    drop(services);

    if !tally.any() {
        eprintln!("no test ran");
    }
    println!("{tally}");
    interrupt.check()?;
    // A binary that dies says nothing: only cargo's exit code tells.
    Ok(status.success() && tally.any() && tally.failed == 0)
}

/// Shows what comes, line by line as it comes, and counts.
fn echo(mut input: impl BufRead, mut output: impl Write) -> Result<Tally> {
    let mut tally = Tally::default();
    let mut line = Vec::new();
    while input.read_until(b'\n', &mut line)? > 0 {
        output.write_all(&line)?;
        output.flush()?;
        tally.read(String::from_utf8_lossy(&line).trim_end());
        line.clear();
    }
    Ok(tally)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_shown_and_counted_even_if_it_is_not_text() {
        let input = b"\xff\r\ntest result: ok. 2 passed; 0 failed; 0 ignored\r\nno newline".as_slice();
        let mut shown = Vec::new();
        let tally = echo(input, &mut shown).unwrap();
        assert_eq!(shown, input);
        assert_eq!(tally, Tally { passed: 2, failed: 0, skipped: 0 });
    }
}
