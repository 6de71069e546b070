//! BMP and WebP, and the pixels of GIF, through the `image` crate.

use std::fs::File;
use std::io::{BufReader, Read, Seek};

use image::codecs::{bmp::BmpDecoder, gif::GifDecoder, webp::WebPDecoder};
use image::error::ImageError;
use image::{ColorType, ImageDecoder};

use super::super::error::MediaError;
use super::super::exif::ExifFacts;
use super::super::format::Format;
use super::super::limits::Limits;
use super::super::picture::{ColorModel, Picture, Profile, Resolution};
use super::super::raster::{Layout, Raster};
use super::{Decoded, Source, pixel_buffer, webp_chunks};

type Input = BufReader<File>;

pub(super) fn probe_bmp(source: Source<'_>) -> Result<Picture, MediaError> {
    bmp(source).map(|(_, picture)| picture)
}

pub(super) fn decode_bmp(source: Source<'_>) -> Result<Decoded, MediaError> {
    let limits = source.limits;
    let (decoder, picture) = bmp(source)?;
    Ok(Decoded { raster: pixels(decoder, Format::Bmp, limits)?, picture })
}

pub(super) fn probe_webp(source: Source<'_>) -> Result<Picture, MediaError> {
    webp(source).map(|(_, picture)| picture)
}

pub(super) fn decode_webp(source: Source<'_>) -> Result<Decoded, MediaError> {
    let limits = source.limits;
    let (decoder, picture) = webp(source)?;
    Ok(Decoded { raster: pixels(decoder, Format::WebP, limits)?, picture })
}

/// The first frame, drawn on the canvas.
pub(super) fn gif_pixels(source: Source<'_>) -> Result<Raster, MediaError> {
    let decoder = GifDecoder::new(source.file).map_err(refused(Format::Gif))?;
    pixels(decoder, Format::Gif, source.limits)
}

fn bmp(mut source: Source<'_>) -> Result<(BmpDecoder<Input>, Picture), MediaError> {
    let resolution = bmp_resolution(&mut source)?;
    let mut decoder = BmpDecoder::new(source.file).map_err(refused(Format::Bmp))?;
    let picture = describe(&mut decoder, Format::Bmp, source.limits)?;
    Ok((decoder, Picture { resolution, ..picture }))
}

fn webp(mut source: Source<'_>) -> Result<(WebPDecoder<Input>, Picture), MediaError> {
    webp_chunks::check(&mut source.file, source.bytes, source.limits)?;
    source.file.rewind().map_err(|error| MediaError::reading(Format::WebP, error))?;
    let mut decoder = WebPDecoder::new(source.file).map_err(refused(Format::WebP))?;
    let picture = describe(&mut decoder, Format::WebP, source.limits)?;
    let is_animated = decoder.has_animation();
    Ok((decoder, Picture { is_animated, ..picture }))
}

fn describe(decoder: &mut impl ImageDecoder, format: Format, limits: &Limits) -> Result<Picture, MediaError> {
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
        profile,
        resolution: facts.resolution,
        orientation: facts.orientation,
    }
    .with_stored_size(width, height))
}

fn pixels(decoder: impl ImageDecoder, format: Format, limits: &Limits) -> Result<Raster, MediaError> {
    let (width, height) = decoder.dimensions();
    limits.check_size(width.into(), height.into())?;
    let layout = match decoder.color_type() {
        ColorType::L8 => Layout::Gray,
        ColorType::La8 => Layout::GrayAlpha,
        ColorType::Rgb8 => Layout::Rgb,
        ColorType::Rgba8 => Layout::Rgba,
        other => return Err(MediaError::unsupported(format, format!("a {format} file with {other:?} pixels"))),
    };
    let len = decoder.total_bytes();
    // The decoders hold a frame of their own beside the canvas.
    limits.check_memory(len.saturating_mul(2))?;
    let mut buffer = pixel_buffer(len, limits)?;
    decoder.read_image(&mut buffer).map_err(refused(format))?;
    Raster::new(width, height, layout, buffer)
        .ok_or_else(|| MediaError::corrupt(format, "its rows are of another size than its header says"))
}

fn refused(format: Format) -> impl Fn(ImageError) -> MediaError {
    move |error| match error {
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

/// Reads the first bytes of the file and goes back to its start.
fn peek<const N: usize>(source: &mut Source<'_>, format: Format) -> Result<[u8; N], MediaError> {
    let mut head = [0; N];
    source
        .file
        .read_exact(&mut head)
        .and_then(|()| source.file.rewind())
        .map_err(|error| MediaError::reading(format, error))?;
    Ok(head)
}

fn bmp_resolution(source: &mut Source<'_>) -> Result<Option<Resolution>, MediaError> {
    let head = peek::<26>(source, Format::Bmp)?;
    const OLDEST_HEADER: u8 = 12;
    if head[14] == OLDEST_HEADER {
        return Ok(None);
    }
    let head = peek::<46>(source, Format::Bmp)?;
    let per_metre = |offset: usize| {
        f64::from(i32::from_le_bytes([head[offset], head[offset + 1], head[offset + 2], head[offset + 3]]))
    };
    Ok(Resolution::per_centimetre(per_metre(38) / 100.0, per_metre(42) / 100.0))
}
