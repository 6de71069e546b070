//! Borders of annotations (ISO 32000-2, 12.5.4).

use hayro::hayro_syntax::object::{Array, Dict, Name, Object};

use super::number;

/// Dashes and gaps of a pattern.
const MOST_DASHES: usize = 16;

/// Patterns that are shorter cost time, and look like a line.
const SHORTEST: f64 = 0.2;

const WIDEST: f64 = 1000.0;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Solid,
    Dashed,
    Beveled,
    Inset,
    Underline,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Border {
    pub width: f64,
    pub style: Style,
    /// Empty unless it is dashed.
    pub dashes: Vec<f64>,
    /// Of the corners, across and up.
    pub radii: (f64, f64),
}

impl Border {
    /// The border that an annotation asks for; one without asks for [`Border::default`].
    pub fn of(annotation: &Dict<'_>) -> Option<Self> {
        if let Some(style) = annotation.get::<Dict<'_>>("BS") {
            return Some(Self::from_style(&style));
        }
        // [radius across, radius up, width, dashes]
        let mut values = annotation.get::<Array<'_>>("Border")?.iter::<Object<'_>>();
        let mut next = || values.next()?.into_number().map(|value| value.as_f64());
        let (across, up, width) = (next()?, next()?, next()?);
        let dashes = values.next().and_then(Object::into_array).map(|dashes| pattern(&dashes)).unwrap_or_default();
        let style = if dashes.is_empty() { Style::Solid } else { Style::Dashed };
        Some(Self { width: sound(width), style, dashes, radii: (sound(across), sound(up)) })
    }

    fn from_style(dict: &Dict<'_>) -> Self {
        let style = match dict.get::<Name<'_>>("S").as_deref() {
            Some(b"D") => Style::Dashed,
            Some(b"B") => Style::Beveled,
            Some(b"I") => Style::Inset,
            Some(b"U") => Style::Underline,
            _ => Style::Solid,
        };
        let dashes = match dict.get::<Array<'_>>("D") {
            _ if style != Style::Dashed => Vec::new(),
            Some(dashes) => pattern(&dashes),
            None => vec![3.0],
        };
        Self { width: number(dict, "W").map_or(1.0, sound), style, dashes, radii: (0.0, 0.0) }
    }
}

impl Default for Border {
    fn default() -> Self {
        Self { width: 1.0, style: Style::Solid, dashes: Vec::new(), radii: (0.0, 0.0) }
    }
}

fn sound(length: f64) -> f64 {
    if length.is_finite() { length.clamp(0.0, WIDEST) } else { 0.0 }
}

/// Dashes and gaps in turn; none where that means a line.
fn pattern(dashes: &Array<'_>) -> Vec<f64> {
    let dashes: Vec<f64> = dashes.iter::<f64>().take(MOST_DASHES).map(sound).collect();
    if dashes.iter().sum::<f64>() < SHORTEST { Vec::new() } else { dashes }
}
