//! JPEG: gray, YCbCr, RGB, CMYK and YCCK, baseline and progressive, 8 bits.

use std::io::Cursor;

use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;

use super::super::error::MediaError;
use super::super::format::Format;
use super::super::limits::Limits;
use super::super::picture::{ColorModel, Picture, Profile};
use super::super::raster::{Layout, Raster};
use super::jpeg_markers::{self, Header};
use super::{Decoded, Source, pixel_buffer};

/// Progressive files have about ten scans; each costs a pass over the picture, however small it is in the file.
const MAX_SCANS: usize = 64;

pub(super) fn probe(source: Source<'_>) -> Result<Picture, MediaError> {
    let header = jpeg_markers::read_header(source.file)?;
    describe(header, source.limits)
}

pub(super) fn decode(mut source: Source<'_>) -> Result<Decoded, MediaError> {
    let bytes = source.read_all(Format::Jpeg)?;
    let header = jpeg_markers::read_header(Cursor::new(&bytes))?;
    let inverted = header.adobe_transform.is_some();
    let (width, height) = (u32::from(header.width), u32::from(header.height));
    check_scans(&bytes, &header, source.limits)?;
    let picture = describe(header, source.limits)?;
    let (layout, target) = match picture.color {
        ColorModel::Gray => (Layout::Gray, ColorSpace::Luma),
        ColorModel::Rgb | ColorModel::Palette => (Layout::Rgb, ColorSpace::RGB),
        ColorModel::Cmyk => (Layout::Cmyk, ColorSpace::CMYK),
        ColorModel::Ycck => (Layout::Cmyk, ColorSpace::YCCK),
    };
    let mut pixels = pixels(&bytes, target, source.limits)?;
    drop(bytes);
    if picture.color == ColorModel::Ycck {
        ycck_to_cmyk(&mut pixels);
    }
    if layout == Layout::Cmyk && inverted {
        pixels.iter_mut().for_each(|sample| *sample = !*sample);
    }
    let raster = Raster::new(width, height, layout, pixels)
        .ok_or_else(|| MediaError::corrupt(Format::Jpeg, "the scans are of another size than the header says"))?;
    Ok(Decoded { picture, raster })
}

/// A JPEG stream inside a TIFF: the samples as they are stored, but YCbCr turned to RGB if asked for.
pub(super) struct Embedded {
    pub width: u32,
    pub height: u32,
    pub samples: usize,
    pub pixels: Vec<u8>,
}

pub(super) fn decode_embedded(bytes: &[u8], ycbcr_to_rgb: bool, limits: &Limits) -> Result<Embedded, MediaError> {
    let header = jpeg_markers::read_header(Cursor::new(bytes))?;
    check_scans(bytes, &header, limits)?;
    let target = match header.components.len() {
        1 => ColorSpace::Luma,
        3 if ycbcr_to_rgb || header.is_rgb() => ColorSpace::RGB,
        3 => ColorSpace::YCbCr,
        4 => ColorSpace::CMYK,
        count => return Err(component_count(count)),
    };
    Ok(Embedded {
        width: u32::from(header.width),
        height: u32::from(header.height),
        samples: header.components.len(),
        pixels: pixels(bytes, target, limits)?,
    })
}

fn check_scans(bytes: &[u8], header: &Header, limits: &Limits) -> Result<(), MediaError> {
    let (width, height) = (u64::from(header.width), u64::from(header.height));
    limits.check_size(width, height)?;
    let pixels = width * height * header.components.len() as u64;
    limits.check_memory(pixels + header.coefficient_bytes() + bytes.len() as u64)?;
    jpeg_markers::check_end(bytes, header.scan_start)
}

fn describe(header: Header, limits: &Limits) -> Result<Picture, MediaError> {
    limits.check_size(header.width.into(), header.height.into())?;
    if header.depth != 8 {
        let what = format!("a JPEG file with {} bits a sample", header.depth);
        return Err(MediaError::unsupported(Format::Jpeg, what));
    }
    const YCCK: u8 = 2;
    let color = match (header.components.len(), header.adobe_transform) {
        (1, _) => ColorModel::Gray,
        (3, _) => ColorModel::Rgb,
        (4, Some(YCCK)) => ColorModel::Ycck,
        (4, _) => ColorModel::Cmyk,
        (count, _) => return Err(component_count(count)),
    };
    let facts = header.exif.unwrap_or_default();
    Ok(Picture {
        format: Format::Jpeg,
        width: 0,
        height: 0,
        color,
        depth: header.depth,
        has_alpha: false,
        is_animated: false,
        profile: header.icc.map(Profile::new),
        resolution: facts.resolution.or(header.density),
        orientation: facts.orientation,
    }
    .with_stored_size(header.width.into(), header.height.into()))
}

fn component_count(count: usize) -> MediaError {
    MediaError::unsupported(Format::Jpeg, format!("a JPEG file with {count} colour components"))
}

fn pixels(bytes: &[u8], target: ColorSpace, limits: &Limits) -> Result<Vec<u8>, MediaError> {
    let side = limits.max_side as usize;
    let options = DecoderOptions::default()
        .set_max_width(side)
        .set_max_height(side)
        .set_strict_mode(true)
        .jpeg_set_max_scans(MAX_SCANS)
        .jpeg_set_out_colorspace(target);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(refused)?;
    let len = decoder.output_buffer_size().unwrap_or(usize::MAX);
    let mut pixels = pixel_buffer(len as u64, limits)?;
    decoder.decode_into(&mut pixels).map_err(refused)?;
    Ok(pixels)
}

fn refused(error: DecodeErrors) -> MediaError {
    match error {
        DecodeErrors::ExhaustedData | DecodeErrors::IoErrors(_) => {
            MediaError::truncated(Format::Jpeg, "a scan breaks off before the last pixel")
        }
        DecodeErrors::Unsupported(scheme) => {
            MediaError::unsupported(Format::Jpeg, format!("a JPEG file coded as {scheme:?}"))
        }
        other => MediaError::corrupt(Format::Jpeg, format!("{other:?}")),
    }
}

/// The luma and chroma of YCCK are those of the complements of cyan, magenta and yellow.
fn ycck_to_cmyk(pixels: &mut [u8]) {
    for pixel in pixels.chunks_exact_mut(4) {
        let [red, green, blue] = ycbcr_to_rgb([pixel[0], pixel[1], pixel[2]]);
        pixel[..3].copy_from_slice(&[!red, !green, !blue]);
    }
}

/// ITU-R BT.601 over the full range, in 16-bit fixed point.
pub(super) fn ycbcr_to_rgb([y, cb, cr]: [u8; 3]) -> [u8; 3] {
    let y = (i32::from(y) << 16) + (1 << 15);
    let (cb, cr) = (i32::from(cb) - 128, i32::from(cr) - 128);
    let clamp = |value: i32| (value >> 16).clamp(0, 255) as u8;
    [clamp(y + 91_881 * cr), clamp(y - 22_554 * cb - 46_802 * cr), clamp(y + 116_130 * cb)]
}
