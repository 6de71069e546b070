//! Pages with a palette, which the `tiff` crate refuses: the page passes for gray while it is read, and its samples
//! are looked up in the palette afterwards. Pages whose bytes have their last bit first, which it scrambles, pass for others too.

use std::io::{self, Read, Seek, SeekFrom};

use tiff::tags::{PhotometricInterpretation, Tag};

use super::super::raster::narrowed;

/// One of up to 256 colours for each value of a sample.
pub(super) type Palette = Vec<[u8; 3]>;

/// The palette in the values of a colour map: all reds, all greens, all blues, 16 bits each.
pub(super) fn from_color_map(map: &[u16], bits: u8) -> Option<Palette> {
    let count = 1_usize << bits;
    if bits > 8 || map.len() != count * 3 {
        return None;
    }
    // Some writers fill in 8 bits only.
    let has_16_bits = map.iter().any(|value| *value > 255);
    let part = |plane: usize, index: usize| {
        let value = map[plane * count + index];
        if has_16_bits { narrowed(value) } else { value as u8 }
    };
    Some((0..count).map(|index| [0, 1, 2].map(|plane| part(plane, index))).collect())
}

/// A file whose first page says gray where it said palette.
pub(super) struct Disguised<R> {
    inner: R,
    position: u64,
    mask: Option<Mask>,
    is_reversed: bool,
}

/// Where a byte of the photometric interpretation lies that is read as another.
#[derive(Debug)]
struct Mask {
    place: u64,
    byte: u8,
}

impl<R: Read + Seek> Disguised<R> {
    /// Looks at the first directory of `inner`. Damage in it is left for the decoder to find.
    pub fn new(mut inner: R) -> io::Result<Self> {
        let mask = match find_palette(&mut inner) {
            Ok(place) => place.map(|place| Mask { place, byte: PhotometricInterpretation::BlackIsZero.to_u16() as u8 }),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => None,
            Err(error) => return Err(error),
        };
        inner.rewind()?;
        Ok(Self { inner, position: 0, mask, is_reversed: false })
    }

    /// From now on, all bytes have their bits the other way round: what is read from here is pixels.
    pub fn reverse_bits(&mut self) {
        self.is_reversed = true;
    }

    pub fn has_palette(&self) -> bool {
        self.mask.is_some()
    }
}

impl<R: Read> Read for Disguised<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        if let Some(mask) = &self.mask {
            let place = mask.place.checked_sub(self.position).and_then(|place| usize::try_from(place).ok());
            if let Some(byte) = place.and_then(|place| buffer[..count].get_mut(place)) {
                *byte = mask.byte;
            }
        }
        if self.is_reversed {
            buffer[..count].iter_mut().for_each(|byte| *byte = byte.reverse_bits());
        }
        self.position += count as u64;
        Ok(count)
    }
}

impl<R: Seek> Seek for Disguised<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.position = self.inner.seek(to)?;
        Ok(self.position)
    }
}

/// The place of the low byte of the first page's photometric interpretation, if that is a palette.
fn find_palette(input: &mut (impl Read + Seek)) -> io::Result<Option<u64>> {
    let [order, _, v0, v1] = bytes(input)?;
    let is_little = order == b'I';
    let number = |digits: &[u8]| {
        let append = |number: u64, digit: &u8| number << 8 | u64::from(*digit);
        if is_little { digits.iter().rev().fold(0, append) } else { digits.iter().fold(0, append) }
    };
    const BIG: u64 = 43;
    let is_big = number(&[v0, v1]) == BIG;
    let directory = if is_big {
        let [_, _, _, _, place @ ..] = bytes::<12>(input)?;
        number(&place)
    } else {
        number(&bytes::<4>(input)?)
    };
    input.seek(SeekFrom::Start(directory))?;
    let (entries, first, length, value) = if is_big {
        (number(&bytes::<8>(input)?), directory.saturating_add(8), 20, 12)
    } else {
        (number(&bytes::<2>(input)?), directory.saturating_add(2), 12, 8)
    };
    // Entries are sorted by tag, and only a few tags come before this one.
    for entry in 0..entries.min(1000) {
        let place = first.saturating_add(entry * length);
        input.seek(SeekFrom::Start(place))?;
        let [t0, t1] = bytes(input)?;
        if number(&[t0, t1]) == u64::from(Tag::PhotometricInterpretation.to_u16()) {
            input.seek(SeekFrom::Start(place + value))?;
            let found = number(&bytes::<2>(input)?);
            let is_palette = found == u64::from(PhotometricInterpretation::RGBPalette.to_u16());
            return Ok(is_palette.then_some(place + value + if is_little { 0 } else { 1 }));
        }
    }
    Ok(None)
}

fn bytes<const N: usize>(input: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}
