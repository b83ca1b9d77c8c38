use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::case::{Case, Outcome};
use crate::house::{Flaw, guard};

/// How many failing seeds are kept with their history.
const KEPT: usize = 3;

/// What came of many seeds.
#[derive(Debug, Default)]
pub struct Tally {
    /// How many were run.
    pub seeds: u64,
    /// Starts of the runner or of an operator.
    pub starts: usize,
    /// Starts that died.
    pub died: usize,
    /// Seeds in which two runs were at work at once.
    pub contested: u64,
    /// Seeds in which an operator was needed in the end.
    pub ruled: u64,
    /// Seeds in which something was held in the end.
    pub held: u64,
    /// What was broken first, with how often, and a seed.
    pub kinds: BTreeMap<String, (u64, u64)>,
    /// The seeds that broke something, in order.
    pub broken: Vec<u64>,
    /// The first of them, with history.
    pub failures: Vec<Outcome>,
    /// How long it took.
    pub took: Duration,
}

/// Runs the seeds, with so many threads; with `enough`, until so many broke something.
pub fn simulate(seeds: Range<u64>, flaw: Option<Flaw>, threads: usize, enough: Option<usize>) -> Tally {
    let began = Instant::now();
    let next = AtomicU64::new(seeds.start);
    let tally = Mutex::new(Tally::default());
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let satisfied = enough.is_some_and(|enough| guard(&tally).broken.len() >= enough);
                    if seed >= seeds.end || satisfied {
                        return;
                    }
                    guard(&tally).count(&Case { seed, flaw }.run(false));
                }
            });
        }
    });
    let mut tally = tally.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    tally.broken.sort_unstable();
    tally.failures =
        tally.broken.iter().take(KEPT).map(|seed| Case { seed: *seed, flaw }.run(true)).collect();
    tally.took = began.elapsed();
    tally
}

impl Tally {
    fn count(&mut self, outcome: &Outcome) {
        self.seeds += 1;
        self.starts += outcome.starts;
        self.died += outcome.died;
        self.contested += u64::from(outcome.contested);
        self.ruled += u64::from(outcome.ruled);
        self.held += u64::from(outcome.held);
        if !outcome.violations.is_empty() {
            self.broken.push(outcome.case.seed);
            let kind = self.kinds.entry(outcome.violations[0].clone()).or_insert((0, outcome.case.seed));
            kind.0 += 1;
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for failure in &self.failures {
            writeln!(f, "{failure}\n")?;
        }
        for (kind, (seeds, seed)) in &self.kinds {
            writeln!(f, "{seeds} seed(s), such as {seed}: {kind}")?;
        }
        writeln!(f, "seeds:                            {}", self.seeds)?;
        writeln!(f, "starts:                           {}", self.starts)?;
        writeln!(f, "starts that died:                 {}", self.died)?;
        writeln!(f, "seeds with two runs at once:      {}", self.contested)?;
        writeln!(f, "seeds that needed an operator:    {}", self.ruled)?;
        writeln!(f, "seeds that held a change:         {}", self.held)?;
        writeln!(f, "seeds with violations:            {}", self.broken.len())?;
        write!(f, "seconds:                          {:.1}", self.took.as_secs_f64())
    }
}
