//! The quick form of the crash points; the long one is a command, see the crate's `main.rs`.

use flamingock_reliability::Flaw;
use flamingock_reliability::crash::{Depth, explore, scenarios};

#[test]
fn after_any_fault_at_any_effect_the_next_start_puts_things_right() {
    let scenarios = scenarios();
    // Every fault at every effect, and a part of the pairs that is the same every time.
    let tally = explore(&scenarios, Depth::Sample(200), 2);
    println!("scenarios:              {}\n{tally}", scenarios.len());
    assert!(tally.points > 700 && tally.single > 20_000 && tally.pairs > 5_000, "it explores too little");
    assert_eq!(tally.broken, 0);
}

#[test]
fn what_the_servers_do_wrong_is_noticed() {
    let flaws = [
        (Flaw::ForgetsHolds, "hold tx and plain", "is held, and was run before it was released"),
        (Flaw::DigestWithoutHolds, "hold tx and plain", "the head says that [] are held, and others are"),
        (Flaw::NoFence, "a lock that forgets: undo tx", "is APPLIED, and the target has"),
        (Flaw::NoOffice, "a lock that forgets: tx and plain", "a stale runner recorded"),
    ];
    for (flaw, scenario, said) in flaws {
        let mut chosen = scenarios();
        chosen.retain(|each| each.name == scenario);
        chosen.iter_mut().for_each(|each| each.flaw = Some(flaw));
        let tally = explore(&chosen, Depth::One, 2);
        assert!(tally.violations.keys().any(|what| what.contains(said)), "{flaw:?}: {tally}");
    }
}
