//! What the layers of a file are known by from one upload to the next: the number that Photoshop has given each, or, where a file does
//! not have one number for each, their places.
//!
//! In a file that has lost a layer the others are in other places. So what was made of a layer before is looked for first: by the
//! number, by its name and where it lies, by its name alone if only one has it. A place is what is left: where it was given to
//! another layer it is not this one's, or else a mark, a crop and a name would be handed on to another picture. Of layers that are
//! alike in all that their file says of them, as many as there were are the same in their order; where they are more or fewer, only
//! those in their old places are.
//!
//! What the last file had goes before what is in the trash: so the same file again changes nothing.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::model::asset::LayerFacts;
use crate::store::assets::parts::KnownLayer;

/// What the keys of layers begin with that are known by their places.
const PLACED: &str = "layer:#";

/// A layer of the file that is looked at.
pub struct Shown {
    /// Its place, from 1 on.
    pub number: u32,
    /// The number that Photoshop has given it.
    pub id: Option<u32>,
    pub facts: LayerFacts,
}

/// What a layer is known by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerKey {
    pub key: String,
    /// It cannot be another layer than the one that had the key, so that a crop that was set on that holds for it.
    pub is_certain: bool,
}

/// The keys of all layers of a file, in their order, where `known` are those that were made of it before.
pub fn keys(layers: &[Shown], known: &[KnownLayer]) -> Vec<LayerKey> {
    let mut ids: Vec<u32> = layers.iter().filter_map(|layer| layer.id).collect();
    ids.sort_unstable();
    ids.dedup();
    let has_ids = ids.len() == layers.len();
    let found = found(layers, known, has_ids);
    let mut taken: HashSet<String> = known.iter().map(|known| known.key.clone()).collect();
    let mut fresh = |layer: &Shown| {
        // Its number may be what another layer is known by, which had it before.
        let by_number = (1..).map(|turn| if turn == 1 { of_number(layer.id) } else { of_turn(layer.id, turn) });
        let by_place = std::iter::once(layer.number).chain(layers.len() as u32 + 1..).map(of_place);
        let is_free = |key: &String| !taken.contains(key);
        let key = if has_ids { by_number.into_iter().find(is_free) } else { by_place.into_iter().find(is_free) };
        let key = key.unwrap_or_default();
        taken.insert(key.clone());
        LayerKey { key, is_certain: false }
    };
    let is_alone = |layer: &Shown, before: &KnownLayer| {
        let mut others = known.iter().filter(|other| !other.is_gone && other.key != before.key);
        let alike = layers.iter().filter(|other| is_like(other, layer)).count();
        alike == 1 && !others.any(|other| is_same(layer, other))
    };
    let is_certain = |layer: &Shown, before: &KnownLayer| {
        has_ids && is_of_number(layer, before)
            || is_drawn_alike(layer, before) && (is_of_this_file(layer, before) || is_alone(layer, before))
    };
    let of_known =
        |layer: &Shown, known: &KnownLayer| LayerKey { key: known.key.clone(), is_certain: is_certain(layer, known) };
    let layers = layers.iter().zip(found);
    layers.map(|(layer, found)| found.map_or_else(|| fresh(layer), |known| of_known(layer, known))).collect()
}

/// Which of the known ones each layer is.
fn found<'a>(layers: &'a [Shown], known: &'a [KnownLayer], has_ids: bool) -> Vec<Option<&'a KnownLayer>> {
    let mut free: Vec<&KnownLayer> = known.iter().collect();
    free.sort_by_key(|known| (known.is_gone, known.number));
    let mut finding = Finding { layers, free, found: vec![None; layers.len()] };
    let is_there = |known: &KnownLayer| !known.is_gone;
    finding.take(is_of_this_file);
    if has_ids {
        let has_id = |layer: &Shown, known: &KnownLayer| known.facts.as_ref().is_some_and(|facts| facts.id == layer.id);
        finding.take_unique(|layer, known| is_there(known) && has_id(layer, known));
        finding.take_unique(has_id);
        finding.take(|layer, known| known.facts.is_none() && known.key == of_number(layer.id));
        // What has another number may be a copy, but not of which of two; nor has it one if the last file had none.
        finding.take_unique(|layer, known| is_by_number(&known.key) && is_same(layer, known));
        finding.take(|layer, known| known.key == of_number(layer.id));
        finding.free.retain(|known| !is_by_number(&known.key));
    }
    let is_in_place = |layer: &Shown, known: &KnownLayer| known.number == Some(layer.number) && is_same(layer, known);
    finding.take_as_many(|layer, known| is_there(known) && is_same(layer, known));
    finding.take(|layer, known| is_there(known) && is_in_place(layer, known));
    finding.take_unique(is_same);
    finding.take(is_in_place);
    finding.take_by_name();
    finding.take(|layer, known| {
        let has_no_name = |facts: &LayerFacts| name(facts).is_none() || name(&layer.facts).is_none();
        let may_be = known.facts.as_ref().is_none_or(|facts| has_no_name(facts) && lies(facts) == lies(&layer.facts));
        !has_ids && known.key == of_place(layer.number) && may_be
    });
    finding.found
}

struct Finding<'a> {
    layers: &'a [Shown],
    /// Those that no layer of this file is known by yet.
    free: Vec<&'a KnownLayer>,
    found: Vec<Option<&'a KnownLayer>>,
}

impl Finding<'_> {
    /// Each layer that has no key yet takes that of the first which is the same.
    fn take(&mut self, is_same: impl Fn(&Shown, &KnownLayer) -> bool) {
        for (layer, found) in self.layers.iter().zip(&mut self.found).filter(|(_, found)| found.is_none()) {
            if let Some(at) = self.free.iter().position(|known| is_same(layer, known)) {
                *found = Some(self.free.remove(at));
            }
        }
    }

    /// The same where only one layer and one that is known are.
    fn take_unique(&mut self, is_same: impl Fn(&Shown, &KnownLayer) -> bool) {
        let open = self.layers.iter().zip(&self.found).filter(|(_, found)| found.is_none());
        let open: Vec<&Shown> = open.map(|(layer, _)| layer).collect();
        let of = |layer: &Shown| self.free.iter().filter(|known| is_same(layer, known)).count();
        let alike = |known: &KnownLayer| open.iter().filter(|layer| is_same(layer, known)).count();
        let sure: HashSet<u32> = open
            .iter()
            .filter(|layer| of(layer) == 1 && self.free.iter().any(|known| is_same(layer, known) && alike(known) == 1))
            .map(|layer| layer.number)
            .collect();
        self.take(|layer, known| sure.contains(&layer.number) && is_same(layer, known));
    }

    /// The same in their order, where of those that are alike as many are open as are known.
    fn take_as_many(&mut self, is_same: impl Fn(&Shown, &KnownLayer) -> bool) {
        let as_many: HashSet<u32> = {
            let open =
                || self.layers.iter().zip(&self.found).filter(|(_, found)| found.is_none()).map(|(layer, _)| layer);
            let alike = |layer: &Shown| open().filter(|other| is_like(other, layer)).count();
            let of = |layer: &Shown| self.free.iter().filter(|known| is_same(layer, known)).count();
            open().filter(|layer| alike(layer) == of(layer)).map(|layer| layer.number).collect()
        };
        self.take(|layer, known| as_many.contains(&layer.number) && is_same(layer, known));
    }

    /// By names that only one layer has, now and before.
    fn take_by_name(&mut self) {
        let layers = self.layers.iter().zip(&self.found).filter(|(_, found)| found.is_none());
        let now: Vec<&str> = layers.filter_map(|(layer, _)| name(&layer.facts)).collect();
        let before: Vec<&str> = self.free.iter().filter_map(|known| name(known.facts.as_ref()?)).collect();
        let once = |names: &[&str], name: &str| names.iter().filter(|other| **other == name).count() == 1;
        let names: HashSet<String> =
            now.iter().filter(|name| once(&now, name) && once(&before, name)).map(|name| (*name).to_owned()).collect();
        self.take(|layer, known| {
            let named = name(&layer.facts);
            named.is_some_and(|name| names.contains(name)) && named == known.facts.as_ref().and_then(name)
        });
    }
}

fn of_number(id: Option<u32>) -> String {
    id.map(|id| format!("layer:{id}")).unwrap_or_default()
}

/// Of one that comes under a number which is another's key.
fn of_turn(id: Option<u32>, turn: u32) -> String {
    format!("{}.{turn}", of_number(id))
}

fn of_place(number: u32) -> String {
    format!("{PLACED}{number}")
}

/// Whether a key is the number that Photoshop has given a layer.
fn is_by_number(key: &str) -> bool {
    !key.starts_with(PLACED)
}

/// Whether it was made of the very file that is looked at, in which no layer has moved since.
fn is_of_this_file(layer: &Shown, known: &KnownLayer) -> bool {
    known.is_of_this_file && known.number == Some(layer.number)
}

/// By the number that Photoshop has given it, which earlier versions noted in the key alone.
fn is_of_number(layer: &Shown, known: &KnownLayer) -> bool {
    let is_of_earlier = known.facts.as_ref().is_none_or(|facts| facts.own.is_none());
    let has_id = known.facts.as_ref().is_some_and(|facts| facts.id == layer.id);
    has_id || is_of_earlier && known.key == of_number(layer.id)
}

/// By its name, and where its pixels lie.
fn is_same(layer: &Shown, known: &KnownLayer) -> bool {
    known.facts.as_ref().is_some_and(|before| {
        // Of layers that an earlier version made it is known where they were drawn.
        let is_drawn_there = before.own.is_none() && drawn(before) == drawn(&layer.facts);
        before.name == layer.facts.name && (is_drawn_there || lies(before) == lies(&layer.facts))
    })
}

/// The same of two layers of a file.
fn is_like(one: &Shown, other: &Shown) -> bool {
    one.facts.name == other.facts.name && lies(&one.facts) == lies(&other.facts)
}

/// Whether it is the same layer, and drawn of the same size at the same place.
fn is_drawn_alike(layer: &Shown, known: &KnownLayer) -> bool {
    is_same(layer, known) && known.facts.as_ref().is_some_and(|before| drawn(before) == drawn(&layer.facts))
}

const fn drawn(facts: &LayerFacts) -> (i32, i32, u32, u32) {
    (facts.left, facts.top, facts.width, facts.height)
}

/// Where its pixels lie, however large it is drawn.
fn lies(facts: &LayerFacts) -> (i32, i32, u32, u32) {
    facts.own.unwrap_or(drawn(facts))
}

fn name(facts: &LayerFacts) -> Option<&str> {
    facts.name.as_deref().map(str::trim).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::job::Anchor;

    fn facts(name: &str, left: i32) -> LayerFacts {
        LayerFacts {
            left,
            top: 0,
            width: 10,
            height: 10,
            anchor: Anchor::Center,
            opacity: 100,
            blend_mode: "norm".to_owned(),
            is_hidden: false,
            is_clipped: false,
            groups: Vec::new(),
            text: None,
            name: Some(name.to_owned()),
            cut: (0, 0),
            own: None,
            id: None,
        }
    }

    fn file(layers: &[(&str, i32, Option<u32>)]) -> Vec<Shown> {
        let shown = |(number, (name, left, id)): (u32, &(&str, i32, Option<u32>))| Shown {
            number,
            id: *id,
            facts: LayerFacts { id: *id, ..facts(name, *left) },
        };
        (1..).zip(layers).map(shown).collect()
    }

    fn keys(layers: &[Shown], known: &[KnownLayer]) -> Vec<String> {
        super::keys(layers, known).into_iter().map(|key| key.key).collect()
    }

    /// Whether each layer is certainly the one that had its key.
    fn certain(layers: &[Shown], known: &[KnownLayer]) -> Vec<bool> {
        super::keys(layers, known).into_iter().map(|key| key.is_certain).collect()
    }

    /// What is known once a file was processed and another one has come, and what was there before that it does not have.
    fn after(layers: &[Shown], known: &[KnownLayer]) -> Vec<KnownLayer> {
        let keys = keys(layers, known);
        let gone = known.iter().filter(|known| !keys.contains(&known.key));
        let gone = gone.map(|known| KnownLayer { is_gone: true, ..known.clone() });
        let made = |(key, layer): (&String, &Shown)| KnownLayer {
            key: key.clone(),
            number: Some(layer.number),
            is_of_this_file: false,
            is_gone: false,
            facts: Some(layer.facts.clone()),
        };
        // Those that are gone may be older, and be known first.
        gone.chain(keys.iter().zip(layers).map(made)).collect()
    }

    #[test]
    fn numbers_of_photoshop_are_keys_if_all_layers_have_one() {
        assert_eq!(keys(&file(&[("a", 0, Some(7)), ("b", 0, Some(3))]), &[]), ["layer:7", "layer:3"]);
        assert_eq!(keys(&file(&[("a", 0, Some(7)), ("b", 0, Some(7))]), &[]), ["layer:#1", "layer:#2"]);
        assert_eq!(keys(&file(&[("a", 0, Some(7)), ("b", 0, None)]), &[]), ["layer:#1", "layer:#2"]);
        // Whatever the names and places are by then.
        let known = after(&file(&[("a", 0, Some(7)), ("b", 5, Some(3))]), &[]);
        assert_eq!(keys(&file(&[("a", 0, Some(3)), ("b", 5, Some(7))]), &known), ["layer:3", "layer:7"]);
        // Duplicated, and the first of the two taken away: it is the same picture. Moved, it is another layer.
        assert_eq!(keys(&file(&[("a", 0, Some(8)), ("b", 5, Some(3))]), &known), ["layer:7", "layer:3"]);
        assert_eq!(keys(&file(&[("a", 1, Some(8)), ("b", 5, Some(3))]), &known), ["layer:8", "layer:3"]);
        // Its new number is known from then on, whatever its name and place.
        let known = after(&file(&[("a", 0, Some(8)), ("b", 5, Some(3))]), &known);
        assert_eq!(keys(&file(&[("z", 9, Some(8)), ("b", 5, Some(3))]), &known), ["layer:7", "layer:3"]);
        // Who comes back under the number that it was known by is another layer from then on.
        let both = file(&[("a", 0, Some(8)), ("b", 5, Some(3)), ("a copy", 0, Some(7))]);
        assert_eq!(keys(&both, &known), ["layer:7", "layer:3", "layer:7.2"]);
        assert_eq!(keys(&both, &after(&both, &known)), ["layer:7", "layer:3", "layer:7.2"]);
        // Numbers that a program has left out, or given anew, say less than names and places.
        let bare = after(
            &file(&[("a", 0, None), ("b", 5, None)]),
            &after(&file(&[("a", 0, Some(7)), ("b", 5, Some(3))]), &[]),
        );
        assert_eq!(keys(&file(&[("a", 0, Some(3)), ("b", 5, Some(7))]), &bare), ["layer:7", "layer:3"]);
        let bare = after(&file(&[("a", 0, None), ("b", 5, None), ("a copy", 0, None)]), &after(&both, &known));
        assert_eq!(keys(&both, &bare), ["layer:7", "layer:3", "layer:7.2"]);
        let same = after(&file(&[("a", 0, Some(7)), ("b", 5, Some(7))]), &[]);
        assert_eq!(keys(&file(&[("a", 0, Some(8)), ("b", 5, Some(7))]), &same), ["layer:#1", "layer:#2"]);
        // Of two that are alike nobody knows which is there under a new number.
        let twins = after(&file(&[("a", 0, Some(7)), ("a", 0, Some(8))]), &[]);
        assert_eq!(keys(&file(&[("a", 0, Some(9))]), &twins), ["layer:9"]);
    }

    #[test]
    fn a_layer_keeps_its_key_where_others_come_and_go() {
        let known = after(&file(&[("a", 0, None), ("b", 20, None), ("c", 40, None)]), &[]);
        let without = file(&[("a", 0, None), ("c", 40, None)]);
        assert_eq!(keys(&without, &known), ["layer:#1", "layer:#3"]);
        let known = after(&without, &known);
        let with = file(&[("new", 60, None), ("c", 40, None), ("b", 21, None), ("a", 0, None)]);
        assert_eq!(keys(&with, &known), ["layer:#5", "layer:#3", "layer:#2", "layer:#1"]);
        // And once more as it is: a second attempt, or the same file again.
        let known = after(&with, &known);
        assert_eq!(keys(&with, &known), ["layer:#5", "layer:#3", "layer:#2", "layer:#1"]);
    }

    #[test]
    fn a_place_alone_is_nothing_to_know_a_layer_by() {
        let known = after(&file(&[("a", 0, None), ("b", 20, None)]), &[]);
        // Moved, named by somebody, and another one.
        assert_eq!(keys(&file(&[("a", 0, None), ("b", 25, None)]), &known), ["layer:#1", "layer:#2"]);
        assert_eq!(keys(&file(&[("a", 0, None), ("c", 20, None)]), &known), ["layer:#1", "layer:#3"]);
        let bare = after(&file(&[("a", 0, None), ("", 20, None)]), &[]);
        assert_eq!(keys(&file(&[("a", 0, None), ("c", 20, None)]), &bare), ["layer:#1", "layer:#2"]);
        assert_eq!(keys(&file(&[("a", 0, None), ("c", 25, None)]), &bare), ["layer:#1", "layer:#3"]);
        // Of one that an earlier version made only the place is known.
        let key = "layer:#2".to_owned();
        let old = [KnownLayer { key, number: None, is_of_this_file: false, is_gone: false, facts: None }];
        assert_eq!(keys(&file(&[("a", 0, None), ("c", 25, None)]), &old), ["layer:#1", "layer:#2"]);
    }

    #[test]
    fn as_many_that_are_alike_are_the_same_in_their_order() {
        let twins = file(&[("", 0, None), ("", 0, None), ("x", 9, None)]);
        let known = after(&twins, &[]);
        assert_eq!(keys(&twins, &known), ["layer:#1", "layer:#2", "layer:#3"]);
        let moved = file(&[("new", 5, None), ("", 0, None), ("", 0, None), ("x", 9, None)]);
        assert_eq!(keys(&moved, &known), ["layer:#5", "layer:#1", "layer:#2", "layer:#3"]);
        // Which of them is left only its place says, or nothing does.
        assert_eq!(keys(&file(&[("x", 9, None), ("", 0, None)]), &known), ["layer:#3", "layer:#2"]);
        let elsewhere = file(&[("x", 9, None), ("y", 3, None), ("", 0, None)]);
        assert_eq!(keys(&elsewhere, &known), ["layer:#3", "layer:#4", "layer:#5"]);
        // What is in the trash is none of them.
        let left = after(&file(&[("", 0, None), ("x", 9, None)]), &known);
        assert_eq!(keys(&file(&[("new", 5, None), ("", 0, None)]), &left)[1], "layer:#1");
    }

    #[test]
    fn a_layer_that_comes_to_lie_on_its_namesake_leaves_it_its_key() {
        let known = after(&file(&[("b", 0, None), ("b", 30, None)]), &[]);
        let both = file(&[("b", 30, None), ("b", 30, None)]);
        assert_eq!(keys(&both, &known), ["layer:#1", "layer:#2"]);
        assert_eq!(certain(&both, &known), [false, false]);
        // So does one that gets the name of another.
        let known = after(&file(&[("", 0, None), ("a", 0, None)]), &[]);
        let both = file(&[("a", 0, None), ("a", 0, None)]);
        assert_eq!(keys(&both, &known), ["layer:#1", "layer:#2"]);
    }

    #[test]
    fn what_was_set_on_a_layer_holds_for_the_one_that_is_certainly_the_same() {
        let numbered = after(&file(&[("a", 0, Some(7)), ("b", 20, Some(8))]), &[]);
        assert_eq!(certain(&file(&[("z", 5, Some(7)), ("b", 20, Some(9))]), &numbered), [true, true]);
        // In a file without numbers its name alone does not say so, whatever its key is.
        let bare = file(&[("a", 5, None), ("b", 20, None)]);
        assert_eq!(
            (keys(&bare, &numbered), certain(&bare, &numbered)),
            (vec!["layer:7".to_owned(), "layer:8".to_owned()], vec![false, true],)
        );
        // Of twins only the very file that they were made of tells.
        let twins = file(&[("a", 0, None), ("a", 0, None), ("b", 0, None)]);
        let mut known = after(&twins, &[]);
        assert_eq!(certain(&twins, &known), [false, false, true]);
        let one = file(&[("a", 0, None)]);
        assert_eq!(certain(&one, &known), [false]);
        assert_eq!(certain(&one, &after(&one, &known)), [true], "the other is gone by then");
        known.iter_mut().for_each(|known| known.is_of_this_file = true);
        assert_eq!(certain(&twins, &known), [true, true, true]);
        // Earlier versions had the number of Photoshop in the key alone.
        for known in numbered {
            let facts = known.facts.map(|facts| LayerFacts { own: None, id: None, ..facts });
            let is_seven = known.key == "layer:7";
            assert_eq!(certain(&file(&[("z", 5, Some(7))]), &[KnownLayer { facts, ..known }]), [is_seven]);
        }
    }

    /// All that a file of up to four layers may hold, by numbers that repeat only after long.
    struct Files(u64);

    impl Files {
        fn below(&mut self, end: u64) -> usize {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((self.0 >> 33) % end) as usize
        }

        /// Programs give all layers a number, or none, or some.
        fn next(&mut self) -> Vec<Shown> {
            let numbering = self.below(3);
            let count = 1 + self.below(4);
            let layer = |at| {
                let name = ["a", "b", "", "c"][self.below(4)];
                let left = [0, 5][self.below(2)];
                let id = [Some(5 + (at as u32 * 3 + self.below(2) as u32) % 7), None, Some(5)];
                (name, left, if numbering == 2 { id[self.below(3)] } else { id[numbering] })
            };
            file(&(0..count).map(layer).collect::<Vec<_>>())
        }
    }

    #[test]
    fn the_same_file_again_changes_nothing_and_no_two_layers_have_the_same_key() {
        let mut files = Files(1);
        for _ in 0..5_000 {
            let (mut known, mut history) = (Vec::new(), String::new());
            for _ in 0..4 {
                let layers = files.next();
                let first = keys(&layers, &known);
                let shown = layers.iter().map(|layer| (name(&layer.facts), layer.facts.left, layer.id));
                history += &format!("{:?} are {first:?}\n", shown.collect::<Vec<_>>());
                let different: HashSet<&String> = first.iter().collect();
                assert_eq!(different.len(), layers.len(), "{history}");
                known = after(&layers, &known);
                assert_eq!(keys(&layers, &known), first, "{history}");
            }
        }
    }

    #[test]
    fn programs_that_write_numbers_and_those_that_do_not_are_of_one_mind() {
        let numbered = file(&[("a", 0, Some(7)), ("b", 20, Some(8)), ("c", 40, Some(9))]);
        let bare = file(&[("a", 0, None), ("b", 20, None), ("c", 40, None)]);
        let known = after(&numbered, &[]);
        assert_eq!(keys(&bare, &known), ["layer:7", "layer:8", "layer:9"]);
        let known = after(&bare, &[]);
        assert_eq!(keys(&numbered, &known), ["layer:#1", "layer:#2", "layer:#3"]);
    }
}
