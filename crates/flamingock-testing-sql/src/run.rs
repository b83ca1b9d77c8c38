use std::any::Any;
use std::panic::{AssertUnwindSafe, resume_unwind};

use flamingock_core::change::BoxError;
use futures_util::FutureExt as _;
use tokio::runtime::Builder;

use crate::{Created, Options, Outcome, TestDatabase};

/// The databases of one test.
#[derive(Debug)]
pub struct Databases {
    options: Options,
    created: Vec<Created>,
}

impl Databases {
    /// One more.
    ///
    /// # Errors
    /// When it cannot be made, with what is missing.
    pub async fn open<D: TestDatabase>(&mut self) -> Result<D, BoxError> {
        let (database, created) = D::create(&self.options).await?;
        self.created.push(created);
        Ok(database)
    }

    /// For whoever looks into why the test failed.
    fn kept(&self) -> String {
        self.created.iter().map(|database| format!("\nkept: {}", database.address)).collect()
    }

    async fn remove(self) {
        for Created { address, remove } in self.created {
            if let Err(error) = remove().await {
                eprintln!("{address} could not be removed: {error}");
            }
        }
    }
}

/// Runs a test on a runtime of its own. Its databases go when it passed, and stay when it failed. One that
/// [should panic](Options::should_panic) passes when it does.
///
/// # Panics
/// When the test does, when it returns an error, or when a database cannot be made.
#[track_caller]
pub fn run<R: Outcome>(options: Options, test: impl AsyncFnOnce(&mut Databases) -> Result<R, BoxError>) {
    let runtime = match Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => panic!("there is no runtime for the test: {error}"),
    };
    let should_panic = options.should_panic;
    let mut databases = Databases { options, created: Vec::new() };
    let ended = runtime.block_on(AssertUnwindSafe(test(&mut databases)).catch_unwind());
    let (failed, panic) = match ended {
        Ok(Ok(outcome)) => (outcome.error(), None),
        Ok(Err(missing)) => (Some(missing.to_string()), None),
        Err(panic) => (Some(message(&*panic)), Some(panic)),
    };
    let passed = match should_panic {
        None => failed.is_none(),
        Some(expected) => failed.as_ref().is_some_and(|said| said.contains(expected)),
    };
    let mut kept = databases.kept();
    if passed {
        runtime.block_on(databases.remove());
        kept.clear();
    }
    if let (Some(error), None) = (&failed, &panic) {
        panic!("{error}{kept}");
    }
    if !kept.is_empty() {
        eprintln!("{}", kept.trim_start());
    }
    if let Some(panic) = panic {
        resume_unwind(panic);
    }
}

/// What a panic says.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or_default().to_owned()
}
