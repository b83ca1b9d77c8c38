//! What the end-to-end tests have in common: the changes of an application, where it keeps things,
//! and its processes.

pub mod changes;
pub mod chaos;

pub mod kinds;
pub mod place;
pub mod proxy;
pub mod redis;
pub mod replicas;
pub mod stores;

#[cfg(doctest)]
mod book;
