//! A few rounds of chaos on each place; `cargo xtask chaos` has more.
#![expect(clippy::expect_used, clippy::panic, reason = "what fails here fails the test")]

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use flamingock_testing::conformance::{Suite, run};
use flamingock_tests::chaos::{Rounds, Way, rounds};
use xtask::Interrupt;

/// How many on each place.
const ROUNDS: u64 = 2;

fn main() -> ExitCode {
    run(Way::ALL.into_iter().map(|way| {
        let suite = Suite::new("chaos", way.kind().name(), move || way.available());
        let mut suite = suite.timeout(Duration::from_secs(300));
        let name = format!("{}_applies_nothing_twice_and_loses_nothing", way.name().replace('-', "_"));
        suite.case(&name, move || Box::pin(async move { hold(way).await }));
        suite
    }))
}

async fn hold(way: Way) {
    // Servers end with the thread that started them: one of its own, which lasts as long as the rounds.
    let rounds = std::thread::spawn(move || {
        let program = Path::new(env!("CARGO_BIN_EXE_replica"));
        let which = Rounds { seeds: 1..ROUNDS + 1, program, tell_all: false };
        rounds(way, &which, &Interrupt::default())
    });
    let rounds = tokio::task::spawn_blocking(|| rounds.join()).await.expect("is joined");
    let tally = rounds.expect("does not panic").expect("comes to an end").expect("has its servers");
    println!("{way}: {tally}");
    if !tally.stories.is_empty() {
        panic!("{}", tally.stories.join("\n\n"));
    }
}
