//! Halving, level after level, band by band.
//!
//! A pixel of a level is the mean of four of the level before, taken of the numbers as they are (not of the light they
//! stand for), as other makers of pyramids do: levels agree with theirs and cost little. Under alpha, colours weigh
//! as much as they show. Sides are halved and rounded down, so an odd last row or column is left out.

use rayon::iter::{IndexedParallelIterator, ParallelIterator};
use rayon::slice::{ParallelSlice, ParallelSliceMut};

use super::error::MediaError;
use super::raster::Layout;

/// Some full rows of a level: as many as a tile is high, or fewer at its end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Band<'a> {
    pub level: usize,
    pub width: u32,
    pub pixels: &'a [u8],
}

/// The sizes of the levels of a pyramid: from the picture's own to the first that fits a tile.
pub(crate) fn level_sizes(width: u32, height: u32, tile: u32) -> Vec<(u32, u32)> {
    let next = |&(width, height): &(u32, u32)| {
        (width > tile || height > tile).then_some(((width / 2).max(1), (height / 2).max(1)))
    };
    std::iter::successors(Some((width, height)), next).collect()
}

pub(crate) struct Cascade {
    layout: Layout,
    tile: u32,
    levels: Vec<Level>,
}

struct Level {
    width: u32,
    height: u32,
    /// Rows handed on so far.
    done: u32,
    /// Rows that wait until a band is full.
    waiting: Vec<u8>,
}

type Sink<'a> = &'a mut dyn FnMut(Band<'_>) -> Result<(), MediaError>;

impl Cascade {
    /// `tile` must be even, so that halved bands join without a seam.
    pub fn new(width: u32, height: u32, layout: Layout, tile: u32) -> Self {
        let sizes = level_sizes(width, height, tile).into_iter();
        let levels = sizes.map(|(width, height)| Level { width, height, done: 0, waiting: Vec::new() }).collect();
        Self { layout, tile, levels }
    }

    /// Takes the next rows of the picture: a tile's height of them, or the last ones.
    pub fn push(&mut self, rows: &[u8], sink: Sink<'_>) -> Result<(), MediaError> {
        self.emit(0, rows, sink)
    }

    fn emit(&mut self, index: usize, pixels: &[u8], sink: Sink<'_>) -> Result<(), MediaError> {
        let samples = self.layout.samples();
        let Some(level) = self.levels.get_mut(index) else { return Ok(()) };
        let rows = (pixels.len() / (level.width as usize * samples)) as u32;
        level.done += rows;
        let (width, is_one_row) = (level.width, level.height == 1);
        sink(Band { level: index, width, pixels })?;
        if index + 1 == self.levels.len() {
            return Ok(());
        }
        let half = halve(pixels, width as usize, if is_one_row { 1 } else { rows as usize / 2 }, self.layout);
        self.collect(index + 1, half, sink)
    }

    fn collect(&mut self, index: usize, pixels: Vec<u8>, sink: Sink<'_>) -> Result<(), MediaError> {
        let level = &mut self.levels[index];
        let stride = level.width as usize * self.layout.samples();
        if level.waiting.is_empty() {
            level.waiting = pixels;
        } else {
            level.waiting.extend_from_slice(&pixels);
        }
        let waiting = (level.waiting.len() / stride) as u32;
        if waiting > 0 && (waiting >= self.tile || level.done + waiting >= level.height) {
            let band = std::mem::take(&mut level.waiting);
            self.emit(index, &band, sink)?;
        }
        Ok(())
    }
}

/// Pixels with a half of their sides: `rows` rows of them.
pub(crate) fn halve(pixels: &[u8], width: usize, rows: usize, layout: Layout) -> Vec<u8> {
    let samples = layout.samples();
    let stride = width * samples;
    let mut out = vec![0; (width / 2).max(1) * samples * rows]; // bounded: half of the band there is
    let halve_row = match layout {
        Layout::Gray => mean_row::<1>,
        Layout::GrayAlpha => weighted_row::<2>,
        Layout::Rgb => mean_row::<3>,
        Layout::Rgba => weighted_row::<4>,
        Layout::Cmyk => mean_row::<4>,
        Layout::CmykAlpha => weighted_row::<5>,
    };
    let halved = out.par_chunks_exact_mut((width / 2).max(1) * samples);
    halved.zip(pixels.par_chunks(stride * 2)).with_min_len(16).for_each(|(out, pair)| {
        let (top, bottom) = pair.split_at(stride);
        let bottom = if bottom.is_empty() { top } else { bottom };
        if width == 1 {
            halve_row(&[top, top].concat(), &[bottom, bottom].concat(), out);
        } else {
            halve_row(top, bottom, out);
        }
    });
    out
}

fn mean_row<const N: usize>(top: &[u8], bottom: &[u8], out: &mut [u8]) {
    for ((out, top), bottom) in out.chunks_exact_mut(N).zip(top.chunks_exact(2 * N)).zip(bottom.chunks_exact(2 * N)) {
        for i in 0..N {
            let sum = u16::from(top[i]) + u16::from(top[i + N]) + u16::from(bottom[i]) + u16::from(bottom[i + N]);
            out[i] = ((sum + 2) >> 2) as u8;
        }
    }
}

fn weighted_row<const N: usize>(top: &[u8], bottom: &[u8], out: &mut [u8]) {
    for ((out, top), bottom) in out.chunks_exact_mut(N).zip(top.chunks_exact(2 * N)).zip(bottom.chunks_exact(2 * N)) {
        let four = [&top[..N], &top[N..], &bottom[..N], &bottom[N..]];
        let weight: u32 = four.iter().map(|pixel| u32::from(pixel[N - 1])).sum();
        for i in 0..N - 1 {
            let sum: u32 = match weight {
                0 => four.iter().map(|pixel| u32::from(pixel[i])).sum::<u32>() * 2 + 4,
                _ => four.iter().map(|pixel| u32::from(pixel[i]) * u32::from(pixel[N - 1])).sum::<u32>() * 2 + weight,
            };
            out[i] = (sum / if weight == 0 { 8 } else { 2 * weight }) as u8;
        }
        out[N - 1] = ((weight + 2) >> 2) as u8;
    }
}
