//! Enough of TIFF to find the values of tags: of files, and of EXIF blocks, which are small TIFF files. Either byte order,
//! classic or big. Every offset and length comes from the file, and is held against what the file has and against limits.

use std::io::{self, Read, Seek, SeekFrom};

use super::memory::read_at_most;

/// Most tags of a directory that are looked at.
const MOST_TAGS: u64 = 10_000;

pub struct Tiff<R> {
    input: R,
    is_little: bool,
    is_big: bool,
}

#[derive(Debug, Clone, Copy)]
pub struct Tag {
    pub number: u16,
    pub kind: u16,
    count: u64,
    /// Of the value itself, or of the place where its offset stands.
    value_at: u64,
}

impl Tag {
    /// Bytes of its value.
    pub fn length(self) -> u64 {
        self.count.saturating_mul(size_of_kind(self.kind))
    }

    /// How many values it has.
    pub const fn count(self) -> u64 {
        self.count
    }
}

/// A value of a tag.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Bytes(Vec<u8>),
    Numbers(Vec<i64>),
    /// Numerators and denominators.
    Fractions(Vec<(i64, i64)>),
}

impl<R: Read + Seek> Tiff<R> {
    pub fn open(mut input: R) -> io::Result<Self> {
        input.seek(SeekFrom::Start(0))?;
        let mut order = [0; 2];
        input.read_exact(&mut order)?;
        let mut tiff = Self { input, is_little: &order == b"II", is_big: false };
        tiff.is_big = tiff.number(2)? == 43;
        Ok(tiff)
    }

    fn number(&mut self, bytes: usize) -> io::Result<u64> {
        let mut read = [0; 8];
        self.input.read_exact(&mut read[..bytes])?;
        Ok(self.join(&read[..bytes]))
    }

    fn join(&self, bytes: &[u8]) -> u64 {
        let join = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        if self.is_little { bytes.iter().rev().fold(0, join) } else { bytes.iter().fold(0, join) }
    }

    /// Bytes of an offset, or of a value that stands in its entry.
    fn word(&self) -> usize {
        if self.is_big { 8 } else { 4 }
    }

    pub const fn is_little_endian(&self) -> bool {
        self.is_little
    }

    /// Where the first directory lies.
    pub fn first(&mut self) -> io::Result<u64> {
        let word = self.word();
        self.input.seek(SeekFrom::Start(if self.is_big { 8 } else { 4 }))?;
        self.number(word)
    }

    pub fn first_directory(&mut self) -> io::Result<Vec<Tag>> {
        let offset = self.first()?;
        self.directory(offset)
    }

    /// Where the one behind this lies; 0 if it is the last.
    pub fn next(&mut self, offset: u64) -> io::Result<u64> {
        let word = self.word();
        let count_bytes = if self.is_big { 8 } else { 2 };
        self.input.seek(SeekFrom::Start(offset))?;
        let entries = self.number(count_bytes)?.saturating_mul(4 + 2 * word as u64);
        let behind = offset.saturating_add(count_bytes as u64).saturating_add(entries);
        self.input.seek(SeekFrom::Start(behind))?;
        self.number(word)
    }

    pub fn directory(&mut self, offset: u64) -> io::Result<Vec<Tag>> {
        let word = self.word();
        let count_bytes = if self.is_big { 8 } else { 2 };
        self.input.seek(SeekFrom::Start(offset))?;
        let count = self.number(count_bytes)?.min(MOST_TAGS);
        let mut at = offset.saturating_add(count_bytes as u64);
        let mut tags = Vec::new();
        for _ in 0..count {
            let (number, kind) = (self.number(2)? as u16, self.number(2)? as u16);
            let count = self.number(word)?;
            self.number(word)?;
            tags.push(Tag { number, kind, count, value_at: at.saturating_add(4 + word as u64) });
            at = at.saturating_add(4 + 2 * word as u64);
        }
        Ok(tags)
    }

    /// The bytes of a value, whatever they are, if there are no more than `most`.
    pub fn bytes(&mut self, tag: Tag, most: u64) -> io::Result<Vec<u8>> {
        let length = tag.length();
        if length > most {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.input.seek(SeekFrom::Start(tag.value_at))?;
        if length > self.word() as u64 {
            let offset = self.number(self.word())?;
            self.input.seek(SeekFrom::Start(offset))?;
        }
        take(&mut self.input, length)
    }

    /// The first of the whole numbers of a value, however many there are. None if there is none.
    pub fn first_number(&mut self, tag: Tag) -> io::Result<Option<u64>> {
        let Some(width) = width_of_number(tag.kind).filter(|_| tag.count > 0) else { return Ok(None) };
        self.input.seek(SeekFrom::Start(tag.value_at))?;
        if tag.length() > self.word() as u64 {
            let offset = self.number(self.word())?;
            self.input.seek(SeekFrom::Start(offset))?;
        }
        self.number(width).map(Some)
    }

    /// A value of whole numbers of any width, none of them negative, if it has no more than `most` bytes.
    pub fn numbers(&mut self, tag: Tag, most: u64) -> io::Result<Option<Vec<u64>>> {
        let Some(width) = width_of_number(tag.kind) else { return Ok(None) };
        let bytes = self.bytes(tag, most)?;
        Ok(Some(bytes.chunks_exact(width).map(|number| self.join(number)).collect()))
    }

    /// A value that is worth telling: texts and a few numbers.
    pub fn value(&mut self, tag: Tag) -> io::Result<Option<Value>> {
        const MOST: u64 = 64 << 10;
        let bytes = self.bytes(tag, MOST)?;
        let one = |bytes: &[u8]| self.join(bytes);
        Ok(match tag.kind {
            2 => Some(Value::Bytes(bytes)),
            3 => Some(Value::Numbers(bytes.as_chunks::<2>().0.iter().map(|bytes| one(bytes) as i64).collect())),
            4 => Some(Value::Numbers(bytes.as_chunks::<4>().0.iter().map(|bytes| one(bytes) as i64).collect())),
            5 => {
                let half = |bytes: &[u8]| one(bytes) as i64;
                Some(Value::Fractions(
                    bytes.as_chunks::<8>().0.iter().map(|b| (half(&b[..4]), half(&b[4..]))).collect(),
                ))
            }
            10 => {
                let half = |bytes: &[u8]| i64::from(one(bytes) as u32 as i32);
                Some(Value::Fractions(
                    bytes.as_chunks::<8>().0.iter().map(|b| (half(&b[..4]), half(&b[4..]))).collect(),
                ))
            }
            _ => None,
        })
    }
}

/// Bytes of a whole number that is not negative, of kinds that are one.
const fn width_of_number(kind: u16) -> Option<usize> {
    match kind {
        1 => Some(1),
        3 => Some(2),
        4 | 13 => Some(4),
        16 | 18 => Some(8),
        _ => None,
    }
}

const fn size_of_kind(kind: u16) -> u64 {
    match kind {
        3 | 8 => 2,
        4 | 9 | 11 | 13 => 4,
        5 | 10 | 12 | 16..=18 => 8,
        _ => 1,
    }
}

/// The next `length` bytes. Memory is taken as they arrive.
pub fn take(input: &mut impl Read, length: u64) -> io::Result<Vec<u8>> {
    let bytes = read_at_most(input, length)?;
    if bytes.len() as u64 == length { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}
