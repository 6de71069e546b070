//! `[media]`: derived pictures, and what a picture may cost.

use std::path::PathBuf;

use serde::Deserialize;

use super::{
    read::{Check, Section},
    units::{Period, Size},
};

/// What becomes of a TIFF of several pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TiffPages {
    /// The first is the picture; others are left out, with a line.
    #[default]
    First,
    /// The others become assets of their own.
    All,
}

/// Which annotations and form fields pages of documents show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PageAnnotations {
    /// Those that a screen shows.
    #[default]
    View,
    /// Those that are printed.
    Print,
    None,
}

/// When pages are drawn by pdftoppm or Ghostscript.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Poppler {
    Never,
    /// Where they have something that comes out wrong otherwise.
    #[default]
    Needed,
    Always,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct Media {
    pub jpeg_quality: u8,
    pub jpeg_chroma: JpegChroma,
    pub tile: u32,
    pub thumbnail_side: u32,
    pub max_pixels: u64,
    pub max_side: u32,
    /// Without it, so much that each core has enough for a page of A2 at 300 dpi.
    pub memory: Option<Size>,
    pub max_pages: u32,
    pub page_time: Period,
    pub picture_time: Period,
    pub cmyk_profile: Option<PathBuf>,
    pub black_point_compensation: bool,
    pub tiff_pages: TiffPages,
    pub annotations: PageAnnotations,
    pub poppler: Poppler,
    pub video_time: Period,
    pub video_memory: Size,
}

/// How finely JPEG tiles keep colour beside brightness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JpegChroma {
    /// At half the resolution below quality 90, at all of it from there on.
    Auto,
    Half,
    Full,
}

impl Default for Media {
    fn default() -> Self {
        Self {
            jpeg_quality: 85,
            jpeg_chroma: JpegChroma::Auto,
            tile: 256,
            thumbnail_side: 256,
            max_pixels: 500_000_000,
            max_side: 65_535,
            memory: None,
            max_pages: 5_000,
            page_time: Period::minutes(1),
            picture_time: Period::minutes(30),
            cmyk_profile: None,
            black_point_compensation: true,
            tiff_pages: TiffPages::default(),
            annotations: PageAnnotations::default(),
            poppler: Poppler::default(),
            video_time: Period::hours(6),
            video_memory: Size::gib(4),
        }
    }
}

impl Section for Media {
    const NAME: &'static str = "media";

    fn check(&self, check: &mut Check) {
        check.range("jpeg_quality", self.jpeg_quality, 1, 100);
        check.range("tile", self.tile, 64, 1024);
        check.that(self.tile.is_multiple_of(16), "tile", self.tile, "must be a multiple of 16, as TIFF wants it");
        check.range("thumbnail_side", self.thumbnail_side, 16, 2048);
        check.range("max_pixels", self.max_pixels, 1_000_000, 100_000_000_000);
        check.range("max_side", self.max_side, 1_000, 1_000_000);
        check.range("max_pages", self.max_pages, 1, 100_000);
        check.range("page_time", self.page_time, Period::seconds(1), Period::hours(1));
        check.range("picture_time", self.picture_time, Period::seconds(1), Period::days(1));
        if let Some(memory) = self.memory {
            check.range("memory", memory, Size::mib(64), Size::gib(1024));
        }
        check.range("video_time", self.video_time, Period::minutes(1), Period::days(7));
        check.range("video_memory", self.video_memory, Size::gib(1), Size::gib(1024));
    }
}
