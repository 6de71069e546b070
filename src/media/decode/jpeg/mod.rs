//! JPEG: gray, YCbCr, RGB, CMYK and YCCK, baseline and progressive, 8 bits.
//!
//! Sequential pictures are decoded strip by strip, progressive ones and those with a scan for each colour as a whole.

mod coefficients;
mod entropy;
mod huffman;
mod markers;
mod planes;
mod small;
mod strips;
#[cfg(feature = "turbojpeg")]
mod turbo;

use std::io::{Cursor, Read, Seek};

use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;

use super::super::error::MediaError;
use super::super::format::Format;
use super::super::limits::Limits;
use super::super::memory::Share;
use super::super::picture::{ColorModel, Picture, Profile};
use super::super::raster::{Layout, Raster};
use super::gather::{Gathered, Pieces};
use super::{Decoded, Pixels, Remarks, Source, Wholeness};
use markers::Header;
use planes::Colors;
pub(crate) use small::{MOST_HALVINGS, Small};
use strips::Strips;

pub(in crate::media) fn probe(source: Source<'_>) -> Result<Picture, MediaError> {
    let header = markers::read_header(source.file)?;
    describe(&header, source.limits)
}

pub(in crate::media) fn decode(mut source: Source<'_>) -> Result<Decoded<'_>, MediaError> {
    let header = markers::read_header(&mut source.file)?;
    let picture = describe(&header, source.limits)?;
    let coding = Coding::of(&picture, &header);
    // The scan's data follows what has been read.
    let pixels = match Strips::new(&header, source.file, source.share.clone(), source.remarks.clone()) {
        Ok(strips) => Pixels::Flow(Box::new(Gathered::new(Sequential {
            size: (header.width.into(), header.height.into()),
            strips,
            coding,
            limits: source.limits.clone(),
            share: source.share,
        }))),
        Err(file) => Pixels::Whole(whole(Source { file, ..source }, &header, coding)?),
    };
    Ok(Decoded { picture, pixels })
}

/// Whether a stream has all that its picture is made of: as when it is decoded, but no pixels are made. Where numbers have to be kept
/// for that, `may_take` is asked first whether so many bytes may be; else only an end is looked for.
pub(in crate::media) fn wholeness(stream: &[u8], limits: &Limits, may_take: impl FnOnce(u64) -> bool) -> Wholeness {
    let Ok(header) = markers::read_header(Cursor::new(stream)) else { return Wholeness::Broken };
    let scan = usize::try_from(header.scan_start).ok().and_then(|start| stream.get(start..)).unwrap_or_default();
    let (share, remarks) = (Share::of(limits), Remarks::default());
    let read = match Strips::new(&header, scan, share.clone(), remarks.clone()) {
        Ok(strips) => strips.go_through(header.height.into()),
        Err(_) if may_take(coefficients::bytes(&header)) => {
            coefficients::read(stream, &header, &share, &remarks).map(drop)
        }
        Err(scan) if memchr::memmem::rfind(scan, &[0xff, markers::EOI]).is_some() => Ok(()),
        Err(_) => return Wholeness::Broken,
    };
    Wholeness::of(read, &remarks)
}

fn whole(mut source: Source<'_>, header: &Header, coding: Coding) -> Result<Raster, MediaError> {
    let failed = |error| MediaError::reading(Format::Jpeg, error);
    source.file.rewind().map_err(failed)?;
    let bytes = source.read_all(Format::Jpeg)?;
    let colors = if coding.is_ycc { Colors::FromYcbcr } else { Colors::AsStored };
    let samples = samples(&bytes, header, colors, source.limits, &source.share, &source.remarks)?;
    let samples = coding.finished(samples);
    Raster::new(header.width.into(), header.height.into(), coding.layout, samples)
        .ok_or_else(|| MediaError::corrupt(Format::Jpeg, "the scans are of another size than the header says"))
}

/// How samples are stored.
#[derive(Debug, Clone, Copy)]
struct Coding {
    layout: Layout,
    target: ColorSpace,
    /// Brightness and colours, which become RGB.
    is_ycc: bool,
    is_ycck: bool,
    is_inverted: bool,
}

impl Coding {
    fn of(picture: &Picture, header: &Header) -> Self {
        let (layout, target) = match picture.color {
            ColorModel::Gray => (Layout::Gray, ColorSpace::Luma),
            ColorModel::Rgb | ColorModel::Palette | ColorModel::Lab => (Layout::Rgb, ColorSpace::RGB),
            ColorModel::Cmyk => (Layout::Cmyk, ColorSpace::CMYK),
            ColorModel::Ycck => (Layout::Cmyk, ColorSpace::YCCK),
        };
        // As Photoshop stores inks, and as all others read them, whoever wrote them.
        let is_inverted = layout == Layout::Cmyk;
        let is_ycc = layout == Layout::Rgb && !header.is_rgb();
        Self { layout, target, is_ycc, is_ycck: picture.color == ColorModel::Ycck, is_inverted }
    }

    fn bytes(self, width: u32, height: u32) -> u64 {
        u64::from(width) * u64::from(height) * self.layout.samples() as u64
    }

    /// Decodes the stream of a strip.
    fn decode(self, stream: &[u8], pixels: &mut [u8], limits: &Limits) -> Result<(), MediaError> {
        decode_into(stream, self.target, pixels, limits)?;
        self.finish(pixels);
        Ok(())
    }

    fn finished(self, mut pixels: Vec<u8>) -> Vec<u8> {
        self.finish(&mut pixels);
        pixels
    }

    fn finish(self, pixels: &mut [u8]) {
        if self.is_ycck {
            ycck_to_cmyk(pixels);
        }
        if self.is_inverted {
            pixels.iter_mut().for_each(|sample| *sample = !*sample);
        }
    }
}

/// A picture that is decoded strip by strip.
struct Sequential<R> {
    size: (u32, u32),
    strips: Strips<R>,
    coding: Coding,
    limits: Limits,
    share: Share,
}

impl<R> Sequential<R> {
    #[cfg(feature = "turbojpeg")]
    fn decode(&self, stream: &[u8], pixels: &mut [u8]) -> Result<(), MediaError> {
        match self.coding.layout {
            layout @ (Layout::Gray | Layout::Rgb) => {
                let height = pixels.len() / (self.size.0 as usize * layout.samples());
                turbo::decode(stream, (self.size.0 as usize, height), 0, layout, pixels)
            }
            _ => self.coding.decode(stream, pixels, &self.limits),
        }
    }

    #[cfg(not(feature = "turbojpeg"))]
    fn decode(&self, stream: &[u8], pixels: &mut [u8]) -> Result<(), MediaError> {
        self.coding.decode(stream, pixels, &self.limits)
    }
}

impl<R: Read> Pieces for Sequential<R> {
    fn width(&self) -> u32 {
        self.size.0
    }

    fn height(&self) -> u32 {
        self.size.1
    }

    fn layout(&self) -> Layout {
        self.coding.layout
    }

    fn append(&mut self, wanted: u32, pixels: &mut Vec<u8>) -> Result<(), MediaError> {
        let strip = self.strips.next(wanted)?;
        let stride = self.coding.bytes(self.size.0, 1) as usize;
        let start = pixels.len();
        let _stream = self.share.hold(strip.stream.len() as u64)?;
        self.share.lengthen(pixels, u64::from(strip.height) * stride as u64)?;
        self.decode(&strip.stream, &mut pixels[start..])?;
        pixels.truncate(start + strip.wanted.end as usize * stride);
        pixels.drain(start..start + strip.wanted.start as usize * stride);
        Ok(())
    }
}

/// A JPEG stream inside a TIFF: the samples as they are stored, but YCbCr turned to RGB if asked for.
pub(super) struct Embedded {
    pub width: u32,
    pub height: u32,
    pub samples: usize,
    pub pixels: Vec<u8>,
}

/// What a stream inside another file says of itself, before anything of it is decoded.
pub(super) fn embedded_header(stream: &[u8]) -> Result<Header, MediaError> {
    markers::read_header(Cursor::new(stream))
}

pub(super) fn decode_embedded(
    bytes: &[u8],
    header: &Header,
    ycbcr_to_rgb: bool,
    limits: &Limits,
    share: &Share,
    remarks: &Remarks,
) -> Result<Embedded, MediaError> {
    let colors = match header.components.len() {
        3 if ycbcr_to_rgb && !header.is_rgb() => Colors::FromYcbcr,
        1 | 3 | 4 => Colors::AsStored,
        count => return Err(component_count(count)),
    };
    let pixels = samples(bytes, header, colors, limits, share, remarks)?;
    let (width, height, samples) = (header.width.into(), header.height.into(), header.components.len());
    Ok(Embedded { width, height, samples, pixels })
}

/// A tile of a pyramid, which is a stream of ours: gray, or YCbCr turned to RGB.
pub(super) fn decode_tile(stream: &[u8], limits: &Limits) -> Result<Vec<u8>, MediaError> {
    let header = embedded_header(stream)?;
    limits.check_size(header.width.into(), header.height.into())?;
    let target = match header.components.len() {
        1 => ColorSpace::Luma,
        3 => ColorSpace::RGB,
        4 => ColorSpace::CMYK,
        count => return Err(component_count(count)),
    };
    let count = u64::from(header.width) * u64::from(header.height) * header.components.len() as u64;
    let mut pixels = Share::of(limits).bytes(count)?;
    decode_into(stream, target, &mut pixels, limits)?;
    Ok(pixels)
}

/// The samples of a stream that is decoded as a whole.
fn samples(
    stream: &[u8],
    header: &Header,
    colors: Colors,
    limits: &Limits,
    share: &Share,
    remarks: &Remarks,
) -> Result<Vec<u8>, MediaError> {
    let (width, height) = (u32::from(header.width), u32::from(header.height));
    limits.check_size(width.into(), height.into())?;
    let _held = share.hold(stream.len() as u64)?;
    let components = coefficients::read(stream, header, share, remarks)?;
    planes::draw(components, (width, height), colors, share)
}

fn describe(header: &Header, limits: &Limits) -> Result<Picture, MediaError> {
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
        notes: Vec::new(),
        profile: header.icc.clone().map(Profile::new),
        resolution: facts.resolution.or(header.density),
        orientation: facts.orientation,
    }
    .with_stored_size(header.width.into(), header.height.into()))
}

fn component_count(count: usize) -> MediaError {
    MediaError::unsupported(Format::Jpeg, format!("a JPEG file with {count} colour components"))
}

fn decode_into(stream: &[u8], target: ColorSpace, pixels: &mut [u8], limits: &Limits) -> Result<(), MediaError> {
    let side = limits.max_side as usize;
    let options = DecoderOptions::default()
        .set_max_width(side)
        .set_max_height(side)
        .set_strict_mode(true)
        .jpeg_set_out_colorspace(target);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(stream), options);
    decoder.decode_headers().map_err(refused)?;
    if decoder.output_buffer_size() != Some(pixels.len()) {
        return Err(MediaError::corrupt(Format::Jpeg, "the scans are of another size than the header says"));
    }
    decoder.decode_into(pixels).map_err(refused)
}

fn refused(error: DecodeErrors) -> MediaError {
    match error {
        // Whatever comes here has its end-of-image marker.
        DecodeErrors::ExhaustedData | DecodeErrors::IoErrors(_) => MediaError::corrupt(
            Format::Jpeg,
            "the data of a scan is used up too early, though the file goes on behind it",
        ),
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

    use super::*;

    const WIDTH: u16 = 203;
    const HEIGHT: u16 = 301;

    /// Soft and hard edges in every sample.
    fn samples(count: usize) -> Vec<u8> {
        let sample = |place: usize| {
            let (x, y, band) = (place / count % 203, place / count / 203, place % count);
            let soft = (x * (band + 2) + y * 3) as f32 * 0.05;
            let hard = if (x / 9 + y / (7 + band)) % 5 == 0 { 90.0 } else { 0.0 };
            (soft.sin() * 80.0 + 85.0 + hard) as u8
        };
        (0..usize::from(WIDTH) * usize::from(HEIGHT) * count).map(sample).collect()
    }

    struct Make {
        color: ColorType,
        sampling: SamplingFactor,
        restart: u16,
        optimized: bool,
    }

    fn stream(make: &Make, quality: u8) -> Vec<u8> {
        let mut stream = Vec::new();
        let mut encoder = Encoder::new(&mut stream, quality);
        encoder.set_sampling_factor(make.sampling);
        encoder.set_restart_interval(make.restart);
        encoder.set_optimized_huffman_tables(make.optimized);
        let count = match make.color {
            ColorType::Luma => 1,
            ColorType::Rgb => 3,
            _ => 4,
        };
        let samples = samples(count);
        encoder.encode(&samples, WIDTH, HEIGHT, make.color).unwrap();
        stream
    }

    fn open<'a>(path: &Path, limits: &'a Limits) -> Source<'a> {
        Source::open(&path.into(), limits, super::super::NEVER).unwrap()
    }

    #[test]
    fn strips_make_the_same_pixels_as_the_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jpg");
        let limits = Limits::default();
        use SamplingFactor::*;
        let samplings = [F_1_1, F_2_1, F_1_2, F_2_2];
        let colors = [ColorType::Rgb, ColorType::Luma, ColorType::Cmyk, ColorType::CmykAsYcck];
        let mut compared = 0;
        for color in colors {
            for sampling in samplings {
                for restart in [0, 1, 7, 26] {
                    // Codes for just what is there; with more than one component the encoder makes scans of their own.
                    let optimized = color == ColorType::Luma && restart == 0;
                    let make = Make { color, sampling, restart, optimized };
                    fs::write(&path, stream(&make, 90)).unwrap();
                    let mut source = open(&path, &limits);
                    let header = markers::read_header(&mut source.file).unwrap();
                    if !header.is_usually_sampled() {
                        continue;
                    }
                    compared += 1;
                    let coding = Coding::of(&describe(&header, &limits).unwrap(), &header);
                    let mut expected = vec![0; coding.bytes(WIDTH.into(), HEIGHT.into()) as usize];
                    coding.decode(&fs::read(&path).unwrap(), &mut expected, &limits).unwrap();
                    let Pixels::Flow(mut rows) = decode(open(&path, &limits)).unwrap().pixels else { panic!("cut") };
                    let mut seen = Vec::new();
                    for most in [1, 16, 64, 40, 1000] {
                        seen.extend_from_slice(&rows.read(most).unwrap());
                    }
                    let distance = |(one, other): (&u8, &u8)| u64::from(one.abs_diff(*other));
                    let error = seen.iter().zip(&expected).map(distance).sum::<u64>();
                    // The other decoder rounds in other places.
                    let most = if cfg!(feature = "turbojpeg") { seen.len() as u64 / 2 } else { 0 };
                    assert!(error <= most, "{color:?} {sampling:?} {restart} {optimized}: {error}");
                }
            }
        }
        assert!(compared > 40, "{compared}");
    }

    /// Why a stream is refused, however it is decoded.
    fn refusal(stream: &[u8]) -> MediaError {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jpg");
        fs::write(&path, stream).unwrap();
        let limits = Limits::default();
        let refused = match decode(open(&path, &limits)) {
            Ok(Decoded { pixels: Pixels::Flow(mut rows), .. }) => (0..5).find_map(|_| rows.read(64).err()),
            Ok(Decoded { pixels: Pixels::Whole(_), .. }) => None,
            Err(error) => Some(error),
        };
        refused.expect("an error")
    }

    #[test]
    fn only_a_file_that_breaks_off_is_said_to_end_too_early() {
        for restart in [0, 26] {
            let make = Make { color: ColorType::Rgb, sampling: SamplingFactor::F_2_2, restart, optimized: false };
            let whole = stream(&make, 80);
            let (half, three_quarters) = (whole.len() / 2, whole.len() * 3 / 4);
            assert!(matches!(refusal(&whole[..three_quarters]), MediaError::Truncated { .. }), "{restart}");
            // Closed all the same, and with a piece taken out of its middle.
            for damaged in [
                [&whole[..three_quarters], &[0xff, markers::EOI]].concat(),
                [&whole[..half], &whole[three_quarters..]].concat(),
            ] {
                let error = refusal(&damaged).to_string();
                let row = error.split_once("noticed at row ").and_then(|(_, row)| row.split_once(" of 301"));
                let row: u32 = row.unwrap_or_else(|| panic!("{error}")).0.parse().unwrap();
                assert!(error.contains("is damaged") && (100..=301).contains(&row), "{error}");
            }
        }
    }

    #[test]
    fn progressive_pictures_are_decoded_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jpg");
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, 80);
        encoder.set_progressive(true);
        encoder.encode(&samples(3), WIDTH, HEIGHT, ColorType::Rgb).unwrap();
        fs::write(&path, bytes).unwrap();
        let limits = Limits::default();
        assert!(matches!(decode(open(&path, &limits)).unwrap().pixels, Pixels::Whole(_)));
        let little = Limits { max_memory: 200_000, ..Limits::default() };
        let Err(error) = decode(open(&path, &little)) else { panic!("too much memory was given") };
        assert!(error.to_string().contains("at most 200000 are given"), "{error}");
    }
}
