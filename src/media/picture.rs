//! What is known about a picture from its header.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::color::Note;
use super::format::Format;
use super::orientation::Orientation;

/// How the samples of a stored pixel are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ColorModel {
    Gray,
    Rgb,
    /// Indices into a table of RGB colours.
    Palette,
    Cmyk,
    /// Cmyk stored as luma, chroma and black.
    Ycck,
    /// CIE 1976 L*a*b*.
    Lab,
}

impl ColorModel {
    pub fn name(self) -> &'static str {
        match self {
            Self::Gray => "gray",
            Self::Rgb => "RGB",
            Self::Palette => "palette",
            Self::Cmyk => "CMYK",
            Self::Ycck => "YCCK",
            Self::Lab => "L*a*b*",
        }
    }
}

impl fmt::Display for ColorModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Pixels an inch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Resolution {
    pub x: f64,
    pub y: f64,
}

impl Resolution {
    /// None unless both are numbers a press or a screen could have.
    pub(crate) fn new(x: f64, y: f64) -> Option<Self> {
        let sane = |dpi: f64| (0.1..=100_000.0).contains(&dpi);
        (sane(x) && sane(y)).then_some(Self { x, y })
    }

    /// From the values of TIFF's tags; without a unit they say but how the sides of pixels relate.
    pub(crate) fn of_tiff(x: f64, y: f64, unit: Option<u64>) -> Option<Self> {
        const NO_UNIT: u64 = 1;
        const CENTIMETRE: u64 = 3;
        match unit {
            Some(NO_UNIT) => None,
            Some(CENTIMETRE) => Self::per_centimetre(x, y),
            _ => Self::new(x, y),
        }
    }

    pub(crate) fn per_centimetre(x: f64, y: f64) -> Option<Self> {
        Self::new(x * 2.54, y * 2.54)
    }

    pub(crate) fn oriented(self, orientation: Orientation) -> Self {
        if orientation.swaps_sides() { Self { x: self.y, y: self.x } } else { self }
    }
}

/// An ICC profile and the name it gives itself.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// They stay where they were read: written down, a profile is its name.
    #[serde(skip)]
    pub bytes: Vec<u8>,
    /// Empty when the profile has no name or cannot be read.
    pub description: String,
}

impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Profile({:?}, {} bytes)", self.description, self.bytes.len())
    }
}

/// A picture as its header describes it; no pixel has been looked at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Picture {
    pub format: Format,
    /// As seen, after `orientation` is applied.
    pub width: u32,
    pub height: u32,
    pub color: ColorModel,
    /// Bits a sample.
    pub depth: u8,
    /// An alpha channel or a transparent colour is declared; every pixel may still be opaque.
    pub has_alpha: bool,
    /// More than one frame, shown in turn.
    pub is_animated: bool,
    pub profile: Option<Profile>,
    pub resolution: Option<Resolution>,
    /// How the stored pixels must be turned to be seen upright.
    pub orientation: Orientation,
    /// What of the file is not in its pixels, or was not taken as it is.
    pub notes: Vec<Note>,
}

impl Picture {
    /// Samples a stored pixel, alpha included.
    pub fn channels(&self) -> u8 {
        let colours = match self.color {
            ColorModel::Gray => 1,
            ColorModel::Rgb | ColorModel::Palette | ColorModel::Lab => 3,
            ColorModel::Cmyk | ColorModel::Ycck => 4,
        };
        colours + u8::from(self.has_alpha)
    }

    /// The same, seen as it is stored.
    pub(crate) fn upright(self) -> Self {
        let (width, height) = self.orientation.seen_size(self.width, self.height);
        Self { width, height, orientation: Orientation::default(), ..self }
    }

    /// Sets the size as stored; `width` and `height` become the sizes as seen.
    pub(crate) fn with_stored_size(mut self, width: u32, height: u32) -> Self {
        (self.width, self.height) = self.orientation.seen_size(width, height);
        self
    }
}
