//! Zeros where compressed pictures have none: a copy that broke off, or a disk that lost what was on it, leaves them, and decoders
//! of some formats take them for a part of the picture.

use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

use super::super::error::MediaError;
use super::super::format::Format;

/// So many zeros in a row are no data of WebP without loss, HEVC or AV1, however plain the picture. With loss WebP has tens of
/// thousands where it is plain, and a hole cannot be told from that.
pub(in crate::media) const LEAST: u64 = 512;

/// Packets of JPEG 2000 without anything new are a byte of zeros each, and a plain picture has hundreds in a row.
pub(super) const LEAST_OF_PACKETS: u64 = 4096;

/// Refuses a picture with a hole in `range` of its file.
pub(in crate::media) fn check(
    input: &mut (impl Read + Seek),
    range: Range<u64>,
    least: u64,
    format: Format,
) -> Result<(), MediaError> {
    match find(input, range, least) {
        Ok(None) => Ok(()),
        Ok(Some(at)) => Err(MediaError::corrupt(format, format!("it holds nothing but zeros from byte {at} on"))),
        Err(error) => Err(MediaError::reading(format, error)),
    }
}

/// Where the first run of zeros begins that is as long.
fn find(input: &mut (impl Read + Seek), range: Range<u64>, least: u64) -> io::Result<Option<u64>> {
    input.seek(SeekFrom::Start(range.start))?;
    let (mut at, mut run) = (range.start, 0_u64);
    let mut buffer = [0; 1 << 13];
    while at < range.end {
        let wanted = buffer.len().min(usize::try_from(range.end - at).unwrap_or(usize::MAX));
        let count = input.read(&mut buffer[..wanted])?;
        if count == 0 {
            break;
        }
        for byte in &buffer[..count] {
            run = if *byte == 0 { run + 1 } else { 0 };
            at += 1;
            if run == least {
                return Ok(Some(at - least));
            }
        }
    }
    Ok(None)
}
