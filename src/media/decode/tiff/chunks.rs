//! The strips and tiles of a TIFF page, put in their places.

use std::io::{self, Read, Seek, SeekFrom};

use super::super::super::color::Note;
use super::super::super::error::MediaError;
use super::super::super::format::Format;
use super::super::super::limits::Limits;
use super::super::super::memory::{Held, Share};
use super::super::super::raster::Layout;
use super::super::Remarks;
use super::super::gather::Pieces;
use super::super::jpeg;
use super::page::{Compression, Page};
use super::tags::{Tags, tag};
use super::{File, corrupt, samples, unpack};

/// A page that is decoded one row of strips or tiles after the other, and long strips in pieces.
pub struct Chunks<'a> {
    file: File<'a>,
    page: Page,
    grid: Grid,
    stored: Stored,
    /// Strips that are being read: one, or one of each plane that is made use of.
    open: Vec<Option<Open<'a>>>,
    limits: Limits,
    share: Share,
    remarks: Remarks,
    /// For the tables of places and lengths.
    _held: Held,
    /// The next row of pixels.
    next: u32,
}

/// A chunk that is being read.
struct Open<'a> {
    number: usize,
    bytes: Box<dyn Read + 'a>,
}

/// Bytes that a small chunk may have beyond the rows of its page.
const MOST_SURPLUS: u64 = 1 << 20;

/// Rows of a strip that are decoded at once.
const PIECE: u32 = 64;

impl<'a> Chunks<'a> {
    /// For a file of `bytes`.
    pub fn new(
        mut tags: Tags<'a>,
        file: File<'a>,
        page: Page,
        (bytes, limits): (u64, &Limits),
        share: Share,
        remarks: Remarks,
    ) -> Result<Self, MediaError> {
        let grid = Grid::of(&mut tags, &page, limits)?;
        let stored = Stored::of(&mut tags, &page, &grid, bytes)?;
        let held = share.hold(stored.places.len() as u64 * size_of::<(u64, u64)>() as u64)?;
        // A row of pieces; and of one of them, with what of it lies beyond the page, what is stored, that with 8 bits a sample, and
        // the samples that are made use of.
        let piece = u64::from(grid.stored.0) * u64::from(grid.piece(&page, 0)) * page.samples_together() as u64;
        let row = u64::from(page.width) * u64::from(grid.piece(&page, 0)) * page.layout().samples() as u64;
        share.check(row + piece * (2 + u64::from(page.bits).div_ceil(8)))?;
        let open = page.planes().map(|_| None).collect();
        Ok(Self { file, page, grid, stored, open, limits: limits.clone(), share, remarks, _held: held, next: 0 })
    }

    /// The samples of a place that are made use of, 8 bits each.
    fn samples(&mut self, place: &Place) -> Result<Vec<u8>, MediaError> {
        let (used, pixels) = (self.page.used_count(), place.width as usize * place.height as usize);
        let planes: Vec<usize> = self.page.planes().collect();
        let mut all = Vec::new();
        for (at, plane) in planes.into_iter().enumerate() {
            let number = plane * self.grid.in_plane() + self.grid.number(place);
            let Piece { samples, stride } = match self.page.compression {
                Compression::Jpeg { is_ycbcr } => self.jpeg(number, place, is_ycbcr)?,
                _ => self.unpack(at, number, place)?,
            };
            let together = self.page.samples_together();
            let width = place.width as usize * together;
            if together == used && stride == width {
                return Ok(samples);
            }
            if all.is_empty() {
                self.share.lengthen(&mut all, pixels as u64 * used as u64)?;
            }
            let rows = samples.chunks_exact(stride).zip(all.chunks_exact_mut(place.width as usize * used));
            if self.page.is_planar {
                for (from, to) in rows {
                    to[at..].iter_mut().step_by(used).zip(from).for_each(|(to, from)| *to = *from);
                }
            } else {
                let picks: Vec<usize> = self.page.used().collect();
                for (from, to) in rows {
                    for (pixel, stored) in to.chunks_exact_mut(used).zip(from.chunks_exact(together)) {
                        pixel.iter_mut().zip(&picks).for_each(|(sample, at)| *sample = stored[*at]);
                    }
                }
            }
        }
        Ok(all)
    }

    /// Goes on with a chunk, or begins with it. Tiles are read from their beginning.
    fn unpack(&mut self, at: usize, number: usize, place: &Place) -> Result<Piece, MediaError> {
        let Self { file, page, grid, stored, open, share, remarks, .. } = self;
        let failed = |error: io::Error| MediaError::reading(Format::Tiff, error);
        let is_open = !grid.is_tiled && open[at].as_ref().is_some_and(|open| open.number == number);
        if !is_open {
            let bytes =
                unpack::open(file.clone(), stored.places[number], page, grid.stored.0, share).map_err(failed)?;
            open[at] = Some(Open { number, bytes });
        }
        let Some(Open { bytes, .. }) = &mut open[at] else { return Err(corrupt("its chunks have no bytes")) };
        let together = page.samples_together();
        let (across, down) = page.color.subsampling();
        let stride = grid.stride(page).0;
        let rows = place.height.div_ceil(down);
        let (offset, length) = stored.places[number];
        let is_there = offset.saturating_add(length) <= file.get_ref().len();
        let mut packed = share.bytes(stride * u64::from(rows))?;
        bytes.read_exact(&mut packed).map_err(|error| match error.kind() {
            // Only what reaches beyond the end of the file is missing there.
            io::ErrorKind::UnexpectedEof if is_there => corrupt("a strip or tile holds too few pixels"),
            io::ErrorKind::UnexpectedEof => MediaError::truncated(Format::Tiff, "a strip or tile holds too few pixels"),
            _ => failed(error),
        })?;
        let is_over = grid.is_tiled
            || (place.y + place.height).is_multiple_of(grid.chunk_height)
            || place.y + place.height == page.height;
        let whole = stride * u64::from(grid.chunk_height);
        match page.compression {
            Compression::Deflate if is_over && !ends_soundly(bytes, whole) => remarks.add(Note::ChecksumWrong),
            Compression::Lzw | Compression::PackBits if is_over => {
                let surplus = stride.saturating_mul(u64::from(grid.rows_beyond(place).div_ceil(down)));
                if has_left_over(bytes, surplus.min(whole.max(MOST_SURPLUS))) {
                    remarks.add(Note::DataLeftOver);
                }
            }
            _ => {}
        }
        let plane = if page.is_planar { number / grid.in_plane() } else { 0 };
        let samples = samples::unpacked(page, packed, (stride as usize, together), plane);
        if (across, down) == (1, 1) {
            // Rows end with a byte, which may have room for more pixels.
            return Ok(Piece { stride: samples.len() / place.height as usize, samples });
        }
        let width = grid.stored.0.next_multiple_of(across);
        let mut spread = share.bytes(u64::from(width) * u64::from(rows * down) * 3)?;
        spread_chroma(&samples, (across as usize, down as usize), width as usize, &mut spread);
        Ok(Piece { samples: spread, stride: width as usize * 3 })
    }

    fn jpeg(&mut self, number: usize, place: &Place, is_ycbcr: bool) -> Result<Piece, MediaError> {
        let Self { file, page, stored, limits, share, remarks, .. } = self;
        let (offset, length) = stored.places[number];
        let mut file = file.clone();
        let failed = |error| MediaError::reading(Format::Tiff, error);
        file.seek(SeekFrom::Start(offset)).map_err(failed)?;
        let there = length.min(file.get_ref().len().saturating_sub(offset));
        let stream = share.read(&mut file, there).map_err(failed)?;
        // A single strip without a length ends with the file.
        if (stream.len() as u64) < length && length < u64::MAX {
            return Err(MediaError::truncated(Format::Tiff, "a strip or tile reaches beyond the end of the file"));
        }
        let Some(shared) = &mut stored.jpeg else { return Err(corrupt("its chunks are no JPEG")) };
        let stream = with_tables(&shared.tables, stream);
        let header = jpeg::embedded_header(&stream).map_err(in_tiff)?;
        shared.check_size(header.width.into(), header.height.into(), place)?;
        let picture = jpeg::decode_embedded(&stream, &header, is_ycbcr, limits, share, remarks);
        let picture = picture.map_err(in_tiff)?;
        if picture.width < place.width || picture.height < place.height || picture.samples != page.samples_together() {
            return Err(corrupt("a JPEG strip or tile has another size than the tags say"));
        }
        Ok(Piece { samples: picture.pixels, stride: picture.width as usize * picture.samples })
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
        self.page.layout()
    }

    fn append(&mut self, _: u32, pixels: &mut Vec<u8>) -> Result<(), MediaError> {
        let (into, has_alpha) = (self.page.layout().samples(), self.page.alpha.is_some());
        let height = self.grid.piece(&self.page, self.next);
        let stride = self.page.width as usize * into;
        let start = pixels.len();
        self.share.lengthen(pixels, stride as u64 * u64::from(height))?;
        for x in (0..self.page.width).step_by(self.grid.chunk_width as usize) {
            let width = self.grid.chunk_width.min(self.page.width - x);
            let place = Place { x, y: self.next, width, height };
            let samples = self.samples(&place)?;
            let rows = samples.chunks_exact(width as usize * self.page.used_count());
            for (row, to) in rows.zip(pixels[start..].chunks_exact_mut(stride)) {
                self.page.color.write(row, has_alpha, &mut to[x as usize * into..][..width as usize * into]);
            }
        }
        if self.page.alpha.is_some_and(|alpha| alpha.is_premultiplied) {
            divide_by_alpha(&mut pixels[start..], self.page.layout());
        }
        self.next += height;
        Ok(())
    }
}

/// Samples of some rows of a chunk, 8 bits each; rows are `stride` samples long.
struct Piece {
    samples: Vec<u8>,
    stride: usize,
}

/// A part of the picture.
struct Place {
    x: u32,
    y: u32,
    width: u32,
    height: u32,
}

/// How the page is cut.
struct Grid {
    is_tiled: bool,
    chunk_width: u32,
    chunk_height: u32,
    /// Of a chunk as it is stored: tiles may reach beyond the page.
    stored: (u32, u32),
    /// As its tag says, which may be more than the page has.
    rows: u32,
    across: u32,
    down: u32,
}

impl Grid {
    fn of(tags: &mut Tags<'_>, page: &Page, limits: &Limits) -> Result<Self, MediaError> {
        let is_tiled = tags.has(tag::TILE_WIDTH);
        let side = |side: Option<u64>, without| u32::try_from(side.unwrap_or(without)).unwrap_or(u32::MAX);
        let (width, rows) = if is_tiled {
            (side(tags.number(tag::TILE_WIDTH)?, 0), side(tags.number(tag::TILE_HEIGHT)?, 0))
        } else {
            (page.width, side(tags.number(tag::ROWS_PER_STRIP)?, u64::MAX))
        };
        let height = if is_tiled { rows } else { rows.min(page.height) };
        if width == 0 || height == 0 {
            return Err(corrupt("its strips or tiles have no pixels"));
        }
        let grid = Self {
            is_tiled,
            chunk_width: width.min(page.width),
            chunk_height: height.min(page.height),
            stored: (width, height),
            rows,
            across: page.width.div_ceil(width),
            down: page.height.div_ceil(height),
        };
        grid.check_padding(limits)?;
        Ok(grid)
    }

    /// Chunks of one plane, or of all when they are not apart.
    const fn in_plane(&self) -> usize {
        self.across as usize * self.down as usize
    }

    /// Rows that the chunk of a place, which is its last, may have beyond those of the page: of strips that is only for the last one.
    const fn rows_beyond(&self, place: &Place) -> u32 {
        // All rows, in one strip.
        if self.rows == u32::MAX {
            return 0;
        }
        let last = place.y + place.height - 1;
        self.rows - last % self.chunk_height - 1
    }

    /// Which of them a place lies in.
    const fn number(&self, place: &Place) -> usize {
        (place.y / self.chunk_height * self.across + place.x / self.chunk_width) as usize
    }

    /// Bytes of a row of blocks of pixels as it is stored, and how many rows of pixels that is.
    fn stride(&self, page: &Page) -> (u64, u32) {
        let (across, down) = page.color.subsampling();
        let width = u64::from(self.stored.0);
        if (across, down) == (1, 1) {
            return ((width * page.samples_together() as u64 * u64::from(page.bits)).div_ceil(8), 1);
        }
        (width.div_ceil(across.into()) * u64::from(across * down + 2), down)
    }

    /// Bytes of a chunk that is not compressed.
    fn bytes(&self, page: &Page) -> u64 {
        let (stride, rows) = self.stride(page);
        stride * u64::from(self.stored.1.div_ceil(rows))
    }

    /// Rows from `top` on that are decoded at once.
    fn piece(&self, page: &Page, top: u32) -> u32 {
        let chunk = (self.chunk_height - top % self.chunk_height).min(page.height - top);
        let is_whole = self.is_tiled || matches!(page.compression, Compression::Jpeg { .. });
        if is_whole { chunk } else { chunk.min(PIECE) }
    }

    /// What lies beyond the page is decoded as well, or memory is taken for it.
    fn check_padding(&self, limits: &Limits) -> Result<(), MediaError> {
        let (width, height) = (u64::from(self.stored.0), u64::from(self.stored.1));
        limits.check_size(width, height)?;
        let (pixels, most) =
            ((self.in_plane() as u64).saturating_mul(width * height), limits.max_pixels.saturating_mul(MOST_PADDED));
        if pixels > most {
            let what =
                format!("its tiles have {pixels} pixels with what reaches beyond it; at most {most} are decoded");
            return Err(corrupt(what));
        }
        Ok(())
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

/// Where chunks lie.
struct Stored {
    /// Places and lengths.
    places: Vec<(u64, u64)>,
    jpeg: Option<SharedByJpegs>,
}

impl Stored {
    /// In a file of `file` bytes.
    fn of(tags: &mut Tags<'_>, page: &Page, grid: &Grid, file: u64) -> Result<Self, MediaError> {
        // Some writers of tiles take the tags of strips.
        let (offsets, lengths) = if grid.is_tiled && tags.has(tag::TILE_OFFSETS) {
            (tag::TILE_OFFSETS, tag::TILE_BYTE_COUNTS)
        } else {
            (tag::STRIP_OFFSETS, tag::STRIP_BYTE_COUNTS)
        };
        let (offsets, mut lengths) = (tags.numbers(offsets)?, tags.numbers(lengths)?);
        let needed = grid.in_plane() * page.all_planes();
        if offsets.len() < needed {
            let what = format!("it has {} of the {needed} strips or tiles it needs", offsets.len());
            return Err(corrupt(what));
        }
        // What is not compressed is as long as its pixels, whatever is said; and a single strip ends with the file.
        if page.compression == Compression::None || (lengths.is_empty() && needed == 1) {
            let length = if page.compression == Compression::None { grid.bytes(page) } else { u64::MAX };
            lengths.clear();
            lengths.resize(offsets.len(), length); // bounded: by the places, which are there
        }
        if lengths.len() < offsets.len() {
            return Err(corrupt("its strips or tiles have not all a place and a length"));
        }
        let places: Vec<(u64, u64)> = offsets.into_iter().zip(lengths).take(needed).collect();
        if page.compression != Compression::None {
            check_stored(&places, file)?;
        }
        let jpeg = match page.compression {
            Compression::Jpeg { .. } => Some(SharedByJpegs::of(tags, grid, needed as u64)?),
            _ => None,
        };
        Ok(Self { places, jpeg })
    }
}

/// What is read for all chunks of a file of `file` bytes.
fn check_stored(places: &[(u64, u64)], file: u64) -> Result<(), MediaError> {
    // Nothing is read beyond the end.
    let there = |(offset, length): &(u64, u64)| (*length).min(file.saturating_sub(*offset));
    let all = places.iter().map(there).fold(0, u64::saturating_add);
    let most = file.saturating_mul(MOST_SHARED).max(HARMLESS);
    if all > most {
        let what = format!("its strips or tiles come to {all} bytes, many times the {file} that the file has");
        return Err(corrupt(what));
    }
    Ok(())
}

/// Of blocks of so many luma samples and one of each chroma makes pixels that have all three, in rows of `width`.
fn spread_chroma(blocks: &[u8], (across, down): (usize, usize), width: usize, pixels: &mut [u8]) {
    let in_block = across * down;
    let blocks_across = width / across;
    for (at, block) in blocks.chunks_exact(in_block + 2).enumerate() {
        let (left, top) = (at % blocks_across * across, at / blocks_across * down);
        for (luma, y) in block[..in_block].iter().enumerate() {
            let start = ((top + luma / across) * width + left + luma % across) * 3;
            pixels[start..start + 3].copy_from_slice(&[*y, block[in_block], block[in_block + 1]]);
        }
    }
}

/// What chunks in JPEG share. They are not trusted with their own size.
struct SharedByJpegs {
    tables: Vec<u8>,
    /// The largest that a chunk may be: its place, and whole units.
    largest: (u32, u32),
    /// Pixels that may still be decoded.
    left: u64,
}

/// Tables of all kinds that there are, at their longest, have some three thousand bytes.
const MOST_TABLES: usize = 1 << 16;

impl SharedByJpegs {
    fn of(tags: &mut Tags<'_>, grid: &Grid, chunks: u64) -> Result<Self, MediaError> {
        let tables = tags.bytes(tag::JPEG_TABLES)?.unwrap_or_default();
        if tables.len() > MOST_TABLES {
            let what = format!("its JPEG tables have {} bytes; at most {MOST_TABLES} are read", tables.len());
            return Err(corrupt(what));
        }
        let (width, height) = grid.stored;
        let largest = (width.next_multiple_of(UNIT), height.next_multiple_of(UNIT));
        let left = chunks.saturating_mul(u64::from(width) * u64::from(height)).saturating_mul(MOST_IN_UNITS);
        Ok(Self { tables, largest, left })
    }

    /// Before it is decoded, so that nothing large is decoded for a small place, or something a little too large for many.
    fn check_size(&mut self, width: u32, height: u32, place: &Place) -> Result<(), MediaError> {
        let (most_across, most_down) = self.largest;
        let pixels = u64::from(width) * u64::from(height);
        if width > most_across || height > most_down || pixels > self.left {
            let Place { width: across, height: down, .. } = place;
            let what = format!("a JPEG strip or tile has {width} x {height} pixels where {across} x {down} belong");
            return Err(corrupt(what));
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

/// Whether the checksum behind what a chunk unpacks to is that of what was unpacked. What reaches beyond its last row is nobody's,
/// and as far as `most` bytes it is gone through on the way there.
fn ends_soundly(bytes: &mut impl Read, most: u64) -> bool {
    io::copy(&mut bytes.take(most), &mut io::sink()).is_ok()
}

/// Whether a chunk unpacks to more than it has room for, and than `surplus` bytes: some of it was lost or changed before that.
fn has_left_over(bytes: &mut impl Read, surplus: u64) -> bool {
    /// What bits and bytes may unpack to that fill up the last word.
    const FILLED_UP: u64 = 2;
    let most = surplus + FILLED_UP;
    io::copy(&mut bytes.take(most + 1), &mut io::sink()).is_ok_and(|count| count > most)
}

fn in_tiff(error: MediaError) -> MediaError {
    match error {
        // All of the strip or tile was there to be read.
        MediaError::Corrupt { what, .. } | MediaError::Truncated { what, .. } => {
            corrupt(format!("in a JPEG strip or tile, {what}"))
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
