//! The quickstart: `cargo run -p quickstart`. Its README tells what to try.

mod airports;
mod demo;
mod folder;
mod options;
mod progress;
mod site;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use flamingock::CancellationToken;
use flamingock::prelude::*;
use flamingock::sqlx::SqlitePool;
use flamingock::sqlx::sqlite::SqliteConnectOptions;

use crate::demo::Demo;
use crate::folder::Folder;
use crate::options::Options;
use crate::progress::Progress;

// All changes at or below this module, which is the whole program.
flamingock::change_set!(CHANGES);

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let options = Options::parse();
    options.prepare().context("the folder for the data cannot be used")?;
    let audit = open(&options.audit_db()).await?;
    let airports = open(&options.airports_db()).await?;
    let site = Folder::new(options.site());
    let progress = Progress::new();

    let flamingock = wired(airports, site, Demo { breaks: options.breaks, slow: options.slow })
        .audit_store(SqliteAuditStore::new(audit))
        // A killed run keeps the lock until its lease ends: 60 s by default, too long for a demonstration.
        .lease(Duration::from_secs(5))
        .on_event(move |event| progress.show(event))
        .cancel_on(cancelled_by_ctrl_c())
        .build()?;

    Ok(match flamingock.run().await {
        Ok(report) => {
            println!("{report}\n{}", report.summary());
            println!("Have a look at {}", options.site().join("index.html").display());
            ExitCode::SUCCESS
        }
        // An error tells what was done before it: it carries the report, too.
        Err(error) => {
            println!("{}\n{error}", error.report());
            ExitCode::FAILURE
        }
    })
}

/// The changes, and what they need: the same here and in the tests.
fn wired(airports: SqlitePool, site: Folder, demo: Demo) -> FlamingockBuilder {
    Flamingock::builder()
        .service("quickstart")
        .changes(CHANGES)
        .target(SqliteTarget::new("airports-db", airports.clone()))
        .target(
            NonTransactionalTarget::new("site")
                .kind("folder")
                .at(site.path().display().to_string())
                .with(site),
        )
        .dependency(airports)
        .dependency(demo)
}

async fn open(file: &Path) -> Result<SqlitePool> {
    let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
    SqlitePool::connect_with(options).await.with_context(|| format!("{} cannot be opened", file.display()))
}

/// The run stops at the next safe point: nothing is left half-done, and the lock is free.
fn cancelled_by_ctrl_c() -> CancellationToken {
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            cancelled.cancel();
        }
    });
    token
}
