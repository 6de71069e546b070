//! Photoshop's image resources, as JPEG, TIFF and its own files hold them.
//!
//! Only headers are read, never pixels. What breaks off is left out: the picture is whole without it. Every length comes
//! from the file and is held against [`MOST_BYTES`] and against what the file has left.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use super::super::format::Format;

/// The largest block that is looked at. Image resources with thumbnails and long edit histories stay far below.
const MOST_BYTES: u64 = 16 << 20;

/// Most segments or tags of a file that are looked at.
const MOST_PARTS: usize = 10_000;

type Input = BufReader<File>;

/// The image resources of the file at `path`, if it has any.
pub(super) fn image_resources(path: &Path, format: Format) -> io::Result<Option<Vec<u8>>> {
    let mut input = BufReader::new(File::open(path)?);
    let found = match format {
        Format::Jpeg => of_jpeg(&mut input),
        Format::Tiff => of_tiff(&mut input),
        Format::Psd | Format::Psb => of_psd(&mut input).map(Some),
        _ => Ok(None),
    };
    match found {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        found => found,
    }
}

fn of_jpeg(input: &mut Input) -> io::Result<Option<Vec<u8>>> {
    const START_OF_SCAN: u8 = 0xda;
    const APP13: u8 = 0xed;
    let mut found: Option<Vec<u8>> = None;
    input.seek(SeekFrom::Start(2))?;
    for _ in 0..MOST_PARTS {
        let [mark, code] = array(input)?;
        if mark != 0xff || code == START_OF_SCAN {
            break;
        }
        if code == 0xff {
            // Padding before the code.
            input.seek_relative(-1)?;
            continue;
        }
        if (0xd0..=0xd8).contains(&code) || code == 0x01 {
            // Marks that stand alone.
            continue;
        }
        let length = u64::from(u16::from_be_bytes(array(input)?).saturating_sub(2));
        if code != APP13 {
            input.seek_relative(length as i64)?;
            continue;
        }
        if let Some(resources) = take(input, length)?.strip_prefix(b"Photoshop 3.0\0") {
            // Resources that do not fit into a segment go on in the next.
            found.get_or_insert_default().extend_from_slice(resources);
        }
    }
    Ok(found)
}

fn of_tiff(input: &mut Input) -> io::Result<Option<Vec<u8>>> {
    const PHOTOSHOP: u16 = 34377;
    let mut tiff = Tiff::open(input)?;
    let tags = tiff.first_directory()?;
    tags.iter().find(|found| found.tag == PHOTOSHOP).map(|found| tiff.bytes(found)).transpose()
}

fn of_psd(input: &mut Input) -> io::Result<Vec<u8>> {
    const COLOR_MODE_DATA: u64 = 26;
    input.seek(SeekFrom::Start(COLOR_MODE_DATA))?;
    let color_mode = u32::from_be_bytes(array(input)?);
    input.seek_relative(i64::from(color_mode))?;
    let length = u64::from(u32::from_be_bytes(array(input)?));
    take(input, length)
}

/// Enough of a TIFF file to find tags of its first directory, in either byte order, classic or big.
struct Tiff<'a> {
    input: &'a mut Input,
    is_little: bool,
    is_big: bool,
}

struct Tag {
    tag: u16,
    count: u64,
    /// Of the value itself, or of the place where its offset stands.
    value_at: u64,
}

impl<'a> Tiff<'a> {
    fn open(input: &'a mut Input) -> io::Result<Self> {
        let order: [u8; 2] = array(input)?;
        let mut tiff = Self { input, is_little: &order == b"II", is_big: false };
        tiff.is_big = tiff.number(2)? == 43;
        Ok(tiff)
    }

    fn number(&mut self, bytes: usize) -> io::Result<u64> {
        let mut read = [0; 8];
        self.input.read_exact(&mut read[..bytes])?;
        let number = read[..bytes].iter();
        let join = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        Ok(if self.is_little { number.rev().fold(0, join) } else { number.fold(0, join) })
    }

    /// Bytes of an offset, or of a value that stands in its entry.
    fn word(&self) -> usize {
        if self.is_big { 8 } else { 4 }
    }

    fn first_directory(&mut self) -> io::Result<Vec<Tag>> {
        let word = self.word();
        self.input.seek(SeekFrom::Start(if self.is_big { 8 } else { 4 }))?;
        let offset = self.number(word)?;
        self.input.seek(SeekFrom::Start(offset))?;
        let count = self.number(if self.is_big { 8 } else { 2 })?.min(MOST_PARTS as u64);
        let mut at = offset + if self.is_big { 8 } else { 2 };
        let mut tags = Vec::new();
        for _ in 0..count {
            let tag = self.number(2)? as u16;
            self.number(2)?;
            let count = self.number(word)?;
            self.number(word)?;
            tags.push(Tag { tag, count, value_at: at + 4 + word as u64 });
            at += 4 + 2 * word as u64;
        }
        Ok(tags)
    }

    /// The value of a tag whose values are bytes.
    fn bytes(&mut self, tag: &Tag) -> io::Result<Vec<u8>> {
        self.input.seek(SeekFrom::Start(tag.value_at))?;
        if tag.count > self.word() as u64 {
            let offset = self.number(self.word())?;
            self.input.seek(SeekFrom::Start(offset))?;
        }
        take(self.input, tag.count)
    }
}

fn array<const N: usize>(input: &mut Input) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// The next `length` bytes. Memory is taken as they arrive.
fn take(input: &mut Input, length: u64) -> io::Result<Vec<u8>> {
    if length > MOST_BYTES {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut bytes = Vec::new();
    input.take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == length { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}
