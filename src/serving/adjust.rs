//! Commands that change the colours of the composite picture: `op_brightness`, `op_contrast`, `op_saturation`, `op_hue`,
//! `op_colorize`, `op_invert`, and `op_blur`.
//!
//! The reference gives their ranges, and for most no formula. Without a `layer` command they belong to the composite picture,
//! and are carried out in RGB.

use serde::{Deserialize, Serialize};

use super::color::Color;
use super::script::BadCommand;
use super::values::Values;

/// What is done to the composite picture. The defaults change nothing.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Adjustments {
    /// -100 to 100, as `contrast` and `saturation`.
    pub brightness: i8,
    pub contrast: i8,
    /// -100 leaves gray.
    pub saturation: i8,
    /// Degrees, -180 to 180.
    pub hue: i16,
    pub invert: bool,
    pub colorize: Option<Colorize>,
    /// Radius in pixels of the composite picture, 0 to 100.
    pub blur: f64,
}

impl Adjustments {
    pub fn is_some(&self) -> bool {
        *self != Self::default()
    }
}

/// Shadows and highlights stay, what lies between takes on a colour.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Colorize {
    pub color: [u8; 3],
    /// The brightness is shifted until its median is in the middle.
    pub norm: Option<Norm>,
}

/// How brightness is brought to the middle.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Norm {
    /// How much of the whole range the brightness takes up then, in percent; 0 leaves it.
    pub contrast: f64,
}

/// Percent of an adjustment.
pub(super) fn percent(name: &str, value: &str) -> Result<i8, BadCommand> {
    whole(name, value, 100).map(|number| number as i8)
}

pub(super) fn degrees(name: &str, value: &str) -> Result<i16, BadCommand> {
    whole(name, value, 180).map(|number| number as i16)
}

fn whole(name: &str, value: &str, most: i64) -> Result<i64, BadCommand> {
    let form = format!("a whole number from -{most} to {most}");
    let values = Values::new(name, value, 1, 1, &form)?;
    values.needed(values.whole(0, -most, most, "it")?, &form)
}

pub(super) fn radius(name: &str, value: &str) -> Result<f64, BadCommand> {
    const FORM: &str = "a radius from 0 to 100 pixels";
    let values = Values::new(name, value, 1, 1, FORM)?;
    values.needed(values.real(0, 0.0, 100.0, "the radius")?, FORM)
}

/// Behind the colour, whose parts have commas between them as well, are `off` or `norm`, and a contrast.
pub(super) fn colorize(name: &str, value: &str) -> Result<Colorize, BadCommand> {
    const FORM: &str =
        "an RGB colour, off or norm, and a contrast from 0 to 100, of which the last two may be left out";
    let bad =
        |rule: &str| BadCommand::new(name, format!("{rule}, not \"{}\"", value.chars().take(80).collect::<String>()));
    let parts: Vec<&str> = value.split(',').map(str::trim).collect();
    let word = parts.iter().position(|part| part.eq_ignore_ascii_case("off") || part.eq_ignore_ascii_case("norm"));
    let (color, rest) = parts.split_at(word.unwrap_or(parts.len()));
    let Color::Rgb(color) = Color::read(name, &color.join(","))? else {
        return Err(bad("the colour must be RGB"));
    };
    let (is_norm, contrast) = match rest {
        [] => (true, None),
        [word] => (word.eq_ignore_ascii_case("norm"), None),
        [word, contrast] => (word.eq_ignore_ascii_case("norm"), Some(*contrast)),
        _ => return Err(bad(&format!("must be {FORM}"))),
    };
    let contrast = match contrast.filter(|contrast| !contrast.is_empty()) {
        None => 0.0,
        Some(text) => {
            let number = text.parse::<f64>().ok().filter(|number| (0.0..=100.0).contains(number));
            number.ok_or_else(|| bad("the contrast must be a number from 0 to 100"))?
        }
    };
    Ok(Colorize { color, norm: is_norm.then_some(Norm { contrast }) })
}
