//! The contents of all files that assets are made of, each under the name of its own SHA-256.
//!
//! ```text
//! blobs/3f/3f79bb7b435b05321651daefd374cdc681dc06faa65e374e38337b88ca046dea
//! blobs/tmp/…            being written; nothing refers to it
//! ```
//!
//! The promise: when a write has been answered, the bytes survive a power cut, so that a database row which names them
//! may be committed. Bytes go to a temporary name in the same file system, the file is fsynced and renamed, and the
//! folder is fsynced. A crash leaves temporary files only, and [`Blobs::sweep`] removes them. The same content is kept
//! once. Blobs are never changed, so hard links to them may be handed out for reading.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use std::time::SystemTime;

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, utimensat};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

/// Content that is in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// SHA-256, 64 hexadecimal digits.
    pub id: String,
    pub bytes: u64,
}

/// What can go wrong with a blob.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    #[error("cannot read what is to be stored: {0}")]
    Source(#[source] io::Error),
    #[error("there are more than the {limit} bytes allowed")]
    TooLarge { limit: u64 },
    #[error("stopped before all of it was stored")]
    Stopped,
    #[error("the disk that holds {path} is full; free some space, nothing that was stored is lost")]
    Full { path: PathBuf },
    #[error("cannot {doing} {path}: {source}")]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    #[error("\"{0}\" is no name of a blob")]
    BadName(String),
}

impl BlobError {
    pub(crate) fn doing(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| {
            let is_full = matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
            let path = path.to_owned();
            if is_full { Self::Full { path } } else { Self::Io { doing, path, source } }
        }
    }
}

/// The store. Clones share it.
#[derive(Debug, Clone)]
pub struct Blobs {
    root: Arc<Path>,
    next_temporary: Arc<AtomicU64>,
    /// Held alone to remove a blob, and together by those who find that one is there already.
    gate: Arc<RwLock<()>>,
}

const TEMPORARY: &str = "tmp";

/// How much is copied between two looks at whether to stop.
const PIECE: usize = 1 << 18;

impl Blobs {
    /// Opens the store below `root`, and makes its folders when they are not there.
    pub fn open(root: &Path) -> Result<Self, BlobError> {
        let folders = (0..=u8::MAX).map(|first| format!("{first:02x}")).chain([TEMPORARY.to_owned()]);
        for folder in folders {
            let path = root.join(folder);
            fs::create_dir_all(&path).map_err(BlobError::doing("make the folder", &path))?;
        }
        sync_folder(root)?;
        Ok(Self { root: root.into(), next_temporary: Arc::default(), gate: Arc::default() })
    }

    /// Removes what earlier processes left half written. For the one process that writes here, before it does.
    pub fn sweep(&self) -> Result<usize, BlobError> {
        let folder = self.root.join(TEMPORARY);
        let mut removed = 0;
        for entry in fs::read_dir(&folder).map_err(BlobError::doing("list", &folder))? {
            let path = entry.map_err(BlobError::doing("list", &folder))?.path();
            fs::remove_file(&path).map_err(BlobError::doing("remove", &path))?;
            removed += 1;
        }
        Ok(removed)
    }

    /// What content is called, whether or not it is there.
    pub fn id_of(content: &[u8]) -> String {
        hex(&Sha256::digest(content))
    }

    /// What the content of a file is called, without storing it.
    pub fn digest(source: &mut impl Read, stop: &dyn Fn() -> bool) -> Result<Blob, BlobError> {
        let mut hash = Sha256::new();
        let mut bytes = 0;
        let mut piece = vec![0; PIECE];
        loop {
            if stop() {
                return Err(BlobError::Stopped);
            }
            match source.read(&mut piece) {
                Ok(0) => return Ok(Blob { id: hex(&hash.finalize()), bytes }),
                Ok(count) => {
                    bytes += count as u64;
                    hash.update(&piece[..count]);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(BlobError::Source(error)),
            }
        }
    }

    /// Where the content is, whether or not it is there.
    pub fn path(&self, id: &str) -> Result<PathBuf, BlobError> {
        let is_name = id.len() == 64 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if !is_name {
            return Err(BlobError::BadName(id.chars().take(80).collect()));
        }
        Ok(self.root.join(&id[..2]).join(id))
    }

    pub fn contains(&self, id: &str) -> bool {
        self.path(id).is_ok_and(|path| path.is_file())
    }

    pub fn read(&self, id: &str) -> Result<File, BlobError> {
        let path = self.path(id)?;
        File::open(&path).map_err(BlobError::doing("open", &path))
    }

    /// Stores all of `source`, unless it is longer than `limit` or `stop` says so in between.
    pub fn store(&self, source: &mut impl Read, limit: u64, stop: &dyn Fn() -> bool) -> Result<Blob, BlobError> {
        let mut draft = self.draft()?;
        let mut hash = Sha256::new();
        let mut bytes = 0;
        let mut piece = vec![0; PIECE];
        loop {
            if stop() {
                return Err(BlobError::Stopped);
            }
            let count = match source.read(&mut piece) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(BlobError::Source(error)),
            };
            bytes += count as u64;
            if bytes > limit {
                return Err(BlobError::TooLarge { limit });
            }
            hash.update(&piece[..count]);
            draft.file.write_all(&piece[..count]).map_err(BlobError::doing("write", &draft.path))?;
        }
        self.keep_as(draft, Blob { id: hex(&hash.finalize()), bytes })
    }

    /// A file to be written at will, and then kept with [`Blobs::keep`]. Dropped, it is gone.
    pub fn draft(&self) -> Result<Draft, BlobError> {
        let number = self.next_temporary.fetch_add(1, Ordering::Relaxed);
        let path = self.root.join(TEMPORARY).join(format!("{}-{number}", std::process::id()));
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)
            .map_err(BlobError::doing("make", &path))?;
        Ok(Draft { file, path })
    }

    pub fn keep(&self, mut draft: Draft) -> Result<Blob, BlobError> {
        let failed = |error| BlobError::doing("read back", &draft.path)(error);
        draft.file.seek(SeekFrom::Start(0)).map_err(failed)?;
        let mut hash = Sha256::new();
        let mut bytes = 0;
        let mut piece = vec![0; PIECE];
        loop {
            let count = draft.file.read(&mut piece).map_err(failed)?;
            if count == 0 {
                break;
            }
            bytes += count as u64;
            hash.update(&piece[..count]);
        }
        self.keep_as(draft, Blob { id: hex(&hash.finalize()), bytes })
    }

    fn keep_as(&self, draft: Draft, blob: Blob) -> Result<Blob, BlobError> {
        let path = self.path(&blob.id)?;
        let _found = self.gate.read().unwrap_or_else(PoisonError::into_inner);
        let is_there = fs::metadata(&path).is_ok_and(|found| found.len() == blob.bytes);
        if is_there {
            // It may be one that nothing refers to any more: as fresh as a new one it is not removed.
            touch(&path)?;
        } else {
            draft.file.sync_all().map_err(BlobError::doing("write", &draft.path))?;
            fs::rename(&draft.path, &path).map_err(BlobError::doing("rename a temporary file to", &path))?;
        }
        // Also when it was there: whoever wrote it may not have come this far yet.
        sync_folder(path.parent().unwrap_or(&self.root))?;
        Ok(blob)
    }

    /// The names of all blobs that begin with these two digits, and those of files being written, with when they last
    /// changed.
    pub fn list(&self, first: &str) -> Result<Vec<String>, BlobError> {
        let folder = self.root.join(first);
        let mut names = Vec::new();
        for entry in fs::read_dir(&folder).map_err(BlobError::doing("list", &folder))? {
            let name = entry.map_err(BlobError::doing("list", &folder))?.file_name().to_string_lossy().into_owned();
            if self.path(&name).is_ok() {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// Removes a blob that nothing refers to, unless somebody has stored the same content since `before`. Its size, if it
    /// went.
    pub fn remove(&self, id: &str, before: SystemTime) -> Result<Option<u64>, BlobError> {
        let path = self.path(id)?;
        let _alone = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        remove_old(&path, before)
    }

    /// Removes unfinished files that nobody has written to since `before`: how many, and their size.
    pub fn sweep_old(&self, before: SystemTime) -> Result<(u64, u64), BlobError> {
        let folder = self.root.join(TEMPORARY);
        let (mut files, mut bytes) = (0, 0);
        for entry in fs::read_dir(&folder).map_err(BlobError::doing("list", &folder))? {
            let path = entry.map_err(BlobError::doing("list", &folder))?.path();
            if let Some(size) = remove_old(&path, before)? {
                files += 1;
                bytes += size;
            }
        }
        Ok((files, bytes))
    }

    /// Puts the content at `target`, which must be free: as a hard link, or as a copy where there cannot be one.
    pub fn hand_out(&self, id: &str, target: &Path) -> Result<(), BlobError> {
        let path = self.path(id)?;
        match fs::hard_link(&path, target) {
            Ok(()) => Ok(()),
            Err(error) if no_link_possible(&error) => copy(&path, target),
            Err(error) => Err(BlobError::doing("link a file of the store to", target)(error)),
        }
    }
}

/// A file that is being written.
#[derive(Debug)]
pub struct Draft {
    file: File,
    path: PathBuf,
}

impl Draft {
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub const fn file(&mut self) -> &mut File {
        &mut self.file
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Once kept it is no longer there; otherwise the sweep at the next start removes what stays behind.
        let _ = fs::remove_file(&self.path);
    }
}

fn touch(path: &Path) -> Result<(), BlobError> {
    let keep = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    utimensat(CWD, path, &Timestamps { last_access: keep, last_modification: now }, AtFlags::empty())
        .map_err(|error| BlobError::doing("touch", path)(error.into()))
}

/// The size of a file that was removed, since nobody has written to it since `before`.
fn remove_old(path: &Path, before: SystemTime) -> Result<Option<u64>, BlobError> {
    let found = match fs::metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(BlobError::doing("look at", path)(error)),
    };
    if found.modified().map_err(BlobError::doing("look at", path))? >= before {
        return Ok(None);
    }
    fs::remove_file(path).map_err(BlobError::doing("remove", path))?;
    Ok(Some(found.len()))
}

/// Other file systems, too many links, or file systems without links.
fn no_link_possible(error: &io::Error) -> bool {
    let code = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(code, Some(Errno::XDEV | Errno::MLINK | Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS))
}

fn copy(path: &Path, target: &Path) -> Result<(), BlobError> {
    let copied = (|| {
        let mut out = OpenOptions::new().write(true).create_new(true).open(target)?;
        io::copy(&mut File::open(path)?, &mut out)?;
        out.sync_all()
    })();
    copied.map_err(BlobError::doing("copy a file of the store to", target))
}

/// Makes names in a folder survive a power cut.
pub fn sync_folder(path: &Path) -> Result<(), BlobError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(BlobError::doing("fsync the folder", path))
}

fn hex(hash: &[u8]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened() -> (tempfile::TempDir, Blobs) {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(&folder.path().join("blobs")).unwrap();
        (folder, blobs)
    }

    fn temporary_files(blobs: &Blobs) -> usize {
        fs::read_dir(blobs.root.join(TEMPORARY)).unwrap().count()
    }

    #[test]
    fn content_comes_back_and_is_kept_once() {
        let (_folder, blobs) = opened();
        let blob = blobs.store(&mut &b"hello"[..], 5, &|| false).unwrap();
        assert_eq!(blob.id, "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
        let mut draft = blobs.draft().unwrap();
        draft.file().write_all(b"hello").unwrap();
        assert_eq!(blobs.keep(draft).unwrap(), blob);
        assert_eq!(Blobs::digest(&mut &b"hello"[..], &|| false).unwrap(), blob);
        let mut text = String::new();
        blobs.read(&blob.id).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello");
        assert_eq!(fs::read_dir(blobs.path(&blob.id).unwrap().parent().unwrap()).unwrap().count(), 1);
        assert_eq!(temporary_files(&blobs), 0);
    }

    #[test]
    fn a_damaged_copy_is_replaced() {
        let (_folder, blobs) = opened();
        let blob = blobs.store(&mut &b"hello"[..], 5, &|| false).unwrap();
        fs::write(blobs.path(&blob.id).unwrap(), b"he").unwrap();
        blobs.store(&mut &b"hello"[..], 5, &|| false).unwrap();
        assert_eq!(fs::read(blobs.path(&blob.id).unwrap()).unwrap(), b"hello");
    }

    #[test]
    fn what_is_refused_leaves_nothing() {
        let (_folder, blobs) = opened();
        let too_large = blobs.store(&mut &b"hello!"[..], 5, &|| false);
        assert!(matches!(too_large, Err(BlobError::TooLarge { limit: 5 })), "{too_large:?}");
        assert!(matches!(blobs.store(&mut io::repeat(7), u64::MAX, &|| true), Err(BlobError::Stopped)));
        drop(blobs.draft().unwrap());
        assert_eq!(temporary_files(&blobs), 0);
        for name in ["", "..", "../../etc/passwd", &"A".repeat(64)] {
            assert!(matches!(blobs.path(name), Err(BlobError::BadName(_))), "{name}");
        }
    }

    #[test]
    fn what_is_stored_again_is_not_removed() {
        let (_folder, blobs) = opened();
        let blob = blobs.store(&mut &b"hello"[..], 5, &|| false).unwrap();
        let path = blobs.path(&blob.id).unwrap();
        let (old, since) = (SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(60));
        let age = || File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
        age();
        blobs.store(&mut &b"hello"[..], 5, &|| false).unwrap();
        assert_eq!(blobs.remove(&blob.id, since).unwrap(), None);
        age();
        assert_eq!(blobs.list(&blob.id[..2]).unwrap(), std::slice::from_ref(&blob.id));
        assert_eq!(blobs.remove(&blob.id, since).unwrap(), Some(5));
        assert_eq!(blobs.remove(&blob.id, since).unwrap(), None, "twice is no error");
        assert!(blobs.list(&blob.id[..2]).unwrap().is_empty());
    }

    #[test]
    fn leftovers_of_a_crash_are_swept() {
        let (_folder, blobs) = opened();
        fs::write(blobs.root.join(TEMPORARY).join("1-0"), b"half").unwrap();
        assert_eq!(blobs.sweep().unwrap(), 1);
        assert_eq!(temporary_files(&blobs), 0);
    }

    #[test]
    fn a_full_disk_is_called_full() {
        let error = BlobError::doing("write", Path::new("/data/blobs/tmp/1"))(io::ErrorKind::StorageFull.into());
        assert!(error.to_string().contains("the disk that holds /data/blobs/tmp/1 is full"), "{error}");
    }

    #[test]
    fn links_share_the_bytes_and_copies_cross_file_systems() {
        use std::os::unix::fs::MetadataExt;
        let (folder, blobs) = opened();
        let blob = blobs.store(&mut &b"hello"[..], 5, &|| false).unwrap();
        let target = folder.path().join("linked");
        blobs.hand_out(&blob.id, &target).unwrap();
        let inode = |path: &Path| fs::metadata(path).unwrap().ino();
        assert_eq!(inode(&target), inode(&blobs.path(&blob.id).unwrap()));
        let elsewhere = tempfile::tempdir_in("/dev/shm").unwrap();
        let copied = elsewhere.path().join("copied");
        blobs.hand_out(&blob.id, &copied).unwrap();
        assert_eq!(fs::read(&copied).unwrap(), b"hello");
    }
}
