use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::time::Instant;

use crate::report::millis;
use crate::{BackendError, BackendErrorKind};

/// The moment that is so far away. Of "for ever" a clock knows only some years.
pub(super) fn moment_in(time: Duration) -> Instant {
    let years = Duration::from_secs(30 * 365 * 24 * 60 * 60);
    Instant::now() + time.min(years)
}

/// The operation's own answer, or that none came in time.
pub(super) async fn within<T>(
    limit: Duration,
    operation: &'static str,
    call: impl Future<Output = Result<T, BackendError>>,
) -> Result<T, BackendError> {
    match tokio::time::timeout(limit, call).await {
        Ok(answer) => answer,
        Err(_) => {
            let limit = Duration::from_millis(millis(limit).max(1));
            let message = format!("no answer within {}", humantime::format_duration(limit));
            Err(BackendError::new(BackendErrorKind::Unavailable, operation, message))
        }
    }
}

/// Attempts at an operation that is safe to repeat; none begins after a limit.
pub(super) struct Attempts {
    deadline: Instant,
    pauses: ExponentialBackoff,
}

impl Attempts {
    /// As many as the limit allows: what is done already waits to be recorded.
    pub(super) fn until_the_end(limit: Duration) -> Self {
        Self { deadline: moment_in(limit), pauses: pauses().without_max_times().build() }
    }

    /// A few, so that it is soon told what is out of reach.
    fn few(limit: Duration) -> Self {
        Self { deadline: moment_in(limit), pauses: pauses().with_max_times(6).build() }
    }

    fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Pauses before the next attempt; `false`, and at once, when there is none.
    pub(super) async fn again(&mut self) -> bool {
        let left = self.left();
        let in_time = |pause: &Duration| left.checked_sub(*pause).is_some();
        let Some(pause) = self.pauses.next().filter(in_time) else { return false };
        tokio::time::sleep(pause).await;
        true
    }
}

fn pauses() -> ExponentialBuilder {
    let (least, most) = (Duration::from_millis(50), Duration::from_secs(2));
    ExponentialBuilder::default().with_min_delay(least).with_max_delay(most).with_jitter()
}

/// Repeats an operation that is safe to repeat a few times, while its error is temporary; all attempts together
/// end within the limit. When the last one is cut short by that, the error is that of the one before,
/// which says why: who has the lock that was waited for.
pub(super) async fn retrying<T, F>(
    limit: Duration,
    operation: &'static str,
    call: impl Fn() -> F,
) -> Result<T, BackendError>
where
    F: Future<Output = Result<T, BackendError>>,
{
    let mut attempts = Attempts::few(limit);
    let mut before = None;
    loop {
        let mut answered = false;
        let attempt = async {
            let answer = call().await;
            answered = true;
            answer
        };
        let error = match within(attempts.left(), operation, attempt).await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        if !error.is_temporary() || !attempts.again().await {
            return Err(before.filter(|_| !answered).unwrap_or(error));
        }
        before = Some(error);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn an_attempt_that_the_limit_cuts_short_does_not_hide_why_the_one_before_failed() {
        let attempts = Cell::new(0);
        let call = || async {
            attempts.set(attempts.get() + 1);
            if attempts.get() > 1 {
                std::future::pending::<()>().await;
            }
            Err::<(), _>(BackendError::new(BackendErrorKind::Unavailable, "lock", "somebody has it"))
        };
        let error = retrying(Duration::from_millis(300), "lock", call).await.unwrap_err();
        assert!(error.to_string().contains("somebody has it"), "{error}");
        assert_eq!(attempts.get(), 2);
        let error = retrying(Duration::from_millis(50), "lock", call).await.unwrap_err();
        assert!(error.to_string().contains("no answer"), "{error}");
    }
}
