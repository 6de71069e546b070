//! `/healthz` and `/readyz`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;

use super::JsonState;

/// The process answers; that is all it says.
pub async fn alive() -> Response {
    Json(json!({"status": "alive"})).into_response()
}

#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

impl Check {
    fn of(name: &'static str, outcome: Result<(), String>) -> Self {
        Self { name, ok: outcome.is_ok(), detail: outcome.err() }
    }
}

pub async fn ready(State(state): State<Arc<JsonState>>) -> Response {
    let engine = if state.accepting.get() { Ok(()) } else { Err("the daemon is stopping".to_owned()) };
    let checks =
        [Check::of("database", database(&state).await), Check::of("engine", engine), Check::of("disk", space(&state))];
    let ready = checks.iter().all(|check| check.ok);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let word = if ready { "ready" } else { "not ready" };
    (status, Json(json!({"status": word, "checks": checks}))).into_response()
}

/// What exactly is wrong is for the log, not for whoever asks.
async fn database(state: &JsonState) -> Result<(), String> {
    state.services.ping().await.map_err(|error| {
        tracing::error!(%error, "the database does not answer, or cannot be written");
        "it does not answer, or cannot be written; the server's log says more".to_owned()
    })
}

/// Where things lie is not for whoever asks either.
fn space(state: &JsonState) -> Result<(), String> {
    state.limits.has_room().unwrap_or_else(|error| {
        tracing::error!(%error, "whether there is room cannot be seen");
        Err("whether there is room cannot be seen; the server's log says more".to_owned())
    })
}
