//! Names of databases.
#![cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]

use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::KEPT;

/// How long a template is taken. Each build of a test has one of its own, so it does not stay as long as
/// the others: it is removed after twice that, by when nobody copies it.
const FRESH: Duration = Duration::from_secs(60 * 60);

const PREFIX: &str = "flamingock_test_";
const TEMPLATE: &str = "flamingock_template_";

/// A name that no other test has, and that says when it was given. Random, because tests in containers may
/// all have the same process id.
pub(crate) fn new() -> String {
    let seconds = now().as_secs();
    format!("{PREFIX}{seconds}_{:016x}", RandomState::new().hash_one(seconds))
}

/// The name of a template of this content.
#[cfg(feature = "postgres")]
pub(crate) fn template(content: u64) -> String {
    format!("{TEMPLATE}{}_{content:016x}", now().as_secs())
}

/// Whether it is a template of this content that may be taken.
#[cfg(feature = "postgres")]
pub(crate) fn is_template(name: &str, content: u64) -> bool {
    let named = name.starts_with(TEMPLATE) && name.ends_with(&format!("_{content:016x}"));
    named && age(name).is_some_and(|age| age < FRESH)
}

/// Whether it was left behind.
pub(crate) fn is_abandoned(name: &str) -> bool {
    let kept = if name.starts_with(TEMPLATE) { 2 * FRESH } else { KEPT };
    age(name).is_some_and(|age| age > kept)
}

/// How long ago the name was given; [`None`] where it is not ours.
fn age(name: &str) -> Option<Duration> {
    let rest = name.strip_prefix(PREFIX).or_else(|| name.strip_prefix(TEMPLATE))?;
    let (seconds, _) = rest.split_once('_')?;
    Some(now().saturating_sub(Duration::from_secs(seconds.parse().ok()?)))
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_name_tells_its_age() {
        assert!(age(&new()).is_some_and(|age| age < Duration::from_secs(5)));
        assert!(!is_abandoned(&new()));
        assert!(is_abandoned("flamingock_test_1700000000_00c0ffee00c0ffee"));
    }

    #[test]
    fn no_two_names_are_the_same() {
        let names: HashSet<_> = (0..1000).map(|_| new()).collect();
        assert_eq!(names.len(), 1000);
    }

    #[test]
    #[cfg(feature = "postgres")]
    fn a_template_is_taken_for_an_hour_and_goes_after_two() {
        let made = |minutes: u64| format!("{TEMPLATE}{}_{:016x}", now().as_secs() - minutes * 60, 7);
        for (minutes, taken, abandoned) in [(0, true, false), (59, true, false), (61, false, false)] {
            assert_eq!(is_template(&made(minutes), 7), taken, "{minutes}");
            assert_eq!(is_abandoned(&made(minutes)), abandoned, "{minutes}");
        }
        assert!(is_abandoned(&made(121)));
        assert!(!is_template(&made(0), 8));
    }

    #[test]
    fn what_is_not_ours_is_never_abandoned() {
        for name in
            ["orders", "flamingock_test_", "flamingock_test_x_1", "flamingock_test_1700000000", "postgres"]
        {
            assert!(!is_abandoned(name), "{name}");
        }
    }
}
