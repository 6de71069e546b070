//! BMP, through the `image` crate. What is not run-length coded is decoded in strips: some rows under the file's own
//! header, with the height changed, are a file that the decoder takes.

use std::io::{self, Cursor, Read, Seek};

use image::ImageDecoder;
use image::codecs::bmp::BmpDecoder;

use super::super::content::Reader;
use super::super::error::MediaError;
use super::super::format::Format;
use super::super::memory::{Share, read_at_most};
use super::super::picture::{Picture, Profile, Resolution};
use super::super::raster::Layout;
use super::gather::{Gathered, Pieces};
use super::library::{describe, layout, pixels, refused};
use super::{Decoded, Input, Pixels, Source, holes, runs};

/// Headers with their palettes are much shorter.
const MAX_HEADER: u32 = 1 << 16;

/// Profiles of presses have a few megabytes.
const MAX_PROFILE: u64 = 32 << 20;

pub(in crate::media) fn probe(mut source: Source<'_>) -> Result<Picture, MediaError> {
    let header = Header::read(&mut source.file).map_err(reading)?;
    open(source, &header).map(|(_, picture)| picture)
}

pub(in crate::media) fn decode(mut source: Source<'_>) -> Result<Decoded<'_>, MediaError> {
    let (limits, share) = (source.limits, source.share.clone());
    let header = Header::read(&mut source.file).map_err(reading)?;
    let file = source.file.get_ref().get_ref().clone();
    header.check_end(&file)?;
    let (decoder, mut picture) = open(source, &header)?;
    if let Some(is_nibbles) = header.runs() {
        let size = (picture.width.into(), picture.height.into());
        let start = u64::from(header.number(10));
        let place = start..start + u64::from(header.number(34));
        picture.notes.extend(runs::of_bmp(&file, place, size, is_nibbles)?);
    }
    let pixels = if header.can_be_cut() {
        let layout = layout(&decoder, Format::Bmp)?;
        let strips = Strips { header, file, share, size: (picture.width, picture.height), layout, next: 0 };
        Pixels::Flow(Box::new(Gathered::new(strips)))
    } else {
        Pixels::Whole(pixels(decoder, Format::Bmp, limits, &share)?)
    };
    Ok(Decoded { picture, pixels })
}

fn open<'a>(mut source: Source<'a>, header: &Header) -> Result<(BmpDecoder<Input<'a>>, Picture), MediaError> {
    source.file.rewind().map_err(reading)?;
    let profile = header.profile(source.file.get_ref().get_ref());
    let mut decoder = BmpDecoder::new(source.file).map_err(refused(Format::Bmp))?;
    let picture = describe(&mut decoder, Format::Bmp, source.limits)?;
    Ok((decoder, Picture { resolution: header.resolution(), profile, ..picture }))
}

fn reading(error: io::Error) -> MediaError {
    MediaError::reading(Format::Bmp, error)
}

/// What stands in front of the pixels.
struct Header(Vec<u8>);

impl Header {
    fn read(input: &mut impl Read) -> io::Result<Self> {
        let mut bytes = vec![0; 26];
        input.read_exact(&mut bytes)?;
        let header = Self(bytes);
        let len = header.number(10).clamp(26, MAX_HEADER);
        let Self(mut bytes) = header;
        bytes.extend(read_at_most(input, u64::from(len) - 26)?);
        Ok(Self(bytes))
    }

    fn number(&self, place: usize) -> u32 {
        self.0.get(place..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u32::from_le_bytes(*bytes))
    }

    fn short(&self, place: usize) -> u32 {
        // The last of the shortest header is one, and has nothing behind it.
        self.0.get(place..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u16::from_le_bytes(*bytes).into())
    }

    /// The oldest headers have sizes of 16 bits, and nothing but what is needed.
    fn is_oldest(&self) -> bool {
        self.number(14) == 12
    }

    fn can_be_cut(&self) -> bool {
        const PLAIN: u32 = 0;
        const MASKS: u32 = 3;
        let is_whole = self.number(10) as usize == self.0.len();
        is_whole && (self.is_oldest() || matches!(self.number(30), PLAIN | MASKS))
    }

    /// Refuses run-length coded pixels that were cut off and filled up: zeros end rows, so that those that are missing would be blank.
    fn check_end(&self, file: &Reader) -> Result<(), MediaError> {
        const TAIL: u64 = 1 << 12;
        const END_OF_PICTURE: [u8; 2] = [0, 1];
        if self.runs().is_none() {
            return Ok(());
        }
        let start = file.len().saturating_sub(TAIL).max(self.number(10).into());
        let mut tail = vec![0; file.len().saturating_sub(start) as usize]; // bounded: by TAIL
        file.read_exact_at(&mut tail, start).map_err(reading)?;
        let said = tail.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let is_filled = tail.len() - said > holes::LEAST as usize;
        if is_filled && !tail[..said].ends_with(&END_OF_PICTURE) {
            return Err(MediaError::truncated(Format::Bmp, "zeros stand where its pixels should end"));
        }
        Ok(())
    }

    /// Whether its runs are of nibbles, or of bytes; none if it has none.
    fn runs(&self) -> Option<bool> {
        const OF_BYTES: u32 = 1;
        const OF_NIBBLES: u32 = 2;
        match self.number(30) {
            OF_BYTES if !self.is_oldest() => Some(false),
            OF_NIBBLES if !self.is_oldest() => Some(true),
            _ => None,
        }
    }

    fn is_from_the_top(&self) -> bool {
        !self.is_oldest() && (self.number(22) as i32) < 0
    }

    fn bits(&self) -> u32 {
        if self.is_oldest() { self.short(24) } else { self.short(28) }
    }

    fn with_height(&self, height: u32) -> Vec<u8> {
        let mut bytes = self.0.clone();
        if self.is_oldest() {
            bytes[20..22].copy_from_slice(&(height as u16).to_le_bytes());
        } else {
            let height = if self.is_from_the_top() { -(height as i32) } else { height as i32 };
            bytes[22..26].copy_from_slice(&height.to_le_bytes());
        }
        bytes
    }

    /// Version 5 may have a profile anywhere behind the header. Nothing is no profile, and is said to have been left out.
    fn profile(&self, file: &Reader) -> Option<Profile> {
        const VERSION_5: u32 = 124;
        const EMBEDDED: u32 = u32::from_be_bytes(*b"MBED");
        const FIRST_HEADER: u64 = 14;
        if self.number(14) < VERSION_5 || self.number(70) != EMBEDDED {
            return None;
        }
        let (place, size) = (FIRST_HEADER + u64::from(self.number(126)), u64::from(self.number(130)));
        let fits = size <= MAX_PROFILE && place + size <= file.len();
        let mut bytes = vec![0; if fits { size as usize } else { 0 }]; // bounded: by MAX_PROFILE and what there is
        let read = file.read_exact_at(&mut bytes, place);
        Some(Profile::new(read.map(|()| bytes).unwrap_or_default()))
    }

    fn resolution(&self) -> Option<Resolution> {
        let per_metre = |place| f64::from(self.number(place) as i32);
        if self.is_oldest() {
            return None;
        }
        Resolution::per_centimetre(per_metre(38) / 100.0, per_metre(42) / 100.0)
    }
}

struct Strips {
    header: Header,
    file: Reader,
    share: Share,
    size: (u32, u32),
    layout: Layout,
    /// The next row, from the top.
    next: u32,
}

impl Pieces for Strips {
    fn width(&self) -> u32 {
        self.size.0
    }

    fn height(&self) -> u32 {
        self.size.1
    }

    fn layout(&self) -> Layout {
        self.layout
    }

    fn append(&mut self, wanted: u32, pixels: &mut Vec<u8>) -> Result<(), MediaError> {
        let (width, height) = self.size;
        let end = (self.next + wanted).min(height);
        let first = if self.header.is_from_the_top() { self.next } else { height - end };
        // Rows are filled up to four bytes.
        let stride = (u64::from(width) * u64::from(self.header.bits())).div_ceil(32) * 4;
        let mut strip = self.header.with_height(end - self.next);
        let start = strip.len();
        self.share.lengthen(&mut strip, u64::from(end - self.next) * stride)?;
        let _strip = self.share.hold(strip.len() as u64)?;
        let place = start as u64 + u64::from(first) * stride;
        self.file.read_exact_at(&mut strip[start..], place).map_err(reading)?;
        let decoder = BmpDecoder::new(Cursor::new(strip)).map_err(refused(Format::Bmp))?;
        let from = pixels.len();
        self.share.lengthen(pixels, decoder.total_bytes())?;
        decoder.read_image(&mut pixels[from..]).map_err(refused(Format::Bmp))?;
        self.next = end;
        Ok(())
    }
}
