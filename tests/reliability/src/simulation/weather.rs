use std::time::Duration;

use fastrand::Rng;
use flamingock_core::change::RecoveryStrategy;
use jiff::SignedDuration;

use crate::house::{ChangeSpec, Fails, Kind, Side};

/// Short, so that much happens in little time.
pub(super) const LEASE: Duration = Duration::from_secs(2);
pub(super) const LOCK_WAIT: Duration = Duration::from_secs(5);
pub(super) const OPERATION_TIMEOUT: Duration = Duration::from_secs(1);
/// Faults end then.
pub(super) const STORM: Duration = Duration::from_secs(20);
/// Everything that was still on its way has arrived, and every lease has expired; an operator's lasts
/// for a minute, by the slowest clock for three, also where a late request took it.
pub(super) const REST: Duration = Duration::from_secs(200);

/// What a seed decides before anything runs.
#[derive(Debug)]
pub(super) struct Weather {
    pub(super) changes: Vec<ChangeSpec>,
    /// What each runner is started for, one after the other.
    pub(super) runners: Vec<Vec<Start>>,
    pub(super) odds: Odds,
    pub(super) partitions: Vec<Partition>,
    /// When the lock forgets holder and token.
    pub(super) lock_forgets: Vec<Duration>,
}

/// One start of a process.
#[derive(Debug, Clone)]
pub(super) struct Start {
    /// Its number among all starts.
    pub(super) number: usize,
    pub(super) runner: usize,
    /// How long after the end of the one before.
    pub(super) after: Duration,
    pub(super) task: Task,
    pub(super) blows: Vec<(usize, Blow)>,
    /// How far its clock on the wall is off.
    pub(super) off: SignedDuration,
    /// How long a lease lasts by the lock's clock, as a part of what it lasts by this machine's.
    pub(super) lease_factor: f64,
    pub(super) seed: u64,
}

/// What a process is started for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    Apply,
    /// Undoes some of what can be undone.
    Undo,
    /// The same, and holds it; and some of what is rolled back already.
    Hold,
    /// An operator releases what is held.
    Release,
    /// An operator looks at the targets and rules on what is an issue.
    Rule,
}

/// What happens to a whole process, at one of its effects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blow {
    CrashBefore,
    /// The request is on its way.
    CrashAfter,
    PauseBefore(Duration),
    PauseAfter(Duration),
}

/// How often requests go wrong, in thousandths.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Odds {
    pub(super) refused: u32,
    pub(super) request_lost: u32,
    pub(super) answer_lost: u32,
    pub(super) slow: u32,
    pub(super) late: u32,
    pub(super) twice: u32,
}

/// A runner does not reach a server for a while.
#[derive(Debug, Clone, Copy)]
pub(super) struct Partition {
    pub(super) runner: usize,
    pub(super) side: Side,
    pub(super) from: Duration,
    pub(super) until: Duration,
}

impl Start {
    /// One that nothing disturbs.
    pub(super) fn undisturbed(number: usize, task: Task) -> Self {
        Self {
            number,
            runner: 0,
            after: Duration::ZERO,
            task,
            blows: Vec::new(),
            off: SignedDuration::ZERO,
            lease_factor: 1.0,
            seed: 0,
        }
    }
}

impl Weather {
    pub(super) fn of(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let changes = changes(&mut rng);
        let mut odds = Odds::default();
        for odd in [
            &mut odds.refused,
            &mut odds.request_lost,
            &mut odds.answer_lost,
            &mut odds.slow,
            &mut odds.late,
            &mut odds.twice,
        ] {
            // Most of them not at all: with everything at once nobody gets far.
            *odd = if rng.u8(..3) == 0 { rng.u32(2..=80) } else { 0 };
        }
        let violent = [rng.bool(), rng.bool()];
        let skewed = rng.bool();
        let mut number = 0;
        let runners = (0..3)
            .map(|runner| {
                let starts = rng.usize(1..=if runner == 0 { 3 } else { 2 });
                let start = |_| {
                    number += 1;
                    start(&mut rng, (number, runner), violent, skewed)
                };
                (0..starts).map(start).collect()
            })
            .collect();
        let cut = if rng.u8(..3) == 0 { rng.usize(1..=3) } else { 0 };
        let partition = |_| {
            let from = rng.u64(..6_000);
            Partition {
                runner: rng.usize(..3),
                side: if rng.bool() { Side::Store } else { Side::Target },
                from: Duration::from_millis(from),
                until: Duration::from_millis(from + rng.u64(200..8_000)),
            }
        };
        let partitions = (0..cut).map(partition).collect();
        let forgets = if rng.u8(..6) == 0 { rng.usize(1..=3) } else { 0 };
        let lock_forgets = (0..forgets).map(|_| Duration::from_millis(rng.u64(..5_000))).collect();
        Self { changes, runners, odds, partitions, lock_forgets }
    }
}

fn start(
    rng: &mut Rng,
    (number, runner): (usize, usize),
    [crashes, pauses]: [bool; 2],
    skewed: bool,
) -> Start {
    let task = match rng.u8(..16) {
        0..9 => Task::Apply,
        9..12 => Task::Undo,
        12..14 => Task::Hold,
        14 => Task::Release,
        _ => Task::Rule,
    };
    let mut blows = Vec::new();
    if pauses && rng.u8(..3) > 0 {
        for _ in 0..rng.usize(1..=2) {
            // Also shorter than a lease: it wakes up and believes in it.
            let pause =
                Duration::from_millis(if rng.bool() { rng.u64(100..1_900) } else { rng.u64(1_900..8_000) });
            let at = rng.usize(..40);
            blows.push((at, if rng.bool() { Blow::PauseBefore(pause) } else { Blow::PauseAfter(pause) }));
        }
    }
    if crashes && rng.u8(..3) > 0 {
        blows.push((rng.usize(..40), if rng.bool() { Blow::CrashBefore } else { Blow::CrashAfter }));
    }
    let (off, lease_factor) = if skewed {
        (SignedDuration::from_secs(rng.i64(-86_400..86_400)), [0.05, 0.3, 0.8, 1.3, 3.0][rng.usize(..5)])
    } else {
        (SignedDuration::ZERO, 1.0)
    };
    let most = [20, 200, 4_000][rng.usize(..3)];
    let after = Duration::from_millis(rng.u64(..most));
    Start { number, runner, after, task, blows, off, lease_factor, seed: rng.u64(..) }
}

fn changes(rng: &mut Rng) -> Vec<ChangeSpec> {
    let staged = rng.u8(..4) == 0;
    let often = [Kind::Tx, Kind::Tx, Kind::Ddl, Kind::Plain, Kind::Plain, Kind::PlainOnDb];
    let mut change = |id: &'static str| {
        let mut spec = ChangeSpec::new(id, often[rng.usize(..often.len())]);
        if rng.u8(..3) == 0 {
            spec.recovery = RecoveryStrategy::AlwaysRetry;
        }
        spec.rollback = rng.bool();
        spec.verify = rng.u8(..4) == 0;
        if staged {
            spec.stage = Some(if id < "b" { "one" } else { "two" });
        }
        let mut fails = || match rng.u8(..12) {
            0 => Fails::NothingDone,
            1 => Fails::Before,
            2 => Fails::Half,
            3 => Fails::AtTheEnd,
            _ => Fails::Never,
        };
        (spec.fails, spec.rollback_fails) = (fails(), fails());
        spec.mended_in = rng.usize(2..=9);
        spec
    };
    let ids = ["a", "b", "c"];
    let all: Vec<ChangeSpec> = ids.iter().map(|id| change(id)).collect();
    let many = rng.usize(1..=3);
    // A stage without changes is refused.
    all.into_iter().take(if staged { many.max(2) } else { many }).collect()
}
