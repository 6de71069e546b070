//! A look at the disks that are written to, which a disk that hangs does not hold up.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

use crate::assets::room::{self, Disk, Written};

/// Who asks has an answer after this long: a disk behind a network that is gone never gives one.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub struct Disks {
    written: Vec<Written>,
    see: fn(&[Written]) -> io::Result<Vec<Disk>>,
    /// One look at a time: however often it is asked, no more than one thread hangs.
    turn: Arc<Semaphore>,
    patience: Duration,
}

impl Disks {
    pub fn of(written: Vec<Written>) -> Self {
        Self::seen_by(written, room::disks)
    }

    fn seen_by(written: Vec<Written>, see: fn(&[Written]) -> io::Result<Vec<Disk>>) -> Self {
        Self { written, see, turn: Arc::new(Semaphore::new(1)), patience: PATIENCE }
    }

    pub async fn look(&self) -> io::Result<Vec<Disk>> {
        let seconds = self.patience.as_secs_f64();
        let silent = || format!("a disk that is written to has not answered for {seconds} seconds");
        let looked = timeout(self.patience, self.wait()).await;
        looked.unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, silent())))
    }

    /// Whether all have room, in words for supervision.
    pub async fn have_room(&self) -> io::Result<Result<(), String>> {
        let disks = self.look().await?;
        Ok(disks.iter().find_map(Disk::shortage).map_or(Ok(()), Err))
    }

    /// On a thread of its own, for which the end of the daemon does not wait.
    async fn wait(&self) -> io::Result<Vec<Disk>> {
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
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use super::*;
    use crate::assets::room::Use;

    static LOOKS: AtomicUsize = AtomicUsize::new(0);
    static HANGS: AtomicBool = AtomicBool::new(true);

    /// As a disk behind a network that comes back after a while.
    #[tokio::test]
    async fn a_disk_that_hangs_is_told_of_and_hangs_one_thread() {
        let mut disks = Disks::seen_by(Vec::new(), |_| {
            LOOKS.fetch_add(1, Ordering::SeqCst);
            while HANGS.load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
            Ok(Vec::new())
        });
        disks.patience = Duration::from_millis(20);
        for _ in 0..3 {
            let said = disks.look().await.unwrap_err().to_string();
            assert_eq!(said, "a disk that is written to has not answered for 0.02 seconds");
        }
        assert_eq!(LOOKS.load(Ordering::SeqCst), 1);
        HANGS.store(false, Ordering::SeqCst);
        disks.patience = Duration::from_secs(600);
        assert_eq!(disks.look().await.unwrap(), []);
        assert_eq!(LOOKS.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn what_is_wrong_with_a_disk_is_said() {
        fn with(free: u64, files: Option<u64>) -> Vec<Disk> {
            vec![Disk { uses: vec![Use::Database, Use::Publish], mount: PathBuf::from("/"), free, files }]
        }
        let full = Disks::seen_by(Vec::new(), |_| Ok(with(room::NEEDED - 1, None))).have_room().await.unwrap();
        assert_eq!(full.unwrap_err(), "only 63 MiB are free on the disk of the database, published files");
        let files = Disks::seen_by(Vec::new(), |_| Ok(with(u64::MAX, Some(7)))).have_room().await.unwrap();
        assert_eq!(files.unwrap_err(), "hardly any more files fit on the disk of the database, published files");
        assert_eq!(Disks::seen_by(Vec::new(), |_| Ok(with(room::NEEDED, None))).have_room().await.unwrap(), Ok(()));
    }
}
