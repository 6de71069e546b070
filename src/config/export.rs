//! `[export]`: what exportJob may make, and how long it can be downloaded.

use std::path::PathBuf;

use serde::Deserialize;

use super::{
    read::{Check, Section},
    units::{Period, Size},
};

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct Export {
    /// None: `exports` in the data folder; see [`super::Config::export_root`].
    pub root: Option<PathBuf>,
    pub max_assets: u32,
    pub max_bytes: Size,
    pub keep: Period,
}

impl Default for Export {
    fn default() -> Self {
        Self { root: None, max_assets: 500, max_bytes: Size::gib(1), keep: Period::days(1) }
    }
}

impl Section for Export {
    const NAME: &'static str = "export";

    fn check(&self, check: &mut Check) {
        check.range("max_assets", self.max_assets, 1, 10_000);
        check.range("max_bytes", self.max_bytes, Size::mib(1), Size::gib(1024));
        check.range("keep", self.keep, Period::minutes(1), Period::days(365));
    }
}
