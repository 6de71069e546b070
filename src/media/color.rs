//! Colours: what a pyramid may hold is gray or RGB, with or without alpha; everything else is turned into it here.
//!
//! Gray and RGB keep their numbers and their profile. CMYK goes through its own profile (or the one the options name
//! for pictures without) to sRGB; where there is neither, as [`inks`](super::inks) look on coated paper. A picture
//! converted so has no profile: without one, everyone reads sRGB.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use moxcms::{ColorProfile, DataColorSpace, Layout as IccLayout, ProfileText, RenderingIntent};
use moxcms::{Transform8BitExecutor, TransformOptions};

use super::decode::guarded;
use super::error::MediaError;
use super::format::Format;
use super::inks;
use super::picture::Profile;
use super::raster::Layout;

type Transform = Arc<Transform8BitExecutor>;

impl Profile {
    /// Takes `bytes` as they are. A profile that cannot be read has no description and is found out when it is used.
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        let description = parse(&bytes).and_then(|profile| profile.description.as_ref().and_then(first_text));
        Self { bytes, description: description.unwrap_or_default() }
    }
}

fn first_text(text: &ProfileText) -> Option<String> {
    let text = match text {
        ProfileText::PlainString(text) => text,
        ProfileText::Localizable(texts) => &texts.iter().find(|text| text.language == "en").or(texts.first())?.value,
        ProfileText::Description(text) if text.ascii_string.is_empty() => &text.unicode_string,
        ProfileText::Description(text) => &text.ascii_string,
    };
    Some(text.trim_matches(|c: char| c.is_whitespace() || c.is_control()).to_owned())
}

fn parse(bytes: &[u8]) -> Option<ColorProfile> {
    let parsed = guarded(Format::IccProfile, || {
        ColorProfile::new_from_slice(bytes).map_err(|error| MediaError::corrupt(Format::IccProfile, error.to_string()))
    });
    parsed.ok()
}

/// What happened to a picture's colours or alpha that its owner may want to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Note {
    #[error("the colour profile does not fit the picture or cannot be read, and was left out")]
    ProfileLeftOut,
    #[error("CMYK without a colour profile was turned into sRGB as on coated paper; its colours are approximate")]
    CmykByFormula,
    #[error("CMYK was turned into sRGB")]
    CmykConverted,
    #[error("16 bits a sample were reduced to 8")]
    DepthReduced,
    #[error("only the first frame was taken")]
    FirstFrameOnly,
}

/// Turns bands of pixels of one layout into those of another, which it names with their profile.
pub(crate) struct Converter {
    pub layout: Layout,
    pub profile: Option<Vec<u8>>,
    pub note: Option<Note>,
    step: Step,
}

enum Step {
    Keep,
    /// The alpha is opaque throughout.
    DropAlpha,
    GraySpread,
    CmykFormula,
    Icc(Transform),
}

impl Converter {
    pub fn new(from: Layout, opaque: bool, profile: Option<&Profile>, cmyk_fallback: Option<&[u8]>) -> Self {
        let (profile, left_out) = fitting(from, profile);
        let note = left_out.then_some(Note::ProfileLeftOut);
        let bytes = || profile.map(|profile| profile.bytes.clone());
        match from {
            Layout::Gray | Layout::Rgb => Self { layout: from, profile: bytes(), note, step: Step::Keep },
            Layout::GrayAlpha | Layout::Rgba if opaque => {
                Self { layout: from.opaque(), profile: bytes(), note, step: Step::DropAlpha }
            }
            Layout::Rgba => Self { layout: from, profile: bytes(), note, step: Step::Keep },
            // Servers read alpha beside RGB only.
            Layout::GrayAlpha => {
                let transform = profile.and_then(|profile| transform(&profile.bytes, from, Layout::Rgba));
                let step = transform.map_or(Step::GraySpread, Step::Icc);
                Self { layout: Layout::Rgba, profile: None, note, step }
            }
            Layout::Cmyk => {
                let own = profile.map(|profile| profile.bytes.as_slice());
                match own.or(cmyk_fallback).and_then(|bytes| transform(bytes, from, Layout::Rgb)) {
                    Some(transform) => {
                        let step = Step::Icc(transform);
                        Self { layout: Layout::Rgb, profile: None, note: Some(Note::CmykConverted), step }
                    }
                    None => {
                        let note = Some(Note::CmykByFormula);
                        Self { layout: Layout::Rgb, profile: None, note, step: Step::CmykFormula }
                    }
                }
            }
        }
    }

    /// Brings gray or RGB, of the profile given, to sRGB: for pictures that are shown without a profile.
    pub fn to_srgb(layout: Layout, profile: Option<&[u8]>) -> Self {
        let transform = profile.and_then(|bytes| transform(bytes, layout, layout));
        let step = transform.map_or(Step::Keep, Step::Icc);
        Self { layout, profile: None, note: None, step }
    }

    pub fn apply<'a>(&self, from: Layout, band: Cow<'a, [u8]>) -> Result<Cow<'a, [u8]>, MediaError> {
        let converted = match &self.step {
            Step::Keep => return Ok(band),
            Step::DropAlpha => drop_alpha(&band, from.samples()),
            Step::GraySpread => {
                band.as_chunks::<2>().0.iter().flat_map(|[gray, alpha]| [*gray, *gray, *gray, *alpha]).collect()
            }
            Step::CmykFormula => inks::to_srgb(&band),
            Step::Icc(transform) => {
                let mut out = vec![0; band.len() / from.samples() * self.layout.samples()];
                transform
                    .transform(&band, &mut out)
                    .map_err(|error| MediaError::corrupt(Format::IccProfile, error.to_string()))?;
                out
            }
        };
        Ok(Cow::Owned(converted))
    }
}

fn drop_alpha(band: &[u8], samples: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(band.len() / samples * (samples - 1));
    for pixel in band.chunks_exact(samples) {
        out.extend_from_slice(&pixel[..samples - 1]);
    }
    out
}

/// `profile` if it describes pixels of this layout, and whether one was there that does not.
fn fitting(layout: Layout, profile: Option<&Profile>) -> (Option<&Profile>, bool) {
    let space = match layout {
        Layout::Gray | Layout::GrayAlpha => DataColorSpace::Gray,
        Layout::Rgb | Layout::Rgba => DataColorSpace::Rgb,
        Layout::Cmyk => DataColorSpace::Cmyk,
    };
    let fits = |profile: &&Profile| parse(&profile.bytes).is_some_and(|parsed| parsed.color_space == space);
    let kept = profile.filter(fits);
    (kept, kept.is_none() && profile.is_some())
}

/// Reads the ICC profile that CMYK pictures without one are taken to have.
pub fn read_cmyk_profile(path: &Path) -> Result<Arc<[u8]>, MediaError> {
    let failed = |source| MediaError::Io { doing: format!("read the CMYK profile {}", path.display()), source };
    let bytes = std::fs::read(path).map_err(failed)?;
    if transform(&bytes, Layout::Cmyk, Layout::Rgb).is_none() {
        let what = format!("{} is no ICC profile that turns CMYK into colours", path.display());
        return Err(MediaError::corrupt(Format::IccProfile, what));
    }
    Ok(bytes.into())
}

/// From the profile in `bytes` to sRGB.
fn transform(bytes: &[u8], from: Layout, to: Layout) -> Option<Transform> {
    let source = parse(bytes)?;
    let made = guarded(Format::IccProfile, || {
        let options =
            TransformOptions { rendering_intent: RenderingIntent::RelativeColorimetric, ..Default::default() };
        source
            .create_transform_8bit(icc_layout(from), &ColorProfile::new_srgb(), icc_layout(to), options)
            .map_err(|error| MediaError::corrupt(Format::IccProfile, error.to_string()))
    });
    made.ok()
}

/// Four inks go under the name of the other layout with four samples.
fn icc_layout(layout: Layout) -> IccLayout {
    match layout {
        Layout::Gray => IccLayout::Gray,
        Layout::GrayAlpha => IccLayout::GrayAlpha,
        Layout::Rgb => IccLayout::Rgb,
        Layout::Rgba | Layout::Cmyk => IccLayout::Rgba,
    }
}
