//! A picture as a flow of rows from the top: what decoders give, edits change, and pyramids are made of.
//!
//! Whatever stands between the two ends is an adapter that takes `Rows` and is `Rows`, and keeps no more of the picture
//! than it needs.

use std::borrow::Cow;

use super::color::Converter;
use super::error::MediaError;
use super::orientation::Orientation;
use super::raster::{Layout, Raster};

pub(crate) trait Rows {
    fn width(&self) -> u32;

    fn height(&self) -> u32;

    fn layout(&self) -> Layout;

    /// The next rows without padding, at most `most` of them: fewer only where the picture ends, and none after that.
    fn read(&mut self, most: u32) -> Result<Cow<'_, [u8]>, MediaError>;
}

/// A picture in memory, as seen.
pub(crate) struct Seen<'a> {
    raster: &'a Raster,
    orientation: Orientation,
    next: u32,
}

impl<'a> Seen<'a> {
    pub fn new(raster: &'a Raster, orientation: Orientation) -> Self {
        Self { raster, orientation, next: 0 }
    }

    fn size(&self) -> (u32, u32) {
        self.orientation.seen_size(self.raster.width(), self.raster.height())
    }
}

impl Rows for Seen<'_> {
    fn width(&self) -> u32 {
        self.size().0
    }

    fn height(&self) -> u32 {
        self.size().1
    }

    fn layout(&self) -> Layout {
        self.raster.layout()
    }

    fn read(&mut self, most: u32) -> Result<Cow<'_, [u8]>, MediaError> {
        let start = self.next;
        self.next = self.next.saturating_add(most).min(self.height());
        Ok(self.orientation.rows(self.raster, start..self.next))
    }
}

/// Rows in other colours.
pub(crate) struct Converted<'a, R> {
    rows: R,
    converter: &'a Converter,
}

impl<'a, R: Rows> Converted<'a, R> {
    pub fn new(rows: R, converter: &'a Converter) -> Self {
        Self { rows, converter }
    }
}

impl<R: Rows> Rows for Converted<'_, R> {
    fn width(&self) -> u32 {
        self.rows.width()
    }

    fn height(&self) -> u32 {
        self.rows.height()
    }

    fn layout(&self) -> Layout {
        self.converter.layout
    }

    fn read(&mut self, most: u32) -> Result<Cow<'_, [u8]>, MediaError> {
        let from = self.rows.layout();
        let band = self.rows.read(most)?;
        self.converter.apply(from, band)
    }
}
