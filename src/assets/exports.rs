//! The files of exports: what goes into an archive while it is made, and the archive while it can be downloaded.
//!
//! ```text
//! exports/54091/parts/732             an asset's original or conversion, complete
//! exports/54091/<token>.zip           the archive
//! exports/54091/…~                    being written
//! ```
//!
//! Everything is written under a name with a tilde, fsynced and renamed, so that what is there under its own name is
//! whole. A folder belongs to one run.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::blobs::{BlobError, Blobs, hash_of, sync_folder};
use crate::model::id::{AssetId, InstanceId};

/// The files of one run.
#[derive(Debug, Clone)]
pub struct ExportFiles {
    folder: PathBuf,
}

impl ExportFiles {
    /// Makes the folder of a run below `root`, if it is not there.
    pub fn open(root: &Path, run: InstanceId) -> Result<Self, BlobError> {
        let folder = root.join(run.to_string());
        let parts = folder.join("parts");
        // The name of an archive is the key to it: others are not to list it.
        let made = DirBuilder::new().recursive(true).mode(0o750).create(&parts);
        made.map_err(BlobError::doing("make the folder", &parts))?;
        sync_folder(&folder)?;
        sync_folder(root)?;
        Ok(Self { folder })
    }

    pub fn part(&self, asset: AssetId) -> PathBuf {
        self.folder.join("parts").join(asset.to_string())
    }

    /// Keeps what somebody makes of an asset, who writes it into an empty file.
    pub fn keep_part<T, E: From<BlobError>>(
        &self,
        asset: AssetId,
        write: impl FnOnce(&mut File) -> Result<T, E>,
    ) -> Result<T, E> {
        whole(&self.part(asset), write)
    }

    /// Keeps an asset's original, even if the asset gets another one meanwhile.
    pub fn keep_original(
        &self,
        asset: AssetId,
        blobs: &Blobs,
        blob: &str,
        stop: &dyn Fn() -> bool,
    ) -> Result<(), BlobError> {
        let (path, draft) = (self.part(asset), beside(&self.part(asset)));
        remove_file(&draft)?;
        blobs.hand_out(blob, &draft, stop)?;
        fs::rename(&draft, &path).map_err(BlobError::doing("rename a temporary file to", &path))?;
        sync_folder(path.parent().unwrap_or(&self.folder))
    }

    /// Writes the archive, and gives its size and its SHA-256.
    pub fn keep_archive(
        &self,
        token: &str,
        write: impl FnOnce(&mut File) -> Result<(), BlobError>,
        stop: &dyn Fn() -> bool,
    ) -> Result<(u64, String), BlobError> {
        let path = archive(&self.folder, token);
        whole(&path, write)?;
        // Parts of it were written more than once, so that it is read for its hash.
        let read = File::open(&path).and_then(|file| Ok((file.metadata()?.len(), hash_of(file, stop)?)));
        let (bytes, hash) = read.map_err(BlobError::doing("read back", &path))?;
        Ok((bytes, hash.ok_or(BlobError::Stopped)?))
    }

    /// Removes what the archive was made from.
    pub fn drop_parts(&self) -> Result<(), BlobError> {
        remove_folder(&self.folder.join("parts"))
    }
}

/// Where the archive of a run is.
pub fn archive_path(root: &Path, run: InstanceId, token: &str) -> PathBuf {
    archive(&root.join(run.to_string()), token)
}

/// The runs that have files below `root`.
pub fn runs(root: &Path) -> Result<Vec<InstanceId>, BlobError> {
    let entries = match fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(BlobError::doing("list", root)(error)),
    };
    let number = |entry: fs::DirEntry| entry.file_name().to_str()?.parse().ok().map(InstanceId);
    Ok(entries.filter_map(Result::ok).filter_map(number).collect())
}

/// The highest number of a run beyond `known` that has files of ours below `root`.
pub fn newest_run(root: &Path, known: i64) -> io::Result<Option<i64>> {
    let entries = match fs::read_dir(root) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        entries => entries?,
    };
    let mut newest = None;
    for entry in entries {
        let entry = entry?;
        let number = entry.file_name().to_str().and_then(|name| name.parse::<i64>().ok());
        let Some(number) = number.filter(|number| *number > newest.unwrap_or(known)) else { continue };
        // Somebody may keep a folder of that name here.
        let is_ours = |name: &str| name == "parts" || name.ends_with(".zip");
        let has_ours = fs::read_dir(entry.path())
            .is_ok_and(|files| files.filter_map(Result::ok).any(|file| file.file_name().to_str().is_some_and(is_ours)));
        if has_ours {
            newest = Some(number);
        }
    }
    Ok(newest)
}

/// Removes all files of a run.
pub fn remove(root: &Path, run: InstanceId) -> Result<(), BlobError> {
    remove_folder(&root.join(run.to_string()))
}

fn archive(folder: &Path, token: &str) -> PathBuf {
    folder.join(format!("{token}.zip"))
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push("~");
    path.with_file_name(name)
}

fn whole<T, E: From<BlobError>>(path: &Path, write: impl FnOnce(&mut File) -> Result<T, E>) -> Result<T, E> {
    let draft = beside(path);
    let mut file = File::create(&draft).map_err(BlobError::doing("make", &draft))?;
    let written = write(&mut file)?;
    file.sync_all().map_err(BlobError::doing("write", &draft))?;
    fs::rename(&draft, path).map_err(BlobError::doing("rename a temporary file to", path))?;
    sync_folder(path.parent().unwrap_or(path))?;
    Ok(written)
}

fn remove_file(path: &Path) -> Result<(), BlobError> {
    gone(fs::remove_file(path), path)
}

fn remove_folder(path: &Path) -> Result<(), BlobError> {
    gone(fs::remove_dir_all(path), path)
}

fn gone(removed: io::Result<()>, path: &Path) -> Result<(), BlobError> {
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(BlobError::doing("remove", path)(error)),
        _ => Ok(()),
    }
}
