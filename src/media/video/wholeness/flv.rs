//! FLV: tags.

use std::io;

use super::{State, Stop, Walk, array, number};

/// How a script tag of FLV names the length of the whole file: a string, and a number.
const FILE_SIZE: [u8; 11] = *b"\0\x08filesize\0";

impl Walk<'_> {
    pub(super) fn tags(&mut self) -> Result<State, Stop> {
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
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::super::tests::{cut_anywhere, state};
    use super::FILE_SIZE;

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
}
