#[cfg(test)]
mod tests;

use std::process::ExitCode;

use flamingock::event::Event;
use flamingock::prelude::*;
use flamingock::report::Report;
use flamingock::sqlx::PgPool;
use flamingock::{CancellationToken, RunErrorKind};

use crate::health::{Health, State};
use crate::options::Options;

// Every file of the folder `changes` is a module here, and a change.
flamingock::include_changes!("changes");
flamingock::change_set!(CHANGES);

/// Does what the mode says, tells `health` how it goes, and how the process is to end.
pub(crate) async fn run(
    options: &Options,
    pool: PgPool,
    health: &Health,
    stop: CancellationToken,
) -> ExitCode {
    match start(options, pool, health.clone(), stop).await {
        Ok(report) => {
            tracing::info!("{}", report.summary());
            health.set(State::Ready { changes: report.changes.total });
            ExitCode::SUCCESS
        }
        // Told to stop, it did: what was running is rolled back, and the lock is free.
        Err(error) if is_cancelled(&error) => {
            tracing::info!("{error}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            tracing::error!("{error}");
            let error = error.to_string().lines().next().unwrap_or_default().to_owned();
            health.set(State::Failed { error });
            ExitCode::FAILURE
        }
    }
}

/// The changes, and what they need: the same here and in the tests.
fn wired(pool: PgPool) -> FlamingockBuilder {
    Flamingock::builder()
        .service("orders")
        .changes(CHANGES)
        .audit_store(PostgresAuditStore::new(pool.clone()))
        .target(PostgresTarget::new("orders-db", pool))
        .application_version(env!("CARGO_PKG_VERSION"))
}

async fn start(
    options: &Options,
    pool: PgPool,
    health: Health,
    stop: CancellationToken,
) -> Result<Report, BoxError> {
    let flamingock = wired(pool)
        .mode(options.mode())
        .cancel_on(stop)
        .on_event(move |event| tell(event, &health))
        .build()?;
    Ok(flamingock.run().await?)
}

fn tell(event: &Event<'_>, health: &Health) {
    match event {
        Event::Waiting { holder } => {
            tracing::info!("{} applies the changes", holder.owner);
            health.set(State::Waiting);
        }
        Event::ChangeStarted { change, .. } => {
            tracing::info!("applying {change}");
            health.set(State::Applying { change: (*change).to_owned() });
        }
        _ => {}
    }
}

fn is_cancelled(error: &BoxError) -> bool {
    error.downcast_ref::<flamingock::RunError>().is_some_and(|error| error.kind() == RunErrorKind::Cancelled)
}
