use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::case::{At, Outcome, run};
use super::fault::Fault;
use super::scenario::Scenario;
use crate::house::guard;

/// A run that waits for a lock polls it: its later effects only repeat.
const MOST_EFFECTS: usize = 80;

/// A delay after which nothing happens any more in any scenario.
const MOST_DELAY: u64 = 120;

/// How deep to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// One fault.
    One,
    /// One fault, and every n-th of the pairs.
    Sample(usize),
    /// One fault, and then another in the next process.
    Two,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Tally {
    /// Effects at which faults happened, in all scenarios.
    pub points: usize,
    /// Cases with one fault.
    pub single: usize,
    /// Cases with one fault in each of two processes.
    pub pairs: usize,
    /// Starts of an application.
    pub runs: usize,
    /// Broken invariants, each with the shortest history found.
    pub violations: BTreeMap<String, Violation>,
    /// How many cases broke an invariant.
    pub broken: usize,
    /// How long it took.
    pub took: Duration,
}

/// A broken invariant.
#[derive(Debug)]
pub struct Violation {
    /// How many cases broke it.
    pub cases: usize,
    effects: usize,
    /// What happened, effect by effect.
    pub history: String,
}

/// Explores the scenarios, with so many threads.
pub fn explore(scenarios: &[Scenario], depth: Depth, threads: usize) -> Tally {
    let began = Instant::now();
    let work: Vec<(&Scenario, usize)> = scenarios
        .iter()
        .flat_map(|scenario| {
            let effects = run(scenario, [None, None], false).effects[0];
            (0..effects).map(move |effect| (scenario, effect))
        })
        .collect();
    let tally = Mutex::new(Tally { points: work.len(), ..Tally::default() });
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                while let Some((scenario, effect)) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
                    Explorer { scenario, tally: &tally, depth }.point(*effect);
                }
            });
        }
    });
    let mut tally = tally.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    tally.took = began.elapsed();
    tally
}

struct Explorer<'a> {
    scenario: &'a Scenario,
    tally: &'a Mutex<Tally>,
    depth: Depth,
}

impl Explorer<'_> {
    /// Every fault at one effect of the first process.
    fn point(&self, effect: usize) {
        for fault in Fault::all() {
            self.single((effect, fault));
        }
        for kind in [0, 1] {
            for delay in 0..MOST_DELAY {
                let Some(outcome) = self.single((effect, [Fault::Late(delay), Fault::KillLate(delay)][kind]))
                else {
                    break;
                };
                if outcome.outlived {
                    break;
                }
            }
        }
    }

    /// `None`: the fault makes no sense there.
    fn single(&self, first: At) -> Option<Outcome> {
        let outcome = self.case([Some(first), None])?;
        let late = [Fault::Late(0), Fault::Late(1), Fault::Late(4)];
        let killed = [Fault::KillLate(0), Fault::KillLate(4), Fault::KillLate(9)];
        let pairs = Fault::different().into_iter().chain(late).chain(killed);
        if self.depth != Depth::One && pairs.clone().any(|fault| fault == first.1) {
            for effect in 0..outcome.effects[1].min(MOST_EFFECTS) {
                for second in pairs.clone() {
                    self.case([Some(first), Some((effect, second))]);
                }
            }
        }
        Some(outcome)
    }

    fn case(&self, faults: [Option<At>; 2]) -> Option<Outcome> {
        if let (Depth::Sample(every), [_, Some((effect, _))]) = (self.depth, faults) {
            // Any way to spread them will do, as long as it is the same every time.
            let spread = format!("{} {faults:?}", self.scenario.name);
            let hash =
                spread.bytes().fold(effect, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
            if hash % every.max(1) != 0 {
                return None;
            }
        }
        let outcome = run(self.scenario, faults, false);
        if outcome.refused {
            return None;
        }
        let mut tally = guard(self.tally);
        *(if faults[1].is_some() { &mut tally.pairs } else { &mut tally.single }) += 1;
        tally.runs += outcome.runs;
        if !outcome.violations.is_empty() {
            tally.broken += 1;
            self.keep(&mut tally, faults, &outcome);
        }
        drop(tally);
        Some(outcome)
    }

    /// Keeps the shortest history of each kind of violation.
    fn keep(&self, tally: &mut Tally, faults: [Option<At>; 2], outcome: &Outcome) {
        let effects = outcome.effects.iter().sum::<usize>() + if faults[1].is_some() { 1000 } else { 0 };
        let key = format!("[{}] {}", self.scenario.name, outcome.violations[0]);
        let kept = tally.violations.entry(key).or_insert_with(|| Violation {
            cases: 0,
            effects: usize::MAX,
            history: String::new(),
        });
        kept.cases += 1;
        if effects < kept.effects {
            kept.effects = effects;
            let again = run(self.scenario, faults, true);
            kept.history =
                format!("{faults:?}\n{}\n=> {}", again.trace.join("\n"), outcome.violations.join("\n   "));
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, violation) in &self.violations {
            writeln!(f, "VIOLATION in {} case(s): {what}\n{}\n", violation.cases, violation.history)?;
        }
        writeln!(f, "crash points:           {}", self.points)?;
        writeln!(f, "cases with one fault:   {}", self.single)?;
        writeln!(f, "cases with two faults:  {}", self.pairs)?;
        writeln!(f, "starts of the runner:   {}", self.runs)?;
        writeln!(f, "cases with violations:  {}", self.broken)?;
        write!(f, "seconds:                {:.1}", self.took.as_secs_f64())
    }
}
