//! The strips and tiles of a TIFF page, put in their places.
//!
//! Chunks in JPEG are not left to the `tiff` crate: it takes their own header's word for their size, and is content
//! with half of one.

use std::io::{Read, Seek, SeekFrom};

use tiff::decoder::{ChunkType, DecodingResult};
use tiff::tags::{ByteOrder, Tag};

use super::super::error::MediaError;
use super::super::format::Format;
use super::super::limits::Limits;
use super::super::memory::{Held, Share};
use super::super::raster::{Layout, narrowed};
use super::gather::Pieces;
use super::jpeg;
use super::tiff::{Alpha, Input, Page, refused, unsupported};

/// A page that is decoded one row of strips or tiles after the other.
pub(super) struct Chunks<'a> {
    decoder: Input<'a>,
    page: Page,
    grid: Grid,
    source: Chunked,
    limits: Limits,
    share: Share,
    /// For the tables of places and lengths.
    _held: Held,
    /// The next row of chunks.
    next: u32,
}

/// How chunks are read.
enum Chunked {
    Jpeg(JpegChunks),
    /// Strips that are not compressed, in pieces of any height: they may be as large as the picture.
    Plain(PlainStrips),
    Other,
}

impl<'a> Chunks<'a> {
    /// For a file of `bytes`.
    pub fn new(
        mut decoder: Input<'a>,
        page: Page,
        bytes: u64,
        limits: &Limits,
        share: Share,
    ) -> Result<Self, MediaError> {
        let grid = Grid::of(&mut decoder, &page, limits)?;
        let is_strip = matches!(decoder.get_chunk_type(), ChunkType::Strip);
        let (source, grid) = if page.is_jpeg {
            (Chunked::Jpeg(JpegChunks::of(&mut decoder, &page, &grid)?), grid)
        } else if page.is_plain && is_strip {
            let strips = PlainStrips::of(&mut decoder, &page, &grid)?;
            let piece = Grid { chunk_height: grid.chunk_height.min(PLAIN_PIECE), ..grid };
            // Pieces must not reach from one strip into the next.
            let fits = grid.chunk_height == page.height || grid.chunk_height.is_multiple_of(piece.chunk_height);
            let piece = if fits { piece } else { Grid { chunk_height: 1, ..grid } };
            (Chunked::Plain(strips), Grid { down: page.height.div_ceil(piece.chunk_height), ..piece })
        } else {
            (Chunked::Other, grid)
        };
        // A row of chunks, and a chunk as it is decoded, and again with 8 bits a sample.
        let chunk = u64::from(grid.chunk_width) * u64::from(grid.chunk_height) * page.samples as u64;
        let row = u64::from(page.width) * u64::from(grid.chunk_height) * page.layout.samples() as u64;
        share.check(row + chunk * if page.bits > 8 { 3 } else { 2 })?;
        let held = share.hold(grid.count(&page) * 2 * size_of::<u64>() as u64)?;
        if !matches!(source, Chunked::Plain(_)) {
            check_stored(&mut decoder, bytes)?;
        }
        if page.is_reversed {
            // All tags have been read; what follows begins with going to a chunk, which forgets what was read ahead.
            decoder.inner().get_mut().reverse_bits();
        }
        Ok(Self { decoder, page, grid, source, limits: limits.clone(), share, _held: held, next: 0 })
    }

    fn read(&mut self, plane: u32, place: &Place, index: u32) -> Result<Chunk, MediaError> {
        let Self { decoder, page, grid, source, limits, share, .. } = self;
        let number = plane * grid.across * grid.down + index;
        match source {
            Chunked::Jpeg(chunks) => chunks.read(decoder, number, page, place, limits, share),
            Chunked::Plain(strips) => strips.read(decoder, plane, page, place, share),
            Chunked::Other => Chunk::plain(read_other(decoder, number, page, share)?, page, place),
        }
    }
}

impl Pieces for Chunks<'_> {
    fn width(&self) -> u32 {
        self.page.width
    }

    fn height(&self) -> u32 {
        self.page.height
    }

    fn layout(&self) -> Layout {
        self.page.layout
    }

    fn append(&mut self, _: u32, pixels: &mut Vec<u8>) -> Result<(), MediaError> {
        let (across, samples) = (self.grid.across, self.page.layout.samples());
        let top = self.next * self.grid.chunk_height;
        let height = self.grid.chunk_height.min(self.page.height - top);
        let start = pixels.len();
        self.share.lengthen(pixels, u64::from(self.page.width) * u64::from(height) * samples as u64)?;
        let row = &mut pixels[start..];
        for plane in 0..self.page.planes() {
            for index in self.next * across..(self.next + 1) * across {
                let place = self.grid.place(index, &self.page);
                let chunk = self.read(plane, &place, index)?;
                chunk.copy_into(row, &self.page, &Place { y: place.y - top, ..place }, plane as usize);
            }
        }
        if self.page.is_ycbcr && !self.page.is_jpeg {
            for pixel in row.as_chunks_mut::<3>().0 {
                *pixel = jpeg::ycbcr_to_rgb(*pixel);
            }
        }
        if self.page.alpha == Alpha::Premultiplied {
            divide_by_alpha(row, self.page.layout);
        }
        self.next += 1;
        Ok(())
    }
}

/// A chunk whose compression the `tiff` crate knows.
fn read_other(decoder: &mut Input<'_>, number: u32, page: &Page, share: &Share) -> Result<DecodingResult, MediaError> {
    let length = decoder.image_chunk_buffer_layout(number).map_err(refused)?.len;
    let mut bytes = share.bytes(length as u64)?;
    decoder
        .read_chunk_bytes(number, &mut bytes)
        .map_err(refused)
        .or_else(|error| told_apart(decoder, number, error))?;
    Ok(match page.bits {
        16 => DecodingResult::U16(bytes.as_chunks().0.iter().map(|word| u16::from_ne_bytes(*word)).collect()),
        _ => DecodingResult::U8(bytes),
    })
}

/// Decoders say that data is missing at the end of a chunk as they do at the end of the file.
fn told_apart(decoder: &mut Input<'_>, number: u32, error: MediaError) -> Result<(), MediaError> {
    if !matches!(error, MediaError::Truncated { .. }) {
        return Err(error);
    }
    let (_, lengths) = chunk_tags(decoder);
    let offset = chunk_offsets(decoder)?.get(number as usize).copied();
    let length = decoder.find_tag_unsigned_vec::<u64>(lengths).map_err(refused)?.unwrap_or_default();
    let length = length.get(number as usize).copied();
    let file = decoder.inner().seek(SeekFrom::End(0)).map_err(|error| MediaError::reading(Format::Tiff, error))?;
    let is_there = offset.zip(length).is_some_and(|(offset, length)| offset.saturating_add(length) <= file);
    let damaged = || MediaError::corrupt(Format::Tiff, "a strip or tile holds too few pixels");
    Err(if is_there { damaged() } else { error })
}

/// Rows of uncompressed strips that are read at once.
const PLAIN_PIECE: u32 = 64;

/// Where the samples of uncompressed strips lie.
struct PlainStrips {
    offsets: Vec<u64>,
    rows_per_strip: u32,
    strips_down: u32,
    is_big_endian: bool,
}

impl PlainStrips {
    fn of(decoder: &mut Input<'_>, page: &Page, grid: &Grid) -> Result<Self, MediaError> {
        Ok(Self {
            offsets: chunk_offsets(decoder)?,
            rows_per_strip: grid.chunk_height,
            strips_down: page.height.div_ceil(grid.chunk_height),
            is_big_endian: decoder.byte_order() == ByteOrder::BigEndian,
        })
    }

    fn read(
        &self,
        decoder: &mut Input<'_>,
        plane: u32,
        page: &Page,
        place: &Place,
        share: &Share,
    ) -> Result<Chunk, MediaError> {
        let samples = if page.is_planar { 1 } else { page.samples };
        let stride = (u64::from(page.width) * samples as u64 * u64::from(page.bits)).div_ceil(8);
        let strip = plane * self.strips_down + place.y / self.rows_per_strip;
        let row = u64::from(place.y % self.rows_per_strip);
        let failed = |error| MediaError::reading(Format::Tiff, error);
        let mut bytes = share.bytes(u64::from(place.height) * stride)?;
        let offset = self.offsets[strip as usize].saturating_add(row * stride);
        let input = decoder.inner();
        input.seek(SeekFrom::Start(offset)).and_then(|_| input.read_exact(&mut bytes)).map_err(failed)?;
        if page.is_inverted {
            bytes.iter_mut().for_each(|byte| *byte = !*byte);
        }
        if page.bits == 16 {
            let word = if self.is_big_endian { u16::from_be_bytes } else { u16::from_le_bytes };
            bytes = bytes.as_chunks::<2>().0.iter().map(|stored| narrowed(word(*stored))).collect();
        }
        Chunk::plain(DecodingResult::U8(bytes), page, place)
    }
}

/// How the page is cut.
struct Grid {
    chunk_width: u32,
    chunk_height: u32,
    /// Of a chunk as it is stored: tiles may reach beyond the page.
    stored: (u32, u32),
    across: u32,
    down: u32,
}

/// A chunk's part of the picture.
struct Place {
    x: u32,
    y: u32,
    width: u32,
    height: u32,
}

impl Grid {
    fn of(decoder: &mut Input<'_>, page: &Page, limits: &Limits) -> Result<Self, MediaError> {
        let (width, height) = decoder.chunk_dimensions();
        if width == 0 || height == 0 {
            return Err(MediaError::corrupt(Format::Tiff, "its strips or tiles have no pixels"));
        }
        let (chunk_width, chunk_height) = (width.min(page.width), height.min(page.height));
        let across = match decoder.get_chunk_type() {
            ChunkType::Strip => 1,
            ChunkType::Tile => page.width.div_ceil(width),
        };
        let stored = match decoder.get_chunk_type() {
            ChunkType::Strip => (chunk_width, chunk_height),
            ChunkType::Tile => (width, height),
        };
        let grid = Self { chunk_width, chunk_height, stored, across, down: page.height.div_ceil(height) };
        grid.check_padding(limits)?;
        let needed = grid.count(page);
        let has = chunk_offsets(decoder)?.len() as u64;
        if needed > has {
            let what = format!("it has {has} of the {needed} strips or tiles it needs");
            return Err(MediaError::corrupt(Format::Tiff, what));
        }
        Ok(grid)
    }

    /// Chunks of all planes.
    fn count(&self, page: &Page) -> u64 {
        u64::from(self.across) * u64::from(self.down) * u64::from(page.planes())
    }

    /// What lies beyond the page is decoded as well, or memory is taken for it.
    fn check_padding(&self, limits: &Limits) -> Result<(), MediaError> {
        let (width, height) = (u64::from(self.stored.0), u64::from(self.stored.1));
        limits.check_size(width, height)?;
        let chunks = u64::from(self.across) * u64::from(self.down);
        let (pixels, most) = (chunks.saturating_mul(width * height), limits.max_pixels.saturating_mul(MOST_PADDED));
        if pixels > most {
            let what =
                format!("its tiles have {pixels} pixels with what reaches beyond it; at most {most} are decoded");
            return Err(MediaError::corrupt(Format::Tiff, what));
        }
        Ok(())
    }

    fn place(&self, index: u32, page: &Page) -> Place {
        let (x, y) = (index % self.across * self.chunk_width, index / self.across * self.chunk_height);
        Place { x, y, width: self.chunk_width.min(page.width - x), height: self.chunk_height.min(page.height - y) }
    }
}

/// Tiles may come to so many times the pixels that a picture may have, with what of them reaches beyond the page.
const MOST_PADDED: u64 = 2;

/// Chunks may share bytes, as blank ones do, but all chunks come to no more than so many times the file.
const MOST_SHARED: u64 = 4;

/// Chunks that come to no more than this are let be.
const HARMLESS: u64 = 256 << 20;

/// A JPEG chunk may be padded to whole units, which are 32 pixels wide at most.
const UNIT: u32 = 32;

/// All JPEG chunks may come to so many times the pixels of their places.
const MOST_IN_UNITS: u64 = 2;

/// What is read for all chunks of a file of `file` bytes.
fn check_stored(decoder: &mut Input<'_>, file: u64) -> Result<(), MediaError> {
    let (_, lengths) = chunk_tags(decoder);
    let offsets = chunk_offsets(decoder)?;
    let lengths: Vec<u64> = decoder.find_tag_unsigned_vec(lengths).map_err(refused)?.unwrap_or_default();
    // Nothing is read beyond the end.
    let there = |(offset, length): (&u64, &u64)| (*length).min(file.saturating_sub(*offset));
    let all = offsets.iter().zip(&lengths).map(there).fold(0, u64::saturating_add);
    let most = file.saturating_mul(MOST_SHARED).max(HARMLESS);
    if all > most {
        let what = format!("its strips or tiles come to {all} bytes, many times the {file} that the file has");
        return Err(MediaError::corrupt(Format::Tiff, what));
    }
    Ok(())
}

fn chunk_tags(decoder: &Input<'_>) -> (Tag, Tag) {
    match decoder.get_chunk_type() {
        ChunkType::Strip => (Tag::StripOffsets, Tag::StripByteCounts),
        ChunkType::Tile => (Tag::TileOffsets, Tag::TileByteCounts),
    }
}

fn chunk_offsets(decoder: &mut Input<'_>) -> Result<Vec<u64>, MediaError> {
    let (offsets, _) = chunk_tags(decoder);
    Ok(decoder.find_tag_unsigned_vec(offsets).map_err(refused)?.unwrap_or_default())
}

/// Samples of a chunk, 8 bits each, rows `width` pixels wide.
struct Chunk {
    width: usize,
    samples: usize,
    bytes: Vec<u8>,
}

impl Chunk {
    fn plain(data: DecodingResult, page: &Page, place: &Place) -> Result<Self, MediaError> {
        let samples = if page.is_planar { 1 } else { page.samples };
        let width = place.width as usize;
        let bytes = match data {
            DecodingResult::U8(bytes) if page.bits < 8 => unpack(&bytes, page.bits, width, page.palette.is_none()),
            DecodingResult::U8(bytes) => bytes,
            DecodingResult::U16(words) => words.into_iter().map(narrowed).collect(),
            _ => return Err(unsupported("samples that are not unsigned integers")),
        };
        if bytes.len() < width * samples * place.height as usize {
            return Err(MediaError::corrupt(Format::Tiff, "a strip or tile holds too few pixels"));
        }
        Ok(Self { width, samples, bytes })
    }

    fn copy_into(&self, pixels: &mut [u8], page: &Page, place: &Place, plane: usize) {
        let into = page.layout.samples();
        let stride = page.width as usize * into;
        for row in 0..place.height as usize {
            let from = &self.bytes[row * self.width * self.samples..][..place.width as usize * self.samples];
            let start = (place.y as usize + row) * stride + place.x as usize * into;
            let to = &mut pixels[start..start + place.width as usize * into];
            if let Some(palette) = &page.palette {
                for (pixel, index) in to.chunks_exact_mut(into).zip(from) {
                    pixel.copy_from_slice(&palette[usize::from(*index)]);
                }
            } else if page.is_planar {
                for (pixel, sample) in to.chunks_exact_mut(into).zip(from) {
                    pixel[plane] = *sample;
                }
            } else if self.samples == into {
                to.copy_from_slice(from);
            } else {
                // Samples that are neither colour nor alpha come last and are left out.
                for (pixel, stored) in to.chunks_exact_mut(into).zip(from.chunks_exact(self.samples)) {
                    pixel.copy_from_slice(&stored[..into]);
                }
            }
        }
    }
}

/// Samples of 1, 2 or 4 bits, one a byte, spread over the range of 8 if asked for. Rows start at a byte.
fn unpack(packed: &[u8], bits: u8, width: usize, spread: bool) -> Vec<u8> {
    let per_byte = usize::from(8 / bits);
    let mask = u8::MAX >> (8 - bits);
    let scale = if spread { u8::MAX / mask } else { 1 };
    let rows = packed.chunks(width.div_ceil(per_byte));
    let sample = |row: &[u8], x: usize| (row[x / per_byte] >> (8 - bits as usize * (x % per_byte + 1))) & mask;
    rows.flat_map(|row| (0..width.min(row.len() * per_byte)).map(move |x| sample(row, x) * scale)).collect()
}

/// Where the JPEG streams of the chunks lie, and the tables they share.
struct JpegChunks {
    offsets: Vec<u64>,
    lengths: Vec<u64>,
    tables: Vec<u8>,
    /// The largest that a chunk may be: its place, and whole units.
    largest: (u32, u32),
    /// Pixels that may still be decoded.
    left: u64,
}

/// Tables of all kinds that there are, at their longest, have some three thousand bytes.
const MOST_TABLES: usize = 1 << 16;

impl JpegChunks {
    fn of(decoder: &mut Input<'_>, page: &Page, grid: &Grid) -> Result<Self, MediaError> {
        let (_, lengths) = chunk_tags(decoder);
        let offsets = chunk_offsets(decoder)?;
        let lengths: Vec<u64> = decoder.find_tag_unsigned_vec(lengths).map_err(refused)?.unwrap_or_default();
        if offsets.len() != lengths.len() {
            return Err(MediaError::corrupt(Format::Tiff, "its strips or tiles have not all a place and a length"));
        }
        let tables = decoder.find_tag(Tag::JPEGTables).map_err(refused)?;
        let tables = tables.and_then(|value| value.into_u8_vec().ok()).unwrap_or_default();
        if tables.len() > MOST_TABLES {
            let what = format!("its JPEG tables have {} bytes; at most {MOST_TABLES} are read", tables.len());
            return Err(MediaError::corrupt(Format::Tiff, what));
        }
        let (width, height) = grid.stored;
        let largest = (width.next_multiple_of(UNIT), height.next_multiple_of(UNIT));
        let left = grid.count(page) * u64::from(width) * u64::from(height) * MOST_IN_UNITS;
        Ok(Self { offsets, lengths, tables, largest, left })
    }

    fn read(
        &mut self,
        decoder: &mut Input<'_>,
        number: u32,
        page: &Page,
        place: &Place,
        limits: &Limits,
        share: &Share,
    ) -> Result<Chunk, MediaError> {
        let (offset, length) = (self.offsets[number as usize], self.lengths[number as usize]);
        let input = decoder.inner();
        let failed = |error| MediaError::reading(Format::Tiff, error);
        input.seek(SeekFrom::Start(offset)).map_err(failed)?;
        let stream = share.read(input, length).map_err(failed)?;
        if (stream.len() as u64) < length {
            return Err(MediaError::truncated(Format::Tiff, "a strip or tile reaches beyond the end of the file"));
        }
        let stream = with_tables(&self.tables, stream);
        let header = jpeg::embedded_header(&stream).map_err(in_tiff)?;
        self.check_size(header.width.into(), header.height.into(), place)?;
        let picture = jpeg::decode_embedded(stream, &header, page.is_ycbcr, limits, share).map_err(in_tiff)?;
        let samples = if page.is_planar { 1 } else { page.samples };
        if picture.width < place.width || picture.height < place.height || picture.samples != samples {
            return Err(MediaError::corrupt(Format::Tiff, "a JPEG strip or tile has another size than the tags say"));
        }
        Ok(Chunk { width: picture.width as usize, samples, bytes: picture.pixels })
    }
}

impl JpegChunks {
    /// Before it is decoded, so that nothing large is decoded for a small place, or something a little too large for many.
    fn check_size(&mut self, width: u32, height: u32, place: &Place) -> Result<(), MediaError> {
        let (most_across, most_down) = self.largest;
        let pixels = u64::from(width) * u64::from(height);
        if width > most_across || height > most_down || pixels > self.left {
            let Place { width: across, height: down, .. } = place;
            let what = format!("a JPEG strip or tile has {width} x {height} pixels where {across} x {down} belong");
            return Err(MediaError::corrupt(Format::Tiff, what));
        }
        self.left -= pixels;
        Ok(())
    }
}

/// A JPEG stream with the tables it shares with others, which go between its first marker and the rest; both begin and
/// the tables end with a marker.
pub(crate) fn with_tables(tables: &[u8], stream: Vec<u8>) -> Vec<u8> {
    match (tables, stream.get(2..)) {
        ([start @ .., _, _], Some(rest)) if start.len() >= 2 => [start, rest].concat(),
        _ => stream,
    }
}

fn in_tiff(error: MediaError) -> MediaError {
    match error {
        // All of the strip or tile was there to be read.
        MediaError::Corrupt { what, .. } | MediaError::Truncated { what, .. } => {
            MediaError::corrupt(Format::Tiff, format!("in a JPEG strip or tile, {what}"))
        }
        other => other,
    }
}

fn divide_by_alpha(pixels: &mut [u8], layout: Layout) {
    let samples = layout.samples();
    for pixel in pixels.chunks_exact_mut(samples) {
        let (colours, alpha) = pixel.split_at_mut(samples - 1);
        let alpha = u32::from(alpha[0]);
        for colour in colours.iter_mut().filter(|_| alpha > 0) {
            *colour = ((u32::from(*colour) * 255 + alpha / 2) / alpha).min(255) as u8;
        }
    }
}
