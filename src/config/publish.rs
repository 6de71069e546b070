//! `[publish]`: where published files go, and who is told.

use std::path::PathBuf;

use serde::Deserialize;

use super::{
    read::{Check, Section},
    units::{Period, WebAddress},
};

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct Publish {
    /// None: `publish` in the data folder; see [`super::Config::publish_root`].
    pub root: Option<PathBuf>,
    pub completion_timeout: Period,
    pub image_server_url: Option<WebAddress>,
    pub video_root_url: Option<WebAddress>,
}

impl Default for Publish {
    fn default() -> Self {
        Self { root: None, completion_timeout: Period::seconds(30), image_server_url: None, video_root_url: None }
    }
}

impl Section for Publish {
    const NAME: &'static str = "publish";

    fn check(&self, check: &mut Check) {
        check.range("completion_timeout", self.completion_timeout, Period::seconds(1), Period::minutes(10));
    }
}
