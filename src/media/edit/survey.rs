//! What has to be known of a picture as a whole before its first row is told.

use super::super::decode::{Cancel, check_cancel};
use super::super::error::MediaError;
use super::super::limits::Limits;
use super::super::raster::Layout;
use super::super::rows::{AnyRows, Rows};
use super::bitmap::Bitmap;
use super::crop::{Area, Bounds};
use super::likeness::LikeCorner;
use super::{Corner, Crop, Edits, Knockout};

/// Looks at a picture by decoding it.
pub(super) struct Survey<'s, 'a> {
    pub open: &'s dyn Fn() -> Result<AnyRows<'a>, MediaError>,
    pub limits: &'s Limits,
    pub cancel: Cancel<'s>,
}

/// What is knocked out.
pub(super) enum Knocked {
    Like(LikeCorner),
    Joined(Bitmap),
}

/// Rows that are looked at between questions whether to stop.
const BAND: u32 = 64;

/// Which pixels an automatic crop keeps.
enum Keep {
    /// Colours are compared as they are without a knockout.
    Unlike(LikeCorner),
    /// What is not knocked out and has more alpha than this.
    Above(u8),
}

impl Survey<'_, '_> {
    /// What is knocked out, and what an automatic crop leaves: `Some(None)` if that is nothing.
    pub fn look(&self, edits: &Edits) -> Result<(Option<Knocked>, Option<Option<Area>>), MediaError> {
        let knocked = match edits.knockout {
            None => None,
            Some(Knockout { corner, tolerance, joined }) => {
                let like = self.like(corner, tolerance)?;
                Some(if joined { Knocked::Joined(self.joined(corner, like)?) } else { Knocked::Like(like) })
            }
        };
        let keep = match edits.crop {
            Some(Crop::Color { corner, tolerance }) => Some(Keep::Unlike(self.like(corner, tolerance)?)),
            Some(Crop::Transparent { tolerance }) => {
                Some(Keep::Above((tolerance.clamp(0.0, 1.0) * 255.0).round() as u8))
            }
            Some(Crop::Sides { .. }) | None => None,
        };
        let area = keep.map(|keep| self.bounds(keep, knocked.as_ref())).transpose()?;
        Ok((knocked, area))
    }

    fn like(&self, corner: Corner, tolerance: f64) -> Result<LikeCorner, MediaError> {
        let mut like = LikeCorner::new(corner, tolerance);
        if like.is_at_the_bottom() {
            self.each_row(&mut |layout, y, height, row| {
                if y + 1 == height {
                    like.in_row(row, layout);
                }
                Ok(())
            })?;
        }
        Ok(like)
    }

    /// What looks like the corner and is joined to it.
    fn joined(&self, corner: Corner, mut like: LikeCorner) -> Result<Bitmap, MediaError> {
        let mut bitmap = None;
        self.each_row(&mut |layout, y, height, row| {
            let likeness = like.in_row(row, layout);
            let pixels = row.chunks_exact(layout.samples());
            let bitmap = match &mut bitmap {
                Some(bitmap) => bitmap,
                empty => empty.insert(Bitmap::new(pixels.len() as u32, height, self.limits)?),
            };
            for (x, _) in (0..).zip(pixels).filter(|(_, pixel)| likeness.is(pixel)) {
                bitmap.set(x, y);
            }
            Ok(())
        })?;
        let mut bitmap = bitmap.map_or_else(|| Bitmap::new(1, 1, self.limits), Ok)?;
        let (right, bottom) = (bitmap.width() - 1, bitmap.height() - 1);
        let (x, y) = match corner {
            Corner::TopLeft => (0, 0),
            Corner::TopRight => (right, 0),
            Corner::BottomLeft => (0, bottom),
            Corner::BottomRight => (right, bottom),
        };
        bitmap.take_joined(x, y, self.limits)
    }

    fn bounds(&self, mut keep: Keep, knocked: Option<&Knocked>) -> Result<Option<Area>, MediaError> {
        // The survey of the knockout may have left its corner open.
        let mut out = match knocked {
            Some(Knocked::Like(like)) => Some(*like),
            _ => None,
        };
        let mut bounds = Bounds::default();
        self.each_row(&mut |layout, y, _, row| {
            let out = out.as_mut().map(|like| like.in_row(row, layout));
            let is_out = |x: u32, pixel: &[u8]| match knocked {
                None => false,
                Some(Knocked::Like(_)) => out.is_some_and(|likeness| likeness.is(pixel)),
                Some(Knocked::Joined(bitmap)) => bitmap.get(x, y),
            };
            let alpha = |pixel: &[u8]| if layout.has_alpha() { pixel[layout.samples() - 1] } else { u8::MAX };
            type Judge<'a> = Box<dyn Fn(&(u32, &[u8])) -> bool + 'a>;
            let kept: Judge<'_> = match &mut keep {
                Keep::Unlike(like) => {
                    let likeness = like.in_row(row, layout);
                    Box::new(move |(_, pixel)| !likeness.is(pixel))
                }
                Keep::Above(least) => {
                    let least = *least;
                    Box::new(move |(x, pixel)| alpha(pixel) > least && !is_out(*x, pixel))
                }
            };
            let count = (row.len() / layout.samples()) as u32;
            let mut pixels = (0..count).zip(row.chunks_exact(layout.samples()));
            if let Some((first, _)) = pixels.find(|one| kept(one)) {
                let last = pixels.rev().find(|one| kept(one)).map_or(first, |(last, _)| last);
                bounds.include(y, first, last);
            }
            Ok(())
        })?;
        Ok(bounds.area())
    }

    /// Goes through all rows, with the layout, the number of each and the height.
    fn each_row(&self, look: Look<'_>) -> Result<(), MediaError> {
        let mut rows = (self.open)()?;
        let (layout, height) = (rows.layout(), rows.height());
        let stride = rows.width() as usize * layout.samples();
        let mut y = 0;
        loop {
            check_cancel(self.cancel)?;
            let band = rows.read(BAND)?;
            if band.is_empty() {
                return Ok(());
            }
            for row in band.chunks_exact(stride) {
                look(layout, y, height, row)?;
                y += 1;
            }
        }
    }
}

type Look<'l> = &'l mut dyn FnMut(Layout, u32, u32, &[u8]) -> Result<(), MediaError>;
