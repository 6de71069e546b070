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
//! once. Blobs are never changed: their files may only be read, and nobody outside gets a link to one, for whoever edits a
//! link edits the blob. What is handed out is a file of its own ([`Blobs::hand_out`]), and who reads a blob to hand it on,
//! or to make something of it, makes sure first that it is still what came in ([`Blobs::verify`]).

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, ioctl_ficlone, utimensat};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use super::stamp::Stamp;
use crate::model::damage::Damage;

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
    #[error("\"{0}\" is not the name of a blob")]
    BadName(String),
    /// Its file is there, but holds something else than what was stored.
    #[error("the stored file {path} was changed or damaged; upload it again, or restore it from a backup")]
    Damaged { path: PathBuf },
    #[error("the stored file {path} is missing; upload it again, or restore it from a backup")]
    Missing { path: PathBuf },
}

impl BlobError {
    /// Whether it is a matter of this one file, and the store works for others.
    pub const fn is_of_file(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::Missing { .. } | Self::BadName(_))
    }

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
    /// Files whose content was found to be right, as they were then: they are not read again to find out the same.
    verified: Arc<Mutex<HashMap<String, Stamp>>>,
}

const TEMPORARY: &str = "tmp";

/// Is there once no file of the store may be written to. Stores of earlier versions have none.
const READ_ONLY: &str = ".read-only";

/// The permissions to write.
const WRITABLE: u32 = 0o222;

/// Blobs that are remembered as right; beyond them all are forgotten, which costs a reading.
const MOST_VERIFIED: usize = 1 << 14;

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
        Ok(Self::at(root))
    }

    /// Takes the right to write away from files that earlier versions stored; how many there were. Once this is done it
    /// costs nothing any more.
    pub fn make_read_only(&self) -> Result<u64, BlobError> {
        let mark = self.root.join(READ_ONLY);
        // Who only looks at a data folder makes nothing in it.
        if mark.exists() || !self.root.is_dir() {
            return Ok(0);
        }
        let mut changed = 0;
        for folder in (0..=u8::MAX).map(|first| format!("{first:02x}")) {
            for id in self.list(&folder)? {
                changed += u64::from(close(&self.path(&id)?)?);
            }
        }
        File::create(&mark).map_err(BlobError::doing("make", &mark))?;
        Ok(changed)
    }

    /// Removes what earlier processes left half written. For the one process that writes here, before it does.
    pub fn sweep(&self) -> Result<usize, BlobError> {
        let folder = self.root.join(TEMPORARY);
        let mut removed = 0;
        for entry in fs::read_dir(&folder).map_err(BlobError::doing("list", &folder))? {
            let path = entry.map_err(BlobError::doing("list", &folder))?.path();
            if is_nobodys(&path)? {
                tracing::warn!(path = %path.display(), "no file of ours lies where unfinished files do; it is left alone");
                continue;
            }
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
        measure(source, stop).map_err(BlobError::Source)?.ok_or(BlobError::Stopped)
    }

    /// Where the content is, whether or not it is there.
    pub fn path(&self, id: &str) -> Result<PathBuf, BlobError> {
        let is_name = id.len() == 64 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if !is_name {
            return Err(BlobError::BadName(id.chars().take(80).collect()));
        }
        Ok(self.root.join(&id[..2]).join(id))
    }

    /// The store below `root` as it is: nothing is made, whether or not there is one.
    pub fn at(root: &Path) -> Self {
        Self { root: root.into(), next_temporary: Arc::default(), gate: Arc::default(), verified: Arc::default() }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What is wrong with a blob that should be `bytes` long, if that is known; with `thoroughly` all of it is read and its
    /// hash compared. None: it is sound. For who reports on all files: what cannot be opened is one more of them, and nothing that
    /// was known before counts. Who goes on with the content asks [`Blobs::verify`].
    pub fn inspect(
        &self,
        id: &str,
        bytes: Option<u64>,
        thoroughly: bool,
        stop: &dyn Fn() -> bool,
    ) -> Result<Option<Damage>, BlobError> {
        inspect_file(&self.path(id)?, bytes, thoroughly.then_some(id), stop)
    }

    pub fn contains(&self, id: &str) -> bool {
        self.path(id).is_ok_and(|path| path.is_file())
    }

    pub fn read(&self, id: &str) -> Result<File, BlobError> {
        let path = self.path(id)?;
        File::open(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => BlobError::Missing { path },
            _ => BlobError::doing("open", &path)(error),
        })
    }

    /// Makes sure that the content is what was stored. Its file is read, unless it was found right before and nobody has
    /// touched it since.
    pub fn verify(&self, id: &str, stop: &dyn Fn() -> bool) -> Result<(), BlobError> {
        let (path, mut file) = (self.path(id)?, self.read(id)?);
        let before = stamp_of(&file, &path)?;
        if self.is_verified(id, before) {
            return Ok(());
        }
        let hash = hash(&mut file, stop, &path).map_err(unreadable(&path))?;
        // Who writes to it meanwhile may have changed what was read already.
        if hash != id || stamp_of(&file, &path)? != before {
            return Err(BlobError::Damaged { path });
        }
        self.remember(id, before);
        Ok(())
    }

    fn is_verified(&self, id: &str, stamp: Stamp) -> bool {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner).get(id) == Some(&stamp)
    }

    fn remember(&self, id: &str, stamp: Stamp) {
        let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        if verified.len() >= MOST_VERIFIED {
            verified.clear();
        }
        verified.insert(id.to_owned(), stamp);
    }

    /// All of a blob that is small enough for memory, if it is what was stored.
    pub fn content(&self, id: &str, limit: u64) -> Result<Vec<u8>, BlobError> {
        let (path, file, mut bytes) = (self.path(id)?, self.read(id)?, Vec::new());
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(BlobError::doing("read", &path))?;
        if bytes.len() as u64 > limit {
            Err(BlobError::TooLarge { limit })
        } else if Self::id_of(&bytes) != id {
            Err(BlobError::Damaged { path })
        } else {
            Ok(bytes)
        }
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
        draft.file.seek(SeekFrom::Start(0)).map_err(BlobError::doing("read back", &draft.path))?;
        let id = hash(&mut draft.file, &|| false, &draft.path)?;
        let bytes = draft.file.metadata().map_err(BlobError::doing("read back", &draft.path))?.len();
        self.keep_as(draft, Blob { id, bytes })
    }

    fn keep_as(&self, draft: Draft, blob: Blob) -> Result<Blob, BlobError> {
        let path = self.path(&blob.id)?;
        // What is there under the name may have been damaged since: then the new file takes its place.
        let is_sound = match self.verify(&blob.id, &|| false) {
            Ok(()) => true,
            Err(error @ BlobError::Damaged { .. }) => {
                tracing::warn!(%error, "the same content came in again, and takes its place");
                false
            }
            Err(error) if error.is_of_file() => false,
            Err(error) => return Err(error),
        };
        let _found = self.gate.read().unwrap_or_else(PoisonError::into_inner);
        let is_there = is_sound && Stamp::at(&path).is_ok_and(|found| self.is_verified(&blob.id, found));
        // It may be one that nothing refers to any more: as fresh as a new one it is not removed.
        if is_there && touch(&path)? {
            self.remember(&blob.id, Stamp::at(&path).map_err(BlobError::doing("look at", &path))?);
        } else {
            close_file(&draft.file, &draft.path)?;
            draft.file.sync_all().map_err(BlobError::doing("write", &draft.path))?;
            self.move_to(&draft.path, &path).map_err(BlobError::doing("rename a temporary file to", &path))?;
        }
        // Also when it was there: whoever wrote it may not have come this far yet.
        sync_folder(path.parent().unwrap_or(&self.root))?;
        Ok(blob)
    }

    /// The folder of its two digits was made when the store was opened, but a restored copy without empty folders may lack it.
    fn move_to(&self, draft: &Path, path: &Path) -> io::Result<()> {
        match fs::rename(draft, path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                match fs::create_dir(path.parent().unwrap_or(&self.root)) {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                    _ => {}
                }
                sync_folder(&self.root).map_err(io::Error::other)?;
                fs::rename(draft, path)
            }
            done => done,
        }
    }

    /// The names of all blobs that begin with these two digits.
    pub fn list(&self, first: &str) -> Result<Vec<String>, BlobError> {
        let folder = self.root.join(first);
        let mut names = Vec::new();
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(names),
            Err(error) => return Err(BlobError::doing("list", &folder)(error)),
        };
        for entry in entries {
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

    /// Puts the content at `target`, which must be free, as a file that shares nothing with the store: where the file system
    /// can, it shares the room until one of them is changed. It is on the disk, and it is what was stored, when this is
    /// answered; otherwise there is nothing at `target`.
    pub fn hand_out(&self, id: &str, target: &Path, stop: &dyn Fn() -> bool) -> Result<(), BlobError> {
        let (path, mut source) = (self.path(id)?, self.read(id)?);
        let mut out = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(target)
            .map_err(BlobError::doing("make", target))?;
        let copied = self.copy_verified(id, (&mut source, &path), (&mut out, target), stop);
        if copied.is_err() {
            // The reason is what counts; what stays is removed by whoever needs the name.
            let _ = fs::remove_file(target);
        }
        copied
    }

    fn copy_verified(
        &self,
        id: &str,
        (source, path): (&mut File, &Path),
        (out, target): (&mut File, &Path),
        stop: &dyn Fn() -> bool,
    ) -> Result<(), BlobError> {
        let before = stamp_of(source, path)?;
        let is_right = if ioctl_ficlone(&*out, &*source).is_ok() {
            let is_known = self.is_verified(id, before) && stamp_of(source, path)? == before;
            is_known || hash(out, stop, target).map_err(unreadable(target))? == id
        } else {
            copy(source, path, out, target, stop).map_err(unreadable(path))? == id
        };
        if !is_right {
            return Err(BlobError::Damaged { path: path.to_owned() });
        }
        // Who mirrors a tree goes by sizes and times: the same content keeps its time.
        keep_time(source, out).map_err(BlobError::doing("set the time of", target))?;
        out.sync_all().map_err(BlobError::doing("write", target))
    }
}

/// Gives a file the time at which another was last written to.
pub fn keep_time(from: &File, to: &File) -> io::Result<()> {
    to.set_modified(from.metadata()?.modified()?)
}

/// SHA-256 of what is still to be read of a file.
pub fn hash(file: &mut File, stop: &dyn Fn() -> bool, path: &Path) -> Result<String, BlobError> {
    hash_of(file, stop).map_err(BlobError::doing("read", path))?.ok_or(BlobError::Stopped)
}

/// Copies what is still to be read of a file, and gives its SHA-256.
fn copy(
    source: &mut File,
    path: &Path,
    out: &mut File,
    target: &Path,
    stop: &dyn Fn() -> bool,
) -> Result<String, BlobError> {
    let mut digest = Sha256::new();
    read_pieces(source, path, stop, |piece| {
        digest.update(piece);
        out.write_all(piece).map_err(BlobError::doing("write", target))
    })?;
    Ok(hex(&digest.finalize()))
}

fn read_pieces(
    file: &mut File,
    path: &Path,
    stop: &dyn Fn() -> bool,
    mut take: impl FnMut(&[u8]) -> Result<(), BlobError>,
) -> Result<(), BlobError> {
    let mut piece = vec![0; PIECE];
    loop {
        if stop() {
            return Err(BlobError::Stopped);
        }
        match file.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(count) => take(&piece[..count])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(BlobError::doing("read", path)(error)),
        }
    }
}

/// A stored file that the disk does not give back any more is a damaged one.
fn unreadable(file: &Path) -> impl Fn(BlobError) -> BlobError {
    move |error| match error {
        BlobError::Io { path, source, .. } if path == file => {
            tracing::error!(path = %path.display(), error = %source, "a stored file cannot be read");
            BlobError::Damaged { path }
        }
        error => error,
    }
}

fn stamp_of(file: &File, path: &Path) -> Result<Stamp, BlobError> {
    file.metadata().map(|found| Stamp::of(&found)).map_err(BlobError::doing("look at", path))
}

/// Takes the right to write to a file away, from its owner too. False if nobody had it.
fn close(path: &Path) -> Result<bool, BlobError> {
    let failed = || BlobError::doing("take the right to write away from", path);
    let mut rights = fs::metadata(path).map_err(failed())?.permissions();
    if rights.mode() & WRITABLE == 0 {
        return Ok(false);
    }
    rights.set_mode(rights.mode() & !WRITABLE);
    fs::set_permissions(path, rights).map_err(failed())?;
    Ok(true)
}

fn close_file(file: &File, path: &Path) -> Result<(), BlobError> {
    let failed = || BlobError::doing("take the right to write away from", path);
    let mut rights = file.metadata().map_err(failed())?.permissions();
    rights.set_mode(rights.mode() & !WRITABLE);
    file.set_permissions(rights).map_err(failed())
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

    /// A descriptor of it for somebody who is to write it, and to read nothing.
    pub fn writer(&self) -> Result<File, BlobError> {
        OpenOptions::new().write(true).open(&self.path).map_err(BlobError::doing("open", &self.path))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Once kept it is no longer there; otherwise the sweep at the next start removes what stays behind.
        let _ = fs::remove_file(&self.path);
    }
}

/// What is wrong with a file that should have this size and this SHA-256, as far as they are given; None: it is sound.
pub fn inspect_file(
    path: &Path,
    bytes: Option<u64>,
    sha256: Option<&str>,
    stop: &dyn Fn() -> bool,
) -> Result<Option<Damage>, BlobError> {
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Damage::Gone,
        _ => Damage::Unreadable { reason: error.to_string() },
    };
    let found = match fs::metadata(path) {
        Ok(found) if found.is_file() => found.len(),
        // What stands in its place is not the file.
        Ok(_) => return Ok(Some(Damage::Gone)),
        Err(error) => return Ok(Some(unreadable(error))),
    };
    if let Some(expected) = bytes.filter(|expected| *expected != found) {
        return Ok(Some(Damage::Size { expected, found }));
    }
    let Some(sha256) = sha256 else { return Ok(None) };
    match File::open(path).and_then(|file| hash_of(file, stop)) {
        Ok(None) => Err(BlobError::Stopped),
        Ok(Some(hash)) => Ok((hash != sha256).then_some(Damage::Changed)),
        Err(error) => Ok(Some(unreadable(error))),
    }
}

/// What a file anywhere would be called in the store.
pub fn content_of(path: &Path) -> io::Result<String> {
    Ok(hash_of(File::open(path)?, &|| false)?.unwrap_or_default())
}

/// The SHA-256 of all that is read, unless `stop` says so in between.
pub(super) fn hash_of(mut source: impl Read, stop: &dyn Fn() -> bool) -> io::Result<Option<String>> {
    Ok(measure(&mut source, stop)?.map(|blob| blob.id))
}

/// What all that is read would be in the store, unless `stop` says so in between.
fn measure(source: &mut impl Read, stop: &dyn Fn() -> bool) -> io::Result<Option<Blob>> {
    let (mut hash, mut bytes) = (Sha256::new(), 0);
    let mut piece = vec![0; PIECE];
    while !stop() {
        match source.read(&mut piece) {
            Ok(0) => return Ok(Some(Blob { id: hex(&hash.finalize()), bytes })),
            Ok(count) => {
                bytes += count as u64;
                hash.update(&piece[..count]);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Makes a file as fresh as a new one. False if it is somebody else's, as may come from a backup: only who owns a file sets its
/// time.
fn touch(path: &Path) -> Result<bool, BlobError> {
    let keep = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    match utimensat(CWD, path, &Timestamps { last_access: keep, last_modification: now }, AtFlags::empty()) {
        Ok(()) => Ok(true),
        Err(Errno::PERM | Errno::ACCESS) => Ok(false),
        Err(error) => Err(BlobError::doing("touch", path)(error.into())),
    }
}

/// Whether it is no file, as the `lost+found` of a disk of its own, or what somebody mounted there.
fn is_nobodys(path: &Path) -> Result<bool, BlobError> {
    match fs::symlink_metadata(path) {
        Ok(found) => Ok(!found.is_file()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(BlobError::doing("look at", path)(error)),
    }
}

/// The size of a file that was removed, since nobody has written to it since `before`.
fn remove_old(path: &Path, before: SystemTime) -> Result<Option<u64>, BlobError> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(BlobError::doing("look at", path)(error)),
    };
    // What is no file was told at the start.
    if !found.is_file() || found.modified().map_err(BlobError::doing("look at", path))? >= before {
        return Ok(None);
    }
    fs::remove_file(path).map_err(BlobError::doing("remove", path))?;
    Ok(Some(found.len()))
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
    use crate::assets::nobody::as_nobody;

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

    /// As after a restoration by a program that leaves empty folders out.
    #[test]
    fn a_folder_that_is_missing_is_made_again() {
        let (_folder, blobs) = opened();
        fs::remove_dir(blobs.root.join("2c")).unwrap();
        let blob = blobs.store(&mut &b"hello"[..], 5, &|| false).unwrap();
        assert!(blobs.path(&blob.id).unwrap().starts_with(blobs.root.join("2c")));
        assert!(blobs.verify(&blob.id, &|| false).is_ok());
        // A store that is not there at all is none.
        fs::rename(&blobs.root, blobs.root.with_extension("away")).unwrap();
        assert!(blobs.store(&mut &b"hello"[..], 5, &|| false).is_err());
    }

    #[test]
    fn a_damaged_copy_is_replaced() {
        let (_folder, blobs) = opened();
        let blob = blobs.store(&mut &b"hello"[..], 5, &|| false).unwrap();
        for damaged in [&b"he"[..], b"hullo"] {
            damage(&blobs, &blob.id, damaged);
            assert_ne!(blobs.inspect(&blob.id, Some(5), true, &|| false).unwrap(), None);
            blobs.store(&mut &b"hello"[..], 5, &|| false).unwrap();
            assert_eq!(fs::read(blobs.path(&blob.id).unwrap()).unwrap(), b"hello");
        }
        assert_eq!(blobs.inspect(&blob.id, Some(5), true, &|| false).unwrap(), None);
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
    fn what_is_somebody_elses_is_stored_again() {
        use std::os::unix::fs::MetadataExt;
        let (folder, blobs) = opened();
        let blob = blobs.store(&mut &b"hello"[..], 5, &|| false).unwrap();
        let path = blobs.path(&blob.id).unwrap();
        // Two daemons of two users, one after the other; the first had all the rights.
        as_nobody(folder.path(), || {
            let blobs = Blobs::open(&folder.path().join("blobs")).unwrap();
            assert_eq!(blobs.store(&mut &b"hello"[..], 5, &|| false).unwrap(), blob);
            assert_ne!(fs::metadata(&path).unwrap().uid(), 0, "as fresh as a new one");
        });
        assert_eq!(blobs.inspect(&blob.id, Some(5), true, &|| false).unwrap(), None);
        assert_eq!(temporary_files(&blobs), 0);
    }

    #[test]
    fn what_is_stored_again_is_not_removed() {
        let (_folder, blobs) = opened();
        let blob = blobs.store(&mut &b"hello"[..], 5, &|| false).unwrap();
        let path = blobs.path(&blob.id).unwrap();
        let (old, since) = (SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(60));
        let age = || File::open(&path).unwrap().set_modified(old).unwrap();
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
    fn what_is_handed_out_shares_nothing_with_the_store() {
        use std::os::unix::fs::MetadataExt;
        let (folder, blobs) = opened();
        let blob = blobs.store(&mut &b"hello"[..], 5, &|| false).unwrap();
        let (on_disk, in_memory) = super::super::two_disks::folders();
        for target in [&folder, &on_disk, &in_memory].map(|folder| folder.path().join("out")) {
            blobs.hand_out(&blob.id, &target, &|| false).unwrap();
            let (kept, out) = (fs::metadata(blobs.path(&blob.id).unwrap()).unwrap(), fs::metadata(&target).unwrap());
            assert_eq!((kept.nlink(), out.nlink()), (1, 1));
            assert_eq!(kept.modified().unwrap(), out.modified().unwrap());
            fs::write(&target, b"HELLO").unwrap();
            blobs.verify(&blob.id, &|| false).unwrap();
            assert_eq!(blobs.content(&blob.id, 5).unwrap(), b"hello");
        }
    }

    /// Writes to a blob as one who may do anything would.
    fn damage(blobs: &Blobs, id: &str, content: &[u8]) {
        let path = blobs.path(id).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        fs::write(&path, content).unwrap();
        // The clock of the file system is coarser than this test.
        File::open(&path).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    }

    #[test]
    fn what_was_changed_or_cut_is_not_handed_out() {
        let (folder, blobs) = opened();
        let blob = blobs.store(&mut &b"hello"[..], 5, &|| false).unwrap();
        let is_damaged = |result: Result<(), BlobError>| matches!(result, Err(BlobError::Damaged { .. }));
        blobs.verify(&blob.id, &|| false).unwrap();
        for content in [&b"hallo"[..], b"he", b"", b"hello!"] {
            damage(&blobs, &blob.id, content);
            let target = folder.path().join("out");
            assert!(is_damaged(blobs.verify(&blob.id, &|| false)), "{content:?}");
            assert!(is_damaged(blobs.hand_out(&blob.id, &target, &|| false)), "{content:?}");
            assert!(!target.exists());
            assert!(blobs.content(&blob.id, 9).is_err());
            // The same content stored again is a sound file again.
            blobs.store(&mut &b"hello"[..], 5, &|| false).unwrap();
            blobs.hand_out(&blob.id, &target, &|| false).unwrap();
            assert_eq!(fs::read(&target).unwrap(), b"hello");
            fs::remove_file(&target).unwrap();
        }
        fs::remove_file(blobs.path(&blob.id).unwrap()).unwrap();
        assert!(matches!(blobs.verify(&blob.id, &|| false), Err(BlobError::Missing { .. })));
        assert!(matches!(blobs.content(&blob.id, 9), Err(BlobError::Missing { .. })));
    }

    #[test]
    fn files_of_the_store_may_only_be_read() {
        let (_folder, blobs) = opened();
        let mode = |id: &str| fs::metadata(blobs.path(id).unwrap()).unwrap().permissions().mode();
        let blob = blobs.store(&mut &b"hello"[..], 5, &|| false).unwrap();
        assert_eq!(mode(&blob.id) & WRITABLE, 0);
        assert_ne!(mode(&blob.id) & 0o400, 0);
        // As an earlier version left it.
        fs::set_permissions(blobs.path(&blob.id).unwrap(), fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(blobs.make_read_only().unwrap(), 1);
        assert_eq!(mode(&blob.id) & 0o777, 0o440);
        assert_eq!(blobs.make_read_only().unwrap(), 0);
        blobs.store(&mut &b"hello"[..], 5, &|| false).unwrap();
        assert_eq!(blobs.remove(&blob.id, SystemTime::UNIX_EPOCH).unwrap(), None, "it is fresh");
    }
}
