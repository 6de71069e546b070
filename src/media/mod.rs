//! Pictures: bytes in, bytes out. Nothing here knows of jobs, assets, databases or time, and nothing is asynchronous:
//! callers run it on a thread that may block.
//!
//! ```text
//! file -> sniff -> decode (header within Limits, then pixels as stored)
//!      -> render  (rows: turned upright, colours made gray or RGB, edited)
//!      -> cascade (bands of rows, and their halvings)
//!      -> pyramid (tiles of every level into a TIFF) and thumbnail (one level, resized)
//! ```
//!
//! Everything after the decoder works on bands of rows, so that a decoder which hands out strips, and steps that edit
//! pixels, have their place in front of the cascade. The same input and options always give the same bytes.
//!
//! Input is hostile. [`Limits`] are checked against the header before memory is taken; a file that breaks off is an
//! error, never half a picture; a panic inside a decoder is an error of that one file.

pub mod archive;
mod cascade;
pub mod child;
mod color;
mod content;
mod decode;
mod directory;
mod edit;
pub mod errand;
mod error;
mod exif;
mod format;
mod formats;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod icc;
mod inks;
mod limits;
mod memory;
pub mod metadata;
mod options;
mod orientation;
pub mod pdf;
mod picture;
pub mod postscript;
pub mod pyramid;
mod raster;
mod render;
mod rows;
pub mod sample;
pub mod serve;
mod sniff;
pub(crate) mod stand_in;
pub mod thumbnail;
mod turn;
pub mod video;

#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::io::{self, Seek, Write};

use cascade::Band;
pub use color::{IccSpace, Note, read_cmyk_profile};
pub use content::Content;
pub use decode::{Blend, Cancel, Frame, Layer, LayerChoice, Layers, PagesFound, count_pages, layers, probe};
use edit::ClippingPath;
pub use edit::{Corner, Crop, Edits, Knockout, Sharpen};
pub use error::{MediaError, PixelLimit};
pub use format::{Family, Format, SNIFF_LEN};
pub use icc::Blacks;
pub use limits::Limits;
pub use options::{Chroma, ColorManagement, Options};
pub use orientation::Orientation;
pub use picture::{ColorModel, Picture, Profile, Resolution};
pub use pyramid::PyramidInfo;
use render::Rendering;
use serde::{Deserialize, Serialize};
pub use sniff::{Nothing, nothing, sniff};
pub use stand_in::{StandIn, StandInError, StandInLimits, stand_in};
pub use thumbnail::ThumbnailInfo;

/// What became of a picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Optimized {
    pub picture: Picture,
    pub pyramid: PyramidInfo,
    pub thumbnail: ThumbnailInfo,
    /// Written only if the options ask for it and there is transparency to write down.
    pub mask: Option<PyramidInfo>,
    /// Pixels that a crop has cut off at the left and at the top.
    pub cut: (u32, u32),
    pub notes: Vec<Note>,
}

/// Where the files that are made of a picture go. They are written from their current position on, which must be the
/// start of an empty file for pyramids. After an error what they hold is of no use.
pub struct Outputs<'o, P, T, M> {
    pub pyramid: &'o mut P,
    pub thumbnail: &'o mut T,
    /// Where [`Edits::mask`] writes the alpha of the picture, as a pyramid in gray.
    pub mask: &'o mut M,
}

/// Decodes a picture and writes its pyramid and its thumbnail, as the options want it changed.
pub fn optimize(
    source: impl Into<Content>,
    outputs: Outputs<'_, impl Write + Seek, impl Write, impl Write + Seek>,
    options: &Options,
    limits: &Limits,
    cancel: Cancel<'_>,
) -> Result<Optimized, MediaError> {
    let source = &source.into().at_page(options.page);
    // It is that of the first page.
    let has_path = options.edits.mask && options.page.is_none_or(|page| page == 1);
    let path = if has_path { edit::clipping_path(source, limits)? } else { None };
    // Without a path a mask adds no alpha, and is no reason to give up CMYK.
    let edits = Edits { mask: path.is_some(), ..options.edits.clone() };
    let opening = Options { edits, ..options.clone() };
    let (picture, rendering) = Rendering::open(source, &opening, limits, cancel)?;
    let first = Cell::new(Some(rendering));
    let open = || match first.take() {
        Some(rendering) => Ok(rendering),
        None => Ok(Rendering::open(source, &opening, limits, cancel)?.1),
    };
    let Written { pyramid, thumbnail, mask, cut, notes } = make(&open, path, outputs, options, limits, cancel)?;
    Ok(Optimized { picture, pyramid, thumbnail, mask, cut, notes })
}

/// What was written of a picture from anywhere.
pub(crate) struct Written {
    pub pyramid: PyramidInfo,
    pub thumbnail: ThumbnailInfo,
    pub mask: Option<PyramidInfo>,
    /// Pixels that a crop has cut off at the left and at the top.
    pub cut: (u32, u32),
    pub notes: Vec<Note>,
}

/// Writes what is made of a picture from anywhere. `open` gives it from its first row, as often as it has to be looked at.
pub(crate) fn make<'a>(
    open: &dyn Fn() -> Result<Rendering<'a>, MediaError>,
    path: Option<ClippingPath>,
    outputs: Outputs<'_, impl Write + Seek, impl Write, impl Write + Seek>,
    options: &'a Options,
    limits: &Limits,
    cancel: Cancel<'_>,
) -> Result<Written, MediaError> {
    options.check()?;
    let rendering = edit::apply(open, &options.edits, path, limits, cancel)?;
    write(rendering, outputs, options, cancel)
}

/// Writes the pyramid and the thumbnail of a picture from anywhere, as it is.
pub(crate) fn derive(
    rendering: Rendering<'_>,
    pyramid: &mut (impl Write + Seek),
    thumbnail: &mut impl Write,
    options: &Options,
    cancel: Cancel<'_>,
) -> Result<(PyramidInfo, ThumbnailInfo), MediaError> {
    let outputs = Outputs { pyramid, thumbnail, mask: &mut io::empty() };
    write(rendering, outputs, options, cancel).map(|written| (written.pyramid, written.thumbnail))
}

fn write(
    rendering: Rendering<'_>,
    outputs: Outputs<'_, impl Write + Seek, impl Write, impl Write + Seek>,
    options: &Options,
    cancel: Cancel<'_>,
) -> Result<Written, MediaError> {
    let has_mask = options.edits.mask && rendering.layout().has_alpha();
    let (mut notes, remarks, cut) = (rendering.notes().to_vec(), rendering.remarks(), rendering.cut());
    notes.extend((options.edits.mask && !has_mask).then_some(Note::NothingToMask));
    let mut pyramid = pyramid::Builder::new(outputs.pyramid, &rendering, options)?;
    let mut thumbnail = thumbnail::Collector::new(&rendering, options);
    let mut mask = has_mask.then(|| pyramid::Builder::mask(outputs.mask, &rendering, options)).transpose()?;
    rendering.run(options.tile, cancel, &mut |band| {
        thumbnail.add(&band);
        if let Some(mask) = &mut mask {
            mask.add(&Band { pixels: &alpha(band.pixels), ..band })?;
        }
        pyramid.add(&band)
    })?;
    notes.extend(remarks.notes());
    Ok(Written {
        pyramid: pyramid.finish()?,
        thumbnail: thumbnail.finish(outputs.thumbnail, options)?,
        mask: mask.map(pyramid::Builder::finish).transpose()?,
        cut,
        notes,
    })
}

fn alpha(rgba: &[u8]) -> Vec<u8> {
    rgba.as_chunks::<4>().0.iter().map(|[_, _, _, alpha]| *alpha).collect()
}
