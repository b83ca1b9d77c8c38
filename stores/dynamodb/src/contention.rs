use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use tokio::time::{Instant, sleep};

use crate::error::{Failure, Verdict};

/// How long one keeps trying what others are in the way of: well below a runner's patience.
const PATIENCE: Duration = Duration::from_secs(15);

/// Tries again what had no effect, with jittered pauses, until its patience ends.
#[derive(Debug)]
pub(crate) struct Contention {
    until: Instant,
    pauses: ExponentialBackoff,
}

impl Contention {
    pub(crate) fn begin() -> Self {
        let pauses = ExponentialBuilder::new()
            .with_min_delay(Duration::from_millis(10))
            .with_max_delay(Duration::from_millis(500))
            .with_factor(1.5)
            .with_jitter()
            .without_max_times()
            .build();
        Self { until: Instant::now() + PATIENCE, pauses }
    }

    /// Waits a little; `false`: it has been tried for long enough.
    pub(crate) async fn pause(&mut self) -> bool {
        let pause = self.pauses.next().unwrap_or(Duration::from_millis(500));
        if Instant::now() + pause > self.until {
            return false;
        }
        sleep(pause).await;
        true
    }

    /// The same after a failure: `true` where sending it again is safe and may help.
    pub(crate) async fn goes_on_after(&mut self, failure: &Failure) -> bool {
        failure.verdict == Verdict::NotTaken && self.pause().await
    }
}
