use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::time::Instant;

use super::context::Run;
use super::lease::HeldLease;
use super::within::{moment_in, retrying};
use crate::BackendErrorKind;
use crate::audit::{Head, Verdict};
use crate::error::{RunErrorKind, Stop};
use crate::event::Event;
use crate::lock::{Acquisition, Holder, LockRequest};

/// What came of waiting for the lock.
pub(super) enum Entry {
    /// It is ours.
    Leading(HeldLease),
    /// Another instance has done everything.
    UpToDate(Head),
}

impl Run<'_> {
    /// Asks for the lock until it is ours, another instance has done everything, or the wait is over.
    ///
    /// Between two attempts it holds nothing: no transaction, no connection, no advisory lock.
    pub(super) async fn enter(&self) -> Result<Entry, Stop> {
        let settings = &self.app.settings;
        let request = LockRequest {
            history: settings.history.clone(),
            owner: settings.owner.clone(),
            execution: self.execution.clone(),
            lease: settings.lease,
        };
        let limit = settings.operation_timeout;
        let deadline = moment_in(settings.lock_wait);
        let mut seen: HashSet<String> = HashSet::new();
        let mut pauses = polling();
        loop {
            let sent = Instant::now();
            let asked = retrying(limit, "acquire lock", || self.app.lock.try_acquire(&request)).await;
            let held_by = match asked {
                Ok(Acquisition::Acquired(lease)) => {
                    let lease = HeldLease::new(lease, sent, Arc::clone(&self.app.lock), settings);
                    return self.after_waiting(&seen, lease).await;
                }
                Ok(Acquisition::Held(holder)) => Ok(holder),
                // Somebody writes, and so is at work.
                Err(error) if error.kind() == BackendErrorKind::Busy => Err(error),
                Err(error) => return Err(self.lock_stop(error)),
            };
            if let Ok(holder) = &held_by
                && seen.insert(holder.execution.clone())
            {
                tracing::info!(holder = holder.owner, "waiting for another instance");
                self.app.listeners.tell(&Event::Waiting { holder });
            }
            if Instant::now() >= deadline {
                return Err(match held_by {
                    Ok(holder) => lock_timeout(settings.lock_wait, &holder),
                    Err(error) => self.lock_stop(error),
                });
            }
            let pause = pauses.next().unwrap_or(Duration::from_millis(150));
            tokio::select! {
                biased;
                () = settings.cancel.cancelled() => return Err(Stop::cancelled()),
                () = tokio::time::sleep(pause) => {}
            }
            if !seen.is_empty()
                && let Some(head) = self.read_head().await?
                && let Some(entry) = self.settled(&seen, head)?
            {
                return Ok(entry);
            }
        }
    }

    /// The lock is ours: after a wait, the one before us may have left nothing to do.
    async fn after_waiting(&self, seen: &HashSet<String>, lease: HeldLease) -> Result<Entry, Stop> {
        if seen.is_empty() {
            return Ok(Entry::Leading(lease));
        }
        let settled = self.read_head().await.and_then(|head| match head {
            Some(head) => self.settled(seen, head),
            None => Ok(None),
        });
        match settled {
            Ok(None) => Ok(Entry::Leading(lease)),
            Ok(Some(entry)) => {
                lease.release().await;
                Ok(entry)
            }
            Err(stop) => {
                lease.release().await;
                Err(stop)
            }
        }
    }

    /// Whether the head says that there is nothing left to do, or that it went wrong. Whoever must lead has
    /// something to do all the same: most rulings are about what went wrong.
    fn settled(&self, seen: &HashSet<String>, head: Head) -> Result<Option<Entry>, Stop> {
        if self.must_lead {
            return Ok(None);
        }
        if self.is_complete(&head) {
            return Ok(Some(Entry::UpToDate(head)));
        }
        let ours = |verdict: &&Verdict| {
            verdict.digest == self.app.pipeline.digest && seen.contains(&verdict.execution)
        };
        match head.verdict.as_ref().filter(ours) {
            Some(verdict) => Err(another_failed(verdict)),
            None => Ok(None),
        }
    }

    /// Mode `wait`: reads the head until it says that everything is applied.
    pub(super) async fn await_others(
        &mut self,
        first: Option<Head>,
        timeout: Duration,
    ) -> Result<Head, Stop> {
        let deadline = moment_in(timeout);
        let mut looked = first.as_ref().map(|head| head.sequence);
        let known = first.and_then(|head| head.verdict).map(|verdict| verdict.execution);
        let mut pauses = polling();
        while Instant::now() < deadline {
            let pause = pauses.next().unwrap_or(Duration::from_millis(150));
            tokio::select! {
                biased;
                () = self.app.settings.cancel.cancelled() => return Err(Stop::cancelled()),
                () = tokio::time::sleep(pause) => {}
            }
            let Some(head) = self.read_head().await? else { continue };
            // Digests stand there when a run of some release has ended well.
            let ended = !head.digests.is_empty() && looked != Some(head.sequence);
            if self.is_complete(&head) || (ended && self.has_all().await?) {
                return Ok(head);
            }
            looked = ended.then_some(head.sequence).or(looked);
            let digest = &self.app.pipeline.digest;
            if let Some(verdict) = &head.verdict
                && verdict.digest == *digest
                && Some(&verdict.execution) != known.as_ref()
            {
                return Err(another_failed(verdict));
            }
        }
        let waited = humantime::format_duration(timeout);
        Err(Stop::new(
            RunErrorKind::WaitTimeout,
            format!(
                "no other instance applied everything within {waited}: look whether one is running with the same release"
            ),
        ))
    }
}

fn polling() -> impl Iterator<Item = Duration> {
    // The last instance is to be ready within 200 ms of the first one's release.
    let (least, most) = (Duration::from_millis(20), Duration::from_millis(75));
    ExponentialBuilder::default()
        .with_min_delay(least)
        .with_max_delay(most)
        .without_max_times()
        .with_jitter()
        .build()
}

fn another_failed(verdict: &Verdict) -> Stop {
    Stop::new(
        RunErrorKind::AnotherRunFailed,
        format!(
            "the instance that was waited for ended badly (run {}): {}",
            verdict.execution, verdict.message
        ),
    )
}

fn lock_timeout(wait: Duration, holder: &Holder) -> Stop {
    let (owner, execution, since) = (&holder.owner, &holder.execution, holder.since);
    let remaining = holder.remaining.map_or_else(String::new, |left| {
        let left = Duration::from_secs(left.as_secs());
        format!(", its lease ends in {} unless it is extended", humantime::format_duration(left))
    });
    Stop::new(
        RunErrorKind::LockTimeout,
        format!(
            "the lock was not free within {}: {owner} holds it since {since} (run {execution}){remaining}. \
             Wait for it, or look why it takes so long",
            humantime::format_duration(wait)
        ),
    )
}
