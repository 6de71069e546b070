//! Samples from the numbers of blocks, one plane for each colour, and pixels from planes of any sampling.

use std::array;
use std::f32::consts::{FRAC_1_SQRT_2, PI};

use super::super::super::error::MediaError;
use super::super::super::memory::Share;
use super::coefficients::{BLOCK, Blocks, Frame};

/// What becomes of the samples of a pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colors {
    AsStored,
    /// The first three are brightness and colours.
    FromYcbcr,
}

struct Plane {
    size: (usize, usize),
    ratio: ((u32, u32), (u32, u32)),
    stride: usize,
    samples: Vec<u8>,
}

/// Fills `pixels`, which has room for `size`, with the samples of all components of each pixel.
pub(super) fn draw(
    frame: Frame,
    size: (u32, u32),
    colors: Colors,
    pixels: &mut [u8],
    share: &Share,
) -> Result<(), MediaError> {
    let cosines = cosines();
    let Frame { components, _held } = frame;
    let count = components.len();
    let planes: Vec<Plane> =
        components.into_iter().map(|blocks| Plane::of(blocks, &cosines, share)).collect::<Result<_, _>>()?;
    let width = size.0 as usize;
    let across: Vec<Vec<Between>> = planes.iter().map(|plane| between(size.0, plane.size.0, plane.ratio.0)).collect();
    let down: Vec<Vec<Between>> = planes.iter().map(|plane| between(size.1, plane.size.1, plane.ratio.1)).collect();
    for (y, row) in pixels.chunks_exact_mut(width * count).enumerate() {
        for (place, plane) in planes.iter().enumerate() {
            plane.draw_row(down[place][y], &across[place], row.iter_mut().skip(place).step_by(count));
        }
        if colors == Colors::FromYcbcr {
            for pixel in row.chunks_exact_mut(count) {
                if let [y, cb, cr, ..] = pixel {
                    [*y, *cb, *cr] = super::ycbcr_to_rgb([*y, *cb, *cr]);
                }
            }
        }
    }
    Ok(())
}

/// Two samples and how much of the second there is in what lies between them, of 256.
#[derive(Debug, Clone, Copy)]
struct Between(usize, usize, u32);

/// Where the middles of `count` pixels lie among the samples that cover the same.
fn between(count: u32, samples: usize, (own, most): (u32, u32)) -> Vec<Between> {
    let ratio = f64::from(own) / f64::from(most);
    let place = |pixel: u32| {
        let at = ((f64::from(pixel) + 0.5) * ratio - 0.5).clamp(0.0, (samples - 1) as f64);
        Between(at as usize, (at as usize + 1).min(samples - 1), (at.fract() * 256.0).round() as u32)
    };
    (0..count).map(place).collect()
}

impl Plane {
    fn of(blocks: Blocks, cosines: &[[f32; 8]; 8], share: &Share) -> Result<Self, MediaError> {
        let stride = blocks.across as usize * 8;
        let mut samples = share.bytes(blocks.numbers.len() as u64)?;
        let steps = blocks.steps.unwrap_or([0; BLOCK]);
        for (place, numbers) in blocks.numbers.as_chunks::<BLOCK>().0.iter().enumerate() {
            let (column, row) = (place % blocks.across as usize, place / blocks.across as usize);
            let block = transformed(numbers, &steps, cosines);
            for (y, line) in block.as_chunks::<8>().0.iter().enumerate() {
                let start = (row * 8 + y) * stride + column * 8;
                samples[start..start + 8].copy_from_slice(line);
            }
        }
        Ok(Self { size: (blocks.size.0 as usize, blocks.size.1 as usize), ratio: blocks.ratio, stride, samples })
    }

    fn draw_row<'a>(
        &self,
        Between(upper, lower, part): Between,
        across: &[Between],
        row: impl Iterator<Item = &'a mut u8>,
    ) {
        let line = |row: usize| &self.samples[row * self.stride..][..self.size.0];
        let (upper, lower) = (line(upper), line(lower));
        let mixed = |column: usize| u32::from(upper[column]) * (256 - part) + u32::from(lower[column]) * part;
        for (Between(left, right, part), sample) in across.iter().zip(row) {
            let sum = mixed(*left) * (256 - part) + mixed(*right) * part;
            *sample = ((sum + (1 << 15)) >> 16) as u8;
        }
    }
}

/// What each frequency adds to each sample of eight.
fn cosines() -> [[f32; 8]; 8] {
    array::from_fn(|frequency| {
        array::from_fn(|sample| {
            let share = if frequency == 0 { FRAC_1_SQRT_2 } else { 1.0 };
            share * ((2 * sample + 1) as f32 * frequency as f32 * PI / 16.0).cos() / 2.0
        })
    })
}

/// The inverse discrete cosine transform, across and then down.
fn transformed(numbers: &[i16; BLOCK], steps: &[u16; BLOCK], cosines: &[[f32; 8]; 8]) -> [u8; BLOCK] {
    let mut rows = [[0_f32; 8]; 8];
    for (row, line) in rows.iter_mut().enumerate() {
        for (frequency, waves) in cosines.iter().enumerate() {
            let place = row * 8 + frequency;
            let number = f32::from(numbers[place]) * f32::from(steps[place]);
            if number != 0.0 {
                line.iter_mut().zip(waves).for_each(|(sum, wave)| *sum += number * wave);
            }
        }
    }
    let mut samples = [0; BLOCK];
    for (y, line) in samples.as_chunks_mut::<8>().0.iter_mut().enumerate() {
        let mut sums = [128.0_f32; 8];
        for (row, waves) in rows.iter().zip(cosines) {
            sums.iter_mut().zip(row).for_each(|(sum, number)| *sum += number * waves[y]);
        }
        *line = sums.map(|sum| sum.round().clamp(0.0, 255.0) as u8);
    }
    samples
}
