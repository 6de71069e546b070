//! TIFF and BigTIFF: the first page, in strips or tiles, chunky or planar.

use std::io::{BufReader, Read, Seek};

use tiff::decoder::ifd::Value;
use tiff::decoder::{Decoder, Limits as TiffLimits};
use tiff::tags::{CompressionMethod, Tag};
use tiff::{ColorType, TiffError};

use super::super::content::Reader;
use super::super::error::MediaError;
use super::super::format::Format;
use super::super::limits::Limits;
use super::super::orientation::Orientation;
use super::super::picture::{ColorModel, Picture, Profile, Resolution};
use super::super::raster::Layout;
use super::gather::Gathered;
use super::tiff_chunks::Chunks;
use super::tiff_palette::{self, Disguised, Palette};
use super::watched::Watched;
use super::{Decoded, Pixels, Source};

pub(super) type Input<'a> = Decoder<BufReader<Disguised<Watched<'a, Reader>>>>;

/// Profiles of presses come to some megabytes; strip tables of narrow strips likewise.
const MAX_TAG_BYTES: usize = 16 << 20;

/// How the alpha samples relate to the colours beside them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alpha {
    None,
    Straight,
    /// The colours are already multiplied by it.
    Premultiplied,
}

/// What of the page's tags decides how its pixels are read.
#[derive(Debug)]
pub(super) struct Page {
    pub width: u32,
    pub height: u32,
    /// Samples of a pixel as the decoder hands it out.
    pub samples: usize,
    pub bits: u8,
    pub layout: Layout,
    pub alpha: Alpha,
    pub is_ycbcr: bool,
    pub is_planar: bool,
    pub is_jpeg: bool,
    /// Not compressed.
    pub is_plain: bool,
    /// The bits of each byte are stored from the last to the first.
    pub is_reversed: bool,
    /// Zero is white.
    pub is_inverted: bool,
    /// The colours the samples stand for, when they are not colours themselves.
    pub palette: Option<Palette>,
}

impl Page {
    /// Planes that are stored apart and are made use of.
    pub fn planes(&self) -> u32 {
        if self.is_planar { self.layout.samples() as u32 } else { 1 }
    }
}

pub(super) fn probe(source: Source<'_>) -> Result<Picture, MediaError> {
    let limits = source.limits;
    let mut decoder = open(source)?;
    let page = read_page(&mut decoder, limits)?;
    describe(&mut decoder, &page)
}

pub(super) fn decode(source: Source<'_>) -> Result<Decoded<'_>, MediaError> {
    let (limits, share, bytes) = (source.limits, source.share.clone(), source.bytes);
    let mut decoder = open(source)?;
    let page = read_page(&mut decoder, limits)?;
    let picture = describe(&mut decoder, &page)?;
    let chunks = Chunks::new(decoder, page, bytes, limits, share)?;
    Ok(Decoded { picture, pixels: Pixels::Flow(Box::new(Gathered::new(chunks))) })
}

fn open(source: Source<'_>) -> Result<Input<'_>, MediaError> {
    let mut limits = TiffLimits::default();
    limits.decoding_buffer_size = usize::try_from(source.limits.max_memory).unwrap_or(usize::MAX);
    limits.intermediate_buffer_size = limits.decoding_buffer_size;
    limits.ifd_value_size = MAX_TAG_BYTES;
    let failed = |error| MediaError::reading(Format::Tiff, error);
    let file = Disguised::new(source.file.into_inner()).map_err(failed)?;
    let decoder = Decoder::new(BufReader::with_capacity(1 << 16, file)).map_err(refused)?;
    Ok(decoder.with_limits(limits))
}

fn read_page(decoder: &mut Input<'_>, limits: &Limits) -> Result<Page, MediaError> {
    let (width, height) = decoder.dimensions().map_err(refused)?;
    limits.check_size(width.into(), height.into())?;
    let number = |decoder: &mut Input<'_>, tag| decoder.find_tag_unsigned::<u16>(tag).map_err(refused);
    const UNSIGNED: u16 = 1;
    if number(decoder, Tag::SampleFormat).unwrap_or(None).unwrap_or(UNSIGNED) != UNSIGNED {
        return Err(unsupported("signed or floating-point samples"));
    }
    let extra = decoder.find_tag_unsigned_vec::<u16>(Tag::ExtraSamples).map_err(refused)?.unwrap_or_default();
    let declared_alpha = match extra.first() {
        Some(1) => Alpha::Premultiplied,
        Some(2) => Alpha::Straight,
        _ => Alpha::None,
    };
    let color = decoder.colortype().map_err(refused)?;
    let (layout, samples) = match color {
        ColorType::Gray(_) => (Layout::Gray, 1),
        ColorType::Multiband { num_samples, .. } if declared_alpha == Alpha::None => (Layout::Gray, num_samples.into()),
        ColorType::Multiband { num_samples, .. } => (Layout::GrayAlpha, num_samples.into()),
        ColorType::GrayA(_) => (Layout::GrayAlpha, 2),
        ColorType::RGB(_) | ColorType::YCbCr(_) => (Layout::Rgb, 3),
        // The decoder takes four samples of RGB for RGBA, whatever the fourth is said to be.
        ColorType::RGBA(_) if declared_alpha == Alpha::None => (Layout::Rgb, 4),
        ColorType::RGBA(_) => (Layout::Rgba, 4),
        ColorType::CMYK(_) => (Layout::Cmyk, 4),
        ColorType::CMYKA(_) if declared_alpha == Alpha::None => (Layout::Cmyk, 5),
        ColorType::CMYKA(_) => (Layout::CmykAlpha, 5),
        other => return Err(unsupported(&format!("{other:?} pixels"))),
    };
    let bits = color.bit_depth();
    let is_readable = matches!(bits, 8 | 16) || (samples == 1 && matches!(bits, 1 | 2 | 4));
    if !is_readable {
        return Err(unsupported(&format!("{samples} samples of {bits} bits")));
    }
    const NONE: u16 = 1;
    let compression = number(decoder, Tag::Compression)?.unwrap_or(NONE);
    let is_jpeg = compression == CompressionMethod::ModernJPEG.to_u16();
    let is_ycbcr = matches!(color, ColorType::YCbCr(_));
    if is_ycbcr && !is_jpeg && !has_full_chroma(decoder) {
        return Err(unsupported("reduced chroma outside JPEG"));
    }
    const PLANAR: u16 = 2;
    let is_planar = number(decoder, Tag::PlanarConfiguration)? == Some(PLANAR) && samples > 1;
    let alpha = if layout.has_alpha() { declared_alpha } else { Alpha::None };
    let palette = read_palette(decoder, bits)?;
    if palette.is_some() && (is_jpeg || samples != 1) {
        return Err(unsupported("a colour palette beside other samples or in JPEG"));
    }
    let layout = if palette.is_some() { Layout::Rgb } else { layout };
    let is_plain = compression == NONE;
    const AS_USUAL: u16 = 1;
    const REVERSED: u16 = 2;
    let is_reversed = match number(decoder, Tag::FillOrder)?.unwrap_or(AS_USUAL) {
        AS_USUAL => false,
        // JPEG has an order of its own, whatever the tag says.
        REVERSED => !is_jpeg,
        other => return Err(unsupported(&format!("bits in an order ({other}) that is unknown"))),
    };
    const WHITE_IS_ZERO: u16 = 0;
    let is_inverted = number(decoder, Tag::PhotometricInterpretation)? == Some(WHITE_IS_ZERO);
    if is_inverted && samples > 1 {
        return Err(unsupported("more than one sample where zero is white"));
    }
    Ok(Page {
        width,
        height,
        samples,
        bits,
        layout,
        alpha,
        is_ycbcr,
        is_planar,
        is_jpeg,
        is_plain,
        is_reversed,
        is_inverted,
        palette,
    })
}

fn read_palette(decoder: &mut Input<'_>, bits: u8) -> Result<Option<Palette>, MediaError> {
    if !decoder.inner().get_ref().has_palette() {
        return Ok(None);
    }
    let map = decoder.find_tag_unsigned_vec::<u16>(Tag::ColorMap).map_err(refused)?.unwrap_or_default();
    let palette = tiff_palette::from_color_map(&map, bits);
    palette.map(Some).ok_or_else(|| MediaError::corrupt(Format::Tiff, "its colour palette has the wrong length"))
}

fn has_full_chroma(decoder: &mut Input<'_>) -> bool {
    let factors = decoder.find_tag_unsigned_vec::<u16>(Tag::Unknown(530));
    matches!(factors, Ok(Some(factors)) if factors == [1, 1])
}

fn describe(decoder: &mut Input<'_>, page: &Page) -> Result<Picture, MediaError> {
    let orientation = decoder.find_tag_unsigned::<u16>(Tag::Orientation).ok().flatten();
    let orientation = orientation.and_then(|value| Orientation::from_exif(value.into())).unwrap_or_default();
    let icc = decoder.find_tag(Tag::IccProfile).map_err(refused)?;
    Ok(Picture {
        format: Format::Tiff,
        width: 0,
        height: 0,
        color: match page.layout {
            _ if page.palette.is_some() => ColorModel::Palette,
            Layout::Gray | Layout::GrayAlpha => ColorModel::Gray,
            Layout::Rgb | Layout::Rgba => ColorModel::Rgb,
            Layout::Cmyk | Layout::CmykAlpha => ColorModel::Cmyk,
        },
        depth: page.bits,
        has_alpha: page.layout.has_alpha(),
        is_animated: false,
        profile: icc.and_then(|value| value.into_u8_vec().ok()).map(Profile::new),
        resolution: read_resolution(decoder),
        orientation,
    }
    .with_stored_size(page.width, page.height))
}

pub(crate) fn read_resolution<R: Read + Seek>(decoder: &mut Decoder<R>) -> Option<Resolution> {
    let mut rational = |tag| match decoder.find_tag(tag).ok().flatten()? {
        Value::Rational(above, below) => Some(f64::from(above) / f64::from(below)),
        _ => None,
    };
    let (x, y) = (rational(Tag::XResolution)?, rational(Tag::YResolution)?);
    const NO_UNIT: u16 = 1;
    const CENTIMETRE: u16 = 3;
    match decoder.find_tag_unsigned::<u16>(Tag::ResolutionUnit).ok().flatten() {
        Some(NO_UNIT) => None,
        Some(CENTIMETRE) => Resolution::per_centimetre(x, y),
        _ => Resolution::new(x, y),
    }
}

pub(super) fn unsupported(what: &str) -> MediaError {
    MediaError::unsupported(Format::Tiff, format!("a TIFF file with {what}"))
}

pub(crate) fn refused(error: TiffError) -> MediaError {
    match error {
        TiffError::IoError(error) => MediaError::reading(Format::Tiff, error),
        TiffError::UnsupportedError(what) => {
            let said = what.to_string();
            let what = [" is unsupported", " not supported"].iter().find_map(|end| said.strip_suffix(end));
            unsupported(what.unwrap_or(&said))
        }
        TiffError::LimitsExceeded => {
            MediaError::corrupt(Format::Tiff, "a tag or strip takes more memory than one picture is given")
        }
        other => MediaError::corrupt(Format::Tiff, other.to_string()),
    }
}
