//! The layers of Photoshop files: what their records say, and their pixels, row by row.
//!
//! Read are layers of gray, RGB and CMYK documents of 8 and 16 bits, of documents (PSD) and large documents (PSB), with channels that
//! are uncompressed, run-length coded, or ZIP-compressed with and without prediction. Transparency and the pixels of masks become
//! alpha. What only Photoshop draws is left out: effects, blend modes and adjustments, and the feathers of masks.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

use flate2::read::ZlibDecoder;

use super::super::error::MediaError;
use super::super::format::Format;
use super::super::limits::Limits;
use super::super::picture::{ColorModel, Picture};
use super::super::raster::Layout;
use super::super::rows::AnyRows;
use super::gather::{Gathered, Pieces};
use super::psd::{Header, Input, reading, unpack};
use super::{Source, guarded};

/// Photoshop itself makes no more.
const MOST_LAYERS: u32 = 8000;
/// As many groups in each other as Photoshop makes.
const DEEPEST: usize = 10;
/// More than Photoshop's 56 and three of masks.
const MOST_CHANNELS: u16 = 64;
/// Longest name that is taken, in characters; and longest text.
const LONGEST_NAME: usize = 255;
const LONGEST_TEXT: usize = 1 << 16;

/// A rectangle on the canvas, in its pixels. It may reach beyond the canvas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Frame {
    pub left: i32,
    pub top: i32,
    pub width: u32,
    pub height: u32,
}

impl Frame {
    /// None where a side has no length.
    fn of(top: i32, left: i32, bottom: i32, right: i32) -> Option<Self> {
        let length = |from: i32, to: i32| u32::try_from(i64::from(to) - i64::from(from)).ok().filter(|side| *side > 0);
        Some(Self { left, top, width: length(left, right)?, height: length(top, bottom)? })
    }

    fn bottom(self) -> i64 {
        i64::from(self.top) + i64::from(self.height)
    }
}

/// A layer as its record describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// From 1 at the bottom; groups are not counted.
    pub number: u32,
    /// What Photoshop knows it by as long as the document lives, if the file says so.
    pub id: Option<u32>,
    pub name: String,
    /// None of layers without pixels: adjustments, and layers on which nothing has been painted.
    pub frame: Option<Frame>,
    /// 0 to 255; those of the groups that it is in are multiplied with its own.
    pub opacity: u8,
    pub blend: Blend,
    /// By itself, or because a group is that it is in.
    pub is_hidden: bool,
    /// Seen only where the layer below it is.
    pub is_clipped: bool,
    /// Names of the groups that it is in, the outermost first.
    pub groups: Vec<String>,
    /// Of a text layer.
    pub text: Option<String>,
}

/// How a layer is laid on those below it: Photoshop's four letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blend(pub [u8; 4]);

impl Blend {
    /// As the image-serving protocol calls it; `normal` for modes that it does not know.
    pub fn name(self) -> &'static str {
        match &self.0 {
            b"diss" => "dissolve",
            b"dark" => "darken",
            b"mul " => "multiply",
            b"idiv" => "colorBurn",
            b"lbrn" => "linearBurn",
            b"lite" => "lighten",
            b"scrn" => "screen",
            b"div " => "colorDodge",
            b"lddg" => "linearDodge",
            b"over" => "overlay",
            b"sLit" => "softLight",
            b"hLit" => "hardLight",
            b"vLit" => "vividLight",
            b"lLit" => "linearLight",
            b"pLit" => "pinLight",
            b"hMix" => "hardMix",
            b"diff" => "difference",
            b"smud" => "exclusion",
            _ => "normal",
        }
    }
}

/// The layers of a file, from the bottom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layers {
    /// Of the canvas.
    pub width: u32,
    pub height: u32,
    pub layers: Vec<Layer>,
}

/// A layer to be made a picture of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerChoice {
    /// As [`Layer::number`].
    pub number: u32,
    /// As large as the canvas, at its place on it, instead of as large as itself.
    pub extended: bool,
}

/// Reads the records of all layers.
pub fn layers(path: &Path, limits: &Limits) -> Result<Layers, MediaError> {
    let (source, format) = Source::open(path, limits)?;
    guarded(format, || {
        let (header, records) = read(source, format)?;
        let layers = records.into_iter().map(|record| record.layer).collect();
        Ok(Layers { width: header.width, height: header.height, layers })
    })
}

/// A layer's picture. CMYK has no room for alpha: it comes by itself.
pub(crate) struct LayerPixels {
    pub picture: Picture,
    pub rows: AnyRows<'static>,
    pub alpha: Option<AnyRows<'static>>,
}

pub(crate) fn decode_layer(path: &Path, choice: LayerChoice, limits: &Limits) -> Result<LayerPixels, MediaError> {
    let (source, format) = Source::open(path, limits)?;
    guarded(format, || {
        let (header, record) = chosen(source, format, choice)?;
        let area = area(&header, &record, choice, limits)?;
        let has_alpha = has_alpha(&record, area);
        let layout = match (header.color, has_alpha) {
            (ColorModel::Gray, false) => Layout::Gray,
            (ColorModel::Gray, true) => Layout::GrayAlpha,
            (ColorModel::Cmyk, _) => Layout::Cmyk,
            (_, false) => Layout::Rgb,
            (_, true) => Layout::Rgba,
        };
        let rows = |layout, wanted| -> Result<AnyRows<'static>, MediaError> {
            Ok(Box::new(Gathered::new(LayerRows::open(path, &header, &record, area, layout, wanted)?)))
        };
        let alpha = if has_alpha && layout == Layout::Cmyk { Some(rows(Layout::Gray, Wanted::Alpha)?) } else { None };
        let rows = rows(layout, if layout.has_alpha() { Wanted::Both } else { Wanted::Colors })?;
        let picture = Picture { width: area.width, height: area.height, has_alpha, ..header.picture() };
        Ok(LayerPixels { picture, rows, alpha })
    })
}

/// The alpha of a layer alone; none where there is nothing that could let something through.
pub(crate) fn layer_alpha(
    path: &Path,
    choice: LayerChoice,
    limits: &Limits,
) -> Result<Option<AnyRows<'static>>, MediaError> {
    let (source, format) = Source::open(path, limits)?;
    guarded(format, || {
        let (header, record) = chosen(source, format, choice)?;
        let area = area(&header, &record, choice, limits)?;
        if !has_alpha(&record, area) {
            return Ok(None);
        }
        let rows = LayerRows::open(path, &header, &record, area, Layout::Gray, Wanted::Alpha)?;
        Ok(Some(Box::new(Gathered::new(rows)) as AnyRows<'static>))
    })
}

fn chosen(source: Source<'_>, format: Format, choice: LayerChoice) -> Result<(Header, Record), MediaError> {
    let (header, records) = read(source, format)?;
    let record = records.into_iter().find(|record| record.layer.number == choice.number);
    let gone = || MediaError::corrupt(format, format!("it has no layer {}", choice.number));
    Ok((header, record.ok_or_else(gone)?))
}

/// What the picture shows, on the canvas.
fn area(header: &Header, record: &Record, choice: LayerChoice, limits: &Limits) -> Result<Frame, MediaError> {
    let own = record.layer.frame.ok_or_else(|| MediaError::corrupt(header.format, "the layer has no pixels"))?;
    limits.check_size(own.width.into(), own.height.into())?;
    let canvas = Frame { left: 0, top: 0, width: header.width, height: header.height };
    Ok(if choice.extended { canvas } else { own })
}

fn has_alpha(record: &Record, area: Frame) -> bool {
    Some(area) != record.layer.frame || record.channel(TRANSPARENCY).is_some() || !record.masks.is_empty()
}

const TRANSPARENCY: i16 = -1;
const MASK: i16 = -2;
/// What was painted, where [`MASK`] is what a path cuts out.
const PAINTED_MASK: i16 = -3;

struct Record {
    layer: Layer,
    channels: Vec<Channel>,
    masks: Vec<Mask>,
}

impl Record {
    fn channel(&self, id: i16) -> Option<&Channel> {
        self.channels.iter().find(|channel| channel.id == id)
    }
}

/// Where the samples of a channel lie in the file, the two bytes before them counted in that say how they are compressed.
struct Channel {
    id: i16,
    at: u64,
    bytes: u64,
}

struct Mask {
    channel: i16,
    /// None where it is the same everywhere.
    frame: Option<Frame>,
    /// What it is outside of its frame.
    outside: u8,
}

/// What stands in a record for a layer or for the edge of a group.
enum Entry {
    Layer(Record, Switches),
    /// The lower edge of a group.
    GroupEnd,
    /// The upper edge, with the name of the group.
    Group(String, Switches),
}

#[derive(Clone, Copy)]
struct Switches {
    is_hidden: bool,
    opacity: u8,
}

fn read(source: Source<'_>, format: Format) -> Result<(Header, Vec<Record>), MediaError> {
    let (mut file, header) = Header::read(source.file, format, source.limits)?;
    let entries = match file.layer_info(&header).map_err(reading(format))? {
        Some(end) => entries(&mut file, &header, end)?,
        None => Vec::new(),
    };
    Ok((header, arranged(entries)))
}

impl Input {
    /// Goes to where the records of layers begin and says where all about them ends, if there are any. Documents of more than 8 bits
    /// keep them in a block of their own.
    fn layer_info(&mut self, header: &Header) -> io::Result<Option<u64>> {
        let is_large = header.is_large();
        let section = self.length(is_large)?;
        let end = self.position()?.checked_add(section).ok_or(io::ErrorKind::UnexpectedEof)?;
        if section < 4 {
            return Ok(None);
        }
        let bytes = self.length(is_large)?;
        if bytes > 0 {
            return Ok(Some(self.position()?.saturating_add(bytes).min(end)));
        }
        let global_mask = self.read_u32()?;
        self.skip(global_mask.into())?;
        while self.position()? + 12 <= end {
            let (key, bytes) = self.block(is_large)?;
            let start = self.position()?;
            if matches!(&key, b"Lr16" | b"Layr") {
                return Ok(Some(start.saturating_add(bytes).min(end)));
            }
            self.skip(bytes.saturating_add((4 - bytes % 4) % 4))?;
        }
        Ok(None)
    }

    /// The key and the length of a tagged block.
    fn block(&mut self, is_large: bool) -> io::Result<([u8; 4], u64)> {
        let signature: [u8; 4] = self.bytes()?;
        if &signature != b"8BIM" && &signature != b"8B64" {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a block does not begin where it should"));
        }
        let key: [u8; 4] = self.bytes()?;
        // These keys have long lengths in large documents.
        const LONG: [&[u8; 4]; 13] = [
            b"LMsk", b"Lr16", b"Lr32", b"Layr", b"Mt16", b"Mt32", b"Mtrn", b"Alph", b"FMsk", b"lnk2", b"FEid", b"FXid",
            b"PxSD",
        ];
        let is_long = is_large && LONG.contains(&&key);
        Ok((key, self.length(is_long)?))
    }

    fn read_i32(&mut self) -> io::Result<i32> {
        self.read_u32().map(u32::cast_signed)
    }

    fn frame(&mut self) -> io::Result<Option<Frame>> {
        let (top, left, bottom, right) = (self.read_i32()?, self.read_i32()?, self.read_i32()?, self.read_i32()?);
        Ok(Frame::of(top, left, bottom, right))
    }

    fn utf16(&mut self, units: usize) -> io::Result<String> {
        let mut bytes = vec![0; units * 2];
        self.0.read_exact(&mut bytes)?;
        let units = bytes.as_chunks::<2>().0.iter().map(|pair| u16::from_be_bytes(*pair));
        let signs = char::decode_utf16(units).map(|sign| sign.unwrap_or(char::REPLACEMENT_CHARACTER));
        Ok(signs.filter(|sign| *sign != '\0').collect())
    }
}

fn entries(file: &mut Input, header: &Header, end: u64) -> Result<Vec<Entry>, MediaError> {
    let format = header.format;
    let count = u32::from(file.read_u16().map_err(reading(format))?.cast_signed().unsigned_abs());
    if count > MOST_LAYERS {
        return Err(MediaError::unsupported(format, format!("a {format} file of {count} layers")));
    }
    let mut entries = Vec::new();
    for _ in 0..count {
        entries.push(file.record(header, end).map_err(reading(format))?);
    }
    let mut at = file.position().map_err(reading(format))?;
    for (entry, lengths) in &mut entries {
        for (position, bytes) in lengths.iter().enumerate() {
            if let Entry::Layer(record, _) = entry {
                record.channels[position].at = at;
            }
            at = at.saturating_add(*bytes);
        }
    }
    if at > end {
        return Err(MediaError::truncated(format, "the pixels of its layers are missing"));
    }
    Ok(entries.into_iter().map(|(entry, _)| entry).collect())
}

/// What the blocks of a record say.
#[derive(Default)]
struct Extra {
    name: Option<String>,
    id: Option<u32>,
    section: u32,
    text: Option<String>,
}

impl Input {
    /// A record, and how many bytes each of its channels has.
    fn record(&mut self, header: &Header, end: u64) -> io::Result<(Entry, Vec<u64>)> {
        let is_large = header.is_large();
        let frame = self.frame()?;
        let count = self.read_u16()?;
        if count > MOST_CHANNELS {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a layer has {count} channels")));
        }
        let mut channels = Vec::new();
        for _ in 0..count {
            let id = self.read_u16()?.cast_signed();
            channels.push(Channel { id, at: 0, bytes: self.length(is_large)? });
        }
        let [_, _, _, _, b0, b1, b2, b3, opacity, clipping, flags, _] = self.bytes()?;
        let extra_bytes = self.read_u32()?;
        let next = self.position()?.saturating_add(extra_bytes.into());
        if next > end {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let masks = self.masks(&channels)?;
        let blending = self.read_u32()?;
        self.skip(blending.into())?;
        let [name_bytes] = self.bytes()?;
        let mut name = vec![0; name_bytes.into()];
        self.0.read_exact(&mut name)?;
        // The length of the name counted in, it is padded to a multiple of four.
        self.skip((4 - (u64::from(name_bytes) + 1) % 4) % 4)?;
        let extra = self.extra(next, is_large)?;
        self.skip_to(next)?;
        let switches = Switches { is_hidden: flags & 2 != 0, opacity };
        let name = extra.name.unwrap_or_else(|| String::from_utf8_lossy(&name).into_owned());
        let lengths = channels.iter().map(|channel| channel.bytes).collect();
        let entry = match extra.section {
            3 => Entry::GroupEnd,
            1 | 2 => Entry::Group(name, switches),
            _ => {
                let colors: i16 = header.color_channels().try_into().unwrap_or(i16::MAX);
                let is_complete = (0..colors).all(|id| channels.iter().any(|channel| channel.id == id));
                let layer = Layer {
                    number: 0,
                    id: extra.id,
                    name,
                    frame: frame.filter(|_| is_complete),
                    opacity,
                    blend: Blend([b0, b1, b2, b3]),
                    is_hidden: false,
                    is_clipped: clipping != 0,
                    groups: Vec::new(),
                    text: extra.text,
                };
                Entry::Layer(Record { layer, channels, masks }, switches)
            }
        };
        Ok((entry, lengths))
    }

    /// The masks that are switched on.
    fn masks(&mut self, channels: &[Channel]) -> io::Result<Vec<Mask>> {
        const DISABLED: u8 = 2;
        let bytes = u64::from(self.read_u32()?);
        let next = self.position()?.saturating_add(bytes);
        let mut masks = Vec::new();
        if bytes >= 20 {
            let frame = self.frame()?;
            let [outside, flags] = self.bytes()?;
            masks.push((Mask { channel: MASK, frame, outside }, flags));
        }
        if bytes >= 36 {
            let [flags, outside] = self.bytes()?;
            let frame = self.frame()?;
            masks.push((Mask { channel: PAINTED_MASK, frame, outside }, flags));
        }
        self.skip_to(next)?;
        let counts = |(mask, flags): &(Mask, u8)| {
            flags & DISABLED == 0 && channels.iter().any(|channel| channel.id == mask.channel)
        };
        Ok(masks.into_iter().filter(counts).map(|(mask, _)| mask).collect())
    }

    /// What tagged blocks say. One that makes no sense ends the search, not the file.
    fn extra(&mut self, end: u64, is_large: bool) -> io::Result<Extra> {
        let mut extra = Extra::default();
        while self.position()? + 12 <= end {
            let Ok((key, bytes)) = self.block(is_large) else { break };
            let next = self.position()?.saturating_add(bytes);
            if next > end {
                break;
            }
            match &key {
                b"luni" if bytes >= 4 => {
                    let units = (self.read_u32()? as usize).min(bytes as usize / 2 - 2).min(LONGEST_NAME);
                    extra.name = Some(self.utf16(units)?);
                }
                b"lyid" if bytes >= 4 => extra.id = Some(self.read_u32()?).filter(|id| *id > 0),
                b"lsct" | b"lsdk" if bytes >= 4 => extra.section = self.read_u32()?,
                b"TySh" => {
                    let mut block = Vec::new();
                    self.0.by_ref().take(bytes.min(4 << 20)).read_to_end(&mut block)?;
                    extra.text = text(&block);
                }
                _ => {}
            }
            self.skip_to(next)?;
        }
        Ok(extra)
    }
}

/// The text in the descriptor of a text layer: the item `Txt `, which is of the type `TEXT`.
fn text(block: &[u8]) -> Option<String> {
    const ITEM: &[u8] = b"Txt TEXT";
    let at = block.windows(ITEM.len()).position(|window| window == ITEM)? + ITEM.len();
    let (units, rest) = block[at..].split_first_chunk::<4>()?;
    let units = u32::from_be_bytes(*units) as usize;
    let units = rest.as_chunks::<2>().0.iter().take(units.min(LONGEST_TEXT)).map(|pair| u16::from_be_bytes(*pair));
    let signs = char::decode_utf16(units).map(|sign| sign.unwrap_or(char::REPLACEMENT_CHARACTER));
    // Lines end in a carriage return or, within a paragraph, in a vertical tab.
    let text: String = signs.map(|sign| if matches!(sign, '\r' | '\u{3}' | '\u{b}') { '\n' } else { sign }).collect();
    let text = text.trim_end_matches('\0').trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Puts layers into their groups, and numbers them.
fn arranged(entries: Vec<Entry>) -> Vec<Record> {
    // A group is known from its upper edge, which comes last.
    let mut open: Vec<usize> = Vec::new();
    let mut records: Vec<Record> = Vec::new();
    for entry in entries {
        match entry {
            Entry::GroupEnd => open.push(records.len()),
            Entry::Group(name, switches) => {
                let Some(first) = open.pop() else { continue };
                for Record { layer, .. } in &mut records[first..] {
                    layer.is_hidden |= switches.is_hidden;
                    layer.opacity = both(layer.opacity, switches.opacity);
                    if layer.groups.len() < DEEPEST {
                        layer.groups.insert(0, name.clone());
                    }
                }
            }
            Entry::Layer(mut record, switches) => {
                record.layer.number = records.len() as u32 + 1;
                record.layer.is_hidden = switches.is_hidden;
                records.push(record);
            }
        }
    }
    records
}

fn both(one: u8, other: u8) -> u8 {
    ((u32::from(one) * u32::from(other) + 127) / 255) as u8
}

/// What of a layer is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Colors,
    Alpha,
    Both,
}

/// A layer, or what of it lies in an area, as pixels.
struct LayerRows {
    area: Frame,
    own: Frame,
    layout: Layout,
    colors: Vec<Plane>,
    /// How far the layer covers what is below it: all of its frame, if nothing says otherwise.
    coverage: Option<Plane>,
    masks: Vec<(Option<Plane>, u8)>,
    wanted: Wanted,
    next: u32,
}

impl LayerRows {
    fn open(
        path: &Path,
        header: &Header,
        record: &Record,
        area: Frame,
        layout: Layout,
        wanted: Wanted,
    ) -> Result<Self, MediaError> {
        let format = header.format;
        let own = record.layer.frame.ok_or_else(|| MediaError::corrupt(format, "the layer has no pixels"))?;
        let plane = |id: i16, frame: Frame| -> Result<Option<Plane>, MediaError> {
            record.channel(id).map(|channel| Plane::open(path, header, channel, frame)).transpose()
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
        Ok(Self { area, own, layout, colors, coverage, masks, wanted, next: 0 })
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
        let mut alpha = vec![0; self.area.width as usize];
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

impl Pieces for LayerRows {
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
        let stride = self.area.width as usize * self.layout.samples();
        let end = self.next.saturating_add(wanted).min(self.area.height);
        for row in self.next..end {
            let start = pixels.len();
            pixels.resize(start + stride, 0);
            self.write(i64::from(self.area.top) + i64::from(row), &mut pixels[start..])?;
        }
        self.next = end;
        Ok(())
    }
}

/// The samples of one channel, from the top of its frame.
struct Plane {
    frame: Frame,
    format: Format,
    bytes_a_sample: usize,
    samples: Samples,
    /// The row that comes next, from the top of the frame.
    next: u32,
    /// The last that came, a byte a sample.
    row: Vec<u8>,
}

enum Samples {
    Raw(Part),
    /// With the length of each row.
    Packed(Part, std::vec::IntoIter<u32>),
    Zip(Box<ZlibDecoder<Part>>),
    /// Each sample is the difference to the one on its left.
    Predicted(Box<ZlibDecoder<Part>>),
}

impl Plane {
    fn open(path: &Path, header: &Header, channel: &Channel, frame: Frame) -> Result<Self, MediaError> {
        let format = header.format;
        let failed = reading(format);
        let file = File::open(path).map_err(&failed)?;
        let mut part = BufReader::with_capacity(1 << 14, Section { file, at: channel.at, left: channel.bytes });
        let mut compression = [0; 2];
        part.read_exact(&mut compression).map_err(&failed)?;
        let samples = match u16::from_be_bytes(compression) {
            0 => Samples::Raw(part),
            1 => {
                let longest = frame.width as usize * header.bytes_a_sample() * 2 + 128;
                let mut lengths = Vec::new();
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
        Ok(Self { frame, format, bytes_a_sample: header.bytes_a_sample(), samples, next: 0, row: Vec::new() })
    }

    /// The row at `y` of the canvas, which comes after the one before; none outside of the frame.
    fn row(&mut self, y: i64) -> Result<Option<&[u8]>, MediaError> {
        let row = y - i64::from(self.frame.top);
        if row < 0 || row >= i64::from(self.frame.height) {
            return Ok(None);
        }
        while i64::from(self.next) <= row {
            self.advance()?;
        }
        Ok(Some(&self.row))
    }

    fn advance(&mut self) -> Result<(), MediaError> {
        let failed = reading(self.format);
        let length = self.frame.width as usize * self.bytes_a_sample;
        let mut stored = std::mem::take(&mut self.row);
        stored.resize(length, 0);
        match &mut self.samples {
            Samples::Raw(part) => part.read_exact(&mut stored).map_err(failed)?,
            Samples::Packed(part, lengths) => {
                let mut packed = vec![0; lengths.next().unwrap_or(0) as usize];
                part.read_exact(&mut packed).map_err(failed)?;
                stored = unpack(&packed, length, self.format)?;
            }
            Samples::Zip(decoder) => decoder.read_exact(&mut stored).map_err(failed)?,
            Samples::Predicted(decoder) => {
                decoder.read_exact(&mut stored).map_err(failed)?;
                undo_prediction(&mut stored, self.bytes_a_sample);
            }
        }
        if self.bytes_a_sample == 2 {
            // The first byte of a sample is the more significant one.
            stored = stored.into_iter().step_by(2).collect();
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

type Part = BufReader<Section>;

/// Some bytes of a file, read without moving its position.
struct Section {
    file: File,
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
