//! Rounds of chaos: `cargo xtask chaos`.

use std::collections::VecDeque;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use flamingock_tests::chaos::{Rounds, Tally, Way, rounds};
use xtask::Interrupt;

#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask chaos")]
struct Args {
    /// How many rounds on each place.
    #[arg(long, default_value_t = 10)]
    rounds: u64,
    /// Where; unless told, everywhere.
    #[arg(long = "place", value_delimiter = ',')]
    places: Vec<Way>,
    /// Seed of the first round; those after it have the next ones. Unless told, the time.
    #[arg(long)]
    seed: Option<u64>,
    /// How many places at the same time.
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Print everything that was seen also where everything holds.
    #[arg(long)]
    tell_all: bool,
}

fn main() -> Result<ExitCode> {
    let args = Args::parse();
    let interrupt = Interrupt::listen()?;
    let program = std::env::current_exe()?.with_file_name("replica");
    if !program.is_file() {
        bail!("{} is not built: start this with `cargo xtask chaos`", program.display());
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let first = args.seed.unwrap_or(now);
    let seeds = first..first.checked_add(args.rounds).context("the seed is too large")?;
    let which = Rounds { seeds, program: &program, tell_all: args.tell_all };
    let everywhere = args.places.is_empty();
    let ways = if everywhere { Way::ALL.to_vec() } else { args.places };
    println!("seeds {first} to {}", which.seeds.end - 1);

    let waiting = Mutex::new(VecDeque::from(ways));
    let total = Mutex::new(Tally::default());
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    std::thread::scope(|scope| {
        let work = || -> Result<()> {
            while let Some(way) = next() {
                let Some(tally) = rounds(way, &which, &interrupt)? else {
                    if !everywhere {
                        bail!("{way}: there is no server for it here");
                    }
                    println!("{way}: left out");
                    continue;
                };
                println!("{way}: {tally}");
                tally.stories.iter().for_each(|story| println!("\n{story}\n"));
                total.lock().unwrap_or_else(PoisonError::into_inner).add(tally);
            }
            Ok(())
        };
        let workers: Vec<_> = (0..args.jobs.max(1)).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().unwrap_or_else(|_| bail!("a worker panicked")))
    })?;
    let total = total.into_inner().unwrap_or_else(PoisonError::into_inner);
    println!("together: {total}");
    Ok(if total.stories.is_empty() && total.rounds > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
