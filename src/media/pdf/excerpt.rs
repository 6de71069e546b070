//! A page as a document of its own: with what it refers to, and in the place of some of that what is written here instead. What is
//! encrypted in the document is not in this one, and it leaves to nobody which page is meant.

use std::collections::BTreeMap;
use std::io::Write;

use hayro::hayro_syntax::Pdf;
use hayro::hayro_syntax::object::{Array, Dict, Name, Object, ObjectIdentifier, Stream};
use hayro::hayro_syntax::page::{Page, Resources};

use super::super::limits::Limits;
use super::super::memory::Share;
use super::draw::shown;
use super::source::Source;

/// A page that takes more bytes costs more than it is worth.
const LARGEST: usize = 64 << 20;

/// What counts for how a page is drawn, but for what is settled here. The rest may lead to all of the document.
const OF_PAGES: [&[u8]; 3] = [b"Contents", b"Group", b"OutputIntents"];

/// What counts for how an annotation is drawn by hayro, but for its normal appearance.
const OF_ANNOTATIONS: [&[u8]; 5] = [b"Subtype", b"Rect", b"F", b"AS", b"OC"];

/// What of streams is nothing that is drawn, or is written anew.
const OF_STREAMS: [&[u8]; 6] = [b"Metadata", b"PieceInfo", b"AF", b"Alternates", b"Ref", b"Length"];

/// What dictionaries are that are not drawn, and lead to other pages or to files.
const ELSEWHERE: [&[u8]; 9] =
    [b"Page", b"Pages", b"Catalog", b"Annot", b"Action", b"StructElem", b"StructTreeRoot", b"Filespec", b"Bead"];

pub struct Excerpt<'a> {
    pdf: &'a Pdf,
    limits: &'a Limits,
    file: Vec<u8>,
    /// Where the objects are.
    places: BTreeMap<ObjectIdentifier, usize>,
    /// Those that are referred to.
    wanted: Vec<ObjectIdentifier>,
    /// Numbers from here on may be those of new objects.
    free: u32,
}

impl<'a> Excerpt<'a> {
    pub fn of(pdf: &'a Pdf, limits: &'a Limits) -> Self {
        let free = u32::try_from(pdf.len()).unwrap_or(u32::MAX).saturating_add(1);
        Self { pdf, limits, file: b"%PDF-2.0\n".to_vec(), places: BTreeMap::new(), wanted: Vec::new(), free }
    }

    pub fn limits(&self) -> &'a Limits {
        self.limits
    }

    /// Bytes so far.
    pub fn len(&self) -> u64 {
        self.file.len() as u64
    }

    /// The number of an object that is to be written.
    pub fn fresh(&mut self) -> ObjectIdentifier {
        loop {
            let id = ObjectIdentifier::new(self.free, 0);
            self.free = self.free.saturating_add(1);
            if self.free == u32::MAX || self.pdf.xref().get::<Object<'_>>(id).is_none() {
                return id;
            }
        }
    }

    /// Writes an object in the place of the one that has this number, if there is one.
    pub fn object(&mut self, id: ObjectIdentifier, source: Source) -> Option<()> {
        self.write(id, source, |_| Some(()))
    }

    /// Writes a stream, whose dictionary has these entries and its length.
    pub fn stream(&mut self, id: ObjectIdentifier, entries: Source, data: &[u8]) -> Option<()> {
        let share = Share::of(self.limits);
        self.stream_of(id, entries, data.len() as u64, |file| {
            share.grow(file, data.len() as u64 + 256).ok()?;
            file.extend(data);
            Some(())
        })
    }

    /// Writes a stream whose data, of this length, is made as it is written.
    pub fn stream_of(
        &mut self,
        id: ObjectIdentifier,
        entries: Source,
        length: u64,
        data: impl FnOnce(&mut Vec<u8>) -> Option<()>,
    ) -> Option<()> {
        let mut source = Source::default();
        source.bytes.extend(b"<<");
        source.append(entries);
        write!(source.bytes, "/Length {length}>>\nstream\n").ok()?;
        self.write(id, source, |file| {
            let start = file.len();
            data(file)?;
            ((file.len() - start) as u64 == length).then_some(())?;
            file.extend(b"\nendstream");
            Some(())
        })
    }

    /// What cannot be written as a whole is not.
    fn write(
        &mut self,
        id: ObjectIdentifier,
        source: Source,
        rest: impl FnOnce(&mut Vec<u8>) -> Option<()>,
    ) -> Option<()> {
        let start = self.file.len();
        let written = writeln!(self.file, "{} {} obj", id.obj_number, id.gen_number).ok().and_then(|()| {
            self.file.extend(source.bytes);
            rest(&mut self.file)?;
            self.file.extend(b"\nendobj\n");
            (self.file.len() <= LARGEST).then_some(())
        });
        match written {
            Some(()) => {
                self.places.insert(id, start);
                self.wanted.extend(source.references);
            }
            None => self.file.truncate(start),
        }
        written
    }

    /// The document with this page, which has these annotations, or those that it has. It is turned by nothing and is as large as what is
    /// shown of it: programs differ in how they turn and size pages, so that is done to what they have drawn.
    pub fn finish(mut self, page: &Page<'_>, annotations: Option<Source>) -> Option<Vec<u8>> {
        let [catalogue, pages, only] = [self.fresh(), self.fresh(), self.fresh()];
        let mut source = Source::default();
        source.bytes.extend(b"<</Type/Page");
        for entry in OF_PAGES {
            source.open_entry(page.raw(), entry);
        }
        source.bytes.extend(b"/Annots ");
        source.append(match annotations {
            Some(annotations) => annotations,
            None => annotations_of(page)?,
        });
        // It may have them from a branch of the tree.
        source.bytes.extend(b"/Resources");
        resources(&mut source, page.resources());
        let crop = shown(page);
        for name in ["MediaBox", "CropBox"] {
            write!(source.bytes, "/{name}[{} {} {} {}]", crop.x0, crop.y0, crop.x1, crop.y1).ok()?;
        }
        source.bytes.extend(b"/Rotate 0/Parent ");
        source.reference(pages);
        source.bytes.extend(b">>");
        self.object(only, source)?;

        let mut source = Source::default();
        source.bytes.extend(b"<</Type/Pages/Count 1/Kids[");
        source.reference(only);
        source.bytes.extend(b"]>>");
        self.object(pages, source)?;

        let mut source = Source::default();
        source.bytes.extend(b"<</Type/Catalog/Pages ");
        source.reference(pages);
        if let Some(before) = self.pdf.xref().get::<Dict<'_>>(self.pdf.xref().root_id()) {
            source.open_entry(&before, b"OCProperties");
            source.open_entry(&before, b"OutputIntents");
        }
        source.bytes.extend(b">>");
        self.object(catalogue, source)?;

        self.take_over()?;
        self.end(catalogue)
    }

    /// Takes over what is referred to and not yet there.
    fn take_over(&mut self) -> Option<()> {
        while let Some(id) = self.wanted.pop() {
            if self.places.contains_key(&id) {
                continue;
            }
            let mut source = Source::default();
            match self.pdf.xref().get::<Object<'_>>(id) {
                Some(Object::Stream(stream)) if !is_attached(&stream) => {
                    let data = stream.raw_data();
                    self.limits.check_memory((self.file.len() + data.len()) as u64).ok()?;
                    source.open_dict(stream.dict(), &OF_STREAMS);
                    self.stream(id, source, &data)?;
                }
                Some(Object::Dict(dict)) if !is_elsewhere(&dict) => {
                    source.bytes.extend(b"<<");
                    source.open_dict(&dict, &[]);
                    source.bytes.extend(b">>");
                    self.object(id, source)?;
                }
                // A reference to what is not there is null (7.3.10).
                None | Some(Object::Dict(_) | Object::Stream(_)) => {}
                Some(object) => {
                    source.object(&object);
                    self.object(id, source)?;
                }
            }
        }
        Some(())
    }

    fn end(mut self, catalogue: ObjectIdentifier) -> Option<Vec<u8>> {
        let table = self.file.len();
        let size = self.places.keys().map(|id| id.obj_number).max()?.checked_add(1)?;
        self.file.extend(b"xref\n0 1\n0000000000 65535 f \n");
        for (id, place) in &self.places {
            write!(self.file, "{} 1\n{place:010} {:05} n \n", id.obj_number, id.gen_number).ok()?;
        }
        let ObjectIdentifier { obj_number, gen_number } = catalogue;
        write!(self.file, "trailer\n<</Size {size}/Root {obj_number} {gen_number} R>>\n").ok()?;
        write!(self.file, "startxref\n{table}\n%%EOF\n").ok()?;
        Some(self.file)
    }
}

/// Whether a list of so many bytes may still grow. Many of its entries may be the same object, written each time.
pub fn has_room(list: &Source) -> bool {
    list.bytes.len() <= LARGEST
}

/// The annotations that a page has, with what is drawn of them.
fn annotations_of(page: &Page<'_>) -> Option<Source> {
    let mut list = Source::default();
    list.bytes.push(b'[');
    let annotations = page.raw().get::<Array<'_>>("Annots");
    for annotation in annotations.iter().flat_map(|annotations| annotations.iter::<Dict<'_>>()) {
        list.bytes.extend(b"<</Type/Annot");
        for entry in OF_ANNOTATIONS {
            list.open_entry(&annotation, entry);
        }
        if let Some(appearances) = annotation.get::<Dict<'_>>("AP") {
            list.bytes.extend(b"/AP<<");
            list.open_entry(&appearances, b"N");
            list.bytes.extend(b">>");
        }
        list.bytes.extend(b">>\n");
        has_room(&list).then_some(())?;
    }
    list.bytes.push(b']');
    Some(list)
}

/// Files and descriptions that go with a document.
fn is_attached(stream: &Stream<'_>) -> bool {
    let kind = stream.dict().get::<Name<'_>>("Type");
    kind.is_some_and(|kind| matches!(kind.as_ref(), b"EmbeddedFile" | b"Metadata"))
}

/// Other pages, what leads to all of them, and what is not drawn. Some do not say what they are.
fn is_elsewhere(dict: &Dict<'_>) -> bool {
    let has = |keys: [&str; 2]| keys.iter().all(|key| dict.contains_key(key));
    dict.get::<Name<'_>>("Type").is_some_and(|kind| ELSEWHERE.contains(&kind.as_ref()))
        || has(["Parent", "MediaBox"])
        || has(["Parent", "Contents"])
        || has(["Kids", "Count"])
}

fn resources(source: &mut Source, resources: &Resources<'_>) {
    let Resources { ext_g_states, fonts, properties, color_spaces, x_objects, patterns, shadings } = resources;
    let kinds: [(&[u8], &Dict<'_>); 7] = [
        (b"ExtGState", ext_g_states),
        (b"Font", fonts),
        (b"Properties", properties),
        (b"ColorSpace", color_spaces),
        (b"XObject", x_objects),
        (b"Pattern", patterns),
        (b"Shading", shadings),
    ];
    source.bytes.extend(b"<<");
    for (name, entries) in kinds {
        source.bytes.push(b'/');
        source.bytes.extend(name);
        source.bytes.extend(b"<<");
        source.open_dict(entries, &[]);
        source.bytes.extend(b">>");
    }
    source.bytes.extend(b">>");
}
