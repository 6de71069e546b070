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
use super::{Failure, reason};
use crate::assets::patience::Watched;
use crate::assets::published;

/// How long work goes on before somebody asks whether its disk answers, and how often from then on.
const LOOKS: Looks = Looks { first: Duration::from_secs(2), then: Duration::from_secs(10) };

#[derive(Debug, Clone, Copy)]
struct Looks {
    first: Duration,
    then: Duration,
}

/// All such folders. Clones share them.
#[derive(Debug, Clone)]
pub struct Mounts {
    places: usize,
    known: Arc<Mutex<HashMap<PathBuf, Mount>>>,
}

/// One of them.
#[derive(Debug, Clone)]
pub struct Mount {
    folder: Arc<Path>,
    places: Arc<Semaphore>,
    watched: Watched,
    look: fn(&Path),
    looks: Looks,
}

impl Mounts {
    /// With so many places in each folder.
    pub fn new(places: usize) -> Self {
        Self { places, known: Arc::default() }
    }

    /// A folder that is written to.
    pub fn written(&self, folder: &Path) -> Mount {
        self.of(folder, look_and_write)
    }

    /// A folder that is read, and may belong to somebody else.
    pub fn read_only(&self, folder: &Path) -> Mount {
        self.of(folder, look_only)
    }

    fn of(&self, folder: &Path, look: fn(&Path)) -> Mount {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mount = || Mount {
            folder: folder.into(),
            places: Arc::new(Semaphore::new(self.places)),
            watched: Watched::new(format!("the disk of {}", folder.display())),
            look,
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
        let enter = std::future::ready(Ok(()));
        tokio::select! {
            biased;
            done = at_bench(self.places.clone(), enter, move |(), stop| work(stop)) => done,
            silent = self.silence() => Err(silent),
        }
    }

    /// Ends when the disk does not answer.
    async fn silence(&self) -> Failure {
        let Looks { first: mut pause, then } = self.looks;
        loop {
            sleep(pause).await;
            pause = then;
            let (folder, look) = (self.folder.clone(), self.look);
            if let Err(silent) = self.watched.look(move || Ok(look(&folder))).await {
                return Failure::Transient(reason::other(silent));
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
        (dead.watched.patience, dead.looks) = (soon, Looks { first: soon, then: soon });
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
        dead.watched.patience = Duration::from_secs(600);
        assert_eq!(dead.work(|_| 7).await, Ok(7));
    }
}
