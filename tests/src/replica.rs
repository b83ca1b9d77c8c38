//! A replica of an application: applies its changes and ends. Tests start several, and kill them.

use std::time::Duration;

use clap::Parser;
use flamingock::event::Event;
use flamingock_tests::changes::Hold;
use flamingock_tests::place::{Place, Scenario};

#[derive(Debug, Parser)]
struct Args {
    /// Which changes.
    #[arg(required_unless_present = "mixed")]
    scenario: Option<Scenario>,
    #[command(flatten)]
    place: Place,
    /// The mixed changes of this seed; it tells what it does, line by line.
    #[arg(long)]
    mixed: Option<u64>,
    /// Where to stand still.
    #[arg(long)]
    hold: Option<String>,
    /// The lease, in milliseconds.
    #[arg(long, default_value_t = 60_000)]
    lease: u64,
    /// How long one operation may take, in milliseconds.
    #[arg(long, default_value_t = 30_000)]
    operation_timeout: u64,
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
        .operation_timeout(Duration::from_millis(args.operation_timeout))
        .dependency(hold.clone());
    let builder = match (args.mixed, args.scenario) {
        (Some(seed), _) => args.place.mixed(seed, builder.on_event(tell))?,
        (None, Some(scenario)) => args.place.changes(
            scenario,
            builder.on_event(move |event| match event {
                Event::ChangeStarted { change, .. } => hold.at(&format!("{change}:started")),
                Event::ChangeFinished { report } => hold.at(&format!("{}:finished", report.id)),
                _ => {}
            }),
        ),
        (None, None) => builder,
    };
    println!("{}", builder.build()?.run().await?);
    Ok(())
}

fn tell(event: &Event<'_>) {
    match event {
        Event::PipelineStarted { execution } => println!("run {execution}"),
        Event::Waiting { holder } => println!("waits for run {}", holder.execution),
        Event::ChangeStarted { change, attempt, .. } => println!("started {change} {attempt}"),
        Event::ChangeFinished { report } => {
            let error = report.error.as_ref().map(|error| error.message.as_str()).unwrap_or_default();
            println!(
                "finished {} {} {} {error}",
                report.id,
                report.outcome,
                report.note.as_deref().unwrap_or("")
            );
        }
        _ => {}
    }
}
