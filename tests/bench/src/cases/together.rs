use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use serde::Serialize;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::{median, millis};
use crate::changes::Changes;
use crate::database::Place;
use crate::peers::{self, Peer};
use crate::size::Size;

/// Many instances that start at the same moment on an empty database.
#[derive(Debug, Serialize)]
pub(crate) struct Together {
    pub(crate) peer: &'static str,
    pub(crate) instances: usize,
    pub(crate) changes: usize,
    pub(crate) rounds: usize,
    /// Starts that ended in an error, over all rounds.
    pub(crate) failed: usize,
    pub(crate) starts: usize,
    /// One of the errors.
    pub(crate) error: Option<String>,
    /// From the start of all until the last one that did not fail is ready.
    pub(crate) last_ready_ms: f64,
    /// From the first one's release until the last one is ready, where the tool tells of its release.
    pub(crate) after_release_ms: Option<f64>,
    pub(crate) worst_after_release_ms: Option<f64>,
}

struct Round {
    failed: usize,
    error: Option<String>,
    last_ready: f64,
    after_release: Option<f64>,
}

/// Each tool, with a connection of its own per instance.
pub(crate) async fn together(place: &Place, size: &Size) -> Result<Vec<Together>> {
    let mut results = Vec::new();
    for peer in peers::all() {
        let mut rounds = Vec::new();
        for number in 1..=size.instance_rounds {
            eprintln!("together: {}, round {number}", peer.name());
            rounds.push(round(place, peer, size).await?);
        }
        let after: Vec<f64> = rounds.iter().filter_map(|round| round.after_release).collect();
        results.push(Together {
            peer: peer.name(),
            instances: size.instances,
            changes: size.instance_changes,
            rounds: rounds.len(),
            failed: rounds.iter().map(|round| round.failed).sum(),
            starts: rounds.len() * size.instances,
            error: rounds.iter().find_map(|round| round.error.clone()),
            last_ready_ms: median(rounds.iter().map(|round| round.last_ready).collect()),
            worst_after_release_ms: after.iter().copied().reduce(f64::max),
            after_release_ms: (!after.is_empty()).then(|| median(after)),
        });
    }
    Ok(results)
}

async fn round(place: &Place, peer: &dyn Peer, size: &Size) -> Result<Round> {
    let database = place.create().await?;
    let barrier = Arc::new(Barrier::new(size.instances));
    let mut instances = JoinSet::new();
    for _ in 0..size.instances {
        let mut application = peer.open(&database, Changes::tables(size.instance_changes)).await?;
        let barrier = Arc::clone(&barrier);
        instances.spawn(async move {
            barrier.wait().await;
            let since = Instant::now();
            (since, application.start().await, Instant::now())
        });
    }
    let ended = instances.join_all().await;
    place.drop(database).await?;

    let errors: Vec<String> =
        ended.iter().filter_map(|(_, started, _)| started.as_ref().err()).map(|e| format!("{e:#}")).collect();
    let begun = ended.iter().map(|(since, ..)| *since).min();
    let ready = ended.iter().filter(|(_, started, _)| started.is_ok());
    let last = ready.clone().map(|(.., at)| *at).max();
    let released = ready.filter_map(|(_, started, _)| started.as_ref().ok()?.released).min();
    let between = |from: Option<Instant>, to: Option<Instant>| Some(millis(to?.duration_since(from?)));
    Ok(Round {
        failed: errors.len(),
        error: errors.into_iter().next(),
        last_ready: between(begun, last).unwrap_or(f64::NAN),
        after_release: between(released, last),
    })
}
