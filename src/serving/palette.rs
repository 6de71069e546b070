//! `quantize`: the colours of formats that have a palette.

use serde::{Deserialize, Serialize};

use super::script::BadCommand;
use super::values::Values;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quantize {
    pub palette: Palette,
    /// Errors of colours go over to the neighbours (Floyd-Steinberg).
    pub diffuses: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Palette {
    /// Made for the picture.
    Adaptive {
        /// 2 to 256.
        count: u16,
        /// Those that are in it whatever the picture holds; no more than `count`.
        forced: Vec<[u8; 3]>,
    },
    /// Six steps of each component.
    Web,
    /// That of the system of the Macintosh.
    Mac,
}

/// The most colours of a palette.
pub const MOST_COLORS: u16 = 256;

impl Default for Quantize {
    fn default() -> Self {
        Self { palette: Palette::Adaptive { count: MOST_COLORS, forced: Vec::new() }, diffuses: true }
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Adaptive,
    Web,
    Mac,
}

pub(super) fn quantize(name: &str, value: &str) -> Result<Quantize, BadCommand> {
    const FORM: &str =
        "adaptive, web or mac, and after commas diffuse or off, a number of colours, and colours as RRGGBB";
    const KINDS: &[(&str, Kind)] = &[("adaptive", Kind::Adaptive), ("web", Kind::Web), ("mac", Kind::Mac)];
    const DITHERS: &[(&str, bool)] = &[("diffuse", true), ("off", false)];
    const BEFORE_COLORS: usize = 3;
    let values = Values::new(name, value, 1, BEFORE_COLORS + usize::from(MOST_COLORS), FORM)?;
    let kind = values.needed(values.word(0, KINDS, "the palette")?, FORM)?;
    let diffuses = values.word(1, DITHERS, "dithering")?.unwrap_or(true);
    let count = values.whole(2, 2, MOST_COLORS.into(), "the number of colours")?;
    let count = count.map_or(MOST_COLORS, |count| count as u16);
    let texts = (BEFORE_COLORS..).map_while(|at| values.text(at));
    let forced: Vec<[u8; 3]> =
        texts.map(hex).collect::<Option<_>>().ok_or_else(|| values.bad("the colours of the list must be RRGGBB"))?;
    if forced.len() > usize::from(count) {
        return Err(values.bad(format!("must name at most {count} colours, which is their number")));
    }
    let palette = match kind {
        Kind::Adaptive => Palette::Adaptive { count, forced },
        Kind::Web => Palette::Web,
        Kind::Mac => Palette::Mac,
    };
    Ok(Quantize { palette, diffuses })
}

fn hex(text: &str) -> Option<[u8; 3]> {
    if text.len() != 6 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let number = u32::from_str_radix(text, 16).ok()?;
    let [_, red, green, blue] = number.to_be_bytes();
    Some([red, green, blue])
}
