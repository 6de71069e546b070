//! The bounds within which hostile bytes are looked at.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::error::{MediaError, PixelLimit};

/// What one picture may cost. Checked against the header, before any pixel is decoded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    pub max_pixels: u64,
    pub max_side: u32,
    pub max_source_bytes: u64,
    /// Bytes of memory for the decoded pixels and the decoder's working copies of them.
    pub max_memory: u64,
    /// The folder for files that hold what does not fit into memory; they have no name and vanish with their use.
    #[serde(skip, default = "here")]
    pub scratch: PathBuf,
}

/// A child works in a private folder.
fn here() -> PathBuf {
    ".".into()
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_pixels: 500_000_000,
            max_side: 65_535,
            max_source_bytes: 4 << 30,
            max_memory: 2 << 30,
            scratch: std::env::temp_dir(),
        }
    }
}

impl Limits {
    pub(crate) fn check_size(&self, width: u64, height: u64) -> Result<(), MediaError> {
        let too_large = |limit| Err(MediaError::TooLarge { width, height, limit });
        if width.saturating_mul(height) > self.max_pixels {
            return too_large(PixelLimit::Pixels(self.max_pixels));
        }
        if width.max(height) > u64::from(self.max_side) {
            return too_large(PixelLimit::Side(self.max_side));
        }
        Ok(())
    }

    pub(crate) fn check_memory(&self, needed: u64) -> Result<(), MediaError> {
        if needed > self.max_memory {
            return Err(MediaError::TooMuchMemory { needed, limit: self.max_memory });
        }
        Ok(())
    }

    pub(crate) fn check_source(&self, bytes: u64) -> Result<(), MediaError> {
        match bytes {
            0 => Err(MediaError::Empty),
            bytes if bytes > self.max_source_bytes => {
                Err(MediaError::SourceTooLarge { bytes, limit: self.max_source_bytes })
            }
            _ => Ok(()),
        }
    }
}
