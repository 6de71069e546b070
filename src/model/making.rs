//! What the derived files of an asset are made with, beside what the configuration says: kept with the asset, so that
//! whoever makes them again makes the same.

use serde::{Deserialize, Serialize};

use super::job::PageColorspace;

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Making {
    /// The page of the master that the asset shows, from 1, where the master has several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<u32>,
    /// What the page is drawn at, in pixels per inch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub colorspace: Option<PageColorspace>,
    /// What the page leaves free stays transparent.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub alpha: bool,
}
