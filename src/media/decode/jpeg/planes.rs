//! Samples from the numbers of blocks, one plane for each colour, and pixels from planes of any sampling.

use std::array;
use std::f32::consts::{FRAC_1_SQRT_2, PI};

use super::super::super::error::MediaError;
use super::super::super::memory::{Held, Share};
use super::coefficients::{BLOCK, Blocks};

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
    /// Each pixel has a sample of its own across.
    is_whole_across: bool,
    stride: usize,
    samples: Vec<u8>,
    _held: Held,
}

/// The pixels of a picture of this size, with the samples of all components of each.
pub(super) fn draw(
    components: Vec<Blocks>,
    size: (u32, u32),
    colors: Colors,
    share: &Share,
) -> Result<Vec<u8>, MediaError> {
    let cosines = cosines();
    let count = components.len();
    let planes: Vec<Plane> =
        components.into_iter().map(|blocks| Plane::of(blocks, &cosines, share)).collect::<Result<_, _>>()?;
    let width = size.0 as usize;
    let mut pixels = share.bytes(u64::from(size.0) * u64::from(size.1) * count as u64)?;
    let across: Vec<Vec<Between>> = planes.iter().map(|plane| between(size.0, plane.size.0, plane.ratio.0)).collect();
    let down: Vec<Vec<Between>> = planes.iter().map(|plane| between(size.1, plane.size.1, plane.ratio.1)).collect();
    let mut lines = vec![vec![0; width]; count]; // bounded: by the width, which has been checked
    let mut mixed = Vec::new();
    for (y, row) in pixels.chunks_exact_mut(width * count).enumerate() {
        for (((plane, down), across), line) in planes.iter().zip(&down).zip(&across).zip(&mut lines) {
            plane.row(down[y], across, &mut mixed, line);
        }
        match (colors, lines.as_slice()) {
            (Colors::FromYcbcr, [y, cb, cr]) => {
                for (((pixel, y), cb), cr) in row.as_chunks_mut::<3>().0.iter_mut().zip(y).zip(cb).zip(cr) {
                    *pixel = super::ycbcr_to_rgb([*y, *cb, *cr]);
                }
            }
            _ => {
                for (place, line) in lines.iter().enumerate() {
                    row.iter_mut().skip(place).step_by(count).zip(line).for_each(|(sample, stored)| *sample = *stored);
                }
            }
        }
    }
    Ok(pixels)
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
        let held = share.hold(samples.len() as u64)?;
        Ok(Self {
            size: (blocks.size.0 as usize, blocks.size.1 as usize),
            ratio: blocks.ratio,
            is_whole_across: blocks.ratio.0.0 == blocks.ratio.0.1,
            stride,
            samples,
            _held: held,
        })
    }

    /// A row of samples as they lie between those that are stored.
    fn row(&self, Between(upper, lower, part): Between, across: &[Between], mixed: &mut Vec<u32>, row: &mut [u8]) {
        let line = |row: usize| &self.samples[row * self.stride..][..self.size.0];
        if part == 0 && self.is_whole_across {
            row.copy_from_slice(line(upper));
            return;
        }
        mixed.clear();
        let pairs = line(upper).iter().zip(line(lower));
        mixed.extend(pairs.map(|(upper, lower)| u32::from(*upper) * (256 - part) + u32::from(*lower) * part));
        for (Between(left, right, part), sample) in across.iter().zip(row) {
            let sum = mixed[*left] * (256 - part) + mixed[*right] * part;
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

/// The inverse discrete cosine transform, across and then down. Most blocks have few numbers, in few rows.
fn transformed(numbers: &[i16; BLOCK], steps: &[u16; BLOCK], cosines: &[[f32; 8]; 8]) -> [u8; BLOCK] {
    let mut rows = [[0_f32; 8]; 8];
    let mut used = [false; 8];
    for (row, (line, steps)) in numbers.as_chunks::<8>().0.iter().zip(steps.as_chunks::<8>().0).enumerate() {
        if *line == [0; 8] {
            continue;
        }
        used[row] = true;
        for (frequency, waves) in cosines.iter().enumerate() {
            if line[frequency] != 0 {
                let number = f32::from(line[frequency]) * f32::from(steps[frequency]);
                rows[row].iter_mut().zip(waves).for_each(|(sum, wave)| *sum += number * wave);
            }
        }
    }
    let mut samples = [0; BLOCK];
    for (y, line) in samples.as_chunks_mut::<8>().0.iter_mut().enumerate() {
        // The half rounds to the nearest.
        let mut sums = [128.5_f32; 8];
        for ((row, waves), _) in rows.iter().zip(cosines).zip(used).filter(|(_, used)| *used) {
            sums.iter_mut().zip(row).for_each(|(sum, number)| *sum += number * waves[y]);
        }
        *line = sums.map(|sum| sum as u8);
    }
    samples
}
