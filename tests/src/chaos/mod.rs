//! Rounds of chaos: replicas of an application with [changes of every kind](crate::changes::mixed) are
//! killed and frozen, their connections cut, delayed and swallowed, their server crashed, as a seed says.
//! Then everything comes to rest, the application starts undisturbed, and a checker judges by what the
//! targets contain and what the audit says.

mod check;
mod crew;
mod evidence;
mod round;
mod rounds;
mod rules;
mod schedule;
mod way;

pub use self::rounds::{Rounds, Tally, rounds};
pub use self::way::Way;
