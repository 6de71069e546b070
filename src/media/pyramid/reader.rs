//! Reads regions out of the levels of a pyramid that was written here: no more tiles are decoded than a region touches.

use std::io::BufReader;
use std::ops::Range;

use flate2::read::ZlibDecoder;
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use tiff::decoder::ifd::Value;
use tiff::decoder::{Decoder, Limits as TiffLimits};
use tiff::tags::Tag;

use super::super::content::{Content, Reader};
use super::super::decode::{self, Cancel, check_cancel, guarded};
use super::super::error::MediaError;
use super::super::format::Format;
use super::super::limits::Limits;
use super::super::memory::Share;
use super::super::picture::Resolution;
use super::super::raster::{Layout, Raster};
use super::{BLACK_IS_ZERO, RGB, SEPARATED, YCBCR};

/// More levels than a picture of the longest side has.
const MOST_LEVELS: usize = 64;

/// Profiles of presses come to some megabytes; tile tables of the largest pictures likewise.
const MAX_TAG_BYTES: usize = 64 << 20;

#[derive(Debug)]
pub(crate) struct Pyramid {
    file: Reader,
    levels: Vec<Level>,
    layout: Layout,
    coding: Coding,
    profile: Option<Vec<u8>>,
    resolution: Option<Resolution>,
}

#[derive(Debug)]
enum Coding {
    /// With the tables that all tiles share.
    Jpeg(Vec<u8>),
    /// With the horizontal predictor.
    Deflate,
}

impl Coding {
    fn jpeg(tags: &mut Tags) -> Result<Self, MediaError> {
        Ok(Self::Jpeg(bytes(tags, Tag::JPEGTables)?.unwrap_or_default()))
    }
}

#[derive(Debug)]
struct Level {
    width: u32,
    height: u32,
    tile: u32,
    offsets: Vec<u64>,
    lengths: Vec<u64>,
}

type Tags = Decoder<BufReader<Reader>>;

impl Pyramid {
    pub fn open(content: &Content, limits: &Limits) -> Result<Self, MediaError> {
        let failed = |source| MediaError::Io { doing: format!("read {}", content.shown()), source };
        let file = content.open().map_err(failed)?;
        let tags = BufReader::new(file.clone());
        guarded(Format::Tiff, || Self::read(tags, file, limits))
    }

    fn read(tags: BufReader<Reader>, file: Reader, limits: &Limits) -> Result<Self, MediaError> {
        let mut bounds = TiffLimits::default();
        bounds.ifd_value_size = MAX_TAG_BYTES;
        let mut tags = Decoder::new(tags).map_err(decode::refused_tiff)?.with_limits(bounds);
        let samples = number(&mut tags, Tag::SamplesPerPixel)?;
        let meaning = u16::try_from(number(&mut tags, Tag::PhotometricInterpretation)?).unwrap_or(u16::MAX);
        // Four samples are three colours and alpha, or four inks.
        let (layout, coding) = match (number(&mut tags, Tag::Compression)?, meaning, samples) {
            (7, BLACK_IS_ZERO, 1) => (Layout::Gray, Coding::jpeg(&mut tags)?),
            (7, YCBCR, 3) => (Layout::Rgb, Coding::jpeg(&mut tags)?),
            (8, BLACK_IS_ZERO, 1) => (Layout::Gray, Coding::Deflate),
            (8, RGB, 3) => (Layout::Rgb, Coding::Deflate),
            (8, RGB, 4) => (Layout::Rgba, Coding::Deflate),
            (8, SEPARATED, 4) => (Layout::Cmyk, Coding::Deflate),
            _ => return Err(foreign("its compression or its samples")),
        };
        let profile = bytes(&mut tags, Tag::IccProfile)?;
        let resolution = resolution(&mut tags);
        let mut levels = vec![Level::read(&mut tags, limits)?];
        while tags.more_images() && levels.len() < MOST_LEVELS {
            tags.next_image().map_err(decode::refused_tiff)?;
            levels.push(Level::read(&mut tags, limits)?);
        }
        Ok(Self { file, levels, layout, coding, profile, resolution })
    }

    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Its pixels are not quite those of the picture that it was made of.
    pub fn has_loss(&self) -> bool {
        matches!(self.coding, Coding::Jpeg(_))
    }

    pub fn profile(&self) -> Option<&[u8]> {
        self.profile.as_deref()
    }

    pub fn resolution(&self) -> Option<Resolution> {
        self.resolution
    }

    pub fn size(&self) -> (u32, u32) {
        self.size_of(0)
    }

    pub fn size_of(&self, level: usize) -> (u32, u32) {
        (self.levels[level].width, self.levels[level].height)
    }

    /// The smallest level that has as many pixels as the picture shrunk by these factors.
    pub fn level_for(&self, across: f64, down: f64) -> usize {
        let (width, height) = (f64::from(self.levels[0].width), f64::from(self.levels[0].height));
        let enough = |level: &Level| {
            f64::from(level.width) >= (width * across).floor() && f64::from(level.height) >= (height * down).floor()
        };
        self.levels.iter().rposition(enough).unwrap_or(0)
    }

    /// The pixels of a level within `columns` and `rows`, which must lie inside it.
    pub fn region(
        &self,
        level: usize,
        columns: Range<u32>,
        rows: Range<u32>,
        limits: &Limits,
        cancel: Cancel<'_>,
    ) -> Result<Raster, MediaError> {
        let level = &self.levels[level];
        let samples = self.layout.samples();
        let (width, height) = (columns.len() as u32, rows.len() as u32);
        let stride = width as usize * samples;
        let share = Share::of(limits);
        let (tile, across) = (level.tile, columns.start / level.tile..columns.end.div_ceil(level.tile));
        let _row_of_tiles = share.hold(across.len() as u64 * u64::from(tile) * u64::from(tile) * samples as u64)?;
        let mut pixels = share.bytes(stride as u64 * u64::from(height))?;
        for down in rows.start / tile..rows.end.div_ceil(tile) {
            check_cancel(cancel)?;
            let decoded: Vec<(u32, Vec<u8>)> = across
                .clone()
                .into_par_iter()
                .map(|column| self.tile(level, column, down, limits).map(|pixels| (column, pixels)))
                .collect::<Result<_, _>>()?;
            let seen = overlap(&rows, down, tile);
            for (column, from) in decoded {
                let part = overlap(&columns, column, tile);
                let left = (part.start - columns.start) as usize * samples;
                let count = part.len() * samples;
                for y in seen.clone() {
                    let inside = ((y - down * tile) * tile + part.start - column * tile) as usize * samples;
                    let to = (y - rows.start) as usize * stride + left;
                    pixels[to..to + count].copy_from_slice(&from[inside..inside + count]);
                }
            }
        }
        Raster::new(width, height, self.layout, pixels).ok_or_else(|| foreign("a region without pixels"))
    }

    fn tile(&self, level: &Level, column: u32, row: u32, limits: &Limits) -> Result<Vec<u8>, MediaError> {
        let number = row as usize * level.width.div_ceil(level.tile) as usize + column as usize;
        let (Some(offset), Some(length)) = (level.offsets.get(number), level.lengths.get(number)) else {
            return Err(MediaError::corrupt(Format::Tiff, "a tile has no place in the file"));
        };
        let share = Share::of(limits);
        let mut stream = share.bytes(*length)?;
        self.file.read_exact_at(&mut stream, *offset).map_err(|error| MediaError::reading(Format::Tiff, error))?;
        let pixels = guarded(Format::Tiff, || match &self.coding {
            Coding::Jpeg(tables) => decode::jpeg_tile(decode::with_tables(tables, stream), limits),
            Coding::Deflate => inflate(&stream, level.tile as usize, self.layout.samples(), &share),
        })?;
        if pixels.len() != level.tile as usize * level.tile as usize * self.layout.samples() {
            return Err(MediaError::corrupt(Format::Tiff, "a tile has another size than the tags say"));
        }
        Ok(pixels)
    }
}

impl Level {
    fn read(tags: &mut Tags, limits: &Limits) -> Result<Self, MediaError> {
        let (width, height) = tags.dimensions().map_err(decode::refused_tiff)?;
        limits.check_size(width.into(), height.into())?;
        let tile = number(tags, Tag::TileWidth)?;
        if tile != number(tags, Tag::TileLength)? || !(16..=4096).contains(&tile) || width == 0 || height == 0 {
            return Err(foreign("tiles that are not square"));
        }
        let numbers = |tags: &mut Tags, tag| {
            tags.find_tag_unsigned_vec::<u64>(tag).map_err(decode::refused_tiff).map(Option::unwrap_or_default)
        };
        let (offsets, lengths) = (numbers(tags, Tag::TileOffsets)?, numbers(tags, Tag::TileByteCounts)?);
        Ok(Self { width, height, tile, offsets, lengths })
    }
}

/// The part of `range` within the tile at `index`.
fn overlap(range: &Range<u32>, index: u32, tile: u32) -> Range<u32> {
    range.start.max(index * tile)..range.end.min((index + 1) * tile)
}

fn number(tags: &mut Tags, tag: Tag) -> Result<u32, MediaError> {
    let number = tags.find_tag_unsigned::<u32>(tag).map_err(decode::refused_tiff)?;
    number.ok_or_else(|| foreign("tags that are missing"))
}

fn resolution(tags: &mut Tags) -> Option<Resolution> {
    let mut rational = |tag| match tags.find_tag(tag).ok().flatten()? {
        Value::Rational(above, below) => Some(f64::from(above) / f64::from(below)),
        _ => None,
    };
    let (x, y) = (rational(Tag::XResolution)?, rational(Tag::YResolution)?);
    Resolution::of_tiff(x, y, tags.find_tag_unsigned(Tag::ResolutionUnit).ok().flatten())
}

fn bytes(tags: &mut Tags, tag: Tag) -> Result<Option<Vec<u8>>, MediaError> {
    Ok(tags.find_tag(tag).map_err(decode::refused_tiff)?.and_then(|value| value.into_u8_vec().ok()))
}

fn foreign(what: &str) -> MediaError {
    MediaError::unsupported(Format::Tiff, format!("a TIFF file with {what}, which is not a pyramid of this program,"))
}

fn inflate(stream: &[u8], tile: usize, samples: usize, share: &Share) -> Result<Vec<u8>, MediaError> {
    let len = tile * tile * samples;
    let read = share.read(&mut ZlibDecoder::new(stream), len as u64 + 1);
    let mut pixels = read.map_err(|error| MediaError::reading(Format::Tiff, error))?;
    for row in pixels.chunks_exact_mut(tile * samples) {
        for i in samples..row.len() {
            row[i] = row[i].wrapping_add(row[i - samples]);
        }
    }
    Ok(pixels)
}
