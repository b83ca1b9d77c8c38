use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use flamingock_core::__private::Host;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, LocalBoxFuture};
use futures_util::stream::{FuturesUnordered, StreamExt};
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;
use uuid::Uuid;

use super::guard;

/// The machine that a process runs on: its clock on the wall, its ids, and its heartbeats, which are a
/// part of the process's [`Life`] instead of threads.
#[derive(Clone)]
pub(crate) struct Machine {
    process: usize,
    ids: Arc<AtomicU64>,
    began: Instant,
    /// How far its clock on the wall is off.
    off: SignedDuration,
    beats: Arc<Mutex<Vec<BoxFuture<'static, ()>>>>,
}

impl Machine {
    pub(crate) fn new(process: usize, began: Instant, off: SignedDuration) -> Self {
        Self { process, ids: Arc::default(), began, off, beats: Arc::default() }
    }

    /// A run on this machine.
    pub(crate) fn live<T>(&self, run: impl Future<Output = T> + 'static) -> Life<T> {
        Life { run: run.boxed_local(), new: Arc::clone(&self.beats), beats: FuturesUnordered::new() }
    }
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machine").field("process", &self.process).finish_non_exhaustive()
    }
}

impl Host for Machine {
    fn name(&self) -> String {
        format!("machine-{}", self.process)
    }

    fn now(&self) -> Timestamp {
        // Any day will do, as long as it is the same every time.
        let elapsed = SignedDuration::try_from(self.began.elapsed()).unwrap_or_default();
        Timestamp::from_second(1_767_225_600).expect("it is a time") + elapsed + self.off
    }

    fn id(&self) -> Uuid {
        let number = self.ids.fetch_add(1, Ordering::Relaxed);
        Uuid::from_u64_pair(self.process as u64, number)
    }

    fn heartbeat(&self, beats: BoxFuture<'static, ()>) -> io::Result<()> {
        guard(&self.beats).push(beats);
        Ok(())
    }
}

/// A run with its heartbeats: not polled it stands still, dropped it is dead.
pub(crate) struct Life<T> {
    run: LocalBoxFuture<'static, T>,
    new: Arc<Mutex<Vec<BoxFuture<'static, ()>>>>,
    beats: FuturesUnordered<BoxFuture<'static, ()>>,
}

impl<T> Future for Life<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        if let Poll::Ready(ended) = self.run.poll_unpin(context) {
            return Poll::Ready(ended);
        }
        let new = std::mem::take(&mut *guard(&self.new));
        self.beats.extend(new);
        while let Poll::Ready(Some(())) = self.beats.poll_next_unpin(context) {}
        Poll::Pending
    }
}
