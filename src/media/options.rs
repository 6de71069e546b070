//! How pyramids and thumbnails are made.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::decode::LayerChoice;
use super::edit::Edits;
use super::error::MediaError;
use super::icc::Blacks;

/// How finely colour is kept beside brightness in JPEG.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Chroma {
    /// Half the resolution below quality 90, all of it from there on.
    #[default]
    ByQuality,
    Half,
    Full,
}

/// Written down, it is without its profiles: they are files of their own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Options {
    /// Side of a pyramid's tile: a multiple of 16 from 64 to 1024.
    pub tile: u32,
    /// JPEG quality of the tiles, 1 to 100.
    pub quality: u8,
    pub chroma: Chroma,
    /// No tile has loss, whatever it shows.
    pub lossless: bool,
    /// The longer side of the thumbnail; smaller pictures keep their size.
    pub thumbnail_side: u32,
    pub thumbnail_quality: u8,
    /// The ICC profile taken for CMYK pictures that bring none.
    #[serde(skip)]
    pub cmyk_profile: Option<Arc<[u8]>>,
    pub colors: ColorManagement,
    /// Where colours are converted.
    pub blacks: Blacks,
    pub edits: Edits,
    /// The pixels are upright as they are, whatever the file says of it.
    pub upright: bool,
    /// A layer is shown, of a file that has layers, instead of the whole picture.
    pub layer: Option<LayerChoice>,
    /// A page is shown, from 1, of a picture of several.
    pub page: Option<u32>,
}

/// What becomes of a picture's colours.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum ColorManagement {
    /// Gray and RGB keep their numbers and their profile; CMYK becomes sRGB, which is what image servers read.
    #[default]
    Default,
    /// Nothing is converted: CMYK stays CMYK.
    Maintain,
    /// Everything comes to be in the colours of `output`, or sRGB.
    Convert {
        /// Taken in place of the picture's own profile.
        #[serde(skip)]
        source: Option<Arc<[u8]>>,
        #[serde(skip)]
        output: Option<Arc<[u8]>>,
    },
}

impl Default for Options {
    fn default() -> Self {
        Self {
            tile: 256,
            quality: 85,
            chroma: Chroma::default(),
            lossless: false,
            thumbnail_side: 256,
            thumbnail_quality: 80,
            cmyk_profile: None,
            colors: ColorManagement::default(),
            blacks: Blacks::default(),
            edits: Edits::default(),
            upright: false,
            layer: None,
            page: None,
        }
    }
}

impl Options {
    /// Checks that every option is within its range.
    pub fn check(&self) -> Result<(), MediaError> {
        let bad = |what, value: u32, allowed| {
            Err(MediaError::BadOption {
                what: Cow::Borrowed(what),
                value: value.into(),
                allowed: Cow::Borrowed(allowed),
            })
        };
        if !(64..=1024).contains(&self.tile) || !self.tile.is_multiple_of(16) {
            return bad("the tile size", self.tile, "it must be a multiple of 16 from 64 to 1024");
        }
        for (what, quality) in [("the JPEG quality", self.quality), ("the thumbnail quality", self.thumbnail_quality)] {
            if !(1..=100).contains(&quality) {
                return bad(what, quality.into(), "it must be from 1 to 100");
            }
        }
        if !(16..=4096).contains(&self.thumbnail_side) {
            return bad("the thumbnail's longer side", self.thumbnail_side, "it must be from 16 to 4096 pixels");
        }
        Ok(())
    }
}
