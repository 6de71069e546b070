//! Ogg: pages, and their mark of the end (RFC 3533).

use std::collections::BTreeSet;

use super::{LONGEST_HEAD, State, Stop, Walk, number_le};

/// Streams of an Ogg file whose ends are looked for.
const MOST_STREAMS: usize = 64;

impl Walk<'_> {
    pub(super) fn pages(&mut self) -> Result<State, Stop> {
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
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::super::tests::{cut_anywhere, state};

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
}
