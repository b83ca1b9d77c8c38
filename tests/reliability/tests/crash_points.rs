//! The quick form of the crash points; the long one is a command, see the crate's `main.rs`.

use flamingock_reliability::crash::{Depth, explore, scenarios};

#[test]
fn after_any_fault_at_any_effect_the_next_start_puts_things_right() {
    let scenarios = scenarios();
    // Every fault at every effect, and a part of the pairs that is the same every time.
    let tally = explore(&scenarios, Depth::Sample(100), 2);
    println!("scenarios:              {}\n{tally}", scenarios.len());
    assert!(tally.points > 700 && tally.single > 20_000 && tally.pairs > 5_000, "it explores too little");
    assert_eq!(tally.broken, 0);
}
