//! Jobs that make assets, or make them again.

use serde::{Deserialize, Serialize};

use super::{ProcessingOptions, check_url, publish::check_assets};
use crate::model::invalid::Invalid;
use crate::model::name;

/// Most assets that one job reprocesses or rips.
const MOST_REPROCESSED: usize = 100_000;

/// Most addresses in one job.
const MOST_URLS: usize = 100_000;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UploadDirectoryJob {
    #[serde(default)]
    pub dest_folder: Option<String>,
    pub server_dir: String,
    #[serde(default)]
    pub include_subfolders: bool,
    #[serde(default)]
    pub process_metadata_files: bool,
    #[serde(default)]
    pub overwrite: bool,
    #[serde(flatten)]
    pub options: ProcessingOptions,
}

impl UploadDirectoryJob {
    pub(super) fn validate(&self) -> Result<(), Invalid> {
        check_server_dir("serverDir", &self.server_dir)?;
        if let Some(folder) = &self.dest_folder {
            name::clean_folder("destFolder", folder)?;
        }
        self.options.validate()
    }
}

/// A directory below the company's own one. Links are judged when the job runs; what can be seen in the text is judged here.
fn check_server_dir(field: &str, text: &str) -> Result<(), Invalid> {
    if text.contains('\0') {
        return Err(Invalid::new(field, "must not contain a NUL character"));
    }
    if text.split(['/', '\\']).any(|component| component == "..") {
        return Err(Invalid::trespass(field, "must lie inside the company's own directory: \"..\" is not allowed"));
    }
    Ok(())
}

/// One address to fetch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UploadUrl {
    pub source_url: String,
    /// Folder and name of the asset below the company root; a path that ends in a slash, or is empty, takes the name from the address.
    #[serde(default)]
    pub dest_path: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UploadUrlsJob {
    #[serde(default)]
    pub url_array: Vec<UploadUrl>,
    #[serde(default)]
    pub overwrite: bool,
    #[serde(flatten)]
    pub options: ProcessingOptions,
}

impl UploadUrlsJob {
    pub(super) fn validate(&self) -> Result<(), Invalid> {
        if self.url_array.is_empty() {
            return Err(Invalid::new("urlArray", "must hold at least one URL"));
        }
        if self.url_array.len() > MOST_URLS {
            let rule = format!("must hold at most {MOST_URLS} URLs, not {}", self.url_array.len());
            return Err(Invalid::new("urlArray", rule));
        }
        for (index, url) in self.url_array.iter().enumerate() {
            let within = |e: Invalid| e.within(&format!("urlArray/items[{}]", index + 1));
            if url.source_url.trim().is_empty() {
                return Err(within(Invalid::new("sourceUrl", "must not be empty")));
            }
            check_url("sourceUrl", Some(&url.source_url)).map_err(within)?;
            if url.dest_path.split(['/', '\\']).any(|component| component == "..") {
                let rule = "must not lead out of the company's folder: \"..\" is not allowed";
                return Err(within(Invalid::trespass("destPath", rule)));
            }
        }
        self.options.validate()
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UploadPostJob {
    #[serde(default)]
    pub overwrite: bool,
    #[serde(flatten)]
    pub options: ProcessingOptions,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReprocessAssetsJob {
    pub asset_handle_array: Vec<String>,
    #[serde(flatten)]
    pub options: ProcessingOptions,
}

impl ReprocessAssetsJob {
    pub(super) fn validate(&self) -> Result<(), Invalid> {
        check_assets("assetHandleArray", &self.asset_handle_array, MOST_REPROCESSED)?;
        self.options.validate()
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RipPdfsJob {
    pub pdf_handle_array: Vec<String>,
    #[serde(flatten)]
    pub options: ProcessingOptions,
}

impl RipPdfsJob {
    pub(super) fn validate(&self) -> Result<(), Invalid> {
        check_assets("pdfHandleArray", &self.pdf_handle_array, MOST_REPROCESSED)?;
        self.options.validate()
    }
}
