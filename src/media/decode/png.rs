//! PNG: every colour type and depth, brought to 8 bits; palettes and transparent colours expanded.

use std::io::{self, Read, Seek};

use flate2::Crc;
use png::{BitDepth, ColorType, Decoder, DecodingError, Info, Reader, Transformations, Unit};

use super::super::color::Note;
use super::super::error::MediaError;
use super::super::exif::ExifFacts;
use super::super::format::Format;
use super::super::limits::Limits;
use super::super::memory::Share;
use super::super::picture::{ColorModel, Picture, Profile, Resolution};
use super::super::raster::{Layout, Raster, narrowed_row};
use super::gather::{Gathered, Pieces};
use super::png_colors::{Declared, Toner};
use super::{Decoded, Input, Pixels, Source};

/// Bytes that all chunks beside the pixels may come to, unpacked: profiles of presses have a few megabytes. Texts are not kept
/// here, and how many chunks there are is bounded by the file.
const MOST_BESIDE: usize = 64 << 20;

pub(in crate::media) fn probe(source: Source<'_>) -> Result<Picture, MediaError> {
    let limits = source.limits;
    open(source).and_then(|(reader, beside)| describe(reader.info(), beside, limits))
}

pub(in crate::media) fn decode(source: Source<'_>) -> Result<Decoded<'_>, MediaError> {
    let (limits, share) = (source.limits, source.share.clone());
    let (mut reader, beside) = open(source)?;
    let picture = describe(reader.info(), beside, limits)?;
    let declared = Declared::of(reader.info(), beside.has_profile);
    let layout = match reader.output_color_type().0 {
        ColorType::Grayscale => Layout::Gray,
        ColorType::GrayscaleAlpha => Layout::GrayAlpha,
        ColorType::Rgb => Layout::Rgb,
        ColorType::Rgba => Layout::Rgba,
        ColorType::Indexed => return Err(MediaError::corrupt(Format::Png, "it has no palette")),
    };
    let (width, height) = (reader.info().width, reader.info().height);
    let pixels = if reader.info().interlaced {
        let len = reader.output_buffer_size().map_or(u64::MAX, |len| len as u64);
        let mut pixels = share.bytes(len)?;
        reader.next_frame(&mut pixels).map_err(refused)?;
        reader.finish().map_err(refused)?;
        let is_deep = is_deep(&reader);
        if let Some(mut toner) = declared.toner(layout)? {
            let rows = pixels.chunks_exact((len / u64::from(height)) as usize);
            let mut turned = share.vec(u64::from(width) * u64::from(height) * layout.samples() as u64)?;
            for row in rows {
                toner.append(row, is_deep, &mut turned)?;
            }
            pixels = turned;
        } else if is_deep {
            pixels = narrowed_row(&pixels).collect();
        }
        Pixels::Whole(Raster::new(width, height, layout, pixels).ok_or_else(wrong_size)?)
    } else {
        let toner = declared.toner(layout)?;
        Pixels::Flow(Box::new(Gathered::new(Progress { reader, share, width, height, layout, toner, done: 0 })))
    };
    Ok(Decoded { picture, pixels })
}

fn wrong_size() -> MediaError {
    MediaError::corrupt(Format::Png, "its rows are of another size than its header says")
}

/// A picture whose rows come in order.
struct Progress<'a> {
    reader: Reader<Input<'a>>,
    share: Share,
    width: u32,
    height: u32,
    layout: Layout,
    toner: Option<Toner>,
    done: u32,
}

impl Pieces for Progress<'_> {
    fn width(&self) -> u32 {
        self.width
    }

    fn height(&self) -> u32 {
        self.height
    }

    fn layout(&self) -> Layout {
        self.layout
    }

    fn append(&mut self, wanted: u32, pixels: &mut Vec<u8>) -> Result<(), MediaError> {
        let stride = self.width as usize * self.layout.samples();
        self.share.grow(pixels, u64::from(wanted) * stride as u64)?;
        let is_deep = is_deep(&self.reader);
        for _ in 0..wanted {
            let row = self.reader.next_row().map_err(refused)?.ok_or_else(wrong_size)?;
            let row = row.data().get(..stride * if is_deep { 2 } else { 1 }).ok_or_else(wrong_size)?;
            match &mut self.toner {
                Some(toner) => toner.append(row, is_deep, pixels)?,
                None if is_deep => pixels.extend(narrowed_row(row)),
                None => pixels.extend_from_slice(row),
            }
            self.done += 1;
        }
        if self.done == self.height {
            // Up to the end chunk: a file cut behind its last pixel is cut all the same.
            self.reader.finish().map_err(refused)?;
        }
        Ok(())
    }
}

/// Opens a picture, and says what stands in front of its pixels: what of that is damaged, or unpacks to more than is taken, the
/// decoder leaves out without a word.
fn open(mut source: Source<'_>) -> Result<(Reader<Input<'_>>, Beside), MediaError> {
    let reading = |error| MediaError::reading(Format::Png, error);
    let beside = Beside::find(&mut source.file).map_err(reading)?;
    source.file.rewind().map_err(reading)?;
    let limit = usize::try_from(source.limits.max_memory).unwrap_or(usize::MAX).min(MOST_BESIDE);
    let mut decoder = Decoder::new_with_limits(source.file, png::Limits { bytes: limit });
    // It would cut 16 bits off to 8, where they are to be rounded.
    decoder.set_transformations(Transformations::EXPAND);
    decoder.ignore_checksums(false);
    decoder.set_ignore_text_chunk(true);
    let header = decoder.read_header_info().map_err(refused)?;
    source.limits.check_size(header.width.into(), header.height.into())?;
    let reader = decoder.read_info().map_err(refused)?;
    // One that is there and was not taken is of no use: it is too short, or makes no sense.
    let info = reader.info();
    let is_missing = beside.has_gamma && info.gama_chunk.is_none()
        || beside.has_points && info.coding_independent_code_points.is_none();
    let beside = Beside { is_damaged: beside.is_damaged || is_missing, ..beside };
    Ok((reader, beside))
}

/// Whether its rows have 16 bits a sample.
fn is_deep(reader: &Reader<Input<'_>>) -> bool {
    reader.output_color_type().1 == BitDepth::Sixteen
}

/// Most chunks in front of the pixels that are looked through, which come soon.
const MOST_IN_FRONT: u32 = 1_000_000;

/// What stands in front of the pixels.
#[derive(Debug, Clone, Copy, Default)]
struct Beside {
    has_profile: bool,
    has_gamma: bool,
    has_points: bool,
    /// Something that is made use of is not what it was when it was written.
    is_damaged: bool,
}

impl Beside {
    fn find(input: &mut Input<'_>) -> io::Result<Self> {
        const CHECKSUM: i64 = 4;
        let mut beside = Self::default();
        input.seek_relative(8)?;
        for _ in 0..MOST_IN_FRONT {
            let mut head = [0; 8];
            match input.read_exact(&mut head) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
                read => read?,
            }
            let [l0, l1, l2, l3, kind @ ..] = head;
            let length = u32::from_be_bytes([l0, l1, l2, l3]);
            if &kind == b"CgBI" {
                let what = "a PNG of the kind that Apple's devices have (CgBI)";
                return Err(MediaError::unsupported(Format::Png, what).carried());
            }
            beside.has_gamma |= &kind == b"gAMA";
            beside.has_points |= &kind == b"cICP";
            match &kind {
                b"IDAT" => break,
                b"tRNS" | b"eXIf" | b"pHYs" | b"gAMA" | b"cHRM" | b"cICP" | b"sRGB" => {
                    beside.is_damaged |= !is_sound(input, kind, length)?
                }
                _ => {
                    beside.has_profile |= &kind == b"iCCP";
                    input.seek_relative(i64::from(length) + CHECKSUM)?;
                }
            }
        }
        Ok(beside)
    }
}

/// Whether the checksum of a chunk is that of what it holds, or it breaks off, which others find out.
fn is_sound(input: &mut Input<'_>, kind: [u8; 4], length: u32) -> io::Result<bool> {
    let (mut sum, mut content) = (Crc::new(), input.take(length.into()));
    sum.update(&kind);
    let mut piece = [0; 4096];
    loop {
        match content.read(&mut piece)? {
            0 => break,
            count => sum.update(&piece[..count]),
        }
    }
    let mut written = [0; 4];
    match input.read_exact(&mut written) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(true),
        read => read.map(|()| u32::from_be_bytes(written) == sum.sum()),
    }
}

fn describe(info: &Info<'_>, beside: Beside, limits: &Limits) -> Result<Picture, MediaError> {
    limits.check_size(info.width.into(), info.height.into())?;
    let (color, alpha) = match info.color_type {
        ColorType::Grayscale => (ColorModel::Gray, false),
        ColorType::GrayscaleAlpha => (ColorModel::Gray, true),
        ColorType::Rgb => (ColorModel::Rgb, false),
        ColorType::Rgba => (ColorModel::Rgb, true),
        ColorType::Indexed => (ColorModel::Palette, false),
    };
    let declared = Declared::of(info, beside.has_profile);
    let facts = info.exif_metadata.as_deref().map(ExifFacts::read).unwrap_or_default();
    let density = info.pixel_dims.filter(|dims| dims.unit == Unit::Meter);
    let density =
        density.and_then(|dims| Resolution::per_centimetre(f64::from(dims.xppu) / 100.0, f64::from(dims.yppu) / 100.0));
    Ok(Picture {
        format: Format::Png,
        width: 0,
        height: 0,
        color,
        depth: match info.bit_depth {
            BitDepth::One => 1,
            BitDepth::Two => 2,
            BitDepth::Four => 4,
            BitDepth::Eight => 8,
            BitDepth::Sixteen => 16,
        },
        has_alpha: alpha || info.trns.is_some(),
        is_animated: info.animation_control.is_some_and(|control| control.num_frames > 1),
        notes: beside.is_damaged.then_some(Note::PartLeftOut).into_iter().chain(declared.note()).collect(),
        // Nothing is no profile, and is said to have been left out.
        profile: (beside.has_profile && !matches!(declared, Declared::Other(_)))
            .then(|| Profile::new(info.icc_profile.as_deref().unwrap_or_default().to_vec())),
        resolution: density.or(facts.resolution),
        orientation: facts.orientation,
    }
    .with_stored_size(info.width, info.height))
}

fn refused(error: DecodingError) -> MediaError {
    match error {
        DecodingError::IoError(error) => MediaError::reading(Format::Png, error),
        DecodingError::LimitsExceeded => {
            let what =
                format!("its chunks beside the pixels come to more than {MOST_BESIDE} bytes, or than its memory");
            MediaError::corrupt(Format::Png, what)
        }
        other => MediaError::corrupt(Format::Png, other.to_string()),
    }
}
