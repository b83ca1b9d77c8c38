use std::fmt;
use std::time::Duration;

use super::way::Way;
use crate::proxy::Weather;

/// How many replicas are at work.
pub(super) const REPLICAS: usize = 3;

/// Their lease: short, so that there are many takeovers in a round.
pub(super) const LEASE_MS: u64 = 500;

/// How long faults happen.
const LENGTH_MS: u64 = 4_500;

/// The faults of a round, the same for every run of its seed.
#[derive(Debug, Clone)]
pub(super) struct Schedule(pub(super) Vec<(Duration, Fault)>);

/// Something that goes wrong.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
    /// SIGKILL.
    Kill(Victim),
    /// SIGSTOP, and after so long SIGCONT.
    Freeze(Victim, Duration),
    /// All connections are cut.
    Cut,
    /// The next commit arrives, its answer does not.
    LoseCommit,
    /// So for so long.
    Weather(Weather, Duration),
    /// A server is ended at once, and started again after so long.
    Crash(&'static str, Duration),
}

/// A replica.
#[derive(Debug, Clone, Copy)]
pub(super) enum Victim {
    /// The one that runs changes at the moment; if none is known, the one with this number.
    AtWork(usize),
    /// The one with this number.
    Number(usize),
}

impl Schedule {
    pub(super) fn new(way: Way, seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed ^ 0x5eed);
        let mut faults = Vec::new();
        let mut at = random.u64(50..500);
        while at < LENGTH_MS {
            faults.push((Duration::from_millis(at), Fault::any(way, &mut random)));
            at += random.u64(100..900);
        }
        if let [data, .., last] | [data @ last] = way.servers() {
            for _ in 0..random.usize(..3) {
                let at = Duration::from_millis(random.u64(200..LENGTH_MS));
                let down = Duration::from_millis(random.u64(..800));
                let server = if random.bool() { data } else { last };
                faults.push((at, Fault::Crash(server, down)));
            }
        }
        faults.sort_by_key(|(at, _)| *at);
        Self(faults)
    }
}

impl Fault {
    fn any(way: Way, random: &mut fastrand::Rng) -> Self {
        let number = random.usize(..REPLICAS);
        let victim = if random.u8(..6) > 0 { Victim::AtWork(number) } else { Victim::Number(number) };
        let mut time = |range| Duration::from_millis(random.u64(range));
        let (short, long) = (time(50..LEASE_MS * 3 / 4), time(LEASE_MS * 5 / 4..LEASE_MS * 4));
        let (slow, losing) = (time(20..LEASE_MS), time(200..LEASE_MS * 4));
        match random.u8(..if way.is_proxied() { 12 } else { 5 }) {
            0..3 => Self::Kill(victim),
            3 => Self::Freeze(victim, short),
            4 => Self::Freeze(victim, long),
            5 | 6 => Self::Cut,
            7 | 8 => Self::LoseCommit,
            9 => Self::Weather(Weather::Slow(slow), losing),
            10 => Self::Weather(Weather::Deaf, losing),
            _ => Self::Weather(Weather::Gone, losing),
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(at, fault)| writeln!(f, "  {:>5} ms  {fault}", at.as_millis()))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill(victim) => write!(f, "kill {victim}"),
            Self::Freeze(victim, time) => write!(f, "freeze {victim} for {time:?}"),
            Self::Cut => f.write_str("cut all connections"),
            Self::LoseCommit => f.write_str("swallow the answer of the next commit"),
            Self::Weather(Weather::Fair, time) => write!(f, "nothing for {time:?}"),
            Self::Weather(Weather::Slow(by), time) => write!(f, "delay everything by {by:?} for {time:?}"),
            Self::Weather(Weather::Deaf, time) => write!(f, "swallow answers for {time:?}"),
            Self::Weather(Weather::Gone, time) => write!(f, "swallow everything for {time:?}"),
            Self::Crash(server, down) => write!(f, "crash {server}, and start it again after {down:?}"),
        }
    }
}

impl fmt::Display for Victim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtWork(number) => write!(f, "the one at work (or {number})"),
            Self::Number(number) => write!(f, "replica {number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_faults_each_time() {
        for way in Way::ALL {
            let [one, two, other] = [7, 7, 8].map(|seed| Schedule::new(way, seed).to_string());
            assert_eq!(one, two);
            assert_ne!(one, other);
        }
    }
}
