use std::sync::{Arc, PoisonError, RwLock};

use axum::extract::{Request, State as Extract};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use serde_json::json;

/// How far the service is, for the probes.
#[derive(Debug, Clone)]
pub(crate) struct Health(Arc<RwLock<State>>);

#[derive(Debug, Clone, Serialize)]
#[serde(tag = "status", rename_all = "lowercase")]
pub(crate) enum State {
    /// The changes were not looked at yet.
    Starting,
    /// Another instance applies them.
    Waiting,
    /// This one does.
    Applying { change: String },
    /// They are applied.
    Ready { changes: usize },
    /// They are not, and this process does not try again.
    Failed { error: String },
}

impl Health {
    pub(crate) fn new() -> Self {
        Self(Arc::new(RwLock::new(State::Starting)))
    }

    pub(crate) fn set(&self, state: State) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = state;
    }

    fn get(&self) -> State {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl IntoResponse for State {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Ready { .. } => StatusCode::OK,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        (status, Json(self)).into_response()
    }
}

/// `/livez`: the process answers. `/readyz`: it can serve.
pub(crate) fn routes(health: Health) -> Router {
    Router::new()
        .route("/livez", get(async || Json(json!({ "status": "alive" }))))
        .route("/readyz", get(async |Extract(health): Extract<Health>| health.get()))
        .with_state(health)
}

/// Answers in place of the API until the service is ready.
pub(crate) async fn gate(Extract(health): Extract<Health>, request: Request, next: Next) -> Response {
    match health.get() {
        State::Ready { .. } => next.run(request).await,
        state => state.into_response(),
    }
}
