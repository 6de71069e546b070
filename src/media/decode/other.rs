//! WebP, and the pixels of BMP and GIF, through the `image` crate.

use std::io::Seek;

use image::codecs::{gif::GifDecoder, webp::WebPDecoder};
use image::error::ImageError;
use image::{ColorType, ImageDecoder};

use super::super::error::MediaError;
use super::super::exif::ExifFacts;
use super::super::format::Format;
use super::super::limits::Limits;
use super::super::memory::Share;
use super::super::picture::{ColorModel, Picture, Profile};
use super::super::raster::{Layout, Raster};
use super::{Decoded, Input, Pixels, Source, webp_chunks};

pub(super) fn probe_webp(source: Source<'_>) -> Result<Picture, MediaError> {
    webp(source).map(|(_, picture)| picture)
}

pub(super) fn decode_webp(source: Source<'_>) -> Result<Decoded<'_>, MediaError> {
    let (limits, share) = (source.limits, source.share.clone());
    let (decoder, picture) = webp(source)?;
    Ok(Decoded { pixels: Pixels::Whole(pixels(decoder, Format::WebP, limits, &share)?), picture })
}

/// The first frame, drawn on the canvas.
pub(super) fn gif_pixels(source: Source<'_>) -> Result<Raster, MediaError> {
    let decoder = GifDecoder::new(source.file).map_err(refused(Format::Gif))?;
    pixels(decoder, Format::Gif, source.limits, &source.share)
}

fn webp(mut source: Source<'_>) -> Result<(WebPDecoder<Input<'_>>, Picture), MediaError> {
    webp_chunks::check(&mut source.file, source.bytes, source.limits)?;
    source.file.rewind().map_err(|error| MediaError::reading(Format::WebP, error))?;
    let mut decoder = WebPDecoder::new(source.file).map_err(refused(Format::WebP))?;
    let picture = describe(&mut decoder, Format::WebP, source.limits)?;
    let is_animated = decoder.has_animation();
    Ok((decoder, Picture { is_animated, ..picture }))
}

pub(super) fn describe(
    decoder: &mut impl ImageDecoder,
    format: Format,
    limits: &Limits,
) -> Result<Picture, MediaError> {
    let (width, height) = decoder.dimensions();
    limits.check_size(width.into(), height.into())?;
    if width == 0 || height == 0 {
        return Err(MediaError::corrupt(format, "it has no pixels"));
    }
    let color = decoder.color_type();
    // A damaged block beside the pixels is left out, as a damaged profile is.
    let profile = decoder.icc_profile().ok().flatten().map(Profile::new);
    let exif = decoder.exif_metadata().ok().flatten();
    let facts = exif.as_deref().map(ExifFacts::read).unwrap_or_default();
    Ok(Picture {
        format,
        width: 0,
        height: 0,
        color: if color.has_color() { ColorModel::Rgb } else { ColorModel::Gray },
        depth: 8,
        has_alpha: color.has_alpha(),
        is_animated: false,
        notes: Vec::new(),
        profile,
        resolution: facts.resolution,
        orientation: facts.orientation,
    }
    .with_stored_size(width, height))
}

pub(super) fn layout(decoder: &impl ImageDecoder, format: Format) -> Result<Layout, MediaError> {
    match decoder.color_type() {
        ColorType::L8 => Ok(Layout::Gray),
        ColorType::La8 => Ok(Layout::GrayAlpha),
        ColorType::Rgb8 => Ok(Layout::Rgb),
        ColorType::Rgba8 => Ok(Layout::Rgba),
        other => Err(MediaError::unsupported(format, format!("a {format} file with {other:?} pixels"))),
    }
}

pub(super) fn pixels(
    decoder: impl ImageDecoder,
    format: Format,
    limits: &Limits,
    share: &Share,
) -> Result<Raster, MediaError> {
    let (width, height) = decoder.dimensions();
    limits.check_size(width.into(), height.into())?;
    let layout = layout(&decoder, format)?;
    let len = decoder.total_bytes();
    // The decoders hold a frame of their own beside the canvas.
    let _its_own = share.hold(len)?;
    let mut buffer = share.bytes(len)?;
    decoder.read_image(&mut buffer).map_err(refused(format))?;
    Raster::new(width, height, layout, buffer)
        .ok_or_else(|| MediaError::corrupt(format, "its rows are of another size than its header says"))
}

pub(super) fn refused(format: Format) -> impl Fn(ImageError) -> MediaError {
    move |error| match error {
        // That all of its chunks are there was looked at before.
        error if format == Format::WebP && early_end(&error) => {
            MediaError::corrupt(format, "the data of its pixels is used up too early, though the file is whole")
        }
        ImageError::IoError(error) => MediaError::reading(format, error),
        ImageError::Unsupported(what) => MediaError::unsupported(format, format!("a {format} file ({what})")),
        other => match early_end(&other) {
            true => MediaError::truncated(format, "data is missing at its end"),
            false => MediaError::corrupt(format, other.to_string()),
        },
    }
}

/// Whether an early end of the file lies behind an error.
fn early_end(error: &(dyn std::error::Error + 'static)) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::UnexpectedEof) || error.source().is_some_and(early_end)
}
