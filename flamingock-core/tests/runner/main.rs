//! The runner and its builder, on the in-memory store and targets. One program, so that it is linked once.
#![expect(clippy::expect_used, clippy::panic, reason = "what fails here fails the test")]

mod appending;
mod attempts;
mod build;
mod hold;
mod lease;
mod limits;
mod looking;
mod observed;
mod office;
mod operate;
mod orphans;
mod remains;
mod reported;
mod ruling;
mod run;
mod support;
mod text;
mod together;
mod uncertain;
mod undone;
mod waiting;
