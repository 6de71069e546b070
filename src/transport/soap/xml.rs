//! XML in: a small tree within limits. XML out: escaping.

use std::collections::HashSet;
use std::sync::Arc;

use quick_xml::{
    XmlVersion,
    errors::Error,
    events::{BytesRef, BytesStart, Event},
    name::{NamespaceError, ResolveResult},
    reader::NsReader,
};

use super::text::is_xml_char;

const SCHEMA_INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// What a request may grow to before it is refused.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub depth: usize,
    pub elements: usize,
    /// Of one element.
    pub attributes: usize,
    /// Of all of them.
    pub all_attributes: usize,
    /// Prefixes and default namespaces that hold at a time. The name of each element is looked for among them.
    pub bindings: usize,
    /// Bytes of text directly in one element.
    pub text: usize,
    /// Bytes of the name of a namespace. It is looked at for each element that is in it.
    pub namespace: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            depth: 64,
            elements: 200_000,
            attributes: 32,
            all_attributes: 200_000,
            bindings: 64,
            text: 4 << 20,
            namespace: 1000,
        }
    }
}

/// An element: its own text, its children, and of its attributes only whether it is nil.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Element {
    pub name: String,
    pub namespace: Option<Arc<str>>,
    pub is_nil: bool,
    pub text: String,
    pub children: Vec<Element>,
}

impl Element {
    pub fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    pub fn namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or_default()
    }
}

/// Reads one document. DTDs, processing instructions and entities other than the five of XML are refused.
pub fn parse(text: &str, limits: &Limits) -> Result<Element, String> {
    /// Names that stand in the reason may be as long as the document.
    const LONGEST_REASON: usize = 400;
    let parser =
        Parser { limits, elements: 0, attributes: 0, namespaces: HashSet::new(), open: Vec::new(), root: None };
    parser.run(text).map_err(|reason| shorten(&reason, LONGEST_REASON))
}

struct Parser<'a> {
    limits: &'a Limits,
    elements: usize,
    attributes: usize,
    /// Each is kept once, however many elements are in it.
    namespaces: HashSet<Arc<str>>,
    open: Vec<Element>,
    root: Option<Element>,
}

impl Parser<'_> {
    fn run(mut self, text: &str) -> Result<Element, String> {
        let mut reader = NsReader::from_str(text);
        reader.config_mut().check_comments = true;
        reader.resolver_mut().set_max_namespace_bindings(self.limits.bindings);
        loop {
            let event = reader.read_event().map_err(|error| malformed(&error, reader.error_position()))?;
            match event {
                Event::Start(tag) => self.start(&reader, &tag)?,
                Event::Empty(tag) => {
                    self.start(&reader, &tag)?;
                    self.end();
                }
                Event::End(_) => self.end(),
                Event::Text(text) => self.text(&text.xml10_content())?,
                Event::CData(text) => self.text(&text.xml10_content())?,
                Event::GeneralRef(reference) => self.text(&resolve(&reference)?)?,
                Event::Comment(_) => {}
                Event::Decl(_) if self.elements == 0 => {}
                Event::Decl(_) => return Err("an XML declaration must be the first thing in the document".to_owned()),
                Event::DocType(_) => return Err("a document type declaration (DTD) is not accepted".to_owned()),
                Event::PI(_) => return Err("processing instructions are not accepted".to_owned()),
                Event::Eof => return self.finish(),
            }
        }
    }

    fn start(&mut self, reader: &NsReader<&[u8]>, tag: &BytesStart) -> Result<(), String> {
        if self.root.is_some() {
            return Err("there is more than one root element".to_owned());
        }
        self.elements += 1;
        if self.elements > self.limits.elements {
            return Err(format!("there are more than {} elements", self.limits.elements));
        }
        if self.open.len() >= self.limits.depth {
            return Err(format!("elements are nested more than {} deep", self.limits.depth));
        }
        let (namespace, local) = reader.resolver().resolve_element(tag.name());
        let name = check_name(local.as_ref())?.to_owned();
        let namespace = match namespace {
            ResolveResult::Unbound => None,
            ResolveResult::Bound(namespace) => Some(self.shared(namespace.as_ref())?),
            ResolveResult::Unknown(prefix) => return Err(format!("the prefix {prefix} is not bound to a namespace")),
        };
        let is_nil = self.read_attributes(reader, tag, &name)?;
        self.open.push(Element { name, namespace, is_nil, ..Element::default() });
        Ok(())
    }

    fn shared(&mut self, namespace: &str) -> Result<Arc<str>, String> {
        if namespace.len() > self.limits.namespace {
            return Err(format!("the name of a namespace is longer than {} bytes", self.limits.namespace));
        }
        if let Some(known) = self.namespaces.get(namespace) {
            return Ok(Arc::clone(known));
        }
        let namespace: Arc<str> = Arc::from(namespace);
        self.namespaces.insert(Arc::clone(&namespace));
        Ok(namespace)
    }

    fn read_attributes(&mut self, reader: &NsReader<&[u8]>, tag: &BytesStart, name: &str) -> Result<bool, String> {
        let mut is_nil = false;
        for (index, attribute) in tag.attributes().enumerate() {
            if index >= self.limits.attributes {
                return Err(format!("element {name} has more than {} attributes", self.limits.attributes));
            }
            self.attributes += 1;
            if self.attributes > self.limits.all_attributes {
                return Err(format!("there are more than {} attributes", self.limits.all_attributes));
            }
            let attribute = attribute.map_err(|error| format!("element {name} has a bad attribute: {error}"))?;
            let value = attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .map_err(|error| format!("element {name} has a bad attribute value: {error}"))?;
            // Of the others nothing is asked, so that nobody makes this server look for their namespaces.
            if attribute.key.local_name().as_ref() != "nil" {
                continue;
            }
            let (namespace, _) = reader.resolver().resolve_attribute(attribute.key);
            if matches!(namespace, ResolveResult::Bound(bound) if bound.as_ref() == SCHEMA_INSTANCE) {
                is_nil = matches!(value.trim(), "true" | "1");
            }
        }
        Ok(is_nil)
    }

    fn text(&mut self, text: &str) -> Result<(), String> {
        let Some(element) = self.open.last_mut() else {
            return if text.trim().is_empty() {
                Ok(())
            } else {
                Err("there is text outside of the root element".to_owned())
            };
        };
        if element.text.len() + text.len() > self.limits.text {
            return Err(format!("the text of element {} is longer than {} bytes", element.name, self.limits.text));
        }
        element.text.push_str(text);
        Ok(())
    }

    fn end(&mut self) {
        let Some(element) = self.open.pop() else { return };
        match self.open.last_mut() {
            Some(parent) => parent.children.push(element),
            None => self.root = Some(element),
        }
    }

    fn finish(self) -> Result<Element, String> {
        match self.open.last() {
            Some(element) => Err(format!("the document ends before element {} does", element.name)),
            None => self.root.ok_or_else(|| "the request is empty: there is no XML in it".to_owned()),
        }
    }
}

fn malformed(error: &Error, offset: u64) -> String {
    match error {
        Error::Namespace(NamespaceError::TooManyBindings(limit)) => {
            format!("more than {limit} namespaces are bound at offset {offset}")
        }
        error => format!("not well-formed XML at offset {offset}: {error}"),
    }
}

fn check_name(name: &str) -> Result<&str, String> {
    let starts_well = name.starts_with(|char: char| char.is_alphabetic() || char == '_');
    let goes_on_well = name.chars().all(|char| char.is_alphanumeric() || matches!(char, '_' | '-' | '.' | '\u{B7}'));
    if starts_well && goes_on_well {
        Ok(name)
    } else {
        Err(format!("{:?} is not the name of an element", shorten(name, 60)))
    }
}

fn resolve(reference: &BytesRef) -> Result<String, String> {
    let name = reference.xml10_content();
    if reference.is_char_ref() {
        return match reference.resolve_char_ref() {
            Ok(Some(char)) if is_xml_char(char) => Ok(char.to_string()),
            _ => Err(format!("&{}; is not a character that XML allows", shorten(&name, 20))),
        };
    }
    quick_xml::escape::resolve_xml_entity(&name)
        .map(str::to_owned)
        .ok_or_else(|| format!("the entity &{}; is not accepted", shorten(&name, 20)))
}

/// The beginning of a text, for a message about it.
pub fn shorten(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Appends text so that it can stand in an element or a quoted attribute. What XML cannot carry becomes U+FFFD.
pub fn escape_into(text: &str, out: &mut String) {
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // A bare carriage return would be read back as a line feed.
            '\r' => out.push_str("&#13;"),
            char if is_xml_char(char) => out.push(char),
            _ => out.push(char::REPLACEMENT_CHARACTER),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Element, String> {
        parse(text, &Limits::default())
    }

    fn refusal(text: &str) -> String {
        read(text).err().unwrap_or_else(|| panic!("should be refused: {text}"))
    }

    #[test]
    fn names_text_and_namespaces_are_kept() {
        let root = read(
            "<?xml version='1.0'?><!-- hi --><p:a xmlns:p='urn:x' xmlns='urn:y'>\
             <b>1 &lt; 2 &#x26; <![CDATA[<3>]]>\r\n</b><c xmlns=''/></p:a>",
        )
        .unwrap();
        assert_eq!((root.name.as_str(), root.namespace()), ("a", "urn:x"));
        assert_eq!((root.children[0].text.as_str(), root.children[0].namespace()), ("1 < 2 & <3>\n", "urn:y"));
        assert_eq!(root.children[1].namespace(), "");
    }

    #[test]
    fn nil_is_the_schemas_own_attribute() {
        let root = read(
            "<a xmlns:i='http://www.w3.org/2001/XMLSchema-instance'><b i:nil='true'/><b i:nil='1'/><b i:nil='0'/><b nil='1'/></a>",
        )
        .unwrap();
        assert_eq!(root.children.iter().map(|child| child.is_nil).collect::<Vec<_>>(), [true, true, false, false]);
    }

    #[test]
    fn hostile_documents_are_refused_with_a_reason() {
        for (text, reason) in [
            ("", "empty"),
            ("hello", "outside"),
            ("<a>", "ends before"),
            ("<a></b>", "not well-formed"),
            ("<a/><b/>", "more than one root"),
            ("<a/>tail", "outside"),
            ("<a b='1' b='2'/>", "bad attribute"),
            ("<a b=1/>", "bad attribute"),
            ("<p:a/>", "prefix p"),
            ("<1a/>", "not the name of an element"),
            ("<a>&lol;</a>", "entity &lol;"),
            ("<a b='&lol;'/>", "bad attribute value"),
            ("<a>&#0;</a>", "not a character"),
            ("<a>&#x1F;</a>", "not a character"),
            ("<a>&#xFFFFFFFF;</a>", "not a character"),
            ("<!DOCTYPE a><a/>", "DTD"),
            ("<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>", "DTD"),
            ("<a><?php exit ?></a>", "processing instructions"),
            ("<a><!-- x -- y --></a>", "not well-formed"),
            ("<a/><?xml version='1.0'?>", "XML declaration"),
        ] {
            let found = refusal(text);
            assert!(found.contains(reason), "{text}: {found}");
        }
    }

    #[test]
    fn limits_hold() {
        let limits =
            Limits { depth: 3, elements: 5, attributes: 2, all_attributes: 4, bindings: 3, text: 4, namespace: 5 };
        let refusal = |text: &str| parse(text, &limits).err().unwrap_or_default();
        assert_eq!(refusal("<a><a><a/></a></a>"), "");
        assert!(refusal("<a><a><a><a/></a></a></a>").contains("3 deep"));
        assert!(refusal("<a><b/><b/><b/><b/><b/></a>").contains("5 elements"));
        assert!(refusal("<a b='' c='' d=''/>").contains("2 attributes"));
        assert!(refusal("<a>abc<b/>de</a>").contains("4 bytes"));
        assert_eq!(refusal("<a b='' c=''><b b='' c=''/></a>"), "");
        assert!(refusal("<a b='' c=''><b b='' c=''/><b b=''/></a>").contains("4 attributes"));
        assert_eq!(refusal("<a xmlns:a='urn:x' xmlns:b='urn:x'><b xmlns:c='urn:x'/><b xmlns:c='urn:x'/></a>"), "");
        assert!(refusal("<a xmlns:a='u' xmlns:b='u'><b xmlns:c='u'><c xmlns:d='u'/></b></a>").contains("3 namespaces"));
        let bindings: String = (0..1000).map(|index| format!(" xmlns:a{index}='urn:x'")).collect();
        assert!(refusal(&format!("<a{bindings}/>")).contains("namespaces are bound"));
        assert_eq!(refusal("<a xmlns='urn:x'><b xmlns='urn:y'/></a>"), "");
        assert!(refusal("<a xmlns:long='urn:long' xmlns='urn:x'><long:b/></a>").contains("longer than 5 bytes"));
        assert!(super::parse(&"<a>".repeat(1_000_000), &Limits::default()).unwrap_err().contains("deep"));
    }

    /// Nothing in it is longer than it may be, and all of it is the names of two namespaces that children of one element are in.
    #[test]
    fn a_namespace_is_kept_once() {
        let long = |sign: &str| sign.repeat(Limits::default().namespace);
        let children = "<p:b/><q:b/>".repeat(50_000);
        let text = format!("<a xmlns:p='{}' xmlns:q='{}'>{children}</a>", long("p"), long("q"));
        let root = read(&text).unwrap();
        let of = |index: usize| root.children[index].namespace.clone().unwrap();
        for index in 2..root.children.len() {
            assert!(Arc::ptr_eq(&of(index % 2), &of(index)), "the name of child {index} is a copy");
        }
        assert_eq!((root.children.len(), of(0), of(1)), (100_000, long("p").into(), long("q").into()));
    }

    #[test]
    fn reasons_are_short_whatever_they_name() {
        let long = "x".repeat(1 << 20);
        for text in [
            format!("<{long}:a/>"),
            format!("<a></{long}>"),
            format!("<{long} b=''>&lol;</{long}>"),
            format!("<{long} b=1/>"),
            format!("<{long} a='' a=''/>"),
            format!("<{long}>"),
            format!("<a>&{long};</a>"),
        ] {
            let found = refusal(&text);
            assert!((10..500).contains(&found.chars().count()), "{} characters", found.len());
        }
    }

    #[test]
    fn what_is_escaped_reads_back() {
        let mut xml = String::from("<a>");
        escape_into("<&>\"'\r\n\u{1}\u{FFFF}写", &mut xml);
        xml.push_str("</a>");
        assert_eq!(read(&xml).unwrap().text, "<&>\"'\r\n\u{FFFD}\u{FFFD}写");
    }
}
