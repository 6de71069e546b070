//! SVG and SVGZ, drawn by resvg.
//!
//! A file is drawn in the size that it gives itself, at 96 pixels an inch, which is what CSS means by its units. What has no
//! width or no height gets it from the other and the ratio of the viewBox; what has neither is as large as its viewBox, one
//! pixel a unit; and what has no viewBox either is as large as what it draws. What the drawing leaves free stays transparent.
//!
//! Nothing is loaded from anywhere: pictures inside the file are drawn, pictures elsewhere are left out, and no entity, style sheet
//! or `use` leads out of the file. Text is set in the fonts of the system, which the child may read; in the place of a font that is not
//! there comes the one that is nearest in slant and weight. What else is left out is told, too.

mod left_out;

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read};
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;

use flate2::bufread::MultiGzDecoder;
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::fontdb::{Database, ID, Style};
use resvg::usvg::roxmltree::{self, Document, ParsingOptions};
use resvg::usvg::{self, Font, FontFamily, FontResolver, FontStyle, ImageHrefResolver, Tree};
use serde::{Deserialize, Serialize};

use super::super::child::{ChildError, Launcher, Limits as ChildLimits, Tool};
use super::super::color::Note;
use super::super::content::Content;
use super::super::decode::Cancel;
use super::super::error::MediaError;
use super::super::format::Format;
use super::super::limits::Limits;
use super::super::memory::read_at_most;
use super::{StandIn, StandInError, StandInLimits};
use left_out::Watch;

/// What the other side of the fence knows this work by.
pub(crate) const NAME: &str = "resvg";

const ORDERS: &str = "orders";
const PICTURE: &str = "picture.png";

/// Pixels an inch: CSS Values and Units, "absolute lengths".
const DENSITY: f32 = 96.0;

/// What the child is told.
#[derive(Debug, Serialize, Deserialize)]
struct Orders {
    path: PathBuf,
    max_pixels: u64,
    max_side: u32,
    max_memory: u64,
}

/// What the child says.
#[derive(Debug, Serialize, Deserialize)]
enum Said {
    Drawn(Vec<Remark>),
    TooLarge { width: u64, height: u64 },
    Unusable(String),
}

/// What is not as the file would have it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Remark {
    NoFonts,
    OtherFont,
    OutsideLeftOut,
    /// In words.
    NotDrawn(String),
    MoreNotDrawn(u32),
}

impl From<Remark> for Note {
    fn from(remark: Remark) -> Self {
        match remark {
            Remark::NoFonts => Self::NoFonts,
            Remark::OtherFont => Self::OtherFont,
            Remark::OutsideLeftOut => Self::OutsideLeftOut,
            Remark::NotDrawn(what) => Self::NotDrawn(what),
            Remark::MoreNotDrawn(count) => Self::MoreNotDrawn(count),
        }
    }
}

pub(in crate::media) fn draw(
    launcher: &Launcher,
    path: &Path,
    _format: Format,
    limits: &StandInLimits,
    cancel: Cancel<'_>,
) -> Result<StandIn, StandInError> {
    /// Address space for the program itself, its threads and the fonts of the system.
    const PROGRAM: u64 = 1 << 30;
    const LARGEST_PNG: u64 = 8 << 30;
    let folder = launcher.folder()?;
    let Limits { max_pixels, max_side, max_memory, .. } = limits.picture;
    let orders = Orders { path: path.to_owned(), max_pixels, max_side, max_memory };
    let told = serde_json::to_vec(&orders).map_err(|error| ChildError::doing("write orders")(error.into()))?;
    fs::write(folder.path().join(ORDERS), told).map_err(ChildError::doing("write orders for drawing"))?;
    let child = ChildLimits {
        wall: limits.time,
        cpu: limits.time,
        memory: max_memory.saturating_add(PROGRAM),
        file: LARGEST_PNG,
        output: 1 << 16,
    };
    let output = launcher.run(Tool::own(NAME, child).reads(path), &folder, cancel)?;
    let damaged = |what: String| MediaError::corrupt(Format::Svg, what);
    match serde_json::from_slice(&output.stdout) {
        Ok(Said::Drawn(remarks)) => {
            let notes = remarks.into_iter().map(Note::from).collect();
            Ok(StandIn { path: folder.path().join(PICTURE), notes, _folder: folder })
        }
        Ok(Said::TooLarge { width, height }) => {
            check(width, height, &limits.picture)?;
            Err(damaged("it has no size".to_owned()).into())
        }
        Ok(Said::Unusable(why)) => Err(damaged(why).into()),
        Err(_) => Err(damaged("what was drawn of it cannot be read".to_owned()).into()),
    }
}

fn check(width: u64, height: u64, limits: &Limits) -> Result<(), MediaError> {
    limits.check_size(width, height)?;
    // Four bytes a pixel, and as much again for one group with an opacity of its own.
    limits.check_memory(width.saturating_mul(height).saturating_mul(8))
}

/// Does what the orders in the current folder say.
pub(crate) fn work() -> ExitCode {
    match carry_out() {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Elements may be nested a thousand deep, and each takes its part of the stack.
const STACK: usize = 256 << 20;

fn carry_out() -> io::Result<String> {
    let orders: Orders = serde_json::from_slice(&fs::read(ORDERS)?)?; // bounded: by the program, which wrote it
    let drawing = thread::Builder::new().stack_size(STACK).spawn(move || {
        panic::catch_unwind(AssertUnwindSafe(|| drawn(&orders)))
            .unwrap_or_else(|_| Ok(Said::Unusable("drawing it failed".to_owned())))
    })?;
    let said = drawing.join().map_err(|_| io::Error::other("drawing it failed"))??;
    Ok(serde_json::to_string(&said)?)
}

fn drawn(orders: &Orders) -> io::Result<Said> {
    let limits = Limits {
        max_pixels: orders.max_pixels,
        max_side: orders.max_side,
        max_memory: orders.max_memory,
        ..Limits::default()
    };
    let text = match text(&orders.path.as_path().into(), orders.max_memory / 4)? {
        Ok(text) => text,
        Err(why) => return Ok(Said::Unusable(why.to_string())),
    };
    left_out::listen()?;
    let watch = Watch::new(&limits);
    let document = match document(&text) {
        Ok(document) => document,
        Err(error) => return Ok(Said::Unusable(error.to_string())),
    };
    let tree = match Tree::from_xmltree(&document, &options(&watch, &text)) {
        Ok(tree) => tree,
        Err(error) => return Ok(Said::Unusable(complaint(&error))),
    };
    watch.look(&document, false);
    let size = tree.size().to_int_size();
    let (width, height) = (size.width(), size.height());
    if check(width.into(), height.into(), &limits).is_err() {
        return Ok(Said::TooLarge { width: width.into(), height: height.into() });
    }
    let Some(mut pixmap) = Pixmap::new(width, height) else {
        return Ok(Said::TooLarge { width: width.into(), height: height.into() });
    };
    let fit = Transform::from_scale(width as f32 / tree.size().width(), height as f32 / tree.size().height());
    resvg::render(&tree, fit, &mut pixmap.as_mut());
    write(width, height, &pixmap.take_demultiplied())?;
    Ok(Said::Drawn(watch.into_remarks(left_out::heard())))
}

/// As resvg itself reads one.
fn document(text: &str) -> Result<Document<'_>, roxmltree::Error> {
    Document::parse_with_options(text, ParsingOptions { allow_dtd: true, ..ParsingOptions::default() })
}

fn complaint(error: &usvg::Error) -> String {
    match error {
        usvg::Error::ParsingFailed(error) => error.to_string(),
        usvg::Error::ElementsLimitReached => "it has more than a million elements, or nests them too deep".to_owned(),
        usvg::Error::InvalidSize => {
            "it has no size: neither width and height, nor a viewBox, nor anything to draw".into()
        }
        error => error.to_string(),
    }
}

/// Why a file has no text.
#[derive(Debug, thiserror::Error)]
pub(in crate::media) enum NoText {
    #[error("it has more than {0} bytes")]
    TooLarge(u64),
    #[error("it cannot be decompressed")]
    Compressed,
}

/// The document, at most `most` bytes of it, whatever it is compressed to and encoded in.
pub(in crate::media) fn text(content: &Content, most: u64) -> io::Result<Result<String, NoText>> {
    let mut file = BufReader::new(content.open()?);
    let mut magic = [0; 2];
    let is_compressed = file.read_exact(&mut magic).is_ok() && magic == [0x1f, 0x8b];
    let file = BufReader::new(content.open()?);
    // What is compressed to nothing is no longer than what comes of it either.
    let mut file = file.take(most + 1);
    let read = if is_compressed {
        read_at_most(&mut MultiGzDecoder::new(file), most + 1)
    } else {
        read_at_most(&mut file, most + 1)
    };
    Ok(match read {
        Ok(bytes) if bytes.len() as u64 > most => Err(NoText::TooLarge(most)),
        Ok(bytes) => Ok(encoding(&bytes).decode(&bytes).0.into_owned()),
        Err(_) if is_compressed => Err(NoText::Compressed),
        Err(error) => return Err(error),
    })
}

/// By the mark at its start, or by what its first line says (XML 1.0, appendix F).
fn encoding(bytes: &[u8]) -> &'static encoding_rs::Encoding {
    if let Some((encoding, _)) = encoding_rs::Encoding::for_bom(bytes) {
        return encoding;
    }
    let declared = || {
        let declaration = bytes.strip_prefix(b"<?xml")?.split(|byte| *byte == b'>').next()?;
        let at = declaration.windows(8).position(|window| window == b"encoding")?;
        let mut quoted = declaration[at..].split(|byte| matches!(byte, b'"' | b'\''));
        encoding_rs::Encoding::for_label(quoted.nth(1)?)
    };
    declared().unwrap_or(encoding_rs::UTF_8)
}

/// `text` is the document.
fn options<'a>(watch: &'a Watch, text: &str) -> usvg::Options<'a> {
    let options = usvg::Options::default();
    // What is set in the font of whoever draws it has the font that it asks for.
    let named = FontFamily::Named(options.font_family.clone());
    let usual = Some(named).filter(|_| !text.contains(options.font_family.as_str()));
    usvg::Options {
        dpi: DENSITY,
        image_href_resolver: ImageHrefResolver {
            resolve_data: Box::new(|called, data, options| watch.embedded(called, data, options)),
            resolve_string: Box::new(|_, _| {
                watch.remark(Remark::OutsideLeftOut);
                None
            }),
        },
        font_resolver: FontResolver {
            select_font: Box::new(move |font, fonts| select(font, fonts, usual.as_ref(), watch)),
            select_fallback: FontResolver::default_fallback_selector(),
        },
        ..options
    }
}

/// The face for a piece of text. Fonts are looked for when the first is needed. `usual` is what text has that names none.
fn select(font: &Font, fonts: &mut Arc<Database>, usual: Option<&FontFamily>, watch: &Watch) -> Option<ID> {
    if fonts.is_empty() {
        Arc::make_mut(fonts).load_system_fonts();
    }
    if fonts.is_empty() {
        watch.remark(Remark::NoFonts);
        return None;
    }
    let is_there = |family: &FontFamily| match family {
        family if Some(family) == usual => true,
        FontFamily::Named(name) => fonts.faces().any(|face| face.families.iter().any(|(known, _)| known == name)),
        _ => true,
    };
    if !font.families().iter().any(is_there) {
        watch.remark(Remark::OtherFont);
    }
    FontResolver::default_font_selector()(font, fonts).or_else(|| nearest(font, fonts))
}

/// The same one, in whatever order the folders of the system list them.
fn nearest(font: &Font, fonts: &Database) -> Option<ID> {
    let style = match font.style() {
        FontStyle::Normal => Style::Normal,
        FontStyle::Italic => Style::Italic,
        FontStyle::Oblique => Style::Oblique,
    };
    let is_mono = font.families().contains(&FontFamily::Monospace);
    let distance = |face: &&resvg::usvg::fontdb::FaceInfo| {
        let weight = face.weight.0.abs_diff(font.weight());
        (face.monospaced != is_mono, face.style != style, weight, face.post_script_name.clone())
    };
    fonts.faces().min_by_key(distance).map(|face| face.id)
}

fn write(width: u32, height: u32, pixels: &[u8]) -> io::Result<()> {
    const PER_METRE: u32 = (DENSITY / 0.0254) as u32 + 1;
    let mut encoder = png::Encoder::new(BufWriter::new(File::create(PICTURE)?), width, height);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_pixel_dims(Some(png::PixelDimensions { xppu: PER_METRE, yppu: PER_METRE, unit: png::Unit::Meter }));
    // It is read once, by the same machine, at once.
    encoder.set_compression(png::Compression::Fastest);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    Ok(writer.finish()?)
}
