//! A picture as a flow of rows from the top: what decoders give, edits change, and pyramids are made of.
//!
//! Whatever stands between the two ends is an adapter that takes `Rows` and is `Rows`, and keeps no more of the picture
//! than it needs.

use std::borrow::{Borrow, Cow};

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

/// Rows of any origin.
pub(crate) type AnyRows<'a> = Box<dyn Rows + 'a>;

impl<R: Rows + ?Sized> Rows for Box<R> {
    fn width(&self) -> u32 {
        (**self).width()
    }

    fn height(&self) -> u32 {
        (**self).height()
    }

    fn layout(&self) -> Layout {
        (**self).layout()
    }

    fn read(&mut self, most: u32) -> Result<Cow<'_, [u8]>, MediaError> {
        (**self).read(most)
    }
}

/// A picture in memory, as seen.
pub(crate) struct Seen<R> {
    raster: R,
    orientation: Orientation,
    next: u32,
}

impl<R: Borrow<Raster>> Seen<R> {
    pub fn new(raster: R, orientation: Orientation) -> Self {
        Self { raster, orientation, next: 0 }
    }

    fn size(&self) -> (u32, u32) {
        let raster = self.raster.borrow();
        self.orientation.seen_size(raster.width(), raster.height())
    }
}

impl<R: Borrow<Raster>> Rows for Seen<R> {
    fn width(&self) -> u32 {
        self.size().0
    }

    fn height(&self) -> u32 {
        self.size().1
    }

    fn layout(&self) -> Layout {
        self.raster.borrow().layout()
    }

    fn read(&mut self, most: u32) -> Result<Cow<'_, [u8]>, MediaError> {
        let start = self.next;
        self.next = self.next.saturating_add(most).min(self.height());
        Ok(self.orientation.rows(self.raster.borrow(), start..self.next))
    }
}

/// Rows in other colours.
pub(crate) struct Converted<R, C> {
    rows: R,
    converter: C,
}

impl<R: Rows, C: Borrow<Converter>> Converted<R, C> {
    pub fn new(rows: R, converter: C) -> Self {
        Self { rows, converter }
    }
}

impl<R: Rows, C: Borrow<Converter>> Rows for Converted<R, C> {
    fn width(&self) -> u32 {
        self.rows.width()
    }

    fn height(&self) -> u32 {
        self.rows.height()
    }

    fn layout(&self) -> Layout {
        self.converter.borrow().layout
    }

    fn read(&mut self, most: u32) -> Result<Cow<'_, [u8]>, MediaError> {
        let from = self.rows.layout();
        let band = self.rows.read(most)?;
        self.converter.borrow().apply(from, band)
    }
}

/// Gray or RGB rows with alpha from others of the same size.
pub(crate) struct WithAlpha<'a> {
    colors: AnyRows<'a>,
    alpha: AnyRows<'a>,
}

impl<'a> WithAlpha<'a> {
    pub fn new(colors: AnyRows<'a>, alpha: AnyRows<'a>) -> Self {
        Self { colors, alpha }
    }
}

impl Rows for WithAlpha<'_> {
    fn width(&self) -> u32 {
        self.colors.width()
    }

    fn height(&self) -> u32 {
        self.colors.height()
    }

    fn layout(&self) -> Layout {
        Layout::Rgba
    }

    fn read(&mut self, most: u32) -> Result<Cow<'_, [u8]>, MediaError> {
        let samples = self.colors.layout().samples();
        let colors = self.colors.read(most)?;
        let alpha = self.alpha.read(most)?;
        let pixel = |(color, alpha): (&[u8], &u8)| match *color {
            [r, g, b, ..] => [r, g, b, *alpha],
            [gray, ..] => [gray, gray, gray, *alpha],
            [] => [0; 4],
        };
        Ok(colors.chunks_exact(samples).zip(alpha.iter()).flat_map(pixel).collect::<Vec<u8>>().into())
    }
}
