//! Transparency groups that would not come out right (ISO 32000-2, 11.4 and 11.6).
//!
//! hayro draws every group as an isolated one that is not a knockout group. To a group that is not isolated this makes a
//! difference where something in it is blended with what lies behind it, as the text under a highlight. If the group as a
//! whole is put on the page as it is (alpha 1, Normal, no mask), it means the same without its /Group: so that is taken away.
//! What remains is told, for another program to draw the page, or to be said.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use hayro::hayro_syntax::content::UntypedIter;
use hayro::hayro_syntax::object::{Array, Dict, Name, Object, ObjectIdentifier, Stream};
use hayro::hayro_syntax::page::{Page, Resources};

use super::Need;
use super::excerpt::Excerpt;
use super::source::Source;

/// How deep forms are followed, and how many operators of a page: what is deeper or later is taken to need nothing.
const DEEPEST: u32 = 24;
const MOST_OPERATORS: u32 = 4_000_000;
/// Among how many forms and pictures of a page's resources groups are looked for. Where there are more, all that is drawn is looked at.
const MOST_LOOKED_AT: u32 = 2_000;

/// What is found of the groups of a page.
#[derive(Default)]
pub struct Groups {
    /// Those that mean the same without their /Group.
    pub transparent: BTreeSet<ObjectIdentifier>,
    pub needs: BTreeSet<Need>,
}

/// Looks at a page and the appearances of its annotations.
pub fn survey<'a>(page: &'a Page<'a>, appearances: &[Stream<'a>]) -> Groups {
    let mut looks = MOST_LOOKED_AT;
    let mut is_worth_it = has_delicate_groups(&page.resources().x_objects, DEEPEST, &mut looks);
    is_worth_it |= appearances.iter().any(|form| is_delicate(form, DEEPEST, &mut looks));
    is_worth_it |= has_masks(&page.resources().ext_g_states);
    if !is_worth_it {
        return Groups::default();
    }
    let mut walk = Walk { left: MOST_OPERATORS, ..Walk::default() };
    walk.content(page.page_stream().unwrap_or_default(), page.resources(), State::default(), DEEPEST);
    for form in appearances {
        walk.form(form, page.resources(), State::default(), DEEPEST);
    }
    walk.found()
}

/// Writes these groups without their /Group.
pub fn open(excerpt: &mut Excerpt<'_>, form: &Stream<'_>) -> Option<()> {
    let mut entries = Source::default();
    entries.open_dict(form.dict(), &[b"Group", b"Length"]);
    excerpt.stream(form.obj_id(), entries, &form.raw_data())
}

fn has_delicate_groups(x_objects: &Dict<'_>, depth: u32, looks: &mut u32) -> bool {
    x_objects
        .keys()
        .any(|name| x_objects.get::<Stream<'_>>(&*name).is_some_and(|form| is_delicate(&form, depth, looks)))
}

/// Whether a form is a group that hayro may draw wrongly, or has one.
fn is_delicate(form: &Stream<'_>, depth: u32, looks: &mut u32) -> bool {
    *looks = looks.saturating_sub(1);
    if *looks == 0 {
        return true;
    }
    let Some(depth) = depth.checked_sub(1) else { return false };
    if !is_form(form) {
        return false;
    }
    let group = Group::of(form);
    let resources = || form.dict().get::<Dict<'_>>("Resources");
    group.is_some_and(|group| !group.is_isolated || group.is_knockout)
        || resources().is_some_and(|inner| {
            inner.get::<Dict<'_>>("ExtGState").is_some_and(|states| has_masks(&states))
                || inner.get::<Dict<'_>>("XObject").is_some_and(|forms| has_delicate_groups(&forms, depth, looks))
        })
}

fn is_form(object: &Stream<'_>) -> bool {
    object.dict().get::<Name<'_>>("Subtype").is_some_and(|kind| kind.as_ref() == b"Form")
}

fn has_masks(states: &Dict<'_>) -> bool {
    let has_mask = |name: Name<'_>| states.get::<Dict<'_>>(&*name)?.get::<Dict<'_>>("SMask");
    states.keys().any(|name| has_mask(name).is_some())
}

/// What the /Group of a form says.
#[derive(Clone, Copy)]
struct Group {
    is_isolated: bool,
    is_knockout: bool,
}

impl Group {
    fn of(form: &Stream<'_>) -> Option<Self> {
        let group = form.dict().get::<Dict<'_>>("Group")?;
        let says = |key: &str| group.get::<bool>(key).unwrap_or(false);
        Some(Self { is_isolated: says("I"), is_knockout: says("K") })
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
}

impl Default for State {
    fn default() -> Self {
        Self { fills_opaquely: true, strokes_opaquely: true, is_normal: true, is_masked: false }
    }
}

impl State {
    fn is_plain(self) -> bool {
        self == Self::default()
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

#[derive(Default)]
struct Walk {
    left: u32,
    uses: BTreeMap<ObjectIdentifier, Uses>,
    needs: BTreeSet<Need>,
    /// What forms were found to paint, which come again and again.
    known: BTreeMap<(ObjectIdentifier, State), Painted>,
    /// Those that are being walked through: a form that draws itself is not followed.
    within: Vec<ObjectIdentifier>,
}

impl Walk {
    fn found(mut self) -> Groups {
        let (otherwise, as_they_are): (Vec<_>, Vec<_>) = self.uses.into_iter().partition(|(_, uses)| uses.otherwise);
        if !otherwise.is_empty() {
            self.needs.insert(Need::Backdrop);
        }
        let transparent = as_they_are.into_iter().filter(|(_, uses)| uses.as_it_is).map(|(id, _)| id).collect();
        Groups { transparent, needs: self.needs }
    }

    fn content(&mut self, content: &[u8], resources: &Resources<'_>, begin: State, depth: u32) -> Painted {
        let mut painted = Painted::default();
        let (mut state, mut saved) = (begin, Vec::new());
        let mut operators = UntypedIter::new(content);
        while let Some(instruction) = operators.next() {
            let Some(left) = self.left.checked_sub(1) else { return painted };
            self.left = left;
            let name = || match instruction.operands().next() {
                Some(Object::Name(name)) => Some(name.clone()),
                _ => None,
            };
            match &**instruction.operator {
                b"q" if saved.len() < 512 => saved.push(state),
                b"Q" => state = saved.pop().unwrap_or(begin),
                b"gs" => {
                    if let Some(dict) = name().and_then(|name| resources.get_ext_g_state(&name)) {
                        state = self.changed(state, &dict);
                    }
                }
                b"Do" => {
                    let Some(object) = name().and_then(|name| resources.get_x_object(&name)) else { continue };
                    if is_form(&object) {
                        painted.merge(self.form(&object, resources, state, depth));
                    } else {
                        painted.add(state);
                        painted.lets_through |= object.dict().contains_key("SMask");
                    }
                }
                b"f" | b"F" | b"f*" | b"S" | b"s" | b"B" | b"B*" | b"b" | b"b*" | b"sh" | b"BI" | b"ID" | b"EI"
                | b"Tj" | b"TJ" | b"'" | b"\"" => painted.add(state),
                _ => {}
            }
        }
        painted
    }

    fn form(&mut self, form: &Stream<'_>, resources: &Resources<'_>, state: State, depth: u32) -> Painted {
        let Some(depth) = depth.checked_sub(1) else { return Painted::default() };
        let (id, group) = (form.obj_id(), Group::of(form));
        if self.within.contains(&id) {
            return Painted::default();
        }
        let inner_state = if group.is_some() { State::default() } else { state };
        let inside = match self.known.get(&(id, inner_state)) {
            Some(known) => *known,
            None => {
                let own = form.dict().get::<Dict<'_>>("Resources").map(|own| Rc::new(Resources::new(own)));
                self.within.push(id);
                let content = form.decoded_data().unwrap_or_default();
                let painted = self.content(&content, own.as_deref().unwrap_or(resources), inner_state, depth);
                self.within.pop();
                self.known.insert((id, inner_state), painted);
                painted
            }
        };
        let Some(group) = group else { return inside };
        if group.is_knockout && inside.lets_through && inside.objects > 1 {
            self.needs.insert(Need::Knockout);
        }
        let mut painted = Painted::default();
        painted.add(state);
        if !group.is_isolated && inside.blends {
            let uses = self.uses.entry(id).or_default();
            let is_as_it_is = state.is_plain() && !group.is_knockout;
            *(if is_as_it_is { &mut uses.as_it_is } else { &mut uses.otherwise }) = true;
            painted.blends = true;
        }
        painted.lets_through |= inside.lets_through;
        painted
    }

    /// The state after an operator `gs` (ISO 32000-2, table 57).
    fn changed(&mut self, mut state: State, dict: &Dict<'_>) -> State {
        let is_one = |key: &str| dict.get::<f32>(key).map(|alpha| alpha >= 1.0);
        state.fills_opaquely = is_one("ca").unwrap_or(state.fills_opaquely);
        state.strokes_opaquely = is_one("CA").unwrap_or(state.strokes_opaquely);
        // Of several modes the first that is known counts; the names that are none of the sixteen are Normal.
        let mode = dict.get::<Name<'_>>("BM").or_else(|| dict.get::<Array<'_>>("BM")?.iter::<Name<'_>>().next());
        if let Some(mode) = mode {
            state.is_normal = matches!(mode.as_ref(), b"Normal" | b"Compatible");
        }
        if let Some(mask) = dict.get::<Dict<'_>>("SMask") {
            state.is_masked = true;
            self.mask(&mask);
        } else if dict.contains_key("SMask") {
            state.is_masked = false;
        }
        state
    }

    /// A mask of luminosity whose group names no space for its colours is not applied by hayro.
    fn mask(&mut self, mask: &Dict<'_>) {
        let is_luminosity = mask.get::<Name<'_>>("S").is_some_and(|kind| kind.as_ref() == b"Luminosity");
        let group = || mask.get::<Stream<'_>>("G")?.dict().get::<Dict<'_>>("Group");
        if is_luminosity && !group().is_some_and(|group| group.contains_key("CS")) {
            self.needs.insert(Need::SoftMask);
        }
    }
}
