//! A replica of an application: applies its changes and ends. Tests start several, and kill them.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use flamingock::event::Event;
use flamingock::prelude::*;
use flamingock::target::NonTransactionalTarget;
use flamingock_tests::changes::{Hold, fifty, manual, retried, transactional, verified};
use flamingock_tests::place::Place;

#[derive(Debug, Parser)]
struct Args {
    /// Which changes.
    scenario: Scenario,
    /// Where everything is kept.
    #[arg(long)]
    dir: PathBuf,
    /// Audit and database in one file.
    #[arg(long)]
    one_file: bool,
    /// Where to stand still.
    #[arg(long)]
    hold: Option<String>,
    /// The lease, in milliseconds.
    #[arg(long, default_value_t = 60_000)]
    lease: u64,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Scenario {
    Fifty,
    Transactional,
    Manual,
    Verified,
    Retried,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let place = Place::new(&args.dir, args.one_file);
    let folder = place.folder()?;
    let hold = Hold(args.hold);
    let builder = Flamingock::builder()
        .service("replica")
        .lease(Duration::from_millis(args.lease))
        .audit_store(place.store().await?)
        .target(place.target().await?)
        .target(NonTransactionalTarget::new("folder").with(folder))
        .dependency(hold.clone())
        .on_event(move |event| match event {
            Event::ChangeStarted { change, .. } => hold.at(&format!("{change}:started")),
            Event::ChangeFinished { report } => hold.at(&format!("{}:finished", report.id)),
            _ => {}
        });
    let builder = match args.scenario {
        Scenario::Fifty => fifty::changes().fold(builder, FlamingockBuilder::change),
        Scenario::Transactional => builder.changes(transactional::CHANGES),
        Scenario::Manual => builder.changes(manual::CHANGES),
        Scenario::Verified => builder.changes(verified::CHANGES),
        Scenario::Retried => builder.changes(retried::CHANGES),
    };
    println!("{}", builder.build()?.run().await?);
    Ok(())
}
