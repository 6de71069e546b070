//! Colours: what a pyramid may hold is gray, RGB with or without alpha, and CMYK; everything else is turned into it here.
//!
//! Gray and RGB keep their numbers and their profile. CMYK goes through its own profile (or the one the options name
//! for pictures without) to sRGB; where there is neither, as [`inks`](super::inks) look on coated paper. A picture
//! converted so has no profile: without one, everyone reads sRGB.
//!
//! [`ColorManagement`] may ask for something else: to convert nothing, so that CMYK stays what it is, or to convert
//! everything to a profile, which the pyramid then brings along. Conversions bring blacks together, unless the options say
//! otherwise ([`icc`]). Alpha stands beside RGB only, because that is where image
//! servers look for it.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use moxcms::Transform8BitExecutor;
use moxcms::{ColorProfile, DataColorSpace, Layout as IccLayout, ProfileClass, ProfileText, RenderingIntent};

use serde::{Deserialize, Serialize};

use super::decode::guarded;
use super::error::MediaError;
use super::format::Format;
use super::icc::{self, Blacks};
use super::inks;
use super::options::{ColorManagement, Options};
use super::picture::{ColorModel, Profile};
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

/// What the numbers of a profile's pixels are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum IccSpace {
    Gray,
    Rgb,
    Cmyk,
}

impl IccSpace {
    /// Of a profile that pictures can be in; None for any other and for what is no profile.
    pub fn of(profile: &[u8]) -> Option<Self> {
        let parsed = parse(profile)?;
        if matches!(parsed.profile_class, ProfileClass::DeviceLink | ProfileClass::Abstract | ProfileClass::Named) {
            return None;
        }
        match parsed.color_space {
            DataColorSpace::Gray => Some(Self::Gray),
            DataColorSpace::Rgb => Some(Self::Rgb),
            DataColorSpace::Cmyk => Some(Self::Cmyk),
            _ => None,
        }
    }

    /// In the words for pictures.
    pub const fn model(self) -> ColorModel {
        match self {
            Self::Gray => ColorModel::Gray,
            Self::Rgb => ColorModel::Rgb,
            Self::Cmyk => ColorModel::Cmyk,
        }
    }

    const fn layout(self) -> Layout {
        match self {
            Self::Gray => Layout::Gray,
            Self::Rgb => Layout::Rgb,
            Self::Cmyk => Layout::Cmyk,
        }
    }

    const fn of_layout(layout: Layout) -> Self {
        match layout {
            Layout::Gray | Layout::GrayAlpha => Self::Gray,
            Layout::Rgb | Layout::Rgba => Self::Rgb,
            Layout::Cmyk | Layout::CmykAlpha => Self::Cmyk,
        }
    }
}

fn parse(bytes: &[u8]) -> Option<ColorProfile> {
    let parsed = guarded(Format::IccProfile, || {
        ColorProfile::new_from_slice(bytes).map_err(|error| MediaError::corrupt(Format::IccProfile, error.to_string()))
    });
    parsed.ok()
}

/// What happened to a picture's colours or alpha that its owner may want to know.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error, Serialize, Deserialize)]
pub enum Note {
    #[error("the colour profile does not fit the picture or cannot be read, and was left out")]
    ProfileLeftOut,
    #[error("CMYK without a colour profile was turned into sRGB as on coated paper; its colours are approximate")]
    CmykByFormula,
    #[error("its colours became CMYK without a colour profile (icc); its inks are approximate")]
    InksByFormula,
    #[error("CMYK was turned into sRGB")]
    CmykConverted,
    #[error("the source profile is not one for its colours and was not used")]
    SourceProfileUnfit,
    #[error("the output profile cannot be used for it, and its colours were turned into sRGB")]
    OutputProfileUnfit,
    #[error("the colours of a gray picture with transparency were kept without their profile")]
    GraySpread,
    #[error("its crop leaves nothing of it, and it was not cropped")]
    CropLeavesNothing,
    #[error("no mask was made: it has neither a clipping path nor transparency")]
    NothingToMask,
    #[error("its samples of more than 8 bits were reduced to 8")]
    DepthReduced,
    #[error("floating-point samples were taken from 0 (black) to 1 (white); what lies beyond was cut off")]
    FloatCut,
    #[error("its colours were turned into sRGB, as it says of them (cICP, gAMA and cHRM, or linear)")]
    DeclaredColors,
    #[error("what it says of its colours (cICP or gAMA) is not read, and they were taken for sRGB")]
    DeclaredColorsUnread,
    #[error("its light was taken from 0 (black) to 1 (white), and what is brighter is white")]
    LightCut,
    #[error(
        "it was saved without its merged picture: its layers were laid on each other, without their effects and adjustments, and opacity and masks of groups worked on each layer by itself"
    )]
    LayersFlattened,
    #[error(
        "it was saved without its merged picture, and holds a blank one in its place; save it with maximal compatibility"
    )]
    NotMerged,
    #[error("its channels were taken for gray, or for cyan, magenta, yellow and black")]
    MultichannelTaken,
    #[error("it does not say what its four components are, which were taken for red, green, blue and transparency")]
    FourthIsAlpha,
    #[error("L*a*b* colours were turned into sRGB")]
    LabConverted,
    #[error("{}", channels_left_out(*.0))]
    ChannelsLeftOut(u32),
    #[error("{}", pages_left_out(*.0))]
    PagesLeftOut(u32),
    #[error("only the first frame was taken")]
    FirstFrameOnly,
    #[error("only the primary picture of the file was taken")]
    PrimaryOnly,
    #[error("res had no effect: it does not say how many pixels an inch it has")]
    NoResolution,
    #[error("its XMP is larger than a JPEG can hold, and was left out")]
    XmpTooLarge,
    #[error("its text was left out: no fonts are installed; the Debian package fonts-dejavu-core brings some")]
    NoFonts,
    #[error("a font that it names is not installed, and its text was set in another")]
    OtherFont,
    #[error("it refers to pictures outside of the file, which were left out")]
    OutsideLeftOut,
    #[error("it is not drawn as it is: {0}")]
    NotDrawn(String),
    #[error("{0} more things of it are not drawn as they are")]
    MoreNotDrawn(u32),
    #[error("it is damaged: the checksum of its pixels is not theirs; they were taken as they could be read")]
    ChecksumWrong,
    #[error(
        "it is damaged: coded data is left over where none belongs, and pixels before that may be wrong; they were taken as they \
         could be read"
    )]
    DataLeftOver,
    #[error(
        "it is damaged: coded data is missing or makes no sense, and pixels are missing or wrong; they were taken as they could be read"
    )]
    DataMissing,
    #[error(
        "hundreds of zeros stand in its coded data: where the picture is not plain there, it is damaged; it was taken as it could be read"
    )]
    MayHaveHole,
    #[error(
        "a part of the file beside its pixels is damaged and was left out: its transparency, orientation or resolution"
    )]
    PartLeftOut,
}

impl Note {
    /// Whether the file is not as it was written.
    pub(crate) const fn is_damage(&self) -> bool {
        matches!(
            self,
            Self::ChecksumWrong | Self::DataLeftOver | Self::DataMissing | Self::MayHaveHole | Self::PartLeftOut
        )
    }
}

fn channels_left_out(count: u32) -> String {
    let (channels, were) =
        if count == 1 { ("a channel".to_owned(), "was") } else { (format!("{count} channels"), "were") };
    format!("{channels} beside its colours and transparency (saved selections, spot inks) {were} left out")
}

fn pages_left_out(count: u32) -> String {
    format!("only the first of its {} pages was taken", u64::from(count) + 1)
}

/// Turns bands of pixels of one layout into those of another, which it names with their profile.
pub(crate) struct Converter {
    pub layout: Layout,
    pub profile: Option<Vec<u8>>,
    pub notes: Vec<Note>,
    step: Step,
}

enum Step {
    Keep,
    /// Inks have their alpha behind them: it is taken off, and put behind what comes of them, unless it is opaque throughout.
    Inks {
        converter: Box<Converter>,
        keeps_alpha: bool,
    },
    /// The alpha is opaque throughout.
    DropAlpha,
    GraySpread,
    CmykFormula,
    Icc(Transform),
    /// Without alpha, which is opaque throughout, and then so.
    Opaque(Transform),
    /// By formula to sRGB, and then so.
    Formula(Transform),
}

impl Converter {
    pub fn new(from: Layout, opaque: bool, profile: Option<&Profile>, options: &Options) -> Self {
        if from == Layout::CmykAlpha {
            return Self::of_inks(opaque, profile, options);
        }
        let (own, left_out) = fitting(from, profile);
        let mut notes: Vec<Note> = left_out.then_some(Note::ProfileLeftOut).into_iter().collect();
        let (fallback, blacks) = (options.cmyk_profile.as_deref(), options.blacks);
        match &options.colors {
            // CMYK has no room for what edits make transparent.
            ColorManagement::Maintain if from == Layout::Cmyk && !options.edits.add_alpha() => {
                let profile = own.map(|profile| profile.bytes.clone());
                Self { layout: from, profile, notes, step: Step::Keep }
            }
            ColorManagement::Maintain if from == Layout::GrayAlpha && !opaque => {
                notes.extend(own.map(|_| Note::GraySpread));
                Self { layout: Layout::Rgba, profile: None, notes, step: Step::GraySpread }
            }
            ColorManagement::Convert { source, output } => {
                let given = source.as_deref().filter(|bytes| IccSpace::of(bytes) == Some(IccSpace::of_layout(from)));
                let source_unfit = source.is_some() && given.is_none();
                if source_unfit || given.is_some() {
                    notes.clear();
                }
                notes.extend(source_unfit.then_some(Note::SourceProfileUnfit));
                let source = given.or(own.map(|profile| profile.bytes.as_slice()));
                let keeps_alpha = from.has_alpha() && !opaque;
                let needs_rgb = keeps_alpha || options.edits.add_alpha();
                if let Some(output) = output {
                    match convert(
                        from,
                        keeps_alpha,
                        needs_rgb,
                        source.or(fallback.filter(|_| from == Layout::Cmyk)),
                        (output, blacks),
                    ) {
                        Some((layout, step)) => return Self { layout, profile: Some(output.to_vec()), notes, step },
                        None => notes.push(Note::OutputProfileUnfit),
                    }
                }
                Self::to_plain(from, opaque, source, (fallback, blacks), notes)
            }
            ColorManagement::Default | ColorManagement::Maintain => {
                Self::by_default(from, opaque, own, (fallback, blacks), notes)
            }
        }
    }

    /// Of inks with alpha, which stands beside RGB only.
    fn of_inks(opaque: bool, profile: Option<&Profile>, options: &Options) -> Self {
        let mut options = options.clone();
        options.edits.mask |= !opaque;
        let mut converter = Self::new(Layout::Cmyk, true, profile, &options);
        let (profile, notes) = (converter.profile.take(), std::mem::take(&mut converter.notes));
        let layout = if opaque { converter.layout } else { Layout::Rgba };
        Self { layout, profile, notes, step: Step::Inks { converter: Box::new(converter), keeps_alpha: !opaque } }
    }

    fn by_default(
        from: Layout,
        opaque: bool,
        profile: Option<&Profile>,
        (cmyk_fallback, blacks): (Option<&[u8]>, Blacks),
        mut notes: Vec<Note>,
    ) -> Self {
        let bytes = || profile.map(|profile| profile.bytes.clone());
        match from {
            Layout::Gray | Layout::Rgb => Self { layout: from, profile: bytes(), notes, step: Step::Keep },
            Layout::GrayAlpha | Layout::Rgba if opaque => {
                Self { layout: from.opaque(), profile: bytes(), notes, step: Step::DropAlpha }
            }
            Layout::Rgba => Self { layout: from, profile: bytes(), notes, step: Step::Keep },
            // Servers read alpha beside RGB only.
            Layout::GrayAlpha => {
                let transform = profile.and_then(|profile| transform(&profile.bytes, from, Layout::Rgba, blacks));
                let step = transform.map_or(Step::GraySpread, Step::Icc);
                Self { layout: Layout::Rgba, profile: None, notes, step }
            }
            Layout::Cmyk | Layout::CmykAlpha => {
                let own = profile.map(|profile| profile.bytes.as_slice());
                let (step, note) = cmyk_to_srgb(own.or(cmyk_fallback), blacks);
                notes.push(note);
                Self { layout: Layout::Rgb, profile: None, notes, step }
            }
        }
    }

    /// To sRGB, whatever it is in. Without a profile gray and RGB are taken for sRGB as they are.
    fn to_plain(
        from: Layout,
        opaque: bool,
        source: Option<&[u8]>,
        (cmyk_fallback, blacks): (Option<&[u8]>, Blacks),
        mut notes: Vec<Note>,
    ) -> Self {
        let (layout, step) = match from {
            Layout::Cmyk | Layout::CmykAlpha => {
                let (step, note) = cmyk_to_srgb(source.or(cmyk_fallback), blacks);
                notes.push(note);
                (Layout::Rgb, step)
            }
            Layout::GrayAlpha | Layout::Rgba if opaque => {
                let layout = from.opaque();
                let transform = source.and_then(|source| transform(source, layout, layout, blacks));
                (layout, transform.map_or(Step::DropAlpha, Step::Opaque))
            }
            Layout::GrayAlpha => {
                let transform = source.and_then(|source| transform(source, from, Layout::Rgba, blacks));
                (Layout::Rgba, transform.map_or(Step::GraySpread, Step::Icc))
            }
            Layout::Gray | Layout::Rgb | Layout::Rgba => {
                let transform = source.and_then(|source| transform(source, from, from, blacks));
                (from, transform.map_or(Step::Keep, Step::Icc))
            }
        };
        Self { layout, profile: None, notes, step }
    }

    /// Brings what a pyramid holds, of the profile given, to sRGB: for pictures that are shown without a profile.
    pub fn to_srgb(layout: Layout, profile: Option<&[u8]>, (cmyk_fallback, blacks): (Option<&[u8]>, Blacks)) -> Self {
        Self::to_plain(layout, false, profile, (cmyk_fallback, blacks), Vec::new())
    }

    pub fn apply<'a>(&self, from: Layout, band: Cow<'a, [u8]>) -> Result<Cow<'a, [u8]>, MediaError> {
        let converted = match &self.step {
            Step::Keep => return Ok(band),
            Step::Inks { converter, keeps_alpha } => {
                let colors = converter.apply(Layout::Cmyk, drop_alpha(&band, from.samples()).into())?.into_owned();
                if *keeps_alpha { with_alpha_of(&colors, &band, from.samples()) } else { colors }
            }
            Step::DropAlpha => drop_alpha(&band, from.samples()),
            Step::GraySpread => {
                band.as_chunks::<2>().0.iter().flat_map(|[gray, alpha]| [*gray, *gray, *gray, *alpha]).collect()
            }
            Step::CmykFormula => inks::to_srgb(&band),
            Step::Icc(transform) => self.transformed(transform, &band, from.samples())?,
            Step::Opaque(transform) => {
                self.transformed(transform, &drop_alpha(&band, from.samples()), from.samples() - 1)?
            }
            Step::Formula(transform) => {
                let rgb = inks::to_srgb(&band);
                self.transformed(transform, &rgb, 3)?
            }
        };
        Ok(Cow::Owned(converted))
    }

    fn transformed(&self, transform: &Transform, band: &[u8], samples: usize) -> Result<Vec<u8>, MediaError> {
        let mut out = vec![0; band.len() / samples * self.layout.samples()]; // bounded: by the band there is
        transform
            .transform(band, &mut out)
            .map_err(|error| MediaError::corrupt(Format::IccProfile, error.to_string()))?;
        Ok(out)
    }
}

fn cmyk_to_srgb(profile: Option<&[u8]>, blacks: Blacks) -> (Step, Note) {
    match profile.and_then(|bytes| transform(bytes, Layout::Cmyk, Layout::Rgb, blacks)) {
        Some(transform) => (Step::Icc(transform), Note::CmykConverted),
        None => (Step::CmykFormula, Note::CmykByFormula),
    }
}

/// From pixels in `source` to the profile `output`, and their layout then. None where that is not possible: what has alpha
/// can only come to RGB.
fn convert(
    from: Layout,
    keeps_alpha: bool,
    needs_rgb: bool,
    source: Option<&[u8]>,
    (output, blacks): (&[u8], Blacks),
) -> Option<(Layout, Step)> {
    let space = IccSpace::of(output).filter(|space| !needs_rgb || *space == IccSpace::Rgb)?;
    let layout = if keeps_alpha { Layout::Rgba } else { space.layout() };
    let output = parse(output)?;
    let source = match (source, from) {
        (Some(source), _) => parse(source)?,
        (None, Layout::Cmyk | Layout::CmykAlpha) => {
            let transform = transform_between((&ColorProfile::new_srgb(), Layout::Rgb), (&output, layout), blacks)?;
            return Some((layout, Step::Formula(transform)));
        }
        (None, Layout::Gray | Layout::GrayAlpha) => {
            // Gray without a profile is as bright as sRGB whose colours are all the same.
            ColorProfile::new_gray_with_gamma(2.2)
        }
        (None, Layout::Rgb | Layout::Rgba) => ColorProfile::new_srgb(),
    };
    let drops_alpha = from.has_alpha() && !keeps_alpha;
    let read = if drops_alpha { from.opaque() } else { from };
    let transform = transform_between((&source, read), (&output, layout), blacks)?;
    Some((layout, if drops_alpha { Step::Opaque(transform) } else { Step::Icc(transform) }))
}

fn drop_alpha(band: &[u8], samples: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(band.len() / samples * (samples - 1)); // bounded: by the band there is
    for pixel in band.chunks_exact(samples) {
        out.extend_from_slice(&pixel[..samples - 1]);
    }
    out
}

/// RGB with the alpha of as many pixels.
fn with_alpha_of(colors: &[u8], pixels: &[u8], samples: usize) -> Vec<u8> {
    let (colors, alpha) = (colors.as_chunks::<3>().0, pixels.chunks_exact(samples).map(|pixel| pixel[samples - 1]));
    colors.iter().zip(alpha).flat_map(|([red, green, blue], alpha)| [*red, *green, *blue, alpha]).collect()
}

/// `profile` if it describes pixels of this layout, and whether one was there that does not.
fn fitting(layout: Layout, profile: Option<&Profile>) -> (Option<&Profile>, bool) {
    let fits = |profile: &&Profile| IccSpace::of(&profile.bytes) == Some(IccSpace::of_layout(layout));
    let kept = profile.filter(fits);
    (kept, kept.is_none() && profile.is_some())
}

/// Reads the ICC profile that CMYK pictures without one are taken to have.
pub fn read_cmyk_profile(path: &Path) -> Result<Arc<[u8]>, MediaError> {
    let failed = |source| MediaError::Io { doing: format!("read the CMYK profile {}", path.display()), source };
    let bytes = std::fs::read(path).map_err(failed)?; // bounded: by whoever sets up the server
    if transform(&bytes, Layout::Cmyk, Layout::Rgb, Blacks::Kept).is_none() {
        let what = format!("{} is not an ICC profile that turns CMYK into colours", path.display());
        return Err(MediaError::corrupt(Format::IccProfile, what));
    }
    Ok(bytes.into())
}

/// From the profile in `bytes` to sRGB.
fn transform(bytes: &[u8], from: Layout, to: Layout, blacks: Blacks) -> Option<Transform> {
    transform_between((&parse(bytes)?, from), (&ColorProfile::new_srgb(), to), blacks)
}

fn transform_between(
    (source, from): (&ColorProfile, Layout),
    (target, to): (&ColorProfile, Layout),
    blacks: Blacks,
) -> Option<Transform> {
    let intent = RenderingIntent::RelativeColorimetric;
    icc::link((source, icc_layout(from)), (target, icc_layout(to)), intent, blacks).ok()
}

/// Four inks go under the name of the other layout with four samples.
fn icc_layout(layout: Layout) -> IccLayout {
    match layout {
        Layout::Gray => IccLayout::Gray,
        Layout::GrayAlpha => IccLayout::GrayAlpha,
        Layout::Rgb => IccLayout::Rgb,
        Layout::Rgba | Layout::Cmyk | Layout::CmykAlpha => IccLayout::Rgba,
    }
}
