use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBuilder};

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
/// end within the limit.
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
    loop {
        let answer = within(deadline.saturating_duration_since(Instant::now()), operation, call()).await;
        match (answer, pauses.next()) {
            (Err(error), Some(pause)) if error.is_temporary() && Instant::now() + pause < deadline => {
                tokio::time::sleep(pause).await;
            }
            (answer, _) => return answer,
        }
    }
}
