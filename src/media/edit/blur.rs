//! A Gaussian blur of rows as they come, within a window of bounded height.
//!
//! Narrow ones are computed from the bell curve itself. Wide ones are three boxes one after the other, whose ends weigh so
//! much that the variance is exactly the wanted one; the sums of a box are carried along, so that a blur of 250 pixels costs
//! as much as one of 10. Beyond its edges the picture goes on with the pixels that lie on them.
//!
//! Values are 16-bit with 8 bits behind the point. Sums are integers: nothing drifts, and every machine gets the same.

use std::collections::VecDeque;
use std::sync::Arc;

/// Values of a row, `step` of them side by side for each pixel.
pub(super) type Values = Arc<[u16]>;

/// From this standard deviation on, boxes.
const WIDE: f64 = 3.0;

/// Boxes that make up a wide blur.
const BOXES: usize = 3;

#[derive(Debug, Clone)]
enum Shape {
    /// Weights from the middle outwards.
    Bell(Arc<[f32]>),
    /// `reach` pixels on both sides weigh 1, and one more on each side `ends`.
    Box { reach: usize, ends: f32 },
}

impl Shape {
    fn bell(deviation: f64) -> Self {
        let reach = (deviation * 4.0).ceil().max(1.0) as usize;
        let bell = |at: usize| (-((at * at) as f64) / (2.0 * deviation * deviation)).exp();
        let sum: f64 = bell(0) + 2.0 * (1..=reach).map(bell).sum::<f64>();
        Self::Bell((0..=reach).map(|at| (bell(at) / sum) as f32).collect())
    }

    fn boxes(deviation: f64) -> Self {
        let variance = deviation * deviation / BOXES as f64;
        let reach = (((12.0 * variance + 1.0).sqrt() - 1.0) / 2.0).floor();
        let ends = (2.0 * reach + 1.0) * (reach * (reach + 1.0) - 3.0 * variance)
            / (6.0 * (variance - (reach + 1.0) * (reach + 1.0)));
        Self::Box { reach: reach as usize, ends: ends as f32 }
    }

    /// Values that it looks at on each side.
    fn reach(&self) -> usize {
        match self {
            Self::Bell(weights) => weights.len() - 1,
            Self::Box { reach, .. } => reach + 1,
        }
    }

    /// Blurs a row along itself.
    fn along(&self, row: &[u16], step: usize) -> Values {
        let pixels = row.len() / step;
        let at = |pixel: isize, channel: usize| row[pixel.clamp(0, pixels as isize - 1) as usize * step + channel];
        let mut out = vec![0; row.len()]; // bounded: as long as the row
        match self {
            Self::Bell(weights) => {
                for pixel in 0..pixels as isize {
                    for channel in 0..step {
                        let mut sum = weights[0] * f32::from(at(pixel, channel));
                        for (away, weight) in (1..).zip(&weights[1..]) {
                            let both = u32::from(at(pixel - away, channel)) + u32::from(at(pixel + away, channel));
                            sum += weight * both as f32;
                        }
                        out[pixel as usize * step + channel] = rounded(sum);
                    }
                }
            }
            Self::Box { reach, ends } => {
                let (far, scale) = (*reach as isize + 1, self.scale());
                for channel in 0..step {
                    let mut sum: u32 = (1 - far..far).map(|pixel| u32::from(at(pixel, channel))).sum();
                    for pixel in 0..pixels as isize {
                        let outer = u32::from(at(pixel - far, channel)) + u32::from(at(pixel + far, channel));
                        out[pixel as usize * step + channel] = rounded((sum as f32 + ends * outer as f32) * scale);
                        sum += u32::from(at(pixel + far, channel));
                        sum -= u32::from(at(pixel + 1 - far, channel));
                    }
                }
            }
        }
        out.into()
    }

    fn scale(&self) -> f32 {
        match self {
            Self::Bell(_) => 1.0,
            Self::Box { reach, ends } => 1.0 / ((2 * reach + 1) as f32 + 2.0 * ends),
        }
    }
}

fn rounded(value: f32) -> u16 {
    (value + 0.5) as u16
}

/// Blurs down a flow of rows with one shape.
#[derive(Debug)]
struct Down {
    shape: Shape,
    window: VecDeque<Values>,
    /// Of all rows in the window.
    sums: Vec<u32>,
    last: Option<Values>,
}

impl Down {
    fn new(shape: Shape) -> Self {
        Self { shape, window: VecDeque::new(), sums: Vec::new(), last: None }
    }

    fn push(&mut self, row: Values, out: &mut Vec<Values>) {
        if self.last.is_none() {
            self.sums = vec![0; row.len()]; // bounded: as long as the row
            for _ in 0..self.shape.reach() {
                self.enter(row.clone(), out);
            }
        }
        self.last = Some(row.clone());
        self.enter(row, out);
    }

    fn finish(&mut self, out: &mut Vec<Values>) {
        if let Some(row) = self.last.take() {
            for _ in 0..self.shape.reach() {
                self.enter(row.clone(), out);
            }
        }
    }

    fn enter(&mut self, row: Values, out: &mut Vec<Values>) {
        let full = 2 * self.shape.reach() + 1;
        if self.window.len() == full
            && let Some(oldest) = self.window.pop_front()
        {
            self.sums.iter_mut().zip(oldest.iter()).for_each(|(sum, value)| *sum -= u32::from(*value));
        }
        self.sums.iter_mut().zip(row.iter()).for_each(|(sum, value)| *sum += u32::from(*value));
        self.window.push_back(row);
        if self.window.len() == full {
            out.push(self.middle());
        }
    }

    /// The row in the middle of a full window.
    fn middle(&self) -> Values {
        let reach = self.shape.reach();
        match &self.shape {
            Shape::Bell(weights) => {
                let middle = self.window[reach].iter();
                let mut sums: Vec<f32> = middle.map(|value| weights[0] * f32::from(*value)).collect();
                for (away, weight) in (1..).zip(&weights[1..]) {
                    let (above, below) = (&self.window[reach - away], &self.window[reach + away]);
                    for ((sum, above), below) in sums.iter_mut().zip(above.iter()).zip(below.iter()) {
                        *sum += weight * (u32::from(*above) + u32::from(*below)) as f32;
                    }
                }
                sums.into_iter().map(rounded).collect()
            }
            Shape::Box { ends, .. } => {
                let (scale, first, last) = (self.shape.scale(), &self.window[0], &self.window[2 * reach]);
                let outer = first.iter().zip(last.iter()).map(|(a, b)| u32::from(*a) + u32::from(*b));
                let blurred = self.sums.iter().zip(outer);
                blurred.map(|(sum, outer)| rounded(((sum - outer) as f32 + ends * outer as f32) * scale)).collect()
            }
        }
    }
}

/// A blur: as many rows come out as go in, some time later.
#[derive(Debug)]
pub(super) struct Blur {
    step: usize,
    stages: Vec<Down>,
}

impl Blur {
    /// `deviation` is more than 0; `step` values lie side by side for each pixel.
    pub fn new(deviation: f64, step: usize) -> Self {
        let stages = if deviation < WIDE {
            vec![Down::new(Shape::bell(deviation))]
        } else {
            vec![Shape::boxes(deviation); BOXES].into_iter().map(Down::new).collect()
        };
        Self { step, stages }
    }

    /// Rows it keeps at most.
    pub fn window(&self) -> usize {
        self.stages.iter().map(|stage| 2 * stage.shape.reach() + 1).sum()
    }

    /// Blurs a row along itself, which is what has to be done to it before it is pushed.
    pub fn along(&self, row: Vec<u16>) -> Values {
        self.stages.iter().fold(row.into(), |row: Values, stage| stage.shape.along(&row, self.step))
    }

    pub fn push(&mut self, row: Values) -> Vec<Values> {
        self.down(vec![row], false)
    }

    /// The rows that are still inside.
    pub fn finish(&mut self) -> Vec<Values> {
        self.down(Vec::new(), true)
    }

    fn down(&mut self, mut rows: Vec<Values>, is_end: bool) -> Vec<Values> {
        for stage in &mut self.stages {
            let mut out = Vec::new();
            for row in rows {
                stage.push(row, &mut out);
            }
            if is_end {
                stage.finish(&mut out);
            }
            rows = out;
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blurred(deviation: f64, rows: &[Vec<u16>]) -> Vec<Values> {
        let mut blur = Blur::new(deviation, 1);
        let mut out: Vec<Values> = Vec::new();
        for row in rows {
            let along = blur.along(row.clone());
            out.extend(blur.push(along));
        }
        out.extend(blur.finish());
        out
    }

    #[test]
    fn a_point_spreads_with_the_wanted_variance() {
        for deviation in [1.0, 2.9, 3.0, 7.3, 25.0] {
            let side = (deviation * 8.0) as usize * 2 + 9;
            let mut rows = vec![vec![0; side]; side];
            rows[side / 2][side / 2] = 65280;
            let out = blurred(deviation, &rows);
            assert_eq!(out.len(), side);
            let weight = |y: usize| out[y].iter().map(|value| f64::from(*value)).sum::<f64>();
            let total: f64 = (0..side).map(weight).sum();
            // What is spread thinly is lost to rounding.
            if deviation < 4.0 {
                assert!((total / 65280.0 - 1.0).abs() < 0.02, "{deviation}: {total}");
                let away = |y: usize| (y as f64 - (side / 2) as f64).powi(2);
                let variance = (0..side).map(|y| weight(y) * away(y)).sum::<f64>() / total;
                assert!((variance.sqrt() / deviation - 1.0).abs() < 0.03, "{deviation}: {}", variance.sqrt());
            }
        }
    }

    #[test]
    fn a_flat_picture_stays_flat_even_if_it_is_smaller_than_the_blur() {
        for deviation in [0.2, 2.0, 11.0, 250.0] {
            for row in blurred(deviation, &vec![vec![51200; 5]; 3]) {
                assert!(row.iter().all(|value| value.abs_diff(51200) <= 2), "{deviation}: {row:?}");
            }
        }
    }

    #[test]
    fn wide_blurs_follow_the_bell_curve() {
        // A step, far from its ends: its blur is the sum of the bell curve.
        let row: Vec<u16> = (0..400).map(|x| if x < 200 { 0 } else { 65280 }).collect();
        let rows = blurred(20.0, &vec![row; 3]);
        let at_one_deviation = f64::from(rows[1][220]) / 65280.0;
        assert!((at_one_deviation - 0.8449).abs() < 0.01, "{at_one_deviation}");
    }
}
