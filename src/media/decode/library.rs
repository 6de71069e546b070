//! What the decoders of the `image` crate have in common.

use image::error::ImageError;
use image::{ColorType, ImageDecoder};

use super::super::error::MediaError;
use super::super::exif::ExifFacts;
use super::super::format::Format;
use super::super::limits::Limits;
use super::super::memory::Share;
use super::super::picture::{ColorModel, Picture, Profile};
use super::super::raster::{Layout, Raster};

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
        depth: (color.bytes_per_pixel() / color.channel_count() * 8).min(16),
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
    match samples(decoder, format)? {
        (layout, Samples::Bytes) => Ok(layout),
        _ => Err(unsupported(decoder.color_type(), format)),
    }
}

/// How a decoder hands out samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Samples {
    Bytes,
    /// Of 16 bits.
    Words,
    /// Floating-point numbers that grow with the light.
    Light,
}

pub(super) fn samples(decoder: &impl ImageDecoder, format: Format) -> Result<(Layout, Samples), MediaError> {
    match decoder.color_type() {
        ColorType::L8 => Ok((Layout::Gray, Samples::Bytes)),
        ColorType::La8 => Ok((Layout::GrayAlpha, Samples::Bytes)),
        ColorType::Rgb8 => Ok((Layout::Rgb, Samples::Bytes)),
        ColorType::Rgba8 => Ok((Layout::Rgba, Samples::Bytes)),
        ColorType::L16 => Ok((Layout::Gray, Samples::Words)),
        ColorType::La16 => Ok((Layout::GrayAlpha, Samples::Words)),
        ColorType::Rgb16 => Ok((Layout::Rgb, Samples::Words)),
        ColorType::Rgba16 => Ok((Layout::Rgba, Samples::Words)),
        ColorType::Rgb32F => Ok((Layout::Rgb, Samples::Light)),
        ColorType::Rgba32F => Ok((Layout::Rgba, Samples::Light)),
        other => Err(unsupported(other, format)),
    }
}

fn unsupported(color: ColorType, format: Format) -> MediaError {
    MediaError::unsupported(format, format!("a {format} file with {color:?} pixels"))
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
    Raster::new(width, height, layout, bytes(decoder, format, share)?)
        .ok_or_else(|| MediaError::corrupt(format, "its rows are of another size than its header says"))
}

/// The samples as the decoder has them.
pub(super) fn bytes(decoder: impl ImageDecoder, format: Format, share: &Share) -> Result<Vec<u8>, MediaError> {
    let len = decoder.total_bytes();
    // The decoders hold a frame of their own beside the canvas.
    let _its_own = share.hold(len)?;
    let mut buffer = share.bytes(len)?;
    decoder.read_image(&mut buffer).map_err(refused(format))?;
    Ok(buffer)
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
