use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;
use tracing::Span;

use super::lease::HeldLease;
use crate::audit::ErrorDetail;
use crate::change::{Body, Invocation, Method, MethodError, Resources};
use crate::target::{Mode, Session, TargetSystem};

/// What a method is given besides its session.
#[derive(Debug, Clone)]
pub(super) struct Surroundings {
    /// What belongs to this call: context, fencing token, idempotency key.
    pub(super) own: Arc<Resources>,
    pub(super) target: Arc<dyn TargetSystem>,
    pub(super) mode: Mode,
    pub(super) shared: Arc<Resources>,
}

impl Surroundings {
    fn invocation<'a>(&'a self, session: Option<&'a mut (dyn Session + 'static)>) -> Invocation<'a> {
        let session = session.map(|session| session as &mut dyn Session);
        Invocation { session, resources: [&self.own, self.target.resources(self.mode), &self.shared] }
    }
}

/// What ends a method early.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits<'a> {
    pub(super) timeout: Option<Duration>,
    pub(super) cancel: &'a CancellationToken,
    /// How long it may go on after cancellation: a transaction is simply rolled back.
    pub(super) cancel_grace: Duration,
    /// How long to wait for what cannot be stopped.
    pub(super) grace: Duration,
    /// [`None`] for a look that needs no lock.
    pub(super) lease: Option<&'a HeldLease>,
}

/// Why a method was ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Early {
    TimedOut(Duration),
    Cancelled,
    LeaseLost,
}

/// How a call ended.
#[derive(Debug)]
pub(super) enum Called<T> {
    /// By itself, well or badly. A panic is an error like any other.
    Returned(Result<T, Failure>),
    /// Dropped half-way; the session is to be aborted.
    Dropped(Early),
    /// It cannot be stopped and still runs; the session is gone with it.
    StillRunning(Early),
}

/// What went wrong in a method.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub(super) detail: ErrorDetail,
    pub(super) left: Left,
}

/// What a method that failed has left in the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// As it said itself.
    Nothing,
    /// Perhaps something.
    Something,
    /// Perhaps something, and what it gave up on may still come to it.
    Running,
}

impl Early {
    pub(super) fn detail(self) -> ErrorDetail {
        let (type_name, message) = match self {
            Self::TimedOut(limit) => {
                ("Timeout", format!("not done within {}", humantime::format_duration(limit)))
            }
            Self::Cancelled => ("Cancelled", "the run was cancelled".to_owned()),
            Self::LeaseLost => ("LeaseLost", "the lease was lost".to_owned()),
        };
        ErrorDetail::new(type_name, [message])
    }
}

/// Calls a method. `session` is taken away while a blocking method runs, and only then.
pub(super) async fn call<T: Send + 'static>(
    method: &Method<T>,
    session: &mut Option<Box<dyn Session>>,
    surroundings: &Surroundings,
    limits: Limits<'_>,
) -> Called<T> {
    match &method.body {
        Body::Async(body) => {
            let invocation = surroundings.invocation(session.as_deref_mut());
            let future = AssertUnwindSafe(async move { body(invocation).await }).catch_unwind();
            tokio::select! {
                biased;
                ended = future => Called::Returned(outcome(ended)),
                early = limits.ended() => Called::Dropped(early),
            }
        }
        Body::Blocking(body) => {
            let (body, surroundings) = (Arc::clone(body), surroundings.clone());
            // Of its own, a thread is in none.
            let span = Span::current();
            // Until a thread takes the session, and so begins, the run may take it back. If the run is
            // dropped, there is nothing left to take.
            let queued = Arc::new(Mutex::new(Some(session.take())));
            let waiting = Arc::downgrade(&queued);
            let mut task = tokio::task::spawn_blocking(move || {
                let mut owned = take(&*waiting.upgrade()?)?;
                let call = AssertUnwindSafe(|| body(surroundings.invocation(owned.as_deref_mut())));
                let ended = span.in_scope(|| catch_unwind(call));
                Some((owned, ended))
            });
            let early = tokio::select! {
                biased;
                ended = &mut task => Err(ended),
                early = limits.ended() => Ok(early),
            };
            let (ended, early) = match early {
                Err(ended) => (Ok(ended), None),
                Ok(early) => {
                    if let Some(owned) = take(&queued) {
                        *session = owned;
                        return not_begun(early);
                    }
                    (tokio::time::timeout(limits.left(early), task).await, Some(early))
                }
            };
            match (ended, early) {
                (Ok(Ok(Some((owned, ended)))), early) => {
                    *session = owned;
                    match early {
                        Some(Early::LeaseLost) => Called::Dropped(Early::LeaseLost),
                        // It came to an end after all, and how is known.
                        _ => Called::Returned(outcome(ended)),
                    }
                }
                // The runtime is shutting down and has thrown the task away.
                (Ok(Ok(None) | Err(_)), _) => Called::StillRunning(Early::Cancelled),
                (Err(_), early) => Called::StillRunning(early.unwrap_or(Early::Cancelled)),
            }
        }
    }
}

fn take<T>(queued: &Mutex<Option<T>>) -> Option<T> {
    queued.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// It waited for a thread until it was ended.
fn not_begun<T>(early: Early) -> Called<T> {
    if early == Early::LeaseLost {
        return Called::Dropped(early);
    }
    let mut detail = early.detail();
    detail.message += "; it had not begun: it still waited for a thread for blocking work";
    Called::Returned(Err(Failure { detail, left: Left::Nothing }))
}

impl Limits<'_> {
    /// How long to wait for a blocking method that should have ended.
    fn left(&self, early: Early) -> Duration {
        if early == Early::Cancelled { self.grace.saturating_sub(self.cancel_grace) } else { self.grace }
    }

    /// Resolves when the method is to end.
    async fn ended(&self) -> Early {
        let timed_out = async {
            match self.timeout {
                Some(limit) => {
                    tokio::time::sleep(limit).await;
                    limit
                }
                None => std::future::pending().await,
            }
        };
        let cancelled = async {
            self.cancel.cancelled().await;
            tokio::time::sleep(self.cancel_grace).await;
        };
        let lost = async {
            match self.lease {
                Some(lease) => lease.lost().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = lost => Early::LeaseLost,
            () = cancelled => Early::Cancelled,
            limit = timed_out => Early::TimedOut(limit),
        }
    }
}

fn outcome<T>(ended: Result<Result<T, MethodError>, Box<dyn Any + Send>>) -> Result<T, Failure> {
    match ended {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Failure {
            detail: ErrorDetail::new(error.type_name(), error.chain()),
            left: if error.not_applied() { Left::Nothing } else { Left::Something },
        }),
        Err(panic) => {
            let message = panic
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_else(|| "it panicked".to_owned());
            Err(Failure { detail: ErrorDetail::new("panic", [message]), left: Left::Something })
        }
    }
}
