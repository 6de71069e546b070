//! The chunks of a WebP file: that they lie within it, and that no frame in them is larger than the limits.
//!
//! The decoder takes memory for a chunk by the length the chunk claims, and for a frame by the size the frame claims,
//! whatever the file's length and the picture's size; so both are checked before it sees the file. What lies behind the end that
//! the file gives itself is none of its business (the format has readers pass it over), but the decoder looks a little further.

use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

use super::super::error::MediaError;
use super::super::format::Format;
use super::super::limits::Limits;

/// Most chunks of a file, those in its frames among them: of an animation of an hour, 25 frames a second.
const MOST_CHUNKS: u32 = 100_000;

/// Bytes of a chunk beside the pixels: profiles of presses have a few megabytes.
const MOST_BESIDE: u64 = 64 << 20;

/// Checks all chunks of a file of `len` bytes, and gives where the first lies that is coded without loss. Leaves `input` anywhere.
pub(super) fn check(
    input: &mut (impl Read + Seek),
    len: u64,
    limits: &Limits,
) -> Result<Option<Range<u64>>, MediaError> {
    let failed = |error| MediaError::reading(Format::WebP, error);
    let [_, _, _, _, size @ ..] = bytes::<8>(input).map_err(failed)?;
    let said = u64::from(u32::from_le_bytes(size)) + 8;
    if said > len {
        let what = format!("it says it has {said} bytes and has {len}");
        return Err(MediaError::truncated(Format::WebP, what));
    }
    let mut walk = Walk { input, limits, seen: 0, lossless: None };
    walk.chunks(12, said, len, true)?;
    Ok(walk.lossless)
}

/// Chunks that the decoder does something with.
const KNOWN: [[u8; 4]; 11] =
    [*b"RIFF", *b"WEBP", *b"VP8 ", *b"VP8L", *b"VP8X", *b"ANIM", *b"ANMF", *b"ALPH", *b"ICCP", *b"EXIF", *b"XMP "];

struct Walk<'a, R> {
    input: &'a mut R,
    limits: &'a Limits,
    /// Chunks so far.
    seen: u32,
    lossless: Option<Range<u64>>,
}

impl<R: Read + Seek> Walk<'_, R> {
    /// The chunks from `place` up to `end`; from `said` on there need be none. Animations have chunks in their frames, and no frames
    /// in those.
    fn chunks(&mut self, mut place: u64, said: u64, end: u64, may_have_frames: bool) -> Result<(), MediaError> {
        const HEADER: u64 = 8;
        while place + HEADER <= end {
            let chunk = self.at::<8>(place)?;
            self.seen += 1;
            if self.seen > MOST_CHUNKS {
                return Err(MediaError::corrupt(Format::WebP, format!("it has more than {MOST_CHUNKS} chunks")));
            }
            let [_, _, _, _, size @ ..] = chunk;
            let (start, size) = (place + HEADER, u64::from(u32::from_le_bytes(size)));
            if start + size > end {
                if place >= said && !KNOWN.contains(&[chunk[0], chunk[1], chunk[2], chunk[3]]) {
                    return Ok(());
                }
                return Err(MediaError::truncated(Format::WebP, "a chunk in it is longer than the rest of the file"));
            }
            match &chunk[..4] {
                b"ICCP" | b"EXIF" | b"XMP " if size > MOST_BESIDE => {
                    let what = format!("a chunk beside its pixels has {size} bytes; at most {MOST_BESIDE} are read");
                    return Err(MediaError::corrupt(Format::WebP, what));
                }
                b"VP8X" => {
                    let [_, _, _, _, w0, w1, w2, h0, h1, h2] = self.at(start)?;
                    self.check_size([w0, w1, w2, 0], [h0, h1, h2, 0], 1)?;
                }
                b"VP8 " => {
                    let [_, _, _, _, _, _, w0, w1, h0, h1] = self.at(start)?;
                    self.check_size([w0, w1 & 0x3f, 0, 0], [h0, h1 & 0x3f, 0, 0], 0)?;
                }
                b"VP8L" => {
                    let [_, b0, b1, b2, b3] = self.at(start)?;
                    let bits = u32::from_le_bytes([b0, b1, b2, b3]);
                    let [width, height] = [bits & 0x3fff, (bits >> 14) & 0x3fff].map(u32::to_le_bytes);
                    self.check_size(width, height, 1)?;
                    self.lossless.get_or_insert(start..start + size);
                }
                b"ANMF" if may_have_frames => {
                    let [.., w0, w1, w2, h0, h1, h2] = self.at::<12>(start)?;
                    self.check_size([w0, w1, w2, 0], [h0, h1, h2, 0], 1)?;
                    const FRAME_HEADER: u64 = 16;
                    self.chunks(start + FRAME_HEADER, start + size, start + size, false)?;
                }
                _ => {}
            }
            place = start + size + size % 2;
        }
        Ok(())
    }

    fn check_size(&self, width: [u8; 4], height: [u8; 4], more: u64) -> Result<(), MediaError> {
        let [width, height] = [width, height].map(|bytes| u64::from(u32::from_le_bytes(bytes)) + more);
        self.limits.check_size(width, height)
    }

    fn at<const N: usize>(&mut self, place: u64) -> Result<[u8; N], MediaError> {
        let read = self.input.seek(SeekFrom::Start(place)).and_then(|_| bytes(self.input));
        read.map_err(|error| MediaError::reading(Format::WebP, error))
    }
}

fn bytes<const N: usize>(input: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}
