//! Views of pyramids, as the image-serving protocol describes them: one renderer for every order.
//!
//! ```text
//! geometry  which part of the source is seen, where in the view, how turned
//! pyramid   the tiles of the level that is just large enough
//! canvas    resized, turned, placed
//! color     to the colours of the file, onto the background
//! sharpen   op_usm, op_sharpen
//! encode    the file
//! ```
//!
//! The same pyramid and commands always give the same bytes.

mod canvas;
mod color;
mod encode;
mod geometry;
mod sharpen;

use std::sync::Arc;

use super::color::Note;
use super::content::Content;
use super::decode::Cancel;
use super::error::MediaError;
use super::limits::Limits;
use super::picture::Resolution;
use super::pyramid::Pyramid;
use super::raster::Layout;
use crate::serving::Commands;
use canvas::Bounds;
pub use color::BadProfile;
use color::Target;

/// An order, ready to be carried out on any number of pyramids.
pub struct Renderer {
    commands: Commands,
    target: Target,
    /// Of CMYK without one.
    cmyk_profile: Option<Arc<[u8]>>,
}

/// A file that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    pub width: u32,
    pub height: u32,
    pub bytes: Vec<u8>,
    /// What its owner may want to know of its colours.
    pub note: Option<Note>,
}

impl Renderer {
    /// `profile` is the content of the profile that `icc` names, unless that one is built in.
    pub fn new(commands: Commands, profile: Option<&[u8]>) -> Result<Self, BadProfile> {
        let target = Target::new(&commands, profile)?;
        Ok(Self { commands, target, cmyk_profile: None })
    }

    /// Takes CMYK pictures that bring no profile to be in this one.
    pub fn with_cmyk_profile(self, cmyk_profile: Option<Arc<[u8]>>) -> Self {
        Self { cmyk_profile, ..self }
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
        let Self { commands, target, cmyk_profile } = self;
        let plan = geometry::plan(pyramid.size(), commands);
        let drawn = canvas::draw(pyramid, &plan, commands.res_mode, Bounds { limits, cancel })?;
        let (mut colors, note) = target.convert(drawn, pyramid.profile(), cmyk_profile.as_deref())?;
        if !commands.fmt.alpha {
            colors = target.flatten(colors);
        }
        if let Some(mask) = &commands.op_usm {
            sharpen::unsharp_mask(&mut colors, mask, plan.scale.0.min(plan.scale.1));
        }
        if commands.op_sharpen {
            sharpen::sharpen(&mut colors);
        }
        super::decode::check_cancel(cancel)?;
        let resolution = commands.print_res.and_then(|dpi| Resolution::new(dpi, dpi)).or(pyramid.resolution());
        let own = pyramid.profile().filter(|own| pyramid.layout() == Layout::Cmyk && target.keeps_inks(Some(own)));
        let profile = target.profile.as_deref().or(own).filter(|_| commands.icc_embed);
        let bytes = encode::encode(&colors, commands, &encode::Facts { profile, resolution })?;
        Ok(View { width: plan.width, height: plan.height, bytes, note })
    }
}
