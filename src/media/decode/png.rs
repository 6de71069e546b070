//! PNG: every colour type and depth, brought to 8 bits; palettes and transparent colours expanded.

use png::{BitDepth, ColorType, Decoder, DecodingError, Info, Reader, Transformations, Unit};

use super::super::content;
use super::super::error::MediaError;
use super::super::exif::ExifFacts;
use super::super::format::Format;
use super::super::limits::Limits;
use super::super::picture::{ColorModel, Picture, Profile, Resolution};
use super::super::raster::{Layout, Raster};
use super::gather::{Gathered, Pieces};
use super::{Decoded, Pixels, Source, pixel_buffer};

type Input = std::io::BufReader<content::Reader>;

pub(super) fn probe(source: Source<'_>) -> Result<Picture, MediaError> {
    let limits = source.limits;
    open(source).and_then(|reader| describe(reader.info(), limits))
}

pub(super) fn decode(source: Source<'_>) -> Result<Decoded, MediaError> {
    let limits = source.limits;
    let mut reader = open(source)?;
    let picture = describe(reader.info(), limits)?;
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
        let mut pixels = pixel_buffer(len, limits)?;
        reader.next_frame(&mut pixels).map_err(refused)?;
        reader.finish().map_err(refused)?;
        Pixels::Whole(Raster::new(width, height, layout, pixels).ok_or_else(wrong_size)?)
    } else {
        Pixels::Flow(Box::new(Gathered::new(Progress { reader, width, height, layout, done: 0 })))
    };
    Ok(Decoded { picture, pixels })
}

fn wrong_size() -> MediaError {
    MediaError::corrupt(Format::Png, "its rows are of another size than its header says")
}

/// A picture whose rows come in order.
struct Progress {
    reader: Reader<Input>,
    width: u32,
    height: u32,
    layout: Layout,
    done: u32,
}

impl Pieces for Progress {
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
        for _ in 0..wanted {
            let row = self.reader.next_row().map_err(refused)?.ok_or_else(wrong_size)?;
            pixels.extend_from_slice(row.data().get(..stride).ok_or_else(wrong_size)?);
            self.done += 1;
        }
        if self.done == self.height {
            // Up to the end chunk: a file cut behind its last pixel is cut all the same.
            self.reader.finish().map_err(refused)?;
        }
        Ok(())
    }
}

fn open(source: Source<'_>) -> Result<Reader<Input>, MediaError> {
    let limit = usize::try_from(source.limits.max_memory).unwrap_or(usize::MAX);
    let mut decoder = Decoder::new_with_limits(source.file, png::Limits { bytes: limit });
    decoder.set_transformations(Transformations::normalize_to_color8());
    decoder.ignore_checksums(false);
    let header = decoder.read_header_info().map_err(refused)?;
    source.limits.check_size(header.width.into(), header.height.into())?;
    decoder.read_info().map_err(refused)
}

fn describe(info: &Info<'_>, limits: &Limits) -> Result<Picture, MediaError> {
    limits.check_size(info.width.into(), info.height.into())?;
    let (color, alpha) = match info.color_type {
        ColorType::Grayscale => (ColorModel::Gray, false),
        ColorType::GrayscaleAlpha => (ColorModel::Gray, true),
        ColorType::Rgb => (ColorModel::Rgb, false),
        ColorType::Rgba => (ColorModel::Rgb, true),
        ColorType::Indexed => (ColorModel::Palette, false),
    };
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
        profile: info.icc_profile.as_deref().map(|bytes| Profile::new(bytes.to_vec())),
        resolution: density.or(facts.resolution),
        orientation: facts.orientation,
    }
    .with_stored_size(info.width, info.height))
}

fn refused(error: DecodingError) -> MediaError {
    match error {
        DecodingError::IoError(error) => MediaError::reading(Format::Png, error),
        DecodingError::LimitsExceeded => {
            MediaError::corrupt(Format::Png, "a chunk beside the pixels takes more memory than one picture is given")
        }
        other => MediaError::corrupt(Format::Png, other.to_string()),
    }
}
