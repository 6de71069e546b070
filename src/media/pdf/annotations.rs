//! Which annotations of a page are drawn, and with what (ISO 32000-2, 12.5).
//!
//! hayro draws those that have an appearance, and heeds two of their flags. Here the rest is seen to: the other flags, optional
//! content that is off, and annotations and fields that have no appearance or one that is out of date. Where that makes a
//! difference, the page gets a list of what is to be drawn.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use hayro::hayro_interpret::util::RectExt;
use hayro::hayro_syntax::Pdf;
use hayro::hayro_syntax::object::dict::keys;
use hayro::hayro_syntax::object::{Array, Dict, FromBytes, MaybeRef, Name, ObjRef, Object, Rect as PdfRect, Stream};
use hayro::hayro_syntax::page::{Page, Rotation};
use hayro::kurbo::{Affine, Rect, Shape};
use memchr::memmem;
use serde::{Deserialize, Serialize};

use super::appearance::{self, Appearance, Form};
use super::excerpt::{self, Excerpt};
use super::source::Source;

/// More annotations of a page are not drawn.
const MOST: usize = 50_000;

/// Which annotations a page shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Annotations {
    /// Those that a screen shows.
    #[default]
    View,
    /// Those that are printed with the page.
    Print,
    None,
}

/// ISO 32000-2, table 167.
mod flags {
    pub const INVISIBLE: u32 = 1;
    pub const HIDDEN: u32 = 1 << 1;
    pub const PRINT: u32 = 1 << 2;
    pub const NO_ROTATE: u32 = 1 << 4;
    pub const NO_VIEW: u32 = 1 << 5;
}

/// The kinds that an Invisible flag means nothing to: those of ISO 32000-2, table 171.
const STANDARD: [&str; 28] = [
    "Text",
    "Link",
    "FreeText",
    "Line",
    "Square",
    "Circle",
    "Polygon",
    "PolyLine",
    "Highlight",
    "Underline",
    "Squiggly",
    "StrikeOut",
    "Caret",
    "Stamp",
    "Ink",
    "Popup",
    "FileAttachment",
    "Sound",
    "Movie",
    "Screen",
    "Widget",
    "PrinterMark",
    "TrapNet",
    "Watermark",
    "3D",
    "Redact",
    "Projection",
    "RichMedia",
];

/// What is drawn of an annotation.
enum Shown<'a> {
    /// Its appearance as it is. What else an annotation has may lead to all of the document.
    AsItIs(Dict<'a>, Stream<'a>),
    /// Its appearance, turned to stand upright on a page that is turned.
    Turned(Dict<'a>, Stream<'a>),
    Made(Appearance),
}

/// The annotations of a page that are drawn.
#[derive(Default)]
pub struct Plan<'a> {
    shown: Vec<Shown<'a>>,
    turn: f64,
    /// hayro would draw something else.
    pub differs: bool,
    /// The appearances that there are.
    pub appearances: Vec<Stream<'a>>,
    /// How many of each kind have no appearance, and get none.
    left_out: BTreeMap<String, u32>,
    /// What those lack that get one.
    lacking: BTreeMap<&'static str, u32>,
    beyond: usize,
}

impl<'a> Plan<'a> {
    pub fn of(pdf: &'a Pdf, page: &Page<'a>, wanted: Annotations) -> Self {
        let mut plan = Self { turn: degrees(page.rotation()).into(), ..Self::default() };
        let Some(annotations) = page.raw().get::<Array<'a>>(keys::ANNOTS) else { return plan };
        if wanted == Annotations::None {
            plan.differs = true;
            return plan;
        }
        let (form, hidden) = (Form::of(pdf), HiddenGroups::of(pdf));
        let mut entries = annotations.raw_iter();
        for entry in entries.by_ref().take(MOST) {
            let annotation = match entry {
                MaybeRef::Ref(reference) => pdf.xref().get::<Dict<'a>>(reference.into()),
                MaybeRef::NotRef(object) => object.into_dict(),
            };
            let Some(annotation) = annotation else { continue };
            if !is_shown(&annotation, wanted) || hidden.hide(&annotation) {
                let is_known_to_be = flag(&annotation, flags::HIDDEN | flags::NO_VIEW);
                plan.differs |= !is_known_to_be && appearance_of(&annotation).is_some();
            } else {
                plan.add(annotation, &form);
            }
        }
        plan.beyond = entries.count();
        plan.differs |= plan.beyond > 0;
        plan
    }

    fn add(&mut self, annotation: Dict<'a>, form: &Form<'a>) {
        let is_stale = form.needs_appearances() && appearance::is_variable(&annotation);
        // Also where nothing is drawn in its place.
        self.differs |= is_stale;
        let is_turned = flag(&annotation, flags::NO_ROTATE) && self.turn != 0.0;
        if appearance::has_one(&annotation) && !is_stale {
            self.differs |= is_turned || flag(&annotation, flags::NO_VIEW);
            // A button without one in its state shows nothing.
            let Some(stream) = appearance_of(&annotation) else { return };
            self.appearances.push(stream.clone());
            self.shown.push(match is_turned {
                true => Shown::Turned(annotation, stream),
                false => Shown::AsItIs(annotation, stream),
            });
        } else if let Some(made) = appearance::of(&annotation, form) {
            self.differs = true;
            for lacking in appearance::lacking(&annotation) {
                *self.lacking.entry(lacking).or_default() += 1;
            }
            let place = annotation.get::<PdfRect>(keys::RECT).filter(|_| is_turned);
            self.shown.push(Shown::Made(match place {
                Some(place) => upright(made, place.to_kurbo(), self.turn),
                None => made,
            }));
        } else if appearance::is_missed(&annotation) {
            let kind = annotation.get::<Name<'_>>(keys::SUBTYPE).filter(|name| !name.as_ref().is_empty());
            *self.left_out.entry(kind.map_or("of no kind".to_owned(), |name| name.as_str().to_owned())).or_default() +=
                1;
        }
    }

    /// Whether appearances were made that have letters beyond those that every font has.
    pub fn has_made_letters(&self) -> bool {
        let has_letters = |made: &Appearance| {
            [&b"/Differences"[..], b"/Type0"].iter().any(|sign| memmem::find(&made.resources, sign).is_some())
        };
        self.shown.iter().any(|shown| matches!(shown, Shown::Made(made) if has_letters(made)))
    }

    /// Whether an appearance does not say how large it is, so that it cannot be put into its place.
    pub fn has_unplaced(&self) -> bool {
        self.appearances.iter().any(|form| form.dict().get::<[f32; 4]>(keys::BBOX).is_none())
    }

    /// What is not drawn, in words.
    pub fn notes(&self) -> Vec<String> {
        let kinds: Vec<String> = self.left_out.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        let mut notes = Vec::new();
        if !kinds.is_empty() {
            notes.push(format!("annotations that have no appearance are not drawn: {}", kinds.join(", ")));
        }
        if !self.lacking.is_empty() {
            let kinds: Vec<String> = self.lacking.iter().map(|(kind, count)| format!("{kind} ({count})")).collect();
            notes.push(format!("annotations are drawn without what they have besides: {}", kinds.join(", ")));
        }
        if self.beyond > 0 {
            notes.push(format!("{} annotations are not drawn: more than {MOST} of a page are not", self.beyond));
        }
        notes
    }

    /// Writes the list of what is drawn, and what it takes.
    pub fn write(&self, excerpt: &mut Excerpt<'_>) -> Option<Source> {
        let mut list = Source::default();
        list.bytes.push(b'[');
        for shown in &self.shown {
            match shown {
                Shown::AsItIs(annotation, stream) => {
                    list.bytes.extend(STAMP);
                    list.open_entry(annotation, b"Rect");
                    list.open_entry(annotation, b"OC");
                    list.bytes.extend(b"/AP<</N ");
                    list.reference(stream.obj_id());
                    list.bytes.extend(b">>>>");
                }
                Shown::Turned(annotation, stream) => {
                    // One without an area shows nothing.
                    if let Some(made) = turned(annotation, stream, self.turn) {
                        drawn_as(&mut list, excerpt, &made)?;
                    }
                }
                Shown::Made(made) => drawn_as(&mut list, excerpt, made)?,
            }
            list.bytes.push(b'\n');
            excerpt::has_room(&list).then_some(())?;
        }
        list.bytes.push(b']');
        Some(list)
    }
}

/// Whatever an annotation is, programs draw it as its appearance if it is a stamp, and ask for nothing else that it should have.
const STAMP: &[u8] = b"<</Type/Annot/Subtype/Stamp/F 4";

/// Adds an annotation with this appearance.
fn drawn_as(list: &mut Source, excerpt: &mut Excerpt<'_>, made: &Appearance) -> Option<()> {
    let form = excerpt.fresh();
    let [left, bottom, right, top] = made.rect;
    let place = format!("[{left:.4} {bottom:.4} {right:.4} {top:.4}]");
    let mut entries = Source::default();
    write!(entries.bytes, "/Type/XObject/Subtype/Form/FormType 1/BBox{place}/Resources<<").ok()?;
    entries.open_dict(&Dict::from_bytes(&made.resources)?, &[]);
    entries.bytes.extend(b">>");
    excerpt.stream(form, entries, &made.content)?;
    list.bytes.extend(STAMP);
    write!(list.bytes, "/Rect{place}/AP<</N ").ok()?;
    list.reference(form);
    list.bytes.extend(b">>>>");
    Some(())
}

/// An appearance turned about the upper left corner of its annotation, against the turn of the page.
fn upright(made: Appearance, place: Rect, turn: f64) -> Appearance {
    let [left, bottom, right, top] = made.rect;
    let affine = about(place.abs(), turn);
    let place = (affine * Rect::new(left, bottom, right, top).to_path(0.1)).bounding_box();
    let content = [b"q ", matrix(affine).as_bytes(), b" cm\n", &made.content, b"\nQ"].concat();
    Appearance { rect: [place.x0, place.y0, place.x1, place.y1], content, resources: made.resources }
}

/// The same of an appearance that the document has, which is put into its annotation's rectangle (12.5.5, algorithm 8).
fn turned(annotation: &Dict<'_>, stream: &Stream<'_>, turn: f64) -> Option<Appearance> {
    let form = stream.dict();
    let place = annotation.get::<PdfRect>(keys::RECT)?.to_kurbo();
    let own = Affine::new(form.get::<[f64; 6]>(keys::MATRIX).unwrap_or([1.0, 0.0, 0.0, 1.0, 0.0, 0.0]));
    let bbox = form.get::<PdfRect>(keys::BBOX)?.to_kurbo();
    let drawn = (own * bbox.to_path(0.1)).bounding_box();
    let (wide, high) = (place.width() / drawn.width(), place.height() / drawn.height());
    let into_place = Affine::new([wide, 0.0, 0.0, high, place.x0 - wide * drawn.x0, place.y0 - high * drawn.y0]);
    let id = stream.obj_id();
    let made = Appearance {
        rect: [place.x0, place.y0, place.x1, place.y1],
        content: format!("{} cm /A Do", matrix(into_place)).into_bytes(),
        resources: format!("<</XObject<</A {} {} R>>>>", id.obj_number, id.gen_number).into_bytes(),
    };
    into_place.is_finite().then(|| upright(made, place, turn))
}

fn about(place: Rect, turn: f64) -> Affine {
    Affine::rotate_about(turn.to_radians(), (place.x0, place.y1))
}

fn matrix(affine: Affine) -> String {
    affine.as_coeffs().map(|number| format!("{number:.6}")).join(" ")
}

const fn degrees(rotation: Rotation) -> u16 {
    match rotation {
        Rotation::None => 0,
        Rotation::Horizontal => 90,
        Rotation::Flipped => 180,
        Rotation::FlippedHorizontal => 270,
    }
}

fn flag(annotation: &Dict<'_>, flags: u32) -> bool {
    annotation.get::<u32>(keys::F).unwrap_or(0) & flags != 0
}

fn is_shown(annotation: &Dict<'_>, wanted: Annotations) -> bool {
    let kind = annotation.get::<Name<'_>>(keys::SUBTYPE);
    let kind = kind.as_ref().map_or("", |kind| kind.as_str());
    let by_wish = match wanted {
        Annotations::View => !flag(annotation, flags::NO_VIEW),
        Annotations::Print => flag(annotation, flags::PRINT),
        Annotations::None => false,
    };
    by_wish
        && !flag(annotation, flags::HIDDEN)
        && kind != "Popup"
        && (STANDARD.contains(&kind) || !flag(annotation, flags::INVISIBLE))
}

/// The normal appearance, in the state that the annotation is in.
fn appearance_of<'a>(annotation: &Dict<'a>) -> Option<Stream<'a>> {
    match annotation.get::<Dict<'a>>(keys::AP)?.get::<Object<'a>>(keys::N)? {
        Object::Stream(stream) => Some(stream),
        Object::Dict(states) => {
            let state = annotation.get::<Name<'a>>(keys::AS).and_then(|state| states.get::<Stream<'a>>(&*state));
            state.or_else(|| states.get::<Stream<'a>>("Off"))
        }
        _ => None,
    }
}

/// The groups of optional content that the document's default configuration turns off (8.11.4.3).
struct HiddenGroups {
    listed: BTreeSet<(u32, i32)>,
    /// Those that are listed are on, and all others off.
    others: bool,
}

impl HiddenGroups {
    fn of(pdf: &Pdf) -> Self {
        let root =
            || pdf.xref().get::<Dict<'_>>(pdf.xref().root_id())?.get::<Dict<'_>>("OCProperties")?.get::<Dict<'_>>("D");
        let Some(default) = root() else { return Self { listed: BTreeSet::new(), others: false } };
        let others = default.get::<Name<'_>>("BaseState").is_some_and(|state| state.as_ref() == b"OFF");
        let list = default.get::<Array<'_>>(if others { "ON" } else { "OFF" });
        let ids = |list: Array<'_>| list.raw_iter().filter_map(|entry| entry.as_obj_ref()).map(id).collect();
        Self { listed: list.map(ids).unwrap_or_default(), others }
    }

    fn is_off(&self, group: ObjRef) -> bool {
        self.listed.contains(&id(group)) != self.others
    }

    /// Whether the group that an annotation belongs to is off, or the policy of a membership hides it (8.11.2.2). Visibility
    /// expressions are not followed.
    fn hide(&self, annotation: &Dict<'_>) -> bool {
        let (reference, content) = (annotation.get_ref(keys::OC), annotation.get::<Dict<'_>>(keys::OC));
        let membership = content.filter(|content| content.contains_key("OCGs"));
        let Some(membership) = membership else { return reference.is_some_and(|group| self.is_off(group)) };
        let groups: Vec<ObjRef> = match membership.get::<Array<'_>>("OCGs") {
            Some(groups) => groups.raw_iter().filter_map(|entry| entry.as_obj_ref()).collect(),
            None => membership.get_ref("OCGs").into_iter().collect(),
        };
        let (mut groups, is_off) = (groups.into_iter().peekable(), |group| self.is_off(group));
        let policy = membership.get::<Name<'_>>(keys::P);
        groups.peek().is_some()
            && match policy.as_ref().map_or("AnyOn", |policy| policy.as_str()) {
                "AllOn" => groups.any(is_off),
                "AnyOff" => !groups.any(is_off),
                "AllOff" => !groups.all(is_off),
                _ => groups.all(is_off),
            }
    }
}

const fn id(reference: ObjRef) -> (u32, i32) {
    (reference.obj_number, reference.gen_number)
}
