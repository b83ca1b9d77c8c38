//! The servers that tests are given, and what stands between them and a test.
#![expect(dead_code, reason = "no test needs all of it")]

pub(crate) mod mysql;
pub(crate) mod postgres;
pub(crate) mod proxy;
