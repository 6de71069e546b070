//! Notes on text, and notes that are text.

use hayro::hayro_syntax::object::{Dict, Name};
use hayro::kurbo::{BezPath, Point, Rect, RoundedRect};

use super::border::Border;
use super::content::{Canvas, Color, through};
use super::fonts::Fonts;
use super::shapes::{Endings, Pen, within};
use super::text::{self, Look, Quadding};
use super::{Appearance, Form, inner_rect, points_of, rect, strings};

/// Waves of a squiggly line of an annotation.
const MOST_WAVES: usize = 20_000;

/// How long half a wave is, and how high.
const WAVE: f64 = 2.0;

/// The size of text that has none.
const USUAL: f64 = 10.0;

/// A part of text by its corners, as one reads it.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Quad {
    upper_left: Point,
    upper_right: Point,
    lower_left: Point,
    lower_right: Point,
}

impl Quad {
    /// In whatever order the corners are: ISO 32000-2, 12.5.6.10, has them go round counterclockwise from the lower
    /// left, but what is written, and read, is the upper side and then the lower one.
    fn of([first, second, third, fourth]: [Point; 4]) -> Self {
        let [upper_left, upper_right, lower_right, lower_left] = if is_convex([first, second, fourth, third]) {
            [first, second, fourth, third]
        } else if is_convex([first, second, third, fourth]) {
            // Counterclockwise it is the lower side first.
            if area([first, second, third, fourth]) > 0.0 {
                [fourth, third, second, first]
            } else {
                [first, second, third, fourth]
            }
        } else {
            [first, second, fourth, third]
        };
        // The lower side first, by sides as well.
        if area([upper_left, upper_right, lower_right, lower_left]) > 0.0 {
            Self { upper_left: lower_left, upper_right: lower_right, lower_left: upper_left, lower_right: upper_right }
        } else {
            Self { upper_left, upper_right, lower_left, lower_right }
        }
    }
}

/// Twice the area that corners go round, counterclockwise.
fn area(corners: [Point; 4]) -> f64 {
    let [a, b, c, d] = corners.map(Point::to_vec2);
    a.cross(b) + b.cross(c) + c.cross(d) + d.cross(a)
}

/// Whether one turns to the same side at all corners.
fn is_convex([a, b, c, d]: [Point; 4]) -> bool {
    let turns = [(a, b, c), (b, c, d), (c, d, a), (d, a, b)].map(|(a, b, c)| (b - a).cross(c - b));
    turns.iter().all(|turn| *turn > 0.0) || turns.iter().all(|turn| *turn < 0.0)
}

/// The parts of text that an annotation marks: its rectangle where it does not say.
fn quads(annotation: &Dict<'_>) -> Vec<Quad> {
    let points = points_of(annotation, "QuadPoints");
    let quads: Vec<Quad> = points.as_chunks::<4>().0.iter().map(|corners| Quad::of(*corners)).collect();
    if quads.is_empty() { rect(annotation).map(of_rect).into_iter().collect() } else { quads }
}

fn of_rect(rect: Rect) -> Quad {
    let at = Point::new;
    Quad::of([at(rect.x0, rect.y1), at(rect.x1, rect.y1), at(rect.x0, rect.y0), at(rect.x1, rect.y0)])
}

/// One that has no colour is yellow, as it usually is; black would hide the text.
pub fn highlight(annotation: &Dict<'_>) -> Option<Appearance> {
    let color = Color::of(annotation, "C").unwrap_or(Color::Rgb([1.0, 1.0, 0.0]));
    if !color.is_visible() {
        return None;
    }
    let mut canvas = Canvas::new(annotation, Fonts::standard("Helv"), "Multiply");
    let mut path = BezPath::new();
    for Quad { upper_left, upper_right, lower_left, lower_right } in quads(annotation) {
        // The ends are round, beyond the corners, by a quarter of the height.
        let (left, right) = ((upper_left - lower_left) / 4.0, (upper_right - lower_right) / 4.0);
        let (out_left, out_right) = (left.turn_90(), -right.turn_90());
        path.move_to(lower_left);
        path.curve_to(lower_left + left + out_left, upper_left - left + out_left, upper_left);
        path.line_to(upper_right);
        path.curve_to(upper_right - right + out_right, lower_right + right + out_right, lower_right);
        path.close_path();
    }
    if path.is_empty() {
        return None;
    }
    canvas.fill(&path, color);
    canvas.finish()
}

/// Lines along parts of text.
fn lines(annotation: &Dict<'_>, path: impl Fn(Quad) -> BezPath) -> Option<Appearance> {
    let color = Color::of(annotation, "C").unwrap_or(Color::BLACK);
    if !color.is_visible() {
        return None;
    }
    let mut canvas = Canvas::new(annotation, Fonts::standard("Helv"), "Normal");
    canvas.stroke_color(color);
    // Their border is none of table 182, and is not heeded by viewers.
    canvas.line_style(&Border::default());
    for quad in quads(annotation) {
        canvas.path(&path(quad));
    }
    canvas.paint(false, true);
    canvas.finish()
}

pub fn underline(annotation: &Dict<'_>) -> Option<Appearance> {
    lines(annotation, |quad| through(&[quad.lower_left, quad.lower_right], false))
}

pub fn strike_out(annotation: &Dict<'_>) -> Option<Appearance> {
    lines(annotation, |quad| {
        let (left, right) = (quad.upper_left.midpoint(quad.lower_left), quad.upper_right.midpoint(quad.lower_right));
        through(&[left, right], false)
    })
}

pub fn squiggly(annotation: &Dict<'_>) -> Option<Appearance> {
    let most = MOST_WAVES / quads(annotation).len().max(1);
    lines(annotation, |Quad { upper_left, lower_left, lower_right, .. }| {
        let (along, up) = (lower_right - lower_left, upper_left - lower_left);
        let rise = if up.hypot() > 0.0 { up.normalize() * WAVE } else { up };
        let count = ((along.hypot() / WAVE).ceil() as usize).min(most).max(1);
        let at = |number: usize| {
            let rise = if number % 2 == 1 { rise } else { rise * 0.0 };
            lower_left + along * (number as f64 / count as f64) + rise
        };
        through(&(0..=count).map(at).collect::<Vec<_>>(), false)
    })
}

/// A mark where text is missing: ‸, or ¶ for a new paragraph.
pub fn caret(annotation: &Dict<'_>) -> Option<Appearance> {
    let color = Color::of(annotation, "C").unwrap_or(Color::BLACK);
    let place = inner_rect(annotation).filter(|_| color.is_visible())?;
    let mut canvas = Canvas::new(annotation, Fonts::standard("Helv"), "Normal");
    if annotation.get::<Name<'_>>("Sy").as_deref() == Some(b"P") {
        let look = Look { font: Vec::new(), size: 0.0, color, line_color: None };
        text::set_line(&mut canvas, "¶", place, &look, Quadding::Center);
        return canvas.finish_in(place);
    }
    let (low, middle) = (place.y0, place.center());
    let mut path = BezPath::new();
    path.move_to((place.x0, low));
    path.quad_to((middle.x, low), (middle.x, place.y1));
    path.quad_to((middle.x, low), (place.x1, low));
    path.close_path();
    canvas.fill(&path, color);
    canvas.finish()
}

/// A box with what it says. Viewers have pictures of their own for the names of table 184.
pub fn stamp(annotation: &Dict<'_>) -> Option<Appearance> {
    let place = rect(annotation)?;
    let name = annotation.get::<Name<'_>>("Name");
    let words = readable(&name.map_or_else(|| "Draft".to_owned(), |name| strings::decode(&name)));
    let color = Color::of(annotation, "C").filter(|color| color.is_visible()).unwrap_or_else(|| stamp_color(&words));
    let mut canvas = Canvas::new(annotation, Fonts::standard("Helvetica-Bold"), "Normal");
    let width = (place.height().min(place.width()) / 16.0).clamp(0.5, 3.0);
    let border = Border { width, ..Border::default() };
    canvas.stroke_color(color);
    canvas.line_style(&border);
    canvas.path(&RoundedRect::from_rect(within(place, width / 2.0), 3.0 * width));
    canvas.paint(false, true);
    let look = Look { font: Vec::new(), size: 0.0, color, line_color: None };
    text::set_line(&mut canvas, &words, within(place, 3.0 * width), &look, Quadding::Center);
    canvas.finish_in(place)
}

/// The words of a name like NotForPublicRelease.
fn readable(name: &str) -> String {
    let mut words = String::new();
    for letter in name.strip_prefix("SB").or(name.strip_prefix("SH")).unwrap_or(name).chars().take(100) {
        let is_inside = words.chars().last().is_some_and(|last| last.is_lowercase() || last.is_ascii_digit());
        if letter.is_uppercase() && is_inside {
            words.push(' ');
        }
        words.push(if letter == '_' { ' ' } else { letter });
    }
    words.trim().to_uppercase()
}

fn stamp_color(words: &str) -> Color {
    Color::Rgb(match words {
        "APPROVED" | "FINAL" | "COMPLETED" | "ACCEPTED" => [0.1, 0.45, 0.15],
        "NOT APPROVED" | "VOID" | "EXPIRED" | "REJECTED" | "DRAFT" | "CONFIDENTIAL" | "TOP SECRET" => [0.65, 0.1, 0.1],
        _ => [0.1, 0.2, 0.5],
    })
}

/// Text on the page, in a box of its own (12.5.6.6).
pub fn free_text(annotation: &Dict<'_>, form: &Form<'_>) -> Option<Appearance> {
    let place = inner_rect(annotation)?;
    let mut look = Look::of(annotation, form);
    if look.size <= 0.0 {
        look.size = USUAL;
    }
    let mut canvas = Canvas::new(annotation, look.fonts(annotation, form), "Normal");
    // Its lines have a colour of their own, or that of the text.
    let pen = Pen {
        border: Border::of(annotation).unwrap_or_default(),
        line: look.line_color.unwrap_or(look.color),
        inside: Color::of(annotation, "C").unwrap_or(Color::Transparent),
    };
    canvas.include(place);
    pen.prepare(&mut canvas);
    callout(annotation, &mut canvas, &pen);
    if pen.has_line() || pen.inside.is_visible() {
        canvas.path(&within(place, pen.border.width / 2.0));
        canvas.paint(pen.inside.is_visible(), pen.has_line());
    }
    if let Some(words) = text::of(annotation, "Contents") {
        let inside = within(place, 2.0 * pen.border.width);
        canvas.save();
        canvas.clip(inside);
        text::set_lines(&mut canvas, &words, inside, &look, Quadding::of(annotation, form));
        canvas.restore();
    }
    canvas.finish()
}

/// The line from what the text is about to its box.
fn callout(annotation: &Dict<'_>, canvas: &mut Canvas, pen: &Pen) {
    let points = points_of(annotation, "CL");
    let points = points.get(..3).unwrap_or(&points);
    let [tip, next, ..] = points else { return };
    if !pen.has_line() {
        return;
    }
    canvas.path(&through(points, false));
    canvas.paint(false, true);
    let size = (6.0 * pen.border.width).min(tip.distance(*next) / 2.0);
    Endings::of(annotation).first.paint(canvas, pen, *tip, (*tip - *next).atan2(), size);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corners_are_found_in_any_order() {
        let [ul, ur, ll, lr] = [(1.0, 9.0), (8.0, 9.0), (1.0, 5.0), (8.0, 5.0)].map(Point::from);
        let quad = Quad { upper_left: ul, upper_right: ur, lower_left: ll, lower_right: lr };
        for corners in [[ul, ur, ll, lr], [ll, lr, ul, ur], [ll, lr, ur, ul], [ul, ur, lr, ll]] {
            assert_eq!(Quad::of(corners), quad, "{corners:?}");
        }
        // Text that goes up: its left is below.
        let up = [(5.0, 1.0), (5.0, 8.0), (9.0, 1.0), (9.0, 8.0)].map(Point::from);
        let [upper_left, upper_right, lower_left, lower_right] = up;
        assert_eq!(Quad::of(up), Quad { upper_left, upper_right, lower_left, lower_right });
        let flat = [ul, ur, ul, ur];
        assert_eq!(Quad::of(flat).lower_right, ur);
    }

    #[test]
    fn names_of_stamps_are_read_as_words() {
        let cases =
            [("NotApproved", "NOT APPROVED"), ("SBFinal", "FINAL"), ("AsIs", "AS IS"), ("For_Review", "FOR REVIEW")];
        for (name, words) in cases {
            assert_eq!(readable(name), words);
        }
    }
}
