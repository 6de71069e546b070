//! CCITT's codes for black and white (ITU-T T.4 and T.6), row by row. The tables of codes are the `fax` crate's, whose own
//! readers of rows want marks between them that many TIFF files have not, and know rows that refer to the one before in Group 4 only.

use std::io::{self, BufRead, Read};
use std::iter;

use fax::maps::{Mode, black, mode, white};
use fax::{BitReader, ByteReader};

use super::super::super::memory::{Held, Share};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// Rows begin at a byte, and have no marks between them.
    ModifiedHuffman,
    Group3 {
        /// A bit before each row says whether it refers to the one before.
        is_two_dimensional: bool,
    },
    Group4,
}

/// Bits of a row: white is 0, as the codes have it, whatever the page makes of that.
pub struct Fax<'a> {
    bits: ByteReader<Box<dyn Iterator<Item = io::Result<u8>> + 'a>>,
    coding: Coding,
    width: u32,
    /// Where the colour changes in the row before, and in this one; the first change is from white.
    before: Vec<u32>,
    now: Vec<u32>,
    row: Vec<u8>,
    /// Bytes of the row that were handed out.
    taken: usize,
    rows: u64,
    /// For the changes of two rows.
    _held: Held,
}

impl<'a> Fax<'a> {
    pub fn new(bytes: impl BufRead + 'a, coding: Coding, width: u32, share: &Share) -> io::Result<Self> {
        /// Codes are looked at in pieces that reach beyond their end.
        const BEHIND: usize = 8;
        let bytes: Box<dyn Iterator<Item = _>> =
            Box::new(bytes.bytes().chain(iter::repeat_with(|| Ok(0)).take(BEHIND)));
        let held = share.hold(u64::from(width) * 2 * size_of::<u32>() as u64);
        let row = share.bytes(u64::from(width).div_ceil(8));
        let (before, now) = (Vec::new(), Vec::new());
        let (held, row) = (held.map_err(|error| error.carried())?, row.map_err(|error| error.carried())?);
        let taken = row.len();
        Ok(Self { bits: ByteReader::new(bytes)?, coding, width, before, now, row, taken, rows: 0, _held: held })
    }

    /// Decodes the next row; None where its codes make no sense.
    fn next(&mut self) -> Option<()> {
        std::mem::swap(&mut self.before, &mut self.now);
        self.now.clear();
        let refers = match self.coding {
            Coding::ModifiedHuffman => {
                let left = self.bits.bits_to_byte_boundary();
                self.bits.consume(left).ok()?;
                false
            }
            Coding::Group3 { is_two_dimensional } => {
                self.skip_marks()?;
                is_two_dimensional && self.take(1)? == 0
            }
            Coding::Group4 => true,
        };
        if refers {
            self.two_dimensional()?
        } else {
            self.one_dimensional()?
        }
        self.draw();
        self.taken = 0;
        self.rows += 1;
        Some(())
    }

    fn take(&mut self, bits: u8) -> Option<u16> {
        let taken = self.bits.peek(bits)?;
        self.bits.consume(bits).ok()?;
        Some(taken)
    }

    /// Marks for the end of a row: eleven zeros or more, and a one.
    fn skip_marks(&mut self) -> Option<()> {
        while self.bits.peek(11)? == 0 {
            while self.take(1)? == 0 {}
        }
        Some(())
    }

    /// The length of a run: any number of codes for multiples of 64, and one for the rest.
    fn run(&mut self, is_black: bool) -> Option<u32> {
        let mut length = 0_u32;
        loop {
            let part = if is_black { black::decode(&mut self.bits) } else { white::decode(&mut self.bits) }?;
            length = length.saturating_add(part.into());
            if part < 64 {
                return Some(length);
            }
        }
    }

    fn one_dimensional(&mut self) -> Option<()> {
        let (mut at, mut is_black) = (0_u32, false);
        while at < self.width {
            at = at.saturating_add(self.run(is_black)?).min(self.width);
            self.change(at)?;
            is_black = !is_black;
        }
        Some(())
    }

    /// Names are those of T.4: a0 is where the row has come to, b1 and b2 are changes in the row before.
    fn two_dimensional(&mut self) -> Option<()> {
        // Before the first pixel.
        let (mut a0, mut is_black) = (None::<u32>, false);
        while a0.is_none_or(|a0| a0 < self.width) {
            let (b1, b2) = self.changes_above(a0, is_black);
            match mode::decode(&mut self.bits)? {
                Mode::Pass => a0 = Some(b2),
                Mode::Horizontal => {
                    for is_black in [is_black, !is_black] {
                        let end = a0.unwrap_or(0).saturating_add(self.run(is_black)?).min(self.width);
                        self.change(end)?;
                        a0 = Some(end);
                    }
                }
                Mode::Vertical(by) => {
                    let a1 = b1.checked_add_signed(by.into())?.min(self.width);
                    if a0.is_some_and(|a0| a1 < a0) {
                        return None;
                    }
                    self.change(a1)?;
                    is_black = !is_black;
                    a0 = Some(a1);
                }
                Mode::Extension | Mode::EOF => return None,
            }
        }
        Some(())
    }

    /// The next change to the other colour in the row before, and the one after it.
    fn changes_above(&self, a0: Option<u32>, is_black: bool) -> (u32, u32) {
        // All changes from one colour are at even places, those from the other at odd ones.
        let from = self.before.partition_point(|change| a0.is_some_and(|a0| *change <= a0));
        let from = if (from % 2 == 1) == is_black { from } else { from + 1 };
        let change = |at: usize| self.before.get(at).copied().unwrap_or(self.width);
        (change(from), change(from + 1))
    }

    /// No row has more changes than pixels, but for runs of nothing.
    fn change(&mut self, at: u32) -> Option<()> {
        self.now.push(at);
        (self.now.len() <= self.width as usize * 2 + 2).then_some(())
    }

    fn draw(&mut self) {
        self.row.fill(0);
        let ends = self.now.iter().copied().chain(iter::once(self.width));
        let ends: Vec<u32> = ends.collect(); // bounded: by the width, twice
        for black in ends.chunks_exact(2) {
            for x in black[0]..black[1] {
                self.row[x as usize / 8] |= 0x80 >> (x % 8);
            }
        }
    }
}

impl Read for Fax<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.row.len() {
            let damaged = format!("its CCITT codes make no row after {}", self.rows);
            self.next().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, damaged))?;
        }
        let count = buffer.len().min(self.row.len() - self.taken);
        buffer[..count].copy_from_slice(&self.row[self.taken..][..count]);
        self.taken += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::super::limits::Limits;
    use super::*;

    /// libtiff's tools write none of these.
    #[test]
    fn rows_without_marks_begin_at_a_byte() {
        // Four white, five black, seven white; and sixteen black behind no white.
        let codes = [0b1011_0011, 0b1111_0000, 0b0011_0101, 0b0000_0101, 0b1100_0000];
        let mut rows = Fax::new(&codes[..], Coding::ModifiedHuffman, 16, &Share::of(&Limits::default())).unwrap();
        let mut read = [0; 4];
        rows.read_exact(&mut read).unwrap();
        assert_eq!(read, [0b0000_1111, 0b1000_0000, 0xff, 0xff]);
        let error = rows.read_exact(&mut read).unwrap_err();
        assert_eq!(error.to_string(), "its CCITT codes make no row after 2");
    }
}
