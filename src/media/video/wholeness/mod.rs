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

mod asf;
mod ebml;
mod flv;
mod iso;
mod mxf;
mod ogg;
mod programme;
mod riff;
mod transport;

use std::cell::Cell;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use self::asf::ASF_HEADER;
use self::iso::BOXES;
use self::mxf::{MXF_HEADER, MXF_PARTITION};
use self::programme::PACK;
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
    /// Zeros between its parts, which discs fill sectors up with, and holes of a copy look like.
    Gaps { at: u64 },
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
    let mut walk = Walk {
        file,
        bytes: file.metadata()?.len(),
        window: Vec::new(),
        from: 0,
        parts: 0,
        is_padding: false,
        zeros: Cell::default(),
        cancel,
    };
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
    /// How many zeros there are at the end, once that was asked.
    zeros: Cell<Option<u64>>,
    cancel: Cancel<'a>,
}

/// Longest head of a part: a page of Ogg with all its lengths.
const LONGEST_HEAD: usize = 27 + 255;
const WINDOW: usize = 4096;

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

    /// Whether all that follows are zeros, so few that nothing which is shown was in their place.
    fn has_few_zeros_from(&self, at: u64) -> io::Result<bool> {
        let length = self.bytes - at;
        Ok(length < FEWEST_ZEROS && self.zeros_at_end()? >= length)
    }

    fn zeros_at_end(&self) -> io::Result<u64> {
        if let Some(known) = self.zeros.get() {
            return Ok(known);
        }
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
        self.zeros.set(Some(zeros));
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

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    pub(super) fn found(bytes: &[u8]) -> Wholeness {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        wholeness(&file, &|| false).unwrap().unwrap()
    }

    pub(super) fn state(bytes: &[u8]) -> State {
        found(bytes).state
    }

    pub(super) fn boxed(name: &[u8; 4], content: usize) -> Vec<u8> {
        [&(content as u32 + 8).to_be_bytes(), name.as_slice(), &vec![1; content]].concat()
    }

    /// Each length below that of the whole is cut, but those in `between`, at which a part ends.
    pub(super) fn cut_anywhere(whole: &[u8], from: usize, between: &[usize]) {
        assert_eq!(state(whole), State::Whole);
        for length in (from..whole.len()).filter(|length| !between.contains(length)) {
            let State::Cut { bytes, expected } = state(&whole[..length]) else {
                panic!("{length} of {}: {:?}", whole.len(), state(&whole[..length]));
            };
            assert_eq!(bytes, length as u64);
            assert!(expected > bytes && expected <= whole.len() as u64 + 16, "{length}: {expected}");
        }
    }

    pub(super) fn chunk(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
        [name.as_slice(), &(content.len() as u32).to_le_bytes(), content, &[0][..content.len() % 2]].concat()
    }

    pub(super) fn element(id: &[u8], content: &[u8]) -> Vec<u8> {
        [id, &[0x40 | (content.len() >> 8) as u8, content.len() as u8], content].concat()
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
