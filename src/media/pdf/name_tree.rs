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
        let mut pairs = node.get::<Array<'a>>(keys::NAMES).map(|pairs| pairs.raw_iter()).into_iter().flatten();
        while let (Some(name), Some(value)) = (pairs.next(), pairs.next()) {
            if each(name, value).is_break() {
                return;
            }
        }
        let kids = node.get::<Array<'a>>(keys::KIDS).map(|kids| kids.raw_iter()).into_iter().flatten();
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
