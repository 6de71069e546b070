//! `/healthz` and `/readyz`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;

use super::JsonState;

/// With less free space than this no job could be carried out.
const LEAST_SPACE: u64 = 64 << 20;

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

fn space(state: &JsonState) -> Result<(), String> {
    let space = rustix::fs::statvfs(&state.data).map_err(|error| format!("cannot look at the data folder: {error}"))?;
    match space.f_bavail * space.f_frsize {
        LEAST_SPACE.. => Ok(()),
        free => Err(format!("only {} MiB are free on the disk of the data folder", free >> 20)),
    }
}
