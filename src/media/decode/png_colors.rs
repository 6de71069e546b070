//! What a PNG says of its colours other than by a profile: cICP, or gAMA with cHRM. Its pixels become sRGB, as viewers show them.
//!
//! Which of them counts is the order of PNG's third edition (4.3): cICP, iCCP, sRGB, then gAMA and cHRM.

use std::sync::Arc;

use moxcms::{
    Chromaticity, CicpColorPrimaries, CicpProfile, ColorPrimaries, ColorProfile, Layout as IccLayout,
    MatrixCoefficients, ToneReprCurve, TransferCharacteristics, Transform16BitExecutor, TransformOptions,
};
use png::{CodingIndependentCodePoints, Info, SourceChromaticities};

use super::super::color::Note;
use super::super::error::MediaError;
use super::super::format::Format;
use super::super::raster::{Layout, narrowed};
use super::guarded;

/// What is to be done with the colours of a file.
pub(super) enum Declared {
    /// They are sRGB, of a profile, or nothing is said of them.
    AsStored,
    Other(Box<ColorProfile>),
    /// It is said in a way that is not read.
    Unread,
}

impl Declared {
    pub fn of(info: &Info<'_>, has_profile: bool) -> Self {
        match info.coding_independent_code_points {
            Some(points) => Self::of_points(points),
            None if has_profile || info.srgb.is_some() => Self::AsStored,
            None => match info.gama_chunk.map(|gamma| gamma.into_value()) {
                Some(gamma) => Self::of_gamma(gamma, info.chrm_chunk.as_ref()),
                None => Self::AsStored,
            },
        }
    }

    fn of_points(points: CodingIndependentCodePoints) -> Self {
        const IDENTITY: u8 = 0;
        const BT709: u8 = 1;
        const SRGB: u8 = 13;
        const PQ: u8 = 16;
        const HLG: u8 = 18;
        let CodingIndependentCodePoints { color_primaries, transfer_function, matrix_coefficients, .. } = points;
        if (color_primaries, transfer_function) == (BT709, SRGB) && points.is_video_full_range_image {
            return Self::AsStored;
        }
        let is_plain = matrix_coefficients == IDENTITY && points.is_video_full_range_image;
        let (Ok(primaries), Ok(transfer)) =
            (CicpColorPrimaries::try_from(color_primaries), TransferCharacteristics::try_from(transfer_function))
        else {
            return Self::Unread;
        };
        // How bright their white is, is for whoever shows them to decide.
        if !is_plain || matches!(transfer_function, PQ | HLG) {
            return Self::Unread;
        }
        Self::checked(ColorProfile::new_from_cicp(CicpProfile {
            color_primaries: primaries,
            transfer_characteristics: transfer,
            matrix_coefficients: MatrixCoefficients::Identity,
            full_range: true,
        }))
    }

    fn of_gamma(gamma: f32, chromaticities: Option<&SourceChromaticities>) -> Self {
        /// What is written for sRGB by those who know no better, and how far from it others are.
        const SRGB: f32 = 1.0 / 2.2;
        const NEAR: f32 = 0.005;
        let primaries = chromaticities.filter(|given| !is_srgb(given));
        if (gamma - SRGB).abs() < NEAR && primaries.is_none() {
            return Self::AsStored;
        }
        if !(0.05..=20.0).contains(&gamma) {
            return Self::Unread;
        }
        let mut profile = ColorProfile::new_srgb();
        if let Some(SourceChromaticities { white, red, green, blue }) = primaries {
            let at = |place: &(png::ScaledFloat, png::ScaledFloat)| Chromaticity {
                x: place.0.into_value(),
                y: place.1.into_value(),
            };
            let primaries = ColorPrimaries { red: at(red), green: at(green), blue: at(blue) };
            profile.update_rgb_colorimetry(at(white).to_xyyb(), primaries);
        }
        profile.cicp = None;
        let curve = ToneReprCurve::Parametric(vec![1.0 / gamma]);
        (profile.red_trc, profile.green_trc, profile.blue_trc) =
            (Some(curve.clone()), Some(curve.clone()), Some(curve));
        Self::checked(profile)
    }

    fn checked(profile: ColorProfile) -> Self {
        let matrix = profile.rgb_to_xyz_matrix();
        let is_whole = matrix.v.iter().flatten().all(|number| number.is_finite()) && profile.red_trc.is_some();
        // What lies outside of all colours gives no conversion.
        if is_whole && Toner::new(&profile, Layout::Rgb).is_ok() {
            Self::Other(Box::new(profile))
        } else {
            Self::Unread
        }
    }

    pub fn note(&self) -> Option<Note> {
        match self {
            Self::AsStored => None,
            Self::Other(_) => Some(Note::DeclaredColors),
            Self::Unread => Some(Note::DeclaredColorsUnread),
        }
    }

    pub fn toner(&self, layout: Layout) -> Result<Option<Toner>, MediaError> {
        match self {
            Self::Other(profile) => Toner::new(profile, layout).map(Some),
            Self::AsStored | Self::Unread => Ok(None),
        }
    }
}

fn is_srgb(given: &SourceChromaticities) -> bool {
    const SRGB: [(f32, f32); 4] = [(0.3127, 0.329), (0.64, 0.33), (0.3, 0.6), (0.15, 0.06)];
    let near = |place: (png::ScaledFloat, png::ScaledFloat), (x, y): (f32, f32)| {
        (place.0.into_value() - x).abs() < 0.002 && (place.1.into_value() - y).abs() < 0.002
    };
    [given.white, given.red, given.green, given.blue].into_iter().zip(SRGB).all(|(place, srgb)| near(place, srgb))
}

/// Turns rows into sRGB of 8 bits.
pub(super) struct Toner {
    layout: Layout,
    transform: Arc<Transform16BitExecutor>,
    wide: Vec<u16>,
    turned: Vec<u16>,
}

impl Toner {
    fn new(profile: &ColorProfile, layout: Layout) -> Result<Self, MediaError> {
        let icc = match layout.has_alpha() {
            true => IccLayout::Rgba,
            false => IccLayout::Rgb,
        };
        let transform = guarded(Format::Png, || {
            profile
                .create_transform_16bit(icc, &ColorProfile::new_srgb(), icc, TransformOptions::default())
                .map_err(|error| MediaError::corrupt(Format::Png, error.to_string()))
        })?;
        Ok(Self { layout, transform, wide: Vec::new(), turned: Vec::new() })
    }

    /// Appends a row as it is stored, of 8 or 16 bits, to `pixels`.
    pub fn append(&mut self, row: &[u8], is_deep: bool, pixels: &mut Vec<u8>) -> Result<(), MediaError> {
        let deep = row.as_chunks::<2>().0.iter().map(|bytes| u16::from_be_bytes(*bytes));
        let flat = row.iter().map(|byte| u16::from(*byte) * 257);
        let samples: &mut dyn Iterator<Item = u16> = if is_deep { &mut { deep } } else { &mut { flat } };
        self.wide.clear();
        // Gray goes as three equal colours.
        match self.layout {
            Layout::Gray => samples.for_each(|gray| self.wide.extend([gray; 3])),
            Layout::GrayAlpha => {
                while let (Some(gray), Some(alpha)) = (samples.next(), samples.next()) {
                    self.wide.extend([gray, gray, gray, alpha]);
                }
            }
            _ => self.wide.extend(samples),
        }
        self.turned.clear();
        self.turned.resize(self.wide.len(), 0); // bounded: by the row
        let turned = self.transform.transform(&self.wide, &mut self.turned);
        turned.map_err(|error| MediaError::corrupt(Format::Png, error.to_string()))?;
        let narrow = |wide: &u16| narrowed(*wide);
        match self.layout {
            Layout::Gray => pixels.extend(self.turned.iter().step_by(3).map(narrow)),
            Layout::GrayAlpha => {
                let kept = self.turned.as_chunks::<4>().0.iter().flat_map(|[gray, _, _, alpha]| [gray, alpha]);
                pixels.extend(kept.map(narrow));
            }
            _ => pixels.extend(self.turned.iter().map(narrow)),
        }
        Ok(())
    }
}
