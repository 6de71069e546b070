//! An unsharp mask over rows as they come.
//!
//! Colours are blurred as much as they show, so that what is transparent does not bleed into what is not; alpha is
//! sharpened like a colour.

use std::borrow::Cow;
use std::collections::VecDeque;

use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};
use rayon::slice::ParallelSlice;

use super::super::error::MediaError;
use super::super::limits::Limits;
use super::super::raster::Layout;
use super::super::rows::Rows;
use super::Sharpen;
use super::blur::{Blur, Values};

/// Rows that are taken at once.
const BAND: u32 = 64;

pub(super) struct Sharpened<R> {
    rows: R,
    amount: f32,
    threshold: f32,
    planes: Planes,
    /// None when there is nothing to blur by.
    blur: Option<Blur>,
    /// Rows whose blurred selves are still to come.
    waiting: VecDeque<Vec<u8>>,
    ready: VecDeque<Vec<u8>>,
    is_at_end: bool,
}

impl<R: Rows> Sharpened<R> {
    pub fn new(rows: R, sharpen: &Sharpen, limits: &Limits) -> Result<Self, MediaError> {
        let planes = Planes { layout: rows.layout(), monochrome: sharpen.monochrome };
        let does_something = sharpen.amount > 0.0 && sharpen.radius > 0.0;
        let blur = does_something.then(|| Blur::new(sharpen.radius, planes.count()));
        if let Some(blur) = &blur {
            // The window is no higher than the picture, but for rows that stand for several.
            let rows_kept = blur.window().min(3 * rows.height() as usize) as u64 + u64::from(BAND);
            let bytes = 2 * planes.count() + rows.layout().samples();
            limits.check_memory(rows_kept * u64::from(rows.width()) * bytes as u64)?;
        }
        Ok(Self {
            rows,
            amount: sharpen.amount as f32,
            threshold: f32::from(sharpen.threshold),
            planes,
            blur,
            waiting: VecDeque::new(),
            ready: VecDeque::new(),
            is_at_end: false,
        })
    }

    /// Takes some rows, and finishes those whose surroundings are known by then.
    fn advance(&mut self) -> Result<(), MediaError> {
        let Some(blur) = &mut self.blur else { return Ok(()) };
        let stride = self.rows.width() as usize * self.planes.layout.samples();
        let band = self.rows.read(BAND)?;
        self.is_at_end = band.is_empty();
        let planes = self.planes;
        let along: Vec<Values> = band.par_chunks_exact(stride).map(|row| blur.along(planes.of(row))).collect();
        self.waiting.extend(band.chunks_exact(stride).map(<[u8]>::to_vec));
        let mut blurred: Vec<Values> = along.into_iter().flat_map(|row| blur.push(row)).collect();
        if self.is_at_end {
            blurred.extend(blur.finish());
        }
        let done: Vec<Vec<u8>> = self.waiting.drain(..blurred.len()).collect();
        let (amount, threshold) = (self.amount, self.threshold);
        let sharpened = done.into_par_iter().zip(blurred).map(|(mut row, blurred)| {
            planes.sharpen(&mut row, &blurred, amount, threshold);
            row
        });
        self.ready.extend(sharpened.collect::<Vec<_>>());
        Ok(())
    }
}

impl<R: Rows> Rows for Sharpened<R> {
    fn width(&self) -> u32 {
        self.rows.width()
    }

    fn height(&self) -> u32 {
        self.rows.height()
    }

    fn layout(&self) -> Layout {
        self.rows.layout()
    }

    fn read(&mut self, most: u32) -> Result<Cow<'_, [u8]>, MediaError> {
        if self.blur.is_none() {
            return self.rows.read(most);
        }
        while self.ready.len() < most as usize && !self.is_at_end {
            self.advance()?;
        }
        let count = self.ready.len().min(most as usize);
        Ok(self.ready.drain(..count).flatten().collect::<Vec<u8>>().into())
    }
}

/// What of a picture is blurred: its colours or its brightness, and its alpha.
#[derive(Debug, Clone, Copy)]
struct Planes {
    layout: Layout,
    monochrome: bool,
}

impl Planes {
    fn colours(self) -> usize {
        self.layout.samples() - usize::from(self.layout.has_alpha())
    }

    /// Values for each pixel.
    fn count(self) -> usize {
        (if self.monochrome { 1 } else { self.colours() }) + usize::from(self.layout.has_alpha())
    }

    fn of(self, row: &[u8]) -> Vec<u16> {
        let mut values = Vec::with_capacity(row.len() / self.layout.samples() * self.count()); // bounded: by the row there is
        for pixel in row.chunks_exact(self.layout.samples()) {
            let (colours, alpha) = pixel.split_at(self.colours());
            let shown = alpha.first().map_or(255, |alpha| u32::from(*alpha));
            let mut put = |value: f32| values.push((value * 256.0 * shown as f32 / 255.0 + 0.5) as u16);
            if self.monochrome {
                put(brightness(colours));
            } else {
                colours.iter().for_each(|colour| put(f32::from(*colour)));
            }
            values.extend(alpha.iter().map(|alpha| u16::from(*alpha) << 8));
        }
        values
    }

    fn sharpen(self, row: &mut [u8], blurred: &Values, amount: f32, threshold: f32) {
        let more = |value: f32, blurred: f32| {
            let difference = value - blurred;
            if difference.abs() < threshold { 0.0 } else { amount * difference }
        };
        for (pixel, blurred) in row.chunks_exact_mut(self.layout.samples()).zip(blurred.chunks_exact(self.count())) {
            let (colours, alpha) = pixel.split_at_mut(self.colours());
            let (blurred_colours, blurred_alpha) = blurred.split_at(self.count() - alpha.len());
            let shown = blurred_alpha.first().map_or(65280.0, |alpha| f32::from(*alpha));
            if shown > 0.0 {
                let colour = |value: &u16| f32::from(*value) * 255.0 / shown;
                if self.monochrome {
                    let lift = blurred_colours.first().map_or(0.0, |value| more(brightness(colours), colour(value)));
                    colours.iter_mut().for_each(|value| *value = bounded(f32::from(*value) + lift));
                } else {
                    for (value, blurred) in colours.iter_mut().zip(blurred_colours) {
                        *value = bounded(f32::from(*value) + more(f32::from(*value), colour(blurred)));
                    }
                }
            }
            for (value, blurred) in alpha.iter_mut().zip(blurred_alpha) {
                *value = bounded(f32::from(*value) + more(f32::from(*value), f32::from(*blurred) / 256.0));
            }
        }
    }
}

fn brightness(colours: &[u8]) -> f32 {
    match *colours {
        [r, g, b] => 0.299 * f32::from(r) + 0.587 * f32::from(g) + 0.114 * f32::from(b),
        [gray, ..] => f32::from(gray),
        [] => 0.0,
    }
}

fn bounded(value: f32) -> u8 {
    (value + 0.5).clamp(0.0, 255.0) as u8
}
