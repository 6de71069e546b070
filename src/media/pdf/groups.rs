//! Transparency groups that would not come out right (ISO 32000-2, 11.4 and 11.6).
//!
//! hayro draws every group as an isolated one that is not a knockout group. To a group that is not isolated this makes a
//! difference where something in it is blended with what lies behind it, as the text under a highlight. If the group as a
//! whole is put on the page as it is (alpha 1, Normal, no mask), it means the same without its /Group: so that is taken away.
//! What remains is told, for another program to draw the page, or to be said.

use std::collections::{BTreeMap, BTreeSet};

use hayro::hayro_syntax::content::UntypedIter;
use hayro::hayro_syntax::object::{Array, Dict, Name, Object, ObjectIdentifier, Stream};
use hayro::hayro_syntax::page::{Page, Resources};

use super::Need;
use super::excerpt::Excerpt;
use super::parts::{Devices, Looked};
use super::source::Source;
use super::stretches;

/// How deep forms are followed, and how many operators of a page: what is deeper or later is taken to need nothing, with a line.
const DEEPEST: u32 = 24;
const MOST_OPERATORS: u32 = 4_000_000;
/// Among how many forms, pictures, patterns, fonts and letters groups are looked for. Where there are more, all that is drawn is looked at.
const MOST_LOOKED_AT: u32 = 2_000;
/// Of a font that is drawn by operators, so many of its letters are looked at, and so many operators of a letter.
const MOST_LETTERS: usize = 512;
const MOST_OF_LETTER: u32 = 1_000;

/// What is found of the groups of a page.
#[derive(Default)]
pub struct Groups {
    /// Those that mean the same without their /Group.
    pub transparent: BTreeSet<ObjectIdentifier>,
    pub needs: BTreeSet<Need>,
    /// Something is blended in the colours of CMYK (11.3.4); hayro blends everything in RGB.
    pub blends_in_cmyk: bool,
    /// What else comes out wrong, for no other program draws it right.
    pub wrong: BTreeSet<Wrong>,
}

/// What hayro draws wrongly, and others too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wrong {
    /// Filled and stroked at once is a knockout group (11.7.4.4).
    Outlined,
    /// The mode of text means nothing to letters that are drawings (9.3.6), and they are one shape each (9.6.4).
    Drawings,
    /// Not all of it was looked at.
    Unseen,
}

impl Wrong {
    pub const fn told(self) -> &'static str {
        match self {
            Self::Outlined => {
                "what is filled and stroked at once may show its filling through its stroke, which lets through what is behind it"
            }
            Self::Drawings => {
                "letters of a Type 3 font may be outlined, or let through their own parts, which such letters do not"
            }
            Self::Unseen => "it draws so much, or so deep, that not all of its groups and masks were looked at",
        }
    }
}

/// Looks at a page and the appearances of its annotations.
pub fn survey<'a>(page: &'a Page<'a>, appearances: &[Stream<'a>]) -> Groups {
    let own = Group::of(page.raw());
    let mut look = Look { left: MOST_LOOKED_AT, spaces: Looked::default() };
    // The page's group is isolated, whatever it says (11.4.7).
    let begin = State { is_cmyk: own.and_then(|group| group.is_cmyk).unwrap_or(false), ..State::default() };
    let mut is_worth_it = own.is_some_and(|group| group.is_knockout);
    is_worth_it |= look.are_delicate(page.resources(), DEEPEST, begin.is_cmyk);
    is_worth_it |= appearances.iter().any(|form| look.is_delicate(form, DEEPEST, begin.is_cmyk));
    is_worth_it |= has_modes(page.resources()) || has_drawings(page.resources());
    if !is_worth_it {
        return Groups::default();
    }
    let mut walk = Walk { left: MOST_OPERATORS, spaces: look.spaces, ..Walk::default() };
    let painted = walk.content(page.page_stream().unwrap_or_default(), page.resources(), begin, DEEPEST);
    walk.check_knockout(own, painted);
    for form in appearances {
        walk.form(form, page.resources(), begin, DEEPEST);
    }
    walk.found()
}

/// Whether something may be blended with what lies behind it.
fn has_modes(resources: &Resources<'_>) -> bool {
    let states = &resources.ext_g_states;
    states.keys().any(|name| states.get::<Dict<'_>>(&*name).is_some_and(|state| is_normal(&state) == Some(false)))
}

fn has_drawings(resources: &Resources<'_>) -> bool {
    let fonts = &resources.fonts;
    fonts.keys().any(|name| fonts.get::<Dict<'_>>(&*name).is_some_and(|font| is_of_operators(&font)))
}

/// Writes these groups without their /Group.
pub fn open(excerpt: &mut Excerpt<'_>, form: &Stream<'_>) -> Option<()> {
    let mut entries = Source::default();
    entries.open_dict(form.dict(), &[b"Group", b"Length"]);
    excerpt.stream(form.obj_id(), entries, &form.raw_data())
}

/// Looks for groups by what there is to draw with: most pages have none that matter.
struct Look {
    left: u32,
    spaces: Looked,
}

impl Look {
    fn is_used_up(&mut self) -> bool {
        self.left = self.left.saturating_sub(1);
        self.left == 0
    }

    /// Whether something in these is drawn wrongly, or may be; and, where that matters, whether it blends.
    fn are_delicate(&mut self, resources: &Resources<'_>, depth: u32, or_blend: bool) -> bool {
        let Resources { ext_g_states, x_objects, patterns, fonts, .. } = resources;
        has_states(ext_g_states, or_blend)
            || !self.spaces.defaults(resources).is_none()
            || x_objects.keys().any(|name| {
                x_objects.get::<Stream<'_>>(&*name).is_some_and(|form| self.is_delicate(&form, depth, or_blend))
            })
            || patterns.keys().any(|name| {
                let tile = patterns.get::<Stream<'_>>(&*name);
                self.is_used_up() || tile.is_some_and(|tile| self.has_delicate(tile.dict(), depth, true))
            })
            || fonts.keys().any(|name| {
                let font = fonts.get::<Dict<'_>>(&*name).filter(is_of_operators);
                self.is_used_up() || font.is_some_and(|font| self.is_delicate_font(&font, depth, or_blend))
            })
    }

    /// Whether a form is a group that hayro may draw wrongly, or has one.
    fn is_delicate(&mut self, form: &Stream<'_>, depth: u32, or_blend: bool) -> bool {
        let group = Group::of(form.dict());
        let or_blend = or_blend || group.is_some_and(|group| group.is_cmyk == Some(true));
        self.is_used_up()
            || is_form(form)
                && (group.is_some_and(|group| !group.is_isolated || group.is_knockout)
                    || self.has_delicate(form.dict(), depth, or_blend))
    }

    fn has_delicate(&mut self, dict: &Dict<'_>, depth: u32, or_blend: bool) -> bool {
        let own = dict.get::<Dict<'_>>("Resources").map(Resources::new);
        depth.checked_sub(1).zip(own).is_some_and(|(depth, own)| self.are_delicate(&own, depth, or_blend))
    }

    /// Its letters may have resources of their own.
    fn is_delicate_font(&mut self, font: &Dict<'_>, depth: u32, or_blend: bool) -> bool {
        self.has_delicate(font, depth, or_blend)
            || letters(font).any(|letter| self.is_used_up() || self.has_delicate(letter.dict(), depth, or_blend))
    }
}

/// Whether a font is drawn by operators (9.6.4).
fn is_of_operators(font: &Dict<'_>) -> bool {
    font.get::<Name<'_>>("Subtype").is_some_and(|kind| kind.as_ref() == b"Type3")
}

fn letters<'a>(font: &Dict<'a>) -> impl Iterator<Item = Stream<'a>> {
    let letters = font.get::<Dict<'a>>("CharProcs").unwrap_or_default();
    let names: Vec<_> = letters.keys().take(MOST_LETTERS).collect();
    names.into_iter().filter_map(move |name| letters.get::<Stream<'a>>(&*name))
}

fn is_form(object: &Stream<'_>) -> bool {
    object.dict().get::<Name<'_>>("Subtype").is_some_and(|kind| kind.as_ref() == b"Form")
}

/// Whether some of these states have masks, strokes that let something through or, where that matters, modes to blend by.
fn has_states(states: &Dict<'_>, or_modes: bool) -> bool {
    states.keys().any(|name| {
        let state = states.get::<Dict<'_>>(&*name);
        state.is_some_and(|state| {
            state.get::<Dict<'_>>("SMask").is_some()
                || state.get::<f32>("CA").is_some_and(|alpha| alpha < 1.0)
                || or_modes && is_normal(&state) == Some(false)
        })
    })
}

/// Of several modes the first that is known counts; the names that are none of the sixteen are Normal.
fn is_normal(state: &Dict<'_>) -> Option<bool> {
    let mode = state.get::<Name<'_>>("BM").or_else(|| state.get::<Array<'_>>("BM")?.iter::<Name<'_>>().next())?;
    Some(matches!(mode.as_ref(), b"Normal" | b"Compatible"))
}

/// What the /Group of a form or a page says.
#[derive(Clone, Copy)]
struct Group {
    is_isolated: bool,
    is_knockout: bool,
    /// Whether the space that it names is one of CMYK.
    is_cmyk: Option<bool>,
}

impl Group {
    fn of(dict: &Dict<'_>) -> Option<Self> {
        let group = dict.get::<Dict<'_>>("Group")?;
        let says = |key: &str| group.get::<bool>(key).unwrap_or(false);
        let is_cmyk = group.get::<Object<'_>>("CS").map(|space| is_cmyk(&space));
        Some(Self { is_isolated: says("I"), is_knockout: says("K"), is_cmyk })
    }
}

fn is_cmyk(space: &Object<'_>) -> bool {
    match space {
        Object::Name(name) => name.as_ref() == b"DeviceCMYK",
        Object::Array(space) => {
            let profile = space.iter::<Object<'_>>().nth(1).and_then(Object::into_stream);
            profile.is_some_and(|profile| profile.dict().get::<u32>("N") == Some(4))
        }
        _ => false,
    }
}

/// What of the graphics state matters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct State {
    /// Their constant alphas are 1: what is filled, and what is stroked.
    fills_opaquely: bool,
    strokes_opaquely: bool,
    is_normal: bool,
    is_masked: bool,
    /// Colours are to be blended in CMYK.
    is_cmyk: bool,
    /// Of which devices colours are to be taken for others: a form without a word about that is as the page.
    others: Devices,
}

impl Default for State {
    fn default() -> Self {
        Self {
            fills_opaquely: true,
            strokes_opaquely: true,
            is_normal: true,
            is_masked: false,
            is_cmyk: false,
            others: Devices::default(),
        }
    }
}

impl State {
    /// That at the beginning of a group.
    fn within(self) -> Self {
        Self { is_cmyk: self.is_cmyk, others: self.others, ..Self::default() }
    }

    fn is_plain(self) -> bool {
        self == self.within()
    }

    /// Whether a stroke hides what lies behind it.
    fn strokes_plainly(self) -> bool {
        self.strokes_opaquely && self.is_normal
    }
}

/// What is painted by a stretch of content, as the group that it is in sees it.
#[derive(Default, Clone, Copy)]
struct Painted {
    /// Something is blended with what lies behind it.
    blends: bool,
    /// Something lets through what lies behind it.
    lets_through: bool,
    /// How many objects; the more exact number does not matter.
    objects: u32,
}

impl Painted {
    fn add(&mut self, state: State) {
        self.blends |= !state.is_normal;
        self.lets_through |= !state.is_plain();
        self.objects = self.objects.saturating_add(1);
    }

    fn merge(&mut self, other: Self) {
        self.blends |= other.blends;
        self.lets_through |= other.lets_through;
        self.objects = self.objects.saturating_add(other.objects);
    }
}

/// How a group that is not isolated, and has something in it that is blended with what lies behind, is used.
#[derive(Default, Clone, Copy)]
struct Uses {
    as_it_is: bool,
    otherwise: bool,
}

/// Whether a tile covers all of itself at first, so that nothing in it meets what lies behind. What says so in another way than
/// by one rectangle in one colour is not seen.
fn has_ground(tile: &Stream<'_>) -> bool {
    let Some(bounds) = tile.dict().get::<Array<'_>>("BBox") else { return false };
    let [left, bottom, right, top] = match bounds.iter::<f32>().collect::<Vec<_>>()[..] {
        [one, two, three, four] => [one.min(three), two.min(four), one.max(three), two.max(four)],
        _ => return false,
    };
    let content = tile.decoded_data().unwrap_or_default();
    let (mut operators, mut covers) = (UntypedIter::new(&content), None);
    while let Some(instruction) = operators.next() {
        match &**instruction.operator {
            b"q" | b"g" | b"rg" | b"k" | b"G" | b"RG" | b"K" | b"w" => {}
            // Another one may be a hole in it.
            b"re" if covers.is_none() => {
                let numbers = instruction.operands().map(|operand| match operand {
                    Object::Number(number) => Some(number.as_f32()),
                    _ => None,
                });
                let [x, y, width, height] = numbers.collect::<Option<Vec<_>>>().unwrap_or_default()[..] else {
                    return false;
                };
                let (from, to) = ((x.min(x + width), y.min(y + height)), (x.max(x + width), y.max(y + height)));
                covers = Some(from.0 <= left && from.1 <= bottom && to.0 >= right && to.1 >= top);
            }
            b"f" | b"F" | b"f*" | b"b" | b"b*" | b"B" | b"B*" => return covers == Some(true),
            _ => return false,
        }
    }
    false
}

fn name_of<'a>(operand: Option<&Object<'a>>) -> Option<Name<'a>> {
    match operand {
        Some(Object::Name(name)) => Some(name.clone()),
        _ => None,
    }
}

/// The space that the colours of a shading are in.
fn space_of<'a>(shading: &Object<'a>) -> Option<Object<'a>> {
    match shading {
        Object::Dict(dict) => dict.get::<Object<'a>>("ColorSpace"),
        Object::Stream(mesh) => mesh.dict().get::<Object<'a>>("ColorSpace"),
        _ => None,
    }
}

fn number_of(operand: Option<&Object<'_>>) -> Option<i32> {
    match operand {
        Some(Object::Number(number)) => Some(number.as_f32() as i32),
        _ => None,
    }
}

#[derive(Default)]
struct Walk {
    left: u32,
    uses: BTreeMap<ObjectIdentifier, Uses>,
    /// Groups that masks are made of, which stay groups.
    masks: BTreeSet<ObjectIdentifier>,
    needs: BTreeSet<Need>,
    blends_in_cmyk: bool,
    wrong: BTreeSet<Wrong>,
    /// What forms, and the letters of fonts, were found to paint, which come again and again.
    known: BTreeMap<(ObjectIdentifier, State), Painted>,
    /// Whether tiles cover all of themselves at first.
    grounds: BTreeMap<ObjectIdentifier, bool>,
    spaces: Looked,
    /// Whether fonts have letters with something that matters.
    delicate: BTreeMap<ObjectIdentifier, bool>,
    /// Whether letters of fonts are told about.
    told: BTreeMap<(Option<ObjectIdentifier>, bool), bool>,
    /// Those that are being walked through: a form that draws itself is not followed.
    within: Vec<ObjectIdentifier>,
}

impl Walk {
    fn found(mut self) -> Groups {
        let is_otherwise = |id: &ObjectIdentifier, uses: &Uses| uses.otherwise || self.masks.contains(id);
        let (otherwise, as_they_are): (Vec<_>, Vec<_>) =
            self.uses.into_iter().partition(|(id, uses)| is_otherwise(id, uses));
        if !otherwise.is_empty() {
            self.needs.insert(Need::Backdrop);
        }
        let transparent = as_they_are.into_iter().filter(|(_, uses)| uses.as_it_is).map(|(id, _)| id).collect();
        Groups { transparent, needs: self.needs, blends_in_cmyk: self.blends_in_cmyk, wrong: self.wrong }
    }

    fn content(&mut self, content: &[u8], resources: &Resources<'_>, begin: State, depth: u32) -> Painted {
        let mut painted = Painted::default();
        let others = begin.others.or(self.spaces.defaults(resources));
        let begin = State { others, ..begin };
        let (mut state, mut font, mut saved) = (begin, None, Vec::new());
        let mut outlines = false;
        let (mut fonts, mut patterns) = (BTreeMap::new(), BTreeSet::new());
        for stretch in stretches::of(content) {
            let mut operators = UntypedIter::new(stretch);
            while let Some(instruction) = operators.next() {
                let Some(left) = self.left.checked_sub(1) else {
                    self.wrong.insert(Wrong::Unseen);
                    return painted;
                };
                self.left = left;
                let name = || name_of(instruction.operands().next());
                match &**instruction.operator {
                    b"q" if saved.len() < 512 => saved.push((state, font.clone(), outlines)),
                    b"Q" => (state, font, outlines) = saved.pop().unwrap_or((begin, None, false)),
                    b"g" | b"G" => self.check_device(others, Devices { gray: true, ..Devices::default() }),
                    b"rg" | b"RG" => self.check_device(others, Devices { rgb: true, ..Devices::default() }),
                    b"k" | b"K" => self.check_device(others, Devices { cmyk: true, ..Devices::default() }),
                    b"cs" | b"CS" => self.check_space(others, resources, || name().map(Object::Name)),
                    b"Tr" => outlines = matches!(number_of(instruction.operands().next()), Some(1 | 2 | 5 | 6)),
                    b"gs" => {
                        if let Some(dict) = name().and_then(|name| resources.get_ext_g_state(&name)) {
                            state = self.changed(state, &dict, resources, depth);
                            let other = dict.get::<Array<'_>>("Font").and_then(|font| font.iter::<Dict<'_>>().next());
                            font = other.map_or(font, |other| Some(other).filter(is_of_operators));
                        }
                    }
                    b"Tf" => {
                        let Some(name) = name() else { continue };
                        let known = fonts.get(name.as_ref()).cloned();
                        font = known.unwrap_or_else(|| {
                            let found = resources.get_font(&name).filter(is_of_operators);
                            fonts.insert(name.as_ref().to_vec(), found.clone());
                            found
                        });
                    }
                    b"scn" | b"SCN" => {
                        let Some(name) = name_of(instruction.operands().last()) else { continue };
                        if !patterns.insert(name.as_ref().to_vec()) {
                            continue;
                        }
                        let pattern = resources.get_pattern(&name);
                        if let Some(Object::Dict(shaded)) = &pattern {
                            let shading = || shaded.get::<Object<'_>>("Shading");
                            self.check_space(others, resources, || space_of(&shading()?));
                        }
                        if let Some(Object::Stream(tile)) = pattern {
                            let tile = self.tile(&tile, resources, begin.within(), depth);
                            painted.blends |= tile.blends;
                            painted.lets_through |= tile.lets_through;
                        }
                    }
                    b"Do" => {
                        let Some(object) = name().and_then(|name| resources.get_x_object(&name)) else { continue };
                        self.check_space(others, resources, || object.dict().get::<Object<'_>>("ColorSpace"));
                        if is_form(&object) {
                            painted.merge(self.form(&object, resources, state, depth));
                        } else {
                            self.paint(&mut painted, state);
                            painted.lets_through |= object.dict().contains_key("SMask");
                        }
                    }
                    b"Tj" | b"TJ" | b"'" | b"\"" => {
                        self.paint(&mut painted, state);
                        if outlines && font.is_none() && !state.strokes_plainly() {
                            self.wrong.insert(Wrong::Outlined);
                        }
                        if let Some(font) = &font {
                            // What is of one part, as the pictures of letters are, lets nothing of itself through.
                            let is_seen = outlines || !state.fills_opaquely || !state.is_normal;
                            if is_seen && self.is_told(font, outlines) {
                                self.wrong.insert(Wrong::Drawings);
                            }
                            if others.is_none() && !self.has_delicate_letters(font) {
                                continue;
                            }
                            let letters = self.letters(font, resources, state, depth);
                            painted.blends |= letters.blends;
                            painted.lets_through |= letters.lets_through;
                        }
                    }
                    b"B" | b"B*" | b"b" | b"b*" => {
                        self.paint(&mut painted, state);
                        if !state.strokes_plainly() {
                            self.wrong.insert(Wrong::Outlined);
                        }
                    }
                    b"sh" => {
                        let shading = || resources.get_shading(&name()?);
                        self.check_space(others, resources, || space_of(&shading()?));
                        self.paint(&mut painted, state);
                    }
                    b"f" | b"F" | b"f*" | b"S" | b"s" => self.paint(&mut painted, state),
                    b"BI" | b"ID" | b"EI" => {
                        if let Some(Object::Stream(picture)) = instruction.operands().next() {
                            let dict = picture.dict();
                            self.check_space(others, resources, || {
                                dict.get::<Object<'_>>("CS").or_else(|| dict.get::<Object<'_>>("ColorSpace"))
                            });
                        }
                        self.paint(&mut painted, state);
                    }
                    _ => {}
                }
            }
        }
        painted
    }

    /// What the content of a form paints, or that of a tile or a letter.
    fn inside(&mut self, form: &Stream<'_>, resources: &Resources<'_>, state: State, depth: u32) -> Painted {
        let id = form.obj_id();
        if self.within.contains(&id) {
            return Painted::default();
        }
        let Some(depth) = depth.checked_sub(1) else {
            self.wrong.insert(Wrong::Unseen);
            return Painted::default();
        };
        if let Some(known) = self.known.get(&(id, state)) {
            return *known;
        }
        let own = form.dict().get::<Dict<'_>>("Resources").map(Resources::new);
        self.within.push(id);
        let content = form.decoded_data().unwrap_or_default();
        let painted = self.content(&content, own.as_ref().unwrap_or(resources), state, depth);
        self.within.pop();
        self.known.insert((id, state), painted);
        painted
    }

    fn form(&mut self, form: &Stream<'_>, resources: &Resources<'_>, state: State, depth: u32) -> Painted {
        let (id, group) = (form.obj_id(), Group::of(form.dict()));
        let Some(group) = group else { return self.inside(form, resources, state, depth) };
        let own_space = group.is_cmyk.filter(|_| group.is_isolated);
        let begin = State { is_cmyk: own_space.unwrap_or(state.is_cmyk), ..state.within() };
        let inside = self.inside(form, resources, begin, depth);
        self.check_knockout(Some(group), inside);
        let mut painted = Painted::default();
        self.paint(&mut painted, state);
        if !group.is_isolated && inside.blends {
            let uses = self.uses.entry(id).or_default();
            let is_as_it_is = state.is_plain() && !group.is_knockout;
            *(if is_as_it_is { &mut uses.as_it_is } else { &mut uses.otherwise }) = true;
            painted.blends = true;
        }
        painted.lets_through |= inside.lets_through;
        painted
    }

    fn paint(&mut self, painted: &mut Painted, state: State) {
        self.blends_in_cmyk |= state.is_cmyk && !state.is_normal;
        painted.add(state);
    }

    fn check_space<'o>(
        &mut self,
        others: Devices,
        resources: &Resources<'_>,
        space: impl FnOnce() -> Option<Object<'o>>,
    ) {
        if !others.is_none()
            && let Some(space) = space()
        {
            self.check_device(others, Devices::of(&space, resources));
        }
    }

    fn check_device(&mut self, others: Devices, used: Devices) {
        if others.has_any_of(used) {
            self.needs.insert(Need::DefaultSpace);
        }
    }

    fn check_knockout(&mut self, group: Option<Group>, inside: Painted) {
        if group.is_some_and(|group| group.is_knockout) && inside.lets_through && inside.objects > 1 {
            self.needs.insert(Need::Knockout);
        }
    }

    /// A tiling pattern is a group that is not isolated (11.6.7), and hayro draws it as one that is.
    fn tile(&mut self, tile: &Stream<'_>, resources: &Resources<'_>, state: State, depth: u32) -> Painted {
        let inside = self.inside(tile, resources, state, depth);
        if inside.blends && !*self.grounds.entry(tile.obj_id()).or_insert_with(|| has_ground(tile)) {
            self.needs.insert(Need::Pattern);
        }
        inside
    }

    /// Letters are painted in the state that they are written in.
    fn letters(&mut self, font: &Dict<'_>, resources: &Resources<'_>, state: State, depth: u32) -> Painted {
        let key = font.obj_id().map(|id| (id, state));
        if let Some(known) = key.and_then(|key| self.known.get(&key)) {
            return *known;
        }
        let own = font.get::<Dict<'_>>("Resources").map(Resources::new);
        let mut painted = Painted::default();
        for letter in letters(font) {
            let Some(left) = self.left.checked_sub(1) else {
                self.wrong.insert(Wrong::Unseen);
                break;
            };
            self.left = left;
            painted.merge(self.inside(&letter, own.as_ref().unwrap_or(resources), state, depth));
        }
        self.known.extend(key.map(|key| (key, painted)));
        painted
    }

    /// Whether the letters of a font have something that matters here: most have nothing to draw with.
    fn has_delicate_letters(&mut self, font: &Dict<'_>) -> bool {
        let look = || Look { left: MOST_LOOKED_AT, spaces: Looked::default() }.is_delicate_font(font, DEEPEST, true);
        match font.obj_id() {
            Some(id) => *self.delicate.entry(id).or_insert_with(look),
            None => look(),
        }
    }

    /// Whether letters of a font that are drawn in the colour of the text (operator `d1`) are of several parts, or are outlined.
    fn is_told(&mut self, font: &Dict<'_>, outlines: bool) -> bool {
        let is_told = |letter: Stream<'_>| {
            let content = letter.decoded_data().unwrap_or_default();
            let (mut operators, mut takes_color, mut parts) = (UntypedIter::new(&content), false, 0);
            let mut left = MOST_OF_LETTER;
            while let (Some(instruction), 1..) = (operators.next(), left) {
                left -= 1;
                match &**instruction.operator {
                    b"d1" => takes_color = true,
                    b"f" | b"F" | b"f*" | b"S" | b"s" | b"Do" | b"EI" | b"BI" | b"ID" => parts += 1,
                    b"B" | b"B*" | b"b" | b"b*" => parts += 2,
                    _ => {}
                }
            }
            takes_color && (parts > 1 || outlines && parts > 0)
        };
        *self.told.entry((font.obj_id(), outlines)).or_insert_with(|| letters(font).any(is_told))
    }

    /// The state after an operator `gs` (ISO 32000-2, table 57).
    fn changed(&mut self, mut state: State, dict: &Dict<'_>, resources: &Resources<'_>, depth: u32) -> State {
        let is_one = |key: &str| dict.get::<f32>(key).map(|alpha| alpha >= 1.0);
        state.fills_opaquely = is_one("ca").unwrap_or(state.fills_opaquely);
        state.strokes_opaquely = is_one("CA").unwrap_or(state.strokes_opaquely);
        state.is_normal = is_normal(dict).unwrap_or(state.is_normal);
        if let Some(mask) = dict.get::<Dict<'_>>("SMask") {
            state.is_masked = true;
            self.mask(&mask, resources, depth);
        } else if dict.contains_key("SMask") {
            state.is_masked = false;
        }
        state
    }

    /// A mask of luminosity whose group names no space for its colours is not applied by hayro.
    fn mask(&mut self, mask: &Dict<'_>, resources: &Resources<'_>, depth: u32) {
        let is_luminosity = mask.get::<Name<'_>>("S").is_some_and(|kind| kind.as_ref() == b"Luminosity");
        let form = mask.get::<Stream<'_>>("G");
        let group = || form.as_ref()?.dict().get::<Dict<'_>>("Group");
        if is_luminosity && !group().is_some_and(|group| group.contains_key("CS")) {
            self.needs.insert(Need::SoftMask);
        }
        if let Some(form) = form {
            self.masks.insert(form.obj_id());
            let group = Group::of(form.dict());
            let is_cmyk = group.and_then(|group| group.is_cmyk).unwrap_or(false);
            let inside = self.inside(&form, resources, State { is_cmyk, ..State::default() }, depth);
            self.check_knockout(group, inside);
        }
    }
}
