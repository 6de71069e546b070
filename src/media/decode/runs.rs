//! Run-length coded pictures, for what their runs say of damage: a decoder makes some picture of any bytes.

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::ops::Range;

use super::super::color::Note;
use super::super::content::Reader;
use super::super::error::MediaError;
use super::super::format::Format;
use super::holes;

/// How runs fill the rows of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    Whole,
    /// There are more pixels than there is room for, or data behind the last one.
    TooMany,
    /// Some rows, and only some, have too few.
    TooFew,
}

/// Looks through the pixels of a BMP, `width` by `height`, which lie in `place` by its header. The runs are of bytes, or of nibbles.
pub(super) fn of_bmp(
    file: &Reader,
    place: Range<u64>,
    size: (u64, u64),
    is_nibbles: bool,
) -> Result<Option<Note>, MediaError> {
    let mut input = at(file, place.start, Format::Bmp)?;
    let failed = |error| MediaError::reading(Format::Bmp, error);
    let fit = bmp(&mut input, size, is_nibbles).map_err(failed)?;
    let end = input.stream_position().map_err(failed)?;
    let fit = match fit {
        Fit::Whole if !is_empty(file, end..place.end.min(file.len())).map_err(failed)? => Fit::TooMany,
        fit => fit,
    };
    judged(fit, file, place.start..end, Format::Bmp)
}

/// Looks through the pixels of a Targa file, if they are run-length coded.
pub(super) fn of_targa(file: &Reader) -> Result<Option<Note>, MediaError> {
    let failed = |error| MediaError::reading(Format::Targa, error);
    let mut input = at(file, 0, Format::Targa)?;
    let Some(head) = Targa::read(&mut input).map_err(failed)? else { return Ok(None) };
    let fit = head.fit(&mut input, file).map_err(failed)?;
    let end = input.stream_position().map_err(failed)?;
    judged(fit, file, head.start..end, Format::Targa)
}

fn at(file: &Reader, start: u64, format: Format) -> Result<BufReader<Reader>, MediaError> {
    let mut input = BufReader::new(file.clone());
    input.seek(SeekFrom::Start(start)).map_err(|error| MediaError::reading(format, error))?;
    Ok(input)
}

/// With a hole it is no picture; without, it has a line.
fn judged(fit: Fit, file: &Reader, runs: Range<u64>, format: Format) -> Result<Option<Note>, MediaError> {
    let note = match fit {
        Fit::Whole => return Ok(None),
        Fit::TooMany => Note::DataLeftOver,
        Fit::TooFew => Note::DataMissing,
    };
    holes::check(&mut BufReader::new(file.clone()), runs, holes::LEAST, format)?;
    Ok(Some(note))
}

/// Ends of rows and of the picture, and steps, are said by pairs of which the first is zero. (Microsoft, "Bitmap Compression".)
fn bmp(input: &mut impl BufRead, (width, height): (u64, u64), is_nibbles: bool) -> io::Result<Fit> {
    /// What writers add to a row to fill up its last word.
    const SLACK: u64 = 3;
    /// One row of so many may be short: of those who leave out what is blank it is more.
    const FEW: u64 = 8;
    let (mut x, mut y, mut short, mut full, mut has_steps) = (0, 0, 0, 0, false);
    let mut has_ended = false;
    while let Some([count, value]) = pair(input)? {
        let pixels = match (count, value) {
            (0, 0) => {
                match x {
                    0 => {}
                    x if x < width => short += 1,
                    _ => full += 1,
                }
                (x, y) = (0, y + 1);
                continue;
            }
            (0, 1) => {
                has_ended = true;
                break;
            }
            (0, 2) => {
                let Some([across, down]) = pair(input)? else { break };
                (x, y, has_steps) = (x + u64::from(across), y + u64::from(down), true);
                continue;
            }
            (0, pixels) => {
                let bytes = if is_nibbles { u64::from(pixels).div_ceil(2) } else { pixels.into() };
                io::copy(&mut input.take(bytes.next_multiple_of(2)), &mut io::sink())?;
                pixels
            }
            (count, _) => count,
        };
        x += u64::from(pixels);
        if y >= height || x > width + SLACK {
            return Ok(Fit::TooMany);
        }
    }
    let lacks_rows = has_ended && short == 0 && y + u64::from(x > 0) < height;
    let lacks_ends = short > 0 && short * FEW < full;
    Ok(if !has_steps && (lacks_rows || lacks_ends) { Fit::TooFew } else { Fit::Whole })
}

/// Whether nothing but zeros stands there.
fn is_empty(file: &Reader, range: Range<u64>) -> io::Result<bool> {
    let mut input = BufReader::new(file.clone());
    input.seek(SeekFrom::Start(range.start))?;
    let mut rest = input.take(range.end.saturating_sub(range.start));
    loop {
        let bytes = rest.fill_buf()?;
        if bytes.is_empty() {
            return Ok(true);
        }
        if bytes.iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        let count = bytes.len();
        rest.consume(count);
    }
}

fn pair(input: &mut impl Read) -> io::Result<Option<[u8; 2]>> {
    let mut pair = [0; 2];
    match input.read_exact(&mut pair) {
        Ok(()) => Ok(Some(pair)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// What the header of a Targa file says of its runs. (Truevision, "TGA File Format Specification", 2.0.)
struct Targa {
    /// Where they begin.
    start: u64,
    pixels: u64,
    bytes_of_pixel: u64,
}

impl Targa {
    /// None if there are no runs.
    fn read(input: &mut (impl Read + Seek)) -> io::Result<Option<Self>> {
        let mut head = [0; 18];
        input.read_exact(&mut head)?;
        let word = |at: usize| u64::from(u16::from_le_bytes([head[at], head[at + 1]]));
        if !(9..=11).contains(&head[2]) {
            return Ok(None);
        }
        let map = if head[1] == 1 { word(5) * u64::from(head[7]).div_ceil(8) } else { 0 };
        let start = head.len() as u64 + u64::from(head[0]) + map;
        input.seek(SeekFrom::Start(start))?;
        let bytes_of_pixel = u64::from(head[16]).div_ceil(8);
        Ok(Some(Self { start, pixels: word(12) * word(14), bytes_of_pixel }))
    }

    fn fit(&self, input: &mut (impl BufRead + Seek), file: &Reader) -> io::Result<Fit> {
        let mut done = 0;
        while done < self.pixels {
            let mut head = [0];
            if input.read(&mut head)? == 0 {
                // It is for the decoder to refuse.
                return Ok(Fit::Whole);
            }
            let count = u64::from(head[0] & 0x7f) + 1;
            let bytes = if head[0] & 0x80 == 0 { count * self.bytes_of_pixel } else { self.bytes_of_pixel };
            io::copy(&mut input.by_ref().take(bytes), &mut io::sink())?;
            done += count;
        }
        let (end, follows) = (input.stream_position()?, what_follows(file)?);
        Ok(match follows {
            _ if done > self.pixels => Fit::TooMany,
            follows if end < follows && !is_empty(file, end..follows)? => Fit::TooMany,
            follows if end > follows => Fit::TooFew,
            _ => Fit::Whole,
        })
    }
}

/// Where the first of the areas begins that the footer of a Targa file leads to, or itself; the end of the file if it has none.
fn what_follows(file: &Reader) -> io::Result<u64> {
    const FOOTER: u64 = 26;
    const SIGNATURE: &[u8] = b"TRUEVISION-XFILE";
    /// Where the extension area says where tables lie: of colours, the small picture, and lines.
    const TABLES: [u64; 3] = [482, 486, 490];
    const MOST_TAGS: u16 = 1000;
    let Some(start) = file.len().checked_sub(FOOTER) else { return Ok(file.len()) };
    let mut footer = [0; FOOTER as usize];
    file.read_exact_at(&mut footer, start)?;
    if &footer[8..24] != SIGNATURE {
        return Ok(file.len());
    }
    let number = |at: u64| {
        let mut bytes = [0; 4];
        file.read_exact_at(&mut bytes, at).map(|()| u64::from(u32::from_le_bytes(bytes)))
    };
    let (extension, directory) = (number(start)?, number(start + 4)?);
    let mut areas = vec![extension, directory];
    if extension > 0 {
        areas.extend(TABLES.into_iter().filter_map(|at| number(extension + at).ok()));
    }
    if directory > 0 {
        // Tags have their number, their place and their size. Of a directory that is nowhere there are none.
        let mut count = [0; 2];
        let is_there = file.read_exact_at(&mut count, directory).is_ok();
        let tags = if is_there { u64::from(u16::from_le_bytes(count).min(MOST_TAGS)) } else { 0 };
        areas.extend((0..tags).filter_map(|tag| number(directory + 2 + tag * 10 + 2).ok()));
    }
    Ok(areas.into_iter().filter(|area| *area > 0).chain([start]).min().unwrap_or(start))
}
