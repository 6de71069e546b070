//! What all executors share: the blob store, the settings, and a bound on how much is done at once.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

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
    ///
    /// A task of its own waits for the place. The future that is returned may be one of many in a stream that nobody asks
    /// just then, because who would ask waits for a place as well: given to the future, the place would be held by it for
    /// ever, and all work of all jobs would end.
    pub async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Fn() -> bool) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let benches = self.benches.clone();
        let abandoned = CancellationToken::new();
        let guard = abandoned.clone().drop_guard();
        let task = tokio::spawn(async move {
            let place = benches.acquire_owned().await.map_err(failure::internal)?;
            let work = move || {
                let _place = place;
                work(&|| abandoned.is_cancelled())
            };
            tokio::task::spawn_blocking(work).await.map_err(failure::internal)
        });
        let done = AbortOnDropHandle::new(task).await;
        drop(guard);
        done.map_err(failure::internal)?
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::{StreamExt, stream};

    use super::*;
    use crate::config::{Config, Environment, Overrides};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn who_takes_from_a_stream_of_work_may_work_in_between() {
        let folder = tempfile::tempdir().unwrap();
        let overrides = Overrides { data: Some(folder.path().to_owned()), listen: None };
        let config = Config::load_in(&Environment::of_process(), None, overrides).unwrap();
        let settings = Settings { parallel: 1, ..Settings::new(&config) };
        let workshop = &Workshop::new(settings, Blobs::open(&folder.path().join("blobs")).unwrap());
        let mut numbers = stream::iter(0..20).map(|number| workshop.work(move |_| number)).buffered(4);
        let taken = async {
            let mut sum = 0;
            while let Some(number) = numbers.next().await {
                let number = number.unwrap();
                sum += workshop.work(move |_| number).await.unwrap();
            }
            sum
        };
        let sum = tokio::time::timeout(Duration::from_secs(60), taken).await.expect("everybody gets a place");
        assert_eq!(sum, 190);
    }

    #[tokio::test]
    async fn work_that_nobody_waits_for_any_more_learns_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let overrides = Overrides { data: Some(folder.path().to_owned()), listen: None };
        let config = Config::load_in(&Environment::of_process(), None, overrides).unwrap();
        let settings = Settings { parallel: 1, ..Settings::new(&config) };
        let workshop = Workshop::new(settings, Blobs::open(&folder.path().join("blobs")).unwrap());
        let (began, begun) = tokio::sync::oneshot::channel();
        let first = workshop.work(move |is_abandoned| {
            began.send(()).unwrap();
            while !is_abandoned() {
                std::thread::yield_now();
            }
        });
        let second = workshop.work(|_| panic!("nobody waits for it"));
        tokio::select! {
            // Who asks first gets the place.
            biased;
            _ = first => panic!("it ends only when it is abandoned"),
            _ = second => panic!("there is no place for it"),
            begun = begun => begun.unwrap(),
        }
        assert_eq!(workshop.work(|_| 7).await, Ok(7), "the place is free again");
    }
}
