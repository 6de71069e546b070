//! A folder for one child, gone afterwards.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::ChildError;

/// Files that a child may have in its folder. Pages, of which it draws some at a time, come to three each.
const MOST_FILES: usize = 1000;

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

    /// Holds a child to [`MOST_FILES`], which no limit of the kernel's does. It makes no folders, so that all it has made lies
    /// side by side. What has no name is bounded by how many files it may hold open.
    pub(super) fn check(&self, tool: &'static str) -> Result<(), ChildError> {
        let entries = fs::read_dir(&self.path).map_err(ChildError::doing(format!("look at the files of {tool}")))?;
        let is_crowded = entries.take(MOST_FILES + 1).count() > MOST_FILES;
        if is_crowded { Err(ChildError::TooManyFiles { tool, limit: MOST_FILES }) } else { Ok(()) }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "a temporary folder stays until the next start");
        }
    }
}
