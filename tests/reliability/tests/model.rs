//! The quick form of the model; the long one is a command, see the crate's `main.rs`.

use flamingock_reliability::model::{Bounds, Mutant, Protocol};

#[test]
fn the_protocol_holds_in_every_interleaving() {
    for bounds in Bounds::QUICK.variants() {
        let explored = Protocol { bounds, mutant: None }.explore(None, 2);
        println!("{bounds:?}: {explored}");
        assert!(explored.exhausted);
        assert_eq!(explored.missed, Vec::<&str>::new(), "the model does not get that far");
    }
}

#[test]
fn every_mutant_is_caught_by_the_property_that_its_piece_serves() {
    for mutant in Mutant::ALL {
        let bounds = mutant.within(Bounds::QUICK);
        let explored = Protocol { bounds, mutant: Some(mutant) }.explore(Some(mutant.breaks()), 2);
        println!("{mutant:?}: {} states", explored.states);
        let broken: Vec<_> = explored.broken.iter().map(|(name, _)| *name).collect();
        assert!(broken.contains(&mutant.breaks()), "{mutant:?} breaks {broken:?}");
    }
}
