//! MP4, MOV and their like, fragmented too: boxes (ISO/IEC 14496-12, and QuickTime before it).

use super::{State, Stop, Walk, array, number};

/// Boxes that stand beside each other in a file (ISO/IEC 14496-12, and QuickTime before it).
pub(super) const BOXES: [&[u8; 4]; 17] = [
    b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"mfra", b"sidx", b"ssix", b"prft", b"emsg", b"free", b"skip",
    b"wide", b"pnot", b"meta", b"udta", b"uuid",
];
/// Those that fill up, and those of what is said of a film, in which programs leave room for more.
const BOXES_WITH_ROOM: [&[u8; 4]; 7] = [b"free", b"skip", b"wide", b"moov", b"meta", b"udta", b"uuid"];

impl Walk<'_> {
    pub(super) fn boxes(&mut self) -> Result<State, Stop> {
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
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::super::tests::{boxed, cut_anywhere, found, state};

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
}
