//! Publish jobs, and the small ones that have no options to speak of.

use serde::{Deserialize, Serialize};

use super::{AutoSetCreationOptions, check_url};
use crate::model::constants;
use crate::model::email_setting::EmailSetting;
use crate::model::handle;
use crate::model::invalid::Invalid;
use crate::model::name;

constants! {
    /// PublishTypes constants.
    pub enum PublishType("publish type") {
        /// Everything that is marked, anew.
        Full,
        /// The same, and the words of eCatalogs for search.
        FullWithSearch,
        /// What changed since the last publish.
        Incremental,
    }
}

impl PublishType {
    /// jobSubType of the log, which has spellings of its own.
    pub const fn job_sub_type(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::FullWithSearch => "fullwithsearch",
            Self::Incremental => "increment",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageServingPublishJob {
    pub publish_type: PublishType,
    #[serde(default)]
    pub email_setting: EmailSetting,
    #[serde(default)]
    pub http_completion_url: Option<String>,
    #[serde(default)]
    pub context_handle: Option<String>,
}

impl ImageServingPublishJob {
    pub(super) fn validate(&self) -> Result<(), Invalid> {
        check_context(self.context_handle.as_deref())?;
        check_url("httpCompletionUrl", self.http_completion_url.as_deref())
    }
}

/// A context handle that is absent or empty means the default context of its kind.
fn check_context(text: Option<&str>) -> Result<(), Invalid> {
    match text {
        Some(text) if !text.is_empty() => handle::parse_context("contextHandle", text).map(|_| ()),
        _ => Ok(()),
    }
}

/// imageRenderingPublishJob and videoPublishJob.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContextPublishJob {
    pub email_setting: EmailSetting,
    pub http_completion_url: Option<String>,
    pub context_handle: Option<String>,
}

impl ContextPublishJob {
    pub(super) fn validate(&self) -> Result<(), Invalid> {
        check_context(self.context_handle.as_deref())?;
        check_url("httpCompletionUrl", self.http_completion_url.as_deref())
    }
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServerDirectoryPublishJob {
    pub email_setting: EmailSetting,
    pub http_completion_url: Option<String>,
}

impl ServerDirectoryPublishJob {
    pub(super) fn validate(&self) -> Result<(), Invalid> {
        check_url("httpCompletionUrl", self.http_completion_url.as_deref())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MetadataPublishJob {
    pub force_publish: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OptimizeImagesJob {
    pub email_setting: EmailSetting,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CreateVideoSitemapJob {
    pub force_update: Option<bool>,
}

/// What exportJob makes of its assets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExportFormat {
    #[serde(rename = "orig")]
    Original,
    #[serde(rename = "convert")]
    Convert,
}

/// More assets than any configuration allows in one export.
const MOST_EXPORTED: usize = 20_000;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExportJob {
    pub asset_handle_array: Vec<String>,
    pub fmt: ExportFormat,
    #[serde(default, rename = "is_modifier")]
    pub is_modifier: Option<String>,
    #[serde(default, rename = "macro")]
    pub image_preset: Option<String>,
    #[serde(default)]
    pub email_setting: EmailSetting,
    #[serde(default)]
    pub client_id: Option<String>,
}

impl ExportJob {
    pub(super) fn validate(&self) -> Result<(), Invalid> {
        check_assets("assetHandleArray", &self.asset_handle_array, MOST_EXPORTED)
    }
}

/// Most assets in one set generation that a configuration may allow.
pub const MOST_GROUPED: usize = 100_000;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AutomatedSetGenerationJob {
    pub asset_handle_array: Vec<String>,
    #[serde(default)]
    pub dest_folder: Option<String>,
    #[serde(default)]
    pub ready_for_publish: bool,
    #[serde(default)]
    pub synchronization_complete: Option<bool>,
    pub auto_set_creation_options: AutoSetCreationOptions,
    #[serde(default)]
    pub email_setting: EmailSetting,
}

impl AutomatedSetGenerationJob {
    pub(super) fn validate(&self) -> Result<(), Invalid> {
        check_assets("assetHandleArray", &self.asset_handle_array, MOST_GROUPED)?;
        if let Some(folder) = &self.dest_folder {
            name::clean_folder("destFolder", folder)?;
        }
        self.auto_set_creation_options.validate().map_err(|e| e.within("autoSetCreationOptions"))
    }
}

/// Checks a list of asset handles: some, not too many, each of the right shape.
pub(super) fn check_assets(field: &str, handles: &[String], most: usize) -> Result<(), Invalid> {
    if handles.is_empty() {
        return Err(Invalid::new(field, "must name at least one asset"));
    }
    if handles.len() > most {
        return Err(Invalid::new(field, format!("must name at most {most} assets, not {}", handles.len())));
    }
    handles.iter().try_for_each(|text| handle::parse_asset(field, text).map(|_| ()))
}
