//! MXF: KLV triplets, and the footer partition (SMPTE ST 336, 377-1).

use super::{State, Stop, Walk, number};

/// What keys begin with, those of partitions, and those of fill items but for the version that both hold (SMPTE ST 336, 377-1).
const KLV: [u8; 4] = *b"\x06\x0e\x2b\x34";
pub(super) const MXF_PARTITION: [u8; 13] = *b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02\x01\x01";
pub(super) const MXF_HEADER: u8 = 2;
const MXF_FOOTER: u8 = 4;
const MXF_FILL: [u8; 5] = *b"\x03\x01\x02\x10\x01";

impl Walk<'_> {
    pub(super) fn triplets(&mut self) -> Result<State, Stop> {
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
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::super::tests::{cut_anywhere, found, state};
    use super::*;

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
}
