//! The quick form of the simulation; the long one is `cargo xtask simulate`.

use std::process::Command;

use flamingock_reliability::Flaw;
use flamingock_reliability::simulation::{Case, simulate};

#[test]
fn ten_thousand_seeds_break_nothing() {
    let tally = simulate(1..10_001, None, 2, None);
    println!("{tally}");
    assert_eq!(tally.seeds, 10_000);
    assert_eq!(tally.broken, Vec::<u64>::new());
    // So that this is not true of a world in which nothing happens.
    assert!(tally.died > 2_000 && tally.contested > 500 && tally.ruled > 500, "too quiet");
    assert!(tally.held > 500, "too quiet");
}

#[test]
fn a_seed_is_the_same_run_again_also_in_another_process() {
    for seed in [3, 336, 495, 1_000_003] {
        let once = Case { seed, flaw: None }.run(true);
        assert_eq!(once, Case { seed, flaw: None }.run(true));
        let mut command = Command::new(env!("CARGO_BIN_EXE_flamingock-reliability"));
        let output = command.args(["simulate", "--seed", &seed.to_string()]).output().expect("it starts");
        assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{once}\n"));
        assert!(once.history.len() > 20, "there is something to compare");
    }
}

#[test]
fn nothing_breaks_when_no_lease_lasts() {
    let tally = simulate(1..2_001, Some(Flaw::NoLease), 2, None);
    println!("{tally}");
    assert_eq!(tally.broken, Vec::<u64>::new());
}

#[test]
fn every_flaw_in_the_servers_is_found() {
    for flaw in Flaw::ALL {
        // Of a missing fence only one seed in some thousand tells: others stand before it.
        let tally = simulate(10_001..50_001, Some(flaw), 2, Some(1));
        let failure = tally.failures.first().unwrap_or_else(|| panic!("no seed finds {flaw:?}"));
        println!("{flaw:?}: seed {}: {:?}", failure.case.seed, failure.violations);
        let again = format!("again: cargo xtask simulate --seed {} --flaw ", failure.case.seed);
        assert!(failure.to_string().contains(&again), "{failure}");
    }
}
