//! `op_usm` and `op_sharpen`, on the finished view.

use rayon::iter::{IndexedParallelIterator, ParallelIterator};
use rayon::slice::{ParallelSlice, ParallelSliceMut};

use super::color::Colors;
use crate::serving::UnsharpMask;

/// Weights of the simple filter: the middle one, and that of its eight neighbours. They sum up to 1.
const MIDDLE: f32 = 16.0 / 8.0;
const AROUND: f32 = -1.0 / 8.0;

/// A blur with a larger deviation than this is made of three runs of plain means, which cost the same at any size.
const LARGEST_KERNEL: f64 = 8.0;

/// A plane of samples.
pub(super) struct Plane {
    pub width: usize,
    pub values: Vec<f32>,
}

/// Sharpens by adding the difference from a blurred copy. `scale` is how much smaller the view is than the source.
pub(super) fn unsharp_mask(colors: &mut Colors, mask: &UnsharpMask, scale: f64) {
    let radius = if mask.scales { mask.radius * scale.min(1.0) } else { mask.radius };
    each_plane(colors, mask.monochrome, |plane, apply| {
        let blurred = blur(plane, radius);
        let differences = plane.values.iter().zip(&blurred.values).map(|(sharp, soft)| sharp - soft);
        let added = differences.map(|difference| {
            let is_meant = difference.abs() >= f32::from(mask.threshold);
            if is_meant { difference * mask.amount as f32 } else { 0.0 }
        });
        apply(added.collect());
    });
}

pub(super) fn sharpen(colors: &mut Colors) {
    each_plane(colors, false, |plane, apply| {
        let (width, height) = (plane.width, plane.values.len() / plane.width);
        let mut added = vec![0.0; plane.values.len()]; // bounded: by the plane there is
        added.par_chunks_exact_mut(width).enumerate().for_each(|(y, row)| {
            for (x, added) in row.iter_mut().enumerate() {
                let mut around = 0.0;
                for (dx, dy) in [(0, 0), (1, 0), (2, 0), (0, 1), (2, 1), (0, 2), (1, 2), (2, 2)] {
                    let column = (x + dx).saturating_sub(1).min(width - 1);
                    let line = (y + dy).saturating_sub(1).min(height - 1);
                    around += plane.values[line * width + column];
                }
                let own = plane.values[y * width + x];
                *added = own * MIDDLE + around * AROUND - own;
            }
        });
        apply(added);
    });
}

/// Hands every plane to `work`, which says what is to be added to it: with alpha, colours count as much as they show.
/// `monochrome` is one plane of brightness, whose additions go to all colours.
fn each_plane(colors: &mut Colors, monochrome: bool, work: impl Fn(&Plane, &mut dyn FnMut(Vec<f32>))) {
    let (width, samples) = (colors.width as usize, colors.samples);
    let shown = |alpha: Option<&Vec<u8>>, at: usize| alpha.map_or(1.0, |alpha| f32::from(alpha[at]) / 255.0);
    let count = colors.pixels.len() / samples;
    let weights: &[f32] = match samples {
        3 => &[0.299, 0.587, 0.114],
        4 => &[0.25; 4],
        _ => &[1.0],
    };
    let premultiplied = |colors: &Colors, channel: usize, at: usize| {
        f32::from(colors.pixels[at * samples + channel]) * shown(colors.alpha.as_ref(), at)
    };
    let mut additions: Vec<Vec<f32>> = Vec::new();
    if monochrome {
        let brightness = |at: usize| (0..samples).map(|c| weights[c] * premultiplied(colors, c, at)).sum();
        work(&Plane { width, values: (0..count).map(brightness).collect() }, &mut |added| additions.push(added));
    } else {
        for channel in 0..samples {
            let values = (0..count).map(|at| premultiplied(colors, channel, at)).collect();
            work(&Plane { width, values }, &mut |added| additions.push(added));
        }
    }
    let before = colors.alpha.clone();
    if let Some(alpha) = &mut colors.alpha {
        let values = alpha.iter().map(|alpha| f32::from(*alpha)).collect();
        work(&Plane { width, values }, &mut |added| {
            for (alpha, added) in alpha.iter_mut().zip(added) {
                *alpha = byte(f32::from(*alpha) + added);
            }
        });
    }
    let Colors { pixels, alpha, .. } = colors;
    for (at, pixel) in pixels.chunks_exact_mut(samples).enumerate() {
        let (old, new) = (shown(before.as_ref(), at), shown(alpha.as_ref(), at));
        if new > 0.0 {
            for (channel, sample) in pixel.iter_mut().enumerate() {
                let added = additions[if monochrome { 0 } else { channel }][at];
                *sample = byte((f32::from(*sample) * old + added) / new);
            }
        }
    }
}

fn byte(value: f32) -> u8 {
    value.round().clamp(0.0, 255.0) as u8
}

/// Gaussian, with `deviation` in pixels; beyond the edge its pixels go on.
pub(super) fn blur(plane: &Plane, deviation: f64) -> Plane {
    let across = |plane: &Plane| Plane { width: plane.width, values: rows(&plane.values, plane.width, deviation) };
    let turned = transposed(&across(plane));
    transposed(&across(&turned))
}

fn transposed(plane: &Plane) -> Plane {
    let height = plane.values.len() / plane.width;
    let mut values = vec![0.0; plane.values.len()]; // bounded: by the plane there is
    values.par_chunks_exact_mut(height).enumerate().for_each(|(x, column)| {
        for (y, value) in column.iter_mut().enumerate() {
            *value = plane.values[y * plane.width + x];
        }
    });
    Plane { width: height, values }
}

fn rows(values: &[f32], width: usize, deviation: f64) -> Vec<f32> {
    let mut out = vec![0.0; values.len()]; // bounded: by the plane there is
    if deviation <= LARGEST_KERNEL {
        let kernel = kernel(deviation);
        let pairs = out.par_chunks_exact_mut(width).zip(values.par_chunks_exact(width));
        pairs.for_each(|(out, row)| convolve(row, out, &kernel));
    } else {
        let pairs = out.par_chunks_exact_mut(width).zip(values.par_chunks_exact(width));
        pairs.for_each(|(out, row)| {
            let mut now = row.to_vec();
            for radius in boxes(deviation) {
                mean(&now, out, radius);
                now.copy_from_slice(out);
            }
        });
    }
    out
}

/// One half of the bell, the middle first; the whole sums up to 1.
fn kernel(deviation: f64) -> Vec<f32> {
    let reach = (3.0 * deviation).ceil().max(1.0) as usize;
    let bell = |x: usize| (-((x * x) as f64) / (2.0 * deviation * deviation)).exp();
    let half: Vec<f64> = (0..=reach).map(bell).collect();
    let sum = half[0] + 2.0 * half[1..].iter().sum::<f64>();
    half.into_iter().map(|weight| (weight / sum) as f32).collect()
}

fn convolve(row: &[f32], out: &mut [f32], kernel: &[f32]) {
    let last = row.len() - 1;
    for (x, out) in out.iter_mut().enumerate() {
        let beside = kernel[1..].iter().enumerate().map(|(at, weight)| {
            let far = at + 1;
            weight * (row[x.saturating_sub(far)] + row[(x + far).min(last)])
        });
        *out = kernel[0] * row[x] + beside.sum::<f32>();
    }
}

/// Radii of three means that together blur like a bell of this deviation.
fn boxes(deviation: f64) -> [usize; 3] {
    let ideal = (4.0 * deviation * deviation + 1.0).sqrt();
    let lower = ((ideal - 1.0) / 2.0).floor();
    let width = 2.0 * lower + 1.0;
    let smaller = (12.0 * deviation * deviation - 3.0 * width * width - 12.0 * width - 9.0) / (-4.0 * width - 4.0);
    [0, 1, 2].map(|at| lower as usize + usize::from(f64::from(at) >= smaller.round()))
}

fn mean(row: &[f32], out: &mut [f32], radius: usize) {
    let last = row.len() - 1;
    let at = |x: isize| row[x.clamp(0, last as isize) as usize];
    let radius = radius as isize;
    let mut sum: f64 = (-radius..=radius).map(|x| f64::from(at(x))).sum();
    for (x, out) in out.iter_mut().enumerate() {
        *out = (sum / (2 * radius + 1) as f64) as f32;
        let x = x as isize;
        sum += f64::from(at(x + radius + 1)) - f64::from(at(x - radius));
    }
}
