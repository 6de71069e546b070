//! Where a benchmark writes.

use std::path::{Path, PathBuf};

use super::{BenchError, failed};

/// A folder that is gone when the benchmark is.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new(parent: &Path, name: &str) -> Result<Self, BenchError> {
        let folder = parent.join(format!("prepress-bench-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).map_err(failed("make a folder"))?;
        Ok(Self(folder))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(path = %self.0.display(), %error, "a benchmark's folder stays behind");
        }
    }
}
