//! Rows from a decoder that gives them in pieces of its own.

use std::borrow::Cow;

use super::super::error::MediaError;
use super::super::raster::Layout;
use super::super::rows::Rows;

/// A decoder that goes through a picture from the top.
pub(super) trait Pieces {
    fn width(&self) -> u32;

    fn height(&self) -> u32;

    fn layout(&self) -> Layout;

    /// Appends the next rows to `pixels`: at least one, and if it is all the same to the decoder, `wanted` of them.
    fn append(&mut self, wanted: u32, pixels: &mut Vec<u8>) -> Result<(), MediaError>;
}

/// Rows in the portions that are asked for.
pub(super) struct Gathered<P> {
    pieces: P,
    /// Decoded rows; those before `start` are handed out.
    pixels: Vec<u8>,
    start: usize,
    /// Rows handed out so far.
    done: u32,
}

impl<P: Pieces> Gathered<P> {
    pub fn new(pieces: P) -> Self {
        Self { pieces, pixels: Vec::new(), start: 0, done: 0 }
    }
}

impl<P: Pieces> Rows for Gathered<P> {
    fn width(&self) -> u32 {
        self.pieces.width()
    }

    fn height(&self) -> u32 {
        self.pieces.height()
    }

    fn layout(&self) -> Layout {
        self.pieces.layout()
    }

    fn read(&mut self, most: u32) -> Result<Cow<'_, [u8]>, MediaError> {
        let stride = self.width() as usize * self.layout().samples();
        let count = most.min(self.height() - self.done);
        let needed = count as usize * stride;
        if self.pixels.len() - self.start < needed {
            self.pixels.drain(..self.start);
            self.start = 0;
            while self.pixels.len() < needed {
                let missing = (needed - self.pixels.len()).div_ceil(stride);
                self.pieces.append(missing as u32, &mut self.pixels)?;
            }
        }
        self.done += count;
        let start = self.start;
        self.start += needed;
        Ok(Cow::Borrowed(&self.pixels[start..self.start]))
    }
}
