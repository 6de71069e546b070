//! JPEG 2000, in its file format and as a bare codestream, through `hayro-jpeg2000`, as a whole.

use hayro_jpeg2000::{ColorSpace, DecodeSettings, DecoderContext, Image};

use super::super::color::Note;
use super::super::error::MediaError;
use super::super::format::Format;
use super::super::orientation::Orientation;
use super::super::picture::{ColorModel, Picture, Profile};
use super::super::raster::{Layout, Raster};
use super::{Decoded, Pixels, Source, codestream};

/// What the decoder keeps of each sample: coefficients and samples, as numbers of four bytes.
const KEPT: u64 = 12;

pub(in crate::media) fn probe(mut source: Source<'_>) -> Result<Picture, MediaError> {
    let bytes = read(&mut source)?;
    let image = open(&bytes)?;
    describe(&image, &bytes, &source).map(|(picture, _)| picture)
}

pub(in crate::media) fn decode(mut source: Source<'_>) -> Result<Decoded<'_>, MediaError> {
    let bytes = read(&mut source)?;
    let _bytes = source.share.hold(bytes.len() as u64)?;
    let image = open(&bytes)?;
    let (picture, layout) = describe(&image, &bytes, &source)?;
    let (width, height) = (image.width(), image.height());
    let count = u64::from(width) * u64::from(height);
    let _kept = source.share.hold(count * layout.samples() as u64 * KEPT)?;
    let mut context = DecoderContext::default();
    let decoded = image.decode(&mut context).map_err(|error| corrupt(error.to_string()))?;
    let fits = decoded.components().iter().all(|component| component.samples().len() as u64 == count);
    if !fits || decoded.components().len() != layout.samples() {
        return Err(MediaError::unsupported(
            Format::Jpeg2000,
            "a JPEG 2000 file whose colours are sampled differently",
        ));
    }
    let mut pixels = source.share.bytes(count * layout.samples() as u64)?;
    decoded.store_u8_into(&mut pixels);
    let raster = Raster::new(width, height, layout, pixels);
    let raster = raster.ok_or_else(|| corrupt("its rows are of another size than its header says"))?;
    Ok(Decoded { picture, pixels: Pixels::Whole(raster) })
}

fn read(source: &mut Source<'_>) -> Result<Vec<u8>, MediaError> {
    let mut bytes = source.read_all(Format::Jpeg2000)?;
    codestream::check_tiles(&mut bytes)?;
    Ok(bytes)
}

fn open(bytes: &[u8]) -> Result<Image<'_>, MediaError> {
    if is_high_throughput(bytes) {
        return Err(MediaError::unsupported(Format::Jpeg2000, "a JPEG 2000 file in its fast coding (HTJ2K)"));
    }
    if has_signed_samples(bytes) {
        return Err(MediaError::unsupported(Format::Jpeg2000, "a JPEG 2000 file with signed samples"));
    }
    let settings = DecodeSettings { strict: true, ..DecodeSettings::default() };
    Image::new(bytes, &settings).map_err(|error| corrupt(error.to_string()))
}

/// Whether the size segment says that a later part of the standard is needed (ISO/IEC 15444-15, A.2).
fn is_high_throughput(bytes: &[u8]) -> bool {
    const CAPABILITIES: usize = 6;
    const HIGH_THROUGHPUT: u8 = 0x40;
    let start = codestream::start(bytes);
    start.and_then(|start| bytes.get(start + CAPABILITIES)).is_some_and(|high| high & HIGH_THROUGHPUT != 0)
}

/// Of any component, by the size segment that the codestream begins with (ISO/IEC 15444-1, A.5.1).
fn has_signed_samples(bytes: &[u8]) -> bool {
    const COUNT: usize = 40;
    let Some(start) = codestream::start(bytes) else { return false };
    let segment = &bytes[start..];
    let count = segment.get(COUNT..).and_then(<[u8]>::first_chunk).map_or(0, |count| u16::from_be_bytes(*count));
    let components = segment.get(COUNT + 2..).unwrap_or_default().chunks_exact(3);
    components.take(count.into()).any(|component| component[0] & 0x80 != 0)
}

/// Whether the box of colours names inks (ISO/IEC 15444-1, I.5.3.3). A bare codestream has none.
fn says_ink(bytes: &[u8]) -> bool {
    const CMYK: u32 = 12;
    const YCCK: u32 = 13;
    /// Its method, precedence and approximation come before the number of the colours.
    const NUMBER: usize = 7;
    let boxes = codestream::start(bytes).map_or(bytes, |start| &bytes[..start]);
    let colors = boxes.windows(4).position(|window| window == b"colr").map(|at| &boxes[at..]);
    let number = colors.and_then(|colors| colors.get(NUMBER..)).and_then(<[u8]>::first_chunk);
    let is_enumerated = colors.and_then(|colors| colors.get(4)) == Some(&1);
    is_enumerated && number.is_some_and(|number| matches!(u32::from_be_bytes(*number), CMYK | YCCK))
}

fn describe(image: &Image<'_>, bytes: &[u8], source: &Source<'_>) -> Result<(Picture, Layout), MediaError> {
    source.limits.check_size(image.width().into(), image.height().into())?;
    if image.width() == 0 || image.height() == 0 {
        return Err(corrupt("it has no pixels"));
    }
    let profile = match image.color_space() {
        ColorSpace::Icc { profile, .. } => Some(Profile::new(profile.clone())),
        _ => None,
    };
    let channels = image.color_space().num_channels();
    // Of files with four components that do not say what the fourth is, nearly all are RGB with alpha.
    let is_ink = matches!(image.color_space(), ColorSpace::CMYK);
    let is_guessed = is_ink && !image.has_alpha() && !says_ink(bytes);
    let (channels, has_alpha) = if is_guessed { (3, true) } else { (channels, image.has_alpha()) };
    let (color, layout) = match (channels, has_alpha) {
        (1, false) => (ColorModel::Gray, Layout::Gray),
        (1, true) => (ColorModel::Gray, Layout::GrayAlpha),
        (3, false) => (ColorModel::Rgb, Layout::Rgb),
        (3, true) => (ColorModel::Rgb, Layout::Rgba),
        (4, false) => (ColorModel::Cmyk, Layout::Cmyk),
        (4, true) => (ColorModel::Cmyk, Layout::CmykAlpha),
        _ => {
            let what = format!("a JPEG 2000 file with {channels} channels");
            return Err(MediaError::unsupported(Format::Jpeg2000, what));
        }
    };
    let picture = Picture {
        format: Format::Jpeg2000,
        width: image.width(),
        height: image.height(),
        color,
        depth: image.original_bit_depth(),
        has_alpha,
        is_animated: false,
        notes: is_guessed.then_some(Note::FourthIsAlpha).into_iter().collect(),
        profile,
        resolution: None,
        orientation: Orientation::Upright,
    };
    Ok((picture, layout))
}

pub(super) fn corrupt(what: impl Into<String>) -> MediaError {
    MediaError::corrupt(Format::Jpeg2000, what)
}
