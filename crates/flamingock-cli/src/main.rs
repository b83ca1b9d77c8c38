//! The `flamingock` command.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    flamingock_cli::run(std::env::args_os()).await
}
