use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;

use flamingock_core::change::{
    Body, ChangeContext, Invocation, Method, MethodError, MethodFuture, Resources,
};
use flamingock_core::target::Session;
use futures_util::FutureExt as _;

use super::moment::Moment;
use super::plan::Effect;
use super::process::{Process, lost};

/// Which method of a change it is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Role {
    Apply,
    Rollback,
    Verify,
}

/// What unwinds a method where its process dies.
struct Crash;

/// Lets the process die here: for a fake that stands in for a system, called from within a change.
///
/// What the change did up to here is done. The run ends as if by
/// [`crash_at`](super::super::FlamingockTest::crash_at).
///
/// ```no_run
/// # use std::sync::Mutex;
/// struct FakeBroker(Mutex<Vec<String>>);
///
/// impl FakeBroker {
///     fn create_topic(&self, name: &str) {
///         let mut topics = self.0.lock().unwrap();
///         topics.push(name.to_owned());
///         if topics.len() == 2 {
///             drop(topics);
///             flamingock_testing::crash_now(); // the second topic is there, the third never comes
///         }
///     }
/// }
/// ```
pub fn crash_now() -> ! {
    resume_unwind(Box::new(Crash))
}

impl Role {
    fn called(self) -> Moment {
        match self {
            Self::Apply => Moment::Apply,
            Self::Rollback => Moment::Rollback,
            Self::Verify => Moment::Verify,
        }
    }

    fn step(self, number: u32) -> Option<Moment> {
        match self {
            Self::Apply => Some(Moment::ApplyStep(number)),
            Self::Rollback => Some(Moment::RollbackStep(number)),
            Self::Verify => None,
        }
    }

    fn wait(self, number: u32) -> Option<Moment> {
        match self {
            Self::Apply => Some(Moment::ApplyWait(number)),
            Self::Rollback => Some(Moment::RollbackWait(number)),
            Self::Verify => None,
        }
    }
}

/// One method of one change, in one process.
#[derive(Debug, Clone)]
struct Called {
    process: Arc<Process>,
    change: Arc<str>,
    role: Role,
}

type Outcome<T> = Result<Result<T, MethodError>, Box<dyn Any + Send>>;

impl Called {
    fn is_due(&self, moment: Option<Moment>) -> bool {
        moment.is_some_and(|moment| self.process.due(moment, &self.change).is_some())
    }

    fn due(&self) -> Option<Effect> {
        self.process.due(self.role.called(), &self.change)
    }

    /// The run's own resources, with a context that dies at the step that was named.
    fn overheard(&self, own: &Resources) -> Resources {
        let mut resources = own.clone();
        if let Some(context) = own.get::<ChangeContext>() {
            let (called, steps) = (self.clone(), AtomicU32::new(0));
            resources.insert(context.listened_to(move |_, _, _| {
                let step = steps.fetch_add(1, Ordering::Relaxed) + 1;
                if called.is_due(called.role.step(step)) {
                    crash_now();
                }
            }));
        }
        resources
    }

    /// [`None`]: the process is dead.
    fn ended<T>(&self, ended: Outcome<T>, due: Option<Effect>) -> Option<Result<T, MethodError>> {
        match (ended, due) {
            (Err(panic), _) if panic.is::<Crash>() => None,
            (Err(panic), _) => resume_unwind(panic),
            (Ok(_), Some(Effect::CrashAfter)) => None,
            (Ok(Ok(_)), Some(Effect::LoseAnswer)) => Some(Err(self.lost())),
            (Ok(ended), _) => Some(ended),
        }
    }

    fn lost(&self) -> MethodError {
        MethodError::new(lost(match self.role {
            Role::Apply => "apply",
            Role::Rollback => "rollback",
            Role::Verify => "verify",
        }))
    }

    async fn call<T>(
        self,
        body: impl for<'b> FnOnce(Invocation<'b>) -> MethodFuture<'b, T>,
        Invocation { session, resources: [own, target, shared] }: Invocation<'_>,
    ) -> Result<T, MethodError> {
        let due = self.due();
        match due {
            Some(Effect::CrashBefore) => match self.process.die().await {},
            Some(Effect::Fail) => return Err(self.lost()),
            _ => {}
        }
        let own = self.overheard(own);
        let session = session.map(|session| session as &mut dyn Session);
        let method = async { body(Invocation { session, resources: [&own, target, shared] }).await };
        let ended = self.waiting(AssertUnwindSafe(method).catch_unwind()).await;
        match self.ended(ended, due) {
            Some(ended) => ended,
            None => match self.process.die().await {},
        }
    }

    /// Dies at the wait that was named.
    async fn waiting<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        let mut waits = 0;
        poll_fn(|context| {
            let polled = future.as_mut().poll(context);
            if polled.is_pending() && !self.process.is_dead() {
                waits += 1;
                if self.is_due(self.role.wait(waits)) {
                    self.process.kill();
                    return Poll::Pending;
                }
            }
            polled
        })
        .await
    }

    fn call_blocking<T>(
        &self,
        body: impl for<'b> FnOnce(Invocation<'b>) -> Result<T, MethodError>,
        Invocation { session, resources: [own, target, shared] }: Invocation<'_>,
    ) -> Result<T, MethodError> {
        let due = self.due();
        match due {
            Some(Effect::CrashBefore) => return self.dead(),
            Some(Effect::Fail) => return Err(self.lost()),
            _ => {}
        }
        let own = self.overheard(own);
        let session = session.map(|session| session as &mut dyn Session);
        let call = || body(Invocation { session, resources: [&own, target, shared] });
        let ended = catch_unwind(AssertUnwindSafe(call));
        self.ended(ended, due).unwrap_or_else(|| self.dead())
    }

    /// A thread cannot be dropped; nobody hears what it answers.
    fn dead<T>(&self) -> Result<T, MethodError> {
        self.process.kill();
        Err(self.lost())
    }
}

/// The method, as the process runs it.
pub(super) fn faulty<T: Send + 'static>(
    process: &Arc<Process>,
    change: &Arc<str>,
    role: Role,
    method: Method<T>,
) -> Method<T> {
    let called = Called { process: Arc::clone(process), change: Arc::clone(change), role };
    let body = match method.body {
        Body::Async(body) => {
            let faulty = async_body(move |invocation| {
                let (called, body) = (called.clone(), Arc::clone(&body));
                Box::pin(called.call(move |invocation| body(invocation), invocation))
            });
            Body::Async(Arc::new(faulty))
        }
        Body::Blocking(body) => {
            let faulty = blocking_body(move |invocation| {
                called.call_blocking(|invocation| body(invocation), invocation)
            });
            Body::Blocking(Arc::new(faulty))
        }
    };
    Method { params: method.params, body }
}

/// Tells the compiler that the closure is for any lifetime.
fn async_body<T, F: for<'a> Fn(Invocation<'a>) -> MethodFuture<'a, T>>(body: F) -> F {
    body
}

/// The same.
fn blocking_body<T, F: for<'a> Fn(Invocation<'a>) -> Result<T, MethodError>>(body: F) -> F {
    body
}
