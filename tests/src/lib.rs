//! What the end-to-end tests have in common: the changes of an application, and where it keeps things.

pub mod changes;
pub mod place;

#[cfg(doctest)]
mod book;
