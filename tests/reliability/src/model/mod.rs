//! The protocol as a model: every interleaving of three runners, with crashes, a pause, a lost or late
//! answer, an undo, failing changes, and a lock that loses its token.
//!
//! What the model leaves out: the contents of the changes, the audit's hashes, and time. A runner that
//! stands still does not notice it; a lease expires only when its holder stands still or is dead.
//!
//! One piece of the protocol can be left out at a time: see [`Mutant`].

mod append;
mod bounds;
mod mutant;
mod plan;
mod properties;
mod state;
mod step;
mod target;

use std::fmt;
use std::time::{Duration, Instant};

use stateright::{Checker, Expectation, HasDiscoveries, Model, Property};

pub use bounds::Bounds;
pub use mutant::Mutant;
pub use state::State;
pub use step::Action;

/// The names of the properties. The book has the same words.
pub mod names {
    /// See the book.
    pub const TWICE: &str = "no transactional effect twice without an undo in between";
    /// See the book.
    pub const LOST: &str = "no acknowledged APPLIED lost";
    /// See the book.
    pub const STALE: &str = "no stale runner records";
    /// See the book.
    pub const RERUN: &str = "no silent rerun of a non-transactional change under manual_intervention";
    /// See the book.
    pub const AGREE: &str = "log and target agree when quiet";
    /// See the book.
    pub const DIGEST: &str = "the digest implies that the target has everything";
    /// See the book.
    pub const HALF: &str = "half applied is never taken for rolled back";
    /// See the book.
    pub const HELD: &str = "no held change runs before it is released";
    /// See the book.
    pub const ENDS: &str = "from every quiet state one undisturbed run ends up to date or with an issue";
}

/// The protocol, within bounds, perhaps with a piece left out.
#[derive(Debug, Clone)]
pub struct Protocol {
    /// How much may happen.
    pub bounds: Bounds,
    /// What is left out.
    pub mutant: Option<Mutant>,
}

impl Model for Protocol {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::new(&self.bounds)]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        self.possible(state, actions);
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        self.act(&mut next, action).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all(&self.bounds)
    }
}

/// What an exploration found.
#[derive(Debug)]
pub struct Explored {
    /// How many different states there are, or were seen until it ended.
    pub states: usize,
    /// Whether all of them were seen.
    pub exhausted: bool,
    /// The properties that do not hold, each with what leads there.
    pub broken: Vec<(&'static str, String)>,
    /// What should happen in some history and did not: the model would prove nothing.
    pub missed: Vec<&'static str>,
    /// How long it took.
    pub took: Duration,
}

impl Protocol {
    /// Explores everything, or until the property is broken.
    pub fn explore(self, until: Option<&'static str>, threads: usize) -> Explored {
        let (began, properties) = (Instant::now(), properties::all(&self.bounds));
        let mut builder = self.checker().threads(threads);
        if let Some(property) = until {
            builder = builder.finish_when(HasDiscoveries::AnyOf([property].into_iter().collect()));
        }
        let checker = builder.spawn_bfs().join();
        let discoveries = checker.discoveries();
        let sometimes = |name: &str| {
            properties.iter().any(|each| each.name == name && each.expectation == Expectation::Sometimes)
        };
        let all = properties.iter().map(|property| property.name);
        let missed = all.filter(|name| sometimes(name) && !discoveries.contains_key(name)).collect();
        let mut broken: Vec<_> = discoveries
            .into_iter()
            .filter(|(name, _)| !sometimes(name))
            .map(|(name, path)| {
                let steps = path.into_actions().into_iter().map(|action| format!("  {action:?}"));
                (name, steps.collect::<Vec<_>>().join("\n"))
            })
            .collect();
        broken.sort_unstable();
        Explored {
            states: checker.unique_state_count(),
            exhausted: broken.is_empty() && checker.is_done(),
            broken,
            missed,
            took: began.elapsed(),
        }
    }
}

impl fmt::Display for Explored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, path) in &self.broken {
            writeln!(f, "BROKEN: {name}\n{path}")?;
        }
        let seconds = self.took.as_secs_f64();
        write!(f, "states: {}, all seen: {}, seconds: {seconds:.1}", self.states, self.exhausted)
    }
}
