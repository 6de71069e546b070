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

mod cascade;
pub mod child;
mod color;
mod decode;
mod error;
mod exif;
mod format;
mod inks;
mod limits;
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
mod sniff;
pub mod thumbnail;
mod turn;
pub mod video;

#[cfg(test)]
mod tests;

use std::io::{Seek, Write};
use std::path::Path;

pub use color::{Note, read_cmyk_profile};
pub use decode::{Cancel, probe};
pub use error::{MediaError, PixelLimit};
pub use format::{Format, SNIFF_LEN};
pub use limits::Limits;
pub use options::{Chroma, Options};
pub use orientation::Orientation;
pub use picture::{ColorModel, Picture, Profile, Resolution};
pub use pyramid::PyramidInfo;
use render::Rendering;
pub use sniff::sniff;
pub use thumbnail::ThumbnailInfo;

/// What became of a picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Optimized {
    pub picture: Picture,
    pub pyramid: PyramidInfo,
    pub thumbnail: ThumbnailInfo,
    pub notes: Vec<Note>,
}

/// Decodes the picture at `source` once and writes its pyramid and its thumbnail.
///
/// Both outputs are written from their current position on, which must be the start of an empty file for the pyramid.
/// After an error what they hold is of no use.
pub fn optimize(
    source: &Path,
    pyramid_out: &mut (impl Write + Seek),
    thumbnail_out: &mut impl Write,
    options: &Options,
    limits: &Limits,
    cancel: Cancel<'_>,
) -> Result<Optimized, MediaError> {
    options.check()?;
    let (picture, rendering) = Rendering::open(source, options, limits, cancel)?;
    let notes = rendering.notes().to_vec();
    let (pyramid, thumbnail) = derive(rendering, pyramid_out, thumbnail_out, options, cancel)?;
    Ok(Optimized { picture, pyramid, thumbnail, notes })
}

/// Writes the pyramid and the thumbnail of a picture from anywhere.
pub(crate) fn derive(
    rendering: Rendering<'_>,
    pyramid_out: &mut (impl Write + Seek),
    thumbnail_out: &mut impl Write,
    options: &Options,
    cancel: Cancel<'_>,
) -> Result<(PyramidInfo, ThumbnailInfo), MediaError> {
    let mut pyramid = pyramid::Builder::new(pyramid_out, &rendering, options)?;
    let mut thumbnail = thumbnail::Collector::new(&rendering, options);
    rendering.run(options.tile, cancel, &mut |band| {
        thumbnail.add(&band);
        pyramid.add(&band)
    })?;
    Ok((pyramid.finish()?, thumbnail.finish(thumbnail_out, options)?))
}
