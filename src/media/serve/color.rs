//! Colours of the view: from those of the pyramid to those of the file, and what is transparent onto a background.
//!
//! Without `icc` the file is in sRGB, whatever the pyramid's profile; gray and CMYK are then made of sRGB by the plain
//! formulas of the protocol. With it they go through the profile. A pyramid without a profile is taken for sRGB.
//!
//! A pyramid in CMYK goes through its own profile, or the one that is taken for those without, or else by how
//! [`inks`](super::super::inks) look. Where its inks are what is asked for, they stay what they are.

use std::sync::Arc;

use moxcms::{ColorProfile, DataColorSpace, Layout as IccLayout, RenderingIntent, Transform8BitExecutor};

use super::super::color::{Converter, IccSpace, Note};
use super::super::decode::guarded;
use super::super::error::MediaError;
use super::super::format::Format;
use super::super::icc::{self, Blacks};
use super::super::raster::{Layout, Raster};
use crate::serving::{BuiltInProfile, Color, Commands, Intent, PixelType};

/// Why an order cannot be carried out with its profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadProfile {
    #[error("the profile \"{0}\" cannot be read as an ICC profile")]
    Unreadable(String),
    #[error("the profile \"{name}\" is for {is}, and pictures become gray, RGB or CMYK")]
    Space { name: String, is: String },
    #[error("the profile \"{name}\" is for {is}, but fmt asks for {wanted}")]
    Mismatch { name: String, is: &'static str, wanted: &'static str },
    #[error("the profile \"{name}\" cannot be used to write with: {reason}")]
    NotForOutput { name: String, reason: String },
}

/// The colours of the file, the same for every picture of an order.
pub(super) struct Target {
    pub pixels: PixelType,
    /// What `iccEmbed` embeds.
    pub profile: Option<Vec<u8>>,
    /// From sRGB, if there is more to it than the formulas.
    through: Option<Through>,
    blacks: Blacks,
    background: Color,
}

struct Through {
    transform: Arc<Transform8BitExecutor>,
    destination: ColorProfile,
    intent: RenderingIntent,
}

impl Target {
    /// `profile` is the content of the asset that `icc` names, unless that is built in. `blacks` is for orders that do not
    /// say what becomes of them.
    pub fn new(commands: &Commands, profile: Option<&[u8]>, blacks: Blacks) -> Result<Self, BadProfile> {
        let background = commands.bgc.unwrap_or(Color::WHITE);
        let Some(asked) = &commands.icc else {
            let pixels = commands.fmt.pixels.unwrap_or(PixelType::Rgb);
            // The formulas lead to no colour space that a profile would describe.
            let profile = (pixels == PixelType::Rgb).then(|| ColorProfile::new_srgb().encode().ok()).flatten();
            return Ok(Self { pixels, profile, through: None, blacks, background });
        };
        let name = asked.profile.clone();
        let (destination, bytes) = match (profile, BuiltInProfile::named(&name)) {
            (Some(bytes), _) => (parse(bytes).ok_or(BadProfile::Unreadable(name.clone()))?, bytes.to_vec()),
            (None, Some(built_in)) => {
                let made = made(built_in);
                let bytes = made.encode().map_err(|_| BadProfile::Unreadable(name.clone()))?;
                (made, bytes)
            }
            (None, None) => return Err(BadProfile::Unreadable(name)),
        };
        let pixels = match destination.color_space {
            DataColorSpace::Gray => PixelType::Gray,
            DataColorSpace::Rgb => PixelType::Rgb,
            DataColorSpace::Cmyk => PixelType::Cmyk,
            other => return Err(BadProfile::Space { name, is: format!("{other:?}") }),
        };
        if let Some(wanted) = commands.insists_on(pixels) {
            return Err(BadProfile::Mismatch { name, is: pixels.name(), wanted: wanted.name() });
        }
        let intent = rendering_intent(asked.intent);
        let blacks = asked.black_point.map_or(blacks, Blacks::compensated);
        let srgb = ColorProfile::new_srgb();
        let transform = icc::link((&srgb, IccLayout::Rgb), (&destination, icc_layout(pixels)), intent, blacks)
            .map_err(|error| BadProfile::NotForOutput { name, reason: error.to_string() })?;
        let through = Some(Through { transform, destination, intent });
        Ok(Self { pixels, profile: Some(bytes), through, blacks, background })
    }

    /// The colours of the view in those of the file, and its alpha if it has any. `fallback` is the profile of inks that
    /// have none.
    pub fn convert(
        &self,
        view: Raster,
        profile: Option<&[u8]>,
        fallback: Option<&[u8]>,
    ) -> Result<(Colors, Option<Note>), MediaError> {
        let (width, height, layout) = (view.width(), view.height(), view.layout());
        let (colors, alpha) = split(view);
        if layout.opaque() == Layout::Cmyk {
            let (pixels, note) = self.of_inks(colors, profile.or(fallback))?;
            return Ok((Colors { width, height, samples: self.samples(), pixels, alpha }, note));
        }
        let direct = match (&self.through, layout.opaque(), profile) {
            // From one RGB to another without a stop at sRGB, which may be smaller than both.
            (Some(through), Layout::Rgb, Some(profile)) => parse(profile)
                .filter(|source| source.color_space == DataColorSpace::Rgb)
                .and_then(|source| self.direct(through, &source, IccLayout::Rgb)),
            _ => None,
        };
        let pixels = match direct {
            Some(direct) => apply(direct.as_ref(), &colors, 3, self.samples())?,
            None => {
                let srgb = self.srgb(&colors, layout.opaque(), profile)?;
                self.of_srgb(srgb)?
            }
        };
        Ok((Colors { width, height, samples: self.samples(), pixels, alpha }, None))
    }

    /// To the profile of the file without a stop.
    fn direct(&self, through: &Through, source: &ColorProfile, from: IccLayout) -> Option<Arc<Transform8BitExecutor>> {
        let target = (&through.destination, icc_layout(self.pixels));
        icc::link((source, from), target, through.intent, self.blacks).ok()
    }

    /// What becomes of inks, and what is to be said of it.
    fn of_inks(&self, inks: Vec<u8>, profile: Option<&[u8]>) -> Result<(Vec<u8>, Option<Note>), MediaError> {
        if self.keeps_inks(profile) {
            return Ok((inks, None));
        }
        let profile = profile.filter(|profile| IccSpace::of(profile) == Some(IccSpace::Cmyk));
        if let (Some(through), Some(source)) = (&self.through, profile.and_then(parse))
            && let Some(direct) = self.direct(through, &source, INKS)
        {
            return Ok((apply(direct.as_ref(), &inks, 4, self.samples())?, None));
        }
        let (srgb, note) = inks_as_srgb(inks, profile, self.blacks)?;
        Ok((self.of_srgb(srgb)?, note))
    }

    /// The colours of the view in sRGB, for what is done to them before they become those of the file.
    pub fn as_srgb(
        &self,
        view: Raster,
        profile: Option<&[u8]>,
        fallback: Option<&[u8]>,
    ) -> Result<(Colors, Option<Note>), MediaError> {
        let (width, height, layout) = (view.width(), view.height(), view.layout());
        let (colors, alpha) = split(view);
        let (pixels, note) = if layout.opaque() == Layout::Cmyk {
            let profile = profile.or(fallback).filter(|profile| IccSpace::of(profile) == Some(IccSpace::Cmyk));
            inks_as_srgb(colors, profile, self.blacks)?
        } else {
            (self.srgb(&colors, layout.opaque(), profile)?, None)
        };
        Ok((Colors { width, height, samples: 3, pixels, alpha }, note))
    }

    /// Colours in sRGB as those of the file.
    pub fn finish(&self, colors: Colors) -> Result<Colors, MediaError> {
        let pixels = self.of_srgb(colors.pixels)?;
        Ok(Colors { samples: self.samples(), pixels, ..colors })
    }

    /// What `bgColor` is in the colours of the file.
    pub fn samples_of(&self, color: Color) -> Vec<u8> {
        match self.pixels {
            PixelType::Gray => vec![color.gray()],
            PixelType::Rgb => color.rgb().to_vec(),
            PixelType::Cmyk => color.cmyk().to_vec(),
        }
    }

    /// Whether inks of this profile are those of the file.
    pub fn keeps_inks(&self, profile: Option<&[u8]>) -> bool {
        let is_theirs =
            self.through.is_none() || profile.is_some_and(|profile| self.profile.as_deref() == Some(profile));
        self.pixels == PixelType::Cmyk && is_theirs
    }

    /// Whether inks of the file are made of light by no profile.
    pub fn invents_inks(&self, of: Layout) -> bool {
        self.pixels == PixelType::Cmyk && self.through.is_none() && of.opaque() != Layout::Cmyk
    }

    fn of_srgb(&self, srgb: Vec<u8>) -> Result<Vec<u8>, MediaError> {
        match &self.through {
            Some(through) => apply(through.transform.as_ref(), &srgb, 3, self.samples()),
            None => Ok(self.by_formula(srgb)),
        }
    }

    fn samples(&self) -> usize {
        match self.pixels {
            PixelType::Gray => 1,
            PixelType::Rgb => 3,
            PixelType::Cmyk => 4,
        }
    }

    /// Gray or RGB as RGB in sRGB.
    fn srgb(&self, colors: &[u8], layout: Layout, profile: Option<&[u8]>) -> Result<Vec<u8>, MediaError> {
        let converted = Converter::to_srgb(layout, profile, (None, self.blacks)).apply(layout, colors.into())?;
        Ok(match layout {
            Layout::Gray => converted.iter().flat_map(|gray| [*gray; 3]).collect(),
            _ => converted.into_owned(),
        })
    }

    fn by_formula(&self, srgb: Vec<u8>) -> Vec<u8> {
        let pixels = srgb.as_chunks::<3>().0.iter();
        match self.pixels {
            PixelType::Rgb => srgb,
            PixelType::Gray => pixels.map(|rgb| Color::Rgb(*rgb).gray()).collect(),
            PixelType::Cmyk => pixels.flat_map(|rgb| Color::Rgb(*rgb).cmyk()).collect(),
        }
    }

    /// The background in the colours of the file, to which its numbers belong.
    fn background(&self) -> Vec<u8> {
        self.samples_of(self.background)
    }

    /// Without transparency.
    pub fn flatten(&self, colors: Colors) -> Colors {
        let Colors { samples, mut pixels, alpha, .. } = colors;
        let Some(alpha) = alpha else { return Colors { pixels, alpha: None, ..colors } };
        let background = self.background();
        for (pixel, alpha) in pixels.chunks_exact_mut(samples).zip(&alpha) {
            let alpha = u32::from(*alpha);
            for (sample, behind) in pixel.iter_mut().zip(&background) {
                *sample = ((u32::from(*sample) * alpha + u32::from(*behind) * (255 - alpha) + 127) / 255) as u8;
            }
        }
        Colors { pixels, alpha: None, ..colors }
    }
}

/// A view in the colours of the file.
pub(super) struct Colors {
    pub width: u32,
    pub height: u32,
    /// Of a pixel, without alpha.
    pub samples: usize,
    pub pixels: Vec<u8>,
    pub alpha: Option<Vec<u8>>,
}

impl Colors {
    /// Gray as pixels of another kind.
    pub fn spread(self, pixels: PixelType) -> Self {
        let (samples, spread): (usize, Vec<u8>) = match pixels {
            PixelType::Gray => return self,
            PixelType::Rgb => (3, self.pixels.iter().flat_map(|gray| [*gray; 3]).collect()),
            PixelType::Cmyk => (4, self.pixels.iter().flat_map(|gray| Color::Gray(*gray).cmyk()).collect()),
        };
        Self { samples, pixels: spread, ..self }
    }

    /// Colours and alpha side by side.
    pub fn interleaved(&self) -> Vec<u8> {
        match &self.alpha {
            None => self.pixels.clone(),
            Some(alpha) => {
                let mut out = Vec::with_capacity(self.pixels.len() + alpha.len()); // bounded: by the pixels there are
                for (pixel, alpha) in self.pixels.chunks_exact(self.samples).zip(alpha) {
                    out.extend_from_slice(pixel);
                    out.push(*alpha);
                }
                out
            }
        }
    }
}

fn inks_as_srgb(inks: Vec<u8>, profile: Option<&[u8]>, blacks: Blacks) -> Result<(Vec<u8>, Option<Note>), MediaError> {
    let converter = Converter::to_srgb(Layout::Cmyk, profile, (None, blacks));
    let note = converter.notes.iter().find(|note| **note == Note::CmykByFormula).cloned();
    Ok((converter.apply(Layout::Cmyk, inks.into())?.into_owned(), note))
}

/// The alpha of a view, for which the whole of an opaque one is seen.
pub(super) fn mask(view: Raster) -> Colors {
    let (width, height, layout) = (view.width(), view.height(), view.layout());
    let samples = layout.samples();
    let pixels = if layout.has_alpha() {
        view.pixels().chunks_exact(samples).map(|pixel| pixel[samples - 1]).collect()
    } else {
        vec![u8::MAX; view.pixels().len() / samples] // bounded: by the pixels there are
    };
    Colors { width, height, samples: 1, pixels, alpha: None }
}

fn split(view: Raster) -> (Vec<u8>, Option<Vec<u8>>) {
    let layout = view.layout();
    if !layout.has_alpha() {
        return (view.into_pixels(), None);
    }
    let samples = layout.samples();
    let mut colors = Vec::with_capacity(view.pixels().len() / samples * (samples - 1)); // bounded: by the pixels there are
    let mut alpha = Vec::with_capacity(view.pixels().len() / samples); // bounded: by the pixels there are
    for pixel in view.pixels().chunks_exact(samples) {
        colors.extend_from_slice(&pixel[..samples - 1]);
        alpha.push(pixel[samples - 1]);
    }
    (colors, Some(alpha))
}

fn parse(bytes: &[u8]) -> Option<ColorProfile> {
    guarded(Format::IccProfile, || {
        ColorProfile::new_from_slice(bytes).map_err(|error| MediaError::corrupt(Format::IccProfile, error.to_string()))
    })
    .ok()
}

fn made(profile: BuiltInProfile) -> ColorProfile {
    match profile {
        BuiltInProfile::Srgb => ColorProfile::new_srgb(),
        BuiltInProfile::AdobeRgb => ColorProfile::new_adobe_rgb(),
        BuiltInProfile::DisplayP3 => ColorProfile::new_display_p3(),
        BuiltInProfile::ProPhoto => ColorProfile::new_pro_photo_rgb(),
    }
}

const fn rendering_intent(intent: Intent) -> RenderingIntent {
    match intent {
        Intent::Perceptual => RenderingIntent::Perceptual,
        Intent::Relative => RenderingIntent::RelativeColorimetric,
        Intent::Saturation => RenderingIntent::Saturation,
        Intent::Absolute => RenderingIntent::AbsoluteColorimetric,
    }
}

/// Four inks go under the name of the other layout with four samples.
const INKS: IccLayout = IccLayout::Rgba;

const fn icc_layout(pixels: PixelType) -> IccLayout {
    match pixels {
        PixelType::Gray => IccLayout::Gray,
        PixelType::Rgb => IccLayout::Rgb,
        PixelType::Cmyk => INKS,
    }
}

fn apply(transform: &Transform8BitExecutor, colors: &[u8], from: usize, to: usize) -> Result<Vec<u8>, MediaError> {
    let mut out = vec![0; colors.len() / from * to]; // bounded: by the pixels there are
    guarded(Format::IccProfile, || {
        transform
            .transform(colors, &mut out)
            .map_err(|error| MediaError::corrupt(Format::IccProfile, error.to_string()))
    })?;
    Ok(out)
}
