//! MPEG programme streams, those of Video CD and DVD among them: packs and packets (ISO/IEC 13818-1, 11172-1).

use super::{LONGEST_HEAD, State, Stop, Walk, number};

/// What start codes begin with, and the last bytes of some (ISO/IEC 13818-1, 11172-1).
const START: [u8; 3] = [0, 0, 1];
const PROGRAMME_END: u8 = 0xb9;
pub(super) const PACK: u8 = 0xba;
const PADDING: u8 = 0xbe;

impl Walk<'_> {
    pub(super) fn packs(&mut self) -> Result<State, Stop> {
        // A Video CD has 75 sectors a second, 20 zeros behind the sound in each, and sectors of zeros where less is to be said. ffmpeg
        // writes it in sectors of other discs as well, which a hole of pages of memory looks the same as.
        const SECTOR: u64 = 2324;
        const OTHER_SECTOR: u64 = 2048;
        const BEHIND_SOUND: u64 = 20;
        const MOST_SECTORS: u64 = 150;
        /// Zeros that a packet may well end with.
        const FEW: u64 = 32;
        let is_disc = self.bytes.is_multiple_of(SECTOR);
        let is_other_disc = self.bytes.is_multiple_of(OTHER_SECTOR) && matches!(self.head(0, 5)?, [.., 0x20..=0x2f]);
        let may_fill = |zeros: u64, sector: u64| {
            let is_whole = zeros.is_multiple_of(sector) || zeros % sector == BEHIND_SOUND;
            is_whole && zeros <= MOST_SECTORS * sector
        };
        let (mut doubtful, mut has_sound) = (None, false);
        let (mut at, mut is_ended) = (0, false);
        while at < self.bytes {
            self.part(at)?;
            let zeros = self.zeros_from(at)?;
            if zeros > 0 && at + zeros == self.bytes {
                if is_other_disc && !is_ended && (has_sound || zeros == BEHIND_SOUND) && may_fill(zeros, OTHER_SECTOR) {
                    self.is_padding = true;
                    return Ok(match doubtful {
                        Some(at) => State::Gaps { at },
                        None if zeros == BEHIND_SOUND => State::Whole,
                        None => State::NotEnded,
                    });
                }
                self.is_padding = is_ended || is_disc && may_fill(zeros, SECTOR);
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
            has_sound |= skipped > 0 && skipped % OTHER_SECTOR == BEHIND_SOUND;
            match skipped {
                0..=SECTOR => {}
                _ if is_disc && may_fill(skipped, SECTOR) => {}
                _ if is_other_disc && may_fill(skipped, OTHER_SECTOR) => _ = doubtful.get_or_insert(at),
                _ => return Err(Stop::Found(State::Zeros { at })),
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
                (code, _, _) => match number(head, 4, 2) {
                    Some(0) if code == PADDING => 6,
                    // Its length is not said, which none of a programme may do: zeros may have come in its place.
                    Some(0) if self.zeros_from(start + 4)? >= FEW => {
                        return Err(Stop::Found(State::Zeros { at: start + 4 }));
                    }
                    Some(0) => return Ok(State::NotEnded),
                    Some(length) => 6 + length,
                    None => return Err(self.cut(start + 6)),
                },
            };
            at = self.end(start, length)?;
        }
        match doubtful {
            None => Ok(State::Whole),
            Some(at) if has_sound => Ok(State::Gaps { at }),
            Some(at) => Err(Stop::Found(State::Zeros { at })),
        }
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
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::super::tests::{cut_anywhere, found, state};

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
            // Sectors of another size may be holes: only MPEG-1 has them, where 20 zeros stand behind the sound, and they have a line.
            let sector = |zeros: usize| {
                let rest = (2048 - pack.len() - 6 - zeros) as u16;
                let data = vec![9; rest.into()];
                [&pack, b"\0\0\x01\xc0".as_slice(), &rest.to_be_bytes(), &data, &vec![0; zeros]].concat()
            };
            let hole = vec![0; 2048 * 27];
            let disc = [sector(20), hole.clone(), sector(20), vec![0; 2048 * 2]].concat();
            let silent = [sector(0), hole, sector(0)].concat();
            let plain = [sector(20), sector(0), sector(20)].concat();
            match length {
                12 => assert_eq!(state(&disc), State::Gaps { at: 2028 }),
                _ => assert!(matches!(state(&disc), State::Zeros { .. })),
            }
            assert!(matches!(state(&silent), State::Zeros { .. }));
            assert_eq!(found(&plain).state == State::Whole, length == 12);
            let open = &film[..film.len() - 4];
            assert_eq!(state(&[open.to_vec(), vec![0; 100]].concat()), State::NotEnded);
            assert_eq!(state(&[open.to_vec(), vec![0; 5000]].concat()), State::Zeros { at: open.len() as u64 });
            assert_eq!(state(&[open.to_vec(), vec![7; 30]].concat()), State::Lost { at: open.len() as u64 });
            assert_eq!(state(&film.repeat(2)), State::Whole, "two of them");
            let padded = [open, &packet(0xbe, 0), &packet(0xe0, 90), &packet(0xbe, 0), &end].concat();
            assert_eq!(state(&padded), State::Whole, "padding may be empty");
        }
    }
}
