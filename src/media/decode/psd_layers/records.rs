//! The records of layers: names, frames, groups, and where the channels lie in the file.

use std::io;
use std::sync::Arc;

use super::super::super::error::MediaError;
use super::super::Source;
use super::super::psd::{Header, Input, reading, too_many};
use super::{Blend, Channel, Frame, GroupMask, Layer, MASK, Mask, PAINTED_MASK, Record, both, unread};

/// Photoshop itself makes no more.
const MOST_LAYERS: u32 = 8000;
/// As many groups in each other as Photoshop makes.
const DEEPEST: usize = 10;
/// Each of them has at most two.
const MOST_GROUP_MASKS: usize = 2 * DEEPEST;
/// More than Photoshop's 56 and three of masks.
const MOST_CHANNELS: u16 = 64;
/// Most blocks of a record, and beside the layers. Photoshop has some sixty kinds of them.
const MOST_BLOCKS: usize = 1000;
/// Bytes of the texts of all layers, as they are kept.
const MOST_TEXT: usize = 16 << 20;
/// Longest name that is taken, in characters; and longest text.
const LONGEST_NAME: usize = 255;
const LONGEST_TEXT: usize = 1 << 16;
/// The lengths of masks and blending ranges, and a name without signs.
const LEAST_EXTRA: u32 = 12;
/// What is looked at of the description of a text, in bytes.
const LONGEST_TYPE_BLOCK: u64 = 4 << 20;

/// What stands in a record for a layer or for the edge of a group.
enum Entry {
    Layer(Record, Switches),
    /// The lower edge of a group.
    GroupEnd,
    /// The upper edge, with what the group is.
    Group(Group, Switches),
}

struct Group {
    name: String,
    channels: Vec<Channel>,
    masks: Vec<Mask>,
}

impl Entry {
    fn channels(&mut self) -> &mut [Channel] {
        match self {
            Self::Layer(record, _) => &mut record.channels,
            Self::Group(group, _) => &mut group.channels,
            Self::GroupEnd => &mut [],
        }
    }
}

#[derive(Clone, Copy)]
struct Switches {
    is_hidden: bool,
    opacity: u8,
}

pub(super) fn read(source: Source<'_>) -> Result<(Header, Vec<Record>), MediaError> {
    let format = source.format;
    let (mut file, header) = Header::read(source)?;
    if header.layer_layout().is_none() {
        return Err(unread(&header));
    }
    let entries = match file.layer_info(&header).map_err(reading(format))? {
        Some(end) => entries(&mut file, &header, end)?,
        None => Vec::new(),
    };
    let (records, is_balanced) = arranged(entries);
    // What follows its number in the record of a group's edge was filled up with zeros, so that it reads as a layer.
    if let Some((last, others)) = records.split_last().filter(|(_, others)| !is_balanced && !others.is_empty())
        && last.layer.id.is_none()
        && others.iter().all(|record| record.layer.id.is_some())
    {
        return Err(MediaError::truncated(format, "a group of layers has no end"));
    }
    Ok((header, records))
}

impl Input<'_> {
    /// Goes to where the records of layers begin and says where all about them ends, if there are any. Documents of more than 8 bits
    /// keep them in a block of their own.
    fn layer_info(&mut self, header: &Header) -> io::Result<Option<u64>> {
        let section = self.length(header.is_large())?;
        self.layer_info_in(section, header.is_large())
    }

    /// The same for a section whose length has been read.
    pub(in super::super) fn layer_info_in(&mut self, section: u64, is_large: bool) -> io::Result<Option<u64>> {
        let end = self.position().checked_add(section).ok_or(io::ErrorKind::UnexpectedEof)?;
        if section < 4 {
            return Ok(None);
        }
        let bytes = self.length(is_large)?;
        if bytes > 0 {
            return Ok(Some(self.position().saturating_add(bytes).min(end)));
        }
        let global_mask = self.read_u32()?;
        self.skip(global_mask.into())?;
        let mut seen = 0;
        while self.position() + 12 <= end {
            let (key, bytes) = self.block(is_large)?;
            let start = self.position();
            seen += 1;
            if seen > MOST_BLOCKS {
                return Err(too_many(format!("it has more than {MOST_BLOCKS} blocks beside its layers")));
            }
            if matches!(&key, b"Lr16" | b"Layr") {
                return Ok(Some(start.saturating_add(bytes).min(end)));
            }
            self.skip(bytes.saturating_add((4 - bytes % 4) % 4))?;
        }
        Ok(None)
    }

    /// The key and the length of a tagged block.
    fn block(&mut self, is_large: bool) -> io::Result<([u8; 4], u64)> {
        match &self.bytes()? {
            b"8BIM" | b"8B64" => {}
            // What a file that was cut has been filled up with.
            [0, 0, 0, 0] => return Err(io::ErrorKind::UnexpectedEof.into()),
            _ => return Err(damaged("a block does not begin where it should")),
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
        let bytes = self.exactly(units as u64 * 2)?;
        let units = bytes.as_chunks::<2>().0.iter().map(|pair| u16::from_be_bytes(*pair));
        let signs = char::decode_utf16(units).map(|sign| sign.unwrap_or(char::REPLACEMENT_CHARACTER));
        Ok(signs.filter(|sign| *sign != '\0').collect())
    }
}

fn entries(file: &mut Input<'_>, header: &Header, end: u64) -> Result<Vec<Entry>, MediaError> {
    let format = header.format;
    let count = u32::from(file.read_u16().map_err(reading(format))?.cast_signed().unsigned_abs());
    if count > MOST_LAYERS {
        return Err(MediaError::unsupported(format, format!("a {format} file of {count} layers")));
    }
    let mut entries = Vec::new();
    let mut texts = 0;
    for _ in 0..count {
        let (entry, lengths) = file.record(header, end).map_err(reading(format))?;
        if let Entry::Layer(record, _) = &entry {
            texts += record.layer.text.as_ref().map_or(0, String::len);
        }
        if texts > MOST_TEXT {
            return Err(MediaError::corrupt(format, format!("its layers hold more than {MOST_TEXT} bytes of text")));
        }
        entries.push((entry, lengths));
    }
    let mut at = file.position();
    for (entry, lengths) in &mut entries {
        for (position, bytes) in lengths.iter().enumerate() {
            if let Some(channel) = entry.channels().get_mut(position) {
                channel.at = at;
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
    fill: Option<u8>,
}

impl Input<'_> {
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
        let signature: [u8; 4] = self.bytes()?;
        let [b0, b1, b2, b3, opacity, clipping, flags, _] = self.bytes()?;
        let extra_bytes = self.read_u32()?;
        // What is filled with zeros from somewhere on would else be read as layers that nobody made.
        if &signature != b"8BIM" || extra_bytes < LEAST_EXTRA {
            return Err(damaged("the record of a layer is not one"));
        }
        let next = self.position().saturating_add(extra_bytes.into());
        if next > end {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let masks = self.masks(&channels)?;
        let blending = self.read_u32()?;
        self.skip(blending.into())?;
        let [name_bytes] = self.bytes()?;
        let name = self.exactly(name_bytes.into())?;
        // The length of the name counted in, it is padded to a multiple of four.
        self.skip((4 - (u64::from(name_bytes) + 1) % 4) % 4)?;
        let extra = self.extra(next, is_large)?;
        self.skip_to(next)?;
        let switches = Switches { is_hidden: flags & 2 != 0, opacity };
        let name = extra.name.unwrap_or_else(|| String::from_utf8_lossy(&name).into_owned());
        let lengths = channels.iter().map(|channel| channel.bytes).collect();
        let entry = match extra.section {
            3 => Entry::GroupEnd,
            1 | 2 => Entry::Group(Group { name, channels, masks }, switches),
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
                let fill = extra.fill.unwrap_or(u8::MAX);
                Entry::Layer(Record { layer, fill, channels, masks, group_masks: Vec::new() }, switches)
            }
        };
        Ok((entry, lengths))
    }

    /// The masks that are switched on.
    fn masks(&mut self, channels: &[Channel]) -> io::Result<Vec<Mask>> {
        const DISABLED: u8 = 2;
        let bytes = u64::from(self.read_u32()?);
        let next = self.position().saturating_add(bytes);
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
        let mut seen = 0;
        while self.position() + 12 <= end {
            let (key, bytes) = match self.block(is_large) {
                Ok(block) => block,
                // The number is missing by which it is known what the layer is.
                Err(cut) if cut.kind() == io::ErrorKind::UnexpectedEof && extra.id.is_none() => return Err(cut),
                Err(_) => break,
            };
            let next = self.position().saturating_add(bytes);
            if next > end {
                break;
            }
            seen += 1;
            if seen > MOST_BLOCKS {
                return Err(too_many(format!("a layer has more than {MOST_BLOCKS} blocks")));
            }
            match &key {
                b"luni" if bytes >= 4 => {
                    let units = (self.read_u32()? as usize).min(bytes as usize / 2 - 2).min(LONGEST_NAME);
                    extra.name = Some(self.utf16(units)?);
                }
                b"lyid" if bytes >= 4 => extra.id = Some(self.read_u32()?).filter(|id| *id > 0),
                b"lsct" | b"lsdk" if bytes >= 4 => extra.section = self.read_u32()?,
                b"iOpa" if bytes >= 1 => {
                    let [fill] = self.bytes()?;
                    extra.fill = Some(fill);
                }
                b"TySh" => {
                    let block = self.up_to(bytes.min(LONGEST_TYPE_BLOCK))?;
                    extra.text = text(&block);
                }
                _ => {}
            }
            self.skip_to(next)?;
        }
        Ok(extra)
    }
}

fn damaged(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
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

/// Puts layers into their groups, and numbers them. Says whether each group has both edges.
fn arranged(entries: Vec<Entry>) -> (Vec<Record>, bool) {
    // A group is known from its upper edge, which comes last.
    let mut open: Vec<usize> = Vec::new();
    let mut records: Vec<Record> = Vec::new();
    for entry in entries {
        match entry {
            Entry::GroupEnd => open.push(records.len()),
            Entry::Group(Group { name, channels, masks }, switches) => {
                let Some(first) = open.pop() else { continue };
                let channel = |mask: &Mask| channels.iter().find(|channel| channel.id == mask.channel).copied();
                let masks =
                    masks.into_iter().filter_map(|mask| Some(Arc::new(GroupMask { channel: channel(&mask)?, mask })));
                let masks: Vec<Arc<GroupMask>> = masks.collect();
                for Record { layer, group_masks, .. } in &mut records[first..] {
                    let room = MOST_GROUP_MASKS.saturating_sub(group_masks.len());
                    group_masks.extend(masks.iter().take(room).cloned());
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
    (records, open.is_empty())
}
