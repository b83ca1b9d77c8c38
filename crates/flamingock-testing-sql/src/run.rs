use std::panic::{AssertUnwindSafe, resume_unwind};

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
    /// # Panics
    /// When it cannot be made: the test fails, and says what is missing.
    pub async fn open<D: TestDatabase>(&mut self) -> D {
        match D::create(&self.options).await {
            Ok((database, created)) => {
                self.created.push(created);
                database
            }
            Err(error) => panic!("{error}"),
        }
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

/// Runs a test on a runtime of its own. Its databases go when it passed, and stay when it failed.
///
/// # Panics
/// When the test does, when it returns an error, or when a database cannot be made.
pub fn run<R: Outcome>(options: Options, test: impl AsyncFnOnce(&mut Databases) -> R) {
    let runtime = match Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => panic!("there is no runtime for the test: {error}"),
    };
    let mut databases = Databases { options, created: Vec::new() };
    let ended = runtime.block_on(AssertUnwindSafe(test(&mut databases)).catch_unwind());
    match ended.map(Outcome::error) {
        Ok(None) => runtime.block_on(databases.remove()),
        Ok(Some(error)) => panic!("{error}{}", databases.kept()),
        Err(panic) => {
            let kept = databases.kept();
            if !kept.is_empty() {
                eprintln!("{}", kept.trim_start());
            }
            resume_unwind(panic)
        }
    }
}
