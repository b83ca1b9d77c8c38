//! What the end-to-end tests have in common: the changes of an application, where it keeps things,
//! and its processes.

pub mod changes;
pub mod chaos;

pub mod kinds;
pub mod place;
pub mod proxy;
pub mod replicas;

#[cfg(doctest)]
mod book;
