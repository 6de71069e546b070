//! The eight ways a camera may have been held.

use std::borrow::Cow;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::raster::Raster;

/// EXIF orientation: how stored pixels lie relative to the picture as seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Orientation {
    #[default]
    Upright,
    MirroredAcross,
    UpsideDown,
    MirroredDown,
    Transposed,
    /// Turn clockwise by a quarter to see it upright.
    QuarterRight,
    Transversed,
    /// Turn counterclockwise by a quarter to see it upright.
    QuarterLeft,
}

impl Orientation {
    /// From the value of the EXIF or TIFF tag; what is not 1 to 8 means nothing.
    pub fn from_exif(value: u32) -> Option<Self> {
        Some(match value {
            1 => Self::Upright,
            2 => Self::MirroredAcross,
            3 => Self::UpsideDown,
            4 => Self::MirroredDown,
            5 => Self::Transposed,
            6 => Self::QuarterRight,
            7 => Self::Transversed,
            8 => Self::QuarterLeft,
            _ => return None,
        })
    }

    pub fn swaps_sides(self) -> bool {
        matches!(self, Self::Transposed | Self::QuarterRight | Self::Transversed | Self::QuarterLeft)
    }

    /// The size as seen of a picture stored as `width` by `height`. It is its own inverse.
    pub fn seen_size(self, width: u32, height: u32) -> (u32, u32) {
        if self.swaps_sides() { (height, width) } else { (width, height) }
    }

    /// Where a point of the stored picture is seen. Both are fractions of the width and the height.
    pub(crate) fn seen_point(self, (x, y): (f32, f32)) -> (f32, f32) {
        match self {
            Self::Upright => (x, y),
            Self::MirroredAcross => (1.0 - x, y),
            Self::UpsideDown => (1.0 - x, 1.0 - y),
            Self::MirroredDown => (x, 1.0 - y),
            Self::Transposed => (y, x),
            Self::QuarterRight => (1.0 - y, x),
            Self::Transversed => (1.0 - y, 1.0 - x),
            Self::QuarterLeft => (y, 1.0 - x),
        }
    }

    /// The `rows` of `raster` as seen, copied only if they must be turned.
    pub(crate) fn rows(self, raster: &Raster, rows: Range<u32>) -> Cow<'_, [u8]> {
        let stride = raster.stride();
        if self == Self::Upright {
            return Cow::Borrowed(&raster.pixels()[rows.start as usize * stride..rows.end as usize * stride]);
        }
        let (seen_width, _) = self.seen_size(raster.width(), raster.height());
        let mut out = Vec::with_capacity(rows.len() * seen_width as usize * raster.layout().samples()); // bounded: by the rows asked for
        self.copy_rows(raster, rows, &mut out);
        Cow::Owned(out)
    }

    fn copy_rows(self, raster: &Raster, rows: Range<u32>, out: &mut Vec<u8>) {
        let (width, height) = (raster.width() as usize, raster.height() as usize);
        let (samples, stride) = (raster.layout().samples(), raster.stride());
        let pixels = raster.pixels();
        for y in rows.start as usize..rows.end as usize {
            // Where the row starts in the stored picture, and how far it is to the next pixel.
            let (start, step) = match self {
                Self::Upright => (y * stride, samples as isize),
                Self::MirroredAcross => (y * stride + (width - 1) * samples, -(samples as isize)),
                Self::UpsideDown => ((height - 1 - y) * stride + (width - 1) * samples, -(samples as isize)),
                Self::MirroredDown => ((height - 1 - y) * stride, samples as isize),
                Self::Transposed => (y * samples, stride as isize),
                Self::QuarterRight => ((height - 1) * stride + y * samples, -(stride as isize)),
                Self::Transversed => ((height - 1) * stride + (width - 1 - y) * samples, -(stride as isize)),
                Self::QuarterLeft => ((width - 1 - y) * samples, stride as isize),
            };
            let count = if self.swaps_sides() { height } else { width };
            let mut from = start;
            for _ in 0..count {
                out.extend_from_slice(&pixels[from..from + samples]);
                from = from.wrapping_add_signed(step);
            }
        }
    }
}
