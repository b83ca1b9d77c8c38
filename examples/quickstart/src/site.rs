//! The changes of the web site, which is a folder: nothing in it is taken back by itself.

mod countries;
mod index;
