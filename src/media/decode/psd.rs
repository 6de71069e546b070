//! The merged picture of Photoshop files, which Photoshop keeps beside the layers: row by row, whatever the size.
//!
//! Read are bitmaps, gray, duotone (as gray), indexed colours, RGB, CMYK, L\*a\*b\* and multichannel (as gray or as inks), of 1, 8, 16 and 32 bits,
//! uncompressed and run-length coded, of documents (PSD) and large documents (PSB). Of a file that was saved without its merged picture
//! the layers are laid on each other ([`psd_layers`](super::psd_layers)).

use std::io::{self, Read, Seek, SeekFrom};

use super::super::color::Note;
use super::super::content::Reader;
use super::super::error::MediaError;
use super::super::format::Format;
use super::super::memory::{Held, Share};
use super::super::orientation::Orientation;
use super::super::picture::{ColorModel, Picture, Profile, Resolution};
use super::super::raster::{Layout, narrowed_row};
use super::foreign::encoded;
use super::gather::{Gathered, Pieces};
use super::psd_layers::Flattened;
use super::tiff::srgb_of_lab;
use super::{Decoded, Input as FileInput, Pixels, Source};

/// The largest block beside the pixels that is looked at: profiles of presses have a few megabytes.
const LARGEST_RESOURCE: u64 = 64 << 20;

/// Most image resources of a file. Photoshop has some hundred kinds of them, and a thousand numbers for paths.
const MOST_RESOURCES: usize = 10_000;

pub(in crate::media) fn probe(source: Source<'_>) -> Result<Picture, MediaError> {
    Document::read(source).map(|document| document.picture)
}

pub(in crate::media) fn decode(source: Source<'_>) -> Result<Decoded<'_>, MediaError> {
    let (format, share) = (source.format, source.share.clone());
    let (content, limits, cancel) = (source.content.clone(), source.limits, source.cancel);
    let Document { mut file, picture, layout, meaning, channels, depth, is_on_white, is_flattened } =
        Document::read(source)?;
    if is_flattened {
        let layers = Flattened::open(Source::open(&content, limits, cancel)?)?;
        return Ok(Decoded { picture, pixels: Pixels::Flow(Box::new(Gathered::new(layers))) });
    }
    let (width, height) = (picture.width as usize, picture.height as usize);
    let row = (width * usize::from(depth)).div_ceil(8);
    let used = meaning.stored(layout);
    let compression = file.read_u16().map_err(reading(format))?;
    // Sides have been checked, but there may be many short rows.
    let mut rows = share.vec((used * height) as u64)?;
    let held = share.hold(size_of_val(rows.spare_capacity_mut()) as u64)?;
    match compression {
        0 => {
            let start = file.position();
            rows.extend((0..used * height).map(|index| (start + (index * row) as u64, row)));
        }
        1 => file.packed_rows(channels * height, used * height, row * 2 + 128, format, &mut rows)?,
        _ => return Err(MediaError::unsupported(format, format!("a {format} file with ZIP-compressed pixels"))),
    }
    let planes = Planes {
        file: file.into_file(),
        share,
        _held: held,
        format,
        width: picture.width,
        height: picture.height,
        layout,
        meaning,
        depth,
        is_packed: compression == 1,
        is_on_white,
        rows,
        next: 0,
    };
    Ok(Decoded { picture, pixels: Pixels::Flow(Box::new(Gathered::new(planes))) })
}

/// What has more parts than any program writes.
pub(super) fn too_many(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

pub(super) fn reading(format: Format) -> impl Fn(io::Error) -> MediaError {
    move |error| MediaError::reading(format, error)
}

/// What a file says before its layers.
pub(super) struct Header {
    pub format: Format,
    pub width: u32,
    pub height: u32,
    /// Bits a sample: 1, 8, 16 or 32.
    depth: u8,
    pub color: ColorModel,
    meaning: Meaning,
    is_multichannel: bool,
    /// All there are of the merged picture, those that are no colours among them.
    channels: usize,
    profile: Option<Profile>,
    resolution: Option<Resolution>,
    /// Photoshop lays a merged picture that is transparent on white. Others (ImageMagick, GIMP) do not, and do not write down
    /// a version of Photoshop either.
    is_by_photoshop: bool,
    /// Files that were not saved for others hold a blank picture in the place of the merged one.
    is_merged: bool,
}

impl Header {
    /// Reads up to where the section of layers and masks begins.
    pub fn read<'a>(source: Source<'a>) -> Result<(Input<'a>, Self), MediaError> {
        let Source { file, format, limits, share, .. } = source;
        let mut file = Input::new(file, share);
        let failed = reading(format);
        file.skip(12).map_err(&failed)?;
        let channels = file.read_u16().map_err(&failed)?.into();
        let height = file.read_u32().map_err(&failed)?;
        let width = file.read_u32().map_err(&failed)?;
        let depth = file.read_u16().map_err(&failed)?;
        let mode = file.read_u16().map_err(&failed)?;
        limits.check_size(width.into(), height.into())?;
        if width == 0 || height == 0 {
            return Err(MediaError::corrupt(format, "it has no pixels"));
        }
        let depth = match (mode, depth) {
            (0, 1) => 1,
            (_, 8) => 8,
            (1 | 3 | 4 | 7 | 8 | 9, 16) => 16,
            // Light, as it is.
            (1 | 3, 32) => 32,
            (mode, other) => {
                let what = format!("a {format} file of {other} bits in colour mode {mode}");
                return Err(MediaError::unsupported(format, what));
            }
        };
        let color_data = u64::from(file.read_u32().map_err(&failed)?);
        let (color, mut meaning) = match (mode, channels) {
            (0, _) => (ColorModel::Gray, Meaning::Plain),
            // A duotone is a gray picture with inks that only Photoshop knows.
            (1 | 8, _) | (7, ..=2) => (ColorModel::Gray, Meaning::Plain),
            (2, _) if color_data == TABLE => (ColorModel::Palette, Meaning::Indexed(Table::default())),
            (3, _) => (ColorModel::Rgb, Meaning::Plain),
            (4, _) => (ColorModel::Cmyk, Meaning::Plain),
            // What becomes of CMYK or RGB there are inks.
            (7, channels) => (ColorModel::Cmyk, if channels == 3 { Meaning::ThreeInks } else { Meaning::Plain }),
            (9, _) => (ColorModel::Lab, Meaning::Lab),
            (other, _) => {
                return Err(MediaError::unsupported(format, format!("a {format} file of colour mode {other}")));
            }
        };
        if let Meaning::Indexed(table) = &mut meaning {
            table.colors = file.exactly(color_data).map_err(&failed)?;
        } else {
            file.skip(color_data).map_err(&failed)?;
        }
        let resources = file.read_u32().map_err(&failed)?;
        let Resources { profile, resolution, is_by_photoshop, is_merged, transparent } =
            file.resources(resources.into()).map_err(&failed)?;
        if let Meaning::Indexed(table) = &mut meaning {
            table.transparent = transparent;
        }
        // That of L*a*b* describes nothing.
        let profile = profile.filter(|_| color != ColorModel::Lab);
        let header = Self {
            format,
            width,
            height,
            depth,
            color,
            meaning,
            is_multichannel: mode == 7,
            channels,
            profile,
            resolution,
            is_by_photoshop,
            is_merged: is_merged.unwrap_or(true),
        };
        Ok((file, header))
    }

    pub fn is_large(&self) -> bool {
        self.format == Format::Psb
    }

    /// How layers are stored, of those that are read.
    pub fn layer_layout(&self) -> Option<Layout> {
        match (self.color, self.depth, &self.meaning) {
            (ColorModel::Gray, 8 | 16, Meaning::Plain) => Some(Layout::Gray),
            (ColorModel::Rgb, 8 | 16, Meaning::Plain) => Some(Layout::Rgb),
            (ColorModel::Cmyk, 8 | 16, Meaning::Plain) => Some(Layout::Cmyk),
            _ => None,
        }
    }

    pub fn color_channels(&self) -> usize {
        match self.color {
            ColorModel::Gray => 1,
            ColorModel::Cmyk => 4,
            _ => 3,
        }
    }

    pub fn bytes_a_sample(&self) -> usize {
        usize::from(self.depth / 8)
    }

    /// Without alpha.
    pub fn picture(self) -> Picture {
        Picture {
            format: self.format,
            width: self.width,
            height: self.height,
            color: self.color,
            depth: self.depth,
            has_alpha: false,
            is_animated: false,
            notes: Vec::new(),
            profile: self.profile,
            resolution: self.resolution,
            orientation: Orientation::default(),
        }
    }
}

/// A file read to where its merged picture begins.
struct Document<'a> {
    file: Input<'a>,
    picture: Picture,
    layout: Layout,
    meaning: Meaning,
    /// All there are, those that are no colours among them.
    channels: usize,
    depth: u8,
    is_on_white: bool,
    /// Its layers are to be laid on each other instead.
    is_flattened: bool,
}

/// What the channels of a merged picture stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Meaning {
    /// Each for one of the samples.
    Plain,
    Indexed(Table),
    Lab,
    /// Cyan, magenta and yellow.
    ThreeInks,
}

/// Bytes of a table of colours: all reds, all greens, all blues.
const TABLE: u64 = 768;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Table {
    colors: Vec<u8>,
    transparent: Option<u8>,
}

impl Meaning {
    /// How many channels are made use of.
    fn stored(&self, layout: Layout) -> usize {
        match self {
            Self::Plain => layout.samples(),
            Self::Indexed(_) => 1,
            Self::Lab | Self::ThreeInks => 3,
        }
    }

    /// Puts the samples of a row together.
    fn write(&self, channels: &[Vec<u8>], layout: Layout, row: &mut [u8]) {
        let pixels = row.chunks_exact_mut(layout.samples()).enumerate();
        match (self, channels) {
            (Self::Indexed(table), [indices, ..]) => pixels.for_each(|(x, pixel)| {
                let index = indices[x];
                let color = |part: usize| table.colors[part * 256 + usize::from(index)];
                pixel[..3].copy_from_slice(&[color(0), color(1), color(2)]);
                if let Some(alpha) = pixel.get_mut(3) {
                    *alpha = if table.transparent == Some(index) { 0 } else { u8::MAX };
                }
            }),
            (Self::Lab, [l, a, b, ..]) => pixels.for_each(|(x, pixel)| {
                let lab = [f64::from(l[x]) / 2.55, f64::from(a[x]) - 128.0, f64::from(b[x]) - 128.0];
                pixel[..3].copy_from_slice(&srgb_of_lab(lab));
            }),
            // No black, as it is stored.
            (Self::ThreeInks, [c, m, y, ..]) => {
                pixels.for_each(|(x, pixel)| pixel.copy_from_slice(&[c[x], m[x], y[x], u8::MAX]));
            }
            (_, channels) => pixels.for_each(|(x, pixel)| {
                pixel.iter_mut().zip(channels).for_each(|(sample, channel)| *sample = channel[x]);
            }),
        }
    }
}

impl<'a> Document<'a> {
    fn read(source: Source<'a>) -> Result<Self, MediaError> {
        let format = source.format;
        let (mut file, header) = Header::read(source)?;
        let failed = reading(format);
        let layers = file.length(header.is_large()).map_err(&failed)?;
        let layer_count = file.layer_count(layers, header.is_large()).map_err(&failed)?;
        let is_transparent = layer_count < 0;
        let (channels, color, meaning, depth) = (header.channels, header.color, header.meaning.clone(), header.depth);
        let colours = match &meaning {
            Meaning::Plain => header.color_channels(),
            Meaning::Indexed(_) => 1,
            Meaning::Lab | Meaning::ThreeInks => 3,
        };
        if channels < colours {
            return Err(MediaError::corrupt(format, format!("it has {channels} channels for {color}")));
        }
        let has_index = matches!(&meaning, Meaning::Indexed(table) if table.transparent.is_some());
        let is_plain = meaning == Meaning::Plain && color != ColorModel::Cmyk;
        let is_flattened = !header.is_merged && header.layer_layout().is_some() && layer_count != 0;
        let has_alpha = is_transparent && channels > colours && is_plain || has_index;
        let layout = match (color, has_alpha) {
            (ColorModel::Gray, false) => Layout::Gray,
            (ColorModel::Gray, true) => Layout::GrayAlpha,
            (ColorModel::Cmyk, _) => Layout::Cmyk,
            (_, false) => Layout::Rgb,
            (_, true) => Layout::Rgba,
        };
        let is_on_white = header.is_by_photoshop && !has_index;
        let mut notes = Vec::new();
        notes.extend((color == ColorModel::Lab).then_some(Note::LabConverted));
        notes.extend((depth == 32).then_some(Note::LightCut));
        notes.extend(header.is_multichannel.then_some(Note::MultichannelTaken));
        notes.extend(match (header.is_merged, is_flattened) {
            (true, _) => None,
            (false, true) => Some(Note::LayersFlattened),
            (false, false) => Some(Note::NotMerged),
        });
        let picture = Picture { has_alpha: has_alpha || is_flattened, notes, ..header.picture() };
        Ok(Self { file, picture, layout, meaning, channels, depth, is_on_white, is_flattened })
    }
}

/// What image resources say of the picture.
#[derive(Default)]
struct Resources {
    profile: Option<Profile>,
    resolution: Option<Resolution>,
    is_by_photoshop: bool,
    is_merged: Option<bool>,
    /// The index of a colour that lets everything through.
    transparent: Option<u8>,
}

/// A file, whose numbers are big-endian.
pub(super) struct Input<'a> {
    file: FileInput<'a>,
    share: Share,
    /// Where it is read, which the system need not be asked for each of many small blocks.
    at: u64,
}

impl<'a> Input<'a> {
    /// A file that is read from its start.
    pub fn new(file: FileInput<'a>, share: Share) -> Self {
        Self { file, share, at: 0 }
    }

    fn into_file(self) -> Reader {
        self.file.into_inner().into_inner()
    }

    pub fn bytes<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.file.read_exact(&mut bytes)?;
        self.at += N as u64;
        Ok(bytes)
    }

    /// The next bytes, or as many of them as there are.
    pub fn up_to(&mut self, most: u64) -> io::Result<Vec<u8>> {
        let bytes = self.share.read(&mut self.file, most)?;
        self.at += bytes.len() as u64;
        Ok(bytes)
    }

    pub fn exactly(&mut self, count: u64) -> io::Result<Vec<u8>> {
        let bytes = self.up_to(count)?;
        if bytes.len() as u64 == count { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    pub fn read_u16(&mut self) -> io::Result<u16> {
        self.bytes().map(u16::from_be_bytes)
    }

    pub fn read_u32(&mut self) -> io::Result<u32> {
        self.bytes().map(u32::from_be_bytes)
    }

    /// A length, which large documents have twice as long.
    pub fn length(&mut self, is_large: bool) -> io::Result<u64> {
        if is_large { self.bytes().map(u64::from_be_bytes) } else { self.read_u32().map(u64::from) }
    }

    pub fn position(&self) -> u64 {
        self.at
    }

    pub fn skip(&mut self, bytes: u64) -> io::Result<()> {
        let at = self.at.checked_add(bytes).ok_or(io::ErrorKind::UnexpectedEof)?;
        self.skip_to(at)
    }

    /// What has been read ahead is kept for where it is gone to, if that is near.
    pub fn skip_to(&mut self, at: u64) -> io::Result<()> {
        match i64::try_from(i128::from(at) - i128::from(self.at)) {
            Ok(distance) => self.file.seek_relative(distance)?,
            Err(_) => self.file.seek(SeekFrom::Start(at)).map(|_| ())?,
        }
        self.at = at;
        Ok(())
    }

    fn resources(&mut self, length: u64) -> io::Result<Resources> {
        const RESOLUTION: u16 = 1005;
        const PROFILE: u16 = 1039;
        const VERSION_OF_PHOTOSHOP: u16 = 1057;
        const TRANSPARENT_INDEX: u16 = 1047;
        let end = self.position() + length;
        let mut found = Resources::default();
        let mut seen = 0;
        while self.position() + 12 <= end {
            if self.bytes()? != *b"8BIM" {
                break;
            }
            seen += 1;
            if seen > MOST_RESOURCES {
                return Err(too_many(format!("it has more than {MOST_RESOURCES} image resources")));
            }
            let id = self.read_u16()?;
            let [name] = self.bytes()?;
            // Names and data are padded to even lengths, the length of the name counted in.
            self.skip(u64::from(name) + u64::from(name % 2 == 0))?;
            let size = u64::from(self.read_u32()?);
            let next = self.position() + size + size % 2;
            if size <= LARGEST_RESOURCE && next <= end + 1 {
                match id {
                    PROFILE => found.profile = Some(Profile::new(self.up_to(size)?)),
                    RESOLUTION if size >= 16 => {
                        let fields: [u8; 16] = self.bytes()?;
                        let fixed = |at: usize| {
                            f64::from(u32::from_be_bytes([fields[at], fields[at + 1], fields[at + 2], fields[at + 3]]))
                                / 65536.0
                        };
                        found.resolution = Resolution::new(fixed(0), fixed(8));
                    }
                    VERSION_OF_PHOTOSHOP => {
                        found.is_by_photoshop = true;
                        if size >= 5 {
                            let [_, _, _, _, has_merged] = self.bytes()?;
                            found.is_merged = Some(has_merged != 0);
                        }
                    }
                    TRANSPARENT_INDEX if size >= 2 => found.transparent = self.read_u16()?.try_into().ok(),
                    _ => {}
                }
            }
            self.skip_to(next)?;
        }
        self.skip_to(end)?;
        Ok(found)
    }

    /// The number of layers. It is negative if the first channel behind the colours says what of the merged picture is
    /// transparent, and is not some selection.
    fn layer_count(&mut self, length: u64, is_large: bool) -> io::Result<i16> {
        let end = self.position().checked_add(length).ok_or(io::ErrorKind::UnexpectedEof)?;
        // Damaged layers are no fault of the merged picture.
        let count = match self.layer_info_in(length, is_large) {
            Ok(Some(_)) => i16::from_be_bytes(self.bytes()?),
            _ => 0,
        };
        self.skip_to(end)?;
        Ok(count)
    }

    /// Where the packed rows of the channels that are used lie, from the table of all their lengths.
    fn packed_rows(
        &mut self,
        all: usize,
        used: usize,
        longest: usize,
        format: Format,
        rows: &mut Vec<(u64, usize)>,
    ) -> Result<(), MediaError> {
        let is_large = format == Format::Psb;
        let entry = if is_large { 4 } else { 2 };
        let mut at = self.position() + all as u64 * entry;
        for _ in 0..used {
            let length = if is_large { self.read_u32() } else { self.read_u16().map(u32::from) };
            let length = length.map_err(reading(format))? as usize;
            if length > longest {
                return Err(MediaError::corrupt(format, "a row is longer than it can be"));
            }
            rows.push((at, length));
            at += length as u64;
        }
        Ok(())
    }
}

/// The channels, one after the other in the file, from which pixels are put together.
struct Planes {
    file: Reader,
    share: Share,
    /// For `rows`.
    _held: Held,
    format: Format,
    width: u32,
    height: u32,
    layout: Layout,
    meaning: Meaning,
    depth: u8,
    is_packed: bool,
    is_on_white: bool,
    /// Where each row of each channel lies: all rows of the first channel first.
    rows: Vec<(u64, usize)>,
    next: u32,
}

impl Pieces for Planes {
    fn width(&self) -> u32 {
        self.width
    }

    fn height(&self) -> u32 {
        self.height
    }

    fn layout(&self) -> Layout {
        self.layout
    }

    fn append(&mut self, wanted: u32, pixels: &mut Vec<u8>) -> Result<(), MediaError> {
        let samples = self.layout.samples();
        let end = self.next.saturating_add(wanted).min(self.height);
        let stride = u64::from(self.width) * samples as u64;
        self.share.grow(pixels, stride * u64::from(end - self.next))?;
        for y in self.next..end {
            let start = pixels.len();
            self.share.lengthen(pixels, stride)?;
            let channels = 0..self.meaning.stored(self.layout);
            let is_alpha = |channel: usize| self.layout.has_alpha() && channel + 1 == samples;
            let row = |channel| self.row(channel * self.height as usize + y as usize, is_alpha(channel));
            let channels = channels.map(row).collect::<Result<Vec<_>, _>>()?;
            self.meaning.write(&channels, self.layout, &mut pixels[start..]);
            finish(&mut pixels[start..], self.layout, self.is_on_white);
        }
        self.next = end;
        Ok(())
    }
}

impl Planes {
    fn row(&self, index: usize, is_alpha: bool) -> Result<Vec<u8>, MediaError> {
        let (at, length) = self.rows[index];
        let mut stored = self.share.bytes(length as u64)?;
        self.file.read_exact_at(&mut stored, at).map_err(reading(self.format))?;
        let length = (self.width as usize * usize::from(self.depth)).div_ceil(8);
        let row = if self.is_packed { unpack(&stored, length, self.format, &self.share)? } else { stored };
        let light = |bytes: &[u8; 4]| f32::from_be_bytes(*bytes);
        let byte = |part: f32| (part.clamp(0.0, 1.0) * 255.0).round() as u8;
        Ok(match self.depth {
            // Bits that are set are black.
            1 => {
                (0..self.width as usize).map(|x| if row[x / 8] << (x % 8) & 0x80 == 0 { u8::MAX } else { 0 }).collect()
            }
            16 => narrowed_row(&row).collect(),
            32 if is_alpha => row.as_chunks().0.iter().map(light).map(byte).collect(),
            32 => row.as_chunks().0.iter().map(light).map(encoded).map(byte).collect(),
            _ => row,
        })
    }
}

/// PackBits: runs of one byte, and bytes as they are.
pub(super) fn unpack(mut packed: &[u8], length: usize, format: Format, share: &Share) -> Result<Vec<u8>, MediaError> {
    let wrong = || MediaError::corrupt(format, "a run-length coded row is wrong");
    const LONGEST_RUN: u64 = 129;
    let mut row = share.vec(length as u64 + LONGEST_RUN)?;
    while row.len() < length {
        let (code, rest) = packed.split_first().ok_or_else(wrong)?;
        match code.cast_signed() {
            count @ 0.. => {
                let (bytes, rest) = rest.split_at_checked(count as usize + 1).ok_or_else(wrong)?;
                row.extend_from_slice(bytes);
                packed = rest;
            }
            -128 => packed = rest,
            count => {
                let (byte, rest) = rest.split_first().ok_or_else(wrong)?;
                row.extend(std::iter::repeat_n(*byte, 1 + usize::from(count.unsigned_abs())));
                packed = rest;
            }
        }
    }
    if row.len() == length { Ok(row) } else { Err(wrong()) }
}

/// Brings stored pixels to what the rest of the program means by them.
fn finish(row: &mut [u8], layout: Layout, is_on_white: bool) {
    match layout {
        // Stored is what is left of white.
        Layout::Cmyk | Layout::CmykAlpha => row.iter_mut().for_each(|ink| *ink = u8::MAX - *ink),
        Layout::GrayAlpha | Layout::Rgba if is_on_white => row.chunks_exact_mut(layout.samples()).for_each(off_white),
        Layout::Gray | Layout::GrayAlpha | Layout::Rgb | Layout::Rgba => {}
    }
}

fn off_white(pixel: &mut [u8]) {
    let Some((alpha, colours)) = pixel.split_last_mut() else { return };
    let alpha = u32::from(*alpha);
    if alpha == 0 || alpha == 255 {
        return;
    }
    for colour in colours {
        let ink = ((255 - u32::from(*colour)) * 255 + alpha / 2) / alpha;
        *colour = 255_u32.saturating_sub(ink) as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_is_taken_off_to_the_nearest() {
        for alpha in 1..=254_u8 {
            for stored in 0..=255_u8 {
                let mut pixel = [stored, alpha];
                off_white(&mut pixel);
                let exact = 255.0 - (255.0 - f64::from(stored)) * 255.0 / f64::from(alpha);
                let error = (f64::from(pixel[0]) - exact.max(0.0)).abs();
                assert!(error <= 0.5, "{stored} with alpha {alpha} became {}, not {exact}", pixel[0]);
            }
        }
    }
}
