use std::fmt;
use std::sync::Arc;

use clap::ValueEnum;
use flamingock_core::report::{ChangeOutcome, Report};
use flamingock_core::{RunError, RunErrorKind};
use futures_util::stream::{FuturesUnordered, StreamExt};
use jiff::SignedDuration;
use tokio::time::{Instant, sleep};

use super::line::{Line, note};
use super::runner::{Ended, process, rule, settings};
use super::weather::{Odds, Partition, REST, Start, Task, Weather};
use crate::house::{Checker, Content, Flaw, House, LAST, Machine, app, clear_away, release};

/// How often an operator may have to rule until everything is up to date.
const RULINGS: usize = 4;

/// One seed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Case {
    /// Decides about everything.
    pub seed: u64,
    /// What the servers do wrong on purpose.
    pub flaw: Option<Flaw>,
}

/// What came of a seed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Which seed.
    pub case: Case,
    /// What was broken.
    pub violations: Vec<String>,
    /// Who did what when, and the log; empty unless it was traced.
    pub history: Vec<String>,
    /// Starts of the runner, or of an operator.
    pub starts: usize,
    /// Starts that died.
    pub died: usize,
    /// Whether two runs were at work at once: one that did not know yet that it was out of office.
    pub contested: bool,
    /// Whether an operator was needed in the end.
    pub ruled: bool,
    /// Whether something was held in the end.
    pub held: bool,
}

impl Case {
    /// Runs it.
    pub fn run(self, traced: bool) -> Outcome {
        // The runner's pauses are drawn from this thread's generator.
        fastrand::seed(self.seed);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("a runtime can be made").block_on(self.simulate(traced))
    }

    async fn simulate(self, traced: bool) -> Outcome {
        let weather = Weather::of(self.seed);
        let house = Arc::new(House::new(traced, self.flaw));
        house.forget_lock().await;
        house.note(|| format!("{weather:#?}"));
        let checker = Checker::new(&weather.changes, false);
        let outcome = Outcome { case: self, ..Outcome::default() };
        let mut run = Run { weather: &weather, house, checker, outcome, began: Instant::now() };
        run.storm().await;
        run.calm().await;
        run.end().await
    }
}

/// A seed at work.
struct Run<'a> {
    weather: &'a Weather,
    house: Arc<House>,
    checker: Checker<'a>,
    outcome: Outcome,
    began: Instant,
}

impl Run<'_> {
    /// All runners at once.
    async fn storm(&mut self) {
        let (weather, house, began) = (self.weather, &self.house, self.began);
        let runner = async |starts: &[Start]| {
            let mut died = 0;
            for start in starts {
                sleep(start.after).await;
                let line = Line::new(house, start, began, weather.odds, &weather.partitions);
                house.process_lives(start.number);
                let ended = process(&line, &weather.changes).await;
                house.process_ended(start.number);
                died += usize::from(matches!(ended, Ended::Died));
            }
            died
        };
        let forgets = async {
            for at in &weather.lock_forgets {
                tokio::time::sleep_until(began + *at).await;
                note(house, began, 0, || "the lock forgets".to_owned());
                house.forget_lock().await;
            }
        };
        let runners: FuturesUnordered<_> = weather.runners.iter().map(|starts| runner(starts)).collect();
        let (died, ()) = tokio::join!(runners.collect::<Vec<usize>>(), forgets);
        self.outcome.starts += weather.runners.iter().map(Vec::len).sum::<usize>();
        self.outcome.died = died.into_iter().sum();
        sleep(REST).await;
        self.outcome.contested = self.house.was_contested();
        self.checker.stale = self.outcome.contested;
    }

    /// One undisturbed run ends up to date or with an issue; an operator finds the way out; and what is
    /// held is applied when it is released.
    async fn calm(&mut self) {
        note(&self.house, self.began, 0, || "--- everything has come to rest".to_owned());
        self.checker.always(&self.house, "after everything has come to rest").await;
        for attempt in 0..=RULINGS {
            let result = self.starts(LAST + attempt).await;
            if attempt == 0 {
                self.checker.last(&self.house, &result).await;
            }
            match result {
                Ok(report) => {
                    self.checker.always(&self.house, "at the end").await;
                    if report.changes.held > 0 {
                        self.outcome.held = true;
                        self.release().await;
                    }
                    return;
                }
                Err(error) if error.kind() == RunErrorKind::Issue && attempt < RULINGS => {
                    self.outcome.ruled = true;
                    let issues =
                        error.report().failing().filter(|change| change.outcome == ChangeOutcome::Issue);
                    self.rule(issues.map(|change| change.id.clone()).collect()).await;
                }
                Err(error) => {
                    let what = format!("an operator does not get it up to date: {:?}", error.kind());
                    self.checker.violated("at the end", what);
                    return;
                }
            }
        }
    }

    /// The application, undisturbed.
    async fn starts(&mut self, number: usize) -> Result<Report, RunError> {
        let (line, machine) = self.undisturbed(number);
        let app = app(&line, &machine, &self.weather.changes, settings);
        let result = machine.live(async move { app.run().await }).await;
        line.note(|| match &result {
            Ok(report) => format!("=== ended: {}", report.status),
            Err(error) if error.kind() == RunErrorKind::Issue => format!("=== ended: {error}"),
            Err(error) => format!("=== ended: {:?}", error.kind()),
        });
        result
    }

    /// Releases what is held, and starts once more.
    async fn release(&mut self) {
        const WHEN: &str = "after everything was released";
        let (line, machine) = self.undisturbed(LAST + RULINGS + 1);
        let app = app(&line, &machine, &self.weather.changes, settings);
        let released = machine.live(async move { release(&app.operator()).await }).await;
        if let Err(error) = released {
            self.checker.violated(WHEN, format!("an operator cannot release: {error}"));
        }
        if let Err(error) = self.starts(LAST + RULINGS + 2).await {
            self.checker.violated(WHEN, format!("a start ends with {:?}", error.kind()));
        }
        self.checker.always(&self.house, WHEN).await;
        self.checker.released(&self.house, WHEN).await;
    }

    /// Clears away what is there by half, and rules on every issue.
    async fn rule(&mut self, issues: Vec<String>) {
        for spec in &self.weather.changes {
            let content = Content::seen(&self.house, spec);
            if !content.all() && !content.nothing() {
                clear_away(&self.house, spec).await;
                note(&self.house, self.began, 0, || format!("somebody clears `{}` away", spec.id));
            }
        }
        let (line, machine) = self.undisturbed(LAST);
        let app = app(&line, &machine, &self.weather.changes, settings);
        let (house, changes) = (Arc::clone(&self.house), self.weather.changes.clone());
        let ruled = machine.live(async move { rule(&app, &house, &changes, &issues).await }).await;
        if let Err(error) = ruled {
            self.checker.violated("at the end", format!("an operator cannot rule: {error}"));
        }
    }

    fn undisturbed(&mut self, number: usize) -> (Arc<Line>, Machine) {
        self.outcome.starts += 1;
        let start = Start::undisturbed(number, Task::Apply);
        let line = Line::new(&self.house, &start, self.began, Odds::default(), &[] as &[Partition]);
        line.note(|| "=== undisturbed".to_owned());
        (line, Machine::new(number, self.began, SignedDuration::ZERO))
    }

    async fn end(self) -> Outcome {
        let mut history = self.house.trace();
        if !history.is_empty() {
            let entries = self.house.entries().await;
            history.extend(entries.iter().map(|entry| {
                let state = entry.state.map_or("-", |state| state.as_str());
                format!(
                    "{:>4}  {} {state} ({}) attempt {} by {} token {} at {} {}",
                    entry.sequence,
                    entry.change,
                    entry.operation,
                    entry.attempt,
                    entry.execution,
                    entry.token,
                    entry.recorded_at,
                    entry.hash
                )
            }));
            let contents = [("db", self.house.db.snapshot()), ("flags", self.house.flags.snapshot())];
            history.extend(contents.iter().map(|(target, keys)| format!("{target}: {keys:?}")));
        }
        Outcome { violations: self.checker.violations, history, ..self.outcome }
    }
}

/// The whole history, with the command that shows it again.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.history {
            writeln!(f, "{line}")?;
        }
        let Case { seed, flaw } = self.case;
        writeln!(f, "seed {seed}: {} violation(s)", self.violations.len())?;
        for violation in &self.violations {
            writeln!(f, "=> {violation}")?;
        }
        write!(f, "again: cargo xtask simulate --seed {seed}")?;
        match flaw.and_then(|flaw| flaw.to_possible_value()) {
            Some(flaw) => write!(f, " --flaw {}", flaw.get_name()),
            None => Ok(()),
        }
    }
}
