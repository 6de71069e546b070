//! Pictures at a half, a quarter or an eighth of their size, for those who need no more of them. They are made strip by
//! strip: nothing of the whole is ever in memory but what is kept.

use std::io::Cursor;

use super::super::super::error::MediaError;
use super::super::super::limits::Limits;
use super::super::super::memory::Share;
use super::super::super::raster::Layout;
use super::super::{Remarks, Wholeness};
use super::strips::{Strip, Strips};
use super::{Coding, describe, markers};

/// Sides can be halved so many times: units are eight pixels wide, and are made smaller each by itself.
pub(crate) const MOST_HALVINGS: u32 = 3;

/// Rows of a strip, as they are stored.
const ROWS: u32 = 256;

pub(crate) struct Small<'a> {
    /// As it is stored.
    pub whole: (u32, u32),
    pub layout: Layout,
    strips: Strips<&'a [u8]>,
    coding: Coding,
    halvings: u32,
    limits: &'a Limits,
    share: Share,
    remarks: Remarks,
}

impl<'a> Small<'a> {
    /// None if the stream is not gray or RGB, or cannot be decoded in strips.
    pub fn open(stream: &'a [u8], halvings: u32, limits: &'a Limits) -> Result<Option<Self>, MediaError> {
        let header = markers::read_header(Cursor::new(stream))?;
        let coding = Coding::of(&describe(&header, limits)?, &header);
        let scan = usize::try_from(header.scan_start).ok().and_then(|start| stream.get(start..)).unwrap_or_default();
        let whole = (header.width.into(), header.height.into());
        let layout = coding.layout;
        let is_plain = matches!(layout, Layout::Gray | Layout::Rgb) && halvings <= MOST_HALVINGS;
        let share = Share::of(limits);
        let remarks = Remarks::default();
        let strips = Strips::new(&header, scan, share.clone(), remarks.clone()).ok().filter(|_| is_plain);
        Ok(strips.map(|strips| Self { whole, layout, strips, coding, halvings, limits, share, remarks }))
    }

    /// How large it is made.
    pub fn size(&self) -> (u32, u32) {
        (self.small(self.whole.0), self.small(self.whole.1))
    }

    pub fn bytes(&self) -> u64 {
        let (width, height) = self.size();
        self.coding.bytes(width, height)
    }

    /// Bytes beyond its own that it makes use of while it is decoded.
    pub fn surplus(&self) -> usize {
        const ROWS_AROUND: u32 = 64;
        self.coding.bytes(self.size().0, ROWS_AROUND) as usize
    }

    /// Appends all of it to `pixels`, and says whether it is as it should be.
    pub fn decode(mut self, pixels: &mut Vec<u8>) -> Result<Wholeness, MediaError> {
        let mut done = 0;
        while done < self.whole.1 {
            let strip = self.strips.next(ROWS)?;
            let _stream = self.share.hold(strip.stream.len() as u64)?;
            self.append(&strip, pixels)?;
            done += strip.wanted.end - strip.wanted.start;
        }
        Ok(Wholeness::of(Ok(()), &self.remarks))
    }

    /// libjpeg-turbo leaves out what would not be seen, and keeps a last pixel that has no partner.
    #[cfg(feature = "turbojpeg")]
    fn append(&self, strip: &Strip, pixels: &mut Vec<u8>) -> Result<(), MediaError> {
        let stride = self.coding.bytes(self.size().0, 1) as usize;
        let start = pixels.len();
        self.share.lengthen(pixels, u64::from(self.small(strip.height)) * stride as u64)?;
        let size = (self.size().0 as usize, self.small(strip.height) as usize);
        super::turbo::decode(&strip.stream, size, self.halvings, self.layout, &mut pixels[start..])?;
        pixels.truncate(start + self.small(strip.wanted.end) as usize * stride);
        pixels.drain(start..start + self.small(strip.wanted.start) as usize * stride);
        Ok(())
    }

    #[cfg(feature = "turbojpeg")]
    const fn small(&self, side: u32) -> u32 {
        side.div_ceil(1 << self.halvings)
    }

    #[cfg(not(feature = "turbojpeg"))]
    fn append(&self, strip: &Strip, pixels: &mut Vec<u8>) -> Result<(), MediaError> {
        use super::super::super::cascade::halve;
        let stride = self.coding.bytes(self.whole.0, 1) as usize;
        let mut rows = self.share.bytes(u64::from(strip.height) * stride as u64)?;
        self.coding.decode(&strip.stream, &mut rows, self.limits)?;
        let (mut width, mut height) = (self.whole.0, strip.wanted.end - strip.wanted.start);
        let wanted = &rows[strip.wanted.start as usize * stride..strip.wanted.end as usize * stride];
        let mut halved = Vec::new();
        for halving in 0..self.halvings {
            let from = if halving == 0 { wanted } else { &halved };
            halved = halve(from, width as usize, height as usize / 2, self.layout);
            (width, height) = (width / 2, height / 2);
        }
        pixels.extend_from_slice(if self.halvings == 0 { wanted } else { &halved });
        Ok(())
    }

    #[cfg(not(feature = "turbojpeg"))]
    const fn small(&self, side: u32) -> u32 {
        side >> self.halvings
    }
}
