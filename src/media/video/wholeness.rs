//! Whether the file of a film is there as a whole, by the lengths that its container gives its own parts.
//!
//! ```text
//! ISO (MP4, MOV, fragmented too)   boxes              AVI    RIFF, several of them in OpenDML, and the chunks in them
//! Matroska, WebM                   Segment, clusters  FLV    tags
//! ASF (WMV)                        objects            Ogg    pages, and their mark of the end
//! MXF                              KLV triplets, and the footer partition
//! MPEG programme stream            packs and packets
//! MPEG transport stream            packets, by their sync bytes
//! ```
//!
//! Nothing is decoded, and of each part no more than its head is read. A film that a container ends between two parts, and that
//! says nowhere how many there are, looks whole here; so do films in containers that have no lengths of their own (MPEG elementary
//! streams, DV).

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::media::decode::Cancel;

/// What was found at the end of the walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// As far as its container tells.
    Whole,
    /// It ends before its last part does.
    Cut { bytes: u64, expected: u64 },
    /// Zeros, where a part should begin.
    Zeros { at: u64 },
    /// Something else, where a part should begin.
    Lost { at: u64 },
    /// It has more parts than are looked at.
    ManyParts { at: u64 },
    /// All of its parts are there, and none says that it is the last.
    NotEnded,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wholeness {
    pub state: State,
    /// Zeros at its end, or [`MOST_ZEROS`]; none that are padding by the name of the part that they are in.
    pub zeros: u64,
}

impl Wholeness {
    /// Whether zeros at its end are what an interrupted copy was filled up with, if its tracks have these codecs, and their last
    /// frame may have been filled up by `padding` bytes.
    pub fn is_filled_up<'a>(&self, mut codecs: impl Iterator<Item = &'a str>, padding: u64) -> bool {
        self.zeros >= FEWEST_ZEROS && self.zeros > padding && !codecs.any(may_be_zeros)
    }
}

/// Parts that are looked at: four hours of a film have about a million tags of FLV.
pub const MOST_PARTS: u32 = 4_000_000;

/// Zeros that no coded picture or sound has at its end.
const FEWEST_ZEROS: u64 = 4096;

/// Zeros that are counted.
pub const MOST_ZEROS: u64 = 16 << 20;

/// Codecs of silence and black that are zeros, and those that are filled up with zeros to a rate.
fn may_be_zeros(codec: &str) -> bool {
    const PREFIXES: [&str; 3] = ["pcm_", "adpcm_", "yuv"];
    const NAMES: [&str; 23] = [
        "rawvideo",
        "dpx",
        "pam",
        "pgm",
        "ppm",
        "sgi",
        "targa",
        "v210",
        "v210x",
        "v308",
        "v408",
        "v410",
        "r10k",
        "r210",
        "avrp",
        "huffyuv",
        "ffvhuff",
        "utvideo",
        "magicyuv",
        "dnxhd",
        "mpeg1video",
        "mpeg2video",
        "bmp",
    ];
    PREFIXES.iter().any(|prefix| codec.starts_with(prefix)) || NAMES.contains(&codec)
}

/// Walks through a file; none when it was told to stop. Blocks.
pub fn wholeness(file: &File, cancel: Cancel<'_>) -> io::Result<Option<Wholeness>> {
    let mut walk =
        Walk { file, bytes: file.metadata()?.len(), window: Vec::new(), from: 0, parts: 0, is_padding: false, cancel };
    let state = match walk.container()? {
        Some(container) => walk.through(container),
        None => Ok(State::Whole),
    };
    let state = match state {
        Ok(state) => state,
        Err(Stop::Found(state)) => state,
        Err(Stop::Told) => return Ok(None),
        Err(Stop::Io(error)) => return Err(error),
    };
    let zeros = if walk.is_padding { 0 } else { walk.zeros_at_end()? };
    Ok(Some(Wholeness { state, zeros }))
}

enum Container {
    Iso,
    Riff,
    Ebml,
    Flv,
    Asf,
    Ogg,
    Mxf,
    Programme,
    Packets { first: u64, length: u64 },
}

/// Why a walk ends before the end of the file.
enum Stop {
    Found(State),
    Told,
    Io(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

struct Walk<'a> {
    file: &'a File,
    bytes: u64,
    /// What was read last, and from where.
    window: Vec<u8>,
    from: u64,
    parts: u32,
    /// Whether zeros at the end are none of a picture or sound: the last part is there to fill up, or holds no content.
    is_padding: bool,
    cancel: Cancel<'a>,
}

/// Longest head of a part: a page of Ogg with all its lengths.
const LONGEST_HEAD: usize = 27 + 255;
const WINDOW: usize = 4096;

const ASF_HEADER: [u8; 16] = *b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c";
const ASF_DATA: [u8; 16] = *b"\x36\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c";
/// The objects that may follow: indexes, simple, general, of media objects and of time codes.
const ASF_INDEXES: [[u8; 16]; 4] = [
    *b"\x90\x08\x00\x33\xb1\xe5\xcf\x11\x89\xf4\x00\xa0\xc9\x03\x49\xcb",
    *b"\xd3\x29\xe2\xd6\xda\x35\xd1\x11\x90\x34\x00\xa0\xc9\x03\x49\xbe",
    *b"\xf8\x03\xb1\xfe\xad\x12\x64\x4c\x84\x0f\x2a\x1d\x2f\x7a\xd4\x8c",
    *b"\xd0\x3f\xb7\x3c\x4a\x0c\x03\x48\x95\x3d\xed\xf7\xb6\x22\x8f\x0c",
];

/// Boxes that stand beside each other in a file (ISO/IEC 14496-12, and QuickTime before it).
const BOXES: [&[u8; 4]; 17] = [
    b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"mfra", b"sidx", b"ssix", b"prft", b"emsg", b"free", b"skip",
    b"wide", b"pnot", b"meta", b"udta", b"uuid",
];
/// Those that fill up, and those of what is said of a film, in which programs leave room for more.
const BOXES_WITH_ROOM: [&[u8; 4]; 7] = [b"free", b"skip", b"wide", b"moov", b"meta", b"udta", b"uuid"];

/// What keys begin with, those of partitions, and those of fill items but for the version that both hold (SMPTE ST 336, 377-1).
const KLV: [u8; 4] = *b"\x06\x0e\x2b\x34";
const MXF_PARTITION: [u8; 13] = *b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02\x01\x01";
const MXF_HEADER: u8 = 2;
const MXF_FOOTER: u8 = 4;
const MXF_FILL: [u8; 5] = *b"\x03\x01\x02\x10\x01";

/// What start codes begin with, and the last bytes of some (ISO/IEC 13818-1, 11172-1).
const START: [u8; 3] = [0, 0, 1];
const PROGRAMME_END: u8 = 0xb9;
const PACK: u8 = 0xba;

/// How a script tag of FLV names the length of the whole file: a string, and a number.
const FILE_SIZE: [u8; 11] = *b"\0\x08filesize\0";

const SEGMENT: u32 = 0x1853_8067;
const CLUSTER: u32 = 0x1f43_b675;
const VOID: u32 = 0xec;

/// Streams of an Ogg file whose ends are looked for.
const MOST_STREAMS: usize = 64;

/// Places of a transport stream at which it is looked for a packet.
const SAMPLES: u64 = 2048;

impl Walk<'_> {
    /// What stands from `at` on: `length` bytes, or as many as there are.
    fn head(&mut self, at: u64, length: usize) -> io::Result<&[u8]> {
        debug_assert!(length <= LONGEST_HEAD);
        let end = at.saturating_add(length as u64).min(self.bytes);
        if at < self.from || end > self.from + self.window.len() as u64 {
            self.window_from(at)?;
        }
        let start = usize::try_from(at - self.from).unwrap_or(usize::MAX).min(self.window.len());
        Ok(&self.window[start..self.window.len().min(start + length)])
    }

    /// Reads a window anew.
    fn window_from(&mut self, at: u64) -> io::Result<&[u8]> {
        self.window.resize(WINDOW, 0);
        self.from = at;
        let mut filled = 0;
        while filled < WINDOW {
            match self.file.read_at(&mut self.window[filled..], at + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.window.truncate(filled);
        Ok(&self.window)
    }

    /// A part begins at `at`.
    fn part(&mut self, at: u64) -> Result<(), Stop> {
        self.parts += 1;
        if self.parts > MOST_PARTS {
            return Err(Stop::Found(State::ManyParts { at }));
        }
        if self.parts.is_multiple_of(1024) && (self.cancel)() {
            return Err(Stop::Told);
        }
        Ok(())
    }

    /// It should be `expected` bytes long.
    const fn cut(&self, expected: u64) -> Stop {
        Stop::Found(State::Cut { bytes: self.bytes, expected })
    }

    /// No part begins at `at`, where one has ended. Behind a film of which the last part says that it is, few zeros are nothing.
    fn no_part_behind(&mut self, at: u64, is_complete: bool) -> Stop {
        match self.has_few_zeros_from(at) {
            Ok(true) => Stop::Found(if is_complete { State::Whole } else { State::NotEnded }),
            Ok(false) => self.no_part(at),
            Err(error) => Stop::Io(error),
        }
    }

    /// No part begins at `at`.
    fn no_part(&mut self, at: u64) -> Stop {
        match self.head(at, 16) {
            Ok(head) if head.len() >= 8 && head.iter().all(|byte| *byte == 0) => Stop::Found(State::Zeros { at }),
            Ok(_) => Stop::Found(State::Lost { at }),
            Err(error) => Stop::Io(error),
        }
    }

    /// The end of a part of `length` bytes that begins at `at`, if the file has it.
    fn end(&mut self, at: u64, length: u64) -> Result<u64, Stop> {
        match at.checked_add(length) {
            Some(end) if end <= self.bytes => Ok(end),
            Some(end) => Err(self.cut(end)),
            None => Err(self.no_part(at)),
        }
    }

    fn container(&mut self) -> io::Result<Option<Container>> {
        let head = self.head(0, 16)?;
        let boxed = head.get(4..8).is_some_and(|name| BOXES.iter().any(|known| *known == name));
        Ok(match head {
            [b'R', b'I', b'F', b'F', _, _, _, _, b'A', b'V', b'I', b' ', ..] => Some(Container::Riff),
            [b'F', b'L', b'V', 1, ..] => Some(Container::Flv),
            [b'O', b'g', b'g', b'S', ..] => Some(Container::Ogg),
            [0x1a, 0x45, 0xdf, 0xa3, ..] => Some(Container::Ebml),
            head if head == ASF_HEADER => Some(Container::Asf),
            head if head.starts_with(&MXF_PARTITION) && head.get(13) == Some(&MXF_HEADER) => Some(Container::Mxf),
            [0, 0, 1, PACK, ..] => Some(Container::Programme),
            _ if boxed => Some(Container::Iso),
            _ => self.packets()?,
        })
    }

    /// Packets of a transport stream: as they are broadcast, with a time in front (camcorders), or with a checksum behind.
    fn packets(&mut self) -> io::Result<Option<Container>> {
        for (first, length) in [(0, 188), (4, 192), (0, 204)] {
            let mut found = 0;
            while found < 5 && self.head(first + found * length, 1)? == [0x47] {
                found += 1;
            }
            if found >= 3 {
                return Ok(Some(Container::Packets { first, length }));
            }
        }
        Ok(None)
    }

    fn through(&mut self, container: Container) -> Result<State, Stop> {
        match container {
            Container::Iso => self.boxes(),
            Container::Riff => self.riffs(),
            Container::Ebml => self.elements(),
            Container::Flv => self.tags(),
            Container::Asf => self.objects(),
            Container::Ogg => self.pages(),
            Container::Mxf => self.triplets(),
            Container::Programme => self.packs(),
            Container::Packets { first, length } => self.transport(first, length),
        }
    }

    fn boxes(&mut self) -> Result<State, Stop> {
        let (mut at, mut index, mut content, mut fragments, mut last) = (0, false, false, false, *b"    ");
        while at < self.bytes {
            self.part(at)?;
            // Behind both nothing that is shown is missing, unless more of both may follow.
            let is_complete = index && content && !fragments;
            let head = self.head(at, 16)?;
            let (Some(size), Some(name)) = (number(head, 0, 4), array::<4>(head, 4)) else {
                // The first bytes of a length are zeros as well.
                return if is_complete { Ok(State::Whole) } else { Err(self.cut(at + 8)) };
            };
            let long = number(head, 8, 8);
            let content_at = at + if size == 1 { 16 } else { 8 };
            let is_known = BOXES.contains(&&name);
            let is_named = name.iter().all(|sign| matches!(sign, 0x20..=0x7e | 0xa9));
            let size = match (size, long) {
                (_, _) if name == [0; 4] && index && content => return Err(self.no_part_behind(at, is_complete)),
                (_, _) if name == [0; 4] => return Err(Stop::Found(State::Zeros { at })),
                (_, _) if !is_named => return Err(self.no_part(at)),
                // It goes on to the end of the file, wherever that is.
                (0, _) => self.bytes - at,
                (1, Some(long)) if long >= 16 => long,
                (1, None) => return Err(self.cut(at + 16)),
                (1..8, _) => return Err(self.no_part(at)),
                (size, _) => size,
            };
            // What somebody appended to a film is no reason to refuse it.
            if !is_known && at.checked_add(size).is_none_or(|end| end > self.bytes) {
                return Err(Stop::Found(State::Lost { at }));
            }
            let end = self.end(at, size)?;
            if name == *b"moov" {
                self.index(content_at, end, 0)?;
            }
            at = end;
            index |= name == *b"moov";
            content |= name == *b"mdat";
            fragments |= name == *b"moof";
            last = name;
        }
        self.is_padding = BOXES_WITH_ROOM.contains(&&last);
        // A fragment's content follows its index.
        if last == *b"moof" { Err(self.cut(self.bytes + 8)) } else { Ok(State::Whole) }
    }

    /// That zeros have taken the place of nothing in what is said of the tracks: no box of them is called nothing, and the lists of where
    /// the samples lie do not end with nothing. What users say, and what fills up, may be zeros.
    fn index(&mut self, mut at: u64, end: u64, depth: u8) -> Result<(), Stop> {
        /// Boxes that hold others.
        const HOLDERS: [&[u8; 4]; 4] = [b"trak", b"mdia", b"minf", b"stbl"];
        const DEEPEST: u8 = 8;
        /// Bytes of an entry that are not all zeros, but where there is only one; the number of entries stands behind a version and flags.
        const LISTS: [(&[u8; 4], u64); 6] =
            [(b"stco", 4), (b"co64", 8), (b"stsc", 12), (b"stts", 8), (b"ctts", 8), (b"stss", 4)];
        while at + 8 <= end {
            self.part(at)?;
            let head = self.head(at, 16)?;
            let (Some(size), Some(name), Some(entries)) =
                (number(head, 0, 4), array::<4>(head, 4), number(head, 12, 4))
            else {
                return Ok(());
            };
            if name == [0; 4] {
                // Some end a list of boxes with a few of them, or leave room; but nothing at all is behind what was cut.
                let is_last = end - at > 8 && self.zeros_at_end()? >= self.bytes - at - 4;
                return if is_last { Err(Stop::Found(State::Zeros { at: at + 4 })) } else { Ok(()) };
            }
            if size < 8 || at + size > end {
                return Ok(());
            }
            if HOLDERS.contains(&&name) && depth < DEEPEST {
                self.index(at + 8, at + size, depth + 1)?;
            }
            let list = LISTS.iter().find(|(known, _)| **known == name && entries > 1);
            if let Some((_, bytes)) = list
                && let last = at + 16 + (entries - 1) * bytes
                && last + bytes <= at + size
                && self.head(last, *bytes as usize)?.iter().all(|byte| *byte == 0)
            {
                return Err(Stop::Found(State::Zeros { at: last }));
            }
            at += size;
        }
        Ok(())
    }

    fn riffs(&mut self) -> Result<State, Stop> {
        /// Some writers count the eight bytes of the head.
        const HEAD: u64 = 8;
        let mut at = 0;
        loop {
            self.part(at)?;
            let head = self.head(at, 12)?;
            let (Some(size), true) = (number_le(head, 4, 4), head.starts_with(b"RIFF")) else {
                return Err(self.no_part_behind(at, true));
            };
            // What was written while it was recorded has no length.
            let is_open = size == 0 || size == u64::from(u32::MAX);
            let end = if is_open { self.bytes } else { at + HEAD + size };
            self.chunks(at + 12, end)?;
            if end > self.bytes + HEAD {
                return Err(self.cut(end));
            }
            at = end + end % 2;
            if self.bytes.saturating_sub(at) < HEAD {
                return Ok(State::Whole);
            }
        }
    }

    fn chunks(&mut self, mut at: u64, end: u64) -> Result<(), Stop> {
        while at < end.min(self.bytes) {
            self.part(at)?;
            let head = self.head(at, 8)?;
            let (Some(size), Some(name)) = (number_le(head, 4, 4), array::<4>(head, 0)) else {
                return if end > self.bytes { Err(self.cut(end)) } else { Ok(()) };
            };
            if name == [0; 4] {
                return Err(self.no_part(at));
            }
            self.is_padding = name == *b"JUNK";
            // The list of frames of a recording that nobody ended: its frames are chunks as well.
            if name == *b"LIST" && (size == 0 || size == u64::from(u32::MAX)) {
                at += 12;
                continue;
            }
            let behind = self.end(at, 8 + size)?;
            at = behind + size % 2;
        }
        Ok(())
    }

    fn elements(&mut self) -> Result<State, Stop> {
        // The end of a Segment that knows its own.
        let (mut at, mut whole_until) = (0, 0);
        while at < self.bytes {
            self.part(at)?;
            let head = self.head(at, 12)?;
            let (id, size, length) = match Element::read(head) {
                Ok(element) => element,
                Err(NoElement::TooShort(length)) if whole_until == 0 => return Err(self.cut(at + length)),
                Err(_) => return Err(self.no_part_behind(at, at == whole_until)),
            };
            self.is_padding = id == VOID;
            let start = at + length;
            match (id, size) {
                (SEGMENT, Some(size)) => {
                    whole_until = self.end(start, size)?;
                    at = start;
                }
                // A length that nobody knew when it was written: what is inside has its own.
                (SEGMENT | CLUSTER, None) => at = start,
                (_, Some(size)) => at = self.end(start, size)?,
                (_, None) => return Err(self.no_part(at)),
            }
        }
        Ok(State::Whole)
    }

    fn tags(&mut self) -> Result<State, Stop> {
        const HEAD: u64 = 11;
        /// Behind each tag stands its length.
        const BEHIND: u64 = 4;
        let first = number(self.head(0, 9)?, 5, 4);
        let Some(first) = first else { return Err(self.cut(9 + BEHIND)) };
        let mut at = self.end(0, first.saturating_add(BEHIND))?;
        let expected = self.said_size(at)?.filter(|expected| *expected > self.bytes);
        let behind = expected.map_or(State::Whole, |expected| State::Cut { bytes: self.bytes, expected });
        while at < self.bytes {
            self.part(at)?;
            let head = self.head(at, 11)?;
            // Sound, picture or script; one bit says that it is encrypted.
            if !matches!(head.first().map(|kind| kind & 0x1f), Some(8 | 9 | 18)) {
                return Err(self.no_part_behind(at, false));
            }
            let Some(size) = number(head, 1, 3).filter(|_| head.len() as u64 == HEAD) else {
                return Err(self.cut(at + HEAD + BEHIND));
            };
            // Nobody misses the length of the last one.
            if self.bytes.saturating_sub(at + HEAD + size) < BEHIND && at + HEAD + size <= self.bytes {
                return Ok(behind);
            }
            at = self.end(at, HEAD + size + BEHIND)?;
        }
        Ok(behind)
    }

    /// How long a file says that it is, in the script tag that begins at `at`.
    fn said_size(&mut self, at: u64) -> io::Result<Option<u64>> {
        let script = self.window_from(at)?;
        let Some(named) = script.windows(FILE_SIZE.len()).position(|text| text == FILE_SIZE) else { return Ok(None) };
        let size = array(script, named + FILE_SIZE.len()).map(f64::from_be_bytes);
        Ok(size.filter(|size| (1.0..1e15).contains(size)).map(|size| size as u64))
    }

    fn packs(&mut self) -> Result<State, Stop> {
        // A Video CD has 75 sectors a second, 20 zeros behind the sound in each, and sectors of zeros where less is to be said.
        const SECTOR: u64 = 2324;
        const BEHIND_SOUND: u64 = 20;
        const MOST_SECTORS: u64 = 150;
        /// Zeros that a packet may well end with.
        const FEW: u64 = 32;
        let is_disc = self.bytes.is_multiple_of(SECTOR);
        let may_fill = |zeros: u64| {
            let is_whole = zeros.is_multiple_of(SECTOR) || zeros % SECTOR == BEHIND_SOUND;
            zeros <= SECTOR || is_disc && is_whole && zeros <= MOST_SECTORS * SECTOR
        };
        let (mut at, mut is_ended) = (0, false);
        while at < self.bytes {
            self.part(at)?;
            let zeros = self.zeros_from(at)?;
            if zeros > 0 && at + zeros == self.bytes {
                self.is_padding = is_ended || may_fill(zeros) && is_disc;
                return match zeros {
                    _ if is_ended => Ok(State::Whole),
                    // What was cut and filled up is zeros from within a packet on.
                    _ if self.is_padding && self.zeros_at_end()? - zeros < FEW => Ok(State::Whole),
                    _ if self.is_padding => Ok(State::NotEnded),
                    1..=2 => Err(self.cut(at + 4)),
                    _ => Err(self.no_part_behind(at, false)),
                };
            }
            let skipped = zeros.saturating_sub(START.len() as u64 - 1);
            if !may_fill(skipped) {
                return Err(Stop::Found(State::Zeros { at }));
            }
            let start = at + skipped;
            let head = self.head(start, 14)?;
            let Some(code) = head.get(3).filter(|_| head.starts_with(&START)) else {
                return Err(if head.len() < 4 { self.cut(start + 4) } else { self.no_part(start) });
            };
            is_ended = *code == PROGRAMME_END;
            let length = match (*code, head.get(4), head.get(13)) {
                (PROGRAMME_END, _, _) => 4,
                // That of MPEG-2 may be stuffed, that of MPEG-1 is not.
                (PACK, Some(0x40..=0x7f), Some(last)) => 14 + u64::from(last & 7),
                (PACK, Some(0x40..=0x7f), None) => 14,
                (PACK, Some(0x20..=0x2f), _) => 12,
                (PACK, Some(_), _) | (..PACK, _, _) => return Err(self.no_part(start)),
                (PACK, None, _) => return Err(self.cut(start + 12)),
                (_, _, _) => match number(head, 4, 2) {
                    // Its length is not said, which none of a programme may do.
                    Some(0) => return Ok(State::Whole),
                    Some(length) => 6 + length,
                    None => return Err(self.cut(start + 6)),
                },
            };
            at = self.end(start, length)?;
        }
        Ok(State::Whole)
    }

    /// How many zeros there are from `at` on.
    fn zeros_from(&mut self, at: u64) -> Result<u64, Stop> {
        let mut zeros = 0;
        loop {
            self.part(at + zeros)?;
            let head = self.head(at + zeros, LONGEST_HEAD)?;
            let here = head.iter().take_while(|byte| **byte == 0).count();
            zeros += here as u64;
            if here < LONGEST_HEAD {
                return Ok(zeros);
            }
        }
    }

    fn objects(&mut self) -> Result<State, Stop> {
        const HEAD: u64 = 24;
        const EMPTY_DATA: u64 = 50;
        let (mut at, mut content) = (0, false);
        while at < self.bytes {
            self.part(at)?;
            // Zeros that reach far into the content are not only behind it.
            if content
                && self.has_few_zeros_from(at)?
                && let inside = self.zeros_at_end()?.saturating_sub(self.bytes - at)
                && inside < FEWEST_ZEROS
            {
                return Ok(if inside == 0 { State::Whole } else { State::NotEnded });
            }
            let head = self.head(at, 24)?;
            let (Some(name), Some(size)) = (array::<16>(head, 0), number_le(head, 16, 8)) else {
                return Err(self.cut(at + HEAD));
            };
            // A broadcast does not know how long it will be: that of nothing, or of the object without packets.
            if name == ASF_DATA && size <= EMPTY_DATA {
                return Ok(State::Whole);
            }
            let is_known = name == ASF_HEADER || name == ASF_DATA || ASF_INDEXES.contains(&name);
            let fits = at.checked_add(size).is_some_and(|end| end <= self.bytes);
            if size < HEAD || !is_known && !fits {
                return Err(self.no_part(at));
            }
            at = self.end(at, size)?;
            content |= name == ASF_DATA;
            // Packets are of one size, and the last is filled up.
            self.is_padding = name == ASF_DATA;
        }
        Ok(State::Whole)
    }

    fn pages(&mut self) -> Result<State, Stop> {
        const HEAD: usize = 27;
        const FIRST: u8 = 2;
        const LAST: u8 = 4;
        let (mut at, mut open) = (0, BTreeSet::new());
        while at < self.bytes {
            self.part(at)?;
            let head = self.head(at, LONGEST_HEAD)?;
            if !head.iter().zip(b"OggS").all(|(byte, sign)| byte == sign) {
                let is_complete = open.is_empty();
                return Err(self.no_part_behind(at, is_complete));
            }
            let (Some(flags), Some(stream), Some(count)) = (head.get(5), number_le(head, 14, 4), head.get(26)) else {
                return Err(self.cut(at + HEAD as u64));
            };
            let lengths = HEAD + usize::from(*count);
            let Some(sizes) = head.get(HEAD..lengths) else { return Err(self.cut(at + lengths as u64)) };
            let content: u64 = sizes.iter().map(|size| u64::from(*size)).sum();
            if flags & FIRST != 0 && open.len() < MOST_STREAMS {
                open.insert(stream);
            }
            if flags & LAST != 0 {
                open.remove(&stream);
            }
            at = self.end(at, lengths as u64 + content)?;
        }
        Ok(if open.is_empty() { State::Whole } else { State::NotEnded })
    }

    fn triplets(&mut self) -> Result<State, Stop> {
        const KEY: usize = 16;
        const LONGEST_LENGTH: usize = 9;
        let (mut at, mut has_footer) = (0, false);
        while at < self.bytes {
            self.part(at)?;
            let head = self.head(at, KEY + LONGEST_LENGTH)?;
            if !head.iter().zip(&KLV).all(|(byte, sign)| byte == sign) {
                return Err(self.no_part_behind(at, has_footer));
            }
            let Some(first) = head.get(KEY) else { return Err(self.cut(at + KEY as u64 + 1)) };
            // One byte, or as many more as it says (BER).
            let wide = if first & 0x80 == 0 { 0 } else { usize::from(first & 0x7f) };
            let is_fill = head[8..13] == MXF_FILL;
            let is_footer = head.starts_with(&MXF_PARTITION) && head[13] == MXF_FOOTER;
            let size = match wide {
                0 if *first == 0x80 => return Err(self.no_part(at)),
                0 => u64::from(*first),
                1..LONGEST_LENGTH => match number(head, KEY + 1, wide) {
                    Some(size) => size,
                    None => return Err(self.cut(at + (KEY + 1 + wide) as u64)),
                },
                _ => return Err(self.no_part(at)),
            };
            let content = at + (KEY + 1 + wide) as u64;
            at = self.end(content, size)?;
            has_footer |= is_footer;
            self.is_padding = is_fill;
        }
        Ok(if has_footer { State::Whole } else { State::NotEnded })
    }

    /// Packets are so many that only some are looked at, and the last.
    fn transport(&mut self, first: u64, length: u64) -> Result<State, Stop> {
        // Few zeros behind the last packet are nothing.
        let zeros = self.zeros_at_end()?;
        let packets = (self.bytes - zeros).div_ceil(length);
        let is_filled = zeros < FEWEST_ZEROS && packets * length <= self.bytes;
        let count = if is_filled { packets } else { self.bytes / length };
        // Zeros that begin within a packet, and go on behind it, may stand where there was something else.
        let is_behind = packets * length == self.bytes || (self.bytes - zeros).is_multiple_of(length);
        let behind = if is_behind { State::Whole } else { State::NotEnded };
        if count == 0 {
            return Ok(State::Whole);
        }
        let step = (count / SAMPLES).max(1);
        for packet in (0..count).step_by(usize::try_from(step).unwrap_or(usize::MAX)).chain([count - 1]) {
            self.part(packet * length)?;
            let at = packet * length + first;
            if self.head(at, 1)? != [0x47] {
                return Err(self.no_part(at));
            }
        }
        match self.bytes % length {
            0 => Ok(behind),
            _ if is_filled => Ok(behind),
            _ => Err(self.cut((count + 1) * length)),
        }
    }

    /// Whether all that follows are zeros, so few that nothing which is shown was in their place.
    fn has_few_zeros_from(&self, at: u64) -> io::Result<bool> {
        let length = self.bytes - at;
        Ok(length < FEWEST_ZEROS && self.zeros_at_end()? >= length)
    }

    fn zeros_at_end(&self) -> io::Result<u64> {
        let mut piece = [0; 1 << 14];
        let (mut end, mut zeros) = (self.bytes, 0);
        while end > 0 && zeros < MOST_ZEROS {
            let length = end.min(piece.len() as u64);
            let piece = &mut piece[..length as usize];
            self.file.read_exact_at(piece, end - length)?;
            let here = piece.iter().rev().take_while(|byte| **byte == 0).count() as u64;
            (end, zeros) = (end - length, zeros + here);
            if here < length {
                break;
            }
        }
        Ok(zeros)
    }
}

fn array<const N: usize>(head: &[u8], at: usize) -> Option<[u8; N]> {
    head.get(at..at + N)?.try_into().ok()
}

/// `length` bytes, the highest first.
fn number(head: &[u8], at: usize, length: usize) -> Option<u64> {
    Some(head.get(at..at + length)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

fn number_le(head: &[u8], at: usize, length: usize) -> Option<u64> {
    Some(head.get(at..at + length)?.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

/// The head of an element of EBML (RFC 8794).
struct Element;

enum NoElement {
    /// It would have so many bytes.
    TooShort(u64),
    Not,
}

impl Element {
    /// Its name, its length if it has one, and the length of its head.
    fn read(head: &[u8]) -> Result<(u32, Option<u64>, u64), NoElement> {
        let first = *head.first().ok_or(NoElement::TooShort(2))?;
        let width = first.leading_zeros() as usize + 1;
        if width > 4 {
            return Err(NoElement::Not);
        }
        let id = number(head, 0, width).ok_or(NoElement::TooShort(width as u64 + 1))?;
        let first = *head.get(width).ok_or(NoElement::TooShort(width as u64 + 1))?;
        let wide = first.leading_zeros() as usize + 1;
        if wide > 8 {
            return Err(NoElement::Not);
        }
        let length = (width + wide) as u64;
        let size = number(head, width, wide).ok_or(NoElement::TooShort(length))?;
        let all = (1 << (7 * wide)) - 1;
        let size = size & all;
        // Names have four bytes at most.
        Ok((id as u32, (size != all).then_some(size), length))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn found(bytes: &[u8]) -> Wholeness {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        wholeness(&file, &|| false).unwrap().unwrap()
    }

    fn state(bytes: &[u8]) -> State {
        found(bytes).state
    }

    fn boxed(name: &[u8; 4], content: usize) -> Vec<u8> {
        [&(content as u32 + 8).to_be_bytes(), name.as_slice(), &vec![1; content]].concat()
    }

    /// Each length below that of the whole is cut, but those in `between`, at which a part ends.
    fn cut_anywhere(whole: &[u8], from: usize, between: &[usize]) {
        assert_eq!(state(whole), State::Whole);
        for length in (from..whole.len()).filter(|length| !between.contains(length)) {
            let State::Cut { bytes, expected } = state(&whole[..length]) else {
                panic!("{length} of {}: {:?}", whole.len(), state(&whole[..length]));
            };
            assert_eq!(bytes, length as u64);
            assert!(expected > bytes && expected <= whole.len() as u64 + 16, "{length}: {expected}");
        }
    }

    #[test]
    fn boxes_are_whole_or_cut() {
        let film = [boxed(b"ftyp", 16), boxed(b"moov", 40), boxed(b"free", 8), boxed(b"mdat", 60)].concat();
        cut_anywhere(&film, 8, &[24, 72, 88]);
        let long = [&[0, 0, 0, 1], b"mdat".as_slice(), &100_u64.to_be_bytes(), &[1; 84]].concat();
        cut_anywhere(&[boxed(b"ftyp", 16), long, boxed(b"moov", 20)].concat(), 25, &[124]);
        let fragments = [
            boxed(b"ftyp", 8),
            boxed(b"moov", 8),
            boxed(b"moof", 8),
            boxed(b"mdat", 9),
            boxed(b"moof", 8),
            boxed(b"mdat", 9),
        ];
        let fragments = fragments.concat();
        cut_anywhere(&fragments, 8, &[16, 32, 65]);
        assert_eq!(state(&fragments[..81]), State::Cut { bytes: 81, expected: 89 });
        // To the end of the file; zeros; a length that is none; what was appended.
        let endless = [boxed(b"moov", 8), [&[0; 4], b"mdat".as_slice(), b"content"].concat()].concat();
        assert_eq!(state(&endless), State::Whole);
        for few in [3, 100, 4095] {
            assert_eq!(state(&[film.clone(), vec![0; few]].concat()), State::Whole, "{few}");
        }
        assert_eq!(state(&[film.clone(), vec![0; 4096]].concat()), State::Zeros { at: film.len() as u64 });
        assert_eq!(state(&[film[..88].to_vec(), vec![0; 100]].concat()), State::Zeros { at: 88 });
        assert_eq!(state(&[fragments.clone(), vec![0; 100]].concat()), State::NotEnded);
        assert_eq!(state(&[fragments.clone(), vec![0; 4096]].concat()), State::Zeros { at: fragments.len() as u64 });
        let short = [boxed(b"ftyp", 8), vec![0, 0, 0, 5, b'm', b'o', b'o', b'v', 1]].concat();
        assert_eq!(state(&short), State::Lost { at: 16 });
        for appended in [b"TAG and something else".as_slice(), b"\xff\xff\xff\xff\x01\x02\x03\x04", b"\x7fmuch of it"] {
            assert_eq!(state(&[&film, appended].concat()), State::Lost { at: film.len() as u64 }, "{appended:?}");
        }
        let huge = [&[0, 0, 0, 1], b"moov".as_slice(), &u64::MAX.to_be_bytes()].concat();
        assert_eq!(state(&[boxed(b"ftyp", 8), huge].concat()), State::Lost { at: 16 });
    }

    fn chunk(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
        [name.as_slice(), &(content.len() as u32).to_le_bytes(), content, &[0][..content.len() % 2]].concat()
    }

    #[test]
    fn riffs_are_whole_or_cut() {
        let first = chunk(b"RIFF", &[b"AVI ".to_vec(), chunk(b"LIST", &[1; 31]), chunk(b"idx1", &[1; 16])].concat());
        cut_anywhere(&first, 12, &[]);
        let both = [first.clone(), chunk(b"RIFF", &[b"AVIX".to_vec(), chunk(b"LIST", &[1; 40])].concat())].concat();
        cut_anywhere(&both, first.len() + 8, &[]);
        // The bytes of the head are counted in its length, or there is none.
        for size in [first.len() as u32, 0, u32::MAX] {
            let mut other = first.clone();
            other[4..8].copy_from_slice(&size.to_le_bytes());
            assert_eq!(state(&other), State::Whole, "{size}");
            assert!(matches!(state(&other[..40]), State::Cut { .. }), "{size}");
        }
        assert_eq!(state(&[first.clone(), vec![0; 50]].concat()), State::Whole);
        assert_eq!(state(&[first.clone(), vec![0; 5000]].concat()), State::Zeros { at: first.len() as u64 });
    }

    fn element(id: &[u8], content: &[u8]) -> Vec<u8> {
        [id, &[0x40 | (content.len() >> 8) as u8, content.len() as u8], content].concat()
    }

    #[test]
    fn elements_are_whole_or_cut() {
        let (head, block) = (element(&[0x1a, 0x45, 0xdf, 0xa3], &[1; 20]), element(&[0xa3], &[7; 30]));
        let cluster = element(&[0x1f, 0x43, 0xb6, 0x75], &block);
        let known =
            [head.clone(), element(&[0x18, 0x53, 0x80, 0x67], &[cluster.clone(), cluster.clone()].concat())].concat();
        cut_anywhere(&known, 4, &[head.len()]);
        let unknown = [&head, [0x18, 0x53, 0x80, 0x67, 0x01].as_slice(), &[0xff; 7], &cluster, &cluster].concat();
        let start = head.len() + 12;
        cut_anywhere(&unknown, start + 1, &[start + cluster.len()]);
        let live = [0x1f, 0x43, 0xb6, 0x75, 0xff];
        let live = [&head, [0x18, 0x53, 0x80, 0x67, 0xff].as_slice(), &live, &block, &live, &block].concat();
        let start = head.len() + 10;
        cut_anywhere(&live, start + 1, &[start + block.len(), start + block.len() + 5]);
        assert_eq!(state(&[known.clone(), vec![0; 100]].concat()), State::Whole);
        assert_eq!(state(&[live.clone(), vec![0; 9]].concat()), State::NotEnded);
        for film in [&known, &live] {
            assert_eq!(state(&[film.clone(), vec![0; 4096]].concat()), State::Zeros { at: film.len() as u64 });
        }
        assert_eq!(state(&[known.clone(), b"\x07more".to_vec()].concat()), State::Lost { at: known.len() as u64 });
    }

    #[test]
    fn tags_are_whole_or_cut() {
        let tag = |kind: u8, length: u8| {
            [vec![kind, 0, 0, length], vec![0; 7], vec![3; length.into()], vec![0, 0, 0, length + 11]].concat()
        };
        let film = [b"FLV\x01\x05\0\0\0\x09\0\0\0\0".to_vec(), tag(18, 20), tag(9, 90), tag(8, 9)].concat();
        let without_last_length = film.len() - 4..film.len();
        let between: Vec<usize> = [44..49, 149..154, without_last_length].into_iter().flatten().collect();
        cut_anywhere(&film, 8, &[&[13], &between[..]].concat());
        for length in between {
            assert_eq!(state(&film[..length]), State::Whole, "{length}");
        }
        assert_eq!(state(&[film.clone(), vec![0; 9]].concat()), State::NotEnded);
        assert_eq!(state(&[film.clone(), vec![0; 4096]].concat()), State::Zeros { at: film.len() as u64 });
        assert_eq!(state(&[film.clone(), vec![7; 9]].concat()), State::Lost { at: film.len() as u64 });
    }

    #[test]
    fn objects_are_whole_or_cut() {
        let object = |name: &[u8; 16], size: u64| [name.as_slice(), &size.to_le_bytes()].concat();
        let full = |name: &[u8; 16], length: usize| [object(name, length as u64 + 24), vec![5; length]].concat();
        let film = [full(&ASF_HEADER, 40), full(&ASF_DATA, 70), full(&ASF_INDEXES[0], 9)].concat();
        cut_anywhere(&film, 16, &[64, 158]);
        let live = [full(&ASF_HEADER, 40), object(&ASF_DATA, 0), vec![5; 33]].concat();
        assert_eq!(state(&live), State::Whole);
        for few in [9, 30, 4095] {
            assert_eq!(state(&[film.clone(), vec![0; few]].concat()), State::Whole, "{few}");
        }
        assert_eq!(state(&[film.clone(), vec![0; 4096]].concat()), State::Zeros { at: film.len() as u64 });
        assert_eq!(state(&[film[..64].to_vec(), vec![0; 30]].concat()), State::Zeros { at: 64 });
        let padded = [full(&ASF_HEADER, 40), object(&ASF_DATA, 5024), vec![0; 5000], vec![0; 30]].concat();
        assert_eq!(state(&padded), State::Zeros { at: 64 + 5024 });
    }

    fn page(flags: u8, stream: u8, lengths: &[u8]) -> Vec<u8> {
        let content: usize = lengths.iter().copied().map(usize::from).sum();
        let head =
            [b"OggS\0".to_vec(), vec![flags], vec![0; 8], vec![stream, 0, 0, 0], vec![0; 8], vec![lengths.len() as u8]];
        [head.concat(), lengths.to_vec(), vec![9; content]].concat()
    }

    #[test]
    fn pages_are_whole_or_cut_and_say_that_they_end() {
        let film =
            [page(2, 1, &[30]), page(2, 2, &[8]), page(0, 1, &[255, 9]), page(4, 2, &[]), page(4, 1, &[77])].concat();
        let ends = [58, 94, 387, 414];
        cut_anywhere(&film, 5, &ends);
        for end in ends {
            assert_eq!(state(&film[..end]), State::NotEnded, "{end}");
        }
        assert_eq!(state(&[film.clone(), vec![0; 30]].concat()), State::Whole);
        assert_eq!(state(&[film.clone(), vec![0; 5000]].concat()), State::Zeros { at: film.len() as u64 });
        assert_eq!(state(&[film[..414].to_vec(), vec![0; 30]].concat()), State::NotEnded);
        assert_eq!(state(&[film[..414].to_vec(), vec![0; 5000]].concat()), State::Zeros { at: 414 });
    }

    #[test]
    fn triplets_are_whole_or_cut_and_say_that_they_end() {
        let triplet = |key: [u8; 16], length: &[u8], content: usize| [&key, length, &vec![5; content]].concat();
        let partition = |kind: u8| {
            let mut key = [0; 16];
            key[..13].copy_from_slice(&MXF_PARTITION);
            key[13] = kind;
            key
        };
        let fill = *b"\x06\x0e\x2b\x34\x01\x01\x01\x02\x03\x01\x02\x10\x01\0\0\0";
        let essence = *b"\x06\x0e\x2b\x34\x01\x02\x01\x01\x0d\x01\x03\x01\x15\x01\x05\0";
        let body = [
            triplet(partition(MXF_HEADER), &[88], 88),
            triplet(fill, &[0x81, 200], 200),
            triplet(essence, &[0x83, 0, 1, 44], 300),
        ]
        .concat();
        let film = [body.clone(), triplet(partition(MXF_FOOTER), &[0x84, 0, 0, 0, 88], 88)].concat();
        let ends = [105, 323, 643];
        cut_anywhere(&film, 16, &ends);
        for end in ends {
            assert_eq!(state(&film[..end]), State::NotEnded, "{end}");
        }
        // Nothing but a key, or a part of one.
        for length in 1..16 {
            let _ = state(&film[..length]);
        }
        assert_eq!(state(&[film.clone(), vec![0; 100]].concat()), State::Whole);
        assert_eq!(state(&[film.clone(), vec![0; 5000]].concat()), State::Zeros { at: film.len() as u64 });
        assert_eq!(state(&[body.clone(), vec![0; 100]].concat()), State::NotEnded);
        assert_eq!(state(&[body.clone(), vec![0; 5000]].concat()), State::Zeros { at: body.len() as u64 });
        assert_eq!(state(&[film.clone(), vec![7; 30]].concat()), State::Lost { at: film.len() as u64 });
        for length in [0x80, 0x89] {
            let odd = [body.clone(), triplet(essence, &[length], 30)].concat();
            assert_eq!(state(&odd), State::Lost { at: body.len() as u64 }, "{length}");
        }
        let filled = [&film, fill.as_slice(), &[0x82, 0x20, 0], &[0; 0x2000]].concat();
        assert_eq!((found(&filled).state, found(&filled).zeros), (State::Whole, 0));
    }

    #[test]
    fn tags_end_no_sooner_than_their_script_says() {
        let film = |size: f64| {
            let script = [b"\x02\0\x0aonMetaData".as_slice(), &FILE_SIZE, &size.to_be_bytes()].concat();
            let length = script.len() as u8;
            let script = [&[18, 0, 0, length], [0; 7].as_slice(), &script, &[0, 0, 0, length + 11]].concat();
            let tag = [vec![9, 0, 0, 30], vec![0; 7], vec![3; 30], vec![0, 0, 0, 41]].concat();
            [b"FLV\x01\x05\0\0\0\x09\0\0\0\0".to_vec(), script, tag.clone(), tag].concat()
        };
        let bytes = film(0.0).len() as u64;
        for whole in [bytes as f64, 0.0, -1.0, f64::NAN, bytes as f64 - 40.0] {
            assert_eq!(state(&film(whole)), State::Whole, "{whole}");
        }
        let between = &film(bytes as f64)[..bytes as usize - 45];
        assert_eq!(state(between), State::Cut { bytes: bytes - 45, expected: bytes });
        assert_eq!(state(&between[..between.len() - 4]), State::Cut { bytes: bytes - 49, expected: bytes });
    }

    #[test]
    fn packs_are_whole_or_cut() {
        let packet = |code: u8, length: u8| [vec![0, 0, 1, code, 0, length], vec![9; length.into()]].concat();
        let first = [b"\0\0\x01\xba\x44".to_vec(), vec![1; 8], vec![0xf8 | 3, 0xff, 0xff, 0xff]].concat();
        let old = [b"\0\0\x01\xba\x21".to_vec(), vec![1; 7]].concat();
        let end = b"\0\0\x01\xb9".to_vec();
        for (pack, length) in [(first, 17), (old, 12)] {
            let film = [
                pack.clone(),
                packet(0xbb, 12),
                packet(0xe0, 90),
                vec![0; 20],
                pack.clone(),
                packet(0xc0, 40),
                end.clone(),
            ];
            let film = film.concat();
            let ends = [length, length + 18, length + 114, 2 * length + 134, 2 * length + 180];
            // Of zeros between two packets nothing is known.
            let zeros = ends[2] + 1..ends[2] + 23;
            cut_anywhere(&film, 4, &[ends.as_slice(), &zeros.clone().collect::<Vec<_>>()].concat());
            for length in ends {
                assert_eq!(state(&film[..length]), State::Whole, "{length}");
            }
            for length in zeros {
                let found = state(&film[..length]);
                let is_sector = length == ends[2] + 20;
                assert!(
                    is_sector && found == State::Whole || matches!(found, State::NotEnded | State::Cut { .. }),
                    "{length}"
                );
            }
            for behind in [100, 5000] {
                assert_eq!(state(&[film.clone(), vec![0; behind]].concat()), State::Whole);
            }
            // Sectors of zeros stand between others, and behind the last, but not for ever.
            let rest = (2324 - pack.len() - 6) as u16;
            let sector = [&pack, b"\0\0\x01\xe0".as_slice(), &rest.to_be_bytes(), &vec![9; rest.into()]].concat();
            let disc = [sector.clone(), vec![0; 2324 * 5], sector].concat();
            // A hole between two packs, and a copy that was filled up from within one on.
            let hole = [film.clone(), vec![0; 4096], film.clone()].concat();
            assert!(matches!(state(&hole), State::Zeros { .. }));
            let filled = [&disc[..disc.len() - 900], &vec![0; 900 + 2324 * 3]].concat();
            assert_eq!(state(&filled), State::NotEnded);
            for sectors in [0, 1, 7, 150] {
                let found = found(&[disc.clone(), vec![0; 2324 * sectors]].concat());
                assert_eq!((found.state, found.zeros), (State::Whole, 0), "{sectors}");
            }
            assert!(matches!(state(&[disc.clone(), vec![0; 2324 * 151]].concat()), State::Zeros { .. }));
            assert!(matches!(state(&[disc, vec![0; 6000]].concat()), State::Zeros { .. }));
            let open = &film[..film.len() - 4];
            assert_eq!(state(&[open.to_vec(), vec![0; 100]].concat()), State::NotEnded);
            assert_eq!(state(&[open.to_vec(), vec![0; 5000]].concat()), State::Zeros { at: open.len() as u64 });
            assert_eq!(state(&[open.to_vec(), vec![7; 30]].concat()), State::Lost { at: open.len() as u64 });
            assert_eq!(state(&film.repeat(2)), State::Whole, "two of them");
        }
    }

    #[test]
    fn packets_are_whole_or_cut() {
        for (before, behind) in [(0, 0), (4, 0), (0, 16)] {
            let packet = [vec![3; before], vec![0x47], vec![8; 187], vec![3; behind]].concat();
            let stream = packet.repeat(9);
            assert_eq!(state(&stream), State::Whole);
            for cut in [1, 100, 187] {
                let expected = State::Cut { bytes: (stream.len() - cut) as u64, expected: stream.len() as u64 };
                assert_eq!(state(&stream[..stream.len() - cut]), expected);
            }
            for few in [100, packet.len() * 4] {
                assert_eq!(state(&[stream.clone(), vec![0; few]].concat()), State::Whole, "{few}");
            }
            let filled = [stream.clone(), vec![0; packet.len() * 40]].concat();
            assert_eq!(state(&filled), State::Zeros { at: (stream.len() + before) as u64 });
        }
        assert_eq!(state(&[0x47; 100]), State::Whole, "it is too short to be one");
    }

    #[test]
    fn zeros_at_the_end_are_padding_by_their_kind_alone() {
        let codecs = |names: &'static [&'static str]| names.iter().copied();
        let film = |last: &[u8; 4], zeros: usize| {
            let last = [&(zeros as u32 + 8).to_be_bytes(), last.as_slice(), &vec![0; zeros]].concat();
            found(&[boxed(b"ftyp", 8), boxed(b"moov", 20), boxed(b"mdat", 20), last].concat())
        };
        assert!(film(b"mdat", 5000).is_filled_up(codecs(&["h264", "aac"]), 0));
        assert!(film(b"mdat", 100_000).is_filled_up(codecs(&[]), 0));
        assert_eq!(film(b"mdat", 100_000).zeros, 100_000);
        assert!(!film(b"mdat", 4000).is_filled_up(codecs(&["h264"]), 0));
        assert!(!film(b"mdat", 5000).is_filled_up(codecs(&["h264", "pcm_s16le"]), 0));
        assert!(!film(b"mdat", 5000).is_filled_up(codecs(&["rawvideo"]), 0));
        // Frames of one size.
        assert!(!film(b"mdat", 5000).is_filled_up(codecs(&["h264"]), 6000));
        assert!(film(b"mdat", 7000).is_filled_up(codecs(&["h264"]), 6000));
        for padding in [b"free", b"skip", b"wide", b"meta", b"udta", b"uuid"] {
            assert!(!film(padding, 5000).is_filled_up(codecs(&["h264"]), 0));
        }
        assert!(matches!(film(b"moov", 5000).state, State::Zeros { .. }));
        let junk = chunk(b"RIFF", &[b"AVI ".to_vec(), chunk(b"LIST", &[1; 32]), chunk(b"JUNK", &[0; 9000])].concat());
        assert_eq!((found(&junk).state, found(&junk).zeros), (State::Whole, 0));
        let void = [
            element(&[0x1a, 0x45, 0xdf, 0xa3], &[1; 20]),
            element(&[0x18, 0x53, 0x80, 0x67], &element(&[0xec], &[0; 6000])),
        ];
        assert_eq!((found(&void.concat()).state, found(&void.concat()).zeros), (State::Whole, 0));
    }

    /// What programs leave in what they write last, and what a copy that broke off has there.
    #[test]
    fn an_index_of_zeros_is_none() {
        let holds = |name: &[u8; 4], parts: &[Vec<u8>]| {
            let content = parts.concat();
            [&(content.len() as u32 + 8).to_be_bytes(), name.as_slice(), &content].concat()
        };
        let list = |name: &[u8; 4], entries: &[u32]| {
            let content = [&[0, entries.len() as u32], entries].concat();
            holds(name, &[content.iter().flat_map(|entry| entry.to_be_bytes()).collect()])
        };
        let film = |offsets: &[u32], behind: Vec<u8>| {
            let table = holds(b"stbl", &[list(b"stts", &[1, 512]), list(b"stco", offsets)]);
            let track = holds(b"trak", &[holds(b"mdia", &[holds(b"minf", &[table])])]);
            [boxed(b"ftyp", 8), boxed(b"mdat", 60), holds(b"moov", &[boxed(b"mvhd", 20), track, behind])].concat()
        };
        let udta = || holds(b"udta", &[vec![0; 6000]]);
        for (offsets, behind) in [
            (&[24, 48][..], Vec::new()),
            (&[24, 48], vec![0; 4]),
            (&[24, 48], udta()),
            (&[24, 48], boxed(b"free", 0)),
            // Of one alone the place may be the beginning of another file.
            (&[0], Vec::new()),
            (&[], Vec::new()),
        ] {
            let whole = found(&film(offsets, behind.clone()));
            assert_eq!(whole.state, State::Whole, "{offsets:?} {behind:?}");
            assert!(!whole.is_filled_up(["h264"].into_iter(), 0));
        }
        let whole = film(&[24, 48, 66, 70], boxed(b"udta", 20));
        // Of what users say it may be nothing, of its length too.
        for zeros in 29..=100 {
            let filled = [&whole[..whole.len() - zeros], &vec![0; zeros]].concat();
            assert!(matches!(state(&filled), State::Zeros { .. }), "{zeros}: {:?}", state(&filled));
        }
        let nested = (0..40).fold(boxed(b"trak", 0), |inside, _| holds(b"trak", &[inside]));
        assert_eq!(state(&[boxed(b"ftyp", 8), boxed(b"mdat", 60), holds(b"moov", &[nested])].concat()), State::Whole);
    }

    #[test]
    fn other_files_are_let_be_and_a_walk_can_be_stopped() {
        for other in [b"".as_slice(), b"RIFF", b"\0\0\x01\xb3 and a film", b"OggS", b"nothing of the kind"] {
            let _ = state(other);
        }
        assert_eq!(state(b"\0\0\x01\xb3 and a film"), State::Whole);
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&boxed(b"free", 0).repeat(2000)).unwrap();
        assert_eq!(wholeness(&file, &|| true).unwrap(), None);
    }
}
