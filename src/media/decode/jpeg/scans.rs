//! Goes through the coded data of a stream that another decoder makes pixels of as a whole: whether it is all there, and nothing
//! else. That decoder puts zeros where data is missing and passes over what is left, without a word.
//!
//! Only the words are gone through. What a later scan refines has to be known for that, which is a bit for each number.

use super::super::super::color::Note;
use super::super::super::error::MediaError;
use super::super::super::memory::Share;
use super::huffman::{Code, Lookup};
use super::markers::{DHT, DRI, EOI, Header, SOI, SOS};

/// What is wrong with the scans of a stream, if anything is: the first that is.
pub(super) fn damage(stream: &[u8], header: &Header, share: &Share) -> Result<Option<Note>, MediaError> {
    let mut walk = Walk::new(stream, header, share)?;
    Ok(walk.run().err())
}

struct Walk<'a> {
    stream: &'a [u8],
    at: usize,
    is_progressive: bool,
    components: Vec<Component>,
    /// Units of the frame, of all components.
    units: (u32, u32),
    codes: [Option<Lookup>; 32],
    restart_interval: u32,
}

struct Component {
    id: u8,
    across: u32,
    down: u32,
    /// Blocks that are not padding.
    blocks: (u32, u32),
    /// Blocks in a row of whole units.
    stride: usize,
    /// By the bits of each block, which of its numbers are not zero yet. Empty where no scan refines another.
    known: Vec<u64>,
}

/// A scan, as its header describes it.
struct Scan {
    parts: Vec<Part>,
    first: u32,
    last: u32,
    refines: bool,
}

#[derive(Clone, Copy)]
struct Part {
    component: usize,
    means: u8,
    rest: u8,
}

impl<'a> Walk<'a> {
    fn new(stream: &'a [u8], header: &Header, share: &Share) -> Result<Self, MediaError> {
        let factors = |factor: fn(&super::markers::Component) -> u8| {
            u32::from(header.components.iter().map(factor).max().unwrap_or(1).max(1))
        };
        let (across, down) = (factors(|component| component.across), factors(|component| component.down));
        let (width, height) = (u32::from(header.width), u32::from(header.height));
        let units = (width.div_ceil(8 * across), height.div_ceil(8 * down));
        let mut components = Vec::new();
        for component in &header.components {
            let (own_across, own_down) = (u32::from(component.across), u32::from(component.down));
            let stride = (units.0 * own_across) as usize;
            let mut known = Vec::new();
            if header.progressive {
                share.lengthen(&mut known, stride as u64 * u64::from(units.1 * own_down))?;
            }
            components.push(Component {
                id: component.id,
                across: own_across,
                down: own_down,
                blocks: (
                    (width * own_across).div_ceil(across).div_ceil(8),
                    (height * own_down).div_ceil(down).div_ceil(8),
                ),
                stride,
                known,
            });
        }
        let is_progressive = header.progressive;
        Ok(Self { stream, at: 0, is_progressive, components, units, codes: [const { None }; 32], restart_interval: 0 })
    }

    /// What has no place in a stream is for the decoder to refuse: the walk ends there.
    fn run(&mut self) -> Result<(), Note> {
        while let Some(code) = self.marker() {
            match code {
                SOI | 0x00 | 0x01 | 0xd0..=0xd7 => {}
                EOI => return Ok(()),
                _ => {
                    let Some(body) = self.segment() else { return Ok(()) };
                    match code {
                        DHT => self.read_codes(body),
                        DRI => {
                            let interval = body.first_chunk().map_or(0, |bytes| u16::from_be_bytes(*bytes));
                            self.restart_interval = interval.into();
                        }
                        SOS => match self.scan(body) {
                            Some(scan) => self.walk(&scan)?,
                            None => return Ok(()),
                        },
                        _ => {}
                    }
                }
            }
        }
        Ok(())
    }

    fn marker(&mut self) -> Option<u8> {
        let rest = self.stream.get(self.at..)?;
        let start = rest.iter().position(|byte| *byte == 0xff)?;
        let length = rest[start..].iter().position(|byte| *byte != 0xff)?;
        self.at += start + length + 1;
        rest.get(start + length).copied()
    }

    fn segment(&mut self) -> Option<&'a [u8]> {
        let rest = &self.stream[self.at..];
        let length = usize::from(u16::from_be_bytes(*rest.first_chunk()?));
        self.at += length;
        rest.get(2..length)
    }

    fn read_codes(&mut self, mut body: &[u8]) {
        while let Some((purpose, code)) = Code::take(&mut body) {
            if let Some(place) = self.codes.get_mut(usize::from(purpose)) {
                *place = Some(Lookup::new(&code));
            }
        }
    }

    fn scan(&self, body: &[u8]) -> Option<Scan> {
        let (count, rest) = body.split_first()?;
        let (parts, rest) = rest.split_at_checked(usize::from(*count) * 2)?;
        let [first, last, passes] = *rest.first_chunk()?;
        let part = |[id, codes]: &[u8; 2]| {
            let component = self.components.iter().position(|component| component.id == *id)?;
            Some(Part { component, means: codes >> 4, rest: 0x10 | codes & 0x0f })
        };
        let parts = parts.as_chunks().0.iter().map(part).collect::<Option<Vec<Part>>>()?;
        let (first, last) = if self.is_progressive { (first, last) } else { (0, 63) };
        let is_possible = !parts.is_empty() && first <= last && last < 64;
        let refines = self.is_progressive && passes >> 4 != 0;
        is_possible.then_some(Scan { parts, first: first.into(), last: last.into(), refines })
    }

    fn walk(&mut self, scan: &Scan) -> Result<(), Note> {
        let mut bits = Bits { stream: self.stream, at: self.at, held: 0, count: 0, filling: 0 };
        let (across, down) = match scan.parts[..] {
            [part] => self.components[part.component].blocks,
            _ => self.units,
        };
        let (mut to_restart, mut restarts, mut zeros) = (self.restart_interval, 0_u8, 0_u32);
        for y in 0..down {
            for x in 0..across {
                if self.restart_interval > 0 && to_restart == 0 {
                    bits.restart(restarts)?;
                    (to_restart, restarts, zeros) = (self.restart_interval, (restarts + 1) % 8, 0);
                }
                to_restart = to_restart.wrapping_sub(1);
                if let [part] = scan.parts[..] {
                    self.block(scan, part, (x, y), &mut bits, &mut zeros)?;
                    continue;
                }
                for part in &scan.parts {
                    let Component { across, down, .. } = self.components[part.component];
                    for (row, column) in (0..down).flat_map(|row| (0..across).map(move |column| (row, column))) {
                        self.block(scan, *part, (x * across + column, y * down + row), &mut bits, &mut zeros)?;
                    }
                }
            }
        }
        bits.end()?;
        self.at = bits.at;
        Ok(())
    }

    /// `zeros`: so many blocks are still to come of which this scan says that nothing changes from zero.
    fn block(
        &mut self,
        scan: &Scan,
        part: Part,
        (x, y): (u32, u32),
        bits: &mut Bits<'_>,
        zeros: &mut u32,
    ) -> Result<(), Note> {
        let component = &mut self.components[part.component];
        let code = |number: u8| self.codes.get(usize::from(number)).and_then(Option::as_ref).ok_or(Note::DataMissing);
        if scan.first == 0 {
            if scan.refines {
                bits.take(1);
            } else {
                let class = bits.symbol(code(part.means)?)?;
                bits.take(u32::from(class).min(16));
            }
        }
        let mut at = scan.first.max(1);
        if at <= scan.last {
            let place = y as usize * component.stride + x as usize;
            let mut spare = 0;
            let known = component.known.get_mut(place).unwrap_or(&mut spare);
            if *zeros == 0 {
                let code = code(part.rest)?;
                while at <= scan.last {
                    let symbol = bits.symbol(code)?;
                    let (mut run, class) = (u32::from(symbol >> 4), u32::from(symbol & 0x0f));
                    if class == 0 && run < 15 {
                        // In a sequential scan it ends but the block.
                        *zeros = if self.is_progressive { (1 << run) + bits.take(run) } else { 1 };
                        break;
                    }
                    bits.take(if scan.refines { class.min(1) } else { class });
                    if scan.refines {
                        // What is known already is passed, a bit for each.
                        while at <= scan.last {
                            if *known >> at & 1 == 1 {
                                bits.take(1);
                            } else if run == 0 {
                                break;
                            } else {
                                run -= 1;
                            }
                            at += 1;
                        }
                    } else {
                        at += run;
                    }
                    if class > 0 {
                        if at > scan.last {
                            return Err(Note::DataMissing);
                        }
                        *known |= 1 << at;
                    }
                    at += 1;
                }
            }
            if *zeros > 0 {
                if scan.refines && at <= scan.last {
                    let rest = *known >> at & (u64::MAX >> (63 - (scan.last - at)));
                    bits.take_many(rest.count_ones());
                }
                *zeros -= 1;
            }
        }
        if bits.are_used_up() { Err(Note::DataMissing) } else { Ok(()) }
    }
}

/// The bits of a scan. Behind its end there are zeros, which are counted.
struct Bits<'a> {
    stream: &'a [u8],
    at: usize,
    held: u64,
    count: u32,
    /// Of the bits that are held, those at the end that are not of the scan; and those that were taken of such.
    filling: u32,
}

impl Bits<'_> {
    fn fill(&mut self) {
        while self.count <= 56 {
            let byte = match self.stream[self.at.min(self.stream.len())..] {
                [0xff, 0, ..] => {
                    self.at += 2;
                    0xff
                }
                [0xff, ..] | [] => {
                    self.filling += 8;
                    0
                }
                [byte, ..] => {
                    self.at += 1;
                    byte
                }
            };
            self.held |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
    }

    fn take(&mut self, bits: u32) -> u32 {
        if bits == 0 {
            return 0;
        }
        if self.count < bits {
            self.fill();
        }
        let taken = (self.held >> (64 - bits)) as u32;
        self.held <<= bits;
        self.count -= bits;
        taken
    }

    fn take_many(&mut self, bits: u32) {
        self.take(bits.min(32));
        self.take(bits.saturating_sub(32));
    }

    fn symbol(&mut self, code: &Lookup) -> Result<u8, Note> {
        if self.count < 16 {
            self.fill();
        }
        let (length, symbol) = code.find(self.held);
        if length == 0 {
            return Err(Note::DataMissing);
        }
        self.take(length);
        Ok(symbol)
    }

    /// More was taken than there is.
    const fn are_used_up(&self) -> bool {
        self.count < self.filling
    }

    /// Behind the last unit, or the last before a restart, no more than the rest of a byte is left.
    fn end(&self) -> Result<(), Note> {
        let rest = &self.stream[self.at.min(self.stream.len())..];
        let is_at_marker = matches!(rest, [0xff, code, ..] if *code != 0);
        if self.count - self.filling >= 8 || !is_at_marker { Err(Note::DataLeftOver) } else { Ok(()) }
    }

    fn restart(&mut self, number: u8) -> Result<(), Note> {
        self.fill();
        self.end()?;
        let rest = &self.stream[self.at..];
        let length = rest.iter().position(|byte| *byte != 0xff).unwrap_or(rest.len());
        match rest.get(length) {
            Some(code @ 0xd0..=0xd7) if *code & 7 == number => {
                self.at += length + 1;
                (self.held, self.count, self.filling) = (0, 0, 0);
                Ok(())
            }
            Some(0xd0..=0xd7) => Err(Note::DataLeftOver),
            _ => Err(Note::DataMissing),
        }
    }
}
