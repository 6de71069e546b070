//! HEIC and AVIF: items of EXIF and XMP, found through the boxes of ISO/IEC 14496-12 and 23008-12.

use std::collections::HashSet;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

use super::super::directory;
use super::blocks::{MOST_BYTES, MOST_PARTS};

/// What a file of pictures holds beside them.
#[derive(Debug, Default)]
pub(super) struct Items {
    /// From its TIFF header on.
    pub exif: Option<Vec<u8>>,
    pub xmp: Option<Vec<u8>>,
    /// One of them, or what leads to them, is larger than is looked at.
    pub has_large: bool,
}

pub(super) fn read(input: &mut (impl Read + Seek)) -> io::Result<Items> {
    let mut has_large = false;
    let mut unless_large = |read: io::Result<Vec<u8>>| {
        has_large |= read.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::FileTooLarge);
        read.ok()
    };
    let Some(meta) = meta(input).transpose().and_then(&mut unless_large) else {
        return Ok(Items { has_large, ..Items::default() });
    };
    // Before its boxes stand a version and flags.
    let boxes = Bytes(&meta).skip(4)?.boxes();
    let inner = |kind: &[u8; 4]| boxes.iter().find(|(name, _)| name == kind).map(|(_, content)| *content);
    let (Some(information), Some(locations)) = (inner(b"iinf"), inner(b"iloc")) else { return Ok(Items::default()) };
    let kinds = kinds(information)?;
    let places = places(locations, &kinds)?;
    // One that is damaged says nothing of the other.
    let mut content = |wanted: Kind| {
        let (id, _) = kinds.iter().find(|(_, kind)| *kind == wanted)?;
        let place = places.iter().find(|place| place.item == *id)?;
        unless_large(place.content(input, inner(b"idat").unwrap_or_default()))
    };
    let (exif, xmp) = (content(Kind::Exif).and_then(|item| from_tiff_header(&item)), content(Kind::Xmp));
    Ok(Items { exif, xmp, has_large })
}

/// Where the coded pictures of a file lie in it, as far as it can be told.
pub(in crate::media) fn pictures(input: &mut (impl Read + Seek)) -> io::Result<Vec<Range<u64>>> {
    let Some(meta) = meta(input)? else { return Ok(Vec::new()) };
    let boxes = Bytes(&meta).skip(4)?.boxes();
    let inner = |kind: &[u8; 4]| boxes.iter().find(|(name, _)| name == kind).map(|(_, content)| *content);
    let (Some(information), Some(locations)) = (inner(b"iinf"), inner(b"iloc")) else { return Ok(Vec::new()) };
    let pictures: Vec<_> = kinds(information)?.into_iter().filter(|(_, kind)| *kind == Kind::Picture).collect();
    let places = places(locations, &pictures)?.into_iter().filter(|place| !place.is_inside);
    let extents = places.flat_map(|place| place.extents);
    Ok(extents.map(|(offset, length)| offset..offset.saturating_add(length)).collect())
}

/// In front of the EXIF stands where in the rest its TIFF header is.
fn from_tiff_header(item: &[u8]) -> Option<Vec<u8>> {
    let (offset, rest) = item.split_first_chunk::<4>()?;
    rest.get(u32::from_be_bytes(*offset) as usize..).map(<[u8]>::to_vec)
}

/// The content of the box that describes the items.
fn meta(input: &mut (impl Read + Seek)) -> io::Result<Option<Vec<u8>>> {
    input.seek(SeekFrom::Start(0))?;
    for _ in 0..MOST_PARTS {
        let mut head = [0; 8];
        input.read_exact(&mut head)?;
        let [s0, s1, s2, s3, kind @ ..] = head;
        let size = u64::from(u32::from_be_bytes([s0, s1, s2, s3]));
        let length = match size {
            // To the end of the file; items are described before it.
            0 => break,
            1 => {
                let mut large = [0; 8];
                input.read_exact(&mut large)?;
                u64::from_be_bytes(large).checked_sub(16)
            }
            size => size.checked_sub(8),
        };
        let Some(length) = length.and_then(|length| i64::try_from(length).ok()) else { break };
        if &kind == b"meta" {
            return bounded(input, length as u64).map(Some);
        }
        input.seek(SeekFrom::Current(length))?;
    }
    Ok(None)
}

fn bounded(input: &mut impl Read, length: u64) -> io::Result<Vec<u8>> {
    if length > MOST_BYTES { Err(io::ErrorKind::FileTooLarge.into()) } else { directory::take(input, length) }
}

fn broken_off() -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Exif,
    Xmp,
    /// HEVC or AV1.
    Picture,
}

/// The items of the kinds that are looked for, by their numbers.
fn kinds(information: Bytes<'_>) -> io::Result<Vec<(u64, Kind)>> {
    let (version, rest) = information.version()?;
    let rest = rest.skip(if version == 0 { 2 } else { 4 })?;
    let entries = rest.boxes().into_iter().filter(|(name, _)| name == b"infe");
    let kind = |(_, entry): ([u8; 4], Bytes)| -> io::Result<Option<(u64, Kind)>> {
        let (version, mut rest) = entry.version()?;
        if version < 2 {
            return Ok(None);
        }
        let item = rest.number(if version == 2 { 2 } else { 4 })?;
        let _protection = rest.number(2)?;
        let kind = rest.take(4)?;
        let mut texts = rest.0.split(|byte| *byte == 0);
        let _name = texts.next();
        Ok(match (kind, texts.next()) {
            (b"Exif", _) => Some((item, Kind::Exif)),
            (b"hvc1" | b"av01", _) => Some((item, Kind::Picture)),
            (b"mime", Some(b"application/rdf+xml")) => Some((item, Kind::Xmp)),
            _ => None,
        })
    };
    entries.filter_map(|entry| kind(entry).transpose()).collect()
}

/// Where an item lies.
struct Place {
    item: u64,
    /// In the box of data beside the descriptions, rather than in the file.
    is_inside: bool,
    /// Offsets and lengths.
    extents: Vec<(u64, u64)>,
}

impl Place {
    fn content(&self, input: &mut (impl Read + Seek), inside: Bytes<'_>) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        for (offset, length) in &self.extents {
            if self.is_inside {
                content.extend_from_slice(inside.skip(usize::try_from(*offset).unwrap_or(usize::MAX))?.take(*length)?);
            } else {
                input.seek(SeekFrom::Start(*offset))?;
                content.extend(bounded(input, *length)?);
            }
            if content.len() as u64 > MOST_BYTES {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
        }
        Ok(content)
    }
}

/// Where items of these kinds lie. An extent may take no room at all, so that a small box could ask for any number.
fn places(locations: Bytes<'_>, kinds: &[(u64, Kind)]) -> io::Result<Vec<Place>> {
    const IN_FILE: u64 = 0;
    const INSIDE: u64 = 1;
    let mut seen = 0;
    let (version, mut rest) = locations.version()?;
    let sizes = rest.number(2)?;
    let [offset_size, length_size, base_size, index_size] = [12, 8, 4, 0].map(|shift| sizes >> shift & 15);
    let wide = if version < 2 { 2 } else { 4 };
    let count = rest.number(wide)?;
    let wanted: HashSet<u64> = kinds.iter().map(|(item, _)| *item).collect();
    let mut found = Vec::new();
    for _ in 0..count.min(MOST_PARTS as u64) {
        let item = rest.number(wide)?;
        let construction = if version == 0 { IN_FILE } else { rest.number(2)? & 15 };
        let data_reference = rest.number(2)?;
        let base = rest.number(base_size)?;
        let mut extents = Vec::new();
        let is_wanted = wanted.contains(&item);
        for _ in 0..rest.number(2)? {
            seen += 1;
            if seen > MOST_PARTS {
                return Err(broken_off());
            }
            if version > 0 {
                rest.number(index_size)?;
            }
            let (offset, length) = (rest.number(offset_size)?, rest.number(length_size)?);
            if is_wanted {
                extents.push((base.saturating_add(offset), length));
            }
        }
        // Others lie in other files, or in other items.
        if is_wanted && data_reference == 0 && construction <= INSIDE {
            found.push(Place { item, is_inside: construction == INSIDE, extents });
        }
    }
    Ok(found)
}

/// What is left of a box. Numbers are big-endian.
#[derive(Debug, Clone, Copy, Default)]
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, length: u64) -> io::Result<&'a [u8]> {
        let length = usize::try_from(length).map_err(|_| broken_off())?;
        let (taken, rest) = self.0.split_at_checked(length).ok_or_else(broken_off)?;
        self.0 = rest;
        Ok(taken)
    }

    fn skip(self, length: usize) -> io::Result<Self> {
        self.0.get(length..).map(Self).ok_or_else(broken_off)
    }

    /// A number of at most 8 bytes; of none it is 0.
    fn number(&mut self, bytes: u64) -> io::Result<u64> {
        let bytes = self.take(bytes)?;
        Ok(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// The version of a box that has one, and what follows it and its flags.
    fn version(mut self) -> io::Result<(u64, Self)> {
        let version = self.number(1)?;
        Ok((version, self.skip(3)?))
    }

    /// The boxes that stand here, up to one that is damaged.
    fn boxes(mut self) -> Vec<([u8; 4], Self)> {
        let mut found = Vec::new();
        while found.len() < MOST_PARTS
            && let Some((name, content)) = self.next_box()
        {
            found.push((name, content));
        }
        found
    }

    fn next_box(&mut self) -> Option<([u8; 4], Self)> {
        let size = self.number(4).ok()?;
        let name = self.take(4).ok()?.try_into().ok()?;
        let length = match size {
            0 => self.0.len() as u64,
            1 => self.number(8).ok()?.checked_sub(16)?,
            size => size.checked_sub(8)?,
        };
        Some((name, Self(self.take(length).ok()?)))
    }
}
