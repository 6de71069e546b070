//! Places of a document that its links lead to: pages, and names for them (ISO 32000-1, 12.3.2).

use std::cell::OnceCell;
use std::collections::HashMap;
use std::ops::ControlFlow;

use hayro::hayro_syntax::Pdf;
use hayro::hayro_syntax::object::dict::keys;
use hayro::hayro_syntax::object::{Array, Dict, MaybeRef, Object, ObjectIdentifier, String as PdfString};

use super::{address, name_tree};

/// More names of a document are not known.
const MOST_NAMES: usize = 300_000;

/// What links of a document are looked up in. It is gathered once, when a link asks for it.
pub struct Places<'a> {
    pdf: &'a Pdf,
    pages: OnceCell<HashMap<ObjectIdentifier, u32>>,
    names: OnceCell<HashMap<Vec<u8>, u32>>,
    base: OnceCell<Option<String>>,
}

impl<'a> Places<'a> {
    pub const fn of(pdf: &'a Pdf) -> Self {
        Self { pdf, pages: OnceCell::new(), names: OnceCell::new(), base: OnceCell::new() }
    }

    /// What relative addresses are relative to, if the document says so.
    pub fn base(&self) -> Option<&str> {
        let read = || {
            let base = self.root()?.get::<Dict<'_>>(keys::URI)?.get::<PdfString<'_>>("Base")?;
            address::base(base.as_bytes())
        };
        self.base.get_or_init(read).as_deref()
    }

    /// The number of the page that a destination names: as an array that begins with the page, or by a name for one.
    pub fn page(&self, destination: &Object<'_>) -> Option<u32> {
        match destination {
            Object::Name(name) => self.named(name.as_ref()),
            Object::String(name) => self.named(name.as_bytes()),
            place => self.at(place),
        }
    }

    fn root(&self) -> Option<Dict<'a>> {
        self.pdf.xref().get(self.pdf.xref().root_id())
    }

    fn at(&self, place: &Object<'_>) -> Option<u32> {
        match first_of(place)? {
            MaybeRef::Ref(id) => self.pages.get_or_init(|| numbers(self.pdf)).get(&id.into()).copied(),
            // Only links to other documents should name pages so; some programs do it everywhere.
            MaybeRef::NotRef(index) => page_at(&index).filter(|number| *number as usize <= self.pdf.pages().len()),
        }
    }

    fn named(&self, name: &[u8]) -> Option<u32> {
        self.names.get_or_init(|| self.names().unwrap_or_default()).get(name).copied()
    }

    /// Those of PDF 1.1 stand in a dictionary, later ones in a tree.
    fn names(&self) -> Option<HashMap<Vec<u8>, u32>> {
        let root = self.root()?;
        let mut names = HashMap::new();
        if let Some(old) = root.get::<Dict<'_>>(keys::DESTS) {
            for name in old.keys().take(MOST_NAMES) {
                let page = old.get::<Object<'_>>(&*name).and_then(|place| self.at(&place));
                names.extend(page.map(|page| (name.to_vec(), page)));
            }
        }
        if let Some(tree) = root.get::<Dict<'_>>(keys::NAMES).and_then(|names| names.get::<Dict<'_>>(keys::DESTS)) {
            self.gather(tree, &mut names);
        }
        Some(names)
    }

    fn gather(&self, tree: Dict<'a>, names: &mut HashMap<Vec<u8>, u32>) {
        let resolved = |object| name_tree::resolved(self.pdf, object);
        name_tree::walk(self.pdf, tree, |name, place| {
            if names.len() >= MOST_NAMES {
                return ControlFlow::Break(());
            }
            let name = resolved(name).and_then(Object::into_string);
            let page = resolved(place).and_then(|place| self.at(&place));
            if let (Some(name), Some(page)) = (name, page) {
                names.entry(name.as_bytes().to_vec()).or_insert(page);
            }
            ControlFlow::Continue(())
        });
    }
}

fn numbers(pdf: &Pdf) -> HashMap<ObjectIdentifier, u32> {
    let mut numbers = HashMap::new();
    for (number, page) in (1..).zip(pdf.pages().iter()) {
        if let Some(id) = page.raw().obj_id() {
            numbers.entry(id).or_insert(number);
        }
    }
    numbers
}

/// What a destination begins with, which may stand in a dictionary with other things.
fn first_of<'a>(place: &Object<'a>) -> Option<MaybeRef<Object<'a>>> {
    match place {
        Object::Array(place) => place.raw_iter().next(),
        Object::Dict(place) => place.get::<Array<'a>>(keys::D)?.raw_iter().next(),
        _ => None,
    }
}

/// The number of the page, from 1, with an index, from 0.
fn page_at(index: &Object<'_>) -> Option<u32> {
    let Object::Number(index) = index else { return None };
    u32::try_from(index.as_i64()).ok()?.checked_add(1)
}

/// The number of the page of another document that a destination there says (ISO 32000-1, 12.6.4.3). Names are known to
/// that one alone.
pub fn page_elsewhere(destination: &Object<'_>) -> Option<u32> {
    match first_of(destination)? {
        MaybeRef::NotRef(index) => page_at(&index),
        MaybeRef::Ref(_) => None,
    }
}
