//! `/healthz` and `/readyz`.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;
use tokio::time::timeout;

use super::JsonState;

/// Who asks has an answer after this long: a disk behind a network that is gone never gives one.
const PATIENCE: Duration = Duration::from_secs(5);

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
    let (database, disk) = tokio::join!(database(&state), room(&state));
    let checks = [Check::of("database", database), Check::of("engine", engine), Check::of("disk", disk)];
    let ready = checks.iter().all(|check| check.ok);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let word = if ready { "ready" } else { "not ready" };
    (status, Json(json!({"status": word, "checks": checks}))).into_response()
}

/// What exactly is wrong is for the log, not for whoever asks.
async fn database(state: &JsonState) -> Result<(), String> {
    let said = timeout(PATIENCE, state.services.ping()).await;
    let said = said.map_err(|_| format!("it has not answered for {} seconds", PATIENCE.as_secs()))?;
    said.map_err(|error| {
        tracing::error!(%error, "the database does not answer, or cannot be written");
        "it does not answer, or cannot be written; the server's log says more".to_owned()
    })
}

/// Where things lie is not for whoever asks either.
async fn room(state: &JsonState) -> Result<(), String> {
    state.limits.disks.have_room().await.unwrap_or_else(|error| {
        tracing::error!(%error, "whether there is room cannot be seen");
        Err("whether there is room cannot be seen; the server's log says more".to_owned())
    })
}
