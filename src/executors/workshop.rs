//! What all executors share: the blob store, the settings, and a bound on how much is done at once.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::{Failure, Settings, failure};
use crate::assets::blobs::Blobs;
use crate::media::child::Launcher;

/// Clones share it.
#[derive(Debug, Clone)]
pub struct Workshop {
    pub settings: Arc<Settings>,
    pub blobs: Blobs,
    /// For tools that work as child processes.
    pub launcher: Launcher,
    benches: Arc<Semaphore>,
}

impl Workshop {
    pub fn new(settings: Settings, blobs: Blobs) -> Self {
        let benches = Arc::new(Semaphore::new(settings.parallel.max(1)));
        let launcher = Launcher::new(&settings.binary, &settings.scratch);
        Self { settings: Arc::new(settings), blobs, launcher, benches }
    }

    /// Does work that blocks or computes on a thread of its own, when there is a free place. It is given a question to ask
    /// now and then: whether nobody waits for it any more.
    pub async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Fn() -> bool) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let place = self.benches.clone().acquire_owned().await.map_err(failure::internal)?;
        let abandoned = CancellationToken::new();
        let guard = abandoned.clone().drop_guard();
        let done = tokio::task::spawn_blocking(move || {
            let _place = place;
            work(&|| abandoned.is_cancelled())
        })
        .await;
        drop(guard);
        done.map_err(failure::internal)
    }
}
