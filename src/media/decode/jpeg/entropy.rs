//! The coded data of a scan as bits, read from the file as they are needed.
//!
//! A byte of ones is followed by a zero in the file, so that it cannot be taken for a marker; here it stands alone. Where
//! restart markers were is remembered.

use std::collections::VecDeque;
use std::io::{self, Read};

use super::super::super::error::MediaError;
use super::super::super::memory::Share;
use super::markers::EOI;

/// Bytes that may be looked at behind any place that has been [`Entropy::reach`]ed: more than the largest unit of a scan
/// (ten blocks of 64 numbers) takes.
const AHEAD: usize = 2560;

const PIECE: usize = 1 << 16;

pub(super) struct Entropy<R> {
    input: R,
    share: Share,
    piece: Vec<u8>,
    /// The last byte of the piece before was the first of a marker or of a stuffed byte.
    after_ones: bool,
    bytes: Vec<u8>,
    /// Bytes that came before `bytes` and are not kept.
    gone: u64,
    /// Places of restart markers that lie ahead, in bytes.
    restarts: VecDeque<u64>,
    end: Option<End>,
}

/// Where the data ends, in bytes, and how.
#[derive(Debug, Clone, Copy)]
struct End {
    place: u64,
    marker: Option<u8>,
}

/// What follows the last unit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rest {
    /// A marker ends the data.
    pub has_marker: bool,
    /// Before that there is more than the rest of a byte.
    pub is_left_over: bool,
    /// The file ends with zeros that nothing marks the end of, and the last units were read out of them: codes of zeros are codes.
    pub is_filled_up: bool,
}

/// So many zeros at the end are what an interrupted copy was filled up with.
const FEWEST_ZEROS: u64 = 512;

impl<R: Read> Entropy<R> {
    pub fn new(input: R, share: Share) -> Self {
        Self {
            input,
            share,
            piece: vec![0; PIECE],
            after_ones: false,
            bytes: Vec::new(),
            gone: 0,
            restarts: VecDeque::new(),
            end: None,
        }
    }

    /// Makes sure that the bits from `place` on can be looked at. Behind the end there are zeros.
    #[inline(always)]
    pub fn reach(&mut self, place: u64) -> io::Result<()> {
        if (place / 8 - self.gone) as usize + AHEAD <= self.bytes.len() { Ok(()) } else { self.fill(place) }
    }

    #[cold]
    fn fill(&mut self, place: u64) -> io::Result<()> {
        while ((place / 8 - self.gone) as usize + AHEAD) > self.bytes.len() {
            if self.end.is_some() {
                self.bytes.resize((place / 8 - self.gone) as usize + AHEAD, 0); // bounded: by AHEAD
            } else {
                self.read_piece()?;
            }
        }
        Ok(())
    }

    /// Bits from `place` on, at least 57 of them that count.
    #[inline(always)]
    pub fn peek(&self, place: u64) -> u64 {
        let byte = (place / 8 - self.gone) as usize;
        let bits = self.bytes.get(byte..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u64::from_be_bytes(*bytes));
        bits << (place % 8)
    }

    /// Where the data up to the next restart marker, or to the end, ends, in bits. None if that is not known yet, and
    /// further than anything reached.
    #[inline(always)]
    pub fn boundary(&self) -> Option<u64> {
        let next = self.restarts.front().copied().or(self.end.map(|end| end.place));
        next.map(|place| place * 8)
    }

    /// Whether the file itself ends where the data does, with no marker behind it.
    pub fn is_cut_off(&self) -> bool {
        self.restarts.is_empty() && self.end.is_some_and(|end| end.marker.is_none())
    }

    /// Takes the restart marker that follows `place` or a little filling: data goes on at the place returned, in bits.
    pub fn take_restart(&mut self, place: u64) -> io::Result<Option<u64>> {
        self.reach(place)?;
        Ok(self.restarts.pop_front().map(|place| place * 8))
    }

    /// Reads on to the end behind `place`, keeping nothing of it: what is there.
    pub fn finish(&mut self, place: u64) -> io::Result<Rest> {
        let (kept, done) = (self.bytes.len(), place.div_ceil(8));
        let known = self.end.map_or(self.gone + kept as u64, |end| end.place);
        let mut is_left_over = known > done;
        let there = usize::try_from(known - self.gone).unwrap_or(kept).min(kept);
        let (mut length, mut zeros) = (known, zeros_at_end(&self.bytes[..there]));
        while self.end.is_none() {
            self.read_piece()?;
            let piece = &self.bytes[kept..];
            is_left_over |= !piece.is_empty();
            length += piece.len() as u64;
            zeros = zeros_at_end(piece) + if piece.iter().all(|byte| *byte == 0) { zeros } else { 0 };
            self.bytes.truncate(kept);
            self.restarts.clear();
        }
        let has_marker = self.end.is_some_and(|end| end.marker.is_some());
        // The rest of the last byte that was written may be zeros as well.
        let is_filled_up = !has_marker && zeros >= FEWEST_ZEROS && length - zeros + 2 < done;
        Ok(Rest { has_marker, is_left_over, is_filled_up })
    }

    /// Lets go of what lies before `place`.
    pub fn forget(&mut self, place: u64) {
        let count = (place / 8 - self.gone) as usize;
        self.bytes.drain(..count.min(self.bytes.len()));
        self.gone += count as u64;
    }

    fn read_piece(&mut self) -> io::Result<()> {
        // Coded data of the rows that are not done with, and where restart markers stand in it.
        let kept = self.bytes.len() + self.restarts.len() * size_of::<u64>() + 2 * PIECE;
        self.share.check(kept as u64).map_err(MediaError::carried)?;
        let count = self.input.read(&mut self.piece)?;
        if count == 0 {
            self.finish_at(None);
            return Ok(());
        }
        let mut rest = &self.piece[..count];
        loop {
            if self.after_ones {
                let Some((code, after)) = rest.split_first() else { return Ok(()) };
                // A byte of ones in front of a marker only fills up.
                if *code == 0xff {
                    rest = after;
                    continue;
                }
                self.after_ones = false;
                match code {
                    0 => self.bytes.push(0xff),
                    0xd0..=0xd7 => {
                        let place = self.gone + self.bytes.len() as u64;
                        if self.restarts.back() == Some(&place) {
                            let what = "two restart markers have no data between them";
                            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
                        }
                        self.restarts.push_back(place);
                    }
                    marker => {
                        let marker = *marker;
                        self.finish_at(Some(marker));
                        return Ok(());
                    }
                }
                rest = after;
            }
            match rest.iter().position(|byte| *byte == 0xff) {
                Some(place) => {
                    self.bytes.extend_from_slice(&rest[..place]);
                    rest = &rest[place + 1..];
                    self.after_ones = true;
                }
                None => {
                    self.bytes.extend_from_slice(rest);
                    return Ok(());
                }
            }
        }
    }

    fn finish_at(&mut self, marker: Option<u8>) {
        self.end = Some(End { place: self.gone + self.bytes.len() as u64, marker });
    }
}

fn zeros_at_end(bytes: &[u8]) -> u64 {
    bytes.iter().rev().take_while(|byte| **byte == 0).count() as u64
}

/// Bits on their way into a scan.
pub(super) struct BitWriter {
    pub out: Vec<u8>,
    bits: u64,
    count: u32,
}

impl BitWriter {
    /// Goes on behind what is in `out`.
    pub fn new(out: Vec<u8>) -> Self {
        Self { out, bits: 0, count: 0 }
    }

    /// Adds the last `len` of `bits`, up to 32.
    #[inline(always)]
    pub fn put(&mut self, bits: u32, len: u32) {
        self.bits = self.bits << len | (u64::from(bits) & ((1 << len) - 1));
        self.count += len;
        if self.count >= 32 {
            self.count -= 32;
            let four = ((self.bits >> self.count) as u32).to_be_bytes();
            if four.contains(&0xff) {
                four.into_iter().for_each(|byte| stuff(&mut self.out, byte));
            } else {
                self.out.extend_from_slice(&four);
            }
        }
    }

    /// Adds the bits of `entropy` from one place up to another.
    pub fn copy<R: Read>(&mut self, entropy: &Entropy<R>, mut from: u64, to: u64) {
        while from < to {
            let len = (to - from).min(32) as u32;
            self.put((entropy.peek(from) >> (64 - len)) as u32, len);
            from += u64::from(len);
        }
    }

    /// Fills the last byte up with ones and ends the picture.
    pub fn finish(mut self) -> Vec<u8> {
        self.put(u32::MAX, (8 - self.count % 8) % 8);
        let rest = (self.bits << (32 - self.count)) as u32;
        let whole = self.count as usize / 8;
        rest.to_be_bytes().into_iter().take(whole).for_each(|byte| stuff(&mut self.out, byte));
        self.out.extend([0xff, EOI]);
        self.out
    }
}

fn stuff(out: &mut Vec<u8>, byte: u8) {
    out.push(byte);
    if byte == 0xff {
        out.push(0);
    }
}
