//! Alpha from elsewhere, multiplied with what a picture has.

use std::borrow::Cow;

use super::super::error::MediaError;
use super::super::raster::Layout;
use super::super::rows::Rows;
use super::bitmap::Bitmap;
use super::likeness::LikeCorner;
use super::path::ClippingPath;

/// Writes the alpha of row `y`, given its pixels; it comes opaque.
type Row<'a> = Box<dyn FnMut(u32, &[u8], &mut [u8]) + 'a>;

/// A picture with an alpha channel (beside RGB, which is where image servers look for one).
pub(super) struct Masked<'a, R> {
    rows: R,
    mask: Row<'a>,
    next: u32,
}

impl<'a, R: Rows> Masked<'a, R> {
    pub fn by_path(rows: R, path: &ClippingPath) -> Self {
        let mut coverage = path.coverage(rows.width(), rows.height());
        Self { rows, mask: Box::new(move |y, _, alpha| coverage.row(y, alpha)), next: 0 }
    }

    /// What looks like the corner becomes transparent.
    pub fn by_corner(rows: R, mut corner: LikeCorner) -> Self {
        let layout = rows.layout();
        let mask = move |_, pixels: &[u8], alpha: &mut [u8]| {
            let likeness = corner.in_row(pixels, layout);
            for (pixel, alpha) in pixels.chunks_exact(layout.samples()).zip(alpha) {
                *alpha = if likeness.is(pixel) { 0 } else { u8::MAX };
            }
        };
        Self { rows, mask: Box::new(mask), next: 0 }
    }

    /// What is set becomes transparent.
    pub fn by_bitmap(rows: R, bitmap: Bitmap) -> Self {
        let mask = move |y, _: &[u8], alpha: &mut [u8]| {
            for (x, alpha) in (0..).zip(alpha) {
                *alpha = if bitmap.get(x, y) { 0 } else { u8::MAX };
            }
        };
        Self { rows, mask: Box::new(mask), next: 0 }
    }
}

impl<R: Rows> Rows for Masked<'_, R> {
    fn width(&self) -> u32 {
        self.rows.width()
    }

    fn height(&self) -> u32 {
        self.rows.height()
    }

    fn layout(&self) -> Layout {
        Layout::Rgba
    }

    fn read(&mut self, most: u32) -> Result<Cow<'_, [u8]>, MediaError> {
        let (width, layout) = (self.rows.width() as usize, self.rows.layout());
        let band = self.rows.read(most)?;
        let mut alpha = vec![u8::MAX; width]; // bounded: a row of the band there is
        let mut out = Vec::with_capacity(band.len() / layout.samples() * 4); // bounded: by the band there is
        for row in band.chunks_exact(width * layout.samples()) {
            alpha.fill(u8::MAX);
            (self.mask)(self.next, row, &mut alpha);
            self.next += 1;
            out.extend(row.chunks_exact(layout.samples()).zip(&alpha).flat_map(|(pixel, mask)| masked(pixel, *mask)));
        }
        Ok(out.into())
    }
}

fn masked(pixel: &[u8], mask: u8) -> [u8; 4] {
    let both = |alpha: u8| ((u32::from(alpha) * u32::from(mask) + 127) / 255) as u8;
    match *pixel {
        [gray] => [gray, gray, gray, mask],
        [gray, alpha] => [gray, gray, gray, both(alpha)],
        [r, g, b] => [r, g, b, mask],
        [r, g, b, alpha, ..] => [r, g, b, both(alpha)],
        [] => [0; 4],
    }
}
