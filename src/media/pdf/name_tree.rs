//! Name trees (ISO 32000-1, 7.9.6).

use std::collections::HashSet;
use std::ops::ControlFlow;

use hayro::hayro_syntax::Pdf;
use hayro::hayro_syntax::object::dict::keys;
use hayro::hayro_syntax::object::{Array, Dict, MaybeRef, Object, ObjectIdentifier};

/// Goes through the names of a tree and what they stand for, without trust in its shape.
pub fn walk<'a>(
    pdf: &'a Pdf,
    tree: Dict<'a>,
    mut each: impl FnMut(MaybeRef<Object<'a>>, MaybeRef<Object<'a>>) -> ControlFlow<()>,
) {
    let mut seen: HashSet<ObjectIdentifier> = tree.obj_id().into_iter().collect();
    let mut open = vec![tree];
    while let Some(node) = open.pop() {
        // Nodes may share what they refer to, which is gone through once.
        let mut list = |key: &[u8]| {
            let is_new = node.get_ref(key).is_none_or(|id| seen.insert(id.into()));
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
        let new = kids.filter(|kid| kid.as_obj_ref().is_none_or(|id| seen.insert(id.into())));
        open.extend(new.filter_map(|kid| resolved(pdf, kid)?.into_dict()));
    }
}

pub fn resolved<'a>(pdf: &'a Pdf, object: MaybeRef<Object<'a>>) -> Option<Object<'a>> {
    match object {
        MaybeRef::Ref(id) => pdf.xref().get(id.into()),
        MaybeRef::NotRef(object) => Some(object),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nodes may be made to refer to one list, or to themselves, as often as there is room for.
    #[test]
    fn what_nodes_share_is_gone_through_once() {
        let file = "%PDF-1.7\n\
            1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n2 0 obj\n<</Type/Pages/Count 0/Kids[]>>\nendobj\n\
            3 0 obj\n<</Kids[<</Names 4 0 R>><</Names 4 0 R>><</Kids 5 0 R>><</Kids 5 0 R>>3 0 R<</Names[(c)9]>>]>>\nendobj\n\
            4 0 obj\n[(a) 7 (b) 8]\nendobj\n5 0 obj\n[3 0 R<</Names 4 0 R>><</Names[(d)6(odd)]>>]\nendobj\n\
            trailer<</Root 1 0 R>>\n%%EOF\n";
        let pdf = Pdf::new(file.as_bytes().to_vec()).unwrap();
        let tree = pdf.xref().get::<Dict<'_>>(ObjectIdentifier::new(3, 0)).unwrap();
        let mut names = Vec::new();
        walk(&pdf, tree, |name, _| {
            let name = resolved(&pdf, name).and_then(Object::into_string).unwrap();
            names.push(String::from_utf8_lossy(name.as_bytes()).into_owned());
            ControlFlow::Continue(())
        });
        names.sort();
        assert_eq!(names, ["a", "b", "c", "d"]);
    }
}
