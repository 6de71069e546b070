//! From samples of 8 bits to the colours they stand for.

use super::super::super::error::MediaError;
use super::super::super::picture::ColorModel;
use super::super::super::raster::{Layout, narrowed};
use super::super::jpeg;
use super::page::Kind;
use super::tags::{Tags, tag};
use super::{corrupt, unsupported};

/// How the samples of a pixel are meant that are its colours.
#[derive(Debug)]
pub enum Color {
    Gray {
        /// Zero is white.
        is_inverted: bool,
    },
    Rgb,
    Palette(Palette),
    Cmyk,
    YCbCr(Box<YCbCr>),
    Lab(Lab),
}

impl Color {
    /// Samples of a pixel that are its colours.
    pub const fn samples(&self) -> usize {
        match self {
            Self::Gray { .. } | Self::Palette(_) => 1,
            Self::Rgb | Self::YCbCr(_) | Self::Lab(_) => 3,
            Self::Cmyk => 4,
        }
    }

    pub const fn layout(&self, has_alpha: bool) -> Layout {
        match (self, has_alpha) {
            (Self::Gray { .. }, false) => Layout::Gray,
            (Self::Gray { .. }, true) => Layout::GrayAlpha,
            (Self::Cmyk, false) => Layout::Cmyk,
            (Self::Cmyk, true) => Layout::CmykAlpha,
            (_, false) => Layout::Rgb,
            (_, true) => Layout::Rgba,
        }
    }

    pub const fn model(&self) -> ColorModel {
        match self {
            Self::Gray { .. } => ColorModel::Gray,
            Self::Rgb | Self::YCbCr(_) => ColorModel::Rgb,
            Self::Palette(_) => ColorModel::Palette,
            Self::Cmyk => ColorModel::Cmyk,
            Self::Lab(_) => ColorModel::Lab,
        }
    }

    pub const fn name(&self) -> &'static str {
        match self {
            Self::Gray { .. } => "gray",
            Self::Rgb => "RGB",
            Self::Palette(_) => "a colour palette for samples",
            Self::Cmyk => "CMYK",
            Self::YCbCr(_) => "YCbCr",
            Self::Lab(_) => "L*a*b* colours",
        }
    }

    /// What comes out of JPEG is RGB already, and no index.
    pub fn in_jpeg(self) -> Result<Self, MediaError> {
        match self {
            Self::YCbCr(_) => Ok(Self::Rgb),
            Self::Palette(_) => Err(unsupported("a colour palette in JPEG")),
            other => Ok(other),
        }
    }

    /// Whether its samples may be so deep.
    pub const fn fits(&self, bits: u8, kind: Kind) -> bool {
        match (self, kind) {
            (Self::Palette(_), Kind::Unsigned) => bits <= 8,
            (Self::YCbCr(_) | Self::Lab(_), Kind::Unsigned) => matches!(bits, 8 | 16),
            (Self::Palette(_) | Self::YCbCr(_) | Self::Lab(_), Kind::Float) => false,
            (Self::Gray { .. } | Self::Rgb | Self::Cmyk, _) => true,
        }
    }

    /// Whether samples become colours by what a profile in the file says.
    pub const fn takes_profile(&self) -> bool {
        !matches!(self, Self::Lab(_))
    }

    /// Pixels that have one sample of each kind of chroma, across and down.
    pub fn subsampling(&self) -> (u32, u32) {
        if let Self::YCbCr(ycbcr) = self { ycbcr.subsampling } else { (1, 1) }
    }

    /// Turns samples into pixels of its layout. Alpha comes behind the colours in both.
    pub fn write(&self, samples: &[u8], has_alpha: bool, pixels: &mut [u8]) {
        match self {
            Self::Rgb | Self::Cmyk | Self::Gray { is_inverted: false } => pixels.copy_from_slice(samples),
            Self::Gray { is_inverted: true } => {
                pixels.copy_from_slice(samples);
                pixels.iter_mut().step_by(1 + usize::from(has_alpha)).for_each(|gray| *gray = !*gray);
            }
            Self::Palette(palette) => by_pixel(samples, has_alpha, pixels, |[index]: [u8; 1]| palette.color(index)),
            Self::YCbCr(ycbcr) => by_pixel(samples, has_alpha, pixels, |color| ycbcr.rgb(color)),
            Self::Lab(lab) => {
                // Neighbours mostly are alike, and the way to sRGB is long.
                let mut last = ([0; 3], lab.rgb([0; 3]));
                by_pixel(samples, has_alpha, pixels, |color| {
                    if color != last.0 {
                        last = (color, lab.rgb(color));
                    }
                    last.1
                });
            }
        }
    }
}

fn by_pixel<const N: usize>(
    samples: &[u8],
    has_alpha: bool,
    pixels: &mut [u8],
    mut rgb: impl FnMut([u8; N]) -> [u8; 3],
) {
    let alpha = usize::from(has_alpha);
    for (stored, pixel) in samples.chunks_exact(N + alpha).zip(pixels.chunks_exact_mut(3 + alpha)) {
        let (color, alpha) = stored.split_first_chunk::<N>().unwrap_or((&[0; N], &[]));
        pixel[..3].copy_from_slice(&rgb(*color));
        pixel[3..].copy_from_slice(alpha);
    }
}

/// One of up to 256 colours for each value of a sample.
#[derive(Debug)]
pub struct Palette(Vec<[u8; 3]>);

impl Palette {
    /// From a colour map: all reds, all greens, all blues, 16 bits each.
    pub fn new(map: &[u64], bits: u8) -> Option<Self> {
        let count = 1_usize.checked_shl(bits.into())?;
        if bits > 8 || map.len() != count * 3 {
            return None;
        }
        // Some writers fill in 8 bits only.
        let has_16_bits = map.iter().any(|value| *value > 255);
        let part = |plane: usize, index: usize| {
            let value = map[plane * count + index] as u16;
            if has_16_bits { narrowed(value) } else { value as u8 }
        };
        Some(Self((0..count).map(|index| [0, 1, 2].map(|plane| part(plane, index))).collect()))
    }

    fn color(&self, index: u8) -> [u8; 3] {
        self.0.get(usize::from(index)).copied().unwrap_or_default()
    }
}

/// Luma and chroma outside of JPEG.
#[derive(Debug, Clone, PartialEq)]
pub struct YCbCr {
    subsampling: (u32, u32),
    /// Of red, green and blue in luma.
    coefficients: [f64; 3],
    /// What black and white are in each of the three, in 255ths.
    reference: [f64; 6],
    is_usual: bool,
}

impl YCbCr {
    pub fn read(tags: &mut Tags<'_>) -> Result<Self, MediaError> {
        const USUAL: [f64; 3] = [0.299, 0.587, 0.114];
        const FULL: [f64; 6] = [0.0, 255.0, 128.0, 255.0, 128.0, 255.0];
        let subsampling = match tags.numbers(tag::YCBCR_SUBSAMPLING)?[..] {
            [] => (2, 2),
            [across @ (1 | 2 | 4), down @ (1 | 2 | 4), ..] => (across as u32, down as u32),
            _ => return Err(corrupt("its chroma is reduced in a way that there is not")),
        };
        let coefficients = tags.fractions(tag::YCBCR_COEFFICIENTS)?.try_into().unwrap_or(USUAL);
        let most = ((1_u64 << tags.number(tag::BITS_PER_SAMPLE)?.unwrap_or(8).min(32)) - 1) as f64;
        let reference: [f64; 6] = tags
            .fractions(tag::REFERENCE_BLACK_WHITE)?
            .try_into()
            .map_or(FULL, |given: [f64; 6]| given.map(|value| value * 255.0 / most));
        let near =
            |one: &[f64], other: &[f64], by: f64| one.iter().zip(other).all(|(one, other)| (one - other).abs() < by);
        let is_usual = near(&coefficients, &USUAL, 0.001) && near(&reference, &FULL, 0.6);
        let is_possible = coefficients[1].abs() > 0.01
            && coefficients.iter().chain(&reference).all(|value| value.is_finite())
            && reference.as_chunks::<2>().0.iter().all(|[black, white]| (white - black).abs() > 1.0);
        if !is_possible {
            return Err(corrupt("its luma and chroma are defined in a way that gives no colours"));
        }
        Ok(Self { subsampling, coefficients, reference, is_usual })
    }

    fn rgb(&self, color: [u8; 3]) -> [u8; 3] {
        if self.is_usual {
            return jpeg::ycbcr_to_rgb(color);
        }
        let [red, green, blue] = self.coefficients;
        let spread = |sample: u8, at: usize, range: f64| {
            (f64::from(sample) - self.reference[at]) * range / (self.reference[at + 1] - self.reference[at])
        };
        let (y, cb, cr) = (spread(color[0], 0, 255.0), spread(color[1], 2, 127.0), spread(color[2], 4, 127.0));
        let (r, b) = (y + cr * (2.0 - 2.0 * red), y + cb * (2.0 - 2.0 * blue));
        [r, (y - blue * b - red * r) / green, b].map(|value| value.round() as u8)
    }
}

/// CIE 1976 L*a*b* under D50, as presses have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lab {
    /// With signed a* and b*.
    Cie,
    /// As in ICC profiles: 128 is neutral.
    Icc,
}

impl Lab {
    fn rgb(self, [l, a, b]: [u8; 3]) -> [u8; 3] {
        let chroma = |value: u8| match self {
            Self::Cie => f64::from(value.cast_signed()),
            Self::Icc => f64::from(value) - 128.0,
        };
        srgb_of_lab([f64::from(l) * 100.0 / 255.0, chroma(a), chroma(b)])
    }
}

pub(in super::super) fn srgb_of_lab([l, a, b]: [f64; 3]) -> [u8; 3] {
    const WHITE: [f64; 3] = [0.964_22, 1.0, 0.825_21];
    /// From XYZ under D50 to linear sRGB, adapted by Bradford's matrix.
    const TO_SRGB: [[f64; 3]; 3] = [
        [3.133_856_1, -1.616_866_7, -0.490_614_6],
        [-0.978_768_4, 1.916_141_5, 0.033_454_0],
        [0.071_945_3, -0.228_991_4, 1.405_242_7],
    ];
    let y = (l + 16.0) / 116.0;
    let cube = |t: f64| if t > 6.0 / 29.0 { t.powi(3) } else { (t - 4.0 / 29.0) * 108.0 / 841.0 };
    let xyz = [cube(y + a / 500.0) * WHITE[0], cube(y) * WHITE[1], cube(y - b / 200.0) * WHITE[2]];
    TO_SRGB.map(|row| {
        let linear = (row[0] * xyz[0] + row[1] * xyz[1] + row[2] * xyz[2]).clamp(0.0, 1.0);
        let sample = if linear <= 0.003_130_8 { linear * 12.92 } else { 1.055 * linear.powf(1.0 / 2.4) - 0.055 };
        (sample * 255.0).round() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lab_becomes_the_colours_that_little_cms_makes_of_it() {
        for (lab, srgb) in [
            ([100.0, 0.0, 0.0], [255, 255, 255]),
            ([0.0, 0.0, 0.0], [0, 0, 0]),
            ([50.0, 0.0, 0.0], [119, 119, 119]),
            // Red, green and blue of sRGB.
            ([54.29, 80.80, 69.89], [255, 0, 0]),
            ([87.82, -79.27, 80.99], [0, 255, 0]),
            ([29.57, 68.30, -112.03], [0, 0, 255]),
        ] {
            let made = srgb_of_lab(lab);
            let differ = made.iter().zip(srgb).any(|(made, wanted)| made.abs_diff(wanted) > 1);
            assert!(!differ, "{lab:?}: {made:?} is not {srgb:?}");
        }
    }
}
