//! A folder for one child, gone afterwards.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::ChildError;

/// A private folder. Dropped, it is gone with all that is in it.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
}

static NEXT: AtomicU64 = AtomicU64::new(0);

impl Folder {
    pub(super) fn new(parent: &Path) -> Result<Self, ChildError> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = parent.join(format!("{}-{number}", std::process::id()));
        let failed = |error| ChildError::doing(format!("make the folder {}", path.display()))(error);
        fs::create_dir_all(parent).map_err(failed)?;
        // The rules of the sandbox are about real paths.
        let path = fs::canonicalize(parent).map_err(failed)?.join(path.file_name().unwrap_or_default());
        DirBuilder::new().mode(0o700).create(&path).map_err(failed)?;
        Ok(Self { path })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "a temporary folder stays until the next start");
        }
    }
}
