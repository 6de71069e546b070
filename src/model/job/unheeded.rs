//! Options of jobs with files that this server reads, checks and shows again, but does not act on. The log of a job that
//! asks for one says so.

use serde::{Deserialize, Serialize};

use super::options::check_block;
use crate::model::handle;
use crate::model::invalid::Invalid;

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct UnheededOptions {
    pub synchronization_complete: Option<bool>,
    pub auto_smart_crop_options_array: Option<Vec<AutoSmartCropOptions>>,
    pub ignore_smart_crop_generation: Option<bool>,
    pub preserve_smart_crop: Option<bool>,
    pub css_options: Option<CssOptions>,
    pub in_design_options: Option<InDesignOptions>,
    pub project_handle_array: Vec<String>,
    pub jwt_token: Option<Withheld>,
    pub ims_org: Option<String>,
    pub apikey: Option<Withheld>,
    pub source_video_asset_handle: Option<String>,
    pub audio_captions_metadata: Option<AudioCaptionsMetadata>,
    #[serde(rename = "overwriteAVS")]
    pub overwrite_avs: Option<bool>,
    /// Of versions before 2014.
    pub xmp_template_id: Option<String>,
    pub xmp_template_overwrites: Option<bool>,
}

impl UnheededOptions {
    pub(super) fn validate(&self) -> Result<(), Invalid> {
        for (index, crop) in self.auto_smart_crop_options_array.iter().flatten().enumerate() {
            let place = format!("autoSmartCropOptionsArray/items[{}]", index + 1);
            crop.validate().map_err(|invalid| invalid.within(&place))?;
        }
        for (index, text) in self.project_handle_array.iter().enumerate() {
            handle::parse_project(&format!("projectHandleArray/items[{}]", index + 1), text)?;
        }
        if let Some(text) = self.source_video_asset_handle.as_deref().filter(|text| !text.is_empty()) {
            handle::parse_asset("sourceVideoAssetHandle", text)?;
        }
        check_block("inDesignOptions", &self.in_design_options, InDesignOptions::validate)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AutoSmartCropOptions {
    pub name: String,
    pub width: i64,
    pub height: i64,
    /// The reference names no constants for it.
    #[serde(rename = "type")]
    pub crop_type: String,
}

impl AutoSmartCropOptions {
    fn validate(&self) -> Result<(), Invalid> {
        for (side, pixels) in [("width", self.width), ("height", self.height)] {
            if pixels < 1 {
                return Err(Invalid::new(side, format!("must be a number of pixels, 1 or more, not {pixels}")));
            }
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CssOptions {
    pub force_static_images: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct InDesignOptions {
    pub process: Option<String>,
}

/// The reference names no constants for InDesign files: those of the other documents, and what recorded jobs say for them.
const PROCESSES: &[&str] = &["None", "Rasterize", "Thumbnail", "render"];

impl InDesignOptions {
    /// Whether anything is to be made of the files.
    pub fn is_asked(&self) -> bool {
        self.process.as_deref().is_some_and(|process| !matches!(process.trim(), "" | "None"))
    }

    fn validate(&self) -> Result<(), Invalid> {
        match self.process.as_deref() {
            Some(process) if !process.trim().is_empty() && !PROCESSES.contains(&process.trim()) => {
                let known = PROCESSES.join(", ");
                Err(Invalid::new("process", format!("must be one of {known}, not \"{process}\"")))
            }
            _ => Ok(()),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AudioCaptionsMetadata {
    pub label: Option<String>,
    pub language: Option<String>,
    pub language_code: Option<String>,
    pub role: Option<String>,
    pub is_default: Option<bool>,
}

/// A secret that was sent and is of no use here: it is known that there was one, and nothing else of it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Withheld {
    pub is_given: bool,
}

impl From<String> for Withheld {
    fn from(text: String) -> Self {
        Self { is_given: !text.trim().is_empty() }
    }
}

impl From<Withheld> for String {
    fn from(secret: Withheld) -> Self {
        if secret.is_given { "(withheld)".to_owned() } else { Self::new() }
    }
}
