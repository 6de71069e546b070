//! Appearances for annotations and form fields that have none (ISO 32000-2, 12.5.4 to 12.5.6, and 12.7.4 to 12.7.5).
//!
//! What is drawn for an annotation is its appearance stream, which writers may leave out: then viewers make one of what
//! else the annotation says. So is done here: for each kind a form in the coordinates of the page, as Acrobat and
//! poppler show them.

mod border;
mod content;
mod fields;
mod fonts;
mod markup;
pub mod names;
mod order;
mod shapes;
mod strings;
mod text;
mod widths;

use hayro::hayro_syntax::Pdf;
use hayro::hayro_syntax::object::{Array, Dict, Name, Object, Rect as Rectangle, Stream};
use hayro::kurbo::{Point, Rect};

/// Fields above a field, of which it inherits.
const MOST_PARENTS: usize = 32;

/// Points of an annotation.
const MOST_POINTS: usize = 20_000;

/// Coordinates are no further from the origin.
const FARTHEST: f64 = 1e5;

/// What is drawn for an annotation: a form, in the coordinates of the page.
#[derive(Debug, Clone, PartialEq)]
pub struct Appearance {
    /// Left, bottom, right, top, in the page's coordinates: /BBox of the form and /Rect of the annotation (the form has
    /// no /Matrix).
    pub rect: [f64; 4],
    /// Operators of the form's content stream.
    pub content: Vec<u8>,
    /// The source of its /Resources, `<<…>>`.
    pub resources: Vec<u8>,
}

/// What of the interactive form its fields inherit.
pub struct Form<'a> {
    dict: Dict<'a>,
}

impl<'a> Form<'a> {
    pub fn of(pdf: &'a Pdf) -> Self {
        let root = pdf.xref().get::<Dict<'_>>(pdf.xref().root_id());
        Self { dict: root.and_then(|root| root.get::<Dict<'_>>("AcroForm")).unwrap_or_default() }
    }

    /// Whether variable text is drawn anew whatever appearances there are (12.7.3).
    pub fn needs_appearances(&self) -> bool {
        self.dict.get::<bool>("NeedAppearances") == Some(true)
    }
}

/// What becomes of an annotation that has no appearance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One is made, unless the annotation says nothing that could be seen.
    Made,
    /// It is not seen on a page.
    Unseen,
    /// It has an icon, or other looks that are up to the viewer, and is not drawn.
    NotDrawn,
}

pub fn kind(annotation: &Dict<'_>) -> Kind {
    let subtype = annotation.get::<Name<'_>>("Subtype");
    match subtype.as_deref() {
        Some(
            b"Highlight" | b"Underline" | b"StrikeOut" | b"Squiggly" | b"Square" | b"Circle" | b"Line" | b"PolyLine"
            | b"Polygon" | b"Ink" | b"FreeText" | b"Stamp" | b"Caret" | b"Link",
        ) => Kind::Made,
        Some(b"Widget") if fields::is_signature(annotation) => Kind::Unseen,
        Some(b"Widget") => Kind::Made,
        Some(b"Popup" | b"TrapNet" | b"PrinterMark" | b"Watermark") => Kind::Unseen,
        _ => Kind::NotDrawn,
    }
}

/// The appearance for `annotation`, or None where nothing is to be drawn.
pub fn of<'a>(annotation: &Dict<'a>, form: &Form<'a>) -> Option<Appearance> {
    match &*annotation.get::<Name<'_>>("Subtype")? {
        b"Highlight" => markup::highlight(annotation),
        b"Underline" => markup::underline(annotation),
        b"StrikeOut" => markup::strike_out(annotation),
        b"Squiggly" => markup::squiggly(annotation),
        b"Caret" => markup::caret(annotation),
        b"Stamp" => markup::stamp(annotation),
        b"FreeText" => markup::free_text(annotation, form),
        b"Square" => shapes::square(annotation),
        b"Circle" => shapes::circle(annotation),
        b"Line" => shapes::line(annotation),
        b"PolyLine" => shapes::poly_line(annotation),
        b"Polygon" => shapes::polygon(annotation),
        b"Ink" => shapes::ink(annotation),
        b"Link" => shapes::link(annotation),
        b"Widget" => fields::widget(annotation, form),
        _ => None,
    }
}

/// Whether there is a usable normal appearance already.
pub fn has_one(annotation: &Dict<'_>) -> bool {
    let appearances = annotation.get::<Dict<'_>>("AP");
    match appearances.and_then(|appearances| appearances.get::<Object<'_>>("N")) {
        Some(Object::Stream(_)) => true,
        Some(Object::Dict(states)) => {
            let state = annotation.get::<Name<'_>>("AS");
            // A button that is off, or in a state without an appearance, shows nothing (12.5.5).
            fields::is_button(annotation) || state.is_some_and(|state| states.get::<Stream<'_>>(state).is_some())
        }
        _ => false,
    }
}

/// Whether it is a text or choice field, whose appearance is made anew where NeedAppearances is true.
pub fn is_variable(annotation: &Dict<'_>) -> bool {
    let is_widget = annotation.get::<Name<'_>>("Subtype").as_deref() == Some(b"Widget");
    is_widget && matches!(fields::of_type(annotation).as_deref(), Some(b"Tx" | b"Ch"))
}

/// What a dictionary has under a key: one that is null is not there (7.3.7).
fn entry<'a>(dict: &Dict<'a>, key: &str) -> Option<Object<'a>> {
    dict.get::<Object<'_>>(key).filter(|object| !matches!(object, Object::Null(_)))
}

fn has(dict: &Dict<'_>, key: &str) -> bool {
    entry(dict, key).is_some()
}

/// An entry of a field, or of the nearest one above it (12.7.4.2).
fn inherited<'a>(field: &Dict<'a>, key: &str) -> Option<Object<'a>> {
    let mut above = Some(field.clone());
    for _ in 0..=MOST_PARENTS {
        let field = above?;
        if let Some(own) = entry(&field, key) {
            return Some(own);
        }
        above = field.get::<Dict<'_>>("Parent");
    }
    None
}

fn number(dict: &Dict<'_>, key: &str) -> Option<f64> {
    dict.get::<f64>(key).filter(|number| number.is_finite()).map(|number| number.clamp(-FARTHEST, FARTHEST))
}

/// The rectangle of an annotation, if it has an area.
fn rect(annotation: &Dict<'_>) -> Option<Rect> {
    let Rectangle { x0, y0, x1, y1 } = annotation.get::<Rectangle>("Rect")?;
    let [x0, y0, x1, y1] = [x0, y0, x1, y1].map(|side| side.clamp(-FARTHEST, FARTHEST));
    let rect = Rect::new(x0, y0, x1, y1).abs();
    (rect.is_finite() && rect.width() > 0.0 && rect.height() > 0.0).then_some(rect)
}

/// What the differences in /RD leave of the rectangle (table 180).
fn inner_rect(annotation: &Dict<'_>) -> Option<Rect> {
    let rect = rect(annotation)?;
    let differences = annotation.get::<Array<'_>>("RD");
    let differences: Vec<f64> = differences.map(|list| list.iter::<f64>().take(4).collect()).unwrap_or_default();
    let [left, bottom, right, top] = *differences else { return Some(rect) };
    let inner = Rect::new(rect.x0 + left, rect.y0 + bottom, rect.x1 - right, rect.y1 - top);
    let is_inside = [left, bottom, right, top].iter().all(|side| *side >= 0.0) && inner.width() > 0.0;
    Some(if is_inside && inner.height() > 0.0 { inner } else { rect })
}

/// Pairs of coordinates.
fn points(list: &Array<'_>) -> Vec<Point> {
    let numbers: Vec<f64> = list.iter::<f64>().take(2 * MOST_POINTS).collect();
    let near = |number: f64| if number.is_finite() { number.clamp(-FARTHEST, FARTHEST) } else { 0.0 };
    numbers.as_chunks::<2>().0.iter().map(|[x, y]| Point::new(near(*x), near(*y))).collect()
}

fn points_of(annotation: &Dict<'_>, key: &str) -> Vec<Point> {
    annotation.get::<Array<'_>>(key).map(|list| points(&list)).unwrap_or_default()
}

/// What an appearance that is made of an annotation does not show.
pub fn lacking(annotation: &Dict<'_>) -> Vec<&'static str> {
    let effect = annotation.get::<Dict<'_>>("BE").and_then(|effect| effect.get::<Name<'_>>("S"));
    let has_icon = annotation.get::<Dict<'_>>("MK").is_some_and(|looks| has(&looks, "I"));
    let is_free_text = annotation.get::<Name<'_>>("Subtype").as_deref() == Some(b"FreeText");
    let has_text = annotation
        .get::<Object<'_>>("Contents")
        .and_then(|text| strings::from(&text))
        .is_some_and(|text| !text.is_empty());
    let all = [
        ("cloudy borders", effect.as_deref() == Some(b"C")),
        ("icons of buttons", has_icon),
        ("rich text", is_free_text && !has_text && has(annotation, "RC")),
    ];
    all.into_iter().filter_map(|(kind, lacks)| lacks.then_some(kind)).collect()
}

/// Whether an annotation that has no appearance would show something, and is not drawn.
pub fn is_missed(annotation: &Dict<'_>) -> bool {
    // A button may have nothing but an icon.
    let has_icon = || annotation.get::<Dict<'_>>("MK").is_some_and(|looks| has(&looks, "I"));
    // What it says is of another form than what is read here.
    let has_odd_points = || ["Path", "Vertices"].iter().any(|key| has(annotation, key));
    kind(annotation) == Kind::NotDrawn || has_icon() || has_odd_points()
}
