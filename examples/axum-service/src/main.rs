//! A service on PostgreSQL that applies its changes before it serves. Its README tells what to try.

mod api;
mod changes;
mod health;
mod options;
mod shutdown;

use std::process::ExitCode;

use anyhow::{Context, Result};
use axum::{Router, middleware};
use clap::Parser;
use flamingock::sqlx::PgPool;
use tokio::net::TcpListener;

use crate::health::Health;
use crate::options::Options;

#[tokio::main]
async fn main() -> Result<ExitCode> {
    tracing_subscriber::fmt().compact().with_writer(std::io::stderr).init();
    let options = Options::parse();
    // It connects when it is used: `/livez` does not wait for the database.
    let pool = PgPool::connect_lazy(&options.database_url).context("DATABASE_URL is not understood")?;
    let stop = shutdown::on_signal()?;
    let health = Health::new();

    if options.changes_only {
        return Ok(changes::run(&options, pool, &health, stop).await);
    }
    let listener = TcpListener::bind(options.listen).await.context("the address cannot be listened on")?;
    tracing::info!("listening on http://{}", listener.local_addr()?);
    let server = axum::serve(listener, router(pool.clone(), health.clone()))
        .with_graceful_shutdown(stop.clone().cancelled_owned());

    // Both at once: it is asked how it is while the changes are applied. After a signal it ends when
    // the running change has ended, too.
    let (served, changes) = tokio::join!(server.into_future(), changes::run(&options, pool, &health, stop));
    served?;
    Ok(changes)
}

/// The API is closed until the changes are applied; the probes are always open.
fn router(pool: PgPool, health: Health) -> Router {
    api::routes(pool)
        .layer(middleware::from_fn_with_state(health.clone(), health::gate))
        .merge(health::routes(health))
}
