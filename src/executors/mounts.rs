//! Work in folders that others share: published files, exports, and directories that are uploaded from.
//!
//! Their disks may be behind a network. When that is gone, what is under way there hangs for as long, and nobody can end
//! it. So each such folder has places of its own, and none that other work needs; and the run that waits for it gives up
//! after a while, says why, and tries again later. What hangs learns that nobody waits for it when the disk is back, and
//! touches nothing any more.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::fs::statvfs;
use tokio::sync::Semaphore;
use tokio::time::sleep;

use super::workshop::at_bench;
use super::{Failure, failure, reason};
use crate::assets::patience::Pulse;
use crate::assets::published;

/// How long work goes on before somebody asks whether its disk answers, and how often from then on.
const LOOKS: Looks = Looks { first: Duration::from_secs(2), then: Duration::from_secs(10) };

/// How long a look may take from its beginning: a disk that is busy writes a file in some seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// Most work at a time in all folders that are only read: each may keep a thread that hangs.
const MOST_SHARED: usize = 64;

#[derive(Debug, Clone, Copy)]
struct Looks {
    first: Duration,
    then: Duration,
}

/// All such folders. Clones share them.
#[derive(Debug, Clone)]
pub struct Mounts {
    places: usize,
    /// For all folders that are only read, of which each company has one: their disk may be the same.
    shared: Arc<Semaphore>,
    known: Arc<Mutex<HashMap<PathBuf, Mount>>>,
}

/// One of them.
#[derive(Debug, Clone)]
pub struct Mount {
    folder: Arc<Path>,
    places: Arc<Semaphore>,
    pulse: Pulse,
    look: fn(&Path),
    shared: Option<Arc<Semaphore>>,
    patience: Duration,
    looks: Looks,
}

impl Mounts {
    /// With so many places in each folder.
    pub fn new(places: usize) -> Self {
        Self { places, shared: Arc::new(Semaphore::new(MOST_SHARED.max(places))), known: Arc::default() }
    }

    /// A folder that is written to.
    pub fn written(&self, folder: &Path) -> Mount {
        self.of(folder, look_and_write, None)
    }

    /// A folder that is read, and may belong to somebody else.
    pub fn read_only(&self, folder: &Path) -> Mount {
        self.of(folder, look_only, Some(self.shared.clone()))
    }

    fn of(&self, folder: &Path, look: fn(&Path), shared: Option<Arc<Semaphore>>) -> Mount {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mount = || Mount {
            folder: folder.into(),
            places: Arc::new(Semaphore::new(self.places)),
            pulse: Pulse::default(),
            look,
            shared,
            patience: PATIENCE,
            looks: LOOKS,
        };
        known.entry(folder.to_owned()).or_insert_with(mount).clone()
    }
}

impl Mount {
    /// Does work on a thread of its own, when there is a free place, for as long as the disk answers. It is given a question to
    /// ask now and then: whether nobody waits for it any more.
    pub async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Fn() -> bool) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        // It takes no thread, and no place, of a disk that is known to hang.
        if self.pulse.is_gone(self.patience) {
            return Err(self.silent());
        }
        let shared = self.shared.clone();
        let enter = async move {
            Ok(match shared {
                Some(shared) => Some(shared.acquire_owned().await.map_err(failure::internal)?),
                None => None,
            })
        };
        tokio::select! {
            biased;
            done = at_bench(self.places.clone(), enter, move |_shared, stop| work(stop)) => done,
            () = self.silence() => Err(self.silent()),
        }
    }

    fn silent(&self) -> Failure {
        let (folder, seconds) = (self.folder.display(), self.patience.as_secs_f64());
        Failure::Transient(reason::other(format_args!("the disk of {folder} has not answered for {seconds} seconds")))
    }

    /// Ends when the disk does not answer.
    async fn silence(&self) {
        let Looks { first: mut pause, then } = self.looks;
        loop {
            sleep(pause).await;
            pause = then;
            let (folder, look) = (self.folder.clone(), self.look);
            if !self.pulse.beats(self.patience, move || look(&folder)).await {
                return;
            }
        }
    }
}

/// What a look at a folder asks of its disk. An error is an answer: what is worked on meets it too.
fn look_only(folder: &Path) {
    let _ = statvfs(folder);
    let _ = fs::read_dir(folder).map(|mut files| files.next());
}

/// A disk that hangs may still answer from memory what it has room for.
fn look_and_write(folder: &Path) {
    look_only(folder);
    let path = folder.join(".look~");
    let _ = published::create_afresh(&path).and_then(|file| file.sync_all());
    let _ = fs::remove_file(&path);
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    /// As a disk behind a network that comes back after a while.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn who_waits_for_a_disk_that_hangs_gives_up_and_the_others_go_on() {
        static HANGS: AtomicBool = AtomicBool::new(true);
        let hang = || {
            while HANGS.load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
        };
        let mounts = Mounts::new(1);
        let mut dead = mounts.written(Path::new("/published/image-serving"));
        let soon = Duration::from_millis(5);
        (dead.patience, dead.looks) = (soon, Looks { first: soon, then: soon });
        dead.look = |_| {
            while HANGS.load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
        };
        let (tell, told) = std::sync::mpsc::channel();
        let silent = reason::other("the disk of /published/image-serving has not answered for 0.005 seconds");
        let first = dead.work(move |is_abandoned| {
            hang();
            tell.send(is_abandoned()).unwrap();
        });
        assert_eq!(first.await, Err(Failure::Transient(silent.clone())));
        assert_eq!(dead.work(|_| ()).await, Err(Failure::Transient(silent)), "its only place is taken");
        assert_eq!(mounts.read_only(Path::new("/published/rendering")).work(|_| 7).await, Ok(7));

        HANGS.store(false, Ordering::SeqCst);
        assert!(told.recv().unwrap(), "what hung does not learn that nobody waits for it");
        dead.patience = Duration::from_secs(600);
        assert_eq!(dead.work(|_| 7).await, Ok(7));
    }
}
