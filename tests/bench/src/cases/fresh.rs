use std::time::Instant;

use anyhow::{Context, Result};
use serde::Serialize;

use super::{median, millis};
use crate::changes::Changes;
use crate::database::Place;
use crate::peers;
use crate::size::Size;

/// A first start, which applies everything.
#[derive(Debug, Serialize)]
pub(crate) struct Fresh {
    pub(crate) place: &'static str,
    pub(crate) peer: &'static str,
    pub(crate) changes: usize,
    pub(crate) rounds: usize,
    pub(crate) best_ms: f64,
    pub(crate) median_ms: f64,
}

/// Each tool on an empty database, round by round, so that what else runs disturbs all of them.
pub(crate) async fn fresh(place: &Place, size: &Size) -> Result<Vec<Fresh>> {
    let peers = peers::all();
    let mut times = vec![Vec::new(); peers.len()];
    for round in 1..=size.fresh_rounds {
        for (peer, times) in peers.iter().zip(&mut times) {
            eprintln!("fresh: {}, {}, round {round}", place.name(), peer.name());
            let database = place.create().await?;
            let mut application = peer.open(&database, Changes::selects(size.fresh)).await?;
            let since = Instant::now();
            let started = application.start().await;
            times.push(millis(since.elapsed()));
            started.with_context(|| format!("{} on {}", peer.name(), place.name()))?;
            drop(application);
            place.drop(database).await?;
        }
    }
    let result = |(peer, times): (&&dyn peers::Peer, Vec<f64>)| Fresh {
        place: place.name(),
        peer: peer.name(),
        changes: size.fresh,
        rounds: size.fresh_rounds,
        best_ms: times.iter().copied().fold(f64::INFINITY, f64::min),
        median_ms: median(times),
    };
    Ok(peers.iter().zip(times).map(result).collect())
}
