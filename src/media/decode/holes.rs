//! Zeros where compressed pictures have none: a copy that broke off, or a disk that lost what was on it, leaves them, and decoders
//! of some formats take them for a part of the picture.

use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

use super::super::error::MediaError;
use super::super::format::Format;

/// So many zeros in a row are no data of HEVC or AV1, however plain the picture, and of WebP without loss only if they are pixels that
/// are there. With loss WebP has tens of thousands where it is plain, and a hole cannot be told from that.
pub(in crate::media) const LEAST: u64 = 512;

/// Refuses a picture with a hole in `range` of its file.
pub(in crate::media) fn check(
    input: &mut (impl Read + Seek),
    range: Range<u64>,
    least: u64,
    format: Format,
) -> Result<(), MediaError> {
    find(input, range, least, format)?.map_or(Ok(()), |at| Err(refused(at, format)))
}

pub(super) fn refused(at: u64, format: Format) -> MediaError {
    MediaError::corrupt(format, format!("it holds nothing but zeros from byte {at} on"))
}

/// Where the first run of zeros begins that is as long.
pub(super) fn find(
    input: &mut (impl Read + Seek),
    range: Range<u64>,
    least: u64,
    format: Format,
) -> Result<Option<u64>, MediaError> {
    first(input, range, least).map_err(|error| MediaError::reading(format, error))
}

fn first(input: &mut (impl Read + Seek), range: Range<u64>, least: u64) -> io::Result<Option<u64>> {
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
