//! Matroska and WebM: a Segment, and the clusters in it (RFC 8794, RFC 9559).

use super::{State, Stop, Walk, number};

const SEGMENT: u32 = 0x1853_8067;
const CLUSTER: u32 = 0x1f43_b675;
const VOID: u32 = 0xec;

impl Walk<'_> {
    pub(super) fn elements(&mut self) -> Result<State, Stop> {
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
    use super::super::State;
    use super::super::tests::{cut_anywhere, element, state};

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
}
