//! `[upload]`: files posted over HTTP.

use serde::Deserialize;

use super::{
    read::{Check, Section},
    units::{Period, Size},
};

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct Upload {
    pub max_file_bytes: Size,
    /// None: so many of the largest files; see [`Upload::max_post_bytes`].
    pub max_post_bytes: Option<Size>,
    pub max_files: u32,
    pub client_timeout: Period,
}

impl Upload {
    /// How much all files of a post may bring together.
    pub fn max_post_bytes(&self) -> u64 {
        const LARGEST_FILES: u64 = 4;
        self.max_post_bytes.map_or_else(|| self.max_file_bytes.get().saturating_mul(LARGEST_FILES), Size::get)
    }
}

impl Default for Upload {
    fn default() -> Self {
        Self {
            max_file_bytes: Size::gib(2),
            max_post_bytes: None,
            max_files: 1000,
            client_timeout: Period::minutes(30),
        }
    }
}

impl Section for Upload {
    const NAME: &'static str = "upload";

    fn check(&self, check: &mut Check) {
        check.range("max_file_bytes", self.max_file_bytes, Size::kib(1), Size::gib(1024));
        if let Some(bytes) = self.max_post_bytes {
            check.range("max_post_bytes", bytes, self.max_file_bytes, Size::gib(1024));
        }
        check.range("max_files", self.max_files, 1, 100_000);
        check.range("client_timeout", self.client_timeout, Period::minutes(1), Period::days(1));
    }
}
