//! Whether a pixel looks like another.

use super::super::raster::Layout;
use super::Corner;

/// Looks like one pixel, within a tolerance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Likeness {
    pixel: [u8; 4],
    samples: usize,
    has_alpha: bool,
    /// The largest sum of squared differences.
    limit: u32,
}

impl Likeness {
    /// `pixel` has the samples of `layout`, which are gray or RGB. `tolerance` is from 0, its own colour only, to 1, any.
    pub fn new(pixel: &[u8], layout: Layout, tolerance: f64) -> Self {
        let mut own = [0; 4];
        own[..pixel.len()].copy_from_slice(pixel);
        let samples = layout.samples();
        let distance = tolerance.clamp(0.0, 1.0) * 255.0;
        // Half a unit more, so that a tolerance that means a whole difference is not lost to rounding.
        let limit = (distance * distance * samples as f64 + 0.5) as u32;
        Self { pixel: own, samples, has_alpha: layout.has_alpha(), limit }
    }

    pub fn is(&self, pixel: &[u8]) -> bool {
        if self.has_alpha && self.pixel[self.samples - 1] == 0 && pixel[self.samples - 1] == 0 {
            // Colours that nobody sees are alike.
            return true;
        }
        let squares = self.pixel.iter().zip(&pixel[..self.samples]).map(|(a, b)| u32::from(a.abs_diff(*b)).pow(2));
        squares.sum::<u32>() <= self.limit
    }
}

/// What looks like the pixel in a corner. For an upper corner the first row that is looked at says what that is.
#[derive(Debug, Clone, Copy)]
pub(super) struct LikeCorner {
    corner: Corner,
    tolerance: f64,
    likeness: Option<Likeness>,
}

impl LikeCorner {
    pub fn new(corner: Corner, tolerance: f64) -> Self {
        Self { corner, tolerance, likeness: None }
    }

    /// Whether it takes the last row to know.
    pub fn is_at_the_bottom(&self) -> bool {
        matches!(self.corner, Corner::BottomLeft | Corner::BottomRight)
    }

    /// Takes the corner from `row` unless it is known already.
    pub fn in_row(&mut self, row: &[u8], layout: Layout) -> Likeness {
        let pixel = match self.corner {
            Corner::TopLeft | Corner::BottomLeft => &row[..layout.samples()],
            Corner::TopRight | Corner::BottomRight => &row[row.len() - layout.samples()..],
        };
        *self.likeness.get_or_insert_with(|| Likeness::new(pixel, layout, self.tolerance))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_like_at_zero_and_everything_at_one() {
        let white = |tolerance| Likeness::new(&[255, 255, 255], Layout::Rgb, tolerance);
        assert!(white(0.0).is(&[255, 255, 255]) && !white(0.0).is(&[255, 254, 255]));
        assert!(white(1.0).is(&[0, 0, 0]));
        let tenth = Likeness::new(&[100, 100, 100], Layout::Rgb, 10.0 / 255.0);
        assert!(tenth.is(&[110, 90, 110]) && !tenth.is(&[111, 90, 110]));
        assert!(tenth.is(&[117, 100, 100]) && !tenth.is(&[118, 100, 100]));
    }

    #[test]
    fn what_is_transparent_has_no_colour() {
        let clear = Likeness::new(&[9, 9, 9, 0], Layout::Rgba, 0.0);
        assert!(clear.is(&[200, 0, 0, 0]) && !clear.is(&[9, 9, 9, 255]));
    }
}
