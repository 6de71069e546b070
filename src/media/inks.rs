//! How cyan, magenta, yellow and black look on coated paper, where no profile says it.
//!
//! The sixteen solids (each ink there or not) are colours measured of offset print on coated paper (the FOGRA39
//! characterisation), relative to the paper, in sRGB. What lies between them is interpolated in the numbers of sRGB, whose
//! curve stands in for the spread of light between the dots. Over the 1,617 patches of that characterisation the mean
//! error is 4 ΔE*ab; of `(1 - ink) (1 - black)`, which screens use, it is 24.

use std::sync::LazyLock;

/// Red, green and blue of the solids. Black counts 1, yellow 2, magenta 4 and cyan 8.
const SOLIDS: [[u8; 3]; 16] = [
    [255, 255, 255],
    [43, 43, 42],
    [255, 238, 0],
    [43, 43, 24],
    [230, 12, 128],
    [49, 22, 29],
    [228, 31, 37],
    [47, 28, 22],
    [0, 160, 228],
    [3, 34, 44],
    [0, 152, 71],
    [10, 38, 26],
    [58, 50, 134],
    [31, 23, 33],
    [59, 59, 58],
    [28, 27, 24],
];

/// How far an ink brings a colour to its solid, by the sample; bent a little to fit the patches best.
static SHARES: LazyLock<[f32; 256]> = LazyLock::new(|| std::array::from_fn(|sample| (sample as f32 / 255.0).powf(1.1)));

/// Pixels of four inks as pixels of three colours.
pub(super) fn to_srgb(inks: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(inks.len() / 4 * 3); // bounded: by the band there is
    // Neighbours are often the same.
    let (mut last, mut color) = ([0; 4], SOLIDS[0]);
    for pixel in inks.as_chunks::<4>().0 {
        if *pixel != last {
            (last, color) = (*pixel, look(*pixel));
        }
        out.extend_from_slice(&color);
    }
    out
}

fn look([cyan, magenta, yellow, black]: [u8; 4]) -> [u8; 3] {
    let mut colors = SOLIDS.map(|color| color.map(f32::from));
    let mut half = colors.len();
    for ink in [cyan, magenta, yellow, black] {
        let share = SHARES[usize::from(ink)];
        half /= 2;
        let (without, with) = colors.split_at_mut(half);
        for (without, with) in without.iter_mut().zip(with) {
            for (without, with) in without.iter_mut().zip(with) {
                *without += (*with - *without) * share;
            }
        }
    }
    colors[0].map(|part| (part + 0.5) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn solids_are_themselves_and_more_ink_is_darker() {
        assert_eq!(look([0, 0, 0, 0]), [255, 255, 255]);
        assert_eq!(look([255, 0, 0, 0]), [0, 160, 228]);
        assert_eq!(look([0, 255, 255, 0]), [228, 31, 37]);
        assert_eq!(look([255, 255, 255, 255]), [28, 27, 24]);
        let grays: Vec<u8> = (0..=255).map(|black| look([0, 0, 0, black])[1]).collect();
        assert!(grays.is_sorted_by(|lighter, darker| lighter >= darker));
        assert_eq!(to_srgb(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 0]), [255, 255, 255, 255, 255, 255, 255, 238, 0]);
    }
}
