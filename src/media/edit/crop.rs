//! Parts of a picture.

use std::borrow::Cow;

use super::super::error::MediaError;
use super::super::raster::Layout;
use super::super::rows::Rows;

/// A part of a picture that holds at least one pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Area {
    pub left: u32,
    pub top: u32,
    pub width: u32,
    pub height: u32,
}

impl Area {
    /// What is left when these many pixels are cut off its sides, if anything is.
    pub fn without(self, left: u32, right: u32, top: u32, bottom: u32) -> Option<Self> {
        let rest = |length: u32, before, after| length.checked_sub(before)?.checked_sub(after).filter(|rest| *rest > 0);
        Some(Self {
            left: self.left + left,
            top: self.top + top,
            width: rest(self.width, left, right)?,
            height: rest(self.height, top, bottom)?,
        })
    }
}

/// The smallest area that holds every pixel it was told of.
#[derive(Debug, Default)]
pub(super) struct Bounds(Option<(u32, u32, u32, u32)>);

impl Bounds {
    /// Takes the first and the last pixel of row `y` that belong to it.
    pub fn include(&mut self, y: u32, first: u32, last: u32) {
        self.0 = Some(match self.0 {
            None => (first, y, last, y),
            Some((left, top, right, _)) => (left.min(first), top, right.max(last), y),
        });
    }

    pub fn area(&self) -> Option<Area> {
        self.0.map(|(left, top, right, bottom)| Area { left, top, width: right - left + 1, height: bottom - top + 1 })
    }
}

/// The rows of a part of a picture.
pub(super) struct Window<R> {
    rows: R,
    area: Area,
    /// Rows that are still above it.
    above: u32,
    left_over: u32,
}

/// Rows that are skipped at once.
const SKIP: u32 = 64;

impl<R: Rows> Window<R> {
    /// `area` must lie within the picture.
    pub fn new(rows: R, area: Area) -> Self {
        Self { rows, area, above: area.top, left_over: area.height }
    }
}

impl<R: Rows> Rows for Window<R> {
    fn width(&self) -> u32 {
        self.area.width
    }

    fn height(&self) -> u32 {
        self.area.height
    }

    fn layout(&self) -> Layout {
        self.rows.layout()
    }

    fn read(&mut self, most: u32) -> Result<Cow<'_, [u8]>, MediaError> {
        let samples = self.rows.layout().samples();
        let stride = self.rows.width() as usize * samples;
        while self.above > 0 {
            let skipped = self.rows.read(self.above.min(SKIP))?.len() / stride;
            // A picture that ends early has no rows left for the window either.
            self.above = if skipped == 0 { 0 } else { self.above - skipped as u32 };
        }
        let band = self.rows.read(most.min(self.left_over))?;
        self.left_over -= (band.len() / stride) as u32;
        if self.area.width as usize * samples == stride {
            return Ok(band);
        }
        let from = self.area.left as usize * samples;
        let to = from + self.area.width as usize * samples;
        Ok(band.chunks_exact(stride).flat_map(|row| &row[from..to]).copied().collect::<Vec<u8>>().into())
    }
}
