//! The tree of pages (ISO 32000-1, 7.7.3), gone through apart from drawing. hayro passes over what it cannot read of
//! it, takes most of what is left for pages, and without a tree whatever looks like one: here it is found out what that
//! costs.

use std::collections::HashSet;
use std::fmt::{self, Display, Formatter};

use hayro::hayro_syntax::Pdf;
use hayro::hayro_syntax::object::array::ArrayIter;
use hayro::hayro_syntax::object::dict::keys;
use hayro::hayro_syntax::object::{Array, Dict, MaybeRef, Name, Object, ObjectIdentifier};
use serde::{Deserialize, Serialize};

/// What is wrong with the tree of pages of a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeFaults {
    /// There is none: what looks like a page is taken for one, wherever it stands in the file.
    pub is_missing: bool,
    /// Branches that lead to nothing.
    pub nowhere: u32,
    /// Leaves that are drawn as pages and do not look like any.
    pub strangers: u32,
    /// Branches that lead to what was there before: back into the tree, or to a page that is in it already.
    pub again: u32,
    /// Pages of the file that the tree does not lead to. In a sound tree these were taken out of it.
    pub outside: u32,
}

impl TreeFaults {
    /// Whether the tree itself is as it should be.
    pub const fn is_sound(&self) -> bool {
        !self.is_missing && self.nowhere == 0 && self.strangers == 0 && self.again == 0
    }
}

impl Display for TreeFaults {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        if self.is_missing {
            return formatter.write_str(
                "it cannot be found, and whatever in the file looks like a page is taken for one, in the order of the file",
            );
        }
        let faults = [
            (self.nowhere, "branch leads nowhere", "branches lead nowhere"),
            (self.strangers, "leaf of it is no page, but drawn as one", "leaves of it are no pages, but drawn as such"),
            (self.again, "branch leads to what is in it already", "branches lead to what is in it already"),
            (self.outside, "page of the file is not in it", "pages of the file are not in it"),
        ];
        let told = faults.into_iter().filter(|(count, ..)| *count > 0);
        let told = told.map(|(count, one, many)| format!("{count} {}", if count == 1 { one } else { many }));
        formatter.write_str(&told.collect::<Vec<_>>().join(", "))
    }
}

/// How many pages a file says it has, by the root of its tree or by what is below that, and what is wrong with the
/// tree.
pub fn look(pdf: &Pdf) -> (u32, TreeFaults) {
    let mut seen = HashSet::new();
    let (told, faults) = walk(pdf, &mut seen);
    if faults.is_missing {
        return (told, faults);
    }
    (told, TreeFaults { outside: pages_besides(pdf, &seen), ..faults })
}

fn walk(pdf: &Pdf, seen: &mut HashSet<ObjectIdentifier>) -> (u32, TreeFaults) {
    let catalogue = pdf.xref().get::<Dict<'_>>(pdf.xref().root_id());
    let missing = TreeFaults { is_missing: true, ..TreeFaults::default() };
    let Some(root) = catalogue.and_then(|catalogue| catalogue.get::<Dict<'_>>(keys::PAGES)) else {
        return (0, missing);
    };
    let Some(node) = Node::of(&root) else { return (claimed(&root), missing) };
    seen.extend(root.obj_id());
    let mut walk = Walk { pdf, seen, faults: TreeFaults::default() };
    let said = walk.go(node);
    (said.min(i32::MAX.unsigned_abs()), walk.faults)
}

/// Whether all pages that the tree should have are there, and nothing else.
pub fn is_whole(pdf: &Pdf) -> bool {
    let (told, faults) = walk(pdf, &mut HashSet::new());
    faults.is_sound() && pdf.pages().len() as u64 >= u64::from(told) && !pdf.pages().is_empty()
}

/// Goes through a tree as hayro does, without trust in its depth.
struct Walk<'a, 's> {
    pdf: &'a Pdf,
    seen: &'s mut HashSet<ObjectIdentifier>,
    faults: TreeFaults,
}

struct Node<'a> {
    kids: ArrayIter<'a>,
    /// Pages that it says are below it.
    claimed: u32,
    /// Those that are below the kids so far.
    below: u32,
}

impl<'a> Node<'a> {
    fn of(node: &Dict<'a>) -> Option<Self> {
        Some(Self { kids: node.get::<Array<'a>>(keys::KIDS)?.raw_iter(), claimed: claimed(node), below: 0 })
    }

    fn said(&self) -> u32 {
        self.claimed.max(self.below)
    }
}

impl<'a> Walk<'a, '_> {
    /// How many pages there should be: a branch may have lost some that its `Count` still has, and the root's need not
    /// know of all.
    fn go(&mut self, root: Node<'a>) -> u32 {
        let mut open = vec![root];
        loop {
            let Some(node) = open.last_mut() else { return 0 };
            let below = match node.kids.next() {
                Some(kid) => match self.kid(kid) {
                    Kid::Branch(branch) => {
                        open.push(branch);
                        continue;
                    }
                    Kid::Pages(count) => count,
                },
                None => {
                    let said = node.said();
                    open.pop();
                    if open.is_empty() {
                        return said;
                    }
                    said
                }
            };
            if let Some(node) = open.last_mut() {
                node.below = node.below.saturating_add(below);
            }
        }
    }

    fn kid(&mut self, kid: MaybeRef<Object<'a>>) -> Kid<'a> {
        let dict = match kid {
            MaybeRef::Ref(id) if !self.seen.insert(id.into()) => {
                self.faults.again += 1;
                return Kid::Pages(0);
            }
            MaybeRef::Ref(id) => self.pdf.xref().get::<Dict<'a>>(id.into()),
            // It is nothing, and is missed by the number of pages alone.
            MaybeRef::NotRef(Object::Null(_)) => return Kid::Pages(0),
            MaybeRef::NotRef(object) => object.into_dict(),
        };
        let Some(dict) = dict else {
            self.faults.nowhere += 1;
            return Kid::Pages(0);
        };
        if dict.get::<Name<'_>>(keys::TYPE).is_some_and(|kind| kind.as_ref() == keys::PAGES) {
            return Node::of(&dict).map_or_else(
                || {
                    self.faults.nowhere += 1;
                    Kid::Pages(claimed(&dict))
                },
                Kid::Branch,
            );
        }
        if is_page(&dict) {
            return Kid::Pages(1);
        }
        self.faults.strangers += 1;
        // A branch that does not say that it is one is not followed.
        Kid::Pages(claimed(&dict).max(1))
    }
}

enum Kid<'a> {
    Branch(Node<'a>),
    /// As many as should be there.
    Pages(u32),
}

fn claimed(node: &Dict<'_>) -> u32 {
    node.get::<i32>(keys::COUNT).and_then(|count| u32::try_from(count).ok()).unwrap_or_default()
}

/// Some leave out the type of their pages, or misspell it.
fn is_page(dict: &Dict<'_>) -> bool {
    let looks_like_one = || [keys::MEDIA_BOX, keys::RESOURCES].iter().any(|key| dict.contains_key(key));
    is_called_page(dict) || !dict.contains_key(keys::KIDS) && looks_like_one()
}

fn is_called_page(dict: &Dict<'_>) -> bool {
    dict.get::<Name<'_>>(keys::TYPE).is_some_and(|kind| kind.as_ref() == keys::PAGE)
}

fn pages_besides(pdf: &Pdf, seen: &HashSet<ObjectIdentifier>) -> u32 {
    let dicts = pdf.objects().into_iter().filter_map(Object::into_dict);
    let others = dicts.filter(|dict| dict.obj_id().is_some_and(|id| !seen.contains(&id)) && is_called_page(dict));
    u32::try_from(others.count()).unwrap_or(u32::MAX)
}
