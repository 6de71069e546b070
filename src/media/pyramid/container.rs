//! The TIFF file around the tiles, always little-endian.
//!
//! Data is appended as it comes and the directories follow when all of it is known. Only then is it decided whether
//! the file is a classic TIFF or a BigTIFF: the header's place at the start is kept free, large enough for either.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};

/// Data may end here at most in a classic TIFF, whose offsets have 32 bits; the rest is room for the directories.
pub(crate) const CLASSIC_LIMIT: u64 = (1 << 32) - (1 << 26);

const HEADER_LEN: u64 = 16;

/// A piece of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    offset: u64,
    len: u64,
}

/// What a directory says under a tag.
#[derive(Debug, Clone)]
pub(crate) enum Field {
    Shorts(Vec<u16>),
    Long(u32),
    Longs(Vec<u32>),
    Offsets(Vec<u64>),
    Rationals(Vec<(u32, u32)>),
    /// Bytes that are in the file already.
    Elsewhere(Span),
}

impl Field {
    pub fn short(value: u16) -> Self {
        Self::Shorts(vec![value])
    }

    pub fn rational(value: f64) -> Self {
        Self::rationals(&[value])
    }

    /// To four decimal places.
    pub fn rationals(values: &[f64]) -> Self {
        let rational = |value: &f64| {
            let (mut above, mut below) = ((value * 10_000.0).round() as u32, 10_000);
            for factor in [2, 2, 2, 2, 5, 5, 5, 5] {
                if above % factor == 0 && below % factor == 0 {
                    (above, below) = (above / factor, below / factor);
                }
            }
            (above, below)
        };
        Self::Rationals(values.iter().map(rational).collect())
    }
}

/// One directory.
#[derive(Debug, Default)]
pub(crate) struct Page(BTreeMap<u16, Field>);

impl Page {
    pub fn set(&mut self, tag: u16, field: Field) {
        self.0.insert(tag, field);
    }

    pub fn set_tiles(&mut self, offsets: u16, lengths: u16, tiles: &[Span]) {
        self.set(offsets, Field::Offsets(tiles.iter().map(|tile| tile.offset).collect()));
        // A tile is never near four gigabytes.
        self.set(lengths, Field::Longs(tiles.iter().map(|tile| tile.len as u32).collect()));
    }
}

/// How the file ended up.
pub(crate) struct End {
    pub bytes: u64,
    pub is_big: bool,
}

pub(crate) struct Container<W: Write + Seek> {
    out: BufWriter<W>,
    position: u64,
    classic_limit: u64,
}

impl<W: Write + Seek> Container<W> {
    pub fn start(out: W, classic_limit: u64) -> io::Result<Self> {
        let mut out = BufWriter::with_capacity(1 << 18, out);
        out.write_all(&[0; HEADER_LEN as usize])?;
        Ok(Self { out, position: HEADER_LEN, classic_limit })
    }

    /// Appends `bytes` at an even offset.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<Span> {
        if self.position % 2 == 1 {
            self.out.write_all(&[0])?;
            self.position += 1;
        }
        let span = Span { offset: self.position, len: bytes.len() as u64 };
        self.out.write_all(bytes)?;
        self.position += span.len;
        Ok(span)
    }

    /// Writes the directories, last one first, because each names the place of the next.
    pub fn finish(&mut self, pages: Vec<Page>) -> io::Result<End> {
        let words = Words { is_big: self.position > self.classic_limit };
        let mut next = 0;
        for page in pages.into_iter().rev() {
            next = self.write_page(page, next, words)?;
        }
        let bytes = self.position;
        self.out.seek(SeekFrom::Start(0))?;
        self.out.write_all(&words.header(next))?;
        self.out.seek(SeekFrom::Start(bytes))?;
        self.out.flush()?;
        Ok(End { bytes, is_big: words.is_big })
    }

    fn write_page(&mut self, page: Page, next: u64, words: Words) -> io::Result<u64> {
        let mut directory = words.count(page.0.len());
        for (tag, field) in page.0 {
            let (kind, count) = words.kind(&field);
            directory.extend_from_slice(&tag.to_le_bytes());
            directory.extend_from_slice(&kind.to_le_bytes());
            directory.extend_from_slice(&words.offset(count));
            directory.extend_from_slice(&match field {
                Field::Elsewhere(span) => words.offset(span.offset),
                inline_or_long => {
                    let mut value = words.value(&inline_or_long);
                    if value.len() > words.size() {
                        words.offset(self.append(&value)?.offset)
                    } else {
                        value.resize(words.size(), 0); // bounded: by 8 bytes
                        value
                    }
                }
            });
        }
        directory.extend_from_slice(&words.offset(next));
        Ok(self.append(&directory)?.offset)
    }
}

/// The widths in which classic TIFF and BigTIFF differ.
#[derive(Clone, Copy)]
struct Words {
    is_big: bool,
}

impl Words {
    fn size(self) -> usize {
        if self.is_big { 8 } else { 4 }
    }

    /// An offset or a count of values. In a classic file all offsets lie below its limit.
    fn offset(self, value: u64) -> Vec<u8> {
        value.to_le_bytes()[..self.size()].to_vec()
    }

    fn count(self, entries: usize) -> Vec<u8> {
        (entries as u64).to_le_bytes()[..if self.is_big { 8 } else { 2 }].to_vec()
    }

    fn header(self, first_page: u64) -> [u8; HEADER_LEN as usize] {
        let mut header = [0; HEADER_LEN as usize];
        if self.is_big {
            header[..8].copy_from_slice(&[b'I', b'I', 43, 0, 8, 0, 0, 0]);
            header[8..].copy_from_slice(&self.offset(first_page));
        } else {
            header[..4].copy_from_slice(&[b'I', b'I', 42, 0]);
            header[4..8].copy_from_slice(&self.offset(first_page));
        }
        header
    }

    /// The number of the field's type, and how many values it has.
    fn kind(self, field: &Field) -> (u16, u64) {
        match field {
            Field::Shorts(values) => (3, values.len() as u64),
            Field::Long(_) => (4, 1),
            Field::Longs(values) => (4, values.len() as u64),
            Field::Offsets(values) => (if self.is_big { 16 } else { 4 }, values.len() as u64),
            Field::Rationals(values) => (5, values.len() as u64),
            Field::Elsewhere(span) => (7, span.len),
        }
    }

    fn value(self, field: &Field) -> Vec<u8> {
        match field {
            Field::Shorts(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Field::Long(value) => value.to_le_bytes().to_vec(),
            Field::Longs(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Field::Offsets(values) => values.iter().flat_map(|value| self.offset(*value)).collect(),
            Field::Rationals(values) => {
                values.iter().flat_map(|(above, below)| [above.to_le_bytes(), below.to_le_bytes()]).flatten().collect()
            }
            Field::Elsewhere(span) => self.offset(span.offset),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// A page of one tile, 16 pixels square, uncompressed gray.
    fn page_of(tile: Span) -> Page {
        let mut page = Page::default();
        for (tag, value) in [(256, 16), (257, 16), (322, 16), (323, 16)] {
            page.set(tag, Field::Long(value));
        }
        for (tag, value) in [(258, 8), (259, 1), (262, 1), (277, 1)] {
            page.set(tag, Field::short(value));
        }
        page.set(282, Field::rational(72.5));
        page.set(283, Field::rational(300.0));
        page.set_tiles(324, 325, &[tile]);
        page
    }

    fn file(classic_limit: u64) -> (Vec<u8>, End) {
        let mut out = Cursor::new(Vec::new());
        let mut container = Container::start(&mut out, classic_limit).unwrap();
        let first = container.append(&[40; 256]).unwrap();
        let second = container.append(&[200; 256]).unwrap();
        let end = container.finish(vec![page_of(first), page_of(second)]).unwrap();
        drop(container);
        (out.into_inner(), end)
    }

    #[test]
    fn small_and_big_files_are_read_alike() {
        for (limit, is_big, version) in [(CLASSIC_LIMIT, false, 42), (100, true, 43)] {
            let (bytes, end) = file(limit);
            assert_eq!((end.is_big, end.bytes, bytes[2]), (is_big, bytes.len() as u64, version));
            let mut decoder = tiff::decoder::Decoder::new(Cursor::new(&bytes)).unwrap();
            for value in [40, 200] {
                let tiff::decoder::DecodingResult::U8(pixels) = decoder.read_image().unwrap() else { panic!("8 bits") };
                assert_eq!(pixels, [value; 256]);
                if value == 40 {
                    decoder.next_image().unwrap();
                }
            }
            assert!(!decoder.more_images());
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("container.tif");
            std::fs::write(&path, &bytes).unwrap();
            let info =
                std::process::Command::new("tiffinfo").arg(&path).output().expect("the Debian package libtiff-tools");
            let said = String::from_utf8_lossy(&info.stdout);
            assert!(info.stderr.is_empty() && said.contains("Resolution: 72.5, 300"), "{info:?}");
        }
    }
}
