//! Many objects at once.

mod copy;
mod delete;

use std::fmt;

use flamingock_core::change::ChangeContext;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

pub use self::copy::Copied;
use crate::error::{At, S3Error, S3ErrorKind};

/// Objects at once, unless told.
const CONCURRENCY: usize = 16;

/// All objects of a bucket whose keys begin with this: `("receipts", "2026/")`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix<'a> {
    /// The bucket.
    pub bucket: &'a str,
    /// What the keys begin with; end it with `/` where a folder is meant.
    pub prefix: &'a str,
}

impl<'a> From<(&'a str, &'a str)> for Prefix<'a> {
    fn from((bucket, prefix): (&'a str, &'a str)) -> Self {
        Self { bucket, prefix }
    }
}

/// How many objects are copied or deleted at once, and who is told how far it is.
///
/// ```
/// # use flamingock_core::change::ChangeContext;
/// # fn example(context: &ChangeContext) {
/// use flamingock_target_s3::Bulk;
///
/// let bulk = Bulk::new().concurrency(64).tell(context);
/// # }
/// ```
#[derive(Clone, Copy)]
pub struct Bulk<'a> {
    concurrency: usize,
    context: Option<&'a ChangeContext>,
}

impl<'a> Bulk<'a> {
    /// 16 at once.
    pub fn new() -> Self {
        Self { concurrency: CONCURRENCY, context: None }
    }

    /// How many requests are under way at once; at least one.
    #[must_use]
    pub fn concurrency(mut self, requests: usize) -> Self {
        self.concurrency = requests.max(1);
        self
    }

    /// Tells how far it is, and stops between two objects when the run is cancelled.
    #[must_use]
    pub fn tell(mut self, context: &'a ChangeContext) -> Self {
        self.context = Some(context);
        self
    }

    /// Does all of it, several at once, and says what each has done. After the first error nothing is begun
    /// any more, and what is under way is waited for.
    async fn each<T, F: Future<Output = Result<T, S3Error>>>(
        &self,
        mut waiting: impl Iterator<Item = F>,
        mut done: impl FnMut(T),
    ) -> Result<(), S3Error> {
        let mut running = FuturesUnordered::new();
        let mut failed = None;
        loop {
            while failed.is_none() && running.len() < self.concurrency {
                let Some(next) = waiting.next() else { break };
                running.push(next);
            }
            match running.next().await {
                Some(Ok(one)) => done(one),
                Some(Err(error)) => failed = failed.or(Some(error)),
                None => return failed.map_or(Ok(()), Err),
            }
        }
    }

    fn check(&self, at: At<'_>) -> Result<(), S3Error> {
        if self.context.is_some_and(ChangeContext::cancelled) {
            return Err(at.error(S3ErrorKind::Cancelled, "the run was cancelled"));
        }
        Ok(())
    }

    fn progress(&self, done: u64, seen: u64, message: &str) {
        if let Some(context) = self.context {
            context.progress(done, seen, message);
        }
    }
}

impl Default for Bulk<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Bulk<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bulk").field("concurrency", &self.concurrency).finish_non_exhaustive()
    }
}
