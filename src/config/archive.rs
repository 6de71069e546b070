//! `[archive]`: archives that upload jobs unpack (unCompressOptions).

use serde::Deserialize;

use super::{
    read::{Check, Section},
    units::Size,
};

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct Archive {
    pub max_files: u32,
    pub max_bytes: Size,
    pub max_depth: u32,
    pub max_ratio: u32,
}

impl Default for Archive {
    fn default() -> Self {
        Self { max_files: 10_000, max_bytes: Size::gib(8), max_depth: 16, max_ratio: 200 }
    }
}

impl Section for Archive {
    const NAME: &'static str = "archive";

    fn check(&self, check: &mut Check) {
        check.range("max_files", self.max_files, 1, 100_000);
        check.range("max_bytes", self.max_bytes, Size::kib(1), Size::gib(1024));
        check.range("max_depth", self.max_depth, 0, 32);
        check.range("max_ratio", self.max_ratio, 1, 2000);
    }
}
