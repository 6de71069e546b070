//! The links of a page: areas of its picture that lead to an address, to a file or to another page (ISO 32000-1,
//! 12.5.6.5).

use hayro::hayro_interpret::util::RectExt;
use hayro::hayro_syntax::object::dict::keys;
use hayro::hayro_syntax::object::{Array, Dict, MaybeRef, Name, Object, Rect as PdfRect, String as PdfString};
use hayro::hayro_syntax::page::Page;
use hayro::kurbo::{Point, Rect, Shape};

use super::address::{self, Refused};
use super::draw::Sheet;
use super::information::text;
use super::places::{self, Places};
use super::words::pixel_box;
use super::{Link, LinkTarget};

/// Areas of a page that are kept, and bytes of all that they lead to: they are read, stored and handed out as one.
const MOST_LINKS: usize = 20_000;
const MOST_BYTES: usize = 8 << 20;

/// How far, in units of the page, the corners of an area may lie beside the rectangle of its link: numbers are rounded.
const TOLERANCE: f64 = 1.0;

/// What is not kept of the links of a page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Beyond the bounds of a page.
    beyond: u32,
    /// What leads to no address of the web.
    harmful: u32,
    /// Files that do not lie with the document.
    outside: u32,
    /// Programs to be started, or files with those that they belong to.
    programs: u32,
    too_long: u32,
}

impl LeftOut {
    fn count(&mut self, refused: Refused) {
        match refused {
            Refused::Scheme => self.harmful += 1,
            Refused::Outside => self.outside += 1,
            Refused::Program => self.programs += 1,
            Refused::TooLong => self.too_long += 1,
            Refused::Empty => {}
        }
    }

    pub fn notes(self) -> impl Iterator<Item = String> {
        let kept = format!("of a page {MOST_LINKS} are kept, with {} MiB of addresses", MOST_BYTES >> 20);
        let reasons = [
            (self.beyond, kept.as_str(), kept.as_str()),
            (
                self.harmful,
                "it runs a script, or leads to an address of a kind that may do harm",
                "they run scripts, or lead to addresses of kinds that may do harm",
            ),
            (
                self.outside,
                "it leads to a file that does not lie with the document",
                "they lead to files that do not lie with the document",
            ),
            (
                self.programs,
                "it is to start a program or open a file on the computer of whoever reads the document",
                "they are to start programs or open files on the computer of whoever reads the document",
            ),
            (self.too_long, "its address is too long", "their addresses are too long"),
        ];
        let told = reasons.map(|(count, one, many)| match count {
            0 => None,
            1 => Some(format!("1 link was left out: {one}")),
            count => Some(format!("{count} links were left out: {many}")),
        });
        told.into_iter().flatten()
    }
}

/// Of the flags of an annotation (ISO 32000-2, table 167).
const HIDDEN: i32 = 2;

pub fn read(places: &Places<'_>, page: &Page<'_>, sheet: &Sheet) -> (Vec<Link>, LeftOut) {
    let (mut links, mut left_out) = (Vec::new(), LeftOut::default());
    let Some(annotations) = page.raw().get::<Array<'_>>(keys::ANNOTS) else { return (links, left_out) };
    let picture = Rect::new(0.0, 0.0, sheet.width.into(), sheet.height.into());
    let mut bytes = 0;
    for annotation in annotations.raw_iter().filter_map(|annotation| resolved(page, annotation)) {
        if annotation.get::<Name<'_>>(keys::SUBTYPE).is_none_or(|kind| kind.as_ref() != b"Link") {
            continue;
        }
        // Nobody sees it, nor follows it (12.5.3).
        if annotation.get::<i32>(keys::F).is_some_and(|flags| flags & HIDDEN != 0) {
            continue;
        }
        let to = match target(places, &annotation) {
            Ok(Some(to)) => to,
            Ok(None) => continue,
            Err(refused) => {
                left_out.count(refused);
                continue;
            }
        };
        for area in areas(&annotation) {
            let area = (sheet.to_pixels * area.to_path(0.1)).bounding_box().intersect(picture);
            if !area.is_finite() || area.area() <= 0.0 {
                continue;
            }
            bytes += to.bytes();
            if links.len() >= MOST_LINKS || bytes > MOST_BYTES {
                left_out.beyond += 1;
            } else {
                links.push(Link { to: to.clone(), place: pixel_box(area) });
            }
        }
    }
    (links, left_out)
}

impl LinkTarget {
    const fn bytes(&self) -> usize {
        match self {
            Self::Address(address) => address.len(),
            Self::File { name, .. } => name.len(),
            Self::Page(_) => 0,
        }
    }
}

/// Items that are none do not hide those behind them.
fn resolved<'a>(page: &Page<'a>, item: MaybeRef<Object<'a>>) -> Option<Dict<'a>> {
    match item {
        MaybeRef::Ref(id) => page.xref().get(id.into()),
        MaybeRef::NotRef(object) => object.into_dict(),
    }
}

/// Where a link leads; None where it leads nowhere.
fn target(places: &Places<'_>, annotation: &Dict<'_>) -> Result<Option<LinkTarget>, Refused> {
    match annotation.get::<Dict<'_>>(keys::A) {
        Some(action) => followed(places, &action),
        None => {
            let destination = annotation.get::<Object<'_>>(keys::DEST);
            Ok(destination.and_then(|place| places.page(&place)).map(LinkTarget::Page))
        }
    }
}

/// What an action does (ISO 32000-1, table 198), as far as it is following a link.
fn followed(places: &Places<'_>, action: &Dict<'_>) -> Result<Option<LinkTarget>, Refused> {
    let Some(kind) = action.get::<Name<'_>>(keys::S) else { return Ok(None) };
    match kind.as_ref() {
        b"URI" => {
            let Some(uri) = action.get::<PdfString<'_>>(keys::URI) else { return Ok(None) };
            address::of_uri(&as_written(uri.as_bytes()), places.base()).map(|to| Some(LinkTarget::Address(to)))
        }
        b"GoTo" => {
            let destination = action.get::<Object<'_>>(keys::D);
            Ok(destination.and_then(|place| places.page(&place)).map(LinkTarget::Page))
        }
        b"GoToR" => {
            let page = action.get::<Object<'_>>(keys::D).and_then(|place| places::page_elsewhere(&place));
            file(places, action, page, true)
        }
        // What it would start is not kept as such: a file that lies with the document is one that can be shown.
        b"Launch" => file(places, action, None, false).map_err(|refused| match refused {
            Refused::Outside => Refused::Program,
            other => other,
        }),
        b"JavaScript" => Err(Refused::Scheme),
        _ => Ok(None),
    }
}

/// Some programs write addresses as text strings, with a mark.
fn as_written(uri: &[u8]) -> Vec<u8> {
    match uri {
        [0xfe, 0xff, ..] | [0xff, 0xfe, ..] | [0xef, 0xbb, 0xbf, ..] => text(uri).into_bytes(),
        _ => uri.to_vec(),
    }
}

/// The file of an action, by its name or by a dictionary with names for it (ISO 32000-1, 7.11); what only Windows is
/// told to start has its own (12.6.4.5).
fn file(
    places: &Places<'_>,
    action: &Dict<'_>,
    page: Option<u32>,
    may_climb: bool,
) -> Result<Option<LinkTarget>, Refused> {
    let named = match action.get::<Object<'_>>(keys::F) {
        Some(Object::Dict(names)) => {
            let unicode = names.get::<PdfString<'_>>(keys::UF);
            let name = unicode.or_else(|| names.get::<PdfString<'_>>(keys::F));
            // Then its name is an address (7.11.5).
            if names.get::<Name<'_>>(keys::FS).is_some_and(|system| system.as_ref() == b"URL") {
                let Some(name) = name else { return Ok(None) };
                let to = address::of_uri(&as_written(name.as_bytes()), places.base());
                return to.map(|to| Some(LinkTarget::Address(to)));
            }
            name
        }
        Some(name) => name.into_string(),
        None => action.get::<Dict<'_>>(keys::WIN).and_then(|windows| windows.get::<PdfString<'_>>(keys::F)),
    };
    let Some(name) = named else { return Ok(None) };
    address::of_file(&text(name.as_bytes()), may_climb).map(|name| Some(LinkTarget::File { name, page }))
}

/// The quadrilaterals of a link, one for each line of text that it covers; else its rectangle, and also where a corner
/// lies outside of that (ISO 32000-1, table 173).
fn areas(annotation: &Dict<'_>) -> Vec<Rect> {
    let Some(whole) = annotation.get::<PdfRect>(keys::RECT).map(|whole| whole.to_kurbo()) else { return Vec::new() };
    let numbers = annotation.get::<Array<'_>>(keys::QUADPOINTS);
    let numbers = numbers.into_iter().flat_map(|numbers| numbers.iter::<f32>()).map(f64::from);
    let numbers: Vec<f64> = numbers.take(8 * (MOST_LINKS + 1)).collect(); // bounded: by what is kept of a page
    let corners: Vec<Point> = numbers.as_chunks::<2>().0.iter().map(|[x, y]| Point::new(*x, *y)).collect();
    let bounds = whole.abs().inflate(TOLERANCE, TOLERANCE);
    let quads = corners.as_chunks::<4>().0;
    if quads.is_empty() || !corners.iter().all(|corner| bounds.contains(*corner)) {
        return vec![whole];
    }
    // Their order is not what the standard says it is: all around is the same for each.
    quads.iter().map(|[a, b, c, d]| Rect::from_points(*a, *b).union_pt(*c).union_pt(*d)).collect()
}
