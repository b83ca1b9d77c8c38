use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::time::Instant;

use crate::report::millis;
use crate::{BackendError, BackendErrorKind};

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

/// Pauses between attempts at an operation that is safe to repeat.
pub(super) fn pauses() -> impl Iterator<Item = Duration> {
    let (least, most) = (Duration::from_millis(50), Duration::from_secs(2));
    ExponentialBuilder::default()
        .with_min_delay(least)
        .with_max_delay(most)
        .with_max_times(6)
        .with_jitter()
        .build()
}

/// Repeats an operation that is safe to repeat while its error is temporary; all attempts together
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
    let deadline = Instant::now() + limit;
    let mut pauses = pauses();
    let mut before = None;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut answered = false;
        let attempt = async {
            let answer = call().await;
            answered = true;
            answer
        };
        match (within(left, operation, attempt).await, pauses.next()) {
            (Err(error), Some(pause)) if error.is_temporary() && Instant::now() + pause < deadline => {
                before = Some(error);
                tokio::time::sleep(pause).await;
            }
            (Err(error), _) => return Err(before.filter(|_| !answered).unwrap_or(error)),
            (answer, _) => return answer,
        }
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
