//! Content streams: their operators, and the resources that these name.

use std::io::Write;

use hayro::hayro_syntax::object::{Array, Dict, Name};
use hayro::kurbo::{Affine, BezPath, PathEl, Point, Rect, Shape};

use super::Appearance;
use super::border::Border;
use super::fonts::{Fonts, Glyph};

/// No number that is written is larger: far more than a page's side, and exact as a number of 32 bits.
const LARGEST: f64 = 1e6;

/// A curve may be this far off.
const TOLERANCE: f64 = 0.05;

/// A colour of an annotation, by how many numbers there are (ISO 32000-2, table 166, /C).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Color {
    Transparent,
    Gray(f64),
    Rgb([f64; 3]),
    Cmyk([f64; 4]),
}

impl Color {
    pub const BLACK: Self = Self::Gray(0.0);
    pub const WHITE: Self = Self::Gray(1.0);

    pub fn of(dict: &Dict<'_>, key: &str) -> Option<Self> {
        let parts: Vec<f64> = dict.get::<Array<'_>>(key)?.iter::<f64>().take(5).collect();
        Self::from_parts(&parts)
    }

    pub fn from_parts(parts: &[f64]) -> Option<Self> {
        let part = |part: f64| if part.is_finite() { part.clamp(0.0, 1.0) } else { 0.0 };
        Some(match *parts {
            [] => Self::Transparent,
            [gray] => Self::Gray(part(gray)),
            [red, green, blue] => Self::Rgb([red, green, blue].map(part)),
            [cyan, magenta, yellow, black] => Self::Cmyk([cyan, magenta, yellow, black].map(part)),
            _ => return None,
        })
    }

    pub fn is_visible(self) -> bool {
        self != Self::Transparent
    }

    /// The colour in the shadow.
    pub fn darker(self) -> Self {
        match self {
            Self::Transparent => Self::Gray(0.5),
            Self::Gray(gray) => Self::Gray(gray / 2.0),
            Self::Rgb(parts) => Self::Rgb(parts.map(|part| part / 2.0)),
            Self::Cmyk([cyan, magenta, yellow, black]) => Self::Cmyk([cyan, magenta, yellow, black.midpoint(1.0)]),
        }
    }
}

/// A content stream that is being written.
pub struct Canvas {
    operators: Vec<u8>,
    /// What has been drawn on.
    reach: Option<Rect>,
    /// How far lines reach beside their paths.
    margin: f64,
    graphics_state: Option<String>,
    pub fonts: Fonts,
}

impl Canvas {
    /// One with the opacity and blend mode of `annotation`, which are those of table 166.
    pub fn new(annotation: &Dict<'_>, fonts: Fonts, blend: &str) -> Self {
        let opacity = |key| annotation.get::<f64>(key).filter(|part| part.is_finite()).map(|part| part.clamp(0.0, 1.0));
        let stroking = opacity("CA").unwrap_or(1.0);
        let other = opacity("ca").unwrap_or(stroking);
        let blend = annotation.get::<Name<'_>>("BM").and_then(|name| blend_mode(&name)).unwrap_or(blend);
        let is_plain = (stroking, other, blend) == (1.0, 1.0, "Normal");
        let state = format!("<</Type/ExtGState/CA {}/ca {}/BM/{blend}>>", shown(stroking), shown(other));
        let graphics_state = (!is_plain).then_some(state);
        let operators = if is_plain { Vec::new() } else { b"/G0 gs\n".to_vec() };
        Self { operators, reach: None, margin: 1.0, graphics_state, fonts }
    }

    /// Whether what is painted shows what is below, also where that is its own.
    pub const fn is_translucent(&self) -> bool {
        self.graphics_state.is_some()
    }

    pub fn operate(&mut self, operands: &[f64], operator: &str) {
        for operand in operands {
            self.operators.extend(shown(*operand).bytes());
            self.operators.push(b' ');
        }
        self.operators.extend(operator.bytes());
        self.operators.push(b'\n');
    }

    pub fn save(&mut self) {
        self.operate(&[], "q");
    }

    pub fn restore(&mut self) {
        self.operate(&[], "Q");
    }

    pub fn transform(&mut self, matrix: Affine) {
        self.operate(&matrix.as_coeffs(), "cm");
    }

    pub fn fill_color(&mut self, color: Color) {
        match color {
            Color::Transparent => {}
            Color::Gray(gray) => self.operate(&[gray], "g"),
            Color::Rgb(parts) => self.operate(&parts, "rg"),
            Color::Cmyk(parts) => self.operate(&parts, "k"),
        }
    }

    pub fn stroke_color(&mut self, color: Color) {
        match color {
            Color::Transparent => {}
            Color::Gray(gray) => self.operate(&[gray], "G"),
            Color::Rgb(parts) => self.operate(&parts, "RG"),
            Color::Cmyk(parts) => self.operate(&parts, "K"),
        }
    }

    pub fn line_style(&mut self, border: &Border) {
        self.line_width(border.width);
        if !border.dashes.is_empty() {
            self.operators.push(b'[');
            for dash in &border.dashes {
                self.operators.extend(format!("{} ", shown(*dash)).bytes());
            }
            self.operators.extend(b"] 0 d\n");
        }
    }

    pub fn line_width(&mut self, width: f64) {
        // Corners reach as far as the limit of mitres lets them, which is ten (8.4.3.5).
        self.margin = width * 5.0 + 1.0;
        self.operate(&[width], "w");
    }

    /// Adds to the path.
    pub fn path(&mut self, shape: &impl Shape) {
        let mut last = Point::ZERO;
        for element in shape.path_elements(TOLERANCE) {
            match element {
                PathEl::MoveTo(to) => self.segment(&[to], "m"),
                PathEl::LineTo(to) => self.segment(&[to], "l"),
                PathEl::QuadTo(by, to) => {
                    self.segment(&[last.lerp(by, 2.0 / 3.0), to.lerp(by, 2.0 / 3.0), to], "c");
                }
                PathEl::CurveTo(first, second, to) => self.segment(&[first, second, to], "c"),
                PathEl::ClosePath => self.operate(&[], "h"),
            }
            last = element.end_point().unwrap_or(last);
        }
    }

    fn segment(&mut self, points: &[Point], operator: &str) {
        for point in points {
            self.include(Rect::from_center_size(*point, (2.0 * self.margin, 2.0 * self.margin)));
        }
        let operands: Vec<f64> = points.iter().flat_map(|point| [point.x, point.y]).collect();
        self.operate(&operands, operator);
    }

    /// Makes the form as large as to have this rectangle in it.
    pub fn include(&mut self, place: Rect) {
        self.reach = Some(self.reach.map_or(place, |reach| reach.union(place)));
    }

    /// Paints the path, filled and stroked or one of them.
    pub fn paint(&mut self, fill: bool, stroke: bool) {
        self.operate(
            &[],
            match (fill, stroke) {
                (true, true) => "B",
                (true, false) => "f",
                (false, true) => "S",
                (false, false) => "n",
            },
        );
    }

    pub fn fill(&mut self, shape: &impl Shape, color: Color) {
        if color.is_visible() {
            self.fill_color(color);
            self.path(shape);
            self.paint(true, false);
        }
    }

    pub fn clip(&mut self, to: Rect) {
        self.operate(&[to.x0, to.y0, to.width(), to.height()], "re W n");
    }

    /// Writes text from `at` on, which is on its baseline.
    pub fn text(&mut self, glyphs: &[Glyph], at: Point, size: f64) {
        self.operate(&[], "BT");
        self.operate(&[at.x, at.y], "Td");
        for run in glyphs.chunk_by(|one, other| one.font == other.font) {
            let Some(first) = run.first() else { continue };
            let codes: String = run.iter().map(|glyph| self.fonts.code(glyph)).collect();
            self.operators.extend(format!("/F{} {} Tf\n<{codes}> Tj\n", first.font, shown(size)).bytes());
        }
        self.operate(&[], "ET");
    }

    /// What has been drawn, in the rectangle that it takes.
    pub fn finish(self) -> Option<Appearance> {
        let rect = self.reach?;
        self.finish_in(rect)
    }

    pub fn finish_in(self, rect: Rect) -> Option<Appearance> {
        let rect = rect.intersect(Rect::new(-LARGEST, -LARGEST, LARGEST, LARGEST));
        if rect.width() <= 0.0 || rect.height() <= 0.0 {
            return None;
        }
        let mut resources = b"<<".to_vec();
        if let Some(state) = &self.graphics_state {
            write!(resources, "/ExtGState<</G0 {state}>>").ok()?;
        }
        self.fonts.write(&mut resources);
        resources.extend(b">>");
        Some(Appearance { rect: [rect.x0, rect.y0, rect.x1, rect.y1], content: self.operators, resources })
    }
}

/// A number as content streams have it: without an exponent.
pub fn shown(number: f64) -> String {
    let number = if number.is_finite() { number.clamp(-LARGEST, LARGEST) } else { 0.0 };
    let text = format!("{number:.4}");
    let short = text.trim_end_matches('0').trim_end_matches('.');
    if short == "-0" { "0".to_owned() } else { short.to_owned() }
}

/// The blend modes of 11.3.5.
fn blend_mode(name: &[u8]) -> Option<&'static str> {
    const MODES: [&str; 16] = [
        "Normal",
        "Multiply",
        "Screen",
        "Overlay",
        "Darken",
        "Lighten",
        "ColorDodge",
        "ColorBurn",
        "HardLight",
        "SoftLight",
        "Difference",
        "Exclusion",
        "Hue",
        "Saturation",
        "Color",
        "Luminosity",
    ];
    MODES.into_iter().find(|mode| mode.as_bytes() == name)
}

/// A path through points.
pub fn through(points: &[Point], is_closed: bool) -> BezPath {
    let mut path = BezPath::new();
    for (at, point) in points.iter().enumerate() {
        if at == 0 { path.move_to(*point) } else { path.line_to(*point) }
    }
    if is_closed && !points.is_empty() {
        path.close_path();
    }
    path
}
