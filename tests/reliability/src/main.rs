//! The long forms: `cargo run --release -p flamingock-reliability -- crash-points --deep`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use flamingock_reliability::Flaw;
use flamingock_reliability::crash::{Depth, explore, scenarios};
use flamingock_reliability::model::{Bounds, Mutant, Protocol};
use flamingock_reliability::simulation::{Case, simulate};

#[derive(Debug, Parser)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Breaks every effect of a run, one after the other.
    CrashPoints {
        /// And then every effect of the next run.
        #[arg(long)]
        deep: bool,
        /// And then every n-th of those.
        #[arg(long)]
        sample: Option<usize>,
        /// Only scenarios whose name has this in it.
        #[arg(long, default_value = "")]
        scenario: String,
        /// With something wrong in the servers: what they do wrong.
        #[arg(long, value_enum)]
        flaw: Option<Flaw>,
        /// How many threads; by default one for each core.
        #[arg(long)]
        threads: Option<usize>,
    },
    /// Runs three runners at once in worlds that seeds decide about.
    Simulate {
        /// How many.
        #[arg(long, default_value_t = 10_000)]
        seeds: u64,
        /// The first.
        #[arg(long, default_value_t = 1)]
        from: u64,
        /// Only this one, and everything that happens.
        #[arg(long, conflicts_with_all = ["seeds", "from"])]
        seed: Option<u64>,
        /// With something wrong in the servers: what they do wrong.
        #[arg(long, value_enum)]
        flaw: Option<Flaw>,
        /// How many threads; by default one for each core.
        #[arg(long)]
        threads: Option<usize>,
    },
    /// Explores the model of the protocol, and then each mutant of it.
    Model {
        /// Everything that the issue asks for; without it, what a test can afford.
        #[arg(long)]
        full: bool,
        /// How many threads; by default one for each core.
        #[arg(long)]
        threads: Option<usize>,
    },
}

fn main() -> ExitCode {
    let cores = std::thread::available_parallelism().map_or(1, Into::into);
    let good = match Args::parse().command {
        Command::CrashPoints { deep, sample, scenario, flaw, threads } => {
            let depth = match (deep, sample) {
                (true, _) => Depth::Two,
                (false, Some(every)) => Depth::Sample(every),
                (false, None) => Depth::One,
            };
            let mut chosen = scenarios();
            chosen.retain(|each| each.name.contains(&scenario));
            chosen.iter_mut().for_each(|each| each.flaw = flaw);
            println!("scenarios:              {}", chosen.len());
            let tally = explore(&chosen, depth, threads.unwrap_or(cores));
            println!("{tally}");
            tally.broken == 0 && tally.points > 0
        }
        Command::Simulate { seed: Some(seed), flaw, .. } => {
            let outcome = Case { seed, flaw }.run(true);
            println!("{outcome}");
            outcome.violations.is_empty()
        }
        Command::Simulate { seeds, from, flaw, threads, .. } => {
            let tally = simulate(from..from.saturating_add(seeds), flaw, threads.unwrap_or(cores), None);
            println!("{tally}");
            tally.broken.is_empty() && tally.seeds > 0
        }
        Command::Model { full, threads } => model(full, threads.unwrap_or(cores)),
    };
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether the protocol holds, and every mutant is caught by what its piece is there for.
fn model(full: bool, threads: usize) -> bool {
    let bounds = if full { Bounds::FULL } else { Bounds::QUICK };
    let mut good = true;
    for bounds in bounds.variants() {
        println!("{bounds:?}");
        let explored = Protocol { bounds, mutant: None }.explore(None, threads);
        println!("  {explored}");
        good &= explored.exhausted && explored.missed.is_empty();
    }
    for mutant in Mutant::ALL {
        let bounds = mutant.within(bounds);
        let explored = Protocol { bounds, mutant: Some(mutant) }.explore(Some(mutant.breaks()), threads);
        let caught = explored.broken.iter().any(|(name, _)| *name == mutant.breaks());
        println!("{mutant:?}: caught by \"{}\": {caught}", mutant.breaks());
        println!("  {explored}");
        good &= caught;
    }
    good
}
