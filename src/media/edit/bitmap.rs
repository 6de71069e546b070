//! A bit for each pixel.

use super::super::error::MediaError;
use super::super::limits::Limits;
use super::super::memory::Share;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bitmap {
    width: u32,
    height: u32,
    /// Words in a row.
    words: usize,
    bits: Vec<u64>,
}

impl Bitmap {
    /// All zero, within the limit on memory.
    pub fn new(width: u32, height: u32, limits: &Limits) -> Result<Self, MediaError> {
        let words = (width as usize).div_ceil(64);
        let mut bits = Vec::new();
        Share::of(limits).lengthen(&mut bits, words as u64 * u64::from(height))?;
        Ok(Self { width, height, words, bits })
    }

    pub fn width(&self) -> u32 {
        self.width
    }

    pub fn height(&self) -> u32 {
        self.height
    }

    pub fn get(&self, x: u32, y: u32) -> bool {
        self.bits[y as usize * self.words + x as usize / 64] >> (x % 64) & 1 == 1
    }

    pub fn set(&mut self, x: u32, y: u32) {
        self.bits[y as usize * self.words + x as usize / 64] |= 1 << (x % 64);
    }

    fn clear(&mut self, x: u32, y: u32) {
        self.bits[y as usize * self.words + x as usize / 64] &= !(1 << (x % 64));
    }

    /// Takes the set bits that are joined to (x, y) side by side out of it, and returns them.
    pub fn take_joined(&mut self, x: u32, y: u32, limits: &Limits) -> Result<Self, MediaError> {
        let mut joined = Self { bits: Vec::new(), ..*self };
        let share = Share::of(limits);
        let _own = share.hold(size_of_val(&self.bits[..]) as u64)?;
        share.lengthen(&mut joined.bits, self.bits.len() as u64)?;
        let mut runs = Vec::new();
        if self.get(x, y) {
            runs.push(self.take_run(x, y, &mut joined));
        }
        while let Some(Run { first, last, y }) = runs.pop() {
            for y in [y.checked_sub(1), Some(y + 1).filter(|y| *y < self.height)].into_iter().flatten() {
                let mut x = first;
                while x <= last {
                    x = if self.get(x, y) {
                        let run = self.take_run(x, y, &mut joined);
                        runs.push(run);
                        run.last + 2
                    } else {
                        x + 1
                    };
                }
            }
            limits.check_memory(self.bits.len() as u64 * 16 + (runs.len() * size_of::<Run>()) as u64)?;
        }
        Ok(joined)
    }

    /// Moves the whole run of set bits around (x, y) to `joined`.
    fn take_run(&mut self, x: u32, y: u32, joined: &mut Self) -> Run {
        let (mut first, mut last) = (x, x);
        while first > 0 && self.get(first - 1, y) {
            first -= 1;
        }
        while last + 1 < self.width && self.get(last + 1, y) {
            last += 1;
        }
        for x in first..=last {
            self.clear(x, y);
            joined.set(x, y);
        }
        Run { first, last, y }
    }
}

#[derive(Clone, Copy)]
struct Run {
    first: u32,
    last: u32,
    y: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joined_is_what_can_be_reached_side_by_side() {
        let drawing = ["##.#..##", ".#.#..#.", ".###.##.", "....#...", "########"];
        let mut bitmap = Bitmap::new(8, 5, &Limits::default()).unwrap();
        let draw = |bitmap: &Bitmap| -> Vec<String> {
            let row = |y| (0..8).map(|x| if bitmap.get(x, y) { '#' } else { '.' }).collect();
            (0..5).map(row).collect()
        };
        for (y, row) in drawing.iter().enumerate() {
            for (x, sign) in row.chars().enumerate() {
                if sign == '#' {
                    bitmap.set(x as u32, y as u32);
                }
            }
        }
        let joined = bitmap.take_joined(0, 0, &Limits::default()).unwrap();
        assert_eq!(draw(&joined), ["##.#....", ".#.#....", ".###....", "........", "........"]);
        assert_eq!(draw(&bitmap), ["......##", "......#.", ".....##.", "....#...", "########"]);
        let none = bitmap.take_joined(0, 0, &Limits::default()).unwrap();
        assert_eq!(none, Bitmap::new(8, 5, &Limits::default()).unwrap());
    }
}
