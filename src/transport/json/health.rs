//! `/healthz` and `/readyz`.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

use super::JsonState;
use crate::assets::room::{self, Written};

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
    let (database, disk) = tokio::join!(database(&state), state.disks.check());
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

/// The disks that are written to, which must have room.
#[derive(Debug)]
pub struct Disks {
    written: Vec<Written>,
    see: fn(&[Written]) -> io::Result<Vec<room::Disk>>,
    /// One look at a time: however often it is asked, no more than one thread hangs.
    turn: Arc<Semaphore>,
    patience: Duration,
}

impl Disks {
    pub fn of(written: Vec<Written>) -> Self {
        Self::seen_by(written, room::disks)
    }

    fn seen_by(written: Vec<Written>, see: fn(&[Written]) -> io::Result<Vec<room::Disk>>) -> Self {
        Self { written, see, turn: Arc::new(Semaphore::new(1)), patience: PATIENCE }
    }

    /// Where things lie is not for whoever asks either.
    async fn check(&self) -> Result<(), String> {
        let seconds = self.patience.as_secs_f64();
        let silent = |_| format!("a disk that is written to has not answered for {seconds} seconds");
        let disks = timeout(self.patience, self.look()).await.map_err(silent)?.map_err(|error| {
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

    /// On a thread of its own, for which the end of the daemon does not wait.
    async fn look(&self) -> io::Result<Vec<room::Disk>> {
        let turn = self.turn.clone().acquire_owned().await.map_err(io::Error::other)?;
        let (written, see) = (self.written.clone(), self.see);
        let (tell, told) = oneshot::channel();
        std::thread::Builder::new().name("disk".to_owned()).spawn(move || {
            let found = see(&written);
            drop(turn);
            // Whoever asked may have gone.
            let _ = tell.send(found);
        })?;
        told.await.map_err(io::Error::other)?
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::assets::room::Use;

    static LOOKS: AtomicUsize = AtomicUsize::new(0);
    static HANGS: Mutex<()> = Mutex::new(());

    fn with(free: u64, files: Option<u64>) -> Vec<room::Disk> {
        vec![room::Disk { uses: vec![Use::Database, Use::Publish], mount: PathBuf::from("/"), free, files }]
    }

    /// As a disk behind a network that comes back after a while.
    #[tokio::test]
    async fn a_disk_that_hangs_is_told_of_and_hangs_one_thread() {
        let mut disks = Disks::seen_by(Vec::new(), |_| {
            LOOKS.fetch_add(1, Ordering::SeqCst);
            drop(HANGS.lock());
            Ok(with(room::NEEDED, None))
        });
        let network = HANGS.lock().unwrap();
        disks.patience = Duration::from_millis(20);
        for _ in 0..3 {
            let said = disks.check().await.unwrap_err();
            assert_eq!(said, "a disk that is written to has not answered for 0.02 seconds");
        }
        assert_eq!(LOOKS.load(Ordering::SeqCst), 1);
        drop(network);
        disks.patience = Duration::from_secs(600);
        assert_eq!(disks.check().await, Ok(()));
        assert_eq!(LOOKS.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn what_is_wrong_with_a_disk_is_said() {
        let full = Disks::seen_by(Vec::new(), |_| Ok(with(room::NEEDED - 1, None))).check().await.unwrap_err();
        assert_eq!(full, "only 63 MiB are free on the disk of the database, published files");
        let files = Disks::seen_by(Vec::new(), |_| Ok(with(u64::MAX, Some(7)))).check().await.unwrap_err();
        assert_eq!(files, "hardly any more files fit on the disk of the database, published files");
        let failed = Disks::seen_by(Vec::new(), |_| Err(io::ErrorKind::NotFound.into())).check().await.unwrap_err();
        assert_eq!(failed, "whether there is room cannot be seen; the server's log says more");
    }
}
