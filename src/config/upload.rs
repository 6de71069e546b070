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
    pub max_files: u32,
    pub client_timeout: Period,
}

impl Default for Upload {
    fn default() -> Self {
        Self { max_file_bytes: Size::gib(2), max_files: 1000, client_timeout: Period::minutes(30) }
    }
}

impl Section for Upload {
    const NAME: &'static str = "upload";

    fn check(&self, check: &mut Check) {
        check.range("max_file_bytes", self.max_file_bytes, Size::kib(1), Size::gib(1024));
        check.range("max_files", self.max_files, 1, 100_000);
        check.range("client_timeout", self.client_timeout, Period::minutes(1), Period::days(1));
    }
}
