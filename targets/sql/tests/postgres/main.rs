//! What is particular to PostgreSQL: bodies that end their own transaction, statements that are dropped
//! half-way, changes that need no transaction, and who is in the way.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a case fails by a panic")]

mod body;
mod place;
#[path = "../../../../stores/sql/tests/server/mod.rs"]
mod server;
mod session;
mod setup;

use std::process::ExitCode;

use flamingock_testing::conformance::{Suite, run};

use crate::server::postgres::Way;

fn main() -> ExitCode {
    let mut direct = Suite::new("target", Way::Direct.name(), || Way::Direct.available());
    let mut pooled = Suite::new("target", Way::Pooled.name(), || Way::Pooled.available());
    body::add(&mut direct);
    session::add(&mut direct, &mut pooled);
    setup::add(&mut direct);
    run([direct, pooled])
}
