//! Name trees (ISO 32000-1, 7.9.6).

use std::collections::HashSet;
use std::ops::ControlFlow;

use hayro::hayro_syntax::Pdf;
use hayro::hayro_syntax::object::dict::keys;
use hayro::hayro_syntax::object::{Array, Dict, MaybeRef, Object};

/// Goes through the names of a tree and what they stand for, without trust in its shape.
pub fn walk<'a>(
    pdf: &'a Pdf,
    tree: Dict<'a>,
    mut each: impl FnMut(MaybeRef<Object<'a>>, MaybeRef<Object<'a>>) -> ControlFlow<()>,
) {
    let (mut open, mut seen) = (vec![tree], HashSet::new());
    while let Some(node) = open.pop() {
        // Nodes may share what they refer to, which is gone through once.
        let mut list = |key: &[u8]| {
            let is_new = node.get_ref(key).is_none_or(|id| seen.insert(id));
            is_new.then(|| node.get::<Array<'a>>(key)).flatten()
        };
        let (names, kids) = (list(keys::NAMES), list(keys::KIDS));
        let mut pairs = names.iter().flat_map(Array::raw_iter);
        while let (Some(name), Some(value)) = (pairs.next(), pairs.next()) {
            if each(name, value).is_break() {
                return;
            }
        }
        let kids = kids.iter().flat_map(Array::raw_iter);
        let new = kids.filter(|kid| kid.as_obj_ref().is_none_or(|id| seen.insert(id)));
        open.extend(new.filter_map(|kid| resolved(pdf, kid)?.into_dict()));
    }
}

pub fn resolved<'a>(pdf: &'a Pdf, object: MaybeRef<Object<'a>>) -> Option<Object<'a>> {
    match object {
        MaybeRef::Ref(id) => pdf.xref().get(id.into()),
        MaybeRef::NotRef(object) => Some(object),
    }
}
