//! Views of pyramids, as the image-serving protocol describes them: one renderer for every order.
//!
//! ```text
//! geometry  which part of the source is seen, where in the view, how turned
//! pyramid   the tiles of the level that is just large enough
//! canvas    resized, turned, placed
//! color     to the colours of the file, onto the background
//! adjust    bgColor, and what changes colours; or the mask alone
//! sharpen   op_usm, op_sharpen
//! encode    the file
//! palette   its colours, if it has no more than 256
//! ```
//!
//! The same pyramid and commands always give the same bytes (AVIF: on the same number of threads, by which it is cut up).

mod adjust;
#[cfg(feature = "avif")]
mod avif;
mod canvas;
mod color;
mod encode;
mod geometry;
mod palette;
mod sharpen;

use std::sync::Arc;

use super::color::Note;
use super::content::Content;
use super::decode::Cancel;
use super::error::MediaError;
use super::icc::Blacks;
use super::limits::Limits;
use super::picture::Resolution;
use super::pyramid::Pyramid;
use super::raster::{Layout, Raster};
use crate::serving::{Commands, FileFormat, Fill, LayerSize, PixelType, Request};
use canvas::Bounds;
pub use color::BadProfile;
use color::{Colors, Target};
use geometry::Plan;

/// An order, ready to be carried out on any number of pyramids.
pub struct Renderer {
    commands: Commands,
    target: Target,
    /// Of CMYK without one.
    cmyk_profile: Option<Arc<[u8]>>,
    /// The packet that goes into the file.
    xmp: Option<Vec<u8>>,
}

/// A file that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    pub width: u32,
    pub height: u32,
    pub bytes: Vec<u8>,
    /// What its owner may want to know.
    pub notes: Vec<Note>,
}

impl Renderer {
    /// `profile` is the content of the profile that `icc` names, unless that one is built in. `blacks` is for commands that do
    /// not say it.
    pub fn new(commands: Commands, profile: Option<&[u8]>, blacks: Blacks) -> Result<Self, BadProfile> {
        let target = Target::new(&commands, profile, blacks)?;
        Ok(Self { commands, target, cmyk_profile: None, xmp: None })
    }

    /// Takes CMYK pictures that bring no profile to be in this one.
    pub fn with_cmyk_profile(self, cmyk_profile: Option<Arc<[u8]>>) -> Self {
        Self { cmyk_profile, ..self }
    }

    /// Puts this XMP packet into the files.
    pub fn with_xmp(self, xmp: Option<Vec<u8>>) -> Self {
        Self { xmp, ..self }
    }

    /// The view of a pyramid.
    pub fn render(&self, pyramid: impl Into<Content>, limits: &Limits, cancel: Cancel<'_>) -> Result<View, MediaError> {
        self.draw(&Pyramid::open(&pyramid.into(), limits)?, limits, cancel)
    }

    /// The same, unless the pyramid has lost something of its picture.
    pub fn render_exactly(
        &self,
        pyramid: impl Into<Content>,
        limits: &Limits,
        cancel: Cancel<'_>,
    ) -> Result<Option<View>, MediaError> {
        let pyramid = Pyramid::open(&pyramid.into(), limits)?;
        if pyramid.has_loss() { Ok(None) } else { self.draw(&pyramid, limits, cancel).map(Some) }
    }

    fn draw(&self, pyramid: &Pyramid, limits: &Limits, cancel: Cancel<'_>) -> Result<View, MediaError> {
        let Self { commands, target, xmp, .. } = self;
        let plan = geometry::plan(pyramid.size(), pyramid.resolution(), commands)?;
        if commands.adjust.blur > 0.0 {
            // A plane of numbers, its blurred copies, and the colours.
            limits.check_memory(u64::from(plan.width) * u64::from(plan.height) * 28)?;
        }
        let drawn = canvas::draw(pyramid, &plan, commands.res_mode, Bounds { limits, cancel })?;
        let (mut colors, note) = match commands.request {
            Request::Picture => self.picture(drawn, pyramid, &plan)?,
            Request::Mask => (self.mask(drawn, &plan), None),
        };
        let scale = plan.scale.0.min(plan.scale.1);
        if let Some(mask) = &commands.op_usm {
            sharpen::unsharp_mask(&mut colors, mask, scale);
        }
        if commands.op_sharpen {
            sharpen::sharpen(&mut colors);
        }
        if commands.request == Request::Mask {
            colors = colors.spread(mask_pixels(commands));
        }
        super::decode::check_cancel(cancel)?;
        let resolution = commands.print_res.and_then(|dpi| Resolution::new(dpi, dpi)).or(pyramid.resolution());
        let facts = encode::Facts { profile: self.embedded(pyramid), resolution, xmp: xmp.as_deref() };
        let encode::Encoded { bytes, is_xmp_left_out } = encode::encode(&colors, commands, &facts, limits)?;
        let asks_resolution = matches!(commands.layer_size(), Some(LayerSize::Resolution(_)));
        let no_resolution = asks_resolution && pyramid.resolution().is_none();
        // What is done to colours is done to light, whatever they were.
        let light = if commands.adjust.is_some() { Layout::Rgb } else { pyramid.layout() };
        let is_invented = commands.request == Request::Picture && target.invents_inks(light);
        let inks = is_invented.then_some(Note::InksByFormula);
        let notes =
            [note, inks, no_resolution.then_some(Note::NoResolution), is_xmp_left_out.then_some(Note::XmpTooLarge)];
        Ok(View { width: plan.width, height: plan.height, bytes, notes: notes.into_iter().flatten().collect() })
    }

    /// The picture in the colours of the file. What is done to its colours is done in sRGB.
    fn picture(&self, drawn: Raster, pyramid: &Pyramid, plan: &Plan) -> Result<(Colors, Option<Note>), MediaError> {
        let Self { commands, target, cmyk_profile, .. } = self;
        let (profile, fallback) = (pyramid.profile(), cmyk_profile.as_deref());
        let behind = commands.bg_color;
        let (colors, note) = if commands.adjust.is_some() {
            let (mut colors, note) = target.as_srgb(drawn, profile, fallback)?;
            if let Some(Fill { color, alpha }) = behind {
                adjust::fill(&mut colors, plan.area, &color.rgb(), alpha);
            }
            adjust::adjust(&mut colors, plan.area, &commands.adjust, plan.scale.0.min(plan.scale.1));
            (target.finish(colors)?, note)
        } else {
            let (mut colors, note) = target.convert(drawn, profile, fallback)?;
            if let Some(Fill { color, alpha }) = behind {
                adjust::fill(&mut colors, plan.area, &target.samples_of(color), alpha);
            }
            (colors, note)
        };
        Ok((if commands.fmt.alpha { colors } else { target.flatten(colors) }, note))
    }

    /// How much is seen of the picture, in gray.
    fn mask(&self, drawn: Raster, plan: &Plan) -> Colors {
        let mask = color::mask(drawn);
        let behind = self.commands.bg_color.map_or(0, |fill| fill.alpha);
        let alpha = Some(mask.pixels.clone());
        let mut seen = Colors { alpha, ..mask };
        adjust::fill(&mut seen, plan.area, &[], behind);
        let mut mask = Colors { pixels: seen.alpha.unwrap_or_default(), alpha: None, ..seen };
        adjust::soften(&mut mask, plan.area, self.commands.adjust.blur * plan.scale.0.min(plan.scale.1));
        mask
    }

    /// The profile that goes into the file.
    fn embedded<'a>(&'a self, pyramid: &'a Pyramid) -> Option<&'a [u8]> {
        let Self { commands, target, .. } = self;
        if !commands.icc_embed || commands.request == Request::Mask {
            return None;
        }
        let keeps_inks = !commands.adjust.is_some() && pyramid.layout() == Layout::Cmyk;
        let own = pyramid.profile().filter(|own| keeps_inks && target.keeps_inks(Some(own)));
        target.profile.as_deref().or(own)
    }
}

/// A mask is gray, unless another type of pixels is asked for or the format has none of gray.
fn mask_pixels(commands: &Commands) -> PixelType {
    match (commands.fmt.pixels, commands.fmt.format) {
        (Some(pixels), _) => pixels,
        (None, FileFormat::WebP | FileFormat::Avif) => PixelType::Rgb,
        (None, _) => PixelType::Gray,
    }
}
