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
use crate::service::jobs::Disks;

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
    let (database, disk) = tokio::join!(database(&state), room(&state.limits.disks));
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
async fn room(disks: &Disks) -> Result<(), String> {
    let disks = disks.look().await.map_err(|error| {
        tracing::error!(%error, "whether there is room cannot be seen");
        "whether there is room cannot be seen; the server's log says more".to_owned()
    })?;
    let Some(disk) = disks.iter().find(|disk| disk.is_full()) else { return Ok(()) };
    let uses: Vec<&str> = disk.uses.iter().map(|what| what.as_str()).collect();
    let left = if disk.lacks_files() {
        "hardly any more files fit".to_owned()
    } else {
        format!("only {} MiB are free", disk.free >> 20)
    };
    Err(format!("{left} on the disk of the {}", uses.join(", ")))
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::PathBuf;

    use super::*;
    use crate::assets::room::{Disk, NEEDED, Use};

    fn with(free: u64, files: Option<u64>) -> Vec<Disk> {
        vec![Disk { uses: vec![Use::Database, Use::Publish], mount: PathBuf::from("/"), free, files }]
    }

    #[tokio::test]
    async fn what_is_wrong_with_a_disk_is_said() {
        let full = room(&Disks::seen_by(Vec::new(), |_| Ok(with(NEEDED - 1, None)))).await.unwrap_err();
        assert_eq!(full, "only 63 MiB are free on the disk of the database, published files");
        let files = room(&Disks::seen_by(Vec::new(), |_| Ok(with(u64::MAX, Some(7))))).await.unwrap_err();
        assert_eq!(files, "hardly any more files fit on the disk of the database, published files");
        let failed = room(&Disks::seen_by(Vec::new(), |_| Err(io::ErrorKind::NotFound.into()))).await.unwrap_err();
        assert_eq!(failed, "whether there is room cannot be seen; the server's log says more");
        assert_eq!(room(&Disks::seen_by(Vec::new(), |_| Ok(with(NEEDED, None)))).await, Ok(()));
    }
}
