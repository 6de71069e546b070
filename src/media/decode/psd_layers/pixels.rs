//! The pixels of layers, row by row: samples of their channels, masks, and what lets something through.

use std::io::{self, BufReader, Read};
use std::sync::Arc;

use flate2::read::ZlibDecoder;

use super::super::super::content::{Content, Reader};
use super::super::super::error::MediaError;
use super::super::super::format::Format;
use super::super::super::limits::Limits;
use super::super::super::memory::{Held, Share};
use super::super::super::raster::{Layout, narrowed_row};
use super::super::gather::Pieces;
use super::super::psd::{Header, reading, unpack};
use super::super::watched::Watched;
use super::super::{Cancel, check_cancel};
use super::{Channel, Frame, GroupMask, Mask, Record, TRANSPARENCY, both};

/// What of a layer is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Colors,
    Alpha,
    Both,
}

/// How the file of a layer is opened: each channel reads it for itself, at a place of its own.
pub(super) struct Opening<'p, 'a> {
    pub content: &'p Content,
    pub limits: &'a Limits,
    pub share: Share,
    pub cancel: Cancel<'a>,
}

/// A layer, or what of it lies in an area, as pixels.
pub(super) struct LayerRows<'a> {
    area: Frame,
    own: Frame,
    layout: Layout,
    colors: Vec<Plane<'a>>,
    /// How far the layer covers what is below it: all of its frame, if nothing says otherwise.
    coverage: Option<Plane<'a>>,
    masks: Vec<(Option<Plane<'a>>, u8)>,
    wanted: Wanted,
    share: Share,
    next: u32,
}

impl<'a> LayerRows<'a> {
    pub(super) fn open(
        opening: &Opening<'_, 'a>,
        header: &Header,
        record: &Record,
        area: Frame,
        layout: Layout,
        wanted: Wanted,
    ) -> Result<Self, MediaError> {
        let format = header.format;
        let own = record.layer.frame.ok_or_else(|| MediaError::corrupt(format, "the layer has no pixels"))?;
        let plane = |id: i16, frame: Frame| -> Result<Option<Plane<'a>>, MediaError> {
            record.channel(id).map(|channel| Plane::open(opening, header, channel, frame)).transpose()
        };
        let mut colors = Vec::new();
        if wanted != Wanted::Alpha {
            for id in 0..header.color_channels() as i16 {
                colors.push(plane(id, own)?.ok_or_else(|| MediaError::corrupt(format, "a layer lacks a channel"))?);
            }
        }
        let (mut coverage, mut masks) = (None, Vec::new());
        if wanted != Wanted::Colors {
            coverage = plane(TRANSPARENCY, own)?;
            for Mask { channel, frame, outside } in &record.masks {
                let plane = frame.map(|frame| plane(*channel, frame)).transpose()?.flatten();
                masks.push((plane, *outside));
            }
        }
        Ok(Self { area, own, layout, colors, coverage, masks, wanted, share: opening.share.clone(), next: 0 })
    }

    /// With masks that are not its own.
    pub(super) fn masked_by(
        mut self,
        opening: &Opening<'_, 'a>,
        header: &Header,
        masks: &[Arc<GroupMask>],
    ) -> Result<Self, MediaError> {
        for GroupMask { channel, mask } in masks.iter().map(AsRef::as_ref) {
            let plane = mask.frame.map(|frame| Plane::open(opening, header, channel, frame)).transpose()?;
            self.masks.push((plane, mask.outside));
        }
        Ok(self)
    }

    /// Which pixels of a row of the area the row of a frame has, and where they begin in the frame.
    fn overlap(&self, frame: Frame) -> (usize, usize, usize) {
        let shift = i64::from(frame.left) - i64::from(self.area.left);
        let start = shift.clamp(0, self.area.width.into());
        let end = (shift + i64::from(frame.width)).clamp(start, self.area.width.into());
        (start as usize, end as usize, (start - shift).clamp(0, frame.width.into()) as usize)
    }

    fn write(&mut self, y: i64, pixels: &mut [u8]) -> Result<(), MediaError> {
        let samples = self.layout.samples();
        let (start, end, from) = self.overlap(self.own);
        for (position, plane) in self.colors.iter_mut().enumerate() {
            if let Some(row) = plane.row(y)? {
                let places = pixels[start * samples..end * samples].iter_mut().skip(position).step_by(samples);
                places.zip(&row[from..]).for_each(|(place, sample)| *place = *sample);
            } else if self.layout == Layout::Cmyk {
                // No ink, as it is stored.
                pixels.iter_mut().skip(position).step_by(samples).for_each(|place| *place = u8::MAX);
            }
        }
        if self.layout == Layout::Cmyk {
            let outside = |pixels: &mut [u8]| pixels.fill(u8::MAX);
            outside(&mut pixels[..start * samples]);
            outside(&mut pixels[end * samples..]);
            // Stored is what is left of white.
            pixels.iter_mut().for_each(|ink| *ink = u8::MAX - *ink);
        }
        if self.wanted != Wanted::Colors {
            let alpha = self.alpha(y)?;
            let places = pixels.iter_mut().skip(samples - 1).step_by(samples);
            places.zip(alpha).for_each(|(place, alpha)| *place = alpha);
        }
        Ok(())
    }

    fn alpha(&mut self, y: i64) -> Result<Vec<u8>, MediaError> {
        let mut alpha = self.share.bytes(self.area.width.into())?;
        let (start, end, from) = self.overlap(self.own);
        match &mut self.coverage {
            None if (i64::from(self.own.top)..self.own.bottom()).contains(&y) => alpha[start..end].fill(u8::MAX),
            None => {}
            Some(plane) => {
                if let Some(row) = plane.row(y)? {
                    alpha[start..end].copy_from_slice(&row[from..][..end - start]);
                }
            }
        }
        for at in 0..self.masks.len() {
            let reach = self.masks[at].0.as_ref().map(|plane| self.overlap(plane.frame));
            let (plane, outside) = &mut self.masks[at];
            let row = plane.as_mut().map(|plane| plane.row(y)).transpose()?.flatten();
            let (row, (start, end, from)) = match (row, reach) {
                (Some(row), Some(reach)) => (row, reach),
                _ => (&[] as &[u8], (0, 0, 0)),
            };
            for (x, alpha) in alpha.iter_mut().enumerate() {
                let mask = if (start..end).contains(&x) { row[from + x - start] } else { *outside };
                *alpha = both(*alpha, mask);
            }
        }
        Ok(alpha)
    }
}

impl Pieces for LayerRows<'_> {
    fn width(&self) -> u32 {
        self.area.width
    }

    fn height(&self) -> u32 {
        self.area.height
    }

    fn layout(&self) -> Layout {
        self.layout
    }

    fn append(&mut self, wanted: u32, pixels: &mut Vec<u8>) -> Result<(), MediaError> {
        let stride = u64::from(self.area.width) * self.layout.samples() as u64;
        let end = self.next.saturating_add(wanted).min(self.area.height);
        self.share.grow(pixels, stride * u64::from(end - self.next))?;
        for row in self.next..end {
            let start = pixels.len();
            self.share.lengthen(pixels, stride)?;
            self.write(i64::from(self.area.top) + i64::from(row), &mut pixels[start..])?;
        }
        self.next = end;
        Ok(())
    }
}

/// The samples of one channel, from the top of its frame.
struct Plane<'a> {
    frame: Frame,
    format: Format,
    bytes_a_sample: usize,
    samples: Samples<'a>,
    share: Share,
    cancel: Cancel<'a>,
    /// For the row, as it is stored and as it comes, and for the lengths of all.
    _held: Held,
    /// The row that comes next, from the top of the frame.
    next: u32,
    /// The last that came, a byte a sample.
    row: Vec<u8>,
}

enum Samples<'a> {
    Raw(Part<'a>),
    /// With the length of each row.
    Packed(Part<'a>, std::vec::IntoIter<u32>),
    Zip(Box<ZlibDecoder<Part<'a>>>),
    /// Each sample is the difference to the one on its left.
    Predicted(Box<ZlibDecoder<Part<'a>>>),
}

impl<'a> Plane<'a> {
    fn open(opening: &Opening<'_, 'a>, header: &Header, channel: &Channel, frame: Frame) -> Result<Self, MediaError> {
        let Opening { content, limits, share, cancel } = opening;
        let format = header.format;
        // Masks have frames of their own.
        limits.check_size(frame.width.into(), frame.height.into())?;
        let row = u64::from(frame.width) * header.bytes_a_sample() as u64;
        let lengths = u64::from(frame.height) * size_of::<u32>() as u64;
        let held = share.hold(row * 3 + lengths)?;
        let failed = reading(format);
        let file = content.open().map_err(&failed)?;
        let section = Section { file, at: channel.at, left: channel.bytes };
        let mut part = BufReader::with_capacity(1 << 14, Watched::new(section, *cancel));
        let mut compression = [0; 2];
        part.read_exact(&mut compression).map_err(&failed)?;
        let samples = match u16::from_be_bytes(compression) {
            0 => Samples::Raw(part),
            1 => {
                let longest = frame.width as usize * header.bytes_a_sample() * 2 + 128;
                let mut lengths = share.vec(frame.height.into())?;
                for _ in 0..frame.height {
                    let length = if header.is_large() {
                        let mut bytes = [0; 4];
                        part.read_exact(&mut bytes).map(|()| u32::from_be_bytes(bytes))
                    } else {
                        let mut bytes = [0; 2];
                        part.read_exact(&mut bytes).map(|()| u16::from_be_bytes(bytes).into())
                    };
                    let length = length.map_err(&failed)?;
                    if length as usize > longest {
                        return Err(MediaError::corrupt(format, "a row is longer than it can be"));
                    }
                    lengths.push(length);
                }
                Samples::Packed(part, lengths.into_iter())
            }
            2 => Samples::Zip(Box::new(ZlibDecoder::new(part))),
            3 => Samples::Predicted(Box::new(ZlibDecoder::new(part))),
            other => {
                return Err(MediaError::corrupt(
                    format,
                    format!("a layer is compressed in a way ({other}) that is unknown"),
                ));
            }
        };
        let (bytes_a_sample, share, cancel) = (header.bytes_a_sample(), share.clone(), *cancel);
        Ok(Self { frame, format, bytes_a_sample, samples, share, cancel, _held: held, next: 0, row: Vec::new() })
    }

    /// The row at `y` of the canvas, which comes after the one before; none outside of the frame.
    fn row(&mut self, y: i64) -> Result<Option<&[u8]>, MediaError> {
        let row = y - i64::from(self.frame.top);
        if row < 0 || row >= i64::from(self.frame.height) {
            return Ok(None);
        }
        while i64::from(self.next) <= row {
            // Of a layer that reaches far above the canvas, many are passed over.
            check_cancel(self.cancel)?;
            self.advance()?;
        }
        Ok(Some(&self.row))
    }

    fn advance(&mut self) -> Result<(), MediaError> {
        let failed = reading(self.format);
        let length = self.frame.width as usize * self.bytes_a_sample;
        let mut stored = std::mem::take(&mut self.row);
        stored.clear();
        self.share.lengthen(&mut stored, length as u64)?;
        match &mut self.samples {
            Samples::Raw(part) => part.read_exact(&mut stored).map_err(failed)?,
            Samples::Packed(part, lengths) => {
                let mut packed = self.share.bytes(lengths.next().unwrap_or(0).into())?;
                part.read_exact(&mut packed).map_err(failed)?;
                stored = unpack(&packed, length, self.format, &self.share)?;
            }
            Samples::Zip(decoder) => decoder.read_exact(&mut stored).map_err(failed)?,
            Samples::Predicted(decoder) => {
                decoder.read_exact(&mut stored).map_err(failed)?;
                undo_prediction(&mut stored, self.bytes_a_sample);
            }
        }
        if self.bytes_a_sample == 2 {
            stored = narrowed_row(&stored).collect();
        }
        self.row = stored;
        self.next += 1;
        Ok(())
    }
}

fn undo_prediction(row: &mut [u8], bytes_a_sample: usize) {
    if bytes_a_sample == 1 {
        let mut sum = 0_u8;
        for sample in row {
            sum = sum.wrapping_add(*sample);
            *sample = sum;
        }
    } else {
        let mut sum = 0_u16;
        for sample in row.as_chunks_mut::<2>().0 {
            sum = sum.wrapping_add(u16::from_be_bytes(*sample));
            *sample = sum.to_be_bytes();
        }
    }
}

type Part<'a> = BufReader<Watched<'a, Section>>;

/// Some bytes of a file, read without moving its position.
struct Section {
    file: Reader,
    at: u64,
    left: u64,
}

impl Read for Section {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.file.read_at(&mut buffer[..most], self.at)?;
        self.at += count as u64;
        self.left -= count as u64;
        Ok(count)
    }
}
