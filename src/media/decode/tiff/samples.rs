//! From packed samples of any depth to samples of 8 bits.

use super::super::super::raster::narrowed;
use super::color::{Color, Lab};
use super::page::{Kind, Page, Predictor};

/// Rows of packed samples, each `stride` bytes long, as one sample a byte. `together` samples of a pixel are stored side by side,
/// the first of them that of `plane`.
pub fn unpacked(page: &Page, mut rows: Vec<u8>, (stride, together): (usize, usize), plane: usize) -> Vec<u8> {
    let bytes = usize::from(page.bits / 8);
    // Differences of floating-point numbers are of bytes, and have an order of their own.
    let has_words = page.bits.is_multiple_of(8) && bytes > 1 && page.predictor != Predictor::Float;
    if has_words && !page.is_little_endian {
        rows.chunks_exact_mut(bytes).for_each(<[u8]>::reverse);
    }
    match page.predictor {
        Predictor::None => {}
        Predictor::Horizontal => rows.chunks_exact_mut(stride).for_each(|row| add_up(row, bytes, together)),
        Predictor::Float => rows.chunks_exact_mut(stride).for_each(|row| join_float(row, bytes, together)),
    }
    narrow(page, rows, (stride, together), plane)
}

/// What a sample differs by from the one of its kind in the pixel before.
fn add_up(row: &mut [u8], bytes: usize, together: usize) {
    fn add<const N: usize>(row: &mut [u8], together: usize, sum: impl Fn([u8; N], [u8; N]) -> [u8; N]) {
        let words = row.as_chunks_mut::<N>().0;
        for at in together..words.len() {
            words[at] = sum(words[at], words[at - together]);
        }
    }
    match bytes {
        1 => add(row, together, |[one], [other]| [one.wrapping_add(other)]),
        2 => add(row, together, |one, other| {
            u16::from_le_bytes(one).wrapping_add(u16::from_le_bytes(other)).to_le_bytes()
        }),
        4 => add(row, together, |one, other| {
            u32::from_le_bytes(one).wrapping_add(u32::from_le_bytes(other)).to_le_bytes()
        }),
        _ => add(row, together, |one, other| {
            u64::from_le_bytes(one).wrapping_add(u64::from_le_bytes(other)).to_le_bytes()
        }),
    }
}

/// All first bytes of a row come before all second ones, the most significant first, and each is the difference from the one
/// before it (Adobe Photoshop TIFF Technical Note 3).
fn join_float(row: &mut [u8], bytes: usize, together: usize) {
    for at in together..row.len() {
        row[at] = row[at].wrapping_add(row[at - together]);
    }
    let count = row.len() / bytes;
    let parted = row.to_vec(); // bounded: a row that is there
    for (at, number) in row.chunks_exact_mut(bytes).enumerate() {
        for (place, byte) in number.iter_mut().rev().enumerate() {
            *byte = parted[place * count + at];
        }
    }
}

/// Words have their least significant byte first by now.
fn narrow(page: &Page, rows: Vec<u8>, (stride, together): (usize, usize), plane: usize) -> Vec<u8> {
    match (page.kind, page.bits) {
        (Kind::Unsigned, 8) => rows,
        (Kind::Unsigned, 16) => {
            let words = rows.as_chunks::<2>().0.iter().map(|word| u16::from_le_bytes(*word));
            match page.color {
                Color::Lab(lab) => {
                    words.zip((plane..plane + together).cycle()).map(|(word, at)| lab_byte(lab, word, at)).collect()
                }
                _ => words.map(narrowed).collect(),
            }
        }
        (Kind::Unsigned, bits @ (24 | 32)) => {
            let most = (1_u64 << bits) - 1;
            let value = |word: &[u8]| word.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte));
            rows.chunks_exact(usize::from(bits / 8)).map(|word| scaled(value(word), most)).collect()
        }
        (Kind::Unsigned, bits) => {
            let most = (1_u64 << bits) - 1;
            // An index is no shade.
            let is_index = matches!(page.color, Color::Palette(_));
            let sample = |value| if is_index { value as u8 } else { scaled(value, most) };
            let mut samples = Vec::with_capacity(rows.len() * 8 / usize::from(bits)); // bounded: by the share, for the page
            rows.chunks_exact(stride).for_each(|row| samples.extend(Bits::new(row, bits).map(sample)));
            samples
        }
        (Kind::Float, bits) => {
            let bytes = usize::from(bits / 8);
            rows.chunks_exact(bytes).map(|word| (float(word).clamp(0.0, 1.0) * 255.0).round() as u8).collect()
        }
    }
}

fn scaled(value: u64, most: u64) -> u8 {
    ((value * 255 + most / 2) / most) as u8
}

/// Samples of the three of L*a*b* in 16 bits: a* and b* in 256ths, and L* as well where ICC has it.
fn lab_byte(lab: Lab, word: u16, at: usize) -> u8 {
    let rounded = |word: i32| (word + 128) >> 8;
    match (lab, at) {
        // What lies behind the colours is no colour.
        (_, 3..) | (Lab::Cie, 0) => narrowed(word),
        (Lab::Cie, _) => (rounded(word.cast_signed().into()).min(127) as i8).cast_unsigned(),
        (Lab::Icc, _) => rounded(word.into()).min(255) as u8,
    }
}

/// Samples of a row that follow each other without regard for bytes, the most significant bit first. What is left at its end is
/// no sample: rows are cut to their pixels by whoever takes them.
struct Bits<'a> {
    bytes: std::slice::Iter<'a, u8>,
    held: u64,
    count: u8,
    bits: u8,
}

impl<'a> Bits<'a> {
    fn new(row: &'a [u8], bits: u8) -> Self {
        Self { bytes: row.iter(), held: 0, count: 0, bits }
    }
}

impl Iterator for Bits<'_> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        while self.count < self.bits {
            self.held = self.held << 8 | u64::from(*self.bytes.next()?);
            self.count += 8;
        }
        self.count -= self.bits;
        let value = self.held >> self.count;
        self.held &= (1 << self.count) - 1;
        Some(value)
    }
}

/// A floating-point number of 2, 3, 4 or 8 bytes. What is none is black.
fn float(word: &[u8]) -> f64 {
    let number = match *word {
        [a, b] => minifloat(u32::from(u16::from_le_bytes([a, b])), 5, 10),
        [a, b, c] => minifloat(u32::from_le_bytes([a, b, c, 0]), 7, 16),
        [a, b, c, d] => f32::from_le_bytes([a, b, c, d]).into(),
        [a, b, c, d, e, f, g, h] => f64::from_le_bytes([a, b, c, d, e, f, g, h]),
        _ => 0.0,
    };
    if number.is_nan() { 0.0 } else { number }
}

/// A number with so many bits of exponent and fraction behind its sign.
fn minifloat(bits: u32, exponent_bits: u32, fraction_bits: u32) -> f64 {
    let fraction = f64::from(bits & ((1 << fraction_bits) - 1)) / f64::from(1_u32 << fraction_bits);
    let highest = (1 << exponent_bits) - 1;
    let exponent = bits >> fraction_bits & highest;
    let sign = if bits >> (exponent_bits + fraction_bits) & 1 == 1 { -1.0 } else { 1.0 };
    let bias = (highest >> 1).cast_signed();
    let size = match exponent {
        0 => fraction * f64::from(1 - bias).exp2(),
        exponent if exponent == highest => {
            if fraction == 0.0 {
                f64::INFINITY
            } else {
                f64::NAN
            }
        }
        exponent => (1.0 + fraction) * f64::from(exponent.cast_signed() - bias).exp2(),
    };
    sign * size
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_follow_each_other_whatever_their_number() {
        assert_eq!(Bits::new(&[0b1010_0110, 0b1100_0000], 3).collect::<Vec<_>>(), [5, 1, 5, 4, 0]);
        assert_eq!(Bits::new(&[0xab, 0xcd, 0xef], 12).collect::<Vec<_>>(), [0xabc, 0xdef]);
    }

    #[test]
    fn small_floating_point_numbers_are_read() {
        for (bits, number) in
            [(0x3c00, 1.0), (0x3800, 0.5), (0xc000, -2.0), (0x0001, 5.960_464_477_539_063e-8), (0x7c00, f64::INFINITY)]
        {
            assert_eq!(minifloat(bits, 5, 10), number, "{bits:x}");
        }
        assert!(minifloat(0x7e00, 5, 10).is_nan());
        assert_eq!((minifloat(0x3f_0000, 7, 16), minifloat(0x3e_8000, 7, 16)), (1.0, 0.75));
    }
}
