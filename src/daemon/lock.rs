//! One daemon a data folder.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// Why the data folder is not ours.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("another daemon{} works on the data folder {}; stop it, or give this one another folder with --data", holder.map_or_else(String::new, |pid| format!(" (process {pid})")), path.display())]
    Taken { path: PathBuf, holder: Option<u32> },
    #[error("cannot lock the data folder {}: {reason}; check that it exists and may be written", path.display())]
    Failed { path: PathBuf, reason: String },
    #[error("the disk of the data folder {} is full, so that it cannot be locked; free some space, nothing was lost", path.display())]
    Full { path: PathBuf },
}

/// The lock of a data folder, held until it is dropped or the process ends, however it ends.
#[derive(Debug)]
pub struct DataLock {
    _file: File,
}

impl DataLock {
    /// Locks `data`, and writes our process number into the lock file for people.
    pub fn acquire(data: &Path) -> Result<Self, LockError> {
        let failed = |reason: String| LockError::Failed { path: data.to_owned(), reason };
        let unwritten = |error: std::io::Error| match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => LockError::Full { path: data.to_owned() },
            _ => failed(error.to_string()),
        };
        let mut file = open(data).map_err(unwritten)?;
        match lock(&file) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                return Err(LockError::Taken { path: data.to_owned(), holder: holder(&mut file) });
            }
            Err(error) => return Err(failed(error.to_string())),
        }
        let write = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", std::process::id())
        };
        write(&mut file).map_err(unwritten)?;
        Ok(Self { _file: file })
    }

    /// Whether a daemon works on `data` just now, and which.
    pub fn holder(data: &Path) -> Option<u32> {
        let mut file = OpenOptions::new().read(true).open(path(data)).ok()?;
        match flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => None,
            Err(_) => Some(holder(&mut file).unwrap_or(0)),
        }
    }
}

/// Who looks whether a daemon runs has the lock for a moment: that keeps no daemon from starting.
fn lock(file: &File) -> Result<(), Errno> {
    const LOOKS: usize = 20;
    const MOMENT: Duration = Duration::from_millis(5);
    for _ in 0..LOOKS {
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => std::thread::sleep(MOMENT),
            other => return other,
        }
    }
    flock(file, FlockOperation::NonBlockingLockExclusive)
}

/// The file that is locked.
pub fn path(data: &Path) -> PathBuf {
    data.join("lock")
}

fn open(data: &Path) -> std::io::Result<File> {
    // For everybody who comes into the folder to read: whether a daemon runs is told by this file.
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o644).open(path(data))
}

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_daemon() {
        let data = tempfile::tempdir().unwrap();
        assert_eq!(DataLock::holder(data.path()), None);
        let lock = DataLock::acquire(data.path()).unwrap();
        assert_eq!(DataLock::holder(data.path()), Some(std::process::id()));
        let error = DataLock::acquire(data.path()).unwrap_err();
        assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
        drop(lock);
        DataLock::acquire(data.path()).unwrap();
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = DataLock::acquire(Path::new("/nonexistent/folder")).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/folder"), "{error}");
    }
}
