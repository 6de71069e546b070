//! Pictures of 256 colours: which ones, and which of them each pixel gets.

use std::collections::HashMap;

use super::color::Colors;
use crate::serving::{MOST_COLORS, Palette, Quantize};

/// Red, green, blue and alpha.
type Rgba = [u8; 4];

const CLEAR: Rgba = [0; 4];

/// A picture whose pixels are numbers of colours.
pub(super) struct Indexed {
    pub colors: Vec<Rgba>,
    /// The number of what shows nothing.
    pub clear: Option<u8>,
    pub pixels: Vec<u8>,
}

/// How transparency is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alpha {
    /// One of the colours is clear: what shows less than half.
    Key,
    /// Colours have an alpha of their own.
    Full,
}

pub(super) fn indexed(colors: &Colors, quantize: &Quantize, alpha: Alpha) -> Indexed {
    let pixels: Vec<Rgba> = (0..colors.pixels.len() / colors.samples).map(|at| pixel(colors, at, alpha)).collect();
    let has_clear = alpha == Alpha::Key && pixels.contains(&CLEAR);
    let most = usize::from(MOST_COLORS) - usize::from(has_clear);
    let mut palette = match &quantize.palette {
        Palette::Adaptive { count, forced } => adaptive(&pixels, alpha, usize::from(*count).min(most), forced),
        Palette::Web => web(),
        Palette::Mac => mac(),
    };
    let indices = match exact(&pixels, &palette, has_clear) {
        Some(indices) => indices,
        None => {
            let nearest = Nearest { palette: &palette, has_clear };
            if quantize.diffuses {
                diffused(&pixels, colors.width as usize, &nearest)
            } else {
                plain(&pixels, &nearest)
            }
        }
    };
    let clear = has_clear.then_some(palette.len() as u8);
    palette.extend(clear.map(|_| CLEAR));
    Indexed { colors: palette, clear, pixels: indices }
}

fn pixel(colors: &Colors, at: usize, kept: Alpha) -> Rgba {
    let samples = &colors.pixels[at * colors.samples..(at + 1) * colors.samples];
    let [red, green, blue] = match samples {
        [red, green, blue, ..] => [*red, *green, *blue],
        [gray, ..] => [*gray; 3],
        [] => [0; 3],
    };
    let alpha = colors.alpha.as_ref().map_or(u8::MAX, |alpha| alpha[at]);
    match kept {
        Alpha::Key if alpha < 128 => CLEAR,
        Alpha::Key => [red, green, blue, u8::MAX],
        Alpha::Full if alpha == 0 => CLEAR,
        Alpha::Full => [red, green, blue, alpha],
    }
}

fn web() -> Vec<Rgba> {
    const STEPS: [u8; 6] = [0, 51, 102, 153, 204, 255];
    let pairs = STEPS.iter().flat_map(|red| STEPS.iter().map(move |green| (*red, *green)));
    pairs.flat_map(|(red, green)| STEPS.iter().map(move |blue| [red, green, *blue, u8::MAX])).collect()
}

/// The steps of the web from white down, then ten finer steps of red, green, blue and gray each; black is the last.
fn mac() -> Vec<Rgba> {
    const FINER: [u8; 10] = [238, 221, 187, 170, 136, 119, 85, 68, 34, 17];
    let mut colors: Vec<Rgba> = web().into_iter().rev().filter(|color| *color != [0, 0, 0, u8::MAX]).collect();
    colors.extend(FINER.iter().map(|step| [*step, 0, 0, u8::MAX]));
    colors.extend(FINER.iter().map(|step| [0, *step, 0, u8::MAX]));
    colors.extend(FINER.iter().map(|step| [0, 0, *step, u8::MAX]));
    colors.extend(FINER.iter().map(|step| [*step, *step, *step, u8::MAX]));
    colors.push([0, 0, 0, u8::MAX]);
    colors
}

/// Colours that look alike, with how many pixels there are of them and their sums.
#[derive(Debug, Clone, Copy, Default)]
struct Bin {
    count: u64,
    sums: [u64; 4],
}

impl Bin {
    fn mean(&self) -> [f64; 4] {
        self.sums.map(|sum| sum as f64 / self.count as f64)
    }
}

/// The forced colours, and those that the picture is nearest to: the picture's own if they are few enough, or else the means
/// of parts that are halved where they are most unlike.
fn adaptive(pixels: &[Rgba], alpha: Alpha, count: usize, forced: &[[u8; 3]]) -> Vec<Rgba> {
    let mut palette: Vec<Rgba> = forced.iter().map(|[red, green, blue]| [*red, *green, *blue, u8::MAX]).collect();
    palette.truncate(count);
    let free = count - palette.len();
    let is_meant = |pixel: &&Rgba| (alpha == Alpha::Full || **pixel != CLEAR) && !palette.contains(*pixel);
    if let Some(few) = few(pixels.iter().filter(is_meant), free) {
        palette.extend(few);
    } else {
        let bins = bins(pixels.iter().filter(is_meant));
        let parts = parts(bins, free);
        palette.extend(parts.iter().map(|part| mean(part).map(|sample| sample.round() as u8)));
    }
    if palette.is_empty() {
        palette.push([0, 0, 0, u8::MAX]);
    }
    palette
}

/// All colours in the order of their numbers, if they are no more than so many.
fn few<'a>(pixels: impl Iterator<Item = &'a Rgba>, most: usize) -> Option<Vec<Rgba>> {
    let mut found = std::collections::BTreeSet::new();
    let mut last = None;
    for pixel in pixels {
        if last != Some(pixel) {
            found.insert(*pixel);
            if found.len() > most {
                return None;
            }
            last = Some(pixel);
        }
    }
    Some(found.into_iter().collect())
}

/// Colours that share the upper bits of their samples.
fn bins<'a>(pixels: impl Iterator<Item = &'a Rgba>) -> Vec<Bin> {
    const UPPER: u32 = 0xf8f8_f8f8;
    let mut bins: std::collections::BTreeMap<u32, Bin> = std::collections::BTreeMap::new();
    for pixel in pixels {
        let bin = bins.entry(u32::from_be_bytes(*pixel) & UPPER).or_default();
        bin.count += 1;
        for (sum, sample) in bin.sums.iter_mut().zip(pixel) {
            *sum += u64::from(*sample);
        }
    }
    bins.into_values().collect()
}

fn mean(part: &[Bin]) -> [f64; 4] {
    let mut all = Bin::default();
    for bin in part {
        all.count += bin.count;
        for (sum, more) in all.sums.iter_mut().zip(bin.sums) {
            *sum += more;
        }
    }
    all.mean()
}

/// How unlike the colours of a part are, all of them added up, along the axis where they are most unlike.
fn spread(part: &[Bin]) -> (f64, usize) {
    let middle = mean(part);
    let mut sums = [0.0; 4];
    for bin in part {
        for ((sum, own), middle) in sums.iter_mut().zip(bin.mean()).zip(middle) {
            *sum += bin.count as f64 * (own - middle).powi(2);
        }
    }
    let axis = (0..4).max_by(|a, b| sums[*a].total_cmp(&sums[*b])).unwrap_or(0);
    (sums[axis], axis)
}

fn parts(bins: Vec<Bin>, count: usize) -> Vec<Vec<Bin>> {
    if bins.is_empty() || count == 0 {
        return Vec::new();
    }
    let mut parts = vec![(spread(&bins), bins)];
    while parts.len() < count {
        let worst = (0..parts.len()).max_by(|a, b| parts[*a].0.0.total_cmp(&parts[*b].0.0)).unwrap_or(0);
        let ((unlike, axis), part) = parts.swap_remove(worst);
        if unlike <= 0.0 {
            parts.push(((unlike, axis), part));
            break;
        }
        let middle = mean(&part)[axis];
        let (low, high): (Vec<Bin>, Vec<Bin>) = part.into_iter().partition(|bin| bin.mean()[axis] <= middle);
        parts.push((spread(&low), low));
        parts.push((spread(&high), high));
    }
    parts.into_iter().map(|(_, part)| part).collect()
}

/// The numbers of the pixels' colours, if the palette has all of them.
fn exact(pixels: &[Rgba], palette: &[Rgba], has_clear: bool) -> Option<Vec<u8>> {
    let mut numbers: HashMap<Rgba, u8> =
        palette.iter().zip(0..=u8::MAX).map(|(color, number)| (*color, number)).collect();
    if has_clear {
        numbers.insert(CLEAR, palette.len() as u8);
    }
    pixels.iter().map(|pixel| numbers.get(pixel).copied()).collect()
}

struct Nearest<'a> {
    palette: &'a [Rgba],
    has_clear: bool,
}

impl Nearest<'_> {
    fn of(&self, wanted: [i32; 4]) -> u8 {
        let distance = |color: &Rgba| {
            let [red, green, blue, alpha] = [0, 1, 2, 3].map(|at| (wanted[at] - i32::from(color[at])).pow(2));
            red + green + blue + alpha
        };
        let nearest = self.palette.iter().zip(0..=u8::MAX).min_by_key(|(color, _)| distance(color));
        nearest.map_or(0, |(_, number)| number)
    }

    fn clear(&self, pixel: Rgba) -> Option<u8> {
        (self.has_clear && pixel == CLEAR).then_some(self.palette.len() as u8)
    }
}

fn plain(pixels: &[Rgba], nearest: &Nearest<'_>) -> Vec<u8> {
    let mut last = None;
    let number = |pixel: &Rgba| match last {
        Some((known, number)) if known == *pixel => number,
        _ => {
            let number = nearest.clear(*pixel).unwrap_or_else(|| nearest.of(pixel.map(i32::from)));
            last = Some((*pixel, number));
            number
        }
    };
    pixels.iter().map(number).collect()
}

/// By Floyd and Steinberg: 7, 3, 5 and 1 sixteenths of an error go to the right and to the row below.
fn diffused(pixels: &[Rgba], width: usize, nearest: &Nearest<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(pixels.len()); // bounded: by the pixels there are
    // One more on each side, so that nothing is asked at the edges.
    let mut here = vec![[0_i32; 4]; width + 2]; // bounded: by a row of the picture
    let mut below = here.clone();
    for row in pixels.chunks_exact(width) {
        for (column, pixel) in row.iter().enumerate() {
            if let Some(number) = nearest.clear(*pixel) {
                out.push(number);
                continue;
            }
            let at = column + 1;
            let wanted: [i32; 4] = std::array::from_fn(|sample| {
                (i32::from(pixel[sample]) + (here[at][sample] + 8).div_euclid(16)).clamp(0, 255)
            });
            let number = nearest.of(wanted);
            out.push(number);
            let got = nearest.palette.get(usize::from(number)).copied().unwrap_or(CLEAR);
            let error: [i32; 4] = std::array::from_fn(|sample| wanted[sample] - i32::from(got[sample]));
            let spread = |to: &mut [i32; 4], parts: i32| {
                to.iter_mut().zip(error).for_each(|(to, error)| *to += error * parts);
            };
            spread(&mut here[at + 1], 7);
            spread(&mut below[at - 1], 3);
            spread(&mut below[at], 5);
            spread(&mut below[at + 1], 1);
        }
        std::mem::swap(&mut here, &mut below);
        below.fill([0; 4]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(width: u32) -> Colors {
        let pixels = (0..width * 16).flat_map(|at| [(at % width * 255 / (width - 1)) as u8; 3]).collect();
        Colors { width, height: 16, samples: 3, pixels, alpha: None }
    }

    fn adaptive_of(count: u16, diffuses: bool) -> Quantize {
        Quantize { palette: Palette::Adaptive { count, forced: Vec::new() }, diffuses }
    }

    fn mean_of(indexed: &Indexed) -> f64 {
        let sum: u64 = indexed.pixels.iter().map(|pixel| u64::from(indexed.colors[usize::from(*pixel)][0])).sum();
        sum as f64 / indexed.pixels.len() as f64
    }

    #[test]
    fn few_colours_stay_what_they_are() {
        let colors = ramp(200);
        let indexed = indexed(&colors, &Quantize::default(), Alpha::Key);
        let back: Vec<u8> =
            indexed.pixels.iter().flat_map(|pixel| indexed.colors[usize::from(*pixel)][..3].to_vec()).collect();
        assert_eq!((indexed.colors.len(), back), (200, colors.pixels));
    }

    #[test]
    fn palettes_have_their_colours() {
        assert_eq!((web().len(), web()[0], web()[215]), (216, [0, 0, 0, 255], [255, 255, 255, 255]));
        let mac = mac();
        assert_eq!((mac.len(), mac[0], mac[1], mac[255]), (256, [255; 4], [255, 255, 204, 255], [0, 0, 0, 255]));
        let all: std::collections::BTreeSet<Rgba> = mac.iter().copied().collect();
        assert_eq!(all.len(), 256, "each once");
        let two = indexed(&ramp(256), &adaptive_of(2, false), Alpha::Key);
        assert_eq!(two.colors.len(), 2);
        // The means of the darker and of the brighter half.
        let mut grays: Vec<u8> = two.colors.iter().map(|color| color[0]).collect();
        grays.sort_unstable();
        assert!(grays[0].abs_diff(64) < 5 && grays[1].abs_diff(191) < 5, "{grays:?}");
    }

    #[test]
    fn errors_go_to_the_neighbours() {
        let forced = vec![[0; 3], [255; 3]];
        let quantize =
            |diffuses| Quantize { palette: Palette::Adaptive { count: 2, forced: forced.clone() }, diffuses };
        let mid = Colors { width: 64, height: 64, samples: 1, pixels: vec![64; 64 * 64], alpha: None };
        let (plain, diffused) =
            (indexed(&mid, &quantize(false), Alpha::Key), indexed(&mid, &quantize(true), Alpha::Key));
        assert_eq!(mean_of(&plain), 0.0);
        assert!((mean_of(&diffused) - 64.0).abs() < 3.0, "{}", mean_of(&diffused));
        assert_eq!(diffused.colors, [[0, 0, 0, 255], [255, 255, 255, 255]]);
    }

    #[test]
    fn transparency_is_a_key_or_an_alpha_of_colours() {
        let colors = Colors {
            width: 4,
            height: 1,
            samples: 3,
            pixels: vec![9, 9, 9, 9, 9, 9, 200, 0, 0, 200, 0, 0],
            alpha: Some(vec![0, 127, 128, 255]),
        };
        let key = indexed(&colors, &Quantize::default(), Alpha::Key);
        assert_eq!((key.colors.clone(), key.clear), (vec![[200, 0, 0, 255], CLEAR], Some(1)));
        assert_eq!(key.pixels, [1, 1, 0, 0]);
        let full = indexed(&colors, &Quantize::default(), Alpha::Full);
        let seen: Vec<Rgba> = full.pixels.iter().map(|pixel| full.colors[usize::from(*pixel)]).collect();
        assert_eq!(seen, [CLEAR, [9, 9, 9, 127], [200, 0, 0, 128], [200, 0, 0, 255]]);
    }
}
