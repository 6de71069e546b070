//! Changes to a document that nobody sees but who draws it: an incremental update (ISO 32000-2, 7.5.6) of a copy.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use hayro::hayro_syntax::Pdf;
use hayro::hayro_syntax::object::{Object, ObjectIdentifier, Stream};
use memchr::memmem;

use super::super::limits::Limits;
use super::super::memory::Share;
use super::source::Source;

/// The copy of a document with more bytes costs more than it is worth.
pub const LARGEST: usize = 64 << 20;

/// Programs that read PDF know no numbers above this one (ISO 32000-1, annex C).
const HIGHEST: u32 = 8_388_607;

/// A copy of a document, and what is added at its end.
pub struct Update<'l> {
    file: Vec<u8>,
    /// Where the table of its objects is.
    table: usize,
    root: ObjectIdentifier,
    /// A number that no object has, nor any above it.
    free: u32,
    /// Where the new objects are.
    places: BTreeMap<ObjectIdentifier, usize>,
    limits: &'l Limits,
}

impl<'l> Update<'l> {
    /// None where the document is too large, or where nothing could be added so that it would be found.
    pub fn of(pdf: &Pdf, limits: &'l Limits) -> Option<Self> {
        let (data, root) = (pdf.data().as_ref(), pdf.xref().root_id());
        if data.len() > LARGEST {
            return None;
        }
        limits.check_memory(data.len() as u64).ok()?;
        let file = if memmem::find(data, b"/Encrypt").is_some() { decrypted(pdf, limits)? } else { data.to_vec() };
        let table = table(&file)?;
        let free = size(&file, table).max(root.obj_number.checked_add(1)?);
        (free < HIGHEST).then_some(Self { file, table, root, free, places: BTreeMap::new(), limits })
    }

    pub fn limits(&self) -> &'l Limits {
        self.limits
    }

    /// Bytes of the copy so far.
    pub fn len(&self) -> u64 {
        self.file.len() as u64
    }

    /// The number of an object that is to be written.
    pub fn fresh(&mut self) -> ObjectIdentifier {
        let number = self.free;
        self.free = number.saturating_add(1).min(HIGHEST);
        ObjectIdentifier::new(number, 0)
    }

    /// Writes an object, in the place of the one that has this number, if there is one. What cannot be written as a whole is not.
    pub fn write(&mut self, id: ObjectIdentifier, source: impl FnOnce(&mut Vec<u8>) -> Option<()>) -> Option<()> {
        let start = self.file.len();
        let written = writeln!(self.file, "{} {} obj", id.obj_number, id.gen_number).ok().and_then(|()| {
            source(&mut self.file)?;
            self.file.extend(b"\nendobj\n");
            Some(())
        });
        match written {
            Some(()) => _ = self.places.insert(id, start),
            None => self.file.truncate(start),
        }
        written
    }

    /// Writes a stream, whose dictionary has these entries and its length.
    pub fn stream(&mut self, id: ObjectIdentifier, entries: &[u8], data: &[u8]) -> Option<()> {
        let limits = self.limits;
        self.write(id, |file| {
            Share::of(limits).grow(file, (entries.len() + data.len()) as u64 + 256).ok()?;
            file.extend(b"<<");
            file.extend(entries);
            write!(file, "/Length {}>>\nstream\n", data.len()).ok()?;
            file.extend(data);
            file.extend(b"\nendstream");
            Some(())
        })
    }

    /// The document with what was written. None where nothing was.
    pub fn finish(mut self) -> Option<Vec<u8>> {
        if self.places.is_empty() {
            return None;
        }
        let table = self.file.len();
        self.file.extend(b"xref\n");
        for (id, place) in &self.places {
            write!(self.file, "{} 1\n{place:010} {:05} n \n", id.obj_number, id.gen_number).ok()?;
        }
        let ObjectIdentifier { obj_number, gen_number } = self.root;
        let (size, before) = (self.free, self.table);
        write!(self.file, "trailer\n<</Size {size}/Root {obj_number} {gen_number} R/Prev {before}>>\n").ok()?;
        write!(self.file, "startxref\n{table}\n%%EOF\n").ok()?;
        Some(self.file)
    }
}

/// Where a document says that the table of its objects is.
fn table(file: &[u8]) -> Option<usize> {
    let mark = memmem::rfind(file, b"startxref")?;
    number(&file[mark + b"startxref".len()..])
}

/// One more than the highest number of an object, as the newest table says it, or as the objects have it where that says nothing.
fn size(file: &[u8], table: usize) -> u32 {
    let told = file.get(table..).and_then(|rest| number(&rest[memmem::find(rest, b"/Size")? + b"/Size".len()..]));
    let told = told.and_then(|told| u32::try_from(told).ok()).unwrap_or(0);
    let highest = memmem::find_iter(file, b" obj").filter_map(|end| number_before(file, end)).max().unwrap_or(0);
    told.max(highest.saturating_add(1))
}

/// The number of the object whose head ends here, behind its generation.
fn number_before(file: &[u8], end: usize) -> Option<u32> {
    let head = &file[end.saturating_sub(17)..end];
    let mut words = head.rsplit(|byte| byte.is_ascii_whitespace());
    let _generation: u16 = std::str::from_utf8(words.next()?).ok()?.parse().ok()?;
    std::str::from_utf8(words.next()?).ok()?.parse().ok()
}

fn number(text: &[u8]) -> Option<usize> {
    let text = text.trim_ascii_start();
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    std::str::from_utf8(&text[..end]).ok()?.parse().ok()
}

/// What of an encrypted document is drawn, written as one that is not: what is added to it would have to be encrypted otherwise.
fn decrypted(pdf: &Pdf, limits: &Limits) -> Option<Vec<u8>> {
    const MOST_OBJECTS: usize = 1_000_000;
    let root = pdf.xref().root_id();
    let mut file = b"%PDF-2.0\n".to_vec();
    let mut places = BTreeMap::new();
    let (mut known, mut left) = (BTreeSet::from([root]), vec![root]);
    while let Some(id) = left.pop() {
        let Some(object) = pdf.xref().get::<Object<'_>>(id) else { continue };
        if known.len() > MOST_OBJECTS || file.len() > LARGEST {
            return None;
        }
        places.insert(id, file.len());
        let mut source = Source::default();
        writeln!(source.bytes, "{} {} obj", id.obj_number, id.gen_number).ok()?;
        match object {
            Object::Stream(stream) => write_stream(&mut source, &stream)?,
            object => source.object(&object),
        }
        source.bytes.extend(b"\nendobj\n");
        limits.check_memory((file.len() + source.bytes.len()) as u64).ok()?;
        file.extend(source.bytes);
        left.extend(source.references.into_iter().filter(|id| known.insert(*id)));
    }
    let table = file.len();
    let size = places.keys().map(|id| id.obj_number).max()?.checked_add(1)?;
    file.extend(b"xref\n0 1\n0000000000 65535 f \n");
    for (id, place) in places {
        write!(file, "{} 1\n{place:010} {:05} n \n", id.obj_number, id.gen_number).ok()?;
    }
    write!(file, "trailer\n<</Size {size}/Root {} {} R>>\n", root.obj_number, root.gen_number).ok()?;
    write!(file, "startxref\n{table}\n%%EOF\n").ok()?;
    Some(file)
}

fn write_stream(source: &mut Source, stream: &Stream<'_>) -> Option<()> {
    let data = stream.raw_data();
    source.bytes.extend(b"<<");
    source.open_dict(stream.dict(), &[b"Length"]);
    write!(source.bytes, "/Length {}>>\nstream\n", data.len()).ok()?;
    source.bytes.extend(&*data);
    source.bytes.extend(b"\nendstream");
    Some(())
}
