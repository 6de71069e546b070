//! The finished view as a file.

use std::borrow::Cow;
use std::io::{self, Cursor, Write};

use flate2::Compression as Level;
use flate2::write::ZlibEncoder;
use jpeg_encoder::{ColorType, PixelDensity, PixelDensityUnit};
use weezl::BitOrder;

use super::super::error::{MediaError, PixelLimit};
use super::super::limits::Limits;
use super::super::options::Chroma;
use super::super::picture::Resolution;
use super::super::pyramid::container::{CLASSIC_LIMIT, Container, Field, Page, Span};
use super::super::pyramid::{jpeg_encoder, tag};
#[cfg(feature = "avif")]
use super::avif::avif;
use super::color::Colors;
use super::palette::{self, Alpha, Indexed};
use crate::serving::{Commands, Compression, FileFormat, Quality};

/// What a file says about its picture.
#[derive(Clone, Copy)]
pub(super) struct Facts<'a> {
    pub profile: Option<&'a [u8]>,
    pub resolution: Option<Resolution>,
    pub xmp: Option<&'a [u8]>,
}

const FAILED: &str = "converted picture";

/// A file.
pub(super) struct Encoded {
    pub bytes: Vec<u8>,
    /// There is more of it than the format has room for.
    pub is_xmp_left_out: bool,
}

pub(super) fn encode(
    colors: &Colors,
    commands: &Commands,
    facts: &Facts<'_>,
    limits: &Limits,
) -> Result<Encoded, MediaError> {
    let longest = match commands.fmt.format {
        FileFormat::WebP => 16_383,
        _ => 65_535,
    };
    if colors.width.max(colors.height) > longest {
        let (width, height) = (colors.width.into(), colors.height.into());
        return Err(MediaError::TooLarge { width, height, limit: PixelLimit::Side(longest) });
    }
    let is_jpeg = commands.fmt.format.is_jpeg();
    let is_xmp_left_out = is_jpeg && facts.xmp.is_some_and(|packet| packet.len() > LARGEST_PACKET);
    let facts = &Facts { xmp: facts.xmp.filter(|_| !is_xmp_left_out), ..*facts };
    let bytes = match commands.fmt.format {
        FileFormat::Jpeg => fitting(commands, |quality| jpeg(colors, quality, None, facts))?,
        FileFormat::ProgressiveJpeg => {
            // As many scans as encoders make of their own accord.
            let scans = Some(commands.pscan.unwrap_or(4));
            fitting(commands, |quality| jpeg(colors, quality, scans, facts))?
        }
        FileFormat::Png => png(colors, facts)?,
        FileFormat::Png8 => png8(colors, commands, facts)?,
        FileFormat::Tiff => tiff(colors, commands, facts)?,
        FileFormat::WebP => webp(colors, commands, facts)?,
        FileFormat::Gif => gif(colors, commands)?,
        FileFormat::Avif => avif(colors, commands.qlt, facts.profile, limits)?,
    };
    Ok(Encoded { bytes, is_xmp_left_out })
}

/// What a JPEG has before an XMP packet, and the longest one that fits into its segment.
const PACKET: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
const LARGEST_PACKET: usize = 65_533 - PACKET.len();

/// The file of the quality that is asked for; or of the best below it of which it is no larger than `jpegSize`.
fn fitting(
    commands: &Commands,
    encode: impl Fn(Quality) -> Result<Vec<u8>, MediaError>,
) -> Result<Vec<u8>, MediaError> {
    const KILOBYTE: usize = 1024;
    let whole = encode(commands.qlt)?;
    let Some(most) = commands.jpeg_size.map(|most| most as usize * KILOBYTE) else { return Ok(whole) };
    if whole.len() <= most {
        return Ok(whole);
    }
    let with = |value| encode(Quality { value, ..commands.qlt });
    let mut best = with(1)?;
    if best.len() > most {
        let why = format!(
            "jpegSize: it has {} bytes at the least quality, which is more than {} kilobytes",
            best.len(),
            most / KILOBYTE
        );
        return Err(MediaError::NotDrawn { why });
    }
    let (mut fits, mut exceeds) = (1, commands.qlt.value);
    while exceeds - fits > 1 {
        let middle = fits + (exceeds - fits) / 2;
        let file = with(middle)?;
        if file.len() <= most {
            (best, fits) = (file, middle);
        } else {
            exceeds = middle;
        }
    }
    Ok(best)
}

/// No order names the format then.
#[cfg(not(feature = "avif"))]
fn avif(_: &Colors, _: Quality, _: Option<&[u8]>, _: &Limits) -> Result<Vec<u8>, MediaError> {
    Err(MediaError::NotDrawn { why: "AVIF is not made by this build".to_owned() })
}

pub(super) fn failed(error: impl std::fmt::Display) -> MediaError {
    MediaError::writing(FAILED)(io::Error::other(error.to_string()))
}

const fn chroma(quality: Quality) -> Chroma {
    if quality.full_chroma { Chroma::Full } else { Chroma::Half }
}

fn jpeg(colors: &Colors, quality: Quality, scans: Option<u8>, facts: &Facts<'_>) -> Result<Vec<u8>, MediaError> {
    let mut out = Vec::new();
    let mut encoder = jpeg_encoder(&mut out, quality.value, chroma(quality));
    if let Some(scans) = scans {
        encoder.set_progressive(true);
        encoder.set_progressive_scans(scans);
    }
    if let Some(Resolution { x, y }) = facts.resolution {
        let whole = |dpi: f64| dpi.round().clamp(1.0, 65_535.0) as u16;
        encoder.set_density(PixelDensity { density: (whole(x), whole(y)), unit: PixelDensityUnit::Inches });
    }
    if let Some(profile) = facts.profile {
        encoder.add_icc_profile(profile).map_err(failed)?;
    }
    if let Some(packet) = facts.xmp {
        encoder.add_app_segment(1, [PACKET, packet].concat()).map_err(failed)?;
    }
    let kind = match colors.samples {
        1 => ColorType::Luma,
        3 => ColorType::Rgb,
        _ => ColorType::Cmyk,
    };
    encoder.encode(&colors.pixels, colors.width as u16, colors.height as u16, kind).map_err(failed)?;
    Ok(out)
}

fn png(colors: &Colors, facts: &Facts<'_>) -> Result<Vec<u8>, MediaError> {
    let mut info = png::Info::with_size(colors.width, colors.height);
    info.bit_depth = png::BitDepth::Eight;
    info.color_type = match (colors.samples, colors.alpha.is_some()) {
        (1, false) => png::ColorType::Grayscale,
        (1, true) => png::ColorType::GrayscaleAlpha,
        (_, false) => png::ColorType::Rgb,
        (_, true) => png::ColorType::Rgba,
    };
    describe(&mut info, facts);
    written(info, &colors.interleaved())
}

/// With a palette; transparency is that of its colours.
fn png8(colors: &Colors, commands: &Commands, facts: &Facts<'_>) -> Result<Vec<u8>, MediaError> {
    let quantize = commands.quantize.clone().unwrap_or_default();
    let Indexed { colors: palette, pixels, .. } = palette::indexed(colors, &quantize, Alpha::Full);
    let mut info = png::Info::with_size(colors.width, colors.height);
    info.bit_depth = png::BitDepth::Eight;
    info.color_type = png::ColorType::Indexed;
    info.palette = Some(palette.iter().flat_map(|[red, green, blue, _]| [*red, *green, *blue]).collect());
    if colors.alpha.is_some() {
        info.trns = Some(palette.iter().map(|[_, _, _, alpha]| *alpha).collect());
    }
    describe(&mut info, facts);
    written(info, &pixels)
}

fn describe<'a>(info: &mut png::Info<'a>, facts: &Facts<'a>) {
    info.icc_profile = facts.profile.map(Cow::Borrowed);
    info.pixel_dims = facts.resolution.map(|Resolution { x, y }| {
        let per_metre = |dpi: f64| (dpi / 0.0254).round() as u32;
        png::PixelDimensions { xppu: per_metre(x), yppu: per_metre(y), unit: png::Unit::Meter }
    });
}

fn written(info: png::Info<'_>, pixels: &[u8]) -> Result<Vec<u8>, MediaError> {
    let mut out = Vec::new();
    let mut writer = png::Encoder::with_info(&mut out, info).map_err(failed)?.write_header().map_err(failed)?;
    writer.write_image_data(pixels).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(out)
}

fn webp(colors: &Colors, commands: &Commands, facts: &Facts<'_>) -> Result<Vec<u8>, MediaError> {
    let pixels = colors.interleaved();
    let layout = match colors.alpha {
        None => webp::PixelLayout::Rgb,
        Some(_) => webp::PixelLayout::Rgba,
    };
    let mut config = webp::WebPConfig::new().map_err(|()| failed("libwebp is of another version than its header"))?;
    config.lossless = i32::from(commands.fmt.compression == Compression::Lossless);
    if config.lossless == 0 {
        config.quality = commands.qlt.value.into();
        // The format has colour at half resolution only; this is the best that can be made of it.
        config.use_sharp_yuv = i32::from(commands.qlt.full_chroma);
    }
    let encoder = webp::Encoder::new(&pixels, layout, colors.width, colors.height);
    let encoded = encoder.encode_advanced(&config).map_err(|error| failed(format!("libwebp says {error:?}")))?;
    Ok(match facts.profile {
        Some(profile) => with_profile(&encoded, profile, colors),
        None => encoded.to_vec(),
    })
}

/// A WebP file as it is, but with a profile, for which it needs the header of the extended format.
fn with_profile(file: &[u8], profile: &[u8], colors: &Colors) -> Vec<u8> {
    const HEADER: usize = 12;
    const CHUNK: usize = 8;
    const EXTENDED: usize = CHUNK + 10;
    const HAS_PROFILE: u8 = 0x20;
    const HAS_ALPHA: u8 = 0x10;
    let chunks = match &file[HEADER..] {
        extended if extended.starts_with(b"VP8X") => &extended[EXTENDED..],
        simple => simple,
    };
    let mut body = b"WEBPVP8X".to_vec();
    body.extend(10_u32.to_le_bytes());
    body.extend([HAS_PROFILE | if colors.alpha.is_some() { HAS_ALPHA } else { 0 }, 0, 0, 0]);
    for side in [colors.width, colors.height] {
        body.extend(&(side - 1).to_le_bytes()[..3]);
    }
    body.extend(b"ICCP");
    body.extend((profile.len() as u32).to_le_bytes());
    body.extend(profile);
    body.resize(body.len().next_multiple_of(2), 0); // bounded: one byte more
    body.extend(chunks);
    let mut out = b"RIFF".to_vec();
    out.extend((body.len() as u32).to_le_bytes());
    out.extend(body);
    out
}

/// One of the colours is transparent where the alpha is less than half.
fn gif(colors: &Colors, commands: &Commands) -> Result<Vec<u8>, MediaError> {
    let quantize = commands.quantize.clone().unwrap_or_default();
    let Indexed { colors: palette, clear, pixels } = palette::indexed(colors, &quantize, Alpha::Key);
    let (width, height) = (colors.width as u16, colors.height as u16);
    let palette: Vec<u8> = palette.iter().flat_map(|[red, green, blue, _]| [*red, *green, *blue]).collect();
    let frame = gif::Frame::from_palette_pixels(width, height, pixels, palette, clear);
    let mut out = Vec::new();
    let mut encoder = gif::Encoder::new(&mut out, width, height, &[]).map_err(failed)?;
    encoder.write_frame(&frame).map_err(failed)?;
    drop(encoder);
    Ok(out)
}

/// One page in strips.
fn tiff(colors: &Colors, commands: &Commands, facts: &Facts<'_>) -> Result<Vec<u8>, MediaError> {
    const MINISWHITE_NO: u16 = 1;
    const RGB: u16 = 2;
    const SEPARATED: u16 = 5;
    const YCBCR: u16 = 6;
    const STRAIGHT_ALPHA: u16 = 2;
    const HORIZONTAL: u16 = 2;
    /// A multiple of what JPEG works in.
    const ROWS_PER_STRIP: u32 = 64;
    let compression = commands.fmt.compression;
    let samples = colors.samples + usize::from(colors.alpha.is_some());
    let pixels = colors.interleaved();
    let mut out = Cursor::new(Vec::new());
    let mut container = Container::start(&mut out, CLASSIC_LIMIT).map_err(MediaError::writing(FAILED))?;
    let mut strips = Vec::new();
    for rows in pixels.chunks(colors.width as usize * samples * ROWS_PER_STRIP as usize) {
        let strip = compressed(rows, colors, samples, commands)?;
        strips.push(container.append(&strip).map_err(MediaError::writing(FAILED))?);
    }
    let mut page = Page::default();
    page.set(tag::WIDTH, Field::Long(colors.width));
    page.set(tag::HEIGHT, Field::Long(colors.height));
    page.set(tag::BITS, Field::Shorts(vec![8; samples])); // bounded: by the layout
    page.set(tag::SAMPLES, Field::short(samples as u16));
    page.set(tag::PLANAR, Field::short(1));
    page.set(tag::ORIENTATION, Field::short(1));
    page.set(tag::ROWS_PER_STRIP, Field::Long(ROWS_PER_STRIP));
    page.set_tiles(tag::STRIP_OFFSETS, tag::STRIP_LENGTHS, &strips);
    page.set(
        tag::COMPRESSION,
        Field::short(match compression {
            Compression::Lzw => 5,
            Compression::Zip => 8,
            Compression::Jpeg => 7,
            Compression::None | Compression::Lossy | Compression::Lossless => 1,
        }),
    );
    if matches!(compression, Compression::Lzw | Compression::Zip) {
        page.set(tag::PREDICTOR, Field::short(HORIZONTAL));
    }
    page.set(
        tag::PHOTOMETRIC,
        Field::short(match colors.samples {
            1 => MINISWHITE_NO,
            3 if compression == Compression::Jpeg => YCBCR,
            3 => RGB,
            _ => SEPARATED,
        }),
    );
    if compression == Compression::Jpeg && colors.samples == 3 {
        let factor = if commands.qlt.full_chroma { 1 } else { 2 };
        page.set(tag::YCBCR_SUBSAMPLING, Field::Shorts(vec![factor, factor]));
        page.set(tag::REFERENCE_BLACK_WHITE, Field::rationals(&[0.0, 255.0, 128.0, 255.0, 128.0, 255.0]));
    }
    if colors.alpha.is_some() {
        page.set(tag::EXTRA_SAMPLES, Field::short(STRAIGHT_ALPHA));
    }
    if let Some(Resolution { x, y }) = facts.resolution {
        const INCH: u16 = 2;
        page.set(tag::X_RESOLUTION, Field::rational(x));
        page.set(tag::Y_RESOLUTION, Field::rational(y));
        page.set(tag::RESOLUTION_UNIT, Field::short(INCH));
    }
    if let Some(profile) = facts.profile {
        let span: Span = container.append(profile).map_err(MediaError::writing(FAILED))?;
        page.set(tag::ICC_PROFILE, Field::Elsewhere(span));
    }
    if let Some(packet) = facts.xmp {
        let span = container.append(packet).map_err(MediaError::writing(FAILED))?;
        page.set(tag::XMP, Field::Elsewhere(span));
    }
    container.finish(vec![page]).map_err(MediaError::writing(FAILED))?;
    drop(container);
    Ok(out.into_inner())
}

fn compressed<'a>(
    rows: &'a [u8],
    colors: &Colors,
    samples: usize,
    commands: &Commands,
) -> Result<Cow<'a, [u8]>, MediaError> {
    let stride = colors.width as usize * samples;
    Ok(match commands.fmt.compression {
        Compression::None | Compression::Lossy | Compression::Lossless => Cow::Borrowed(rows),
        Compression::Lzw => {
            let mut coder = weezl::encode::Encoder::with_tiff_size_switch(BitOrder::Msb, 8);
            Cow::Owned(coder.encode(&differences(rows, stride, samples)).map_err(failed)?)
        }
        Compression::Zip => {
            let mut coder = ZlibEncoder::new(Vec::new(), Level::default());
            let written = coder.write_all(&differences(rows, stride, samples)).and_then(|()| coder.finish());
            Cow::Owned(written.map_err(MediaError::writing(FAILED))?)
        }
        Compression::Jpeg => {
            let (rows, kind, chroma) = match samples {
                1 => (Cow::Borrowed(rows), ColorType::Luma, chroma(commands.qlt)),
                3 => (Cow::Borrowed(rows), ColorType::Rgb, chroma(commands.qlt)),
                // A JPEG file has what is left of white, which the encoder makes of inks; a TIFF has inks, and all of their pixels.
                _ => (rows.iter().map(|ink| u8::MAX - ink).collect(), ColorType::Cmyk, Chroma::Full),
            };
            let mut strip = Vec::new();
            let encoder = jpeg_encoder(&mut strip, commands.qlt.value, chroma);
            encoder.encode(&rows, colors.width as u16, (rows.len() / stride) as u16, kind).map_err(failed)?;
            Cow::Owned(strip)
        }
    })
}

/// What the horizontal predictor makes of rows.
fn differences(rows: &[u8], stride: usize, samples: usize) -> Vec<u8> {
    let mut out = rows.to_vec();
    for row in out.chunks_exact_mut(stride) {
        for at in (samples..row.len()).rev() {
            row[at] = row[at].wrapping_sub(row[at - samples]);
        }
    }
    out
}
