//! PDF: its pages as pyramids, with their words and links.
//!
//! Pages are drawn by child processes of our own ([`child`](super::child)), some pages each: whatever a hostile page does to memory,
//! time or stack ends one child, costs that one page, and the next child goes on behind it. A child opens the file once and
//! writes, for each page, the pyramid, the thumbnail and what it read into its folder, and then a line that says so.
//!
//! Before a page is drawn, it is made a document of its own that hayro draws right ([`prepare`]): annotations get the
//! appearances that they lack, and groups are opened that mean the same without. What would come out wrong even so is drawn by
//! another program, where one is installed that draws it right ([`elsewhere`]).
//!
//! Colours: PDF's own spaces, ICC profiles among them, become sRGB as they are drawn. There is no CMYK pyramid, so no page is
//! drawn in CMYK.

mod address;
mod annotations;
mod appearance;
mod draw;
mod elsewhere;
mod excerpt;
mod fonts;
mod groups;
mod information;
mod links;
mod name_tree;
mod opening;
mod parts;
mod photographs;
mod places;
mod portfolio;
mod prepare;
mod raster;
mod source;
mod stretches;
mod tree;
mod words;
mod work;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::child::{ChildError, Folder, Launcher, Limits as ChildLimits, Tool};
use super::decode::Cancel;
use super::limits::Limits;
use super::metadata::{LeftOut, Metadata};
use super::options::Options;
pub use annotations::Annotations;
pub use tree::TreeFaults;
pub(crate) use work::{NAME, work};

/// What colours a page's picture has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PageColor {
    /// Gray where a page has no other colours.
    Auto,
    Rgb,
    Gray,
}

/// How pages are drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Drawing {
    /// Pixels per inch.
    pub resolution: f64,
    pub color: PageColor,
    /// What the page leaves free stays transparent; it is white otherwise.
    pub alpha: bool,
    pub words: bool,
    pub links: bool,
    pub annotations: Annotations,
    pub others: Others,
    #[serde(with = "carried")]
    pub options: Options,
}

/// Whether pages are drawn by other programs (pdftoppm, Ghostscript).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Others {
    Never,
    /// Those that come out wrong otherwise.
    #[default]
    Needed,
    Always,
}

/// What a page has that hayro draws wrongly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Need {
    /// A group that is not isolated is put on the page with an alpha, a blend mode or a mask, and has something in it that is blended
    /// with what lies behind the group (ISO 32000-2, 11.4.5).
    Backdrop,
    /// Objects of a group do not show through each other (11.4.6).
    Knockout,
    /// The luminosity of a group that names no colour space is a mask (11.5.3).
    SoftMask,
    /// Something in a tiling pattern is blended with what lies behind the pattern (11.6.7).
    Pattern,
    /// Colours of devices are to be taken for those of a space that the page names (8.6.5.6).
    DefaultSpace,
}

impl Need {
    /// What is wrong where it is drawn here after all.
    const fn drawn_here(self) -> &'static str {
        match self {
            Self::Backdrop => "a transparency group is drawn as an isolated one, which it is not",
            Self::Knockout => "a knockout group is drawn as one that is none",
            Self::SoftMask => "a soft mask is not applied",
            Self::Pattern => "a pattern is drawn as an isolated transparency group, which it is not",
            Self::DefaultSpace => {
                "the default colour spaces of the page (DefaultGray, DefaultRGB, DefaultCMYK) are not applied"
            }
        }
    }
}

/// The size of a page's picture in pixels, and pixels per inch of the page.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Size {
    width: u16,
    height: u16,
    resolution: (f64, f64),
}

/// What another program is to draw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Wanted {
    needs: Vec<Need>,
    size: Size,
    /// Its fonts are embedded, or have no letters but those that every program has.
    has_plain_fonts: bool,
}

/// Who draws a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum By {
    /// We do, for this reason whatever it needs, if there is one.
    Us(Option<String>),
    /// Another program has, into this file.
    Raster(PathBuf),
}

/// What of the options for pictures means something for pages, on its way to the child.
mod carried {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::super::options::{Chroma, Options};

    #[derive(Serialize, Deserialize)]
    struct Carried {
        tile: u32,
        quality: u8,
        chroma: Chroma,
        lossless: bool,
        thumbnail_side: u32,
        thumbnail_quality: u8,
    }

    pub fn serialize<S: Serializer>(options: &Options, serializer: S) -> Result<S::Ok, S::Error> {
        let Options { tile, quality, chroma, lossless, thumbnail_side, thumbnail_quality, .. } = *options;
        Carried { tile, quality, chroma, lossless, thumbnail_side, thumbnail_quality }.serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Options, D::Error> {
        let Carried { tile, quality, chroma, lossless, thumbnail_side, thumbnail_quality } =
            Carried::deserialize(deserializer)?;
        Ok(Options { tile, quality, chroma, lossless, thumbnail_side, thumbnail_quality, ..Options::default() })
    }
}

/// What pages may cost.
#[derive(Debug, Clone, PartialEq)]
pub struct PageLimits {
    pub picture: Limits,
    /// Bytes that a page may take which is given all of the memory.
    pub all_memory: u64,
    /// For one page.
    pub time: Duration,
}

/// A rectangle of a page's picture, in pixels from its upper left corner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PixelBox {
    pub x: u32,
    pub y: u32,
    pub width: u32,
    pub height: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    pub text: String,
    #[serde(flatten)]
    pub place: PixelBox,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LinkTarget {
    /// Of the web, or relative to where the page is shown; percent-encoded.
    Address(String),
    /// A page of the same file, from 1.
    Page(u32),
    /// A file that lies with the document, by its relative address, and the page of it.
    File { name: String, page: Option<u32> },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    pub to: LinkTarget,
    #[serde(flatten)]
    pub place: PixelBox,
}

/// The fonts of a document that are not embedded, and the families that stand in, each with the font that it stands in for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Fonts {
    pub not_embedded: BTreeSet<String>,
    pub stand_ins: BTreeSet<String>,
}

impl Fonts {
    pub fn merge(&mut self, other: &Self) {
        self.not_embedded.extend(other.not_embedded.iter().cloned());
        self.stand_ins.extend(other.stand_ins.iter().cloned());
    }
}

/// What is known of a page that has been drawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageFacts {
    pub width: u32,
    pub height: u32,
    pub is_gray: bool,
    pub has_alpha: bool,
    /// The size of the thumbnail.
    pub thumbnail: (u32, u32),
    pub words: Vec<Word>,
    pub links: Vec<Link>,
    /// What could not be drawn as it should be.
    pub notes: Vec<String>,
    pub fonts: Fonts,
}

/// A page and its files, which are gone when the call that handed it out is over.
#[derive(Debug)]
pub struct DrawnPage {
    pub facts: PageFacts,
    pub pyramid: PathBuf,
    pub thumbnail: PathBuf,
}

/// Why a page has no picture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum Undrawn {
    /// It is too large for the memory that it was given, and not for all that there is.
    #[error("{0}")]
    Memory(String),
    #[error("{0}")]
    Other(String),
}

impl From<String> for Undrawn {
    fn from(why: String) -> Self {
        Self::Other(why)
    }
}

impl Undrawn {
    pub fn nothing_said() -> Self {
        Self::Other("the program that draws it ended without a word".to_owned())
    }
}

/// Bytes of the largest file whose pages are drawn with so much memory.
pub const fn largest_file(memory: u64) -> u64 {
    memory / 2
}

/// Why a file has no pages to draw.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum PdfError {
    #[error("it is encrypted with a password: save it without one, and upload it again")]
    Encrypted,
    #[error("it is encrypted in a way that cannot be read")]
    UnknownEncryption,
    #[error("no pages can be found in it")]
    Damaged,
    #[error("it has no pages")]
    NoPages,
    #[error("it has {bytes} bytes; files of at most {limit} are drawn")]
    TooLarge { bytes: u64, limit: u64 },
}

/// Why nothing is known of the pages.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Pdf(PdfError),
    #[error(transparent)]
    Child(#[from] ChildError),
}

/// What a document says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Information {
    /// Of its information dictionary: `Title` and so on, with dates as XMP writes them.
    pub entries: Vec<(String, String)>,
    /// Its XMP packet.
    pub xmp: Option<String>,
}

/// What the child is told.
#[derive(Debug, Serialize, Deserialize)]
struct Orders {
    path: PathBuf,
    max_pixels: u64,
    max_side: u32,
    max_memory: u64,
    all_memory: u64,
    task: Task,
}

#[derive(Debug, Serialize, Deserialize)]
enum Task {
    Count,
    Inform,
    Draw(Box<PageOrders>),
}

#[derive(Debug, Serialize, Deserialize)]
struct PageOrders {
    /// From 1.
    first: u32,
    last: u32,
    milliseconds: u64,
    drawing: Drawing,
    by: By,
}

/// What the child says, a line each.
#[derive(Debug, Serialize, Deserialize)]
enum Said {
    Pages(PageCount),
    /// What it says about itself is in the file for that.
    Informed,
    Unreadable(PdfError),
    /// The page's files are there.
    Drawn(u32),
    /// The document is there for another program to draw it.
    Elsewhere(u32, Wanted),
    Failed(u32, Undrawn),
}

/// The files of a page in the child's folder.
struct PageFiles {
    pyramid: PathBuf,
    thumbnail: PathBuf,
    facts: PathBuf,
    /// For another program.
    document: PathBuf,
}

impl PageFiles {
    fn of(folder: &Path, page: u32) -> Self {
        let named = |ending| folder.join(format!("{page}.{ending}"));
        Self { pyramid: named("tif"), thumbnail: named("jpg"), facts: named("json"), document: named("pdf") }
    }
}

/// Pages that one child draws: enough to make little of what its start costs, few enough for what it writes ahead of
/// whoever takes the pages to stay small.
const AT_ONCE: u32 = 16;

/// Address space for the program itself and its threads, beside what pages may take.
const PROGRAM: u64 = 512 << 20;

/// The pages of a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageCount {
    /// Those that can be found.
    pub found: u32,
    /// How many more the file says that it has.
    pub missing: u32,
    /// Why those that are found may be others than the file's.
    pub faults: TreeFaults,
    /// The table of its objects leads astray: they were looked for.
    pub by_search: bool,
    /// Files that it shows as a portfolio, whose pages only say that it is one.
    pub portfolio: u32,
}

impl PageCount {
    /// Why there is nothing to draw, where nothing is found.
    pub const fn nothing(&self) -> PdfError {
        if self.missing > 0 || !self.faults.is_sound() { PdfError::Damaged } else { PdfError::NoPages }
    }
}

/// Counts the pages of the file at `path`, an absolute path.
pub fn count_pages(
    launcher: &Launcher,
    path: &Path,
    limits: &PageLimits,
    cancel: Cancel<'_>,
) -> Result<PageCount, OpenError> {
    let folder = launcher.folder()?;
    let mut counted = Ok(PageCount::default());
    let mut hear = |said| match said {
        Said::Pages(count) => counted = Ok(count),
        Said::Unreadable(why) => counted = Err(OpenError::Pdf(why)),
        Said::Informed | Said::Drawn(_) | Said::Elsewhere(..) | Said::Failed(..) => {}
    };
    start(launcher, &folder, path, Task::Count, limits, cancel, &mut hear)?;
    match counted? {
        count @ PageCount { found: 0, .. } => Err(OpenError::Pdf(count.nothing())),
        count => Ok(count),
    }
}

/// The file in the child's folder that says what the document says about itself.
const INFORMATION: &str = "information.json";

/// What a document says about itself, and its pages or why it cannot be read, as far as that is known.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Told {
    pub metadata: Metadata,
    pub pages: Option<Result<PageCount, PdfError>>,
}

/// Reads what the file at `path`, an absolute path, says about itself. A file that cannot be read says nothing; one that is damaged
/// so that nothing can be found in it is an error.
pub fn information(
    launcher: &Launcher,
    path: &Path,
    limits: &PageLimits,
    cancel: Cancel<'_>,
) -> Result<Told, OpenError> {
    let folder = launcher.folder()?;
    let (mut is_there, mut is_damaged, mut is_unread, mut pages) = (false, false, false, None);
    let mut hear = |said| match said {
        Said::Pages(count) => pages = Some(Ok(count)),
        Said::Informed => is_there = true,
        Said::Unreadable(PdfError::Damaged) => is_damaged = true,
        Said::Unreadable(why @ PdfError::TooLarge { .. }) => {
            (is_unread, pages) = (true, Some(Err(why)));
        }
        Said::Unreadable(why) => pages = Some(Err(why)),
        Said::Drawn(_) | Said::Elsewhere(..) | Said::Failed(..) => {}
    };
    let nothing = || Metadata { left_out: [LeftOut::All].into(), ..Metadata::default() };
    let metadata = match start(launcher, &folder, path, Task::Inform, limits, cancel, &mut hear) {
        Err(error) if !is_its_own_fault(&error) => return Err(error.into()),
        _ if is_damaged => return Err(OpenError::Pdf(PdfError::Damaged)),
        Ok(()) if !is_there && !is_unread => Metadata::default(),
        Ok(()) => read_json(&folder.path().join(INFORMATION)).unwrap_or_else(nothing),
        Err(_) => nothing(),
    };
    Ok(Told { metadata, pages })
}

/// Draws pages `first` to `last`, and hands each out in turn: the page, or why it cannot be drawn. Who takes them may break off.
pub fn draw_pages<E: From<ChildError>>(
    launcher: &Launcher,
    path: &Path,
    (first, last): (u32, u32),
    drawing: &Drawing,
    limits: &PageLimits,
    cancel: Cancel<'_>,
    take: &mut dyn FnMut(u32, Result<DrawnPage, Undrawn>) -> Result<ControlFlow<()>, E>,
) -> Result<(), E> {
    let mut next = first;
    while next <= last {
        let end = last.min(next.saturating_add(AT_ONCE - 1));
        match draw_some(launcher, path, (next, end), drawing, limits, cancel, take)? {
            ControlFlow::Continue(behind) => next = behind,
            ControlFlow::Break(()) => break,
        }
    }
    Ok(())
}

/// Draws some pages with one child, and says where to go on.
fn draw_some<E: From<ChildError>>(
    launcher: &Launcher,
    path: &Path,
    (first, last): (u32, u32),
    drawing: &Drawing,
    limits: &PageLimits,
    cancel: Cancel<'_>,
    take: &mut dyn FnMut(u32, Result<DrawnPage, Undrawn>) -> Result<ControlFlow<()>, E>,
) -> Result<ControlFlow<(), u32>, E> {
    let folder = launcher.folder()?;
    let orders = page_orders((first, last), drawing, limits, By::Us(None));
    let mut next = first;
    let mut taken = Ok(ControlFlow::Continue(()));
    // Nobody takes any more.
    let is_over = Cell::new(false);
    let cancel = &|| is_over.get() || cancel();
    let mut hear = |said| {
        // What another program draws has a folder of its own.
        let mut there = None;
        let (page, outcome) = match said {
            Said::Drawn(page) => (page, Ok(collect(&folder, page))),
            Said::Elsewhere(page, wanted) if page == next && !is_over.get() => {
                let job = elsewhere::Job {
                    launcher,
                    path,
                    document: PageFiles::of(folder.path(), page).document,
                    page,
                    wanted,
                };
                (page, elsewhere::draw(&job, drawing, limits, cancel, &mut there))
            }
            Said::Failed(page, why) => (page, Ok(Err(why))),
            Said::Unreadable(why) => (next, Ok(Err(why.to_string().into()))),
            Said::Pages(_) | Said::Informed | Said::Elsewhere(..) => return,
        };
        // A child that was killed and begins once more repeats what was taken.
        if page == next && !is_over.get() {
            next += 1;
            taken = outcome.map_err(E::from).and_then(|outcome| take(page, outcome));
            is_over.set(!matches!(taken, Ok(ControlFlow::Continue(()))));
            discard(&folder, page);
        }
    };
    let ended = start(launcher, &folder, path, Task::Draw(Box::new(orders)), limits, cancel, &mut hear);
    if taken?.is_break() {
        return Ok(ControlFlow::Break(()));
    }
    let without = match ended {
        // The page it was at is the one that ended it.
        Err(error) if next <= last && is_its_own_fault(&error) => error.to_string().into(),
        Err(error) if next <= last => return Err(error.into()),
        // Another child would do the same: the page is the one that it said nothing of.
        Ok(()) if next == first => Undrawn::nothing_said(),
        _ => return Ok(ControlFlow::Continue(next)),
    };
    Ok(match take(next, Err(without))? {
        ControlFlow::Continue(()) => ControlFlow::Continue(next + 1),
        ControlFlow::Break(()) => ControlFlow::Break(()),
    })
}

fn page_orders((first, last): (u32, u32), drawing: &Drawing, limits: &PageLimits, by: By) -> PageOrders {
    let milliseconds = u64::try_from(limits.time.as_millis()).unwrap_or(u64::MAX);
    PageOrders { first, last, milliseconds, drawing: drawing.clone(), by }
}

fn is_its_own_fault(error: &ChildError) -> bool {
    !matches!(error, ChildError::Cancelled { .. } | ChildError::Io { .. } | ChildError::Missing { .. })
}

fn start(
    launcher: &Launcher,
    folder: &Folder,
    path: &Path,
    task: Task,
    limits: &PageLimits,
    cancel: Cancel<'_>,
    hear: &mut dyn FnMut(Said),
) -> Result<(), ChildError> {
    let count = match &task {
        Task::Count | Task::Inform => 1,
        Task::Draw(pages) => pages.last - pages.first + 1,
    };
    // The child keeps to the time of a page itself; this is for a child that does not. It may have to wait for other programs.
    let wall = limits.time * (2 * count + 1);
    let Limits { max_pixels, max_side, max_memory, .. } = limits.picture;
    let orders =
        Orders { path: path.to_owned(), max_pixels, max_side, max_memory, all_memory: limits.all_memory, task };
    let told = serde_json::to_vec(&orders).map_err(|error| ChildError::doing("write orders")(error.into()))?;
    fs::write(folder.path().join(work::ORDERS), told).map_err(ChildError::doing("write orders for drawing pages"))?;
    let limits =
        ChildLimits { wall, cpu: wall * 4, memory: max_memory.saturating_add(PROGRAM), file: 4 << 30, output: 1 << 20 };
    let mut tool = Tool::own(NAME, limits).reads(path);
    if let Task::Draw(pages) = &orders.task
        && let By::Raster(raster) = &pages.by
    {
        tool = tool.reads(raster);
    }
    let mut on_line = |line: &str| {
        if let Ok(said) = serde_json::from_str(line) {
            hear(said);
        }
    };
    launcher.run_with_lines(tool, folder, cancel, &mut on_line).map(drop)
}

/// What a child wrote about a page.
fn collect(folder: &Folder, page: u32) -> Result<DrawnPage, Undrawn> {
    let PageFiles { pyramid, thumbnail, facts, .. } = PageFiles::of(folder.path(), page);
    let facts = if is_plain(&pyramid) && is_plain(&thumbnail) { read_json(&facts) } else { None };
    let facts = facts.ok_or_else(|| Undrawn::Other("what was drawn of it cannot be read".to_owned()))?;
    Ok(DrawnPage { facts, pyramid, thumbnail })
}

fn is_plain(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|facts| facts.is_file())
}

/// What a child wrote. It is ours, but it has been with hostile bytes.
fn read_json<T: DeserializeOwned>(path: &Path) -> Option<T> {
    const MOST: u64 = 64 << 20;
    let is_sound = is_plain(path) && fs::metadata(path).ok()?.len() <= MOST;
    is_sound.then(|| serde_json::from_slice(&fs::read(path).ok()?).ok())? // bounded: by MOST
}

fn discard(folder: &Folder, page: u32) {
    let PageFiles { pyramid, thumbnail, facts, document } = PageFiles::of(folder.path(), page);
    for path in [pyramid, thumbnail, facts, document] {
        // Whatever is left goes with the folder.
        let _ = fs::remove_file(path);
    }
}
