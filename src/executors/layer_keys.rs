//! What the layers of a file are known by from one upload to the next: the number that Photoshop has given each, or, where a file does
//! not have one number for each, their places.
//!
//! In a file that has lost a layer the others are in other places. So what was made of a layer before is looked for first: by the
//! number, by its name and where it lies, by its name alone if only one has it. A place is what is left: where it was given to
//! another layer it is not this one's, or else a mark, a crop and a name would be handed on to another picture.

use std::collections::HashSet;

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

/// The keys of all layers of a file, in their order, where `known` are those that were made of it before.
pub fn keys(layers: &[Shown], known: &[KnownLayer]) -> Vec<String> {
    let mut ids: Vec<u32> = layers.iter().filter_map(|layer| layer.id).collect();
    ids.sort_unstable();
    ids.dedup();
    let has_ids = ids.len() == layers.len();
    let mut finding = Finding { layers, free: known.iter().collect(), found: vec![None; layers.len()] };
    if has_ids {
        finding.take_unique(|layer, known| known.facts.as_ref().is_some_and(|facts| facts.id == layer.id));
        finding.take(|layer, known| known.facts.is_none() && known.key == of_number(layer.id));
        // What has another number may be a copy, but not of which of two; nor has it one if the last file had none.
        finding.take_unique(|layer, known| {
            is_by_number(&known.key) && known.facts.as_ref().is_some_and(|facts| is_same_layer(facts, &layer.facts))
        });
        finding.take(|layer, known| known.key == of_number(layer.id));
        finding.free.retain(|known| !is_by_number(&known.key));
    }
    finding.take(|layer, known| known.facts.as_ref().is_some_and(|facts| is_same_layer(facts, &layer.facts)));
    finding.take_by_name();
    finding.take(|layer, known| {
        let has_no_name = |facts: &LayerFacts| name(facts).is_none() || name(&layer.facts).is_none();
        let may_be = known.facts.as_ref().is_none_or(|facts| has_no_name(facts) && lies(facts) == lies(&layer.facts));
        !has_ids && known.key == of_place(layer.number) && may_be
    });
    let found = finding.found;
    let mut taken: HashSet<String> = known.iter().map(|known| known.key.clone()).collect();
    let mut fresh = |layer: &Shown| {
        // Its number may be what another layer is known by, which had it before.
        let by_number = (1..).map(|turn| if turn == 1 { of_number(layer.id) } else { of_turn(layer.id, turn) });
        let by_place = std::iter::once(layer.number).chain(layers.len() as u32 + 1..).map(of_place);
        let is_free = |key: &String| !taken.contains(key);
        let key = if has_ids { by_number.into_iter().find(is_free) } else { by_place.into_iter().find(is_free) };
        let key = key.unwrap_or_default();
        taken.insert(key.clone());
        key
    };
    layers.iter().zip(found).map(|(layer, found)| found.unwrap_or_else(|| fresh(layer))).collect()
}

struct Finding<'a> {
    layers: &'a [Shown],
    /// Those that no layer of this file is known by yet.
    free: Vec<&'a KnownLayer>,
    found: Vec<Option<String>>,
}

impl Finding<'_> {
    /// Each layer that has no key yet takes that of the first which is the same.
    fn take(&mut self, is_same: impl Fn(&Shown, &KnownLayer) -> bool) {
        for (layer, found) in self.layers.iter().zip(&mut self.found).filter(|(_, found)| found.is_none()) {
            if let Some(at) = self.free.iter().position(|known| is_same(layer, known)) {
                *found = Some(self.free.remove(at).key.clone());
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
pub fn is_by_number(key: &str) -> bool {
    !key.starts_with(PLACED)
}

/// By its name, and where its pixels lie.
fn is_same_layer(before: &LayerFacts, now: &LayerFacts) -> bool {
    // Of layers that an earlier version made it is known where they were drawn.
    let is_drawn_there = before.own.is_none() && drawn(before) == drawn(now);
    before.name == now.name && (is_drawn_there || lies(before) == lies(now))
}

/// Whether it is the same layer, and drawn of the same size at the same place.
pub fn is_drawn_alike(before: &LayerFacts, now: &LayerFacts) -> bool {
    is_same_layer(before, now) && drawn(before) == drawn(now)
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

    /// What is known once a file was processed, and what was there before that it does not have.
    fn after(layers: &[Shown], known: &[KnownLayer]) -> Vec<KnownLayer> {
        let keys = keys(layers, known);
        let gone = known.iter().filter(|known| !keys.contains(&known.key)).cloned();
        let now = keys.iter().zip(layers);
        let now = now.map(|(key, layer)| KnownLayer { key: key.clone(), facts: Some(layer.facts.clone()) });
        now.chain(gone).collect()
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
        let old = [KnownLayer { key: "layer:#2".to_owned(), facts: None }];
        assert_eq!(keys(&file(&[("a", 0, None), ("c", 25, None)]), &old), ["layer:#1", "layer:#2"]);
    }

    #[test]
    fn equal_layers_are_taken_in_their_order() {
        let known = after(&file(&[("", 0, None), ("", 0, None), ("x", 9, None)]), &[]);
        assert_eq!(keys(&file(&[("", 0, None), ("", 0, None), ("x", 9, None)]), &known)[..2], ["layer:#1", "layer:#2"]);
        assert_eq!(keys(&file(&[("x", 9, None), ("", 0, None)]), &known), ["layer:#3", "layer:#1"]);
    }

    #[test]
    fn no_two_layers_have_the_same_key() {
        let shapes = [("a", 0), ("a", 5), ("b", 0)];
        let files: Vec<Vec<Shown>> = (0..3_u32.pow(6))
            .map(|code| {
                let digit = |place: u32| code / 3_u32.pow(place) % 3;
                let layer = |at: u32| {
                    let (name, left) = shapes[digit(2 * at) as usize];
                    (name, left, [None, Some(7), Some(8)][digit(2 * at + 1) as usize])
                };
                file(&[layer(0), layer(1), layer(2)][..1 + (code % 2 + digit(0) % 2) as usize])
            })
            .collect();
        let mut known = Vec::new();
        for step in 0..files.len() {
            let layers = &files[step * 367 % files.len()];
            let keys = keys(layers, &known);
            let different: HashSet<&String> = keys.iter().collect();
            assert_eq!(different.len(), layers.len(), "{keys:?}");
            known = after(layers, &known);
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
