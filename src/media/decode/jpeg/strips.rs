//! A sequential JPEG stream cut into strips that are streams of their own, so that a decoder which makes whole pictures
//! can make this one bit by bit.
//!
//! A row of coded units starts at any bit, and its means are coded as differences to the ones before. So the stream is
//! gone through code word by code word, which is a small part of decoding it; then the bits of some rows are copied
//! behind a header, and the few means whose neighbour is missing are coded anew. Restart markers are left out the same
//! way. A stream that breaks off, or goes wrong, is found out here.

use std::collections::{BTreeSet, VecDeque};
use std::io::{self, Read};
use std::ops::Range;

use super::super::super::color::Note;
use super::super::super::error::MediaError;
use super::super::super::format::Format;
use super::super::super::memory::Share;
use super::super::Remarks;
use super::entropy::{BitWriter, Entropy};
use super::huffman::{Lookup, Skips, Word, ends_block, numbers};
use super::markers::{Header, SOI, SOS, ScanComponent};

/// Means beyond this are nonsense: those of 8-bit samples lie within half of it.
const MEAN_LIMIT: i32 = 2048;
/// The class of the largest difference between such means.
const LAST_CLASS: u8 = 12;
/// Blocks that a unit may have by the standard.
const MAX_BLOCKS: u32 = 10;

pub(super) struct Strips<R> {
    /// The stream's header with its codes completed, up to the frame's height, and what follows that.
    head: (Vec<u8>, Vec<u8>),
    grid: Grid,
    components: Vec<Component>,
    restart_interval: u32,
    entropy: Entropy<R>,
    share: Share,
    remarks: Remarks,
    place: u64,
    units_to_restart: u32,
    rows: VecDeque<Row>,
    /// The number of the first of `rows`.
    first_row: u32,
    /// The first row that no strip was made of.
    next_row: u32,
}

/// How a picture is divided into units.
struct Grid {
    height: u32,
    /// Pixel rows of a unit.
    unit_height: u32,
    units_across: u32,
    rows_down: u32,
    /// Rows that a strip is preceded and followed by, because colours are smoothed across.
    context: u32,
}

struct Component {
    blocks: u32,
    means: Lookup,
    rest: Lookup,
    skips: Skips,
    /// Words for all classes of differences, for means that are coded anew.
    words: Vec<Word>,
    last_mean: i32,
}

/// A row of units.
struct Row {
    start: u64,
    /// Each component's first mean, as coded.
    first: Vec<Mean>,
    /// Where the row before is followed by bits that fill up to a restart marker: the place where they start.
    filling: Option<u64>,
    changes: Vec<Change>,
}

/// A mean as the stream codes it, and the ones around it.
struct Mean {
    component: usize,
    from: u64,
    to: u64,
    value: i32,
    /// The component's mean before, in the order of the stream.
    before: i32,
}

enum Change {
    Skip { from: u64, to: u64 },
    Recode(Mean),
}

/// Rows of units that come next.
struct Advance {
    rows: Range<u32>,
    with_context: Range<u32>,
}

/// A stream of some rows.
pub(super) struct Strip {
    pub stream: Vec<u8>,
    /// Pixel rows that it has.
    pub height: u32,
    /// Of them, those that were asked for.
    pub wanted: Range<u32>,
}

impl<R: Read> Strips<R> {
    /// Goes through the stream to the end of its picture.
    pub fn go_through(mut self, height: u32) -> Result<(), MediaError> {
        const ROWS: u32 = 256;
        (0..height).step_by(ROWS as usize).try_for_each(|_| self.advance(ROWS).map(drop))
    }

    /// The strips of a stream whose scan starts in `input`. Gives it back if the stream is not made so that it can be cut.
    pub fn new(header: &Header, input: R, share: Share, remarks: Remarks) -> Result<Self, R> {
        let (Some(head), Some((components, grid))) = (head(header), read_plan(header)) else { return Err(input) };
        let restart_interval = u32::from(header.restart_interval);
        Ok(Self {
            head,
            grid,
            components,
            restart_interval,
            entropy: Entropy::new(input, share.clone()),
            share,
            remarks,
            place: 0,
            units_to_restart: restart_interval,
            rows: VecDeque::new(),
            first_row: 0,
            next_row: 0,
        })
    }

    /// A stream of the next rows of units, of at least `wanted` pixel rows if there are so many.
    pub fn next(&mut self, wanted: u32) -> Result<Strip, MediaError> {
        let Advance { rows, with_context } = self.advance(wanted)?;
        let Grid { unit_height, height, .. } = self.grid;
        let pixel = |row: u32| (row * unit_height).min(height);
        let before = pixel(with_context.start);
        let height = pixel(with_context.end) - before;
        Ok(Strip {
            stream: self.stream(with_context.start, with_context.end, height),
            height,
            wanted: pixel(rows.start) - before..pixel(rows.end) - before,
        })
    }

    /// Goes on to the next rows of units.
    fn advance(&mut self, wanted: u32) -> Result<Advance, MediaError> {
        let Grid { unit_height, rows_down, context, .. } = self.grid;
        let first = self.next_row;
        let end = (first + wanted.div_ceil(unit_height)).min(rows_down);
        let (from, to) = (first.saturating_sub(context), (end + context).min(rows_down));
        while self.first_row < from && self.rows.pop_front().is_some() {
            self.first_row += 1;
        }
        if let Some(row) = self.rows.front() {
            self.entropy.forget(row.start);
        }
        while self.first_row + (self.rows.len() as u32) < to {
            let row = match self.scan_row() {
                Ok(row) => row,
                Err(error) => return Err(self.located(error)),
            };
            self.rows.push_back(row);
            // With restart markers everywhere, more is to be changed than there is data.
            let changes: usize = self.rows.iter().map(|row| row.changes.len()).sum();
            self.share.check((changes * size_of::<Change>()) as u64)?;
        }
        if end == rows_down {
            let rest = self.entropy.finish(self.place).map_err(reading)?;
            if rest.is_filled_up {
                return Err(MediaError::truncated(Format::Jpeg, "its end is nothing but zeros"));
            }
            // What others append to a picture without its end marker is none of it.
            if rest.has_marker && rest.is_left_over {
                self.remarks.add(Note::DataLeftOver);
            }
        }
        self.next_row = end;
        Ok(Advance { rows: first..end, with_context: from..to })
    }

    fn stream(&self, from: u32, to: u32, height: u32) -> Vec<u8> {
        let (before, after) = &self.head;
        let mut head = before.clone();
        head.extend((height as u16).to_be_bytes());
        head.extend(after);
        let mut writer = BitWriter::new(head);
        let rows = self.rows.range((from - self.first_row) as usize..(to - self.first_row) as usize);
        let ends = rows.clone().skip(1).map(|row| row.filling.unwrap_or(row.start));
        let last_end = self.rows.get((to - self.first_row) as usize).map_or(self.place, |row| row.start);
        for (number, (row, end)) in rows.zip(ends.chain([last_end])).enumerate() {
            let mut place = row.start;
            for mean in &row.first {
                let before = if number == 0 { 0 } else { mean.before };
                if number == 0 || row.filling.is_some() {
                    writer.copy(&self.entropy, place, mean.from);
                    self.components[mean.component].recode(mean.value - before, &mut writer);
                    place = mean.to;
                }
            }
            for change in &row.changes {
                match change {
                    Change::Skip { from, to } => {
                        writer.copy(&self.entropy, place, *from);
                        place = *to;
                    }
                    Change::Recode(mean) => {
                        writer.copy(&self.entropy, place, mean.from);
                        self.components[mean.component].recode(mean.value - mean.before, &mut writer);
                        place = mean.to;
                    }
                }
            }
            writer.copy(&self.entropy, place, end);
        }
        writer.finish()
    }

    fn scan_row(&mut self) -> Result<Row, MediaError> {
        let before = self.last_means();
        let filling = self.is_restart_due().then_some(self.place);
        if filling.is_some() {
            self.restart()?;
        }
        let mut row = Row { start: self.place, first: Vec::new(), filling, changes: Vec::new() };
        let first = self.scan_unit()?;
        row.first.extend(means(first, &before));
        for _ in 1..self.grid.units_across {
            if self.is_restart_due() {
                let (from, before) = (self.place, self.last_means());
                self.restart()?;
                row.changes.push(Change::Skip { from, to: self.place });
                let first = self.scan_unit()?;
                row.changes.extend(means(first, &before).map(Change::Recode));
            } else {
                self.scan_unit()?;
            }
        }
        Ok(row)
    }

    /// Says at which row of pixels damage was noticed. It lies there or before: what follows damaged bits can be read on for a while.
    fn located(&self, error: MediaError) -> MediaError {
        let row = (self.first_row + self.rows.len() as u32) * self.grid.unit_height + 1;
        match error {
            MediaError::Corrupt { what, .. } => {
                MediaError::corrupt(Format::Jpeg, format!("{what}, noticed at row {row} of {}", self.grid.height))
            }
            other => other,
        }
    }

    /// There are no bits for the next unit.
    fn used_up(&self) -> MediaError {
        if self.entropy.is_cut_off() {
            return MediaError::truncated(Format::Jpeg, "a scan breaks off before the last pixel");
        }
        MediaError::corrupt(Format::Jpeg, "the data of a scan is used up too early, though the file goes on behind it")
    }

    fn last_means(&self) -> Vec<i32> {
        self.components.iter().map(|component| component.last_mean).collect()
    }

    fn is_restart_due(&self) -> bool {
        self.restart_interval > 0 && self.units_to_restart == 0
    }

    fn restart(&mut self) -> Result<(), MediaError> {
        let taken = self.entropy.take_restart(self.place).map_err(reading)?;
        let behind = taken.ok_or_else(|| self.used_up())?;
        if behind >= self.place + 8 {
            self.remarks.add(Note::DataLeftOver);
        }
        self.place = behind;
        self.units_to_restart = self.restart_interval;
        self.components.iter_mut().for_each(|component| component.last_mean = 0);
        Ok(())
    }

    /// Goes through one unit and returns each component's first mean: its place, where it ends, and its value.
    fn scan_unit(&mut self) -> Result<[(u64, u64, i32); 4], MediaError> {
        self.entropy.reach(self.place).map_err(reading)?;
        let mut firsts = [(0, 0, 0); 4];
        let mut place = self.place;
        for (component, first) in self.components.iter_mut().zip(&mut firsts) {
            for block in 0..component.blocks {
                let bits = self.entropy.peek(place);
                let len = component.scan_mean(bits)?;
                if block == 0 {
                    *first = (place, place + u64::from(len), component.last_mean);
                }
                // A mean is coded in 28 bits at most, which leaves enough to look at.
                place = component.scan_rest(&self.entropy, place + u64::from(len), bits << len)?;
            }
        }
        if self.entropy.boundary().is_some_and(|boundary| place > boundary) {
            return Err(self.used_up());
        }
        self.place = place;
        self.units_to_restart = self.units_to_restart.wrapping_sub(1);
        Ok(firsts)
    }
}

fn means(firsts: [(u64, u64, i32); 4], before: &[i32]) -> impl Iterator<Item = Mean> {
    let mean = |(component, ((from, to, value), before)): (usize, ((u64, u64, i32), &i32))| Mean {
        component,
        from,
        to,
        value,
        before: *before,
    };
    firsts.into_iter().zip(before).enumerate().map(mean)
}

impl Component {
    /// Takes in the next mean, and returns how many of `bits` it is coded in.
    #[inline(always)]
    fn scan_mean(&mut self, bits: u64) -> Result<u32, MediaError> {
        let (len, class) = self.means.find(bits);
        if len == 0 || class > LAST_CLASS {
            return Err(no_word());
        }
        if class > 0 {
            let digits = (bits << len >> (64 - class)) as i32;
            let difference = if digits >> (class - 1) == 0 { digits + 1 - (1 << class) } else { digits };
            self.last_mean += difference;
            if self.last_mean.abs() >= MEAN_LIMIT {
                return Err(MediaError::corrupt(Format::Jpeg, "a block is brighter or darker than can be"));
            }
        }
        Ok(len + u32::from(class))
    }

    /// Goes to the end of the block. `bits` are those from `place` on, at least as many as [`Skips`] looks at.
    #[inline(always)]
    fn scan_rest<R: Read>(&self, entropy: &Entropy<R>, mut place: u64, mut bits: u64) -> Result<u64, MediaError> {
        let mut number = 1;
        loop {
            let skip = self.skips.find(bits);
            let (len, count, ends) = if skip.bits > 0 && number + u32::from(skip.numbers) <= 64 {
                (skip.bits.into(), skip.numbers, skip.ends)
            } else {
                let (len, symbol) = self.rest.find(entropy.peek(place));
                if len == 0 {
                    return Err(no_word());
                }
                (len + u32::from(symbol & 0x0f), numbers(symbol), ends_block(symbol))
            };
            place += u64::from(len);
            number += u32::from(count);
            if ends || number == 64 {
                return Ok(place);
            }
            if number > 64 {
                return Err(MediaError::corrupt(Format::Jpeg, "a block in a scan has more numbers than fit"));
            }
            bits = entropy.peek(place);
        }
    }

    fn recode(&self, difference: i32, writer: &mut BitWriter) {
        let class = 32 - difference.unsigned_abs().leading_zeros();
        let word = self.words[(class as usize).min(self.words.len() - 1)];
        writer.put(word.bits.into(), word.len);
        let digits = if difference < 0 { difference - 1 } else { difference };
        writer.put(digits as u32, class);
    }
}

/// How a stream is read, if it can be cut.
fn read_plan(header: &Header) -> Option<(Vec<Component>, Grid)> {
    let in_order = header.scan.iter().enumerate().all(|(place, part)| part.index == place);
    if header.progressive
        || !header.is_usually_sampled()
        || !in_order
        || header.scan.len() != header.components.len()
        || header.components.len() > 4
    {
        return None;
    }
    // The factors of a single component mean nothing.
    let factors: Vec<(u32, u32)> = match header.components.as_slice() {
        [_] => vec![(1, 1)],
        all => all.iter().map(|component| (component.across.into(), component.down.into())).collect(),
    };
    if factors.iter().map(|(across, down)| across * down).sum::<u32>() > MAX_BLOCKS {
        return None;
    }
    let across = factors.iter().map(|(across, _)| *across).max()?;
    let down = factors.iter().map(|(_, down)| *down).max()?;
    let component = |(part, (across, down)): (&ScanComponent, &(u32, u32))| {
        let (means, rest) = (header.codes.get(&part.mean_code)?, header.codes.get(&part.rest_code)?);
        let rest = Lookup::new(rest);
        Some(Component {
            blocks: across * down,
            means: Lookup::new(means),
            skips: Skips::new(&rest),
            rest,
            words: means.completed(LAST_CLASS)?.words_up_to(LAST_CLASS),
            last_mean: 0,
        })
    };
    let components = header.scan.iter().zip(&factors).map(component).collect::<Option<_>>()?;
    let height = u32::from(header.height);
    let grid = Grid {
        height,
        unit_height: 8 * down,
        units_across: u32::from(header.width).div_ceil(8 * across),
        rows_down: height.div_ceil(8 * down),
        context: factors.iter().any(|(_, factor)| *factor < down).into(),
    };
    Some((components, grid))
}

/// The header of a strip: what comes before the frame's height, and what comes after it.
fn head(header: &Header) -> Option<(Vec<u8>, Vec<u8>)> {
    let count = header.components.len() as u8;
    let mut before = vec![0xff, SOI];
    before.extend(header.tables());
    let purposes = header.scan.iter().flat_map(|part| [part.mean_code, part.rest_code]);
    for purpose in purposes.collect::<BTreeSet<u8>>() {
        let code = header.codes.get(&purpose)?;
        let is_mean = purpose < 0x10;
        let completed = if is_mean { code.completed(LAST_CLASS)? } else { code.clone() };
        before.extend(completed.segment(purpose));
    }
    const SEQUENTIAL: u8 = 0xc0;
    before.extend([0xff, SEQUENTIAL, 0, 8 + 3 * count, header.depth]);
    let mut after = header.width.to_be_bytes().to_vec();
    after.push(count);
    // The decoder takes names for colours, whatever goes before them.
    let ids: Vec<u8> = match header.is_rgb() {
        true => header.components.iter().map(|component| component.id).collect(),
        false => (1..=count).collect(),
    };
    for (component, id) in header.components.iter().zip(&ids) {
        let factors = if count == 1 { 0x11 } else { component.across << 4 | component.down };
        after.extend([*id, factors, component.quantization]);
    }
    after.extend([0xff, SOS, 0, 6 + 2 * count, count]);
    for (part, id) in header.scan.iter().zip(ids) {
        after.extend([id, part.mean_code << 4 | part.rest_code & 0x0f]);
    }
    after.extend([0, 63, 0]);
    Some((before, after))
}

fn reading(error: io::Error) -> MediaError {
    MediaError::reading(Format::Jpeg, error)
}

fn no_word() -> MediaError {
    MediaError::corrupt(Format::Jpeg, "a scan has bits that stand for nothing")
}
