//! The words of a page, where they stand in its picture.

use hayro::hayro_interpret::font::{Glyph, GlyphId, GlyphRun};
use hayro::hayro_interpret::hayro_cmap::{BfString, WritingMode};
use hayro::hayro_interpret::{
    BlendMode, ClipPath, Context, Device, DrawMode, DrawProps, Image, ImageDrawProps, InterpreterCache,
    InterpreterSettings, SoftMask, interpret_page,
};
use hayro::hayro_syntax::page::Page;
use hayro::kurbo::{Affine, BezPath, Point, Rect, Vec2};
use unicode_normalization::UnicodeNormalization;

use super::draw::Sheet;
use super::{PixelBox, Word};

/// More words of a page, and more letters of a word, are not kept.
const MOST_WORDS: usize = 20_000;
const MOST_LETTERS: usize = 200;

/// A word ends where the next letter begins farther away than this part of the size of the type.
const GAP: f64 = 0.15;
/// Or stands higher or lower by more than this part.
const STEP: f64 = 0.5;

/// How far letters reach above and below their line, in parts of the size of the type: PDF does not tell for most fonts.
const ABOVE: f64 = 0.75;
const BELOW: f64 = -0.25;
/// How far above its own line a letter begins that hangs below another (ISO 32000-2, 9.7.4.3).
const ABOVE_DOWN: f64 = 0.88;
/// The size of the type in the measure of letters.
const EM: f64 = 1000.0;

/// How many letters of a type whose size nobody tells it is guessed from.
const GUESSED_FROM: f64 = 8.0;

/// What was read of a page.
#[derive(Default)]
pub struct Read {
    pub words: Vec<Word>,
    /// How many letters, which are to be seen, their font has no glyph for.
    pub missing: u32,
}

/// Reads the words in the order in which they are drawn, invisible ones (as scanned pages have them) among them.
pub fn read<'a>(
    page: &'a Page<'a>,
    sheet: &Sheet,
    cache: &InterpreterCache<'a>,
    settings: &InterpreterSettings,
) -> Read {
    let target = Rect::new(0.0, 0.0, sheet.width.into(), sheet.height.into());
    let mut context = Context::new(sheet.to_pixels, target, cache, page.xref(), settings.clone());
    let mut reader = Reader { target, words: Vec::new(), missing: 0, filled: None, current: None, guessed: None };
    interpret_page(page, &mut context, &mut reader);
    reader.end_word();
    Read { words: reader.words, missing: reader.missing }
}

struct Reader {
    target: Rect,
    words: Vec<Word>,
    missing: u32,
    /// Letters that were filled last: they are outlined next, if they are.
    filled: Option<(Affine, u32, usize)>,
    current: Option<Unfinished>,
    /// The mean width of letters that are drawings.
    guessed: Option<f64>,
}

struct Unfinished {
    text: String,
    place: Rect,
    /// Where its last letter ends on the line.
    end: Point,
    size: f64,
    direction: Vec2,
}

/// What a letter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    Outline,
    /// Of a Type 3 font.
    Drawing,
    Vertical,
}

impl Reader {
    fn letter(&mut self, text: &str, advance: f64, to_pixels: Affine, look: Look) {
        if text.chars().all(char::is_whitespace) {
            return self.end_word();
        }
        let text: String = text.chars().filter(|sign| !sign.is_control() && *sign != '\u{ad}').collect();
        let begin = to_pixels * Point::ZERO;
        let mut up = to_pixels * Point::new(0.0, EM) - begin;
        let right = to_pixels * Point::new(EM, 0.0) - begin;
        // Between which points the line runs, and to which sides letters reach.
        let (start, end, sides) = match look {
            // Letters hang below one another in squares.
            Look::Vertical => {
                let top = begin + right * 0.5 + up * ABOVE_DOWN;
                (top, top - up, [right * 0.5, right * -0.5])
            }
            Look::Outline | Look::Drawing => {
                let end = to_pixels * Point::new(advance, 0.0);
                if look == Look::Drawing && up.hypot() > 0.0 {
                    up *= self.guessed_size((end - begin).hypot()) / up.hypot();
                }
                (begin, end, [up * ABOVE, up * BELOW])
            }
        };
        let size = up.hypot();
        let corners = sides.iter().flat_map(|side| [start + *side, end + *side]).collect::<Vec<_>>();
        let place = corners.iter().fold(Rect::from_points(start, end), |place, corner| place.union_pt(*corner));
        if text.is_empty() || !place.is_finite() {
            return;
        }
        if self.current.as_ref().is_some_and(|word| word.ends_before(start)) {
            self.end_word();
        }
        let direction = (end - start) / (end - start).hypot().max(f64::MIN_POSITIVE);
        match &mut self.current {
            Some(word) => {
                word.text.push_str(&text);
                word.place = word.place.union(place);
                word.end = end;
            }
            None => self.current = Some(Unfinished { text, place, end, size, direction }),
        }
    }

    /// Letters of Type 3 fonts are drawings in a measure of their own. They are half as wide as the type is large, in the mean.
    fn guessed_size(&mut self, width: f64) -> f64 {
        if !width.is_finite() {
            return 0.0;
        }
        let mean = self.guessed.map_or(width, |mean| mean + (width - mean) / GUESSED_FROM);
        self.guessed = Some(mean);
        2.0 * mean
    }

    fn end_word(&mut self) {
        let Some(word) = self.current.take() else { return };
        let place = word.place.intersect(self.target);
        let text: String = word.text.chars().flat_map(composed).nfc().take(MOST_LETTERS).collect();
        // What lies outside of the page is no word of it.
        if self.words.len() < MOST_WORDS && place.area() > 0.0 && !text.trim().is_empty() {
            self.words.push(Word { text: text.trim().to_owned(), place: pixel_box(place) });
        }
    }
}

impl Unfinished {
    fn ends_before(&self, next: Point) -> bool {
        let way = next - self.end;
        let (along, across) = (way.dot(self.direction), way.cross(self.direction));
        // A letter that goes back is an accent put upon the last one, or a new word.
        along > GAP * self.size || along < -self.size || across.abs() > STEP * self.size
    }
}

/// Whether a letter that is no blank has no glyph.
fn is_missing(glyph: &Glyph<'_>) -> bool {
    let Glyph::Outline(outline) = glyph else { return false };
    let is_blank = match glyph.as_unicode() {
        Some(BfString::Char(sign)) => sign.is_whitespace() || sign.is_control(),
        Some(BfString::String(text)) => text.chars().all(|sign| sign.is_whitespace() || sign.is_control()),
        None => true,
    };
    outline.glyph_id() == GlyphId::NOTDEF && !is_blank
}

/// A sign as NFKC has it, but for accents that stand by themselves, which that parts into a blank and an accent.
fn composed(sign: char) -> impl Iterator<Item = char> {
    let parted: Vec<char> = std::iter::once(sign).nfkc().collect();
    if parted.len() > 1 && parted[0] == ' ' { vec![sign] } else { parted }.into_iter()
}

/// The sign of a code, for drawings with names that say nothing: those that TeX makes have the codes of ASCII, but for ligatures.
fn printable(code: u32) -> Option<char> {
    char::from_u32(code).filter(char::is_ascii_graphic)
}

/// The pixels that a rectangle touches. It lies within the picture.
pub fn pixel_box(place: Rect) -> PixelBox {
    let outer = place.expand();
    PixelBox { x: outer.x0 as u32, y: outer.y0 as u32, width: outer.width() as u32, height: outer.height() as u32 }
}

impl<'a> Device<'a> for Reader {
    fn draw_glyph_run(&mut self, run: &GlyphRun<'_, 'a>, props: DrawProps<'a>, mode: &DrawMode) {
        let first = run.glyphs().first();
        let run_now = first.map(|glyph| (props.transform * glyph.transform(), glyph.char_code(), run.glyphs().len()));
        match mode {
            DrawMode::Stroke(_) if run_now == self.filled => return,
            DrawMode::Fill(_) => self.filled = run_now,
            _ => {}
        }
        for glyph in run.glyphs() {
            if is_missing(glyph) && !matches!(mode, DrawMode::Invisible) {
                self.missing = self.missing.saturating_add(1);
            }
            let (advance, look) = match &**glyph {
                Glyph::Outline(_) if run.writing_mode() == WritingMode::Vertical => (None, Look::Vertical),
                Glyph::Outline(outline) => (outline.advance_width(), Look::Outline),
                Glyph::Type3(type3) => (type3.advance_width(), Look::Drawing),
            };
            let text = match glyph.as_unicode() {
                Some(BfString::Char(sign)) => sign.to_string(),
                Some(BfString::String(text)) => text,
                None if look == Look::Drawing => match printable(glyph.char_code()) {
                    Some(sign) => sign.to_string(),
                    None => continue,
                },
                None => continue,
            };
            // As wide as half its size, where the font does not tell.
            self.letter(&text, advance.map_or(500.0, f64::from), props.transform * glyph.transform(), look);
        }
    }

    fn draw_path(&mut self, _: &BezPath, _: DrawProps<'a>, _: &DrawMode) {}

    fn push_clip_path(&mut self, _: &ClipPath) {}

    fn push_transparency_group(&mut self, _: f32, _: Option<SoftMask<'a>>, _: BlendMode) {}

    fn draw_image(&mut self, _: Image<'a, '_>, _: ImageDrawProps<'a>) {}

    fn pop_clip(&mut self) {}

    fn pop_transparency_group(&mut self) {}
}
