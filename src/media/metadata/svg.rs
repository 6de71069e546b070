//! SVG: the RDF in its `metadata` element, as Illustrator (an XMP packet) and Inkscape write it.

use std::io;

use quick_xml::events::Event;
use quick_xml::reader::Reader;

use super::super::content::Content;
use super::super::stand_in::{NoSvgText, svg_text};
use super::blocks::MOST_BYTES;

/// The RDF of a file as a document of its own, if it has any. A file that is larger than is looked at is an error of that kind.
pub(super) fn packet(content: &Content) -> io::Result<Option<Vec<u8>>> {
    match svg_text(content, MOST_BYTES)? {
        Ok(text) => Ok(document(&text).map(String::into_bytes)),
        Err(NoSvgText::TooLarge(_)) => Err(io::ErrorKind::FileTooLarge.into()),
        Err(NoSvgText::Compressed) => Ok(None),
    }
}

fn document(text: &str) -> Option<String> {
    const END: &str = "</rdf:RDF>";
    let start = text.find("<rdf:RDF")?;
    let length = text[start..].find(END)? + END.len();
    Some(format!("<svg{}>{}</svg>", declarations(text)?, &text[start..start + length]))
}

/// The namespaces that the root declares: prefixes in the RDF may be among them.
fn declarations(text: &str) -> Option<String> {
    let mut reader = Reader::from_str(text);
    let root = loop {
        match reader.read_event().ok()? {
            Event::Start(root) => break root,
            Event::Eof => return None,
            _ => {}
        }
    };
    let mut found = String::new();
    for attribute in root.attributes().with_checks(false).flatten() {
        let name = attribute.key.as_ref();
        // What the entities of a document type stand for is not looked up.
        if name.starts_with("xmlns:") && !attribute.value.contains('&') {
            found.push_str(&format!(" {name}=\"{}\"", attribute.value.replace('"', "&quot;")));
        }
    }
    Some(found)
}
