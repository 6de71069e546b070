//! What is in a drawing and does not come out of it.
//!
//! Most of it is said by resvg itself, to whoever listens to its log; the pictures that are embedded are decoded once more by the
//! decoders of this program, which see what is missing of them; and what resvg passes over without a word is looked for in the document.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use log::{LevelFilter, Log, Metadata, Record};
use percent_encoding::percent_decode_str;
use resvg::usvg::roxmltree::{Document, Node};
use resvg::usvg::{ImageHrefResolver, ImageKind, Options};

use super::super::super::content::Content;
use super::super::super::decode::{self, NEVER};
use super::super::super::error::MediaError;
use super::super::super::format::{Format, SNIFF_LEN};
use super::super::super::limits::Limits;
use super::super::super::sniff::sniff;
use super::Remark;

/// Things that are told of one picture; the others are counted.
const MOST_TOLD: usize = 20;

/// Most characters of one of them: they quote the document.
const LONGEST: usize = 200;

/// What was found, each thing once.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct LeftOut {
    remarks: BTreeSet<Remark>,
    told: Vec<String>,
    more: u32,
    /// For which there is no glyph.
    signs: BTreeSet<char>,
    more_signs: u32,
}

impl LeftOut {
    const fn new() -> Self {
        Self { remarks: BTreeSet::new(), told: Vec::new(), more: 0, signs: BTreeSet::new(), more_signs: 0 }
    }

    pub(super) fn remark(&mut self, remark: Remark) {
        self.remarks.insert(remark);
    }

    fn tell(&mut self, what: impl Into<String>) {
        let what = shortened(&what.into());
        if self.told.contains(&what) {
            return;
        }
        if self.told.len() < MOST_TOLD {
            self.told.push(what);
        } else {
            self.more = self.more.saturating_add(1);
        }
    }

    fn tell_sign(&mut self, sign: char) {
        if self.signs.len() < MOST_TOLD {
            self.signs.insert(sign);
        } else if !self.signs.contains(&sign) {
            self.more_signs = self.more_signs.saturating_add(1);
        }
    }

    /// What was found elsewhere comes behind.
    fn join(&mut self, other: Self) {
        self.remarks.extend(other.remarks);
        other.told.into_iter().for_each(|what| self.tell(what));
        other.signs.into_iter().for_each(|sign| self.tell_sign(sign));
        self.more = self.more.saturating_add(other.more);
        self.more_signs = self.more_signs.saturating_add(other.more_signs);
    }

    pub(super) fn into_remarks(mut self) -> Vec<Remark> {
        // Where there are no fonts, no character has one.
        if !self.signs.is_empty() && !self.remarks.contains(&Remark::NoFonts) {
            let shown: Vec<String> = self.signs.iter().map(|sign| shown(*sign)).collect();
            let more = if self.more_signs > 0 { format!(" and {} more", self.more_signs) } else { String::new() };
            self.told.insert(
                0,
                format!("no font that is installed has the characters {}{more} of its text", shown.join(", ")),
            );
        }
        let told = self.told.into_iter().map(Remark::NotDrawn);
        let more = (self.more > 0).then_some(Remark::MoreNotDrawn(self.more));
        self.remarks.into_iter().chain(told).chain(more).collect()
    }
}

fn shown(sign: char) -> String {
    let code = format!("U+{:04X}", u32::from(sign));
    if sign.is_alphanumeric() { format!("{sign} ({code})") } else { code }
}

fn shortened(text: &str) -> String {
    let line: String = text.chars().take(LONGEST).map(|sign| if sign.is_control() { ' ' } else { sign }).collect();
    if text.chars().nth(LONGEST).is_some() { format!("{line}…") } else { line }
}

/// The log of the libraries that draw. The process draws one picture, and has no other log.
struct Ear(Mutex<LeftOut>);

static EAR: Ear = Ear(Mutex::new(LeftOut::new()));

/// Listens from now on.
pub(super) fn listen() -> io::Result<()> {
    log::set_logger(&EAR).map_err(|_| io::Error::other("what drawing leaves out cannot be heard"))?;
    log::set_max_level(LevelFilter::Warn);
    Ok(())
}

/// What was heard since.
pub(super) fn heard() -> LeftOut {
    std::mem::take(&mut *EAR.0.lock().unwrap_or_else(PoisonError::into_inner))
}

impl Log for Ear {
    fn enabled(&self, about: &Metadata<'_>) -> bool {
        // What the fonts of the system are worth is not for whoever sent the picture.
        ["resvg", "usvg", "simplecss", "svgtypes"].iter().any(|part| about.target().starts_with(part))
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            hear(&record.args().to_string(), &mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    fn flush(&self) {}
}

/// What is said when all is drawn as the document has it: shapes without an extent, which SVG has not drawn; another
/// font for a character that the first does not have, which CSS has looked for; states that a still picture is never in; and
/// what is told here in other words.
const NO_LOSS: [&str; 17] = [
    "has an invalid 'width' value",
    "has an invalid 'height' value",
    "has an invalid 'r' value",
    "has an invalid 'rx' value",
    "has an invalid 'ry' value",
    "zero-sized shapes",
    "has less than 2 points",
    "Fallback from ",
    "No match for ",
    "':hover' is not supported",
    "':active' is not supported",
    "':focus' is not supported",
    "':visited' is not supported",
    "':link' is not supported",
    "The @charset rule is not supported",
    "The @namespace rule is not supported",
    "var(",
];

fn hear(said: &str, left_out: &mut LeftOut) {
    let sign = said.strip_prefix("No fonts with a ").filter(|rest| rest.ends_with(" character were found."));
    if let Some(sign) = sign.and_then(|rest| rest.chars().next()) {
        left_out.tell_sign(sign);
    } else if !NO_LOSS.iter().any(|known| said.contains(known)) {
        left_out.tell(said.trim_end_matches('.'));
    }
}

/// What was left out of a picture, while it is drawn.
pub(super) struct Watch {
    found: Mutex<LeftOut>,
    /// Embedded pictures that were looked at: `use` and patterns show the same one again and again.
    seen: Mutex<HashSet<(usize, u64)>>,
    limits: Limits,
}

impl Watch {
    pub(super) fn new(limits: &Limits) -> Self {
        Self { found: Mutex::default(), seen: Mutex::default(), limits: limits.clone() }
    }

    pub(super) fn remark(&self, remark: Remark) {
        self.found(|found| found.remark(remark));
    }

    fn found(&self, change: impl FnOnce(&mut LeftOut)) {
        change(&mut self.found.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// All of it, with what was heard.
    pub(super) fn into_remarks(self, heard: LeftOut) -> Vec<Remark> {
        let mut found = self.found.into_inner().unwrap_or_else(PoisonError::into_inner);
        found.join(heard);
        found.into_remarks()
    }

    /// Looks through a document for what is left out of it without a word. A document in a document loads nothing from outside.
    pub(super) fn look(&self, document: &Document<'_>, is_nested: bool) {
        self.found(|found| walk(document, is_nested, found));
    }

    /// The picture of a data URL, by its content rather than by what it is called, as viewers have it.
    pub(super) fn embedded(&self, called: &str, data: Arc<Vec<u8>>, options: &Options<'_>) -> Option<ImageKind> {
        let format = sniff(&data[..data.len().min(SNIFF_LEN)], "");
        let kind = match format {
            Format::Jpeg => ImageKind::JPEG,
            Format::Png => ImageKind::PNG,
            Format::Gif => ImageKind::GIF,
            Format::WebP => ImageKind::WEBP,
            _ if format == Format::Svg || called == "image/svg+xml" => return self.nested(&data, options),
            Format::Unknown | Format::Text => {
                let bytes = data.len();
                self.found(|found| {
                    found.tell(format!(
                        "an embedded file of {bytes} bytes, called {called}, is no picture that is drawn"
                    ))
                });
                return None;
            }
            format => {
                self.found(|found| {
                    found.tell(format!("embedded pictures of the kind {} are not drawn", format.name()))
                });
                return None;
            }
        };
        let mut hasher = DefaultHasher::new();
        data.hash(&mut hasher);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.insert((data.len(), hasher.finish())) {
            for what in damage(&data, format, &self.limits) {
                self.found(|found| found.tell(format!("an embedded {}: {what}", format.name())));
            }
        }
        Some(kind(data))
    }

    fn nested(&self, data: &Arc<Vec<u8>>, options: &Options<'_>) -> Option<ImageKind> {
        let text = std::str::from_utf8(data).ok();
        let document = text.and_then(|text| super::document(text).ok());
        if let Some(document) = document {
            self.look(&document, true);
        }
        // It says by itself when it cannot.
        ImageHrefResolver::default_data_resolver()("image/svg+xml", data.clone(), options)
    }
}

/// What is wrong with a picture, by decoding it. It is drawn all the same, as far as resvg reads it.
fn damage(data: &[u8], format: Format, limits: &Limits) -> Vec<String> {
    let decoded = || -> Result<Vec<String>, MediaError> {
        let failed = |source| MediaError::Io { doing: "keep an embedded picture".to_owned(), source };
        let mut file = tempfile::tempfile_in(".").map_err(failed)?;
        file.write_all(data).map_err(failed)?;
        let notes = decode::damage(&Content::from(file).known_as(format), limits, NEVER)?;
        Ok(notes.iter().map(ToString::to_string).collect())
    };
    decoded().unwrap_or_else(|error| vec![error.to_string()])
}

const SVG: &str = "http://www.w3.org/2000/svg";
const XLINK: &str = "http://www.w3.org/1999/xlink";

/// Elements that are drawn, or have to do with how others are, or draw nothing wherever they stand.
const KNOWN: [&str; 64] = [
    "a",
    "circle",
    "clipPath",
    "cursor",
    "defs",
    "desc",
    "discard",
    "ellipse",
    "feBlend",
    "feColorMatrix",
    "feComponentTransfer",
    "feComposite",
    "feConvolveMatrix",
    "feDiffuseLighting",
    "feDisplacementMap",
    "feDistantLight",
    "feDropShadow",
    "feFlood",
    "feFuncA",
    "feFuncB",
    "feFuncG",
    "feFuncR",
    "feGaussianBlur",
    "feImage",
    "feMerge",
    "feMergeNode",
    "feMorphology",
    "feOffset",
    "fePointLight",
    "feSpecularLighting",
    "feSpotLight",
    "feTile",
    "feTurbulence",
    "filter",
    "font-face",
    "g",
    "image",
    "line",
    "linearGradient",
    "marker",
    "mask",
    "metadata",
    "mpath",
    "path",
    "pattern",
    "polygon",
    "polyline",
    "radialGradient",
    "rect",
    "stop",
    "style",
    "svg",
    "switch",
    "symbol",
    "text",
    "textPath",
    "title",
    "tref",
    "tspan",
    "use",
    "view",
    "color-profile",
    "hkern",
    "vkern",
];

/// Attributes that may refer to something, beside `style`.
const REFERRING: [&str; 9] =
    ["fill", "stroke", "filter", "mask", "clip-path", "marker", "marker-start", "marker-mid", "marker-end"];

fn walk(document: &Document<'_>, is_nested: bool, found: &mut LeftOut) {
    let elements = || document.descendants().filter(|node| is_svg(*node));
    let ids: HashSet<&str> = document.descendants().filter_map(|node| node.attribute("id")).collect();
    let (mut unknown, mut has_variables) = (BTreeMap::<&str, u32>::new(), false);
    for node in elements() {
        let name = node.tag_name().name();
        // What is in one that is not drawn goes with it. Programs put what only they understand where others have something else.
        let is_inside =
            node.parent_element().is_some_and(|parent| is_svg(parent) && !KNOWN.contains(&parent.tag_name().name()));
        if !KNOWN.contains(&name) && !is_inside && node.attribute("requiredExtensions").is_none() {
            *unknown.entry(name).or_default() += 1;
        }
        if name == "style" {
            let text: String = node.children().filter_map(|child| child.text()).collect();
            references("a style sheet", &text, &ids, found);
            has_variables |= text.contains("var(");
        }
        for attribute in node.attributes().filter(|attribute| attribute.namespace().is_none()) {
            let (what, value) = (attribute.name(), attribute.value());
            if what == "style" || REFERRING.contains(&what) {
                references(&format!("{what} of <{name}>"), value, &ids, found);
            }
            has_variables |= value.trim_start().starts_with("var(") || what == "style" && value.contains("var(");
        }
        if let Some(href) = href(node) {
            reference(name, href.trim(), &ids, is_nested, found);
        }
    }
    for (name, count) in unknown {
        let told = match name {
            "script" => "its scripts do not run".to_owned(),
            "set" | "animate" | "animateColor" | "animateMotion" | "animateTransform" => {
                "it is drawn without its animations".to_owned()
            }
            name => {
                let times = if count == 1 { String::new() } else { format!(", {count} times") };
                format!("<{name}> is not drawn{times}")
            }
        };
        found.tell(told);
    }
    if has_variables {
        found.tell("it has CSS variables, var(…), which are not looked up");
    }
}

fn is_svg(node: Node<'_, '_>) -> bool {
    node.is_element() && matches!(node.tag_name().namespace(), None | Some(SVG))
}

/// SVG 2 prefers the plain one.
fn href<'a>(node: Node<'a, '_>) -> Option<&'a str> {
    let of = |namespace: Option<&str>| {
        let found =
            node.attributes().find(|attribute| attribute.name() == "href" && attribute.namespace() == namespace);
        found.map(|attribute| attribute.value())
    };
    of(None).or_else(|| of(Some(XLINK)))
}

/// Where an element refers to another one, or to a picture.
fn reference(name: &str, href: &str, ids: &HashSet<&str>, is_nested: bool, found: &mut LeftOut) {
    let is_picture = matches!(name, "image" | "feImage");
    let refers =
        matches!(name, "use" | "textPath" | "tref" | "linearGradient" | "radialGradient" | "pattern" | "filter");
    match href.strip_prefix('#') {
        Some(id) if (refers || name == "feImage") && !ids.contains(id) => {
            found.tell(format!("<{name}> refers to #{id}, which is not there"));
        }
        Some(_) => {}
        None if refers && !href.is_empty() => {
            found.tell(format!("<{name}> refers to something outside of the file: {href}"));
        }
        None if is_picture && is_data(href) && !can_be_decoded(href) => {
            found.tell("an embedded picture is no base64, and was left out");
        }
        // In the outer document the resolver of such addresses tells of it.
        None if is_picture && is_nested && !is_data(href) => found.remark(Remark::OutsideLeftOut),
        None => {}
    }
}

fn is_data(href: &str) -> bool {
    href.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:"))
}

/// By the rules of "forgiving base64" (WHATWG Infra), where it is base64 at all.
fn can_be_decoded(url: &str) -> bool {
    let Some((head, body)) = url.split_once(',') else { return false };
    if !head.trim_end().to_ascii_lowercase().ends_with("base64") {
        return true;
    }
    let (mut signs, mut padding) = (0_u64, 0_u64);
    for byte in percent_decode_str(body) {
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' | b'\x0c' => {}
            b'=' => padding += 1,
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' if padding == 0 => signs += 1,
            _ => return false,
        }
    }
    signs % 4 != 1 && (padding == 0 || padding <= 2 && (signs + padding) % 4 == 0)
}

/// Where a property refers to what is not there, and says of nothing in its place.
fn references(what: &str, text: &str, ids: &HashSet<&str>, found: &mut LeftOut) {
    for rest in text.split("url(").skip(1) {
        let Some((target, behind)) = rest.split_once(')') else { continue };
        let target = target.trim().trim_matches(['"', '\'']).trim();
        let Some(id) = target.strip_prefix('#') else { continue };
        let has_other =
            !behind.split([';', '}']).next().unwrap_or_default().replace("!important", "").trim().is_empty();
        if !has_other && !ids.contains(id) {
            found.tell(format!("{what} refers to #{id}, which is not there"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(inside: &str) -> Vec<String> {
        let text = format!("<svg xmlns='{SVG}' xmlns:xlink='{XLINK}' xmlns:h='html' xmlns:i='inkscape'>{inside}</svg>");
        let mut found = LeftOut::default();
        walk(&super::super::document(&text).unwrap(), false, &mut found);
        found.told
    }

    #[test]
    fn what_is_passed_over_without_a_word_is_found() {
        for (inside, expected) in [
            ("<foreignObject><h:div>x</h:div></foreignObject>", "<foreignObject> is not drawn"),
            ("<foreignObject/><g><foreignObject/></g>", "<foreignObject> is not drawn, 2 times"),
            ("<flowRoot><flowPara>x</flowPara></flowRoot>", "<flowRoot> is not drawn"),
            ("<rect><animate/><set/></rect>", "it is drawn without its animations"),
            ("<script>x</script>", "its scripts do not run"),
            ("<use href='#gone'/>", "<use> refers to #gone, which is not there"),
            ("<use xlink:href='icons.svg#cup'/>", "<use> refers to something outside of the file: icons.svg#cup"),
            ("<rect fill='url(#gone)'/>", "fill of <rect> refers to #gone, which is not there"),
            (
                "<rect style='stroke: url( \"#gone\" ); fill: red'/>",
                "style of <rect> refers to #gone, which is not there",
            ),
            (
                "<style>rect { mask: url(#gone) !important }</style>",
                "a style sheet refers to #gone, which is not there",
            ),
            ("<rect fill='var(--red)'/>", "it has CSS variables, var(…), which are not looked up"),
            ("<rect style='fill:var(--red, red)'/>", "it has CSS variables, var(…), which are not looked up"),
            ("<image href='data:image/png;base64,iVBOR'/>", "an embedded picture is no base64, and was left out"),
            ("<image xlink:href='DATA:image/png;base64,iV.Q'/>", "an embedded picture is no base64, and was left out"),
        ] {
            assert_eq!(told(inside), [expected], "{inside}");
        }
        for fine in [
            "<switch><foreignObject requiredExtensions='ai'><i:pgf/></foreignObject><g/></switch>",
            "<i:view/><h:div><h:script/></h:div><title>x</title><desc/><metadata><h:x/></metadata>",
            "<linearGradient id='a'/><rect fill='url(#a)' stroke='url(#gone) red' style='filter:url(&quot;#a&quot;)'/>",
            "<use href='#b'/><g id='b'/><a href='page.html'/><image href='data:image/png;base64,iVBO Rw%3D%3D'/>",
            "<image href='data:image/svg+xml,%3Csvg/%3E'/>",
        ] {
            assert_eq!(told(fine), [""; 0], "{fine}");
        }
    }

    #[test]
    fn what_is_heard_is_told_unless_it_is_no_loss() {
        let mut found = LeftOut::default();
        for said in [
            "Error during path parsing: expected 'm' not 'x' at position 1.",
            "Error during path parsing: expected 'm' not 'x' at position 1.",
            "Rect 'a' has an invalid 'width' value. Skipped.",
            "Fallback from DejaVu Sans to Noto Sans.",
            "':hover' is not supported. Selector skipped.",
            "No fonts with a 漢/U+6F22 character were found.",
            "No fonts with a 漢/U+6F22 character were found.",
            "No fonts with a \u{f0000}/U+F0000 character were found.",
        ] {
            hear(said, &mut found);
        }
        let expected = [
            "no font that is installed has the characters 漢 (U+6F22), U+F0000 of its text",
            "Error during path parsing: expected 'm' not 'x' at position 1",
        ];
        assert_eq!(found.into_remarks(), expected.map(|what| Remark::NotDrawn(what.to_owned())));
    }

    #[test]
    fn no_more_is_told_than_whoever_reads_it_reads() {
        let mut found = LeftOut::default();
        (0..50).for_each(|number| found.tell(format!("{number} {}", "x".repeat(10_000))));
        ('\u{f0000}'..'\u{f0020}').for_each(|sign| found.tell_sign(sign));
        let mut other = LeftOut::default();
        other.tell("another");
        found.join(other);
        let remarks = found.into_remarks();
        assert_eq!(remarks.len(), 22);
        assert_eq!(remarks.last(), Some(&Remark::MoreNotDrawn(31)));
        let longest = remarks.iter().map(|remark| format!("{remark:?}").len()).max();
        assert!(longest.is_some_and(|longest| longest < 400), "{longest:?}");
        assert!(format!("{:?}", remarks[0]).contains(" and 12 more of its text"), "{:?}", remarks[0]);
    }

    #[test]
    fn no_fonts_are_told_once() {
        let mut found = LeftOut::default();
        found.remark(Remark::NoFonts);
        found.tell_sign('a');
        assert_eq!(found.into_remarks(), [Remark::NoFonts]);
    }
}
