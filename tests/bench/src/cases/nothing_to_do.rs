use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Serialize;

use super::{median, millis};
use crate::changes::Changes;
use crate::database::Place;
use crate::peers;
use crate::size::Size;

/// A start that finds everything applied.
#[derive(Debug, Serialize)]
pub(crate) struct NothingToDo {
    pub(crate) place: &'static str,
    pub(crate) peer: &'static str,
    pub(crate) applied: usize,
    pub(crate) starts: usize,
    /// [`None`]: given up.
    pub(crate) best_ms: Option<f64>,
    pub(crate) median_ms: Option<f64>,
    /// Of the best start: checking what it was given, before the database was asked anything.
    pub(crate) build_ms: Option<f64>,
}

/// Each tool at each number of applied changes, on one open connection.
pub(crate) async fn nothing_to_do(place: &Place, size: &Size) -> Result<Vec<NothingToDo>> {
    let mut results = Vec::new();
    for peer in peers::all() {
        let mut given_up = false;
        for &applied in size.applied {
            let mut result = NothingToDo {
                place: place.name(),
                peer: peer.name(),
                applied,
                starts: 0,
                best_ms: None,
                median_ms: None,
                build_ms: None,
            };
            if !given_up {
                eprintln!("nothing to do: {}, {}, {applied}", place.name(), peer.name());
                given_up = !measure(place, peer, &mut result).await.with_context(|| {
                    format!("{} on {} with {applied} applied changes", peer.name(), place.name())
                })?;
            }
            results.push(result);
        }
    }
    Ok(results)
}

/// `false`: it takes too long.
async fn measure(place: &Place, peer: &dyn peers::Peer, result: &mut NothingToDo) -> Result<bool> {
    let changes = Changes::selects(result.applied);
    let database = place.create().await?;
    peer.fill(&database, changes).await?;
    let mut application = peer.open(&database, changes).await?;

    let (mut starts, begun) = (Vec::new(), Instant::now());
    let mut too_long = false;
    while starts.is_empty() || (starts.len() < Size::MOST_STARTS && begun.elapsed() < Size::BUDGET) {
        let since = Instant::now();
        let started = tokio::time::timeout(Size::LIMIT, application.start()).await;
        let took = since.elapsed();
        // One that does not give way to the timer ends late.
        if started.is_err() || took > Size::LIMIT {
            too_long = true;
            break;
        }
        starts.push((took, started??.build));
    }
    drop(application);
    place.drop(database).await?;
    if too_long {
        return Ok(false);
    }
    let best: Option<&(Duration, Option<Duration>)> = starts.iter().min_by_key(|start| start.0);
    result.starts = starts.len();
    result.best_ms = best.map(|best| millis(best.0));
    result.build_ms = best.and_then(|best| best.1).map(millis);
    result.median_ms = Some(median(starts.iter().map(|start| millis(start.0)).collect()));
    Ok(true)
}
