//! What a page draws with: whether it is there, and whole. hayro draws what there is of it, and says nothing of the rest.

mod names;
mod spaces;
mod streams;

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::fmt::{self, Display, Formatter};

use hayro::hayro_syntax::Pdf;
use hayro::hayro_syntax::content::UntypedIter;
use hayro::hayro_syntax::object::dict::keys;
use hayro::hayro_syntax::object::{Array, Dict, MaybeRef, Name, Object, ObjectIdentifier, Stream};
use hayro::hayro_syntax::page::{Page, Resources};

use super::super::decode::Wholeness;
use super::super::limits::Limits;
use super::fonts::NotEmbedded;
use super::opening::is_in_file;
use super::photographs;
pub use spaces::{Devices, Looked};
use streams::Budget;

/// How deep forms are followed, and how many operators of a page are looked at.
const DEEPEST: u32 = 24;
const MOST_OPERATORS: u32 = 4_000_000;

/// So much of what is compressed is looked at of a page.
const MOST_BYTES: u64 = 512 << 20;

/// Of a font that is drawn by operators, so many of its letters are looked at.
const MOST_LETTERS: usize = 512;

/// Names that are said of those that lead nowhere, and how long one may be.
const NAMES_TOLD: usize = 3;
const LONGEST_NAME: usize = 40;

/// Colour spaces that have no entry.
const BUILT_IN: [&[u8]; 4] = [b"DeviceGray", b"DeviceRGB", b"DeviceCMYK", b"Pattern"];

/// What a page uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Object,
    Form,
    Picture,
    Font,
    Pattern,
    Shading,
    State,
    ColorSpace,
    Mask,
}

impl Part {
    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Object => ("form or picture", "forms or pictures"),
            Self::Form => ("form", "forms"),
            Self::Picture => ("picture", "pictures"),
            Self::Font => ("font", "fonts"),
            Self::Pattern => ("pattern", "patterns"),
            Self::Shading => ("shading", "shadings"),
            Self::State => ("graphics state", "graphics states"),
            Self::ColorSpace => ("colour space", "colour spaces"),
            Self::Mask => ("mask", "masks"),
        }
    }
}

/// What is wrong with what a page uses. Some is used in several places.
#[derive(Debug, Clone, Default)]
struct Found {
    damaged: BTreeSet<(Part, ObjectIdentifier)>,
    /// What can be read to its end, and has something in it that should not be there.
    doubtful: BTreeSet<(Part, ObjectIdentifier)>,
    /// Pictures that stand among the operators.
    damaged_inline: u32,
    doubtful_inline: u32,
    /// What has a name that its resources lack.
    missing: BTreeSet<(Part, String)>,
    /// Pictures that may be decoded to be drawn, and are looked at after that if they were not.
    photographs: BTreeSet<ObjectIdentifier>,
    has_meshes: bool,
    /// A colour space cannot be read.
    has_unknown_space: bool,
    fonts: NotEmbedded,
}

impl Found {
    fn add(&mut self, part: Part, id: ObjectIdentifier, wholeness: Wholeness) {
        match wholeness {
            Wholeness::Whole => {}
            Wholeness::Doubtful => _ = self.doubtful.insert((part, id)),
            Wholeness::Broken => _ = self.damaged.insert((part, id)),
        }
    }

    fn merge(&mut self, other: &Self) {
        self.damaged.extend(&other.damaged);
        self.doubtful.extend(&other.doubtful);
        self.damaged_inline = self.damaged_inline.saturating_add(other.damaged_inline);
        self.doubtful_inline = self.doubtful_inline.saturating_add(other.doubtful_inline);
        self.missing.extend(other.missing.iter().cloned());
        self.photographs.extend(&other.photographs);
        self.has_meshes |= other.has_meshes;
        self.has_unknown_space |= other.has_unknown_space;
        self.fonts.merge(&other.fonts);
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for part in [Part::Form, Part::Picture, Part::Font, Part::Pattern, Part::Shading, Part::ColorSpace, Part::Mask]
        {
            let (one, many) = part.names();
            let count = |found: &BTreeSet<(Part, ObjectIdentifier)>, inline: u32| {
                let inline = if part == Part::Picture { inline as usize } else { 0 };
                found.iter().filter(|(found, _)| *found == part).count() + inline
            };
            match count(&self.damaged, self.damaged_inline) {
                0 => {}
                1 => notes.push(format!("a {one} cannot be read as a whole")),
                count => notes.push(format!("{count} {many} cannot be read as a whole")),
            }
            const WHY: &str = "coded data is left over, makes no sense or is nothing but zeros";
            match count(&self.doubtful, self.doubtful_inline) {
                0 => {}
                1 => notes.push(format!("a {one} may be damaged: {WHY}")),
                count => notes.push(format!("{count} {many} may be damaged: {WHY}")),
            }
        }
        if self.has_unknown_space {
            notes.push("a colour space is not one that can be read: what is in it is drawn gray".to_owned());
        }
        if !self.missing.is_empty() {
            notes.push(format!("what it draws is not all there: {}", Missing(&self.missing)));
        }
        notes
    }
}

/// Some of what is missing, by name.
struct Missing<'a>(&'a BTreeSet<(Part, String)>);

impl Display for Missing<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        for (at, (part, name)) in self.0.iter().take(NAMES_TOLD).enumerate() {
            let and = if at == 0 { "no" } else { ", no" };
            write!(formatter, "{and} {} has the name {name:?}", part.names().0)?;
        }
        match self.0.len().saturating_sub(NAMES_TOLD) {
            0 => Ok(()),
            more => write!(formatter, ", and {more} more"),
        }
    }
}

/// What was found of what the pages of a document share.
#[derive(Default)]
pub struct Known {
    /// The end of the file is missing, and with it objects.
    is_cut: bool,
    whole: RefCell<HashMap<ObjectIdentifier, Wholeness>>,
    /// Forms with resources of their own.
    forms: RefCell<HashMap<ObjectIdentifier, Found>>,
}

impl Known {
    pub fn of(is_cut: bool) -> Self {
        Self { is_cut, ..Self::default() }
    }

    fn wholeness(&self, id: ObjectIdentifier, budget: &Budget, look: impl FnOnce() -> Wholeness) -> Wholeness {
        let known = self.whole.borrow().get(&id).copied();
        known.unwrap_or_else(|| {
            let wholeness = look();
            if !budget.was_too_small() {
                self.note(id, wholeness);
            }
            wholeness
        })
    }

    /// What was found of a stream when it was decoded.
    pub fn note(&self, id: ObjectIdentifier, wholeness: Wholeness) {
        self.whole.borrow_mut().insert(id, wholeness);
    }
}

/// What was found of a page.
pub struct Survey {
    pub damage: Damage,
    /// It has shadings that are made of triangles or patches.
    pub has_meshes: bool,
    pub fonts: NotEmbedded,
}

/// What is missing of what a page is drawn with, and is not as it should be.
pub struct Damage {
    of_contents: Option<String>,
    found: Found,
    budget: Budget,
    is_too_much: bool,
}

impl Damage {
    /// A note each, once the page has been drawn: photographs that were decoded for that are not decoded again to be looked at.
    pub fn notes(self, pdf: &Pdf, page: &Page<'_>, known: &Known, limits: &Limits) -> Vec<String> {
        let Self { of_contents, mut found, budget, is_too_much } = self;
        for id in std::mem::take(&mut found.photographs) {
            if let Some(picture) = pdf.xref().get::<Stream<'_>>(id) {
                let look = || streams::wholeness_of_picture(&picture, page.resources(), limits, &budget);
                found.add(Part::Picture, id, known.wholeness(id, &budget, look));
            }
        }
        let mut notes: Vec<String> = of_contents.into_iter().chain(found.notes()).collect();
        if known.is_cut {
            match lost(pdf, page) {
                0 => {}
                1 => notes.push("1 object that it is drawn with was in what is missing of the file".to_owned()),
                count => {
                    notes.push(format!("{count} objects that it is drawn with were in what is missing of the file"));
                }
            }
        }
        if is_too_much || budget.was_too_small() {
            notes.push("it draws so much, or so deep, that not all of it was looked at for damage".to_owned());
        }
        notes
    }
}

/// Looks at a page, and at the appearances of its annotations.
pub fn survey<'a>(pdf: &Pdf, page: &'a Page<'a>, appearances: &[Stream<'a>], known: &Known, limits: &Limits) -> Survey {
    let budget = Budget::new(MOST_BYTES);
    let of_contents = of_contents(pdf, page, &budget);
    let mut walk = Walk {
        pdf,
        known,
        limits,
        found: Found::default(),
        left: MOST_OPERATORS,
        budget,
        within: Vec::new(),
        is_too_deep: false,
        spaces: Looked::default(),
    };
    walk.content(page.page_stream().unwrap_or_default(), page.resources(), DEEPEST);
    for form in appearances {
        walk.form(form, page.resources(), Part::Form, DEEPEST);
    }
    let Walk { mut found, budget, left, is_too_deep, .. } = walk;
    let (has_meshes, fonts) = (found.has_meshes, std::mem::take(&mut found.fonts));
    Survey { damage: Damage { of_contents, found, budget, is_too_much: left == 0 || is_too_deep }, has_meshes, fonts }
}

/// The streams that a page is drawn by.
pub fn contents(page: &Page<'_>) -> Vec<ObjectIdentifier> {
    let entries: Vec<MaybeRef<Object<'_>>> = match page.raw().get::<Array<'_>>(keys::CONTENTS) {
        Some(list) => list.raw_iter().collect(),
        None => page.raw().get_raw::<Object<'_>>(keys::CONTENTS).into_iter().collect(),
    };
    entries.iter().filter_map(MaybeRef::as_obj_ref).map(ObjectIdentifier::from).collect()
}

/// How many objects that a page refers to for being drawn are not there. Of a file that is whole these would be null.
fn lost(pdf: &Pdf, page: &Page<'_>) -> usize {
    const MOST: usize = 20_000;
    /// What leads to other pages, or to what is not drawn.
    const ASIDE: [&[u8]; 10] =
        [b"Parent", b"P", b"Popup", b"Dest", b"A", b"AA", b"IRT", b"Metadata", b"PieceInfo", b"FS"];
    let resources = page.resources();
    let inherited =
        [&resources.x_objects, &resources.fonts, &resources.patterns, &resources.ext_g_states, &resources.color_spaces];
    let mut open: Vec<MaybeRef<Object<'_>>> =
        inherited.into_iter().map(|dict| MaybeRef::NotRef(Object::Dict(dict.clone()))).collect();
    let own = [keys::CONTENTS, keys::RESOURCES, keys::ANNOTS];
    open.extend(own.into_iter().filter_map(|key| page.raw().get_raw::<Object<'_>>(key)));
    let (mut seen, mut lost) = (BTreeSet::new(), 0);
    while let Some(next) = open.pop() {
        let object = match next {
            MaybeRef::NotRef(object) => object,
            MaybeRef::Ref(id) => {
                let id = ObjectIdentifier::from(id);
                if seen.len() >= MOST || !seen.insert(id) {
                    continue;
                }
                let Some(object) = pdf.xref().get::<Object<'_>>(id) else {
                    lost += 1;
                    continue;
                };
                object
            }
        };
        let dict = match &object {
            Object::Array(list) => {
                open.extend(list.raw_iter());
                continue;
            }
            Object::Dict(dict) => dict,
            Object::Stream(stream) => stream.dict(),
            _ => continue,
        };
        let keys = dict.keys().filter(|key| !ASIDE.contains(&key.as_ref()));
        open.extend(keys.filter_map(|key| dict.get_raw::<Object<'_>>(&*key)));
    }
    lost
}

/// A reference to no object is null, and so is nothing (ISO 32000-2, 7.3.10).
fn of_contents(pdf: &Pdf, page: &Page<'_>, budget: &Budget) -> Option<String> {
    let (mut pieces, mut damaged) = (0_usize, 0_usize);
    for id in contents(page) {
        let is_whole = match pdf.xref().get::<Stream<'_>>(id) {
            Some(piece) => is_all_of(page, &piece, budget) || streams::wholeness(&piece, budget) == Wholeness::Whole,
            None if pdf.xref().get::<Object<'_>>(id).is_some() || is_in_file(pdf, id) => false,
            None => continue,
        };
        pieces += 1;
        damaged += usize::from(!is_whole);
    }
    match (damaged, pieces) {
        (0, _) => None,
        (1, 1) => Some("what it draws cannot be read as a whole, and is drawn as far as it can".to_owned()),
        (damaged, count) => Some(format!("{damaged} of {count} pieces of what it draws cannot be read as a whole")),
    }
}

/// Whether a stream is the only one that a page is drawn by, and its checksum is that of what hayro reads of it: then it need not be
/// read once more to see that it is whole.
fn is_all_of(page: &Page<'_>, piece: &Stream<'_>, budget: &Budget) -> bool {
    let is_only = page.raw().get::<Stream<'_>>(keys::CONTENTS).is_some();
    is_only && page.page_stream().is_some_and(|content| streams::ends_with_checksum(piece, content, budget))
}

fn is_there(part: Part, name: &Name<'_>, resources: &Resources<'_>) -> bool {
    match part {
        Part::Object => resources.x_objects.contains_key(name),
        Part::Shading => resources.shadings.contains_key(name),
        Part::Pattern => resources.patterns.contains_key(name),
        Part::State => resources.ext_g_states.contains_key(name),
        Part::ColorSpace => BUILT_IN.contains(&name.as_ref()) || resources.color_spaces.contains_key(name),
        Part::Font => resources.fonts.contains_key(name),
        Part::Form | Part::Picture | Part::Mask => true,
    }
}

fn name<'c>(operand: Option<&Object<'c>>) -> Option<Name<'c>> {
    match operand {
        Some(Object::Name(name)) => Some(name.clone()),
        _ => None,
    }
}

struct Walk<'k> {
    pdf: &'k Pdf,
    known: &'k Known,
    limits: &'k Limits,
    found: Found,
    /// Operators and bytes that may still be looked at.
    left: u32,
    budget: Budget,
    /// Those that are being walked through: a form that draws itself is not followed.
    within: Vec<ObjectIdentifier>,
    is_too_deep: bool,
    spaces: Looked,
}

impl Walk<'_> {
    fn content(&mut self, content: &[u8], resources: &Resources<'_>, depth: u32) {
        // As many operators as there may be in it, about.
        let operators = u32::try_from(content.len() / 16).unwrap_or(u32::MAX).saturating_add(1);
        self.left = self.left.saturating_sub(operators);
        if self.left == 0 {
            return;
        }
        let Some(names) = names::of(content) else { return self.operators(content, resources, depth) };
        let names: BTreeSet<(Part, Name<'_>)> =
            names.into_iter().filter_map(|(part, name)| Some((part, Name::new(name)?))).collect();
        // What is not there may not be meant.
        if !names.iter().all(|(part, name)| is_there(*part, name, resources)) {
            return self.operators(content, resources, depth);
        }
        for (part, name) in names {
            self.named(part, &name, resources, depth);
        }
    }

    fn operators(&mut self, content: &[u8], resources: &Resources<'_>, depth: u32) {
        let mut operators = UntypedIter::new(content);
        // What has been looked at by its name, and a font that nothing was written with yet.
        let (mut seen, mut unused) = (BTreeSet::new(), None);
        while let Some(instruction) = operators.next() {
            let Some(left) = self.left.checked_sub(1) else { return };
            self.left = left;
            let (first, last) = (|| instruction.operands().next(), || instruction.operands().last());
            let (part, name) = match &**instruction.operator {
                b"Do" => (Part::Object, name(last())),
                b"Tf" => {
                    unused = name(first());
                    continue;
                }
                b"sh" => (Part::Shading, name(last())),
                b"scn" | b"SCN" => (Part::Pattern, name(last())),
                b"gs" => (Part::State, name(last())),
                b"cs" | b"CS" => (Part::ColorSpace, name(last())),
                b"BI" | b"ID" | b"EI" => {
                    let Some(Object::Stream(picture)) = first() else { continue };
                    self.found.has_unknown_space |= self.spaces.is_wrong_for(picture, resources);
                    match streams::wholeness_of_picture(picture, resources, self.limits, &self.budget) {
                        Wholeness::Whole => {}
                        Wholeness::Doubtful => self.found.doubtful_inline += 1,
                        Wholeness::Broken => self.found.damaged_inline += 1,
                    }
                    continue;
                }
                // It may come back with the state that is kept.
                b"Tj" | b"TJ" | b"'" | b"\"" | b"q" => (Part::Font, unused.take()),
                _ => continue,
            };
            let Some(name) = name else { continue };
            if seen.insert((part, name.as_ref().to_vec())) {
                self.named(part, &name, resources, depth);
            }
        }
    }

    fn named(&mut self, part: Part, name: &Name<'_>, resources: &Resources<'_>, depth: u32) {
        let is_there = match part {
            Part::Object => resources.get_x_object(name).map(|object| self.object(&object, resources, depth)),
            Part::Shading => resources.get_shading(name).map(|shading| self.shading(&shading)),
            Part::Pattern => resources.get_pattern(name).map(|pattern| self.pattern(&pattern, resources, depth)),
            Part::State => resources.get_ext_g_state(name).map(|state| self.state(&state, resources, depth)),
            Part::ColorSpace if BUILT_IN.contains(&name.as_ref()) => Some(()),
            Part::ColorSpace => resources.get_color_space(name).map(|space| self.named_space(&space, resources)),
            Part::Font => resources.get_font(name).map(|font| self.font(&font, resources, depth)),
            Part::Form | Part::Picture | Part::Mask => Some(()),
        };
        if is_there.is_none() {
            self.misses(part, name);
        }
    }

    fn misses(&mut self, part: Part, name: &Name<'_>) {
        self.found.missing.insert((part, name.as_str().chars().take(LONGEST_NAME).collect()));
    }

    fn check(&mut self, part: Part, stream: &Stream<'_>, look: impl FnOnce(&Stream<'_>, &Budget) -> Wholeness) {
        let id = stream.obj_id();
        let wholeness = self.known.wholeness(id, &self.budget, || look(stream, &self.budget));
        self.found.add(part, id, wholeness);
    }

    /// The stream that something has under this key. One that is in the file and cannot be read is damaged.
    fn entry<'a>(&mut self, part: Part, dict: &Dict<'a>, key: &[u8]) -> Option<Stream<'a>> {
        /// Where a dictionary is a stream that has lost its data.
        const STREAMS: [&[u8]; 6] =
            [keys::SMASK, keys::MASK, keys::G, keys::FONT_FILE, keys::FONT_FILE2, keys::FONT_FILE3];
        let stream = dict.get::<Stream<'_>>(key);
        if stream.is_none()
            && let Some(id) = dict.get_ref(key).map(ObjectIdentifier::from)
        {
            let is_damaged = match dict.get::<Object<'_>>(key) {
                Some(Object::Dict(_)) => STREAMS.contains(&key),
                Some(_) => false,
                None => {
                    let look = || if is_in_file(self.pdf, id) { Wholeness::Broken } else { Wholeness::Whole };
                    *self.known.whole.borrow_mut().entry(id).or_insert_with(look) == Wholeness::Broken
                }
            };
            if is_damaged {
                self.found.damaged.insert((part, id));
            }
        }
        stream
    }

    fn check_entry(&mut self, part: Part, dict: &Dict<'_>, key: &[u8]) {
        if let Some(stream) = self.entry(part, dict, key) {
            self.check(part, &stream, streams::wholeness);
        }
    }

    fn object(&mut self, object: &Stream<'_>, resources: &Resources<'_>, depth: u32) {
        match object.dict().get::<Name<'_>>(keys::SUBTYPE) {
            Some(kind) if kind.as_ref() == b"Form" => self.form(object, resources, Part::Form, depth),
            Some(kind) if kind.as_ref() == b"Image" => self.picture(object, resources, Part::Picture, depth),
            _ => {}
        }
    }

    /// A form, or a tile of a pattern or a letter, which have operators as well.
    fn form(&mut self, form: &Stream<'_>, resources: &Resources<'_>, part: Part, depth: u32) {
        let id = form.obj_id();
        if self.within.contains(&id) {
            return;
        }
        let Some(depth) = depth.checked_sub(1) else {
            self.is_too_deep = true;
            return;
        };
        if let Some(found) = self.known.forms.borrow().get(&id) {
            self.found.merge(found);
            return;
        }
        let outer = std::mem::take(&mut self.found);
        self.check(part, form, streams::wholeness);
        let own = form.dict().get::<Dict<'_>>(keys::RESOURCES).map(Resources::new);
        self.within.push(id);
        self.content(&form.decoded_data().unwrap_or_default(), own.as_ref().unwrap_or(resources), depth);
        self.within.pop();
        let found = std::mem::replace(&mut self.found, outer);
        self.found.merge(&found);
        // What draws itself, or is too deep or too long here, may be seen as a whole from elsewhere.
        let is_all = self.left > 0 && !self.budget.was_too_small();
        if own.is_some() && is_all && (self.within.is_empty() || depth > DEEPEST / 2) {
            self.known.forms.borrow_mut().insert(id, found);
        }
    }

    fn picture(&mut self, picture: &Stream<'_>, resources: &Resources<'_>, part: Part, depth: u32) {
        let Some(depth) = depth.checked_sub(1) else { return };
        let limits = self.limits;
        self.found.has_unknown_space |= self.spaces.is_wrong_for(picture, resources);
        if part == Part::Picture && photographs::is_photograph(picture) {
            self.found.photographs.insert(picture.obj_id());
        } else {
            self.check(part, picture, |picture, budget| {
                streams::wholeness_of_picture(picture, resources, limits, budget)
            });
        }
        for mask in [keys::SMASK, keys::MASK] {
            if let Some(mask) = self.entry(Part::Mask, picture.dict(), mask) {
                self.picture(&mask, resources, Part::Mask, depth);
            }
        }
        if let Some(space) = picture.dict().get::<Object<'_>>(keys::COLORSPACE) {
            self.color_space(&space);
        }
    }

    fn pattern(&mut self, pattern: &Object<'_>, resources: &Resources<'_>, depth: u32) {
        match pattern {
            Object::Stream(tile) => self.form(tile, resources, Part::Pattern, depth),
            Object::Dict(pattern) => {
                if let Some(shading) = pattern.get::<Object<'_>>(keys::SHADING) {
                    self.shading(&shading);
                }
            }
            _ => {}
        }
    }

    fn font(&mut self, font: &Dict<'_>, resources: &Resources<'_>, depth: u32) {
        self.found.fonts.add(font);
        let inner = font.get::<Array<'_>>(keys::DESCENDANT_FONTS).and_then(|fonts| fonts.iter::<Dict<'_>>().next());
        let inner = inner.as_ref().unwrap_or(font);
        if let Some(descriptor) = inner.get::<Dict<'_>>(keys::FONT_DESC) {
            for key in [keys::FONT_FILE, keys::FONT_FILE2, keys::FONT_FILE3] {
                self.check_entry(Part::Font, &descriptor, key);
            }
        }
        self.check_entry(Part::Font, inner, keys::CID_TO_GID_MAP);
        self.check_entry(Part::Font, font, keys::ENCODING);
        let Some(letters) = font.get::<Dict<'_>>(keys::CHAR_PROCS) else { return };
        let own = font.get::<Dict<'_>>(keys::RESOURCES).map(Resources::new);
        for name in letters.keys().take(MOST_LETTERS) {
            if let Some(letter) = letters.get::<Stream<'_>>(&*name) {
                self.form(&letter, own.as_ref().unwrap_or(resources), Part::Font, depth);
            }
        }
    }

    fn shading(&mut self, shading: &Object<'_>) {
        let dict = match shading {
            Object::Stream(mesh) => {
                self.found.has_meshes = true;
                self.check(Part::Shading, mesh, streams::wholeness);
                mesh.dict()
            }
            Object::Dict(dict) => dict,
            _ => return,
        };
        self.check_entry(Part::Shading, dict, keys::FUNCTION);
        for function in dict.get::<Array<'_>>(keys::FUNCTION).iter().flat_map(|list| list.iter::<Object<'_>>()) {
            if let Object::Stream(function) = function {
                self.check(Part::Shading, &function, streams::wholeness);
            }
        }
    }

    fn state(&mut self, state: &Dict<'_>, resources: &Resources<'_>, depth: u32) {
        let font = state.get::<Array<'_>>(keys::FONT).and_then(|font| font.iter::<Object<'_>>().next()?.into_dict());
        if let Some(font) = font {
            self.font(&font, resources, depth);
        }
        let Some(mask) = state.get::<Dict<'_>>(keys::SMASK) else { return };
        if let Some(group) = self.entry(Part::Mask, &mask, keys::G) {
            self.form(&group, resources, Part::Mask, depth);
        }
    }

    fn named_space(&mut self, space: &Object<'_>, resources: &Resources<'_>) {
        self.found.has_unknown_space |= self.spaces.components(space, resources).is_none();
        self.color_space(space);
    }

    /// The profile, the table of colours or the function that a space is made of.
    fn color_space(&mut self, space: &Object<'_>) {
        let Object::Array(space) = space else { return };
        for part in space.iter::<Object<'_>>() {
            match part {
                Object::Stream(stream) => self.check(Part::ColorSpace, &stream, streams::wholeness),
                Object::Array(base) => {
                    let profile = base.iter::<Object<'_>>().nth(1).and_then(Object::into_stream);
                    if let Some(profile) = profile {
                        self.check(Part::ColorSpace, &profile, streams::wholeness);
                    }
                }
                _ => {}
            }
        }
    }
}
