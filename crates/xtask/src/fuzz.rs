use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::{tool, workspace};

/// A fuzz test, as the tool lists it.
#[derive(Deserialize)]
struct Test {
    package: String,
    test: String,
}

/// Runs every test written with `bolero::check!` under libFuzzer, guided by coverage, each for `time`; only
/// those of `only`, and those with `part` in their name. What it finds is kept beside the test, where `cargo test` tries it from
/// then on. `false`: it found something.
pub(crate) fn run(part: Option<&str>, only: Option<&str>, time: Duration) -> Result<bool> {
    let folder = workspace::target()?;
    let tool =
        tool::install("cargo-bolero", "0.13.5", &["--no-default-features", "--features", "libfuzzer"])?;
    let mut findings = Vec::new();
    let (mut tests, mut total) = (0, 0);
    for package in packages()?.into_iter().filter(|name| only.is_none_or(|only| name == only)) {
        for test in list(&tool, &folder, &package)? {
            if part.is_some_and(|part| !test.test.contains(part)) {
                continue;
            }
            let name = format!("{} {}", test.package, test.test);
            match fuzz(&tool, &folder, &test, time)? {
                Some(runs) => {
                    println!("{name}: {runs} runs");
                    tests += 1;
                    total += runs;
                }
                None => findings.push(name),
            }
        }
    }
    println!("{tests} fuzz tests found nothing in {total} runs");
    for name in &findings {
        println!("{name}: found something; `cargo test` fails with it, too");
    }
    if tests + findings.len() == 0 {
        bail!("there is no such fuzz test");
    }
    Ok(findings.is_empty())
}

/// The packages with fuzz tests.
fn packages() -> Result<Vec<String>> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    #[derive(Deserialize)]
    struct Package {
        name: String,
        dependencies: Vec<Dependency>,
    }
    #[derive(Deserialize)]
    struct Dependency {
        name: String,
    }
    let output = workspace::cargo()?.args(["metadata", "--no-deps", "--format-version", "1"]).output()?;
    let metadata: Metadata =
        serde_json::from_slice(&output.stdout).context("what cargo says of the workspace")?;
    let packages = metadata.packages.into_iter();
    let fuzzed = packages.filter(|package| package.dependencies.iter().any(|other| other.name == "bolero"));
    Ok(fuzzed.map(|package| package.name).collect())
}

fn list(tool: &Path, folder: &Path, package: &str) -> Result<Vec<Test>> {
    let output = command(tool, folder, "list", package)?.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        bail!("the fuzz tests of {package} cannot be built");
    }
    let text = String::from_utf8(output.stdout).context("the list of fuzz tests")?;
    // Each test program has a line, if an empty one.
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.map(|line| serde_json::from_str(line).context("the list of fuzz tests")).collect()
}

/// How many inputs were tried; [`None`] when one of them failed.
fn fuzz(tool: &Path, folder: &Path, test: &Test, time: Duration) -> Result<Option<u64>> {
    let mut command = command(tool, folder, "test", &test.package)?;
    command.args(["--sanitizer", "NONE", "--engine-args=-print_final_stats=1"]);
    command.arg(format!("-T{}s", time.as_secs())).arg(&test.test);
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        let log = folder.join("fuzz.log");
        fs::write(&log, said.as_bytes())?;
        println!("{}: see {}", test.test, log.display());
        return Ok(None);
    }
    let runs = said.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    Ok(Some(runs.context("libFuzzer does not say how many inputs it tried")?.trim().parse()?))
}

fn command(tool: &Path, folder: &Path, what: &str, package: &str) -> Result<Command> {
    let mut command = Command::new(tool);
    command.current_dir(workspace::root()?).args(["bolero", what, "--package", package, "--all-features"]);
    // Coverage is no stable option of the compiler.
    command.args(["--rustc-bootstrap", "--target-dir"]).arg(folder.join("fuzz"));
    Ok(command)
}
