//! Text of fields and notes: how it looks, and its lines.

use std::ops::Range;

use hayro::hayro_syntax::object::{Dict, Name, Object};
use hayro::kurbo::{Point, Rect};

use super::content::{Canvas, Color};
use super::fonts::{Fonts, Glyph};
use super::widths::is_wide;
use super::{Form, inherited, order, strings};

/// Lines of a text; what is more is left out.
const MOST_LINES: usize = 2000;

/// The sizes among which text that has none is given one.
const LARGEST_LINES: f64 = 12.0;
const SMALLEST: f64 = 4.0;
const WIDEST: f64 = 1000.0;

/// Between the baselines of lines, for a size of 1: less where there is not the room.
const LEADING: f64 = 1.15;
const LEAST_LEADING: f64 = 1.0;

/// How far letters reach above the baseline, for a size of 1.
const ASCENT: f64 = 0.9;

/// Where lines are set (12.7.4.3, /Q).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quadding {
    Left,
    Center,
    Right,
}

impl Quadding {
    pub fn of(dict: &Dict<'_>, form: &Form<'_>) -> Self {
        let number = inherited(dict, "Q").or_else(|| of_form(dict, form)?.get("Q")).and_then(Object::into_i32);
        match number {
            Some(1) => Self::Center,
            Some(2) => Self::Right,
            _ => Self::Left,
        }
    }

    /// Where something as wide as `width` starts between two places.
    pub fn start(self, left: f64, right: f64, width: f64) -> f64 {
        match self {
            Self::Left => left,
            Self::Center => left.midpoint(right - width),
            Self::Right => right - width,
        }
    }
}

/// What fields have from their form, and other annotations have not.
fn of_form<'f, 'a>(dict: &Dict<'_>, form: &'f Form<'a>) -> Option<&'f Dict<'a>> {
    let is_free_text = dict.get::<Name<'_>>("Subtype").as_deref() == Some(b"FreeText");
    (!is_free_text).then_some(&form.dict)
}

/// What a default appearance string says (12.7.4.3).
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    pub font: Vec<u8>,
    /// 0 where the text is made to fit.
    pub size: f64,
    pub color: Color,
    /// Of lines, which the text of notes has around it.
    pub line_color: Option<Color>,
}

impl Look {
    /// That of a field or an annotation, or of the form.
    pub fn of(dict: &Dict<'_>, form: &Form<'_>) -> Self {
        let own = inherited(dict, "DA").or_else(|| of_form(dict, form)?.get("DA")).and_then(Object::into_string);
        Self::read(&own.map(|text| text.to_vec()).unwrap_or_default())
    }

    pub fn read(appearance: &[u8]) -> Self {
        let mut look = Self { font: b"Helv".to_vec(), size: 0.0, color: Color::BLACK, line_color: None };
        let mut operands: Vec<&[u8]> = Vec::new();
        let appearance = appearance.get(..4096).unwrap_or(appearance);
        for token in tokens(appearance) {
            let numbers = || {
                let numbers = operands.iter().map(|operand| parse(operand).unwrap_or_default());
                Color::from_parts(&numbers.collect::<Vec<_>>())
            };
            match token {
                b"Tf" => {
                    if let [.., name, size] = &*operands {
                        let name = name.strip_prefix(b"/").and_then(Name::new);
                        look.font = name.map_or(look.font, |name| name.to_vec());
                        look.size = parse(size).map_or(0.0, |size| size.abs().min(WIDEST));
                    }
                }
                b"g" | b"rg" | b"k" => look.color = numbers().unwrap_or(look.color),
                b"G" | b"RG" | b"K" => look.line_color = numbers().or(look.line_color),
                _ if token.first().is_some_and(|first| !first.is_ascii_alphabetic()) => {
                    operands.push(token);
                    continue;
                }
                _ => {}
            }
            operands.clear();
        }
        look
    }

    /// Fonts for it, found in the resources of the field or of the form.
    pub fn fonts(&self, dict: &Dict<'_>, form: &Form<'_>) -> Fonts {
        Fonts::new(&[inherited(dict, "DR").and_then(Object::into_dict), form.dict.get("DR")], &self.font)
    }
}

/// The parts of a content stream that has names, numbers and operators.
fn tokens(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let parts = stream.split(|byte| byte.is_ascii_whitespace() || *byte == 0);
    // A name starts where its solidus is, with or without space before it.
    parts
        .flat_map(|part| {
            let (before, name) = part.split_at(part.iter().position(|byte| *byte == b'/').unwrap_or(part.len()));
            [before, name]
        })
        .filter(|token| !token.is_empty())
}

fn parse(number: &[u8]) -> Option<f64> {
    std::str::from_utf8(number).ok()?.parse::<f64>().ok().filter(|number| number.is_finite())
}

/// How wide glyphs are for a size of 1.
pub fn width(glyphs: &[Glyph]) -> f64 {
    glyphs.iter().map(|glyph| glyph.width).sum()
}

/// A text as lines that have not been broken yet.
pub fn paragraphs(text: &str, fonts: &mut Fonts) -> Vec<Vec<Glyph>> {
    order::joined(text).split('\n').take(MOST_LINES).map(|line| fonts.glyphs(line)).collect()
}

/// Where a paragraph is broken so that no line is wider than `most`.
pub fn broken(glyphs: &[Glyph], most: f64) -> Vec<Range<usize>> {
    let (mut lines, mut start, mut width) = (Vec::new(), 0, 0.0);
    // The place behind the last one where the line may end, and how wide it is up to there.
    let mut end: Option<(usize, f64)> = None;
    let mut before = None;
    for (at, glyph) in glyphs.iter().enumerate() {
        if at > start && before.is_some_and(|before| may_break(before, glyph.letter)) {
            end = Some((at, width));
        }
        before = Some(glyph.letter);
        width += glyph.width;
        // Spaces at the end of a line do not count.
        if width > most && glyph.letter != ' ' && at > start {
            let (next, left) = end.take().unwrap_or((at, width - glyph.width));
            lines.push(start..next);
            start = next;
            width -= left;
        }
        if lines.len() >= MOST_LINES {
            return lines;
        }
    }
    lines.push(start..glyphs.len());
    lines
}

/// Whether a line may end between two letters.
const fn may_break(before: char, letter: char) -> bool {
    let is_wide = is_wide(before) || is_wide(letter);
    (is_wide || matches!(before, ' ' | '-' | '\u{2010}')) && !is_closing(letter)
}

/// Signs that no line starts with.
const fn is_closing(letter: char) -> bool {
    matches!(letter, '、' | '。' | '」' | '』' | '）' | '，' | '．' | '！' | '？' | '：' | '；' | '〕' | '】' | '》')
}

/// The lines of a text in a box this wide.
fn lines(paragraphs: &[Vec<Glyph>], most: f64) -> Vec<&[Glyph]> {
    let mut lines = Vec::new();
    for paragraph in paragraphs {
        lines.extend(broken(paragraph, most).into_iter().filter_map(|line| paragraph.get(line)).map(trimmed));
        if lines.len() >= MOST_LINES {
            break;
        }
    }
    lines
}

/// A line without the spaces that it was broken at.
fn trimmed(line: &[Glyph]) -> &[Glyph] {
    let end = line.iter().rposition(|glyph| glyph.letter != ' ').map_or(0, |last| last + 1);
    line.get(..end).unwrap_or(line)
}

/// Sets a text in lines from the top of `place` on; a size of 0 is one with which it fits.
pub fn set_lines(canvas: &mut Canvas, text: &str, place: Rect, look: &Look, quadding: Quadding) {
    let paragraphs = paragraphs(text, &mut canvas.fonts);
    let fits = |size: f64| {
        let count = lines(&paragraphs, place.width() / size).len();
        count as f64 * size * LEADING <= place.height()
    };
    let size = if look.size > 0.0 {
        look.size
    } else {
        let mut size = LARGEST_LINES;
        while size > SMALLEST && !fits(size) {
            size -= 0.5;
        }
        size
    };
    canvas.fill_color(look.color);
    let lines = lines(&paragraphs, place.width() / size);
    let leading = (place.height() / (lines.len() as f64 * size)).clamp(LEAST_LEADING, LEADING);
    for (number, line) in lines.into_iter().enumerate() {
        let top = place.y1 - number as f64 * size * leading;
        if top < place.y0 {
            break;
        }
        let start = quadding.start(place.x0, place.x1, width(line) * size);
        let line = order::visual(line, &mut canvas.fonts);
        canvas.text(&line, Point::new(start, top - ASCENT * size), size);
    }
}

/// A text as one line, from the left.
pub fn line(fonts: &mut Fonts, text: &str) -> Vec<Glyph> {
    let glyphs = fonts.glyphs(&order::joined(&text.replace('\n', " ")));
    order::visual(&glyphs, fonts)
}

/// Sets a text as one line in the middle of `place`; a size of 0 is one with which it fits.
pub fn set_line(canvas: &mut Canvas, text: &str, place: Rect, look: &Look, quadding: Quadding) {
    let glyphs = line(&mut canvas.fonts, text);
    let wide = width(&glyphs);
    let size = if look.size > 0.0 { look.size } else { fitting(place, wide) };
    let start = quadding.start(place.x0, place.x1, wide * size);
    canvas.fill_color(look.color);
    canvas.text(&glyphs, Point::new(start, baseline(place, size)), size);
}

/// The size with which a line fits.
pub fn fitting(place: Rect, wide: f64) -> f64 {
    let high = place.height() * 0.67;
    let size = if wide > 0.0 { high.min(place.width() / wide) } else { high };
    size.clamp(SMALLEST, WIDEST)
}

/// The baseline of a line in the middle of `place`.
pub fn baseline(place: Rect, size: f64) -> f64 {
    place.center().y - 0.4 * size
}

/// The text of an entry.
pub fn of(dict: &Dict<'_>, key: &str) -> Option<String> {
    strings::of(dict, key).filter(|text| !text.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_between_words() {
        let mut fonts = Fonts::standard("Courier");
        let mut split = |text: &str, letters: f64| {
            let glyphs = fonts.glyphs(text);
            let shown =
                |line: Range<usize>| trimmed(&glyphs[line]).iter().map(|glyph| glyph.letter).collect::<String>();
            broken(&glyphs, letters * 0.6 + 0.01).into_iter().map(shown).collect::<Vec<_>>()
        };
        assert_eq!(split("one two three", 7.0), ["one two", "three"]);
        assert_eq!(split("one two", 3.0), ["one", "two"]);
        assert_eq!(split("abcdefgh ij", 3.0), ["abc", "def", "gh", "ij"]);
        assert_eq!(split("half-way", 5.0), ["half-", "way"]);
        assert_eq!(split("日本語。", 5.0), ["日本", "語。"]);
        assert_eq!(split("", 5.0), [""]);
        assert_eq!(split("abc", 0.0), ["a", "b", "c"]);
    }

    #[test]
    fn default_appearances_are_read() {
        let look = Look::read(b"0 0 1 rg /He#42o 9.5 Tf");
        assert_eq!((&*look.font, look.size, look.color), (&b"HeBo"[..], 9.5, Color::Rgb([0.0, 0.0, 1.0])));
        let look = Look::read(b"1 0 0 RG 0.5 g/F1 0 Tf 2 Tr");
        assert_eq!((&*look.font, look.size, look.color), (&b"F1"[..], 0.0, Color::Gray(0.5)));
        assert_eq!(look.line_color, Some(Color::Rgb([1.0, 0.0, 0.0])));
        for odd in [&b""[..], b"Tf", b"/ Tf", b"x y Tf rg g", b"nan inf rg /F 1e999 Tf"] {
            assert!(Look::read(odd).size >= 0.0);
        }
    }
}
