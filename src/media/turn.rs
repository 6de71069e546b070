//! Turning a flow of rows upright.
//!
//! Only a picture that is mirrored across stays a flow. All others have to be there as a whole before their first row
//! can be told: band after band is turned and set aside, in memory if it is small and in a file without a name if not.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use super::error::MediaError;
use super::format::Format;
use super::limits::Limits;
use super::orientation::Orientation;
use super::raster::{Layout, Raster};
use super::rows::{AnyRows, Rows};

/// Rows of the bands that are turned at once.
const BAND: u32 = 256;

/// The largest picture that waits in memory, in bytes.
const IN_MEMORY: u64 = 32 << 20;

/// `rows`, stored the way that `orientation` says, as they are seen.
pub(crate) fn turned<'a>(rows: AnyRows<'a>, orientation: Orientation, limits: &Limits) -> AnyRows<'a> {
    match orientation {
        Orientation::Upright => rows,
        Orientation::MirroredAcross => Box::new(Mirrored(rows)),
        _ => Box::new(Turned {
            rows,
            orientation,
            scratch: limits.scratch.clone(),
            in_memory: IN_MEMORY.min(limits.max_memory / 2),
            aside: None,
            next: 0,
        }),
    }
}

struct Mirrored<R>(R);

impl<R: Rows> Rows for Mirrored<R> {
    fn width(&self) -> u32 {
        self.0.width()
    }

    fn height(&self) -> u32 {
        self.0.height()
    }

    fn layout(&self) -> Layout {
        self.0.layout()
    }

    fn read(&mut self, most: u32) -> Result<Cow<'_, [u8]>, MediaError> {
        let (stride, samples) = (self.0.width() as usize * self.0.layout().samples(), self.0.layout().samples());
        let band = self.0.read(most)?;
        let mut out = Vec::with_capacity(band.len()); // bounded: by the band there is
        for row in band.chunks_exact(stride) {
            row.rchunks_exact(samples).for_each(|pixel| out.extend_from_slice(pixel));
        }
        Ok(out.into())
    }
}

struct Turned<R> {
    rows: R,
    orientation: Orientation,
    scratch: PathBuf,
    in_memory: u64,
    /// What was set aside; None before the first row is read.
    aside: Option<Aside>,
    next: u32,
}

impl<R: Rows> Rows for Turned<R> {
    fn width(&self) -> u32 {
        self.size().0
    }

    fn height(&self) -> u32 {
        self.size().1
    }

    fn layout(&self) -> Layout {
        self.rows.layout()
    }

    fn read(&mut self, most: u32) -> Result<Cow<'_, [u8]>, MediaError> {
        let aside = match self.aside.take() {
            Some(aside) => aside,
            None => self.set_aside()?,
        };
        let count = most.min(self.height() - self.next);
        let rows = aside.rows(self.next, count);
        self.aside = Some(aside);
        self.next += count;
        rows.map(Cow::Owned).map_err(failed)
    }
}

impl<R: Rows> Turned<R> {
    fn size(&self) -> (u32, u32) {
        self.orientation.seen_size(self.rows.width(), self.rows.height())
    }

    fn set_aside(&mut self) -> Result<Aside, MediaError> {
        let (width, height, layout) = (self.rows.width(), self.rows.height(), self.rows.layout());
        let bytes = u64::from(width) * u64::from(height) * layout.samples() as u64;
        let store = if bytes <= self.in_memory {
            Store::Memory(Vec::with_capacity(bytes as usize)) // bounded: by IN_MEMORY
        } else {
            let file = std::fs::create_dir_all(&self.scratch).and_then(|()| tempfile::tempfile_in(&self.scratch));
            Store::File { file: file.map_err(failed)?, len: 0 }
        };
        let (seen_width, _) = self.size();
        let mut aside = Aside { store, samples: layout.samples(), width: seen_width, blocks: Vec::new() };
        let mut from = 0;
        while from < height {
            let band = self.rows.read(BAND)?.into_owned();
            let count = BAND.min(height - from);
            let raster = Raster::new(width, count, layout, band).ok_or_else(too_few)?;
            let place = self.place(from..from + count);
            let turned = self.orientation.rows(&raster, 0..place.rows.len() as u32);
            aside.add(place, &turned).map_err(failed)?;
            from += count;
        }
        Ok(aside)
    }

    /// Where a band of stored rows is seen.
    fn place(&self, band: Range<u32>) -> Place {
        let (width, height) = (self.rows.width(), self.rows.height());
        let from_the_end = height - band.end..height - band.start;
        match self.orientation {
            Orientation::Upright | Orientation::MirroredAcross => Place { columns: 0..width, rows: band },
            Orientation::UpsideDown | Orientation::MirroredDown => Place { columns: 0..width, rows: from_the_end },
            Orientation::Transposed | Orientation::QuarterLeft => Place { columns: band, rows: 0..width },
            Orientation::QuarterRight | Orientation::Transversed => Place { columns: from_the_end, rows: 0..width },
        }
    }
}

/// Part of a picture as seen.
struct Place {
    columns: Range<u32>,
    rows: Range<u32>,
}

/// Blocks of turned pixels that make up a picture.
struct Aside {
    store: Store,
    samples: usize,
    width: u32,
    /// Where each block is seen, and where it is kept.
    blocks: Vec<(Place, u64)>,
}

enum Store {
    Memory(Vec<u8>),
    File { file: File, len: u64 },
}

impl Aside {
    fn add(&mut self, place: Place, pixels: &[u8]) -> io::Result<()> {
        let start = match &mut self.store {
            Store::Memory(bytes) => {
                bytes.extend_from_slice(pixels);
                bytes.len() as u64 - pixels.len() as u64
            }
            Store::File { file, len } => {
                file.write_all_at(pixels, *len)?;
                *len += pixels.len() as u64;
                *len - pixels.len() as u64
            }
        };
        self.blocks.push((place, start));
        Ok(())
    }

    fn rows(&self, from: u32, count: u32) -> io::Result<Vec<u8>> {
        let stride = self.width as usize * self.samples;
        let mut out = vec![0; stride * count as usize]; // bounded: a band, as high as is asked for
        let mut piece = Vec::new();
        for (Place { columns, rows }, start) in &self.blocks {
            let (first, last) = (rows.start.max(from), rows.end.min(from + count));
            if first >= last {
                continue;
            }
            let width = columns.len() * self.samples;
            let place = start + u64::from(first - rows.start) * width as u64;
            let piece = self.store.read(place, (last - first) as usize * width, &mut piece)?;
            let left = columns.start as usize * self.samples;
            for (row, pixels) in (first - from..last - from).zip(piece.chunks_exact(width)) {
                out[row as usize * stride + left..][..width].copy_from_slice(pixels);
            }
        }
        Ok(out)
    }
}

impl Store {
    fn read<'a>(&'a self, place: u64, len: usize, buffer: &'a mut Vec<u8>) -> io::Result<&'a [u8]> {
        match self {
            Self::Memory(bytes) => Ok(&bytes[place as usize..][..len]),
            Self::File { file, .. } => {
                buffer.resize(len, 0); // bounded: part of a band
                file.read_exact_at(buffer, place)?;
                Ok(buffer)
            }
        }
    }
}

fn failed(source: io::Error) -> MediaError {
    MediaError::Io { doing: "set a picture aside to turn it".to_owned(), source }
}

fn too_few() -> MediaError {
    MediaError::corrupt(Format::Unknown, "it has fewer rows than it said")
}

#[cfg(test)]
mod tests {
    use super::super::rows::Seen;
    use super::*;

    #[test]
    fn a_flow_is_turned_as_a_picture_in_memory_is() {
        let pixels = |samples: usize| (0..70 * 600 * samples).map(|number| (number * 7 % 251) as u8).collect();
        for (layout, samples) in [(Layout::Gray, 1), (Layout::Rgb, 3)] {
            let raster = Raster::new(70, 600, layout, pixels(samples)).unwrap();
            for orientation in (1..=8).filter_map(Orientation::from_exif) {
                for in_memory in [0, IN_MEMORY] {
                    let flow = Seen::new(&raster, Orientation::Upright);
                    let scratch = std::env::temp_dir();
                    let mut turned: AnyRows<'_> = match turned(Box::new(flow), orientation, &Limits::default()) {
                        _ if orientation != Orientation::Upright && orientation != Orientation::MirroredAcross => {
                            let rows = Seen::new(&raster, Orientation::Upright);
                            Box::new(Turned { rows, orientation, scratch, in_memory, aside: None, next: 0 })
                        }
                        turned => turned,
                    };
                    let mut expected = Seen::new(&raster, orientation);
                    assert_eq!((turned.width(), turned.height()), (expected.width(), expected.height()));
                    for most in [1, 100, 256, 17, 600, 600] {
                        assert!(turned.read(most).unwrap() == expected.read(most).unwrap(), "{orientation:?}");
                    }
                    assert!(turned.read(1).unwrap().is_empty());
                }
            }
        }
    }
}
