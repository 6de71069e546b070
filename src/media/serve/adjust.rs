//! What `op_` commands do to the colours of the composite picture, in sRGB, and `bgColor`.
//!
//! They are carried out in this order, whatever order they are written in: `op_blur`, `op_brightness`, `op_contrast`, `op_saturation`,
//! `op_hue`, `op_colorize`, `op_invert`. The reference has their ranges and next to no formulas; these are those of
//! other programs, which the tests are held against:
//!
//! * brightness is added to each component, 100 being the whole range, and contrast turns the line of each component
//!   about its middle (ImageMagick, `-brightness-contrast`);
//! * saturation goes from gray by the weights of Rec. 601 through the colour itself and beyond (the matrix of SVG filters);
//! * hue turns in HSL (ImageMagick, `-modulate`);
//! * colorize leads black through the colour to white along the brightness.

use super::color::Colors;
use super::geometry::Place;
use super::sharpen::{Plane, blur};
use crate::serving::{Adjustments, Colorize, Norm};

/// A blur whose deviation is less changes nothing that could be seen.
const SMALLEST_BLUR: f64 = 0.05;

/// `scale` is how much smaller the view is than the composite picture, which lies in it at `area`.
pub(super) fn adjust(colors: &mut Colors, area: Place, adjustments: &Adjustments, scale: f64) {
    let Adjustments { brightness, contrast, saturation, hue, invert, colorize, blur } = *adjustments;
    soften(colors, area, blur * scale);
    if brightness != 0 || contrast != 0 {
        let table = levels(brightness, contrast);
        each(colors, area, |pixel| pixel.map(|sample| table[usize::from(sample)]));
    }
    if saturation != 0 {
        let factor = 1.0 + f64::from(saturation) / 100.0;
        each(colors, area, |pixel| saturated(pixel, factor));
    }
    if hue != 0 {
        each(colors, area, |pixel| turned(pixel, f64::from(hue)));
    }
    if let Some(colorize) = colorize {
        let table = colorized(colorize, &brightness_of(colors, area));
        each(colors, area, |pixel| table[usize::from(luma(pixel))]);
    }
    if invert {
        each(colors, area, |pixel| pixel.map(|sample| u8::MAX - sample));
    }
}

/// Lays the composite picture on a colour, given as the samples of the file.
pub(super) fn fill(colors: &mut Colors, area: Place, color: &[u8], alpha: u8) {
    let width = colors.width as usize;
    let Some(seen) = &mut colors.alpha else { return };
    for row in area.rows() {
        for column in area.columns() {
            let at = row as usize * width + column as usize;
            let pixel = &mut colors.pixels[at * colors.samples..(at + 1) * colors.samples];
            let own = u32::from(seen[at]) * 255;
            let behind = u32::from(alpha) * (255 - u32::from(seen[at]));
            let sum = own + behind;
            if behind == 0 || sum == 0 {
                continue;
            }
            for (sample, filled) in pixel.iter_mut().zip(color) {
                *sample = ((u32::from(*sample) * own + u32::from(*filled) * behind + sum / 2) / sum) as u8;
            }
            seen[at] = ((sum + 127) / 255) as u8;
        }
    }
}

/// Blurs the colours that are seen, and the alpha.
pub(super) fn soften(colors: &mut Colors, area: Place, deviation: f64) {
    if deviation < SMALLEST_BLUR || area.width == 0 || area.height == 0 {
        return;
    }
    let (width, samples) = (colors.width as usize, colors.samples);
    let places = || {
        let row = move |row: u32| area.columns().map(move |column| row as usize * width + column as usize);
        area.rows().flat_map(row)
    };
    let softened = |values: Vec<f32>| blur(&Plane { width: area.width as usize, values }, deviation).values;
    let before = colors.alpha.clone();
    if let Some(alpha) = &mut colors.alpha {
        let seen = softened(places().map(|at| f32::from(alpha[at])).collect());
        places().zip(seen).for_each(|(at, seen)| alpha[at] = byte(seen.into()));
    }
    // Colours count as much as they show.
    let shown = |alpha: Option<&Vec<u8>>, at: usize| alpha.map_or(1.0, |alpha| f32::from(alpha[at]) / 255.0);
    let Colors { pixels, alpha, .. } = colors;
    for channel in 0..samples {
        let value = |at: usize| f32::from(pixels[at * samples + channel]) * shown(before.as_ref(), at);
        let values = softened(places().map(value).collect());
        for (at, value) in places().zip(values) {
            let seen = shown(alpha.as_ref(), at);
            if seen > 0.0 {
                pixels[at * samples + channel] = byte((value / seen).into());
            }
        }
    }
}

fn byte(value: f64) -> u8 {
    value.round().clamp(0.0, 255.0) as u8
}

/// Does something to each pixel of the composite picture.
fn each(colors: &mut Colors, area: Place, change: impl Fn([u8; 3]) -> [u8; 3]) {
    let stride = colors.width as usize * 3;
    let rows = colors.pixels.chunks_exact_mut(stride).skip(area.y as usize).take(area.height as usize);
    for row in rows {
        let part = &mut row[area.x as usize * 3..(area.x + area.width) as usize * 3];
        part.as_chunks_mut::<3>().0.iter_mut().for_each(|pixel| *pixel = change(*pixel));
    }
}

/// What becomes of each value of a component.
fn levels(brightness: i8, contrast: i8) -> [u8; 256] {
    let slope = (std::f64::consts::FRAC_PI_4 * (f64::from(contrast) / 100.0 + 1.0)).tan();
    let mut table = [0; 256];
    for (value, to) in table.iter_mut().enumerate() {
        let bright = (value as f64 + f64::from(brightness) * 2.55).clamp(0.0, 255.0);
        *to = byte((bright - 127.5) * slope + 127.5);
    }
    table
}

fn luma([red, green, blue]: [u8; 3]) -> u8 {
    let [red, green, blue] = [red, green, blue].map(u32::from);
    ((299 * red + 587 * green + 114 * blue + 500) / 1000) as u8
}

fn saturated(pixel: [u8; 3], factor: f64) -> [u8; 3] {
    let gray = f64::from(luma(pixel));
    pixel.map(|sample| byte(gray + (f64::from(sample) - gray) * factor))
}

/// With another hue, by degrees; lightness and saturation stay.
fn turned(pixel: [u8; 3], degrees: f64) -> [u8; 3] {
    let [red, green, blue] = pixel.map(f64::from);
    let (low, high) = (red.min(green).min(blue), red.max(green).max(blue));
    let chroma = high - low;
    if chroma == 0.0 {
        return pixel;
    }
    let sector = if high == red {
        (green - blue) / chroma
    } else if high == green {
        (blue - red) / chroma + 2.0
    } else {
        (red - green) / chroma + 4.0
    };
    let sector = (sector + degrees / 60.0).rem_euclid(6.0);
    // How much of the chroma a component has whose own place on the circle is so far off.
    let share = |own: f64| {
        let away = (sector - own + 3.0).rem_euclid(6.0) - 3.0;
        (2.0 - away.abs()).clamp(0.0, 1.0)
    };
    [0.0, 2.0, 4.0].map(|own| byte(low + chroma * share(own)))
}

/// How often each brightness is seen.
fn brightness_of(colors: &Colors, area: Place) -> [u64; 256] {
    let mut counts = [0; 256];
    let pixels = colors.pixels.as_chunks::<3>().0;
    for row in area.rows() {
        for column in area.columns() {
            let at = row as usize * colors.width as usize + column as usize;
            if colors.alpha.as_ref().is_none_or(|alpha| alpha[at] > 0) {
                counts[usize::from(luma(pixels[at]))] += 1;
            }
        }
    }
    counts
}

/// What each brightness becomes.
fn colorized(Colorize { color, norm }: Colorize, counts: &[u64; 256]) -> [[u8; 3]; 256] {
    let mut table = [[0; 3]; 256];
    let to_middle = norm.map(|norm| Middle::of(counts, norm));
    for (value, to) in table.iter_mut().enumerate() {
        let value = value as f64;
        let bright = to_middle.as_ref().map_or(value, |middle| middle.bring(value)) / 255.0;
        *to = color.map(|sample| {
            let sample = f64::from(sample);
            let half = 2.0 * bright;
            byte(if half <= 1.0 { sample * half } else { sample + (255.0 - sample) * (half - 1.0) })
        });
    }
    table
}

/// How brightness is brought to the middle.
struct Middle {
    median: f64,
    slope: f64,
}

impl Middle {
    fn of(counts: &[u64; 256], Norm { contrast }: Norm) -> Self {
        let all: u64 = counts.iter().sum();
        let mut below = 0;
        let median = counts.iter().position(|count| {
            below += count;
            below * 2 >= all
        });
        let seen = |count: &u64| *count > 0;
        let range = match (counts.iter().position(seen), counts.iter().rposition(seen)) {
            (Some(low), Some(high)) => (high - low) as f64,
            _ => 0.0,
        };
        let slope = if contrast > 0.0 && range > 0.0 { contrast * 2.55 / range } else { 1.0 };
        Self { median: median.unwrap_or(127) as f64, slope }
    }

    fn bring(&self, value: f64) -> f64 {
        ((value - self.median) * self.slope + 127.5).clamp(0.0, 255.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brightness_and_contrast_move_and_turn_the_line() {
        let changes = |brightness, contrast, value: usize| levels(brightness, contrast)[value];
        assert_eq!([0, 100, 255].map(|value| changes(20, 0, value)), [51, 151, 255]);
        assert_eq!([0, 100, 255].map(|value| changes(-100, 0, value)), [0, 0, 0]);
        // tan(67.5°) is 2.4142, tan(22.5°) is 0.4142.
        assert_eq!([100, 127, 128, 160].map(|value| changes(0, 50, value)), [61, 126, 129, 206]);
        assert_eq!([0, 100, 255].map(|value| changes(0, -50, value)), [75, 116, 180]);
        assert_eq!([0, 127, 128, 255].map(|value| changes(0, 100, value)), [0, 0, 255, 255]);
        assert_eq!([0, 255].map(|value| changes(0, -100, value)), [128, 128]);
    }

    #[test]
    fn hue_turns_on_a_circle() {
        assert_eq!(turned([255, 0, 0], 120.0), [0, 255, 0]);
        assert_eq!(turned([255, 0, 0], -120.0), [0, 0, 255]);
        assert_eq!(turned([255, 0, 0], 60.0), [255, 255, 0]);
        assert_eq!(turned([255, 0, 0], 30.0), [255, 128, 0]);
        assert_eq!(turned([200, 50, 80], 180.0), [50, 200, 170]);
        assert_eq!(turned([7, 7, 7], 90.0), [7, 7, 7]);
    }

    #[test]
    fn saturation_goes_to_gray_and_beyond() {
        assert_eq!(saturated([200, 100, 50], -1.0 + 1.0), [124; 3]);
        assert_eq!(saturated([200, 100, 50], 2.0), [255, 76, 0]);
    }

    #[test]
    fn a_colour_lies_in_the_middle() {
        let mut counts = [0; 256];
        (counts[50], counts[100], counts[150]) = (1, 1, 1);
        let color = [200, 100, 0];
        let plain = colorized(Colorize { color, norm: None }, &counts);
        assert_eq!([plain[0], plain[255], plain[51]], [[0; 3], [255; 3], [80, 40, 0]]);
        let norm = |contrast| colorized(Colorize { color, norm: Some(Norm { contrast }) }, &counts);
        assert_eq!(norm(0.0)[100], color, "the median");
        assert_eq!([norm(100.0)[50], norm(100.0)[150]], [[0; 3], [255; 3]], "all of the range");
    }

    #[test]
    fn what_is_clear_takes_the_colour_behind() {
        let mut colors = Colors {
            width: 3,
            height: 1,
            samples: 3,
            pixels: vec![10, 20, 30, 10, 20, 30, 10, 20, 30],
            alpha: Some(vec![0, 255, 51]),
        };
        fill(&mut colors, Place { x: 0, y: 0, width: 3, height: 1 }, &[200, 100, 0], 255);
        // 51 is a fifth of 255: a fifth of the pixel, and four of the colour.
        assert_eq!(colors.pixels, [200, 100, 0, 10, 20, 30, 162, 84, 6]);
        assert_eq!(colors.alpha, Some(vec![255; 3]));
        let half = |alpha| {
            let mut colors = Colors { width: 1, height: 1, samples: 1, pixels: vec![0], alpha: Some(vec![alpha]) };
            fill(&mut colors, Place { x: 0, y: 0, width: 1, height: 1 }, &[100], 128);
            (colors.pixels[0], colors.alpha.unwrap()[0])
        };
        assert_eq!([half(0), half(255)], [(100, 128), (0, 255)]);
    }
}
