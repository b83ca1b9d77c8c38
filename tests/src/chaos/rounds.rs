use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use flamingock::sqlx::{PgPool, raw_sql};
use tokio::runtime::Runtime;
use xtask::{Interrupt, Services};

use super::round::{Outcome, Round};
use super::way::Way;

/// What came of all rounds on one way.
#[derive(Debug, Default)]
pub struct Tally {
    /// Rounds that came to an end.
    pub rounds: usize,
    /// What each round tells in which something does not hold.
    pub stories: Vec<String>,
    sum: Outcome,
    took: Duration,
}

impl Tally {
    /// Adds up.
    pub fn add(&mut self, other: Self) {
        self.rounds += other.rounds;
        self.stories.extend(other.stories);
        self.took += other.took;
        self.count(&other.sum);
    }

    fn count(&mut self, outcome: &Outcome) {
        let sum = &mut self.sum;
        sum.processes += outcome.processes;
        sum.kills += outcome.kills;
        sum.freezes += outcome.freezes;
        sum.network += outcome.network;
        sum.crashes += outcome.crashes;
        sum.issues += outcome.issues;
        sum.entries += outcome.entries;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rounds, stories, sum, took } = self;
        write!(
            f,
            "{rounds} rounds in {} s: {} processes, {} killed, {} frozen, {} network faults, {} server crashes, \
             {} audit entries, {} issues ruled on, {} rounds with violations",
            took.as_secs(),
            sum.processes,
            sum.kills,
            sum.freezes,
            sum.network,
            sum.crashes,
            sum.entries,
            sum.issues,
            stories.len(),
        )
    }
}

/// Which rounds.
#[derive(Debug, Clone)]
pub struct Rounds<'a> {
    /// A seed for each.
    pub seeds: Range<u64>,
    /// The replica.
    pub program: &'a Path,
    /// Tell the story of each, also where everything holds.
    pub tell_all: bool,
}

/// Runs the rounds, one after the other, on servers that it starts. `None` where one of those cannot be had.
///
/// # Errors
/// When a round could not be held: a server does not start, or a signal came.
pub fn rounds(way: Way, rounds: &Rounds<'_>, interrupt: &Interrupt) -> Result<Option<Tally>> {
    let began = Instant::now();
    let runtime = Runtime::new()?;
    let mut servers = Services::own(way.servers(), interrupt)?;
    if way.servers().iter().any(|name| servers.server(name).is_err()) {
        return Ok(None);
    }
    if let ["postgres", ..] = way.servers() {
        runtime.block_on(hurry(servers.server("postgres")?.url()))?;
    }
    let mut tally = Tally::default();
    for seed in rounds.seeds.clone() {
        let (servers, program) = (&mut servers, rounds.program);
        let outcome = Round { way, seed, program, servers, runtime: &runtime, interrupt }.run()?;
        tally.rounds += 1;
        tally.count(&outcome);
        if !outcome.violations.is_empty() {
            tally.stories.push(outcome.story);
        } else if rounds.tell_all {
            println!("{}", outcome.story);
        }
    }
    tally.took = began.elapsed();
    Ok(Some(tally))
}

/// After a crash PostgreSQL syncs every file before it starts, which takes seconds. It is the server that
/// crashes here, not the machine: what it has written is there.
async fn hurry(url: &str) -> Result<()> {
    let pool = PgPool::connect(url).await?;
    for sql in ["ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()"] {
        raw_sql(sql).execute(&pool).await?;
    }
    Ok(())
}
