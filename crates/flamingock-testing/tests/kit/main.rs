//! The users' kit: right expectations pass, wrong ones say what is wrong.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what fails here fails the test")]

mod app;
mod everywhere;
mod expectations;
mod faults;
mod messages;
mod stairway;
