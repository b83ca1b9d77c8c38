use std::fmt;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::future::BoxFuture;
use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// How long a case may take.
const CASE_TIMEOUT: Duration = Duration::from_secs(30);

/// Names the implementations, separated by commas, whose absence is a failure.
const REQUIRE: &str = "FLAMINGOCK_TEST_REQUIRE";
/// How long a case may go on closing what it no longer needs.
const CLOSING: Duration = Duration::from_secs(10);

/// The cases of one suite for one implementation, run by [`run`].
///
/// [`audit_store_suite`](super::audit_store_suite), [`lock_suite`](super::lock_suite) and
/// [`target_suite`](super::target_suite) make those of the contracts; [`Suite::new`] makes one of your own.
pub struct Suite {
    seam: &'static str,
    implementation: String,
    available: Availability,
    timeout: Duration,
    cases: Vec<NamedCase>,
}

type NamedCase = (String, Box<dyn FnOnce() -> Result<Completion, Failed> + Send>);

impl fmt::Debug for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.cases.iter().map(|(name, _)| name)).finish()
    }
}

type Availability = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

impl Suite {
    /// A suite without cases. What it tests may be absent; that is asked once, when the first case
    /// runs, and answered with the reason.
    pub fn new(
        seam: &'static str,
        implementation: impl Into<String>,
        available: impl Fn() -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        let answer = OnceLock::new();
        let available = Arc::new(move || answer.get_or_init(&available).clone());
        let implementation = implementation.into();
        Self { seam, implementation, available, timeout: CASE_TIMEOUT, cases: Vec::new() }
    }

    /// How long each case that is added from here on may take; 30 s unless told.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Adds a case, which fails by a panic. It gets a runtime of its own.
    pub fn case(&mut self, name: &str, case: impl FnOnce() -> BoxFuture<'static, ()> + Send + 'static) {
        let available = Arc::clone(&self.available);
        let (implementation, timeout) = (self.implementation.clone(), self.timeout);
        let name = format!("{implementation}::{}::{name}", self.seam);
        let run = move || match available() {
            Ok(()) => run_case(case, timeout),
            Err(reason) if is_required(&implementation) => {
                Err(format!("{implementation} is required by {REQUIRE}, and is not there: {reason}").into())
            }
            Err(reason) => Ok(Completion::ignored_with(reason)),
        };
        self.cases.push((name, Box::new(run)));
    }

    /// Each case by its full name.
    pub(super) fn into_cases(self) -> Vec<NamedCase> {
        self.cases
    }
}

/// Runs suites as a test binary does: the arguments of `cargo test` filter, list and count the cases.
///
/// For the `main` of a test with `harness = false`. An implementation that is not there (its server
/// is not running) is reported as ignored; if `FLAMINGOCK_TEST_REQUIRE` names it, as failed.
pub fn run(suites: impl IntoIterator<Item = Suite>) -> ExitCode {
    let cases = suites.into_iter().flat_map(Suite::into_cases);
    let trials = cases.map(|(name, run)| Trial::ignorable_test(name, run)).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn is_required(implementation: &str) -> bool {
    std::env::var(REQUIRE).is_ok_and(|names| is_among(&names, implementation))
}

fn is_among(names: &str, implementation: &str) -> bool {
    names.split(',').any(|name| name.trim() == implementation)
}

/// Runs a case on a runtime of its own, so that none waits for another's connections or timers.
fn run_case(case: impl FnOnce() -> BoxFuture<'static, ()>, timeout: Duration) -> Result<Completion, Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    // On a worker, so that a case that blocks its thread cannot hold up the timeout.
    let running = runtime.spawn(case());
    let outcome = runtime.block_on(async { tokio::time::timeout(timeout, running).await });
    // A client that is still being closed when the process ends may take it along.
    runtime.shutdown_timeout(CLOSING);
    match outcome {
        Ok(Ok(())) => Ok(Completion::Completed),
        Ok(Err(error)) => match error.try_into_panic() {
            Ok(panic) => Err(message(&*panic).into()),
            Err(error) => Err(error.to_string().into()),
        },
        Err(_) => Err(format!("not done after {timeout:?}").into()),
    }
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "panicked".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_implementation_is_required_by_its_whole_name() {
        assert!(is_among("postgres, mysql", "mysql"));
        assert!(!is_among("postgres,mysql-8", "mysql"));
        assert!(!is_among("", "mysql"));
    }
}
