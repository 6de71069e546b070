//! ASF (WMV): objects.

use super::{FEWEST_ZEROS, State, Stop, Walk, array, number_le};

pub(super) const ASF_HEADER: [u8; 16] = *b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c";
/// The object within the header that says how long packets are.
const ASF_PROPERTIES: [u8; 16] = *b"\xa1\xdc\xab\x8c\x47\xa9\xcf\x11\x8e\xe4\x00\xc0\x0c\x20\x53\x65";
const ASF_DATA: [u8; 16] = *b"\x36\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c";
/// The objects that may follow: indexes, simple, general, of media objects and of time codes.
const ASF_INDEXES: [[u8; 16]; 4] = [
    *b"\x90\x08\x00\x33\xb1\xe5\xcf\x11\x89\xf4\x00\xa0\xc9\x03\x49\xcb",
    *b"\xd3\x29\xe2\xd6\xda\x35\xd1\x11\x90\x34\x00\xa0\xc9\x03\x49\xbe",
    *b"\xf8\x03\xb1\xfe\xad\x12\x64\x4c\x84\x0f\x2a\x1d\x2f\x7a\xd4\x8c",
    *b"\xd0\x3f\xb7\x3c\x4a\x0c\x03\x48\x95\x3d\xed\xf7\xb6\x22\x8f\x0c",
];

/// Of an object, and of that of data, behind which there are packets.
const HEAD: u64 = 24;
const EMPTY_DATA: u64 = 50;

impl Walk<'_> {
    pub(super) fn objects(&mut self) -> Result<State, Stop> {
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
                return self.broadcast(at.saturating_add(EMPTY_DATA));
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

    /// Packets of one size up to an index or the end of the file. Those with error correction begin with its flags, which are the same
    /// in all (Advanced Systems Format, 5.2.1).
    fn broadcast(&mut self, first: u64) -> Result<State, Stop> {
        const HAS_CORRECTION: u8 = 0x80;
        let Some(length) = self.packet_length()? else { return Ok(State::Whole) };
        let flags = self.head(first, 1)?.first().copied().unwrap_or(0);
        let mut at = first;
        while at < self.bytes {
            self.part(at)?;
            let head = self.head(at, 16)?;
            if array::<16>(head, 0).is_some_and(|name| ASF_INDEXES.contains(&name)) {
                return Ok(State::Whole);
            }
            let is_other = flags & HAS_CORRECTION != 0 && head.first() != Some(&flags);
            if is_other || at + length > self.bytes {
                return Ok(State::NotEnded);
            }
            at += length;
        }
        Ok(State::Whole)
    }

    fn packet_length(&mut self) -> Result<Option<u64>, Stop> {
        const OBJECTS_FROM: u64 = 30;
        let end = number_le(self.head(0, HEAD as usize)?, 16, 8).unwrap_or(0).min(self.bytes);
        let mut at = OBJECTS_FROM;
        while at < end {
            self.part(at)?;
            let head = self.head(at, 100)?;
            let (Some(name), Some(size)) = (array::<16>(head, 0), number_le(head, 16, 8)) else { break };
            if name == ASF_PROPERTIES {
                let [least, most] = [number_le(head, 92, 4), number_le(head, 96, 4)];
                return Ok(least.filter(|least| *least > 0 && Some(*least) == most));
            }
            at = at.saturating_add(size.max(HEAD));
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::super::tests::{cut_anywhere, state};
    use super::*;

    #[test]
    fn objects_are_whole_or_cut() {
        let object = |name: &[u8; 16], size: u64| [name.as_slice(), &size.to_le_bytes()].concat();
        let full = |name: &[u8; 16], length: usize| [object(name, length as u64 + 24), vec![5; length]].concat();
        let film = [full(&ASF_HEADER, 40), full(&ASF_DATA, 70), full(&ASF_INDEXES[0], 9)].concat();
        cut_anywhere(&film, 16, &[64, 158]);
        let live = [full(&ASF_HEADER, 40), object(&ASF_DATA, 0), vec![5; 33]].concat();
        assert_eq!(state(&live), State::Whole);
        let lengths = [vec![0; 68], 20_u32.to_le_bytes().to_vec(), 20_u32.to_le_bytes().to_vec(), vec![0; 4]].concat();
        let properties = [object(&ASF_PROPERTIES, 24 + lengths.len() as u64), lengths].concat();
        let header = [object(&ASF_HEADER, 30 + properties.len() as u64), vec![0; 6], properties].concat();
        let packet = [vec![0x82], vec![5; 19]].concat();
        let live = [header, object(&ASF_DATA, 0), vec![0; 26], packet.repeat(9)].concat();
        assert_eq!(state(&live), State::Whole);
        for cut in [1, 7, 19] {
            assert_eq!(state(&live[..live.len() - cut]), State::NotEnded, "{cut}");
        }
        assert_eq!(state(&live[..live.len() - 20]), State::Whole, "it does not say how many there are");
        assert_eq!(state(&[live.clone(), vec![7; 40]].concat()), State::NotEnded);
        // As ffmpeg ends what it writes to a pipe.
        assert_eq!(state(&[live, full(&ASF_INDEXES[0], 98), vec![7; 12]].concat()), State::Whole);
        for few in [9, 30, 4095] {
            assert_eq!(state(&[film.clone(), vec![0; few]].concat()), State::Whole, "{few}");
        }
        assert_eq!(state(&[film.clone(), vec![0; 4096]].concat()), State::Zeros { at: film.len() as u64 });
        assert_eq!(state(&[film[..64].to_vec(), vec![0; 30]].concat()), State::Zeros { at: 64 });
        let padded = [full(&ASF_HEADER, 40), object(&ASF_DATA, 5024), vec![0; 5000], vec![0; 30]].concat();
        assert_eq!(state(&padded), State::Zeros { at: 64 + 5024 });
    }
}
