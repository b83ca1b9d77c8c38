use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::office::may_pass;
use super::within::within;
use crate::builder::Settings;
use crate::error::Stop;
use crate::host::Host;
use crate::lock::{FencingToken, Lease, LockStore};
use crate::{BackendError, BackendErrorKind};

/// The lock, held by this run and kept by a heartbeat.
///
/// The heartbeat has its own thread, runtime and connection: a change that blocks the
/// application's runtime does not starve it. Dropped before [`release`](Self::release) is done (the
/// run's future was dropped), the heartbeat gives the lock back.
#[derive(Debug)]
pub(super) struct HeldLease {
    lease: Lease,
    lock: Arc<dyn LockStore>,
    belief: Arc<Belief>,
    limit: Duration,
    heartbeat: Option<Heartbeat>,
}

/// What this run believes about its lease.
#[derive(Debug)]
struct Belief {
    /// A lease counts from the moment its last acknowledged extension was *sent*.
    until: Mutex<Instant>,
    /// The last extension found a single writer in the way, most likely this run's own change: nobody
    /// can have taken the lock either.
    busy: AtomicBool,
    lost: CancellationToken,
}

#[derive(Debug)]
struct Heartbeat {
    stop: oneshot::Sender<()>,
    stopped: oneshot::Receiver<()>,
    /// Dropped without a word, it makes the heartbeat release the lock.
    released: oneshot::Sender<()>,
}

impl HeldLease {
    /// Holds a lease that was asked for at `sent`.
    pub(super) fn new(lease: Lease, sent: Instant, lock: Arc<dyn LockStore>, settings: &Settings) -> Self {
        let limit = settings.operation_timeout;
        let until = Mutex::new(sent + lease.request.lease);
        let belief = Arc::new(Belief { until, busy: AtomicBool::new(false), lost: CancellationToken::new() });
        let beats = Beats {
            lease: lease.clone(),
            lock: Arc::clone(&lock),
            belief: Arc::clone(&belief),
            limit: limit.min(lease.request.lease / 3),
            dedicated: None,
        };
        let heartbeat = Heartbeat::start(beats, settings.host.as_ref());
        Self { lease, lock, belief, limit, heartbeat }
    }

    /// The lock's own token. What appends and fences carry is the office's.
    pub(super) fn token(&self) -> FencingToken {
        self.lease.token
    }

    /// Resolves when the lease is lost.
    pub(super) async fn lost(&self) {
        self.belief.lost.cancelled().await;
    }

    /// Whether it is still ours, as far as we know. Asks the store only when we no longer know.
    pub(super) async fn check(&self) -> Result<(), Stop> {
        if self.belief.holds() && !self.belief.lost.is_cancelled() {
            Ok(())
        } else {
            self.check_at_store().await
        }
    }

    /// Whether it is still ours, as the store knows it. Extends it.
    pub(super) async fn check_at_store(&self) -> Result<(), Stop> {
        if self.belief.lost.is_cancelled() {
            return Err(Stop::lease_lost(
                "another instance took the lock, or it could not be extended in time",
            ));
        }
        let sent = Instant::now();
        match within(self.limit, "extend lock", self.lock.extend(&self.lease)).await {
            Ok(()) => {
                self.belief.extended(sent + self.lease.request.lease);
                Ok(())
            }
            Err(error) if error.kind() == BackendErrorKind::Busy => Ok(()),
            Err(error) => {
                self.belief.busy.store(false, Ordering::Relaxed);
                if may_pass(&error) && self.belief.holds() {
                    return Ok(());
                }
                self.belief.lost.cancel();
                Err(Stop { source: Some(error), ..Stop::lease_lost("it could not be extended") })
            }
        }
    }

    /// Gives the lock back. Best effort: it expires by itself.
    pub(super) async fn release(mut self) {
        let mut done = None;
        if let Some(Heartbeat { stop, stopped, released }) = self.heartbeat.take() {
            done = Some(released);
            // An extension on its way must not arrive after the release.
            let _ = stop.send(());
            let _ = tokio::time::timeout(Duration::from_secs(1), stopped).await;
        }
        if let Err(error) = within(self.limit, "release lock", self.lock.release(&self.lease)).await {
            tracing::warn!(%error, "the lock could not be released; it expires by itself");
        }
        if let Some(released) = done {
            let _ = released.send(());
        }
    }
}

impl Belief {
    fn until(&self) -> MutexGuard<'_, Instant> {
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn holds(&self) -> bool {
        let left = self.until().saturating_duration_since(Instant::now());
        !left.is_zero() || self.busy.load(Ordering::Relaxed)
    }

    fn extended(&self, until: Instant) {
        self.busy.store(false, Ordering::Relaxed);
        let mut current = self.until();
        *current = until.max(*current);
    }
}

impl Heartbeat {
    fn start(mut beats: Beats, host: &dyn Host) -> Option<Self> {
        let (stop, stopping) = oneshot::channel();
        let (ended, stopped) = oneshot::channel();
        let (released, done) = oneshot::channel();
        let beats = async move {
            beats.run(stopping).await;
            let _ = ended.send(());
            // The run was dropped: nobody else gives the lock back.
            if done.await.is_err() {
                beats.give_back().await;
            }
        };
        match host.heartbeat(Box::pin(beats)) {
            Ok(()) => Some(Self { stop, stopped, released }),
            Err(error) => {
                tracing::error!(%error, "no heartbeat: the lease cannot be extended");
                None
            }
        }
    }
}

/// What the heartbeat does.
struct Beats {
    lease: Lease,
    lock: Arc<dyn LockStore>,
    belief: Arc<Belief>,
    limit: Duration,
    /// Opened at the first beat: most runs are over before it.
    dedicated: Option<Arc<dyn LockStore>>,
}

impl Beats {
    /// Until it is to stop, or the lease is lost.
    async fn run(&mut self, mut stopping: oneshot::Receiver<()>) {
        let third = self.lease.request.lease / 3;
        let mut pause = third;
        loop {
            let beat = async {
                tokio::time::sleep(pause).await;
                self.beat().await
            };
            let beaten = tokio::select! {
                biased;
                _ = &mut stopping => return,
                beaten = beat => beaten,
            };
            pause = match beaten {
                Ok(()) => third,
                Err(error) if error.is_lease_lost() => return self.lose(&error),
                Err(error) => {
                    let busy = error.kind() == BackendErrorKind::Busy;
                    self.belief.busy.store(busy, Ordering::Relaxed);
                    if !self.belief.holds() {
                        return self.lose(&error);
                    }
                    if !busy {
                        tracing::warn!(%error, "the lease could not be extended; trying again");
                    }
                    third / 4
                }
            };
        }
    }

    async fn beat(&mut self) -> Result<(), BackendError> {
        let sent = Instant::now();
        let lock = self.connection().await?;
        within(self.limit, "extend lock", lock.extend(&self.lease)).await?;
        self.belief.extended(sent + self.lease.request.lease);
        Ok(())
    }

    async fn connection(&mut self) -> Result<Arc<dyn LockStore>, BackendError> {
        if let Some(lock) = &self.dedicated {
            return Ok(Arc::clone(lock));
        }
        let lock = within(self.limit, "connect heartbeat", self.lock.dedicated()).await?;
        Ok(Arc::clone(self.dedicated.insert(lock)))
    }

    fn lose(&self, error: &BackendError) {
        tracing::error!(%error, "the lease is lost");
        self.belief.lost.cancel();
    }

    async fn give_back(&mut self) {
        let released = match self.connection().await {
            Ok(lock) => within(self.limit, "release lock", lock.release(&self.lease)).await,
            Err(error) => Err(error),
        };
        if let Err(error) = released {
            tracing::warn!(%error, "the lock could not be released; it expires by itself");
        }
    }
}
