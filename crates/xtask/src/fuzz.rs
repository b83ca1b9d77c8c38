use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::workspace;

/// With libFuzzer in the place of random input, and told what each input reaches. All of it is stable.
const FLAGS: &str = "--cfg fuzzing --cfg fuzzing_libfuzzer -Cpasses=sancov-module \
     -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
     -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares \
     -Cllvm-args=-sanitizer-coverage-stack-depth";

/// A test written with `bolero::check!`, as it tells of itself.
#[derive(Deserialize)]
struct Test {
    exe: PathBuf,
    /// Where its inputs are.
    work_dir: PathBuf,
    package_name: String,
    test_name: String,
}

/// Runs every such test under libFuzzer for `time`; only those of `only`, and those with `part` in their name.
/// What it finds is kept beside the test, where `cargo test` tries it from then on. `false`: it found something.
pub(crate) fn run(part: Option<&str>, only: Option<&str>, time: Duration) -> Result<bool> {
    let mut findings = Vec::new();
    let (mut tests, mut total) = (0, 0);
    for package in packages()?.into_iter().filter(|name| only.is_none_or(|only| name == only)) {
        for test in
            list(&package)?.into_iter().filter(|test| part.is_none_or(|part| test.test_name.contains(part)))
        {
            let name = format!("{} {}", test.package_name, test.test_name);
            match fuzz(&test, time)? {
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

/// The packages with fuzz tests. Not those of macros: they run in the compiler, and are not instrumented.
fn packages() -> Result<Vec<String>> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    #[derive(Deserialize)]
    struct Package {
        name: String,
        dependencies: Vec<Dependency>,
        targets: Vec<Target>,
    }
    #[derive(Deserialize)]
    struct Dependency {
        name: String,
    }
    #[derive(Deserialize)]
    struct Target {
        kind: Vec<String>,
    }
    let output = workspace::cargo()?.args(["metadata", "--no-deps", "--format-version", "1"]).output()?;
    let metadata: Metadata =
        serde_json::from_slice(&output.stdout).context("what cargo says of the workspace")?;
    let is_fuzzed = |package: &Package| {
        package.dependencies.iter().any(|other| other.name == "bolero")
            && package.targets.iter().all(|target| !target.kind.iter().any(|kind| kind == "proc-macro"))
    };
    Ok(metadata.packages.into_iter().filter(is_fuzzed).map(|package| package.name).collect())
}

/// Builds the tests of a package, and asks them which they are.
fn list(package: &str) -> Result<Vec<Test>> {
    let mut cargo = workspace::cargo()?;
    // With a target, so that build scripts and macros are left as they are.
    cargo.args(["test", "--lib", "--all-features", "--profile", "fuzz", "--target", &host()?]);
    cargo.args(["--package", package, "--target-dir"]).arg(workspace::target()?.join("fuzz"));
    cargo.env("RUSTFLAGS", FLAGS).env("BOLERO_FUZZER", "libfuzzer");
    cargo.env("CARGO_BOLERO_SELECT", "all").args(["--", "--nocapture"]);
    let output = cargo.output().context("cargo")?;
    let said = String::from_utf8_lossy(&output.stdout);
    let tests: Vec<Test> = said
        .lines()
        .filter(|line| line.contains("__bolero_target"))
        .map(|line| serde_json::from_str(line).with_context(|| format!("a fuzz test says {line}")))
        .collect::<Result<_>>()?;
    if tests.is_empty() {
        bail!(
            "{package} has no fuzz tests, or cannot be built:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(tests)
}

fn host() -> Result<String> {
    let output = Command::new("rustc").args(["--print", "host-tuple"]).output().context("rustc")?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// How many inputs were tried; [`None`] when one of them failed.
fn fuzz(test: &Test, time: Duration) -> Result<Option<u64>> {
    let (corpus, crashes) = (test.work_dir.join("corpus"), test.work_dir.join("crashes"));
    fs::create_dir_all(&corpus)?;
    fs::create_dir_all(&crashes)?;
    let arguments = format!(
        "{} {} -artifact_prefix={}/ -timeout=10 -max_total_time={} -print_final_stats=1",
        corpus.display(),
        crashes.display(),
        crashes.display(),
        time.as_secs()
    );
    let mut command = Command::new(&test.exe);
    command.current_dir(workspace::root()?).arg(&test.test_name);
    command.args(["--exact", "--nocapture", "--quiet", "--test-threads", "1"]);
    command.env("BOLERO_TEST_NAME", &test.test_name).env("BOLERO_LIBTEST_HARNESS", "1");
    let Output { status, stdout, stderr } =
        command.env("BOLERO_LIBFUZZER_ARGS", arguments).output().context("the fuzz test did not start")?;
    let said = String::from_utf8_lossy(&stdout) + String::from_utf8_lossy(&stderr);
    if !status.success() {
        let log = log(test)?;
        fs::write(&log, said.as_bytes())?;
        println!("{}: see {}", test.test_name, log.display());
        return Ok(None);
    }
    let runs = said.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    Ok(Some(runs.context("libFuzzer does not say how many inputs it tried")?.trim().parse()?))
}

/// Where what it said is kept.
fn log(test: &Test) -> Result<PathBuf> {
    let name = test.test_name.replace("::", "-");
    Ok(Path::new(&workspace::target()?).join(format!("fuzz/{name}.log")))
}
