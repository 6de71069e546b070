//! The scans of streams that cannot be decoded strip by strip: progressive ones, those with a scan for each colour or sampled in
//! unusual ways, and those inside of other files.
//!
//! The numbers of all blocks are kept until the last scan has been read; then they become [`planes`](super::planes) of samples. Data that
//! is missing is an error, and what is left over is told: libraries pass over both without a word.

use super::super::super::color::Note;
use super::super::super::error::MediaError;
use super::super::super::format::Format;
use super::super::super::memory::{Held, Share};
use super::super::Remarks;
use super::huffman::{Code, Lookup};
use super::markers::{Component, DHT, DQT, DRI, EOI, Header, MAX_SCANS, SOS, check_tables};

/// Numbers of a block.
pub(super) const BLOCK: usize = 64;

/// The largest difference of means is written in so many bits, the largest other number in one less.
const MOST_BITS: u8 = 15;

/// Where the numbers of a block lie, in the order of the stream.
#[rustfmt::skip]
const ZIGZAG: [u8; BLOCK] = [
     0,  1,  8, 16,  9,  2,  3, 10, 17, 24, 32, 25, 18, 11,  4,  5,
    12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13,  6,  7, 14, 21, 28,
    35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
    58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// The blocks of a colour component.
pub(super) struct Blocks {
    /// Samples across and down.
    pub size: (u32, u32),
    /// Samples for each pixel across and down, as fractions.
    pub ratio: ((u32, u32), (u32, u32)),
    /// Blocks across, those that only fill up units among them.
    pub across: u32,
    down: u32,
    factors: (u32, u32),
    id: u8,
    table: u8,
    /// What each number is multiplied with. Set by the first scan.
    pub steps: Option<[u16; BLOCK]>,
    pub numbers: Vec<i16>,
    _held: Held,
    /// How many bits each number still lacks, in the order of the stream. None before a scan has told of it.
    lacking: [Option<u8>; BLOCK],
    last_mean: i32,
}

impl Blocks {
    fn is_complete(&self) -> bool {
        self.lacking.iter().all(|bits| *bits == Some(0))
    }
}

/// Reads all scans of a stream. One that has no end-of-image marker is taken if nothing is missing.
pub(super) fn read(
    stream: &[u8],
    header: &Header,
    share: &Share,
    remarks: &Remarks,
) -> Result<Vec<Blocks>, MediaError> {
    Reader::new(header, share, remarks)?.read(stream)
}

/// What is kept of a stream while it is read.
pub(super) fn bytes(header: &Header) -> u64 {
    let most = |of: fn(&Component) -> u8| header.components.iter().map(of).max().unwrap_or(1).max(1);
    let (across, down) = (most(|component| component.across), most(|component| component.down));
    let side = |side: u16, own: u8, most: u8| (u64::from(side) * u64::from(own)).div_ceil(most.into());
    let samples = header
        .components
        .iter()
        .map(|component| side(header.width, component.across, across) * side(header.height, component.down, down));
    // And a few more to fill up units.
    samples.sum::<u64>() * size_of::<i16>() as u64
}

struct Reader<'a> {
    header: &'a Header,
    remarks: &'a Remarks,
    components: Vec<Blocks>,
    tables: [Option<[u16; BLOCK]>; 4],
    codes: [Option<Lookup>; 32],
    restart_interval: u32,
    units: (u32, u32),
    scans: usize,
    table_bytes: u64,
}

/// A scan, and the part of the numbers that is in it.
struct Scan {
    /// Places in the frame, with the numbers of their codes.
    parts: Vec<(usize, u8, u8)>,
    first: usize,
    last: usize,
    /// Bits that are left out of the numbers so far, and that were before; the latter is 0 in their first scan.
    low: u8,
    high: u8,
}

impl<'a> Reader<'a> {
    fn new(header: &'a Header, share: &Share, remarks: &'a Remarks) -> Result<Self, MediaError> {
        let factors: Vec<(u32, u32)> = match header.components.as_slice() {
            // Those of a single component mean nothing.
            [_] => vec![(1, 1)],
            all => all.iter().map(|component| (component.across.into(), component.down.into())).collect(),
        };
        let most = |of: fn(&(u32, u32)) -> u32| factors.iter().map(of).max().unwrap_or(1);
        let (across, down) = (most(|factors| factors.0), most(|factors| factors.1));
        let (width, height) = (u32::from(header.width), u32::from(header.height));
        let units = (width.div_ceil(8 * across), height.div_ceil(8 * down));
        let numbers = |factors: &(u32, u32)| {
            u64::from(units.0) * u64::from(factors.0) * u64::from(units.1) * u64::from(factors.1) * BLOCK as u64
        };
        let mut components = Vec::new();
        for (component, own) in header.components.iter().zip(&factors) {
            let mut room = Vec::new();
            share.lengthen(&mut room, numbers(own))?;
            let held = share.hold(size_of_val(room.as_slice()) as u64)?;
            components.push(Blocks {
                ratio: ((own.0, across), (own.1, down)),
                size: ((width * own.0).div_ceil(across), (height * own.1).div_ceil(down)),
                across: units.0 * own.0,
                down: units.1 * own.1,
                factors: *own,
                id: component.id,
                table: component.quantization,
                steps: None,
                numbers: room,
                _held: held,
                lacking: [None; BLOCK],
                last_mean: 0,
            });
        }
        Ok(Self {
            header,
            remarks,
            components,
            tables: [None; 4],
            codes: [const { None }; 32],
            restart_interval: 0,
            units,
            scans: 0,
            table_bytes: 0,
        })
    }

    fn read(mut self, stream: &[u8]) -> Result<Vec<Blocks>, MediaError> {
        let mut at = 2;
        while let Some((code, after)) = marker(stream, at) {
            // What stands between scans belongs to none: one may have stood there.
            let is_of_picture = matches!(code, EOI | SOS | DHT | DQT | DRI);
            if self.scans > 0 && is_of_picture && stream[at..after - 2].iter().any(|byte| *byte != 0xff) {
                self.remarks.add(Note::DataLeftOver);
            }
            if code == EOI {
                break;
            }
            // No segment follows these.
            if matches!(code, 0x01 | 0xd0..=0xd8) {
                at = after;
                continue;
            }
            let Some((body, after)) = segment(stream, after) else { break };
            at = after;
            match code {
                DHT => self.read_codes(body)?,
                DQT => self.read_tables(body)?,
                DRI => self.restart_interval = body.first_chunk().map_or(0, |bytes| u16::from_be_bytes(*bytes)).into(),
                SOS => {
                    let mut bits = Bits { stream, at, window: 0, count: 0 };
                    self.scan(body, &mut bits)?;
                    at = bits.at;
                    if bits.has_left_over() {
                        self.remarks.add(Note::DataLeftOver);
                    }
                    // What others append behind pixels that are all there is none of the picture's.
                    if self.is_complete() {
                        return Ok(self.components);
                    }
                }
                _ => {}
            }
        }
        self.check_end(marker(stream, at).is_some_and(|(code, _)| code == EOI))?;
        Ok(self.components)
    }

    fn is_complete(&self) -> bool {
        self.components.iter().all(Blocks::is_complete)
    }

    /// Progressive streams may be ended before their last bits, if they say so.
    fn check_end(&self, is_marked: bool) -> Result<(), MediaError> {
        if !is_marked {
            return Err(MediaError::truncated(Format::Jpeg, "it ends before the last of its scans"));
        }
        match self.components.iter().all(|component| component.lacking[0].is_some()) {
            true => Ok(()),
            false => Err(corrupt("it has no scan for one of its colours")),
        }
    }

    fn read_codes(&mut self, mut body: &[u8]) -> Result<(), MediaError> {
        self.count_table(body)?;
        while let Some((purpose, code)) = Code::take(&mut body) {
            if let (Some(place), 0..=3) = (self.codes.get_mut(usize::from(purpose)), purpose & 0x0f) {
                *place = Some(Lookup::new(&code));
            }
        }
        Ok(())
    }

    fn read_tables(&mut self, mut body: &[u8]) -> Result<(), MediaError> {
        self.count_table(body)?;
        while let Some((kind, rest)) = body.split_first() {
            let wide = kind >> 4 != 0;
            let length = if wide { 2 * BLOCK } else { BLOCK };
            let (steps, rest) =
                rest.split_at_checked(length).ok_or_else(|| corrupt("a quantisation table breaks off"))?;
            let mut table = [0; BLOCK];
            for (place, target) in ZIGZAG.iter().enumerate() {
                table[usize::from(*target)] = match wide {
                    true => u16::from_be_bytes([steps[2 * place], steps[2 * place + 1]]),
                    false => steps[place].into(),
                };
            }
            if let Some(place) = self.tables.get_mut(usize::from(kind & 0x0f)) {
                *place = Some(table);
            }
            body = rest;
        }
        Ok(())
    }

    fn count_table(&mut self, body: &[u8]) -> Result<(), MediaError> {
        self.table_bytes += body.len() as u64;
        check_tables(self.table_bytes)
    }

    fn scan(&mut self, body: &[u8], bits: &mut Bits<'_>) -> Result<(), MediaError> {
        self.scans += 1;
        if self.scans > MAX_SCANS {
            return Err(corrupt(format!("it has more than {MAX_SCANS} scans")));
        }
        let scan = self.plan(body)?;
        for (index, ..) in &scan.parts {
            let component = &mut self.components[*index];
            component.steps = component.steps.or(self.tables.get(usize::from(component.table)).copied().flatten());
            if component.steps.is_none() {
                return Err(corrupt("it has a scan without its quantisation table"));
            }
            component.last_mean = 0;
        }
        self.units_of(&scan, bits)?;
        for (index, ..) in &scan.parts {
            self.components[*index].lacking[scan.first..=scan.last].fill(Some(scan.low));
        }
        Ok(())
    }

    fn plan(&self, body: &[u8]) -> Result<Scan, MediaError> {
        let wrong = || corrupt("a scan says of itself what cannot be");
        let (count, rest) = body.split_first().ok_or_else(wrong)?;
        let (parts, rest) = rest.split_at_checked(2 * usize::from(*count)).ok_or_else(wrong)?;
        let [first, last, bits, ..] = *rest else { return Err(wrong()) };
        let place = |id| self.components.iter().position(|component| component.id == id);
        let parts: Vec<_> = parts
            .chunks_exact(2)
            .map(|part| place(part[0]).map(|index| (index, part[1] >> 4, 0x10 | part[1] & 0x0f)))
            .collect::<Option<_>>()
            .ok_or_else(wrong)?;
        let twice = parts.iter().enumerate().any(|(at, part)| parts[..at].iter().any(|other| other.0 == part.0));
        let scan = match self.header.progressive {
            true => Scan { parts, first: first.into(), last: last.into(), low: bits & 0x0f, high: bits >> 4 },
            false => Scan { parts, first: 0, last: BLOCK - 1, low: 0, high: 0 },
        };
        let mixed = self.header.progressive && scan.first == 0 && scan.last > 0;
        let many = scan.first > 0 && scan.parts.len() > 1;
        let steps = scan.high > 0 && scan.high != scan.low + 1;
        if scan.parts.is_empty()
            || twice
            || mixed
            || many
            || steps
            || scan.first > scan.last
            || scan.last >= BLOCK
            || scan.low > 13
        {
            return Err(wrong());
        }
        // Each number is told of once, and then each of its bits in turn.
        let expected = (scan.high > 0).then_some(scan.high);
        let told = scan.parts.iter().flat_map(|(index, ..)| &self.components[*index].lacking[scan.first..=scan.last]);
        match told.clone().all(|lacking| *lacking == expected) {
            true => Ok(scan),
            false => Err(corrupt("its scans do not follow from each other")),
        }
    }

    fn units_of(&mut self, scan: &Scan, bits: &mut Bits<'_>) -> Result<(), MediaError> {
        let alone = scan.parts.len() == 1;
        let (across, down) = match scan.parts.as_slice() {
            // A scan of one component has none of the blocks that only fill up.
            [(index, ..)] => {
                let (width, height) = self.components[*index].size;
                (width.div_ceil(8), height.div_ceil(8))
            }
            _ => self.units,
        };
        let (mut run, mut restarts) = (0, 0);
        let mut to_restart = self.restart_interval;
        for unit in 0..across * down {
            if self.restart_interval > 0 && to_restart == 0 {
                if !bits.restart(restarts)? {
                    self.remarks.add(Note::DataMissing);
                }
                restarts = (restarts + 1) % 8;
                (run, to_restart) = (0, self.restart_interval);
                scan.parts.iter().for_each(|(index, ..)| self.components[*index].last_mean = 0);
            }
            to_restart = to_restart.wrapping_sub(1);
            let (column, row) = (unit % across, unit / across);
            for (index, mean, rest) in &scan.parts {
                let component = &mut self.components[*index];
                let code = |number: u8| self.codes[usize::from(number) & 0x1f].as_ref();
                // The mean of a block of a sequential scan is coded by itself.
                let first = if self.header.progressive { scan.first } else { 1 };
                let codes = Codes { mean: code(*mean), rest: code(*rest), first, last: scan.last, low: scan.low };
                let (wide, high) = if alone { (1, 1) } else { component.factors };
                for block in 0..wide * high {
                    let place = (row * high + block / wide) * component.across + column * wide + block % wide;
                    debug_assert!(place < component.across * component.down);
                    let start = place as usize * BLOCK;
                    let Blocks { numbers, last_mean, .. } = component;
                    let numbers = &mut numbers[start..start + BLOCK];
                    match (self.header.progressive, scan.high) {
                        (false, _) => {
                            codes.mean(bits, numbers, last_mean)?;
                            codes.rest(bits, numbers, &mut 0)?;
                        }
                        (true, 0) if scan.first == 0 => codes.mean(bits, numbers, last_mean)?,
                        (true, _) if scan.first == 0 => numbers[0] |= (bits.take(1)? as i16) << scan.low,
                        (true, 0) => codes.rest(bits, numbers, &mut run)?,
                        (true, _) => codes.refine(bits, numbers, &mut run)?,
                    }
                }
            }
        }
        Ok(())
    }
}

/// What a scan says of the blocks of a component: the codes, as far as it has them, and which numbers are in it.
struct Codes<'a> {
    mean: Option<&'a Lookup>,
    rest: Option<&'a Lookup>,
    first: usize,
    last: usize,
    /// Bits that are left out so far.
    low: u8,
}

impl Codes<'_> {
    fn mean(&self, bits: &mut Bits<'_>, numbers: &mut [i16], last: &mut i32) -> Result<(), MediaError> {
        let size = bits.symbol(self.mean)?;
        *last += bits.signed(size)?;
        numbers[0] =
            i16::try_from(*last << self.low).map_err(|_| corrupt("a block is brighter or darker than can be"))?;
        Ok(())
    }

    /// `run` counts blocks that have nothing more here.
    fn rest(&self, bits: &mut Bits<'_>, numbers: &mut [i16], run: &mut u32) -> Result<(), MediaError> {
        let Self { first, last, low, .. } = *self;
        if *run > 0 {
            *run -= 1;
            return Ok(());
        }
        let mut at = first;
        while at <= last {
            let symbol = bits.symbol(self.rest)?;
            let (zeros, size) = (usize::from(symbol >> 4), symbol & 0x0f);
            match (size, zeros) {
                (0, 15) => at += 16,
                (0, _) => {
                    *run = (1 << zeros) - 1 + bits.take(zeros as u32)?;
                    return Ok(());
                }
                _ => {
                    at += zeros;
                    let place = ZIGZAG.get(at).filter(|_| at <= last).ok_or_else(too_many)?;
                    numbers[usize::from(*place)] = (bits.signed(size)? << low) as i16;
                    at += 1;
                }
            }
        }
        Ok(())
    }

    /// A bit more of the numbers that there are, and new ones among them.
    fn refine(&self, bits: &mut Bits<'_>, numbers: &mut [i16], run: &mut u32) -> Result<(), MediaError> {
        let Self { first, last, low, .. } = *self;
        let mut at = first;
        while *run == 0 && at <= last {
            let symbol = bits.symbol(self.rest)?;
            let (mut zeros, size) = (u32::from(symbol >> 4), symbol & 0x0f);
            let new = match size {
                0 if zeros < 15 => {
                    // This block is one of the run.
                    *run = (1 << zeros) + bits.take(zeros)?;
                    break;
                }
                0 => 0,
                1 if bits.take(1)? == 1 => 1 << low,
                1 => -1 << low,
                _ => return Err(corrupt("a scan adds more than a bit")),
            };
            loop {
                let number = numbers.get_mut(usize::from(*ZIGZAG.get(at).filter(|_| at <= last).ok_or_else(too_many)?));
                let number = number.ok_or_else(too_many)?;
                at += 1;
                if *number != 0 {
                    refined(number, bits, low)?;
                } else if zeros == 0 {
                    *number = new;
                    break;
                } else {
                    zeros -= 1;
                }
                // Sixteen zeros may end with the block.
                if new == 0 && at > last {
                    break;
                }
            }
        }
        if *run > 0 {
            for place in &ZIGZAG[at..=last] {
                let number = &mut numbers[usize::from(*place)];
                if *number != 0 {
                    refined(number, bits, low)?;
                }
            }
            *run -= 1;
        }
        Ok(())
    }
}

fn refined(number: &mut i16, bits: &mut Bits<'_>, low: u8) -> Result<(), MediaError> {
    let bit = (bits.take(1)? as i16) << low;
    *number = number.wrapping_add(if *number > 0 { bit } else { -bit });
    Ok(())
}

/// The coded data of a scan, bit by bit.
struct Bits<'a> {
    stream: &'a [u8],
    /// The byte after those that are in `window`.
    at: usize,
    /// The next bits, from the highest on.
    window: u64,
    count: u32,
}

impl Bits<'_> {
    fn fill(&mut self) {
        while self.count <= 56 {
            let (byte, length) = match self.stream.get(self.at..) {
                Some([0xff, 0x00, ..]) => (0xff, 2),
                // A marker, or a cut.
                Some([0xff, ..]) | Some([]) | None => return,
                Some([byte, ..]) => (*byte, 1),
            };
            self.window |= u64::from(byte) << (56 - self.count);
            self.count += 8;
            self.at += length;
        }
    }

    fn take(&mut self, count: u32) -> Result<u32, MediaError> {
        if count == 0 {
            return Ok(0);
        }
        self.fill();
        if count > self.count {
            return Err(self.used_up());
        }
        let bits = self.window >> (64 - count);
        self.drop(count);
        Ok(bits as u32)
    }

    fn drop(&mut self, count: u32) {
        self.window <<= count;
        self.count -= count;
    }

    fn symbol(&mut self, code: Option<&Lookup>) -> Result<u8, MediaError> {
        self.fill();
        let code = code.ok_or_else(|| corrupt("a scan has no Huffman code"))?;
        match code.find(self.window) {
            (length, _) if length > self.count => Err(self.used_up()),
            (0, _) if self.count < 16 => Err(self.used_up()),
            (0, _) => Err(corrupt("a scan has bits that stand for nothing")),
            (length, symbol) => {
                self.drop(length);
                Ok(symbol)
            }
        }
    }

    fn signed(&mut self, size: u8) -> Result<i32, MediaError> {
        if size == 0 {
            return Ok(0);
        }
        if size > MOST_BITS {
            return Err(corrupt("a number in a scan is larger than can be"));
        }
        let digits = self.take(size.into())? as i32;
        Ok(if digits >> (size - 1) == 0 { digits + 1 - (1 << size) } else { digits })
    }

    /// Whether data follows the scan that is none of it. What others append where no marker follows is none of the picture's.
    fn has_left_over(&self) -> bool {
        let is_at_marker =
            matches!(self.stream.get(self.at..), Some([0xff, code, ..]) if !matches!(code, 0x00 | 0xd0..=0xd7));
        let is_followed = matches!(marker(self.stream, self.at), Some((EOI | SOS | DHT | DQT | DRI, _)));
        is_followed && (self.count >= 8 || !is_at_marker)
    }

    /// False if it is another one than it should be.
    fn restart(&mut self, number: u8) -> Result<bool, MediaError> {
        // All that is in the window lies before the marker: it fills up the last byte.
        if self.count >= 8 {
            return Err(corrupt("a restart marker is not where it is to be"));
        }
        (self.window, self.count) = (0, 0);
        match marker(self.stream, self.at) {
            Some((code @ 0xd0..=0xd7, after)) => {
                self.at = after;
                Ok(code & 7 == number)
            }
            Some(_) => Err(corrupt("a restart marker is missing")),
            None => Err(self.used_up()),
        }
    }

    fn used_up(&self) -> MediaError {
        match marker(self.stream, self.at) {
            Some(_) => corrupt("the data of a scan is used up too early, though the file goes on behind it"),
            None => MediaError::truncated(Format::Jpeg, "a scan breaks off before the last pixel"),
        }
    }
}

/// The next marker and where what follows it begins. What stands in front of it belongs to nothing.
fn marker(stream: &[u8], from: usize) -> Option<(u8, usize)> {
    let mut at = from;
    loop {
        at += stream.get(at..)?.iter().position(|byte| *byte == 0xff)?;
        match stream.get(at + 1)? {
            0x00 => at += 2,
            0xff => at += 1,
            code => return Some((*code, at + 2)),
        }
    }
}

fn segment(stream: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let length = usize::from(u16::from_be_bytes(*stream.get(at..)?.first_chunk()?));
    Some((stream.get(at + 2..at + length)?, at + length))
}

fn too_many() -> MediaError {
    corrupt("a block in a scan has more numbers than fit")
}

fn corrupt(what: impl Into<String>) -> MediaError {
    MediaError::corrupt(Format::Jpeg, what)
}
