//! AVIF: one picture, its transparency, and the profile of its colours.
//!
//! Colours are kept at full resolution. The encoder says in the picture itself that they are sRGB; a profile is put in beside that,
//! and goes before it (MIAF, colour information).

use std::ops::Range;

use ravif::{BitDepth, Encoder, Img, RGB8, RGBA8};

use super::super::error::MediaError;
use super::super::limits::Limits;
use super::color::Colors;
use super::encode::failed;
use crate::serving::Quality;

/// From 1, the slowest, to 10. A megapixel takes 1.7 s of a processor at 9, of which one at 8 takes 3.7 s and saves 2 % of the
/// bytes, and one at 10 takes 1.2 s and adds 9 %.
const SPEED: u8 = 9;

/// Transparency has no loss that is seen, whatever the colours have.
const ALPHA_QUALITY: f32 = 100.0;

/// What the encoder takes for each pixel: measured at 12 megapixels, and a quarter more.
const BYTES: u64 = 28;
const BYTES_WITH_ALPHA: u64 = 44;

pub(super) fn avif(
    colors: &Colors,
    quality: Quality,
    profile: Option<&[u8]>,
    limits: &Limits,
) -> Result<Vec<u8>, MediaError> {
    let (width, height) = (colors.width as usize, colors.height as usize);
    let each = if colors.alpha.is_some() { BYTES_WITH_ALPHA } else { BYTES };
    let needed = u64::from(colors.width) * u64::from(colors.height) * each;
    if needed > limits.max_memory {
        let limit = limits.max_memory;
        let why = format!(
            "encoding it as AVIF takes {needed} bytes of memory; at most {limit} are given to one picture, its share of media.memory"
        );
        return Err(MediaError::NotDrawn { why });
    }
    // The threads are those of the process: as many as it was given.
    let encoder = Encoder::new()
        .with_quality(quality.value.clamp(1, 100).into())
        .with_alpha_quality(ALPHA_QUALITY)
        .with_speed(SPEED)
        .with_bit_depth(BitDepth::Eight);
    let pixels = colors.pixels.chunks_exact(3);
    let encoded = match &colors.alpha {
        None => {
            let pixels: Vec<RGB8> = pixels.map(|pixel| RGB8::new(pixel[0], pixel[1], pixel[2])).collect();
            encoder.encode_rgb(Img::new(&pixels, width, height))
        }
        Some(alpha) => {
            let seen = pixels.zip(alpha);
            let pixels: Vec<RGBA8> =
                seen.map(|(pixel, alpha)| RGBA8::new(pixel[0], pixel[1], pixel[2], *alpha)).collect();
            encoder.encode_rgba(Img::new(&pixels, width, height))
        }
    };
    let file = encoded.map_err(failed)?.avif_file;
    match profile {
        Some(profile) => with_profile(file, profile).ok_or_else(|| failed("the AVIF has no place for its profile")),
        None => Ok(file),
    }
}

/// A file as the encoder writes it, and with a profile. None: it is of another layout.
///
/// ```text
/// meta  iloc  where the data of each item is, behind all of this
///       iprp  ipco  properties
///             ipma  which of them each item has, by their numbers from 1
/// ```
fn with_profile(mut file: Vec<u8>, profile: &[u8]) -> Option<Vec<u8>> {
    const HEADER: usize = 8;
    /// With version and flags.
    const FULL_HEADER: usize = 12;
    let whole = 0..file.len();
    let meta = found(&file, whole, b"meta")?;
    let iloc = found(&file, meta.start + FULL_HEADER..meta.end, b"iloc")?;
    let iprp = found(&file, meta.start + FULL_HEADER..meta.end, b"iprp")?;
    let ipco = found(&file, iprp.start + HEADER..iprp.end, b"ipco")?;
    let ipma = found(&file, iprp.start + HEADER..iprp.end, b"ipma")?;
    let number = boxes(&file, ipco.start + HEADER..ipco.end).count() + 1;
    let mut property = ((HEADER + 4 + profile.len()) as u32).to_be_bytes().to_vec();
    property.extend(b"colrprof");
    property.extend(profile);
    // The first item is the picture: its number, how many properties it has, and which.
    let has = ipma.start + FULL_HEADER + 4 + 2;
    let behind = has + 1 + usize::from(*file.get(has)?);
    let added = property.len() + 1;
    // From the end, so that what comes before stays where it is.
    *file.get_mut(has)? += 1;
    file.insert(behind, number as u8);
    file.splice(ipco.end..ipco.end, property.iter().copied());
    for (grown, by) in [(&ipma, 1), (&ipco, property.len()), (&iprp, added), (&meta, added)] {
        let at = if grown.start > ipco.start { grown.start + property.len() } else { grown.start };
        add(&mut file, at, by)?;
    }
    // Each item with one extent: its number, a reference, how many extents, where and how long it is.
    const ITEM: usize = 14;
    let items = iloc.start + FULL_HEADER + 4..iloc.end;
    items.step_by(ITEM).try_for_each(|item| add(&mut file, item + 6, added))?;
    Some(file)
}

/// Makes a number of four bytes larger.
fn add(file: &mut [u8], at: usize, by: usize) -> Option<()> {
    let number: &mut [u8; 4] = file.get_mut(at..at + 4)?.try_into().ok()?;
    *number = u32::from_be_bytes(*number).checked_add(u32::try_from(by).ok()?)?.to_be_bytes();
    Some(())
}

fn found(file: &[u8], within: Range<usize>, kind: &[u8; 4]) -> Option<Range<usize>> {
    boxes(file, within).find(|at| file.get(at.start + 4..at.start + 8) == Some(kind))
}

/// Boxes that lie behind each other.
fn boxes(file: &[u8], within: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let mut next = within.start;
    std::iter::from_fn(move || {
        let start = next;
        let length: [u8; 4] = file.get(start..start + 4)?.try_into().ok()?;
        next =
            start.checked_add(u32::from_be_bytes(length) as usize).filter(|end| *end > start && *end <= within.end)?;
        Some(start..next)
    })
}
