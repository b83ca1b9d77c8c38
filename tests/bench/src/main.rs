//! Flamingock beside sqlx migrate, refinery and sea-orm-migration, in one run on one machine.
//! `cargo xtask bench` starts a PostgreSQL for it; docs/src/benchmarks.md tells what is measured.

mod cases;
mod changes;
mod database;
mod machine;
mod peers;
mod report;
mod size;
mod wire;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Parser;

use crate::database::{Place, Server};
use crate::machine::Machine;
use crate::report::Report;
use crate::size::Size;

const POSTGRES: &str = "FLAMINGOCK_TEST_POSTGRES_URL";

/// Measures Flamingock beside its peers.
#[derive(Parser)]
#[command(name = "bench")]
struct Options {
    /// Write the results as JSON, too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// A small run, to see that everything works
    #[arg(long)]
    quick: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    let size = if options.quick { Size::QUICK } else { Size::FULL };
    let url = std::env::var(POSTGRES)
        .with_context(|| format!("{POSTGRES} is not set: `cargo xtask bench` starts a server and sets it"))?;
    let server = Server::connect(&url).await?;
    let machine = Machine::look(&server.version)?;
    let places = [Place::Postgres(server), Place::Sqlite];

    let mut report = Report { machine, ..Report::default() };
    for place in &places {
        report.nothing_to_do.extend(cases::nothing_to_do(place, &size).await?);
        report.fresh.extend(cases::fresh(place, &size).await?);
        if let Place::Postgres(server) = place {
            report.together = cases::together(place, &size).await?;
            report.cost = cases::cost(place, server, &size).await?;
        }
        report.machine.finish();
        // After each place: an interrupted run keeps what it has.
        if let Some(file) = &options.json {
            let json = serde_json::to_string_pretty(&report)? + "\n";
            std::fs::write(file, json).with_context(|| format!("{} cannot be written", file.display()))?;
        }
    }
    println!("{report}");
    Ok(())
}
