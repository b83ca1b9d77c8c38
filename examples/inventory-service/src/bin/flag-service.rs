//! A feature-flag service, to try the changes on: it keeps flags in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Flag {
    on: bool,
}

type Flags = Arc<Mutex<BTreeMap<String, Flag>>>;

#[tokio::main]
async fn main() -> Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8090".to_owned());
    let listener = TcpListener::bind(&address).await.with_context(|| format!("{address} is not free"))?;
    println!("listening on http://{}", listener.local_addr()?);
    let routes = Router::new()
        .route("/flags/{name}", get(read).put(write).delete(remove))
        .with_state(Flags::default());
    axum::serve(listener, routes).await?;
    Ok(())
}

async fn read(State(flags): State<Flags>, Path(name): Path<String>) -> Result<Json<Flag>, StatusCode> {
    let flags = flags.lock().unwrap_or_else(PoisonError::into_inner);
    flags.get(&name).copied().map(Json).ok_or(StatusCode::NOT_FOUND)
}

async fn write(State(flags): State<Flags>, Path(name): Path<String>, Json(flag): Json<Flag>) -> StatusCode {
    flags.lock().unwrap_or_else(PoisonError::into_inner).insert(name, flag);
    StatusCode::NO_CONTENT
}

async fn remove(State(flags): State<Flags>, Path(name): Path<String>) -> StatusCode {
    flags.lock().unwrap_or_else(PoisonError::into_inner).remove(&name);
    StatusCode::NO_CONTENT
}
