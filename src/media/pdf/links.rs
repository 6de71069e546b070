//! The links of a page: areas of its picture that lead to an address or to another page.

use hayro::hayro_interpret::util::RectExt;
use hayro::hayro_syntax::Pdf;
use hayro::hayro_syntax::object::dict::keys;
use hayro::hayro_syntax::object::{Array, Dict, Name, Object, ObjectIdentifier, Rect as PdfRect, String as PdfString};
use hayro::hayro_syntax::page::Page;
use hayro::kurbo::{Rect, Shape};

use super::draw::Sheet;
use super::words::pixel_box;
use super::{Link, LinkTarget};

const MOST_LINKS: usize = 1_000;
const LONGEST_ADDRESS: usize = 2048;

/// How deep the tree of named places may be.
const DEEPEST: u32 = 32;

/// Only what a reader can follow without harm.
const SCHEMES: [&str; 5] = ["http:", "https:", "mailto:", "ftp:", "tel:"];

pub fn read(pdf: &Pdf, page: &Page<'_>, sheet: &Sheet) -> Vec<Link> {
    let Some(annotations) = page.raw().get::<Array<'_>>(keys::ANNOTS) else { return Vec::new() };
    let target = Rect::new(0.0, 0.0, sheet.width.into(), sheet.height.into());
    let links = annotations.iter::<Dict<'_>>().filter_map(|annotation| link(pdf, &annotation, sheet, target));
    links.take(MOST_LINKS).collect()
}

fn link(pdf: &Pdf, annotation: &Dict<'_>, sheet: &Sheet, target: Rect) -> Option<Link> {
    if annotation.get::<Name<'_>>(keys::SUBTYPE)?.as_ref() != b"Link" {
        return None;
    }
    let area = annotation.get::<PdfRect>(keys::RECT)?.to_kurbo();
    let area = (sheet.to_pixels * area.to_path(0.1)).bounding_box().intersect(target);
    let to = match annotation.get::<Dict<'_>>(keys::A) {
        Some(action) => followed(pdf, &action)?,
        None => LinkTarget::Page(destination(pdf, annotation.get::<Object<'_>>(keys::DEST)?)?),
    };
    (area.is_finite() && area.area() > 0.0).then(|| Link { to, place: pixel_box(area) })
}

fn followed(pdf: &Pdf, action: &Dict<'_>) -> Option<LinkTarget> {
    match action.get::<Name<'_>>(keys::S)?.as_ref() {
        b"URI" => address(&action.get::<PdfString<'_>>(keys::URI)?).map(LinkTarget::Address),
        b"GoTo" => destination(pdf, action.get::<Object<'_>>(keys::D)?).map(LinkTarget::Page),
        _ => None,
    }
}

fn address(text: &PdfString<'_>) -> Option<String> {
    let text = String::from_utf8_lossy(text.as_bytes()).trim().to_owned();
    let lower = text.to_ascii_lowercase();
    let is_safe = SCHEMES.iter().any(|scheme| lower.starts_with(scheme));
    (is_safe && text.len() <= LONGEST_ADDRESS && !text.contains(char::is_control)).then_some(text)
}

/// The number of the page that a destination names: as an array that begins with the page, or by a name for one.
fn destination(pdf: &Pdf, object: Object<'_>) -> Option<u32> {
    match object {
        Object::Array(array) => page_number(pdf, &array),
        Object::Dict(dict) => page_number(pdf, &dict.get::<Array<'_>>(keys::D)?),
        Object::Name(name) => named(pdf, name.as_ref()),
        Object::String(name) => named(pdf, name.as_bytes()),
        _ => None,
    }
}

fn page_number(pdf: &Pdf, place: &Array<'_>) -> Option<u32> {
    let id: ObjectIdentifier = place.raw_iter().next()?.as_obj_ref()?.into();
    let at = pdf.pages().iter().position(|page| page.raw().obj_id() == Some(id))?;
    u32::try_from(at + 1).ok()
}

fn named(pdf: &Pdf, name: &[u8]) -> Option<u32> {
    let root = pdf.xref().get::<Dict<'_>>(pdf.xref().root_id())?;
    let old = root.get::<Dict<'_>>(keys::DESTS).and_then(|places| places.get::<Object<'_>>(name));
    let found = old.or_else(|| {
        let names = root.get::<Dict<'_>>(keys::NAMES)?.get::<Dict<'_>>(keys::DESTS)?;
        in_tree(&names, name, DEEPEST)
    })?;
    match found {
        Object::Array(array) => page_number(pdf, &array),
        Object::Dict(dict) => page_number(pdf, &dict.get::<Array<'_>>(keys::D)?),
        _ => None,
    }
}

/// Looks a name up in a tree whose nodes say the least and the greatest name below them.
fn in_tree<'a>(node: &Dict<'a>, name: &[u8], depth: u32) -> Option<Object<'a>> {
    if let Some(limits) = node.get::<Array<'_>>(keys::LIMITS) {
        let mut ends = limits.iter::<PdfString<'_>>();
        let (least, greatest) = (ends.next()?, ends.next()?);
        if name < least.as_bytes() || name > greatest.as_bytes() {
            return None;
        }
    }
    if let Some(names) = node.get::<Array<'a>>(keys::NAMES) {
        let mut pairs = names.iter::<Object<'a>>();
        while let (Some(key), Some(value)) = (pairs.next(), pairs.next()) {
            if key.into_string().is_some_and(|key| key.as_bytes() == name) {
                return Some(value);
            }
        }
    }
    let depth = depth.checked_sub(1)?;
    node.get::<Array<'a>>(keys::KIDS)?.iter::<Dict<'a>>().find_map(|kid| in_tree(&kid, name, depth))
}
