//! The runner and its builder, on the in-memory store and targets. One program, so that it is linked once.
#![expect(clippy::expect_used, clippy::panic, reason = "what fails here fails the test")]

mod build;
mod hold;
mod observed;
mod operate;
mod remains;
mod run;
mod support;
mod text;
