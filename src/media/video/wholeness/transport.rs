//! MPEG transport streams: packets, by their sync bytes.

use std::io;

use super::{Container, FEWEST_ZEROS, State, Stop, Walk};

/// Places of a transport stream at which it is looked for a packet.
const SAMPLES: u64 = 2048;

impl Walk<'_> {
    /// Packets of a transport stream: as they are broadcast, with a time in front (camcorders), or with a checksum behind.
    pub(super) fn packets(&mut self) -> io::Result<Option<Container>> {
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

    /// Packets are so many that only some are looked at, and the last.
    pub(super) fn transport(&mut self, first: u64, length: u64) -> Result<State, Stop> {
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
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::super::tests::state;

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
}
