//! `cargo xtask`

use std::process::ExitCode;

fn main() -> anyhow::Result<ExitCode> {
    xtask::main()
}
