//! XMP packets: RDF in XML.

use quick_xml::XmlVersion;
use quick_xml::errors::Error;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::name::{NamespaceError, ResolveResult};
use quick_xml::reader::NsReader;

use super::{Found, LeftOut, text};

/// Deepest nesting that is followed.
const DEEPEST: usize = 32;

/// Most elements and attributes of a packet. Edit histories have some thousands.
const MOST_NODES: usize = 50_000;

/// Most declarations of namespaces: each is looked through for every name.
const MOST_NAMESPACES: usize = 500;

/// Longest name of a namespace, in bytes. It is kept for every element and attribute that is in it.
const LONGEST_NAMESPACE: usize = 400;

/// Largest packet, in bytes of UTF-8.
const LARGEST: usize = 8 << 20;

const RDF: &str = "http://www.w3.org/1999/02/22-rdf-syntax-ns#";
const XML: &str = "http://www.w3.org/XML/1998/namespace";

/// Namespaces by the prefixes that everyone uses for them.
const PREFIXES: &[(&str, &str)] = &[
    ("http://purl.org/dc/elements/1.1/", "dc"),
    ("http://ns.adobe.com/xap/1.0/", "xmp"),
    ("http://ns.adobe.com/xap/1.0/rights/", "xmpRights"),
    ("http://ns.adobe.com/xap/1.0/mm/", "xmpMM"),
    ("http://ns.adobe.com/photoshop/1.0/", "photoshop"),
    ("http://ns.adobe.com/tiff/1.0/", "tiff"),
    ("http://ns.adobe.com/exif/1.0/", "exif"),
    ("http://cipa.jp/exif/1.0/", "exifEX"),
    ("http://ns.adobe.com/pdf/1.3/", "pdf"),
    ("http://ns.adobe.com/camera-raw-settings/1.0/", "crs"),
    ("http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/", "Iptc4xmpCore"),
    ("http://iptc.org/std/Iptc4xmpExt/2008-02-29/", "Iptc4xmpExt"),
    ("http://ns.useplus.org/ldf/xmp/1.0/", "plus"),
];

/// A qualified name.
struct Name {
    space: String,
    prefix: String,
    local: String,
}

impl Name {
    fn is_rdf(&self, local: &str) -> bool {
        self.space == RDF && self.local == local
    }

    /// The field of this name; RDF's and XML's own are none, and neither are declarations of namespaces.
    fn field(&self) -> Option<String> {
        if matches!(self.space.as_str(), RDF | XML | "") || self.prefix == "xmlns" {
            return None;
        }
        let known = PREFIXES.iter().find(|(space, _)| *space == self.space);
        Some(format!("{}.{}", known.map_or(self.prefix.as_str(), |(_, prefix)| prefix), self.local))
    }
}

/// An element, with its attributes.
struct Element {
    name: Name,
    attributes: Vec<(Name, String)>,
    text: String,
    children: Vec<Element>,
}

impl Element {
    fn attribute(&self, space: &str, local: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(name, _)| name.space == space && name.local == local);
        found.map(|(_, value)| value.as_str())
    }
}

/// Why a packet has no fields.
enum Unread {
    Damaged,
    Beyond,
}

/// Adds the fields of a packet. One that is damaged, or beyond the limits, has none.
pub(super) fn read(packet: &[u8], found: &mut Found) {
    match decoded(packet).and_then(|text| Parser::default().run(&text)) {
        Ok(root) => visit(&root, found),
        Err(Unread::Beyond) => found.leave_out(LeftOut::Packet),
        Err(Unread::Damaged) => {}
    }
}

/// UTF-8, or UTF-16 with a mark.
fn decoded(packet: &[u8]) -> Result<String, Unread> {
    if packet.len() > LARGEST {
        return Err(Unread::Beyond);
    }
    let text = match text::marked(packet) {
        Some(text) => text,
        None => std::str::from_utf8(packet).map_err(|_| Unread::Damaged)?.trim_end_matches('\0').to_owned(),
    };
    if text.len() > LARGEST || text.matches("xmlns").count() > MOST_NAMESPACES {
        return Err(Unread::Beyond);
    }
    Ok(text)
}

/// Whether it holds properties of the file. Inkscape calls what others describe a work.
fn is_description(name: &Name) -> bool {
    const WORKS: [&str; 2] = ["http://creativecommons.org/ns#", "http://web.resource.org/cc/"];
    name.is_rdf("Description") || name.local == "Work" && WORKS.contains(&name.space.as_str())
}

fn visit(element: &Element, found: &mut Found) {
    if !is_description(&element.name) {
        return element.children.iter().for_each(|child| visit(child, found));
    }
    // Simple properties may stand as attributes.
    for (name, value) in &element.attributes {
        if let Some(field) = name.field() {
            found.add(&field, value);
        }
    }
    for property in &element.children {
        if let Some(field) = property.name.field() {
            add(&field, property, found);
        }
    }
}

fn add(field: &str, property: &Element, found: &mut Found) {
    let Some(list) = property.children.first() else {
        // An address may stand as an attribute; other attributes make a structure.
        let address = property.attribute(RDF, "resource");
        return found.add(field, address.unwrap_or(&property.text));
    };
    let mut items = list.children.iter().filter(|item| item.name.is_rdf("li") && item.children.is_empty());
    if list.name.is_rdf("Bag") || list.name.is_rdf("Seq") {
        items.for_each(|item| found.add(field, &item.text));
    } else if list.name.is_rdf("Alt") {
        let is_default = |item: &&Element| item.attribute(XML, "lang") == Some("x-default");
        let default = list.children.iter().find(is_default).or_else(|| items.next());
        default.into_iter().for_each(|item| found.add(field, &item.text));
    }
}

#[derive(Default)]
struct Parser {
    open: Vec<Element>,
    nodes: usize,
}

impl Parser {
    /// The root of a document, if it is sound and within limits.
    fn run(mut self, text: &str) -> Result<Element, Unread> {
        let mut reader = NsReader::from_str(text);
        loop {
            match reader.read_event().map_err(unread)? {
                Event::Start(tag) => {
                    let element = self.element(&reader, &tag)?;
                    self.open.push(element);
                }
                Event::Empty(tag) => {
                    let element = self.element(&reader, &tag)?;
                    self.open.last_mut().ok_or(Unread::Damaged)?.children.push(element);
                }
                Event::End(_) => {
                    let element = self.open.pop().ok_or(Unread::Damaged)?;
                    match self.open.last_mut() {
                        Some(parent) => parent.children.push(element),
                        None => return Ok(element),
                    }
                }
                Event::Text(text) => self.push_text(&text.xml10_content()),
                Event::CData(text) => self.push_text(&text.xml10_content()),
                Event::GeneralRef(reference) => self.push_text(&resolved(&reference)?),
                // Packets have no document types; what has one is not read on.
                Event::DocType(_) | Event::Eof => return Err(Unread::Damaged),
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            }
        }
    }

    fn push_text(&mut self, text: &str) {
        if let Some(element) = self.open.last_mut() {
            element.text.push_str(text);
        }
    }

    fn count(&mut self) -> Result<(), Unread> {
        self.nodes += 1;
        if self.nodes > MOST_NODES { Err(Unread::Beyond) } else { Ok(()) }
    }

    fn element(&mut self, reader: &NsReader<&[u8]>, tag: &BytesStart<'_>) -> Result<Element, Unread> {
        self.count()?;
        if self.open.len() >= DEEPEST {
            return Err(Unread::Beyond);
        }
        let (space, local) = reader.resolver().resolve_element(tag.name());
        let prefix = tag.name().prefix();
        let name = name(space, local.as_ref(), prefix.as_ref().map(|prefix| prefix.as_ref()))?;
        let mut attributes = Vec::new();
        // Not checked for names that come twice: each would be compared with all before it.
        for attribute in tag.attributes().with_checks(false) {
            self.count()?;
            let attribute = attribute.map_err(|_| Unread::Damaged)?;
            let (space, local) = reader.resolver().resolve_attribute(attribute.key);
            let prefix = attribute.key.prefix();
            let name = self::name(space, local.as_ref(), prefix.as_ref().map(|prefix| prefix.as_ref()))?;
            let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|_| Unread::Damaged)?;
            attributes.push((name, value.into_owned()));
        }
        Ok(Element { name, attributes, text: String::new(), children: Vec::new() })
    }
}

fn unread(error: Error) -> Unread {
    match error {
        Error::Namespace(NamespaceError::TooManyBindings(_)) => Unread::Beyond,
        _ => Unread::Damaged,
    }
}

fn resolved(reference: &BytesRef<'_>) -> Result<String, Unread> {
    let resolved = match reference.is_char_ref() {
        true => reference.resolve_char_ref().ok().flatten().map(String::from),
        false => resolve_xml_entity(&reference.xml10_content()).map(str::to_owned),
    };
    resolved.ok_or(Unread::Damaged)
}

fn name(space: ResolveResult<'_>, local: &str, prefix: Option<&str>) -> Result<Name, Unread> {
    let space = match space {
        ResolveResult::Bound(space) if space.as_ref().len() > LONGEST_NAMESPACE => return Err(Unread::Beyond),
        ResolveResult::Bound(space) => space.as_ref().to_owned(),
        ResolveResult::Unbound | ResolveResult::Unknown(_) => String::new(),
    };
    Ok(Name { space, prefix: prefix.unwrap_or_default().to_owned(), local: local.to_owned() })
}
