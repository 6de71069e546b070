//! `/healthz` and `/readyz`.

use std::io;
use std::path::PathBuf;
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

/// With less free space than this no job could be carried out.
const LEAST_SPACE: u64 = 64 << 20;

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
    let (database, disk) = tokio::join!(database(&state), state.disk.check());
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

/// The disk of the data folder, which must have room.
#[derive(Debug)]
pub struct Disk {
    folder: PathBuf,
    /// Free bytes of the disk of a folder.
    free: fn(&PathBuf) -> io::Result<u64>,
    /// One look at a time: however often it is asked, no more than one thread hangs.
    turn: Arc<Semaphore>,
    patience: Duration,
}

impl Disk {
    pub fn of(folder: PathBuf) -> Self {
        Self::seen_by(folder, |folder| {
            let space = rustix::fs::statvfs(folder)?;
            Ok(space.f_bavail * space.f_frsize)
        })
    }

    fn seen_by(folder: PathBuf, free: fn(&PathBuf) -> io::Result<u64>) -> Self {
        Self { folder, free, turn: Arc::new(Semaphore::new(1)), patience: PATIENCE }
    }

    async fn check(&self) -> Result<(), String> {
        let failed = |error: io::Error| format!("cannot look at the data folder: {error}");
        let seconds = self.patience.as_secs_f64();
        let silent = |_| format!("the disk of the data folder has not answered for {seconds} seconds");
        match timeout(self.patience, self.look()).await.map_err(silent)?.map_err(failed)? {
            LEAST_SPACE.. => Ok(()),
            free => Err(format!("only {} MiB are free on the disk of the data folder", free >> 20)),
        }
    }

    /// On a thread of its own, for which the end of the daemon does not wait.
    async fn look(&self) -> io::Result<u64> {
        let turn = self.turn.clone().acquire_owned().await.map_err(io::Error::other)?;
        let (folder, free) = (self.folder.clone(), self.free);
        let (tell, told) = oneshot::channel();
        std::thread::Builder::new().name("disk".to_owned()).spawn(move || {
            let found = free(&folder);
            drop(turn);
            // Whoever asked may have gone.
            let _ = tell.send(found);
        })?;
        told.await.map_err(io::Error::other)?
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    static LOOKS: AtomicUsize = AtomicUsize::new(0);
    static HANGS: Mutex<()> = Mutex::new(());

    /// As a disk behind a network that comes back after a while.
    #[tokio::test]
    async fn a_disk_that_hangs_is_told_of_and_hangs_one_thread() {
        let mut disk = Disk::seen_by(PathBuf::from("/"), |_| {
            LOOKS.fetch_add(1, Ordering::SeqCst);
            drop(HANGS.lock());
            Ok(LEAST_SPACE)
        });
        let network = HANGS.lock().unwrap();
        disk.patience = Duration::from_millis(20);
        for _ in 0..3 {
            let said = disk.check().await.unwrap_err();
            assert_eq!(said, "the disk of the data folder has not answered for 0.02 seconds");
        }
        assert_eq!(LOOKS.load(Ordering::SeqCst), 1);
        drop(network);
        disk.patience = Duration::from_secs(600);
        assert_eq!(disk.check().await, Ok(()));
        assert_eq!(LOOKS.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn what_is_wrong_with_a_disk_is_said() {
        let full = Disk::seen_by(PathBuf::from("/"), |_| Ok(LEAST_SPACE - 1)).check().await.unwrap_err();
        assert_eq!(full, "only 63 MiB are free on the disk of the data folder");
        let gone = Disk::of(PathBuf::from("/nowhere/at/all")).check().await.unwrap_err();
        assert!(gone.starts_with("cannot look at the data folder: "), "{gone}");
        assert_eq!(Disk::seen_by(PathBuf::from("/"), |_| Ok(u64::MAX)).check().await, Ok(()));
    }
}
