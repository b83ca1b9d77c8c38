//! The changes of the web site, which is a folder: nothing in it is taken back by itself.

pub(crate) mod countries;
pub(crate) mod index;
