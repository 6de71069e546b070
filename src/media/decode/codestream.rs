//! The tile-parts of a JPEG 2000 codestream (ISO/IEC 15444-1, annex A). The decoder passes over tiles that are not there.

use std::ops::Range;

use super::super::error::MediaError;
use super::super::format::Format;
use super::jpeg_2000::corrupt;

const COD: u16 = 0xff52;
const COC: u16 = 0xff53;
const SOT: u16 = 0xff90;
const SOD: u16 = 0xff93;
const EOC: u16 = 0xffd9;

/// Where the size segment and the numbers of tiles lie in the codestream.
const WIDTH: usize = 8;
const TILE_WIDTH: usize = 24;
const COMPONENTS: usize = 40;

/// Tiles have numbers of two bytes.
const MOST_TILES: u64 = 65_535;

/// Where the codestream begins, in a file or by itself.
pub(super) fn start(bytes: &[u8]) -> Option<usize> {
    const BEGINNING: &[u8] = b"\xff\x4f\xff\x51";
    bytes.windows(BEGINNING.len()).position(|window| window == BEGINNING)
}

/// That each tile is there with data, and the codestream comes to its end: where it lies. The length of a last part that goes to
/// the end without saying how long it is, which is legal and not read, is written into it.
pub(super) fn check_tiles(bytes: &mut [u8]) -> Result<Range<usize>, MediaError> {
    let Some(start) = start(bytes) else { return Ok(0..bytes.len()) };
    let stream = &mut bytes[start..];
    let mut has_data = vec![false; tiles(stream)?]; // bounded: by MOST_TILES
    let mut at = 2;
    loop {
        match word(stream, at) {
            Some(EOC) => break,
            Some(SOT) => at = tile_part(stream, at, &mut has_data)?,
            Some(code) if code >= 0xff00 => {
                let length = word(stream, at + 2).filter(|length| *length >= 2).ok_or_else(cut)?;
                at += 2 + usize::from(length);
            }
            _ => return Err(cut()),
        }
    }
    match has_data.iter().filter(|has_data| !**has_data).count() {
        0 => Ok(start..start + at),
        missing => {
            let what = format!("{missing} of its {} tiles are missing or without data", has_data.len());
            Err(MediaError::truncated(Format::Jpeg2000, what))
        }
    }
}

/// Bytes that may be zero in a row because nothing is said in them, of a tile by the size and the coding styles that the codestream begins
/// with, or more: packets that are empty, and in others a bit for each code block to which a layer adds nothing (annexes A.5.1,
/// A.6.1, A.6.2, B.6 and B.10).
pub(super) fn most_zeros(stream: &[u8]) -> u64 {
    let Some(tile) = tile_size(stream) else { return 0 };
    let components = word(stream, COMPONENTS).map_or(1, u64::from);
    let (mut at, mut layers, mut bytes) = (2, 1, 0);
    while let (Some(code), Some(length)) = (word(stream, at), word(stream, at + 2)) {
        let segment = stream.get(at + 4..at + 2 + usize::from(length)).unwrap_or_default();
        match (code, segment) {
            (SOT, _) => break,
            (COD, [style, _, first, second, _, levels @ ..]) => {
                layers = u64::from(u16::from_be_bytes([*first, *second]));
                bytes = bytes.max(most_of_layer(tile, *style, levels));
            }
            // Numbers of components have two bytes where there are many.
            (COC, segment) => {
                if let [style, levels @ ..] = segment.get(if components < 257 { 1 } else { 2 }..).unwrap_or_default() {
                    bytes = bytes.max(most_of_layer(tile, *style, levels));
                }
            }
            _ => {}
        }
        at += 2 + usize::from(length);
    }
    layers.saturating_mul(components).saturating_mul(bytes)
}

/// The same of a component and a layer: its precincts in all resolutions, and an eighth of its code blocks. `style` and what follows the
/// number of levels are those of a coding style segment.
fn most_of_layer((width, height): (u64, u64), style: u8, levels: &[u8]) -> u64 {
    const HAS_PRECINCTS: u8 = 1;
    let [levels, block_width, block_height, _, _, sizes @ ..] = levels else { return 0 };
    let levels = u32::from(*levels).min(32);
    // Exponents of code blocks are written without the two that each has; halves of a resolution make up its bands.
    let block = [block_width, block_height].map(|exponent| (exponent & 15) + 1);
    let of_resolution = |resolution: u32| {
        // The exponents of both sides; without them precincts are as large as can be.
        let size = match sizes.get(resolution as usize) {
            Some(size) if style & HAS_PRECINCTS != 0 => [size & 15, size >> 4],
            _ => [15, 15],
        };
        let count = |exponents: [u8; 2]| {
            let across =
                |length: u64, exponent: u8| (length.div_ceil(1 << (levels - resolution))).div_ceil(1 << exponent) + 1;
            across(width, exponents[0]).saturating_mul(across(height, exponents[1]))
        };
        let blocks = count([block[0].min(size[0]), block[1].min(size[1])]);
        count(size).saturating_add(blocks.div_ceil(8))
    };
    (0..=levels).map(of_resolution).fold(0, u64::saturating_add)
}

/// The size of a tile, or of the picture if that is smaller.
fn tile_size(stream: &[u8]) -> Option<(u64, u64)> {
    let side = |at: usize| {
        let [end, origin, tile] = [WIDTH, WIDTH + 8, TILE_WIDTH].map(|field| number(stream, field + at));
        Some(u64::from(end?.saturating_sub(origin?).min(tile?)))
    };
    side(0).zip(side(4))
}

/// How many tiles there are.
fn tiles(stream: &[u8]) -> Result<usize, MediaError> {
    let side = |at: usize| -> Option<u64> {
        let [end, size, origin] = [WIDTH, TILE_WIDTH, TILE_WIDTH + 8].map(|field| number(stream, field + at));
        let (end, size, origin) = (u64::from(end?), u64::from(size?), u64::from(origin?));
        (size > 0).then(|| end.saturating_sub(origin).div_ceil(size))
    };
    let count = side(0).zip(side(4)).map(|(across, down)| across.saturating_mul(down));
    let count = count.filter(|count| (1..=MOST_TILES).contains(count));
    count.and_then(|count| usize::try_from(count).ok()).ok_or_else(|| corrupt("it has no tiles, or too many"))
}

/// Notes which tile a part is of, and gives where it ends.
fn tile_part(stream: &mut [u8], at: usize, has_data: &mut [bool]) -> Result<usize, MediaError> {
    let tile = usize::from(word(stream, at + 4).ok_or_else(cut)?);
    let claimed = number(stream, at + 6).ok_or_else(cut)?;
    let length = match claimed {
        0 => to_the_end(stream, at)?,
        length => length as usize,
    };
    let end = at.checked_add(length).filter(|end| *end <= stream.len()).ok_or_else(cut)?;
    let mut data = at + 12;
    while word(stream, data) != Some(SOD) {
        let length = word(stream, data + 2).filter(|length| *length >= 2).ok_or_else(cut)?;
        data += 2 + usize::from(length);
        if data >= end {
            return Err(cut());
        }
    }
    let place = has_data.get_mut(tile).ok_or_else(|| corrupt("it has data of a tile that it does not have"))?;
    *place |= end > data + 2;
    if claimed == 0 {
        let length = u32::try_from(length).map_err(|_| corrupt("its last tile is too long"))?;
        stream[at + 6..at + 10].copy_from_slice(&length.to_be_bytes());
    }
    Ok(end)
}

/// How long a part is that goes to the end of the codestream.
fn to_the_end(stream: &[u8], at: usize) -> Result<usize, MediaError> {
    let end = stream.windows(2).rposition(|pair| pair == EOC.to_be_bytes()).ok_or_else(cut)?;
    end.checked_sub(at).ok_or_else(cut)
}

fn word(stream: &[u8], at: usize) -> Option<u16> {
    stream.get(at..)?.first_chunk().map(|bytes| u16::from_be_bytes(*bytes))
}

fn number(stream: &[u8], at: usize) -> Option<u32> {
    stream.get(at..)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

fn cut() -> MediaError {
    MediaError::truncated(Format::Jpeg2000, "it ends before its last tile does")
}
