//! Assets: what a company keeps.

use serde::{Deserialize, Serialize};

use super::constants;
use super::job::Anchor;

constants! {
    /// AssetTypes constants (the printed slips mended).
    pub enum AssetType("asset type") {
        Aco, AdjustedView, AnimatedGif, Asset, AssetSet, Audio, Cabinet, Catalog, ColorSwatch, CuePoint, Excel, Flash,
        Font, IccProfile, Illustrator, Image, ImageMap, ImageSet, InDesign, LayerView, Mask, MasterVideo, Pdf, PDFSettings,
        PostScript, PowerPoint, PremiereExpressRemix, PsdTemplate, RenderScene, RenderSet, SpinSet, Svg, Template, Video,
        VideoCaption, ViewerPreset, ViewerSwf, Vignette, Watermark, WindowCovering, Word, Xml, Xsl, Zip, Rtf, ZoomTarget,
        Css, Javascript,
    }
}

impl AssetType {
    /// The asset-kind number in handles of assets, as seen in examples of the API; 0 where none was seen.
    pub const fn kind_number(self) -> u8 {
        match self {
            Self::Image | Self::AnimatedGif => 1,
            Self::Template | Self::PsdTemplate => 2,
            Self::ImageMap => 8,
            Self::ZoomTarget => 9,
            Self::AdjustedView => 10,
            Self::IccProfile => 13,
            Self::Font => 14,
            Self::Video | Self::MasterVideo => 19,
            Self::ImageSet | Self::RenderSet | Self::SpinSet => 22,
            Self::Pdf | Self::PostScript | Self::Illustrator => 25,
            Self::Zip => 27,
            Self::ViewerPreset => 40,
            Self::AssetSet => 44,
            _ => 0,
        }
    }

    /// Assets that are put together from others, and have no file of their own.
    pub const fn is_set(self) -> bool {
        matches!(self, Self::ImageSet | Self::RenderSet | Self::SpinSet | Self::AssetSet | Self::Catalog)
    }

    /// Whether a pyramid and a thumbnail are made of it.
    pub const fn is_picture(self) -> bool {
        matches!(self, Self::Image | Self::AnimatedGif | Self::Svg)
    }
}

constants! {
    /// PublishState constants.
    pub enum PublishState("publish state") { MarkedForPublish, NotMarkedForPublish }
}

constants! {
    /// PublishContext constants.
    pub enum ContextKind("publish context type") {
        ImageServing, ImageRendering, Video, ServerDirectory,
        /// Ours: no client sees it.
        Metadata,
    }
}

constants! {
    /// TrashState constants.
    pub enum TrashState("trash state") { NotInTrash, InTrash, InEmptiedTrash }
}

constants! {
    /// Files made from a master.
    pub enum DerivedRole("derived file role") { Pyramid, Thumbnail, Mask, Playlist }
}

/// What the probe found in a picture, beside its size.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PictureFacts {
    /// JPEG, PNG, TIFF, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Gray, RGB, CMYK, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub colorspace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bits_per_component: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has_alpha: Option<bool>,
    /// Description in the embedded ICC profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embedded_icc_profile: Option<String>,
    /// Pixels per inch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub video: Option<Box<VideoFacts>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer: Option<Box<LayerFacts>>,
}

/// Where a layer of a Photoshop file lies on the canvas, and how. In pixels; it may reach beyond the canvas.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LayerFacts {
    pub left: i32,
    pub top: i32,
    pub width: u32,
    pub height: u32,
    /// The point of it that stays where it is when another picture takes its place.
    pub anchor: Anchor,
    /// Percent; those of the groups that it is in are multiplied with its own.
    pub opacity: u8,
    /// As the image-serving protocol calls it.
    pub blend_mode: String,
    /// By itself, or because a group is that it is in.
    pub is_hidden: bool,
    /// Seen only where the layer below it is.
    pub is_clipped: bool,
    /// Names of the groups that it is in, the outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// What a text layer says, if that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What Photoshop calls it.
    #[serde(default)]
    pub name: Option<String>,
    /// Pixels that a crop of the asset has cut off at the left and at the top.
    #[serde(default)]
    pub cut: (u32, u32),
    /// Its own left, top, width and height, where it may be drawn as large as the canvas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<(i32, i32, u32, u32)>,
    /// The number that Photoshop gave it when it was last made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u32>,
}

impl LayerFacts {
    /// The part of it that an asset of this size shows.
    #[must_use]
    pub fn shown(&self, (width, height): (u32, u32)) -> Self {
        let at = |start: i32, cut: u32| start.saturating_add_unsigned(cut);
        Self { left: at(self.left, self.cut.0), top: at(self.top, self.cut.1), width, height, ..self.clone() }
    }

    /// Where its anchor is on the canvas.
    pub fn anchor_point(&self) -> (f64, f64) {
        let (across, down) = match self.anchor {
            Anchor::Northwest => (0.0, 0.0),
            Anchor::North => (0.5, 0.0),
            Anchor::Northeast => (1.0, 0.0),
            Anchor::West => (0.0, 0.5),
            Anchor::Center => (0.5, 0.5),
            Anchor::East => (1.0, 0.5),
            Anchor::Southwest => (0.0, 1.0),
            Anchor::South => (0.5, 1.0),
            Anchor::Southeast => (1.0, 1.0),
        };
        let at = |start: i32, length: u32, part: f64| f64::from(start) + f64::from(length) * part;
        (at(self.left, self.width, across), at(self.top, self.height, down))
    }
}

/// What the probe found in a video, or what a rendition was made with.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VideoFacts {
    /// Milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<u64>,
    /// Bits a second, of everything together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bit_rate: Option<u64>,
    /// Frames a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame_rate: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub video_codec: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio_codec: Option<String>,
    /// Of what can be streamed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<StreamFacts>,
}

/// What a playlist says of a rendition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamFacts {
    /// Bits a second of the segment that has most.
    pub peak_bit_rate: u64,
    /// Names of the codecs (RFC 6381).
    pub codecs: String,
}
