//! Drawings that look like studio photographs of products: solids of revolution, lit, on a table or on nothing.

use rayon::iter::{IndexedParallelIterator, ParallelIterator};
use rayon::slice::ParallelSliceMut;

type Color = [f32; 3];

/// What a product looks like from any side.
#[derive(Debug, Clone, Copy)]
pub(super) struct Product {
    pub outline: Outline,
    pub color: Color,
    pub accent: Color,
    pub pattern: Pattern,
    /// Strength of the highlight.
    pub gloss: f32,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Outline {
    Mug,
    Vase,
    Lamp,
    Bowl,
    Shirt,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Pattern {
    Rings,
    Dots,
    Label,
    Waves,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Backdrop {
    Studio,
    Nothing,
}

/// Pixels from 0 to 1, red, green, blue and alpha, rows from the top.
pub(super) struct Drawing {
    pub width: u32,
    pub height: u32,
    pub pixels: Vec<[f32; 4]>,
}

impl Product {
    /// The product turned by `turn` (1 is once around) in a frame of the given size.
    pub fn draw(&self, width: u32, height: u32, turn: f32, backdrop: Backdrop) -> Drawing {
        let mut pixels = vec![[0.0; 4]; width as usize * height as usize]; // bounded: by the program, which draws it
        let scale = width.min(height) as f32;
        pixels.par_chunks_exact_mut(width as usize).enumerate().for_each(|(y, row)| {
            for (x, pixel) in row.iter_mut().enumerate() {
                let mut sum = [0.0; 4];
                for (dx, dy) in [(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)] {
                    let u = (x as f32 + dx - width as f32 / 2.0) / scale;
                    let v = (y as f32 + dy - height as f32 / 2.0) / scale;
                    let [r, g, b, alpha] = self.seen_at(u, v, turn, backdrop);
                    for (sum, part) in sum.iter_mut().zip([r * alpha, g * alpha, b * alpha, alpha]) {
                        *sum += part;
                    }
                }
                let [r, g, b, alpha] = sum;
                let shown = alpha.max(1e-6);
                *pixel = [r / shown, g / shown, b / shown, alpha / 4.0];
            }
        });
        Drawing { width, height, pixels }
    }

    /// `u` and `v` run from about -0.5 to 0.5.
    fn seen_at(&self, u: f32, v: f32, turn: f32, backdrop: Backdrop) -> [f32; 4] {
        let body = if self.outline == Outline::Shirt { self.shirt(u, v) } else { self.solid(u, v, turn) };
        match (body, backdrop) {
            (Some([r, g, b]), _) => [r, g, b, 1.0],
            (None, Backdrop::Nothing) => [0.0; 4],
            (None, Backdrop::Studio) => {
                let [r, g, b] = studio(u, v);
                [r, g, b, 1.0]
            }
        }
    }

    fn solid(&self, u: f32, v: f32, turn: f32) -> Option<Color> {
        let radius = self.outline.radius(v);
        if u.abs() >= radius {
            return self.handle(u, v, turn);
        }
        let across = u / radius;
        let slope = (self.outline.radius(v + 0.004) - self.outline.radius(v - 0.004)) / 0.008;
        let normal = normalized([across, -slope.clamp(-3.0, 3.0), (1.0 - across * across).sqrt()]);
        let around = across.asin() + turn * std::f32::consts::TAU;
        let surface = if self.pattern.covers(around, v) { self.accent } else { self.color };
        Some(lit(surface, normal, self.gloss))
    }

    /// A mug's handle, a ring beside the body that goes round with it.
    fn handle(&self, u: f32, v: f32, turn: f32) -> Option<Color> {
        if self.outline != Outline::Mug {
            return None;
        }
        let side = (1.2 - turn * std::f32::consts::TAU).sin();
        let (x, y) = ((u - side * 0.25) / (0.12 * side.abs().max(0.08)), v / 0.15);
        let ring = x.hypot(y);
        let across = (ring - 0.86) / 0.16;
        (across.abs() < 1.0).then(|| lit(self.color, normalized([across * x, across * y, 1.0]), self.gloss))
    }

    /// A shirt laid flat, with soft folds.
    fn shirt(&self, u: f32, v: f32) -> Option<Color> {
        let x = u.abs();
        let shoulder = -0.32 + (x - 0.08).max(0.0) * 0.45;
        let body = x < 0.2 && v > shoulder && v < 0.36;
        let sleeve = (0.2..0.38).contains(&x) && v > shoulder && v < shoulder + 0.24 - (x - 0.2) * 0.3;
        let neck = u.hypot((v + 0.34) * 1.3) < 0.085;
        if neck || !(body || sleeve) {
            return None;
        }
        let fold = (u * 23.0 + (v * 7.0).sin() * 1.5).sin() * 0.22 + (u * 9.0 - v * 5.0).cos() * 0.15;
        let print = self.pattern.covers(u * 6.0, v);
        Some(lit(if print && x < 0.14 { self.accent } else { self.color }, normalized([fold, -0.2, 1.0]), self.gloss))
    }
}

impl Outline {
    fn radius(self, v: f32) -> f32 {
        let inside = |top: f32, bottom: f32, radius: f32| if (top..bottom).contains(&v) { radius } else { 0.0 };
        match self {
            Self::Mug => inside(-0.28, 0.3, 0.24 - (v - 0.22).max(0.0) * 0.25),
            Self::Vase => inside(-0.38, 0.36, 0.15 + 0.09 * (v * 7.5 + 0.2).sin() * (1.0 - v * v)),
            Self::Lamp if v < 0.0 => inside(-0.34, 0.0, 0.16 + (v + 0.34) * 0.4),
            Self::Lamp => inside(0.0, 0.38, if v > 0.34 { 0.15 } else { 0.022 }),
            Self::Bowl => inside(-0.06, 0.3, (0.36_f32.powi(2) - (v + 0.06).powi(2)).max(0.0).sqrt() * 0.95),
            Self::Shirt => 0.0,
        }
    }
}

impl Pattern {
    fn covers(self, around: f32, v: f32) -> bool {
        match self {
            Self::Rings => (v * 38.0).sin() > 0.72,
            Self::Dots => {
                let (x, y) = (around * 3.0 / std::f32::consts::PI, v * 9.0);
                (x - x.round()).hypot(y - y.round()) < 0.24
            }
            Self::Label => {
                let from_front =
                    (around + std::f32::consts::PI).rem_euclid(std::f32::consts::TAU) - std::f32::consts::PI;
                let inside = from_front.abs() < 0.75 && (-0.14..0.16).contains(&v);
                let line = (v * 42.0).sin() > 0.55 && from_front.abs() < 0.55;
                inside && !line
            }
            Self::Waves => ((around * 4.0).sin() * 0.03 + v).rem_euclid(0.12) < 0.035,
        }
    }
}

fn studio(u: f32, v: f32) -> Color {
    const TABLE: f32 = 0.22;
    let light = if v < TABLE { 0.93 - (v + 0.5) * 0.16 } else { 0.8 + (v - TABLE) * 0.25 };
    let shadow = 0.45 * (-(u / 0.3).powi(2) - ((v - 0.33) / 0.05).powi(2)).exp();
    let light = light * (1.0 - shadow) * (1.0 - 0.25 * (u * u + v * v));
    [light, light * 0.985, light * 0.96]
}

fn lit(surface: Color, normal: [f32; 3], gloss: f32) -> Color {
    const LIGHT: [f32; 3] = [-0.48, -0.56, 0.675];
    let half = normalized([LIGHT[0], LIGHT[1], LIGHT[2] + 1.0]);
    let dot = |other: [f32; 3]| (0..3).map(|i| normal[i] * other[i]).sum::<f32>().max(0.0);
    let (diffuse, highlight) = (0.3 + 0.75 * dot(LIGHT), gloss * dot(half).powi(48));
    surface.map(|part| (part * diffuse + highlight).min(1.0))
}

fn normalized(vector: [f32; 3]) -> [f32; 3] {
    let length = vector.iter().map(|part| part * part).sum::<f32>().sqrt().max(1e-6);
    vector.map(|part| part / length)
}
