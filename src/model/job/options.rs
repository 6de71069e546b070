//! Option blocks of upload, reprocess and rip jobs: ranges and constants as the reference prints them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{ContextPublishJob, ImageServingPublishJob, UnheededOptions, check_range, check_url};
use crate::model::constants;
use crate::model::email_setting::EmailSetting;
use crate::model::handle;
use crate::model::invalid::Invalid;
use crate::model::metadata::{MetadataUpdate, split_list};
use crate::model::overwrite::SameName;

/// What a job that makes assets may say about how. Every field is optional here: the wire contract knows which kind and
/// which version must send which.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProcessingOptions {
    pub ready_for_publish: Option<bool>,
    pub preserve_publish_state: Option<bool>,
    pub create_mask: bool,
    pub preserve_crop: Option<bool>,
    pub knockout_background_options: Option<KnockoutBackgroundOptions>,
    pub manual_crop_options: Option<ManualCropOptions>,
    pub auto_color_crop_options: Option<AutoColorCropOptions>,
    pub auto_transparent_crop_options: Option<AutoTransparentCropOptions>,
    pub photoshop_options: Option<PhotoshopOptions>,
    pub post_script_options: Option<PostScriptOptions>,
    pub pdf_options: Option<PdfOptions>,
    pub illustrator_options: Option<IllustratorOptions>,
    pub color_management_options: Option<ColorManagementOptions>,
    pub auto_set_creation_options: Option<AutoSetCreationOptions>,
    pub media_options: Option<MediaOptions>,
    pub unsharp_mask_options: Option<UnsharpMaskOptions>,
    pub un_compress_options: Option<UnCompressOptions>,
    pub xmp_keywords: Option<String>,
    pub metadata_options: Option<MetadataOptions>,
    #[serde(rename = "excludeMasterVideoFromAVS")]
    pub exclude_master_video_from_avs: Option<bool>,
    pub email_setting: EmailSetting,
    pub post_job_only_if_files: Option<bool>,
    pub post_http_url: Option<String>,
    pub post_image_serving_publish_job: Option<ImageServingPublishJob>,
    pub post_image_rendering_publish_job: Option<ContextPublishJob>,
    pub post_video_publish_job: Option<ContextPublishJob>,
    /// What becomes of files whose names assets with other content have; None: as the company says. The API has no such field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub same_name: Option<SameName>,
    #[serde(flatten)]
    pub unheeded: UnheededOptions,
}

impl ProcessingOptions {
    /// What `xmpKeywords` adds to the keywords of assets.
    pub fn keywords(&self) -> Vec<String> {
        self.xmp_keywords.as_deref().and_then(|text| split_list(text).ok()).unwrap_or_default()
    }

    pub(super) fn validate(&self) -> Result<(), Invalid> {
        at_most_one(&[
            ("manualCropOptions", self.manual_crop_options.is_some()),
            ("autoColorCropOptions", self.auto_color_crop_options.is_some()),
            ("autoTransparentCropOptions", self.auto_transparent_crop_options.is_some()),
        ])?;
        at_most_one(&[
            ("postImageServingPublishJob", self.post_image_serving_publish_job.is_some()),
            ("postImageRenderingPublishJob", self.post_image_rendering_publish_job.is_some()),
            ("postVideoPublishJob", self.post_video_publish_job.is_some()),
        ])?;
        check_block(
            "knockoutBackgroundOptions",
            &self.knockout_background_options,
            KnockoutBackgroundOptions::validate,
        )?;
        check_block("manualCropOptions", &self.manual_crop_options, ManualCropOptions::validate)?;
        check_block("autoColorCropOptions", &self.auto_color_crop_options, AutoColorCropOptions::validate)?;
        check_block("autoTransparentCropOptions", &self.auto_transparent_crop_options, |crop| {
            check_range("tolerance", crop.tolerance, 0.0, 1.0)
        })?;
        check_block("postScriptOptions", &self.post_script_options, |o| check_resolution(o.resolution))?;
        check_block("pdfOptions", &self.pdf_options, |o| check_resolution(o.resolution))?;
        check_block("illustratorOptions", &self.illustrator_options, |o| check_resolution(o.resolution))?;
        check_block("colorManagementOptions", &self.color_management_options, ColorManagementOptions::validate)?;
        check_block("autoSetCreationOptions", &self.auto_set_creation_options, AutoSetCreationOptions::validate)?;
        check_block("unsharpMaskOptions", &self.unsharp_mask_options, UnsharpMaskOptions::validate)?;
        check_block("mediaOptions", &self.media_options, MediaOptions::validate)?;
        check_keywords(self.xmp_keywords.as_deref())?;
        check_block("metadataOptions", &self.metadata_options, MetadataOptions::validate)?;
        self.unheeded.validate()?;
        check_url("postHttpUrl", self.post_http_url.as_deref())?;
        check_block(
            "postImageServingPublishJob",
            &self.post_image_serving_publish_job,
            ImageServingPublishJob::validate,
        )?;
        check_block(
            "postImageRenderingPublishJob",
            &self.post_image_rendering_publish_job,
            ContextPublishJob::validate,
        )?;
        check_block("postVideoPublishJob", &self.post_video_publish_job, ContextPublishJob::validate)
    }
}

fn check_keywords(text: Option<&str>) -> Result<(), Invalid> {
    text.map_or(Ok(()), |text| split_list(text).map(drop).map_err(|rule| Invalid::new("xmpKeywords", rule)))
}

/// Checks a block that may be absent, and puts its name in front of what is wrong inside it.
pub(super) fn check_block<T>(
    field: &str,
    block: &Option<T>,
    check: impl FnOnce(&T) -> Result<(), Invalid>,
) -> Result<(), Invalid> {
    block.as_ref().map_or(Ok(()), |block| check(block).map_err(|invalid| invalid.within(field)))
}

fn at_most_one(fields: &[(&str, bool)]) -> Result<(), Invalid> {
    let given: Vec<&str> = fields.iter().filter(|(_, given)| *given).map(|(name, _)| *name).collect();
    match given[..] {
        [] | [_] => Ok(()),
        [first, ..] => {
            let all: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
            Err(Invalid::new(first, format!("cannot stand beside {}: at most one of {}", given[1], all.join(", "))))
        }
    }
}

/// Pixels per inch at which pages are drawn.
fn check_resolution(resolution: Option<f64>) -> Result<(), Invalid> {
    resolution.map_or(Ok(()), |resolution| check_range("resolution", resolution, 1.0, 2400.0))
}

constants! {
    /// AutoCropCorner constants.
    pub enum Corner("corner") { BottomLeft, BottomRight, UpperLeft, UpperRight }
}

constants! {
    /// Fill methods of the background knockout.
    pub enum FillMethod("fill method") { FloodFill, MatchPixel }
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KnockoutBackgroundOptions {
    pub corner: Corner,
    /// 0.0 only the corner's own colour, 1.0 every colour.
    #[serde(default)]
    pub tolerance: Option<f64>,
    pub fill_method: FillMethod,
}

impl KnockoutBackgroundOptions {
    fn validate(&self) -> Result<(), Invalid> {
        self.tolerance.map_or(Ok(()), |tolerance| check_range("tolerance", tolerance, 0.0, 1.0))
    }
}

/// Pixels cut off each side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManualCropOptions {
    pub left: i64,
    pub right: i64,
    pub top: i64,
    pub bottom: i64,
}

impl ManualCropOptions {
    /// Whether it takes anything away.
    pub fn cuts(&self) -> bool {
        let Self { left, right, top, bottom } = *self;
        [left, right, top, bottom] != [0; 4]
    }

    fn validate(&self) -> Result<(), Invalid> {
        for (side, pixels) in [("left", self.left), ("right", self.right), ("top", self.top), ("bottom", self.bottom)] {
            if pixels < 0 {
                return Err(Invalid::new(side, format!("must be a number of pixels, 0 or more, not {pixels}")));
            }
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AutoColorCropOptions {
    pub corner: Corner,
    /// 0 exact, 1 loosest.
    pub tolerance: f64,
}

impl AutoColorCropOptions {
    fn validate(&self) -> Result<(), Invalid> {
        check_range("tolerance", self.tolerance, 0.0, 1.0)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AutoTransparentCropOptions {
    /// 0 exact, 1 loosest.
    pub tolerance: f64,
}

constants! {
    /// What Photoshop files become.
    pub enum PhotoshopProcess("Photoshop process") { None, MaintainLayers }
}

constants! {
    /// PhotoshopLayerNamingModes constants.
    pub enum LayerNaming("layer naming mode") { LayerName, AppendNumber, AppendName, Folders }
}

constants! {
    /// PhotoshopAnchorModes constants.
    pub enum Anchor("anchor mode") { Center, North, Northwest, West, Southwest, South, Southeast, East, Northeast }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "PhotoshopFields", into = "PhotoshopFields")]
pub struct PhotoshopOptions {
    pub process: Option<PhotoshopProcess>,
    pub layer_options: Option<PhotoshopLayerOptions>,
}

/// As the options are written: versions before 2010 have those of layers beside a switch of their own. An answer has both
/// forms, of which each version takes the one that it knows.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PhotoshopFields {
    process: Option<PhotoshopProcess>,
    layer_options: Option<PhotoshopLayerOptions>,
    maintain_layers: Option<bool>,
    layer_naming: Option<LayerNaming>,
    anchor: Option<Anchor>,
    create_template: Option<bool>,
    extract_text: Option<bool>,
    extend_layers: Option<bool>,
}

impl From<PhotoshopFields> for PhotoshopOptions {
    fn from(fields: PhotoshopFields) -> Self {
        let PhotoshopFields { layer_naming, anchor, create_template, extract_text, extend_layers, .. } = fields;
        let early = PhotoshopLayerOptions { layer_naming, anchor, create_template, extract_text, extend_layers };
        let early = Some(early).filter(|early| *early != PhotoshopLayerOptions::default());
        let process = |maintain: bool| match maintain {
            true => PhotoshopProcess::MaintainLayers,
            false => PhotoshopProcess::None,
        };
        Self {
            process: fields.process.or(fields.maintain_layers.map(process)),
            layer_options: fields.layer_options.or(early),
        }
    }
}

impl From<PhotoshopOptions> for PhotoshopFields {
    fn from(PhotoshopOptions { process, layer_options }: PhotoshopOptions) -> Self {
        let PhotoshopLayerOptions { layer_naming, anchor, create_template, extract_text, extend_layers } =
            layer_options.unwrap_or_default();
        let maintain_layers = process.map(|process| process == PhotoshopProcess::MaintainLayers);
        Self {
            process,
            layer_options,
            maintain_layers,
            layer_naming,
            anchor,
            create_template,
            extract_text,
            extend_layers,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PhotoshopLayerOptions {
    pub layer_naming: Option<LayerNaming>,
    pub anchor: Option<Anchor>,
    pub create_template: Option<bool>,
    pub extract_text: Option<bool>,
    pub extend_layers: Option<bool>,
}

constants! {
    /// What page files become. A recorded client sends `render` for Rasterize.
    pub enum PageProcess("page process") { None, #[serde(alias = "render")] Rasterize, Thumbnail }
}

constants! {
    /// PostScriptColorspaceModes constants.
    pub enum PageColorspace("colorspace mode") { Auto, Rgb, Cmyk, Gray }
}

#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PostScriptOptions {
    pub process: Option<PageProcess>,
    /// Pixels per inch.
    pub resolution: Option<f64>,
    pub colorspace: Option<PageColorspace>,
    pub alpha: Option<bool>,
    pub extract_search_words: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PdfOptions {
    pub process: Option<PageProcess>,
    /// Pixels per inch.
    pub resolution: Option<f64>,
    pub colorspace: Option<PageColorspace>,
    pub pdf_catalog: Option<bool>,
    pub extract_search_words: Option<bool>,
    pub extract_links: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IllustratorOptions {
    pub process: Option<PageProcess>,
    /// Pixels per inch.
    pub resolution: Option<f64>,
    pub colorspace: Option<PageColorspace>,
    pub alpha: Option<bool>,
}

constants! {
    /// ColorManagementModes constants.
    pub enum ColorManagement("color management mode") { Default, MaintainOriginal, Convert }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ColorManagementOptions {
    pub color_management: ColorManagement,
    #[serde(default)]
    pub source_profile_handle: Option<String>,
    #[serde(default)]
    pub output_profile_handle: Option<String>,
}

impl ColorManagementOptions {
    fn validate(&self) -> Result<(), Invalid> {
        for (field, profile) in
            [("sourceProfileHandle", &self.source_profile_handle), ("outputProfileHandle", &self.output_profile_handle)]
        {
            if let Some(profile) = profile.as_deref().filter(|text| !text.is_empty()) {
                handle::parse_asset(field, profile)?;
            }
        }
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AutoSetCreationOptions {
    pub auto_sets_array: Vec<String>,
}

impl AutoSetCreationOptions {
    pub(super) fn validate(&self) -> Result<(), Invalid> {
        match self.auto_sets_array.iter().find(|text| text.trim().is_empty()) {
            Some(_) => {
                Err(Invalid::new("autoSetsArray", "must hold property set handles such as ps|941, not empty text"))
            }
            None => Ok(()),
        }
    }
}

/// Most metadata updates of one job.
const MOST_UPDATES: usize = 1_000;

/// What is set on the assets of a job, as by setAssetMetadata.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MetadataOptions {
    pub update_array: Vec<MetadataUpdate>,
}

impl MetadataOptions {
    fn validate(&self) -> Result<(), Invalid> {
        match self.update_array.len() {
            count if count > MOST_UPDATES => {
                Err(Invalid::new("updateArray", format!("must hold at most {MOST_UPDATES} items, not {count}")))
            }
            _ => Ok(()),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MediaOptions {
    pub video_encoding_presets_array: Vec<String>,
    pub generate_thumbnail: Option<bool>,
    pub thumbnail_options: Option<ThumbnailOptions>,
    /// Fields of later API versions, handed back as they came.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl MediaOptions {
    fn validate(&self) -> Result<(), Invalid> {
        check_block("thumbnailOptions", &self.thumbnail_options, |options| match options.thumbnail_time {
            Some(time) if time < 0 => {
                Err(Invalid::new("thumbnailTime", format!("must be a time in milliseconds, 0 or more, not {time}")))
            }
            _ => Ok(()),
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ThumbnailOptions {
    /// Milliseconds from the start.
    pub thumbnail_time: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct UnsharpMaskOptions {
    /// 0.0 to 5.0.
    pub amount: Option<f64>,
    /// 0.0 to 250.0 pixels.
    pub radius: Option<f64>,
    /// 0 to 255.
    pub threshold: Option<i64>,
    /// 0 each channel, 1 brightness only.
    pub monochrome: Option<i64>,
}

impl UnsharpMaskOptions {
    fn validate(&self) -> Result<(), Invalid> {
        check_range("amount", self.amount.unwrap_or(0.0), 0.0, 5.0)?;
        check_range("radius", self.radius.unwrap_or(0.0), 0.0, 250.0)?;
        for (field, value, high) in
            [("threshold", self.threshold.unwrap_or(6), 255), ("monochrome", self.monochrome.unwrap_or(0), 1)]
        {
            if !(0..=high).contains(&value) {
                return Err(Invalid::new(field, format!("must be between 0 and {high}, not {value}")));
            }
        }
        Ok(())
    }
}

constants! {
    /// What archives become.
    pub enum UnCompressProcess("uncompress process") { None, UnCompress }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnCompressOptions {
    pub process: UnCompressProcess,
}
