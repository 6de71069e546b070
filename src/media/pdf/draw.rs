//! One page: drawn, and made a pyramid of.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use hayro::hayro_interpret::{InterpreterCache, InterpreterSettings, InterpreterWarning};
use hayro::hayro_syntax::Pdf;
use hayro::hayro_syntax::object::Rect as PdfRect;
use hayro::hayro_syntax::object::dict::keys;
use hayro::hayro_syntax::page::{Page as PdfPage, Rotation};
use hayro::kurbo::Affine;
use hayro::vello_cpu::color::palette::css::{TRANSPARENT, WHITE};
use hayro::vello_cpu::peniko::ImageAlphaType;
use hayro::vello_cpu::{Pixmap, RasterizerSettings, RenderContext, Resources, TargetInit};
use hayro::{RenderCache, RenderSettings, render_into};

use super::super::error::MediaError;
use super::super::format::Format;
use super::super::limits::Limits;
use super::super::picture::Resolution;
use super::super::raster::Layout;
use super::super::render::Rendering;
use super::super::rows::Rows;
use super::super::{PyramidInfo, ThumbnailInfo, derive};
use super::excerpt::Excerpt;
use super::fonts::{NotEmbedded, StandIns};
use super::parts::Known;
use super::places::Places;
use super::prepare::{Prepared, prepare};
use super::words::Read;
use super::{
    By, Drawing, Fonts, Others, PageColor, PageFacts, Size, Undrawn, Wanted, elsewhere, links, photographs, raster,
    words,
};

const POINTS_PER_INCH: f64 = 72.0;

/// Why there is no picture of a page.
pub enum Page {
    Undrawn(Undrawn),
    /// Another program is to draw it, from this document.
    Elsewhere {
        wanted: Wanted,
        document: Vec<u8>,
    },
    Io(io::Error),
}

impl From<io::Error> for Page {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<MediaError> for Page {
    fn from(error: MediaError) -> Self {
        match error {
            MediaError::Io { source, .. } => Self::Io(source),
            error => Self::Undrawn(Undrawn::Other(error.to_string())),
        }
    }
}

/// Draws the pages of a file, and keeps what they share.
pub struct Pen<'a> {
    pdf: &'a Pdf,
    places: Places<'a>,
    cache: RenderCache<'a>,
    /// What is read of pages besides drawing them has a cache of its own.
    reading: InterpreterCache<'a>,
    /// What was found of damage.
    known: Known,
    settings: InterpreterSettings,
    fonts: Arc<StandIns>,
    warnings: Arc<Mutex<Vec<String>>>,
    drawing: &'a Drawing,
    limits: &'a Limits,
    /// What a page may take that is drawn alone.
    all_memory: u64,
}

impl<'a> Pen<'a> {
    /// Of a file whose end may be missing.
    pub fn new(pdf: &'a Pdf, is_cut: bool, drawing: &'a Drawing, (limits, all_memory): (&'a Limits, u64)) -> Self {
        let warnings = Arc::new(Mutex::new(Vec::new()));
        let sink = warnings.clone();
        let fonts = Arc::new(StandIns::default());
        let settings = InterpreterSettings {
            warning_sink: Arc::new(move |warning| note(&sink, warning)),
            font_resolver: fonts.resolver(),
            ..InterpreterSettings::default()
        };
        let (places, cache, reading) = (Places::of(pdf), RenderCache::new(), InterpreterCache::new());
        let known = Known::of(is_cut);
        Self { pdf, places, cache, reading, known, settings, fonts, warnings, drawing, limits, all_memory }
    }

    pub fn draw(&self, number: u32, by: &By, pyramid: &mut File, thumbnail: &mut File) -> Result<PageFacts, Page> {
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let page = page_of(self.pdf, number)?;
        let mut sheet = Sheet::of(page, self.drawing.resolution, self.limits, self.all_memory)?;
        let Prepared {
            damage,
            mut file,
            needs,
            mut notes,
            has_made_letters,
            has_meshes,
            blends_in_cmyk,
            has_unplaced,
            fonts,
        } = prepare(self.pdf, page, self.drawing, &self.known, self.limits);
        if !has_area(&page.intersected_crop_box()) {
            let taken =
                if has_area(&page.media_box()) { "its MediaBox alone was taken" } else { "it was taken for Letter" };
            notes.push(format!("what its boxes say is shown of it has no area: {taken}"));
            // Programs differ in what they make of that; in a document of its own it has boxes that leave no doubt.
            file = file.or_else(|| Excerpt::of(self.pdf, self.limits).finish(page, None));
        }
        if has_meshes {
            sheet.leave_the_grid();
        }
        let (by, theirs) = match by {
            By::Us(_) => (by.clone(), None),
            By::Raster(file) => match raster::read(file, &sheet, page.rotation()) {
                Ok(pixels) => (by.clone(), Some(pixels)),
                Err(Page::Undrawn(why)) => (By::Us(Some(why.to_string())), None),
                Err(error) => return Err(error),
            },
        };
        // Ghostscript blends in CMYK.
        if blends_in_cmyk && (theirs.is_none() || !elsewhere::is_for_ghostscript(&needs)) {
            notes.push("colours are blended in RGB that are to be blended in CMYK".to_owned());
        }
        if has_unplaced && theirs.is_none() {
            notes.push("an annotation cannot be drawn".to_owned());
        }
        let has_plain_fonts = !has_made_letters && !fonts.may_lack;
        let wanted = Wanted { needs: needs.into_iter().collect(), size: sheet.size(page), has_plain_fonts };
        notes.extend(self.or_elsewhere(&by, wanted, file.as_deref())?);
        let (links, left_out) = match self.drawing.links {
            true => links::read(&self.places, page, &sheet),
            false => Default::default(),
        };
        let has_file = file.is_some();
        let prepared = file.and_then(|file| Pdf::new(file).ok()).filter(|pdf| pdf.pages().len() == 1);
        if has_file && prepared.is_none() {
            notes.push(
                "its annotations and groups are drawn as they are: the changed document cannot be read".to_owned(),
            );
        }
        let facts = match &prepared {
            Some(pdf) => {
                let (cache, reading) = (RenderCache::new(), InterpreterCache::new());
                let on = On { pdf, page: page_of(pdf, 1)?, sheet: &sheet, cache: &cache, reading: &reading };
                self.draw_on(&on, fonts, theirs, pyramid, thumbnail)
            }
            None => {
                let (pdf, cache, reading) = (self.pdf, &self.cache, &self.reading);
                self.draw_on(&On { pdf, page, sheet: &sheet, cache, reading }, fonts, theirs, pyramid, thumbnail)
            }
        };
        facts.map(|facts| PageFacts {
            links,
            notes: [
                damage.notes(self.pdf, page, &self.known, self.limits),
                notes,
                facts.notes,
                left_out.notes().collect(),
            ]
            .concat(),
            ..facts
        })
    }

    /// Whether the page is drawn here; if another program is to draw it that is no fault. Says what is drawn wrongly here.
    fn or_elsewhere(&self, by: &By, wanted: Wanted, document: Option<&[u8]>) -> Result<Vec<String>, Page> {
        let needs = &wanted.needs;
        let is_wanted = !needs.is_empty() || self.drawing.others == Others::Always;
        let why = match (by, document) {
            (By::Raster(_), _) => return Ok(Vec::new()),
            (By::Us(Some(why)), _) => why.clone(),
            _ if !is_wanted => return Ok(Vec::new()),
            (By::Us(None), _) if self.drawing.others == Others::Never => "media.poppler is \"never\"".to_owned(),
            (By::Us(None), _) if self.drawing.alpha => "other programs draw no transparent pages".to_owned(),
            (By::Us(None), None) => {
                "it refers to too much for a document of its own, which another program would need".to_owned()
            }
            (By::Us(None), Some(document)) => {
                return Err(Page::Elsewhere { wanted, document: document.to_vec() });
            }
        };
        if needs.is_empty() {
            return Ok(vec![format!("it is drawn without pdftoppm: {why}")]);
        }
        Ok(needs.iter().map(|need| format!("{}: {why}", need.drawn_here())).collect())
    }

    /// Makes what is made of a page that another program has drawn, or that is drawn now.
    fn draw_on<'p>(
        &self,
        on: &On<'_, 'p>,
        fonts: NotEmbedded,
        theirs: Option<Vec<u8>>,
        pyramid: &mut File,
        thumbnail: &mut File,
    ) -> Result<PageFacts, Page> {
        let On { pdf, page, sheet, cache, reading } = *on;
        let is_ours = theirs.is_none();
        let rows = match theirs {
            Some(pixels) => PageRows::of_raster(pixels, sheet, self.drawing),
            None => {
                let lighter =
                    photographs::lightened(pdf, page, sheet, reading, &self.settings, self.limits, &self.known);
                PageRows::new(
                    match &lighter {
                        Some(lighter) => self.pixels(page_of(lighter, 1)?, &RenderCache::new(), sheet),
                        None => self.pixels(page, cache, sheet),
                    },
                    self.drawing,
                )
            }
        };
        let layout = rows.layout;
        let (pyramid, thumbnail) = self.derive(rows, pyramid, thumbnail)?;
        let PyramidInfo { has_alpha, .. } = pyramid;
        let ThumbnailInfo { width, height, .. } = thumbnail;
        let NotEmbedded { names: not_embedded, may_lack, by_glyphs } = fonts;
        // So may those of appearances that were made.
        let may_lack = may_lack || !std::ptr::eq(pdf, self.pdf);
        let is_read = self.drawing.words || may_lack;
        let read = if is_read { words::read(page, sheet, reading, &self.settings) } else { Read::default() };
        let mut notes = std::mem::take(&mut *self.warnings.lock().unwrap_or_else(PoisonError::into_inner));
        if read.missing > 0 && may_lack {
            let (letters, may) = match read.missing {
                1 => ("1 letter".to_owned(), if is_ours { "is" } else { "may be" }),
                count => (format!("{count} letters"), if is_ours { "are" } else { "may be" }),
            };
            notes.push(format!("{letters} {may} left out: no font that was found has them"));
        }
        notes.extend(by_glyphs.into_iter().map(|font| {
            format!(
                "letters of {font} may be wrong: it is not embedded, and they are said by the numbers of its own glyphs"
            )
        }));
        notes.extend(
            self.fonts
                .lacking()
                .into_iter()
                .map(|script| format!("no font for {script} is installed: its letters are missing")),
        );
        let stand_ins = match (not_embedded.is_empty(), is_ours) {
            (true, _) => BTreeSet::new(),
            (false, true) => self.fonts.taken(),
            (false, false) => ["what another program has found".to_owned()].into(),
        };
        Ok(PageFacts {
            width: sheet.width.into(),
            height: sheet.height.into(),
            is_gray: matches!(layout, Layout::Gray),
            has_alpha,
            thumbnail: (width, height),
            words: if self.drawing.words { read.words } else { Vec::new() },
            links: Vec::new(),
            notes,
            fonts: Fonts { not_embedded, stand_ins },
        })
    }

    fn pixels<'p>(&self, page: &'p PdfPage<'p>, cache: &RenderCache<'p>, sheet: &Sheet) -> Pixmap {
        let mut context = RenderContext::new(sheet.width, sheet.height);
        let settings = RenderSettings { hinting: false, ..RenderSettings::default() };
        render_into(page, cache, &self.settings, &settings, &mut context, sheet.to_pixels);
        context.flush();
        let mut pixmap = Pixmap::new(sheet.width, sheet.height);
        let background = if self.drawing.alpha { TRANSPARENT } else { WHITE };
        let settings = RasterizerSettings { target_init: TargetInit::Clear(background), ..Default::default() };
        context.render_with(&mut pixmap, &mut Resources::default(), settings);
        pixmap
    }

    fn derive(
        &self,
        rows: PageRows,
        pyramid: &mut File,
        thumbnail: &mut File,
    ) -> Result<(PyramidInfo, ThumbnailInfo), MediaError> {
        let opaque = rows.is_opaque;
        let resolution = Resolution::new(self.drawing.resolution, self.drawing.resolution);
        let options = &self.drawing.options;
        let rendering = Rendering::new(Format::Pdf, Box::new(rows), opaque, None, options).with_resolution(resolution);
        derive(rendering, pyramid, thumbnail, options, &|| false)
    }
}

fn page_of(pdf: &Pdf, number: u32) -> Result<&PdfPage<'_>, Page> {
    pdf.pages().get(number as usize - 1).ok_or_else(|| Page::Undrawn(Undrawn::Other("it is not there".into())))
}

fn note(notes: &Mutex<Vec<String>>, warning: InterpreterWarning) {
    let said = match warning {
        // Also of what shows nothing in its state, as a button that is off (12.5.5); the rest is told by what is prepared.
        InterpreterWarning::UnresolvedAnnotationAppearance => return,
        InterpreterWarning::UnsupportedFont => "a font cannot be read",
        InterpreterWarning::ImageDecodeFailure => "a picture cannot be read",
        _ => "something cannot be drawn",
    };
    let mut notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
    if !notes.iter().any(|note| note == said) {
        notes.push(said.to_owned());
    }
}

/// What is shown of a page: where its boxes have no area in common, all of it, and where it has none itself, a letter.
pub fn shown(page: &PdfPage<'_>) -> PdfRect {
    const LETTER: PdfRect = PdfRect::new(0.0, 0.0, 612.0, 792.0);
    [page.intersected_crop_box(), page.media_box()].into_iter().find(has_area).unwrap_or(LETTER)
}

fn has_area(rect: &PdfRect) -> bool {
    // Of a point, as hayro has it.
    const LEAST: f64 = 1.0 / 4096.0;
    rect.width() > LEAST && rect.height() > LEAST && rect.width().is_finite() && rect.height().is_finite()
}

/// How many points a unit of the page has (ISO 32000-2, table 31).
fn user_unit(page: &PdfPage<'_>) -> f64 {
    let unit = page.raw().get::<f32>(keys::USER_UNIT).map_or(1.0, f64::from);
    if unit.is_finite() && unit > 0.0 { unit } else { 1.0 }
}

/// Four as drawn, and half of it again for what drawing and tiles take.
const BYTES_A_PIXEL: u64 = 6;

/// Of a page, whatever the configuration allows.
const LONGEST_SIDE: u16 = u16::MAX;

/// Why a page that has this size in pixels is not drawn at this resolution, and at which it would be.
fn too_large((width, height): (f64, f64), resolution: f64, limits: &Limits) -> String {
    let (wide, high) = (whole(width), whole(height));
    let (side, pixels) = (wide.max(high) as f64, wide as f64 * high as f64);
    let needed = pixels * BYTES_A_PIXEL as f64;
    let bounds = [
        ((limits.max_pixels as f64 / pixels).sqrt(), format!("{} pixels (media.max_pixels)", limits.max_pixels)),
        (
            f64::from(limits.max_side) / side,
            format!("{} pixels a side (media.max_side, of which pages have {LONGEST_SIDE} at most)", limits.max_side),
        ),
        (
            (limits.max_memory as f64 / needed).sqrt(),
            format!(
                "{} MiB of memory (media.memory), where it takes {} MiB",
                mebibytes(limits.max_memory as f64),
                mebibytes(needed)
            ),
        ),
    ];
    let (fraction, bound) = bounds.into_iter().min_by(|(one, _), (other, _)| one.total_cmp(other)).unwrap_or_default();
    let would_do = |other: f64| fits(whole(width * other / resolution), whole(height * other / resolution), limits);
    let most = (resolution * fraction).floor();
    // Sides are rounded, each for itself.
    let most = [most, most - 1.0, most - 2.0].into_iter().find(|most| *most >= 1.0 && would_do(*most));
    let most = most.map_or_else(String::new, |most| format!("; a resolution of up to {most} would do"));
    format!("at a resolution of {resolution} it has {wide} x {high} pixels, and may have at most {bound}{most}")
}

/// Pixels of a side.
fn whole(pixels: f64) -> u64 {
    pixels.round().max(1.0) as u64
}

fn fits(wide: u64, high: u64, limits: &Limits) -> bool {
    limits.check_size(wide, high).and_then(|()| limits.check_memory(needed(wide, high))).is_ok()
}

fn needed(wide: u64, high: u64) -> u64 {
    wide.saturating_mul(high).saturating_mul(BYTES_A_PIXEL)
}

fn mebibytes(bytes: f64) -> u64 {
    (bytes / f64::from(1 << 20)).ceil() as u64
}

/// A page to be drawn, and what is kept of its document.
#[derive(Clone, Copy)]
struct On<'o, 'p> {
    pdf: &'p Pdf,
    page: &'p PdfPage<'p>,
    sheet: &'o Sheet,
    cache: &'o RenderCache<'p>,
    reading: &'o InterpreterCache<'p>,
}

/// The picture that a page becomes.
pub struct Sheet {
    pub width: u16,
    pub height: u16,
    /// From the page's own coordinates, whose origin is at the lower left.
    pub to_pixels: Affine,
}

impl Sheet {
    fn of(page: &PdfPage<'_>, resolution: f64, limits: &Limits, all_memory: u64) -> Result<Self, Page> {
        let shown = shown(page);
        let (across, up) = (shown.width().max(1.0), shown.height().max(1.0));
        let (width, height) = match page.rotation() {
            Rotation::None | Rotation::Flipped => (across, up),
            Rotation::Horizontal | Rotation::FlippedHorizontal => (up, across),
        };
        let scale = resolution / POINTS_PER_INCH * user_unit(page);
        let (wide, high) = (whole(width * scale), whole(height * scale));
        let limits = &Limits { max_side: limits.max_side.min(LONGEST_SIDE.into()), ..limits.clone() };
        let all = &Limits { max_memory: all_memory.max(limits.max_memory), ..limits.clone() };
        let why = || too_large((width * scale, height * scale), resolution, all);
        let too_large = || Page::Undrawn(Undrawn::Other(why()));
        if !fits(wide, high, all) {
            return Err(too_large());
        }
        limits.check_memory(needed(wide, high)).map_err(|_| Page::Undrawn(Undrawn::Memory(why())))?;
        let side = |pixels: u64| u16::try_from(pixels).map_err(|_| too_large());
        let fit = Affine::scale_non_uniform(wide as f64 / width, high as f64 / height);
        let turned = Affine::new(match page.rotation() {
            Rotation::None => [1.0, 0.0, 0.0, -1.0, 0.0, up],
            Rotation::Horizontal => [0.0, 1.0, 1.0, 0.0, 0.0, 0.0],
            Rotation::Flipped => [-1.0, 0.0, 0.0, 1.0, across, 0.0],
            Rotation::FlippedHorizontal => [0.0, -1.0, -1.0, 0.0, up, across],
        });
        let upright = turned * Affine::translate((-shown.x0, -shown.y0));
        Ok(Self { width: side(wide)?, height: side(high)?, to_pixels: fit * upright })
    }

    /// Moves what is drawn by what nobody sees. hayro takes the corners of pixels for their centres, and has those on the common edge of two
    /// triangles in neither: so none lies on a whole number, nor on an edge between such, however it runs.
    fn leave_the_grid(&mut self) {
        const PIXELS: (f64, f64) = (-1e-4, -0.618e-4);
        self.to_pixels = Affine::translate(PIXELS) * self.to_pixels;
    }

    /// That of the page before it is turned.
    fn size(&self, page: &PdfPage<'_>) -> Size {
        let (shown, (width, height)) = (shown(page), self.before_turn(page.rotation()));
        let per_inch = |pixels: u16, points: f64| f64::from(pixels) / points.max(1.0) * POINTS_PER_INCH;
        Size { width, height, resolution: (per_inch(width, shown.width()), per_inch(height, shown.height())) }
    }

    pub const fn before_turn(&self, rotation: Rotation) -> (u16, u16) {
        match rotation {
            Rotation::None | Rotation::Flipped => (self.width, self.height),
            Rotation::Horizontal | Rotation::FlippedHorizontal => (self.height, self.width),
        }
    }
}

/// A drawn page as rows.
struct PageRows {
    width: u32,
    height: u32,
    /// Four samples a pixel, colours not multiplied with alpha.
    pixels: Vec<u8>,
    layout: Layout,
    is_opaque: bool,
    next: u32,
}

impl PageRows {
    fn new(pixmap: Pixmap, drawing: &Drawing) -> Self {
        let (width, height) = (pixmap.width().into(), pixmap.height().into());
        Self::of(width, height, pixmap.take_rgba8(ImageAlphaType::Alpha), drawing)
    }

    /// What another program has drawn.
    fn of_raster(pixels: Vec<u8>, sheet: &Sheet, drawing: &Drawing) -> Self {
        Self::of(sheet.width.into(), sheet.height.into(), pixels, drawing)
    }

    fn of(width: u32, height: u32, pixels: Vec<u8>, drawing: &Drawing) -> Self {
        let is_opaque = !drawing.alpha || pixels.chunks_exact(4).all(|pixel| pixel[3] == u8::MAX);
        let colourless = || pixels.chunks_exact(4).all(|pixel| pixel[0] == pixel[1] && pixel[1] == pixel[2]);
        let gray = match drawing.color {
            PageColor::Gray => true,
            PageColor::Rgb => false,
            PageColor::Auto => colourless(),
        };
        let layout = match (gray, is_opaque) {
            (true, true) => Layout::Gray,
            (true, false) => Layout::GrayAlpha,
            (false, true) => Layout::Rgb,
            (false, false) => Layout::Rgba,
        };
        Self { width, height, pixels, layout, is_opaque, next: 0 }
    }
}

impl Rows for PageRows {
    fn width(&self) -> u32 {
        self.width
    }

    fn height(&self) -> u32 {
        self.height
    }

    fn layout(&self) -> Layout {
        self.layout
    }

    fn read(&mut self, most: u32) -> Result<Cow<'_, [u8]>, MediaError> {
        let start = self.next;
        self.next = start.saturating_add(most).min(self.height);
        let stride = self.width as usize * 4;
        let rows = &self.pixels[start as usize * stride..self.next as usize * stride];
        let pixels = rows.as_chunks::<4>().0;
        Ok(match self.layout {
            Layout::Rgba | Layout::Cmyk | Layout::CmykAlpha => rows.into(),
            Layout::Rgb => gathered(pixels, |[red, green, blue, _]| [red, green, blue]),
            Layout::Gray => gathered(pixels, |pixel| [brightness(pixel)]),
            Layout::GrayAlpha => gathered(pixels, |pixel| [brightness(pixel), pixel[3]]),
        })
    }
}

/// The samples of each pixel that are wanted, side by side.
fn gathered<const N: usize>(pixels: &[[u8; 4]], wanted: impl Fn([u8; 4]) -> [u8; N]) -> Cow<'static, [u8]> {
    let mut samples = vec![0; pixels.len() * N]; // bounded: by the pixels there are
    for (to, from) in samples.as_chunks_mut::<N>().0.iter_mut().zip(pixels) {
        *to = wanted(*from);
    }
    samples.into()
}

/// As PDF makes gray of RGB.
fn brightness(pixel: [u8; 4]) -> u8 {
    let [red, green, blue] = [0, 1, 2].map(|at| u32::from(pixel[at]));
    ((red * 30 + green * 59 + blue * 11 + 50) / 100) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_is_too_large_says_at_which_resolution_it_is_not() {
        let limits = Limits { max_memory: 256 << 20, ..Limits::default() };
        let (wide, high) = (7016, 9933);
        let why = too_large((7016.0, 9933.0), 300.0, &limits);
        assert_eq!(
            why,
            "at a resolution of 300 it has 7016 x 9933 pixels, and may have at most 256 MiB of memory (media.memory), \
             where it takes 399 MiB; a resolution of up to 240 would do"
        );
        let at = |resolution: u64| (wide * resolution / 300) * (high * resolution / 300) * BYTES_A_PIXEL;
        assert!(at(240) <= limits.max_memory && at(241) > limits.max_memory);

        let few = Limits { max_pixels: 1_000_000, ..Limits::default() };
        let why = too_large((2000.0, 2000.0), 100.0, &few);
        assert!(why.ends_with("at most 1000000 pixels (media.max_pixels); a resolution of up to 50 would do"), "{why}");
        let short = Limits { max_side: 1_000, ..Limits::default() };
        let why = too_large((2000.0, 10.0), 0.9, &short);
        assert!(
            why.ends_with("at most 1000 pixels a side (media.max_side, of which pages have 65535 at most)"),
            "{why}"
        );
    }
}
