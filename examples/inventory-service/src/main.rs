//! One pipeline over PostgreSQL, S3, Kafka and an HTTP service, with one audit. Its README tells what to
//! try.

mod flags;
mod settings;

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser as _;
use flamingock::prelude::*;
use flamingock::rdkafka::ClientConfig;
use flamingock::sqlx::PgPool;

use crate::flags::Flags;
use crate::settings::Settings;

// Every file of the folder `changes` is a module here, and a change.
flamingock::include_changes!("changes");
flamingock::change_set!(CHANGES);

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let settings = Settings::parse();
    match pipeline(&settings).await?.run().await {
        Ok(report) => {
            println!("{report}");
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            println!("{}\n", error.report());
            eprintln!("{error}");
            Ok(ExitCode::FAILURE)
        }
    }
}

async fn pipeline(settings: &Settings) -> Result<Flamingock> {
    let pool = PgPool::connect(&settings.database_url).await.context("PostgreSQL is not reached")?;
    let mut kafka = ClientConfig::new();
    kafka.set("bootstrap.servers", &settings.kafka);
    let flags = Flags::at(&settings.flags_url)?;
    let builder = Flamingock::builder()
        .service("inventory")
        .changes(CHANGES)
        .audit_store(PostgresAuditStore::new(pool.clone()))
        .target(PostgresTarget::new("orders-db", pool))
        .target(S3Target::connect("files", &settings.s3_url).await?)
        .target(KafkaTarget::new("events", kafka)?)
        .target(NonTransactionalTarget::new("flags").kind("http").at(&settings.flags_url).with(flags))
        .dependency(settings.clone());
    Ok(builder.build()?)
}
