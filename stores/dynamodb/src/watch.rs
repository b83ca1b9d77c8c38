use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// What this process has seen of the leases of others.
#[derive(Debug, Default)]
pub(crate) struct Watches {
    seen: Mutex<HashMap<String, Watch>>,
}

/// One version of one lock: at `at`, it had certainly stood for `base`.
#[derive(Debug)]
struct Watch {
    version: Version,
    base: Duration,
    at: Instant,
}

/// What changes whenever a holder acquires or extends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) number: u64,
    pub(crate) token: u64,
    pub(crate) execution: String,
}

impl Watches {
    /// For how long this version has certainly stood, now that it was read once more, with what
    /// contenders noted in it.
    pub(crate) fn observe(
        &self,
        partition: &str,
        version: &Version,
        noted: Duration,
        now: Instant,
    ) -> Duration {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = || Watch { version: version.clone(), base: noted, at: now };
        let watch = seen.entry(partition.to_owned()).or_insert_with(fresh);
        if watch.version != *version {
            *watch = fresh();
        }
        let stood = watch.base + now.saturating_duration_since(watch.at);
        if noted > stood {
            (watch.base, watch.at) = (noted, now);
        }
        stood.max(noted)
    }

    /// The lock is ours, or free.
    pub(crate) fn forget(&self, partition: &str) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).remove(partition);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn version(number: u64) -> Version {
        Version { number, token: 1, execution: "run-1".to_owned() }
    }

    #[test]
    fn time_counts_from_the_first_look_and_from_what_was_noted() {
        let (watches, start) = (Watches::default(), Instant::now());
        let stood = |number, noted: u32, after: u32| {
            watches.observe("orders/", &version(number), SECOND * noted, start + SECOND * after)
        };
        assert_eq!(stood(1, 0, 0), Duration::ZERO);
        assert_eq!(stood(1, 0, 5), SECOND * 5);
        // Another contender knows more.
        assert_eq!(stood(1, 20, 6), SECOND * 20);
        assert_eq!(stood(1, 20, 8), SECOND * 22);
        // It knows less than we do: what was watched at once is not added.
        assert_eq!(stood(1, 21, 9), SECOND * 23);
        // The holder has extended.
        assert_eq!(stood(2, 0, 10), Duration::ZERO);
    }

    #[test]
    fn histories_are_watched_apart() {
        let (watches, start) = (Watches::default(), Instant::now());
        watches.observe("orders/", &version(1), Duration::ZERO, start);
        assert_eq!(watches.observe("billing/", &version(1), Duration::ZERO, start + SECOND), Duration::ZERO);
        watches.forget("orders/");
        assert_eq!(watches.observe("orders/", &version(1), Duration::ZERO, start + SECOND), Duration::ZERO);
    }
}
