//! A replica of an application: applies its changes and ends. Tests start several, and kill them.

use std::time::Duration;

use clap::Parser;
use flamingock::event::Event;
use flamingock_tests::changes::Hold;
use flamingock_tests::place::{Place, Scenario};

#[derive(Debug, Parser)]
struct Args {
    /// Which changes.
    scenario: Scenario,
    #[command(flatten)]
    place: Place,
    /// Where to stand still.
    #[arg(long)]
    hold: Option<String>,
    /// The lease, in milliseconds.
    #[arg(long, default_value_t = 60_000)]
    lease: u64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let hold = Hold(args.hold);
    let builder = args
        .place
        .builder()
        .await?
        .lease(Duration::from_millis(args.lease))
        .dependency(hold.clone())
        .on_event(move |event| match event {
            Event::ChangeStarted { change, .. } => hold.at(&format!("{change}:started")),
            Event::ChangeFinished { report } => hold.at(&format!("{}:finished", report.id)),
            _ => {}
        });
    println!("{}", args.place.changes(args.scenario, builder).build()?.run().await?);
    Ok(())
}
