//! The in-memory house, with every process in it wired so that a test decides what becomes of each
//! effect; the changes that are run in it; and the checker.

mod app;
mod changes;
mod check;
mod flaw;
mod held;
mod life;
mod server;
mod session;
mod spec;
mod store;
mod target;
mod wire;

pub(crate) use app::{app, holdable, release, undoable};
pub(crate) use changes::{PARTS, clear_away};
pub(crate) use check::{Checker, Content};
pub use flaw::Flaw;
pub(crate) use life::{Life, Machine};
pub(crate) use server::{House, Offices, guard};
pub(crate) use spec::{ChangeSpec, Fails, Kind, LAST};
pub(crate) use wire::{Answer, Effect, Wire, lost};
pub(crate) use wire::{Op, Side};
