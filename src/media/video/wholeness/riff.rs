//! AVI, several RIFFs in one file as OpenDML has them, and the chunks in them.

use super::{State, Stop, Walk, array, number_le};

impl Walk<'_> {
    pub(super) fn riffs(&mut self) -> Result<State, Stop> {
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
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::super::tests::{chunk, cut_anywhere, state};

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
}
