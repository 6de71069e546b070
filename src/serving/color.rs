//! Colour values: decimal components (`255,128,0`, `50g`, `0,20,100,0k`) or hexadecimal ones (`ff8000`, `0x80`).

use serde::{Deserialize, Serialize};

use super::script::BadCommand;
use super::values::Values;

/// A colour without its alpha.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Color {
    Gray(u8),
    Rgb([u8; 3]),
    /// 255 is full ink.
    Cmyk([u8; 4]),
}

impl Color {
    pub const WHITE: Self = Self::Rgb([255; 3]);

    pub(super) fn read(command: &str, text: &str) -> Result<Self, BadCommand> {
        Self::read_with_alpha(command, text).map(|(color, _)| color)
    }

    /// Without a word about it the alpha is full.
    pub(super) fn read_with_alpha(command: &str, text: &str) -> Result<(Self, u8), BadCommand> {
        let values = Values::new(command, text, 1, 5, "a colour")?;
        let refuse = || {
            values.bad(
                "must be a colour: red,green,blue from 0 to 255; RRGGBB; a gray of 0 to 100; cyan,magenta,yellow,black from 0 to 100 and k",
            )
        };
        let small = text.to_ascii_lowercase();
        // Colours of views always belong to the space of the output, whatever is said.
        let small = small.strip_suffix('s').unwrap_or(&small);
        let (body, kind) = match small.char_indices().next_back() {
            Some((end, kind @ ('g' | 'r' | 'k'))) => (small[..end].trim(), Some(kind)),
            _ => (small.trim(), None),
        };
        hexadecimal(body, kind).unwrap_or_else(|| decimal(body, kind)).ok_or_else(refuse)
    }

    pub fn rgb(self) -> [u8; 3] {
        match self {
            Self::Gray(gray) => [gray; 3],
            Self::Rgb(rgb) => rgb,
            Self::Cmyk([c, m, y, k]) => [c, m, y].map(|ink| {
                let light = (255 - u32::from(ink)) * (255 - u32::from(k));
                ((light + 127) / 255) as u8
            }),
        }
    }

    /// By the weights of Rec. 601, as everything that is converted without a profile.
    pub fn gray(self) -> u8 {
        match self {
            Self::Gray(gray) => gray,
            _ => {
                let [red, green, blue] = self.rgb().map(u32::from);
                ((299 * red + 587 * green + 114 * blue + 500) / 1000) as u8
            }
        }
    }

    pub fn cmyk(self) -> [u8; 4] {
        match self {
            Self::Cmyk(inks) => inks,
            _ => {
                let [red, green, blue] = self.rgb();
                let light = red.max(green).max(blue);
                let ink = |component: u8| match u32::from(light) {
                    0 => 0,
                    light => ((light - u32::from(component)) * 255 / light) as u8,
                };
                [ink(red), ink(green), ink(blue), 255 - light]
            }
        }
    }
}

/// None when it is not written in hexadecimal; Some(None) when it is, but is no colour.
fn hexadecimal(body: &str, kind: Option<char>) -> Option<Option<(Color, u8)>> {
    let (digits, is_marked) = match body.strip_prefix("0x") {
        Some(digits) => (digits, true),
        None => (body, false),
    };
    if !is_marked && !matches!(digits.len(), 6 | 8 | 10) {
        return None;
    }
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return is_marked.then_some(None);
    }
    let bytes: Vec<u8> =
        (0..digits.len() / 2).filter_map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).ok()).collect();
    Some(match (&bytes[..], digits.len(), kind) {
        ([gray], 2, None | Some('g')) => Some((Color::Gray(*gray), u8::MAX)),
        ([gray, alpha], 4, None | Some('g')) => Some((Color::Gray(*gray), *alpha)),
        ([r, g, b], 6, None | Some('r')) => Some((Color::Rgb([*r, *g, *b]), u8::MAX)),
        ([r, g, b, alpha], 8, None | Some('r')) => Some((Color::Rgb([*r, *g, *b]), *alpha)),
        ([c, m, y, k], 8, Some('k')) => Some((Color::Cmyk([*c, *m, *y, *k]), u8::MAX)),
        ([c, m, y, k, alpha], 10, Some('k')) => Some((Color::Cmyk([*c, *m, *y, *k]), *alpha)),
        _ => None,
    })
}

fn decimal(body: &str, kind: Option<char>) -> Option<(Color, u8)> {
    let numbers: Vec<u32> = body.split(',').map(|part| part.trim().parse().ok()).collect::<Option<_>>()?;
    let byte = |number: u32| u8::try_from(number).ok();
    let percent = |number: u32| (number <= 100).then(|| ((number * 255 + 50) / 100) as u8);
    match (numbers[..].len(), kind) {
        (1 | 2, None | Some('g')) => {
            let all: Vec<u8> = numbers.into_iter().map(percent).collect::<Option<_>>()?;
            Some((Color::Gray(all[0]), all.get(1).copied().unwrap_or(u8::MAX)))
        }
        (3 | 4, None | Some('r')) => {
            let all: Vec<u8> = numbers.into_iter().map(byte).collect::<Option<_>>()?;
            Some((Color::Rgb([all[0], all[1], all[2]]), all.get(3).copied().unwrap_or(u8::MAX)))
        }
        (4 | 5, Some('k')) => {
            let all: Vec<u8> = numbers.into_iter().map(percent).collect::<Option<_>>()?;
            let alpha = all.get(4).copied().unwrap_or(u8::MAX);
            Some((Color::Cmyk([all[0], all[1], all[2], all[3]]), alpha))
        }
        _ => None,
    }
}
