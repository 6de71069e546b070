//! Fields of forms (ISO 32000-2, 12.5.6.19 and 12.7.4 to 12.7.5).

use hayro::hayro_syntax::object::{Dict, Name, Object};
use hayro::kurbo::{Affine, Circle, Point, Rect};

use super::border::{Border, Style};
use super::content::{Canvas, Color, through};
use super::fonts::Fonts;
use super::shapes::within;
use super::text::{self, Look, Quadding};
use super::{Appearance, Form, inherited, rect, strings};

/// Field flags (tables 227, 229, 231 and 233).
const MULTILINE: i32 = 1 << 12;
const PASSWORD: i32 = 1 << 13;
const FILE_SELECT: i32 = 1 << 20;
const COMB: i32 = 1 << 24;
const RADIO: i32 = 1 << 15;
const PUSH_BUTTON: i32 = 1 << 16;
const COMBO: i32 = 1 << 17;

/// Cells of a comb; options of a list, and chosen ones.
const MOST_CELLS: i32 = 1000;
const MOST_OPTIONS: usize = 10_000;
const MOST_CHOSEN: usize = 1000;

/// Between a border and text.
const PADDING: f64 = 2.0;

/// Of lists whose size is up to the viewer.
const LIST_SIZE: f64 = 12.0;

/// The size of marks, by the height of their box; where their middle is above the baseline, for a size of 1.
const MARK: f64 = 0.9;
const MARK_MIDDLE: f64 = 0.345;

/// Behind chosen options.
const CHOSEN: Color = Color::Rgb([0.6, 0.757, 0.855]);

pub fn of_type<'a>(annotation: &Dict<'a>) -> Option<Name<'a>> {
    inherited(annotation, "FT").and_then(Object::into_name)
}

pub fn is_signature(annotation: &Dict<'_>) -> bool {
    of_type(annotation).as_deref() == Some(b"Sig")
}

/// The code that ZapfDingbats has for a sign of Unicode, as a letter (ISO 32000-2, D.6).
fn dingbat(sign: char) -> Option<char> {
    let code = match sign {
        '★' => 'H',
        '●' => 'l',
        '■' => 'n',
        '▲' => 's',
        '▼' => 't',
        '◆' => 'u',
        '\u{2701}'..='\u{275e}' => char::from_u32(u32::from(sign) - 0x2700 + 0x20)?,
        _ => return None,
    };
    Some(code)
}

/// Whether it is a check box or a radio button.
pub fn is_button(annotation: &Dict<'_>) -> bool {
    of_type(annotation).as_deref() == Some(b"Btn") && flags(annotation) & PUSH_BUTTON == 0
}

fn flags(annotation: &Dict<'_>) -> i32 {
    inherited(annotation, "Ff").and_then(Object::into_i32).unwrap_or(0)
}

pub fn widget(annotation: &Dict<'_>, form: &Form<'_>) -> Option<Appearance> {
    if is_signature(annotation) {
        return None;
    }
    let field = Field::of(annotation, form)?;
    let mut canvas = Canvas::new(annotation, field.fonts(), "Normal");
    canvas.save();
    canvas.transform(field.upright);
    let has_box = field.paint_box(&mut canvas);
    let has_value = match (of_type(annotation).as_deref(), flags(annotation)) {
        (Some(b"Tx"), flags) => field.paint_text(&mut canvas, flags),
        (Some(b"Ch"), flags) if flags & COMBO != 0 => field.paint_choice(&mut canvas),
        (Some(b"Ch"), _) => field.paint_list(&mut canvas),
        (Some(b"Btn"), flags) if flags & PUSH_BUTTON != 0 => field.paint_caption(&mut canvas),
        (Some(b"Btn"), _) => field.paint_mark(&mut canvas),
        _ => None,
    };
    canvas.restore();
    if !has_box && has_value.is_none() {
        return None;
    }
    canvas.finish_in(field.rect)
}

/// A field as it is drawn: upright, with its lower left corner at the origin.
struct Field<'a> {
    annotation: &'a Dict<'a>,
    form: &'a Form<'a>,
    rect: Rect,
    place: Rect,
    upright: Affine,
    /// The appearance characteristics (table 192).
    looks: Dict<'a>,
    border: Border,
    look: Look,
    is_radio: bool,
}

impl<'a> Field<'a> {
    fn of(annotation: &'a Dict<'a>, form: &'a Form<'a>) -> Option<Self> {
        let rect = rect(annotation)?;
        let looks = annotation.get::<Dict<'_>>("MK").unwrap_or_default();
        let (width, height) = (rect.width(), rect.height());
        let (turn, [width, height]) = match looks.get::<i32>("R").unwrap_or(0).rem_euclid(360) {
            90 => ([0.0, 1.0, -1.0, 0.0, rect.x1, rect.y0], [height, width]),
            180 => ([-1.0, 0.0, 0.0, -1.0, rect.x1, rect.y1], [width, height]),
            270 => ([0.0, -1.0, 1.0, 0.0, rect.x0, rect.y1], [height, width]),
            _ => ([1.0, 0.0, 0.0, 1.0, rect.x0, rect.y0], [width, height]),
        };
        Some(Self {
            annotation,
            form,
            rect,
            place: Rect::new(0.0, 0.0, width, height),
            upright: Affine::new(turn),
            border: Border::of(annotation).unwrap_or_default(),
            look: Look::of(annotation, form),
            is_radio: is_button(annotation) && flags(annotation) & RADIO != 0,
            looks,
        })
    }

    /// Marks are of ZapfDingbats whatever the default appearance says.
    fn fonts(&self) -> Fonts {
        if is_button(self.annotation) {
            Fonts::standard("ZapfDingbats")
        } else {
            self.look.fonts(self.annotation, self.form)
        }
    }

    /// The background and the border. Radio buttons with a round mark are round.
    fn paint_box(&self, canvas: &mut Canvas) -> bool {
        let color = |key| Color::of(&self.looks, key).filter(|color| color.is_visible());
        let (background, line) = (color("BG"), color("BC").filter(|_| self.border.width > 0.0));
        let is_round = self.is_radio && self.mark() == "l";
        let (width, place) = (self.border.width, self.place);
        let half = within(place, width / 2.0);
        let circle = |inner: Rect| Circle::new(inner.center(), inner.width().min(inner.height()) / 2.0);
        if let Some(background) = background {
            if is_round { canvas.fill(&circle(place), background) } else { canvas.fill(&place, background) }
        }
        if let Some(line) = line {
            canvas.save();
            canvas.stroke_color(line);
            canvas.line_style(&self.border);
            match self.border.style {
                Style::Underline => {
                    canvas.path(&through(&[Point::new(0.0, half.y0), Point::new(place.x1, half.y0)], false))
                }
                _ if is_round => canvas.path(&circle(half)),
                _ => canvas.path(&half),
            }
            canvas.paint(false, true);
            canvas.restore();
            if !is_round {
                self.paint_relief(canvas, background);
            }
        }
        background.is_some() || line.is_some()
    }

    /// Light and shadow inside the border.
    fn paint_relief(&self, canvas: &mut Canvas, background: Option<Color>) {
        let (light, shadow) = match self.border.style {
            Style::Beveled => (Color::WHITE, background.map_or(Color::Gray(0.75), Color::darker)),
            Style::Inset => (Color::Gray(0.5), Color::Gray(0.75)),
            _ => return,
        };
        let (out, inner) = (within(self.place, self.border.width), within(self.place, 2.0 * self.border.width));
        let at = Point::new;
        let (upper, lower) = (at(inner.x1, inner.y1), at(inner.x0, inner.y0));
        let corners =
            [at(out.x0, out.y0), at(out.x0, out.y1), at(out.x1, out.y1), upper, at(inner.x0, inner.y1), lower];
        canvas.fill(&through(&corners, true), light);
        let corners =
            [at(out.x0, out.y0), at(out.x1, out.y0), at(out.x1, out.y1), upper, at(inner.x1, inner.y0), lower];
        canvas.fill(&through(&corners, true), shadow);
    }

    /// How wide the border is, with its relief.
    fn edge(&self) -> f64 {
        let has_relief = matches!(self.border.style, Style::Beveled | Style::Inset);
        self.border.width * if has_relief { 2.0 } else { 1.0 }
    }

    /// Where a line of text goes.
    fn line_place(&self) -> Rect {
        let inset = (self.edge() + PADDING).min(self.place.width() / 2.0);
        Rect { x0: inset, x1: self.place.x1 - inset, ..self.place }
    }

    fn quadding(&self) -> Quadding {
        Quadding::of(self.annotation, self.form)
    }

    /// Writes something inside the border.
    fn inside(&self, canvas: &mut Canvas, write: impl FnOnce(&mut Canvas)) {
        canvas.save();
        canvas.clip(within(self.place, self.edge()));
        write(canvas);
        canvas.restore();
    }

    fn value(&self) -> Option<String> {
        let value = strings::from(&inherited(self.annotation, "V")?)?;
        (!value.is_empty()).then_some(value)
    }

    fn paint_text(&self, canvas: &mut Canvas, flags: i32) -> Option<()> {
        let mut value = self.value()?;
        if flags & PASSWORD != 0 {
            value = value.chars().map(|_| '*').collect();
        }
        let cells = inherited(self.annotation, "MaxLen").and_then(Object::into_i32).filter(|cells| *cells > 0);
        let is_comb = flags & COMB != 0 && flags & (MULTILINE | PASSWORD | FILE_SELECT) == 0;
        self.inside(canvas, |canvas| match cells.filter(|_| is_comb) {
            Some(cells) => self.write_comb(canvas, &value, cells.min(MOST_CELLS)),
            None if flags & MULTILINE != 0 => {
                let edge = self.edge();
                let place = within(self.place, edge);
                let sides = PADDING.min(place.width() / 2.0);
                let place = Rect { x0: place.x0 + sides, x1: place.x1 - sides, ..place };
                text::set_lines(canvas, &value, place, &self.look, self.quadding());
            }
            None => text::set_line(canvas, &value, self.line_place(), &self.look, self.quadding()),
        });
        Some(())
    }

    /// A letter in each cell.
    fn write_comb(&self, canvas: &mut Canvas, value: &str, cells: i32) {
        let (place, width) = (self.place, self.place.width() / f64::from(cells));
        if let Some(line) = Color::of(&self.looks, "BC").filter(|_| self.border.width > 0.0) {
            canvas.save();
            canvas.stroke_color(line);
            canvas.line_style(&self.border);
            for cell in 1..cells {
                let x = f64::from(cell) * width;
                canvas.path(&through(&[Point::new(x, 0.0), Point::new(x, place.y1)], false));
            }
            canvas.paint(false, line.is_visible());
            canvas.restore();
        }
        let glyphs = canvas.fonts.glyphs(&value.replace('\n', " "));
        let widest = glyphs.iter().map(|glyph| glyph.width).fold(0.0, f64::max);
        let cell = Rect { x1: width, ..place };
        let size = if self.look.size > 0.0 { self.look.size } else { text::fitting(cell, widest) };
        let count = (glyphs.len() as f64).min(f64::from(cells));
        let first = match self.quadding() {
            Quadding::Left => 0.0,
            Quadding::Center => ((f64::from(cells) - count) / 2.0).floor(),
            Quadding::Right => f64::from(cells) - count,
        };
        canvas.fill_color(self.look.color);
        for (number, glyph) in glyphs.iter().take(cells.unsigned_abs() as usize).enumerate() {
            let middle = (first + number as f64 + 0.5) * width;
            let at = Point::new(middle - glyph.width * size / 2.0, text::baseline(place, size));
            canvas.text(&[*glyph], at, size);
        }
    }

    /// The options: what each is exported as, and what it is shown as.
    fn options(&self) -> Vec<(String, String)> {
        let options = inherited(self.annotation, "Opt").and_then(Object::into_array);
        let pair = |option: Object<'_>| match option {
            Object::Array(pair) => {
                let mut texts = pair.iter::<Object<'_>>().map(|text| strings::from(&text).unwrap_or_default());
                let exported = texts.next().unwrap_or_default();
                (exported.clone(), texts.next().unwrap_or(exported))
            }
            text => {
                let text = strings::from(&text).unwrap_or_default();
                (text.clone(), text)
            }
        };
        options.map(|list| list.iter::<Object<'_>>().take(MOST_OPTIONS).map(pair).collect()).unwrap_or_default()
    }

    /// The value of a combo box, or what it is shown as.
    fn paint_choice(&self, canvas: &mut Canvas) -> Option<()> {
        let chosen = || self.options().into_iter().nth(*self.numbers()?.first()?).map(|(exported, _)| exported);
        let Some(value) = inherited(self.annotation, "V") else { return self.paint_shown(canvas, chosen()?) };
        let value = match value {
            Object::Array(values) => strings::from(&values.iter::<Object<'_>>().next()?)?,
            value => strings::from(&value)?,
        };
        self.paint_shown(canvas, value)
    }

    fn paint_shown(&self, canvas: &mut Canvas, value: String) -> Option<()> {
        let option = self.options().into_iter().find(|(exported, _)| *exported == value);
        let shown = option.map_or(value, |(_, shown)| shown);
        if shown.is_empty() {
            return None;
        }
        self.inside(canvas, |canvas| {
            text::set_line(canvas, &shown, self.line_place(), &self.look, self.quadding());
        });
        Some(())
    }

    /// The options of a list box, from the one at its top on.
    fn paint_list(&self, canvas: &mut Canvas) -> Option<()> {
        let options = self.options();
        let size = if self.look.size > 0.0 { self.look.size } else { LIST_SIZE };
        let (chosen, line) = (self.chosen(&options), size * 1.15);
        let top = inherited(self.annotation, "TI").and_then(Object::into_i32).unwrap_or(0);
        let inner = within(self.place, self.edge());
        let count = (inner.height() / line).ceil() as usize;
        let from = usize::try_from(top).unwrap_or(0);
        let seen = options.iter().enumerate().skip(from).take(count);
        self.inside(canvas, |canvas| {
            for (row, (number, (_, shown))) in seen.enumerate() {
                let upper = inner.y1 - row as f64 * line;
                let place = Rect::new(inner.x0, upper - line, inner.x1, upper);
                if chosen.contains(&number) {
                    canvas.fill(&place, CHOSEN);
                }
                let side = PADDING.min(place.width() / 2.0);
                let place = Rect { x0: place.x0 + side, x1: place.x1 - side, ..place };
                let look = Look { size, ..self.look.clone() };
                text::set_line(canvas, shown, place, &look, self.quadding());
            }
        });
        (from < options.len()).then_some(())
    }

    /// The options that are chosen by their numbers, /I.
    fn numbers(&self) -> Option<Vec<usize>> {
        let numbers = inherited(self.annotation, "I")?.into_array()?;
        Some(numbers.iter::<u32>().take(MOST_CHOSEN).map(|number| number as usize).collect())
    }

    /// Which options are chosen: by the value, or by their numbers where these say which of several alike it is, or there is no value
    /// (table 234).
    fn chosen(&self, options: &[(String, String)]) -> Vec<usize> {
        let values: Vec<String> = match inherited(self.annotation, "V") {
            Some(Object::Array(values)) => {
                values.iter::<Object<'_>>().take(MOST_CHOSEN).filter_map(|value| strings::from(&value)).collect()
            }
            value => value.and_then(|value| strings::from(&value)).into_iter().collect(),
        };
        let is_value = |number: &usize| {
            options.get(*number).is_some_and(|(exported, shown)| values.contains(exported) || values.contains(shown))
        };
        if let Some(numbers) = self.numbers()
            && (values.is_empty() || numbers.len() == values.len() && numbers.iter().all(is_value))
        {
            return numbers;
        }
        let place = |value: &String| options.iter().position(|(exported, shown)| exported == value || shown == value);
        values.iter().filter_map(place).collect()
    }

    fn paint_caption(&self, canvas: &mut Canvas) -> Option<()> {
        /// /TP: the icon alone.
        const NO_CAPTION: i32 = 1;
        let caption = text::of(&self.looks, "CA").filter(|_| self.looks.get::<i32>("TP") != Some(NO_CAPTION))?;
        self.inside(canvas, |canvas| {
            text::set_line(canvas, &caption, self.line_place(), &self.look, Quadding::Center);
        });
        Some(())
    }

    /// The mark of a check box or radio button, as a code of ZapfDingbats.
    fn mark(&self) -> String {
        let usual = if self.is_radio { "l" } else { "4" };
        let mark = text::of(&self.looks, "CA").unwrap_or_else(|| usual.to_owned());
        mark.chars().map(|sign| dingbat(sign).unwrap_or(sign)).collect()
    }

    fn paint_mark(&self, canvas: &mut Canvas) -> Option<()> {
        if !self.is_on() {
            return None;
        }
        let (mark, inner) = (self.mark(), within(self.place, self.edge()));
        if self.is_radio && mark == "l" {
            let radius = inner.width().min(inner.height()) / 4.0;
            canvas.fill(&Circle::new(inner.center(), radius), self.look.color);
        } else {
            let glyphs = canvas.fonts.glyphs(&mark);
            let wide = text::width(&glyphs).max(1.0);
            let fitting = (MARK * inner.height()).min(inner.width() / wide);
            let size = if self.look.size > 0.0 { self.look.size } else { fitting };
            let middle = inner.center();
            let at = Point::new(middle.x - text::width(&glyphs) * size / 2.0, middle.y - MARK_MIDDLE * size);
            canvas.fill_color(self.look.color);
            canvas.text(&glyphs, at, size);
        }
        Some(())
    }

    /// Its state is that of /AS; a check box without one has that of the field's value.
    fn is_on(&self) -> bool {
        let value = || if self.is_radio { self.annotation.get("V") } else { inherited(self.annotation, "V") };
        let state = self.annotation.get::<Name<'_>>("AS").or_else(|| value().and_then(Object::into_name));
        state.is_some_and(|state| &*state != b"Off")
    }
}
