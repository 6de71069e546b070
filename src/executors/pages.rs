//! The pages of PDF, PostScript and Illustrator files, which become assets.
//!
//! | item | what it commits |
//! |---|---|
//! | `parts` | how many items follow |
//! | `page:3` | the page: its asset, its pyramid and thumbnail, its words and links |
//! | `pages` | pages that the file no longer has go to the trash |
//! | `catalog` | the eCatalog of the pages, or none |
//! | `thumbnail` | the first page in small, for the document |
//! | `end` | nothing more: a later attempt need not look at the file |
//!
//! Some pages are drawn at a time, and each is an item of its own. The master of a page is the document: pages can be
//! drawn from it again at any time, and cost no file of their own.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use futures_util::{StreamExt, stream};
use serde::Deserialize;
use serde_json::{Value, json};

use super::pictures::{self, Unmade};
use super::process::{self, Parent, Processing};
use super::recipe;
use super::settings::Room;
use super::{Bytes, Context, Failure, Workshop, reason};
use crate::assets::blobs::{Blob, BlobError, Draft};
use crate::media::child::{ChildError, Folder};
use crate::media::pdf::{
    self, Drawing, DrawnPage, Fonts, LinkTarget, OpenError, PageColor, PageCount, PageFacts, PixelBox, TreeFaults,
    Undrawn,
};
use crate::media::postscript;
use crate::media::{self, Format};
use crate::model::asset::{AssetType, DerivedRole, PictureFacts};
use crate::model::id::AssetId;
use crate::model::job::{PageColorspace, PageProcess, ProcessingOptions};
use crate::model::log::{FileType, LogLine, LogType, Message};
use crate::model::making::Making;
use crate::model::name::FileName;
use crate::model::outcome::Counters;
use crate::store::assets::derived::Derived;
use crate::store::assets::ingest::Master;
use crate::store::assets::marking::Marking;
use crate::store::assets::pages::{Area, PageLink, PageText, PageWord};
use crate::store::assets::parts::Part;
use crate::store::assets::sets::{Member, NewSet};
use crate::store::effect::{Applied, Effect};
use crate::store::jobs::attempt::ItemReport;

/// Pages that are drawn between two commits: few enough for little to be drawn again after a crash.
const AT_ONCE: u32 = 8;

/// Items beside those of pages: `thumbnail`, `pages`, `catalog` and `end`.
const ITEMS_BESIDE: u32 = 4;

/// What pages are drawn at when an order does not say.
pub const DEFAULT_RESOLUTION: f64 = 150.0;

/// What the options ask of a document.
#[derive(Debug, Clone, PartialEq)]
struct Plan {
    process: PageProcess,
    resolution: f64,
    colorspace: PageColorspace,
    alpha: bool,
    catalog: bool,
    words: bool,
    links: bool,
}

impl Plan {
    /// Nothing is made of a document for which an order has no options; options without a process mean Rasterize.
    fn of(format: Format, options: &ProcessingOptions) -> Option<Self> {
        let plan = |process: Option<PageProcess>, resolution: Option<f64>, colorspace: Option<PageColorspace>| Self {
            process: process.unwrap_or(PageProcess::Rasterize),
            resolution: resolution.unwrap_or(DEFAULT_RESOLUTION),
            colorspace: colorspace.unwrap_or(PageColorspace::Auto),
            alpha: false,
            catalog: false,
            words: false,
            links: false,
        };
        let plan = match format {
            Format::Pdf => options.pdf_options.map(|asked| Self {
                catalog: asked.pdf_catalog.unwrap_or(true),
                words: asked.extract_search_words.unwrap_or(false),
                links: asked.extract_links.unwrap_or(true),
                ..plan(asked.process, asked.resolution, asked.colorspace)
            }),
            Format::PostScript | Format::Eps => options.post_script_options.map(|asked| Self {
                alpha: asked.alpha.unwrap_or(false),
                words: asked.extract_search_words.unwrap_or(false),
                ..plan(asked.process, asked.resolution, asked.colorspace)
            }),
            Format::Illustrator => options.illustrator_options.map(|asked| Self {
                alpha: asked.alpha.unwrap_or(false),
                ..plan(asked.process, asked.resolution, asked.colorspace)
            }),
            _ => None,
        };
        plan.filter(|plan| plan.process != PageProcess::None)
    }

    fn drawing(&self, workshop: &Workshop) -> Drawing {
        Drawing {
            resolution: self.resolution,
            color: color(self.colorspace),
            alpha: self.alpha,
            words: self.words,
            links: self.links,
            annotations: workshop.settings.annotations(),
            others: workshop.settings.other_programs(),
            options: workshop.settings.picture_options(),
        }
    }
}

const fn color(colorspace: PageColorspace) -> PageColor {
    match colorspace {
        PageColorspace::Auto => PageColor::Auto,
        PageColorspace::Rgb | PageColorspace::Cmyk => PageColor::Rgb,
        PageColorspace::Gray => PageColor::Gray,
    }
}

/// What the keys of the parts begin with that the options have made of a document.
pub fn prefixes(format: Format, options: &ProcessingOptions) -> &'static [&'static str] {
    match asked(format, options) {
        Some(PageProcess::Rasterize) => &["page:", "catalog"],
        Some(PageProcess::Thumbnail | PageProcess::None) | None => &[],
    }
}

/// How pages are made of such a document, as far as the options say.
pub fn recipe(format: Format, options: &ProcessingOptions) -> String {
    Plan::of(format, options).map_or_else(String::new, |plan| {
        let Plan { process: _, resolution, colorspace, alpha, catalog: _, words, links } = plan;
        format!("{resolution} dpi, {}, alpha {alpha}, words {words}, links {links}", colorspace.as_str())
    })
}

/// What the options ask of such a document, if anything.
pub fn asked(format: Format, options: &ProcessingOptions) -> Option<PageProcess> {
    Plan::of(format, options).map(|plan| plan.process)
}

/// The option without which a file that is taken for a picture has none. A PDF is read as it is.
pub fn not_asked(format: Format, options: &ProcessingOptions) -> Option<&'static str> {
    let (option, is_there) = match format {
        Format::PostScript | Format::Eps => ("postScriptOptions", options.post_script_options.is_some()),
        Format::Illustrator => ("illustratorOptions", options.illustrator_options.is_some()),
        _ => return None,
    };
    (!is_there).then_some(option)
}

/// What is wrong with the pages of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// How many it has, and which, would have stood where it is cut off.
    CutOff {
        found: u32,
    },
    Missing {
        found: u32,
        claimed: u64,
    },
    Tree(TreeFaults),
    /// Pages that somebody took out of it, which is no fault.
    Outside(u32),
    /// Its objects are where nothing says that they are.
    BySearch,
    /// It is a folder of so many files.
    Portfolio(u32),
}

impl Problem {
    /// In a line about `file`.
    pub fn told_of(&self, file: &str) -> Message {
        self.told(file, false)
    }

    /// `keeps`: pages that cannot be found were made of it before.
    fn told(&self, file: &str, keeps: bool) -> Message {
        match *self {
            Self::CutOff { found } => {
                let code = if keeps { "pages-cut-off-kept" } else { "pages-cut-off" };
                Message::new(code).with("file", file).with("count", found)
            }
            Self::Missing { found, claimed } => {
                let code = if keeps { "pages-missing-kept" } else { "pages-missing" };
                Message::new(code).with("file", file).with("pages", claimed).with("count", found)
            }
            Self::Tree(faults) => Message::new("pages-tree").with("file", file).with("reason", reason::other(faults)),
            Self::Outside(count) => Message::new("pages-outside").with("file", file).with("count", count),
            Self::BySearch => Message::new("pages-by-search").with("file", file),
            Self::Portfolio(count) => Message::new("pages-of-portfolio").with("file", file).with("count", count),
        }
    }

    const fn log_type(&self) -> LogType {
        if matches!(self, Self::Outside(_) | Self::BySearch | Self::Portfolio(_)) {
            LogType::UploadWarning
        } else {
            LogType::PdfRipError
        }
    }
}

/// What is said of a document whose pages are not all found, or are not all that is taken for one. A line each.
pub fn problems(count: &PageCount) -> Vec<Problem> {
    let PageCount { found, missing, faults, by_search, portfolio } = *count;
    let mut problems = Vec::new();
    if portfolio > 0 {
        problems.push(Problem::Portfolio(portfolio));
    }
    if by_search {
        problems.push(Problem::BySearch);
    }
    if missing >= u32::MAX - found {
        problems.push(Problem::CutOff { found });
        return problems;
    }
    if missing > 0 {
        problems.push(Problem::Missing { found, claimed: u64::from(found) + u64::from(missing) });
    }
    // That branches lead nowhere is why pages are missing.
    let is_said = missing > 0 && TreeFaults { nowhere: 0, outside: 0, ..faults }.is_sound();
    if !faults.is_sound() && !is_said {
        problems.push(Problem::Tree(faults));
    } else if faults.outside > 0 {
        problems.push(Problem::Outside(faults.outside));
    }
    problems
}

/// What is said of fonts that a document does not bring.
fn stand_ins(Fonts { not_embedded, stand_ins }: &Fonts) -> Message {
    let list = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(", ");
    let fonts = list(not_embedded);
    if stand_ins.is_empty() {
        return Message::new("reason-fonts-built-in").with("fonts", fonts);
    }
    Message::new("reason-fonts-stand-in").with("fonts", fonts).with("instead", list(stand_ins))
}

/// Where a document itself is counted as a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// Where it was filed.
    AsFiled,
    /// With its pages, which are what the job is about.
    WithPages,
}

/// Makes what the options ask of a document that has been filed.
pub async fn make_pages(
    context: &Context,
    workshop: &Workshop,
    parent: &Parent,
    processing: &Processing,
    counted: Counted,
) -> Result<(), Failure> {
    let Some(plan) = Plan::of(parent.format, &processing.options) else { return Ok(()) };
    let done = parent.done(context).await?;
    if process::is_over(&done) {
        return Ok(());
    }
    let work = Work { context, workshop, parent, plan, marking: processing.marking, counted };
    match work.make(&done).await {
        Ok(ControlFlow::Continue(end)) => work.end(end).await,
        Ok(ControlFlow::Break(())) => Ok(()),
        Err(Unmade::Refused(why)) => work.end(work.report_of(vec![work.refused(why).await?])).await,
        Err(Unmade::Failed(failure)) => Err(failure),
    }
}

/// A document that can be drawn: the master itself, or what was made of it.
struct Document {
    path: PathBuf,
    /// Holds the file while it is needed.
    _folder: Option<Folder>,
    count: PageCount,
    /// What it takes to read it.
    room: Room,
}

/// A page whose files are in the store.
struct Stored {
    facts: PageFacts,
    pyramid: Blob,
    thumbnail: Blob,
}

struct Work<'a> {
    context: &'a Context,
    workshop: &'a Workshop,
    parent: &'a Parent,
    plan: Plan,
    marking: Marking,
    counted: Counted,
}

type Outcome = Result<Stored, Undrawn>;

type Pages = BTreeMap<u32, Option<AssetId>>;

impl Work<'_> {
    /// Gives the report of the end, or breaks off where nothing more is made of the document.
    async fn make(&self, done: &BTreeMap<String, Value>) -> Result<ControlFlow<(), ItemReport>, Unmade> {
        let document = self.open().await?;
        if self.plan.process == PageProcess::Thumbnail {
            return self.make_thumbnail(&document).await;
        }
        let items = document.count.found.saturating_add(ITEMS_BESIDE);
        if process::unless_passed(&self.parent.found_parts(self.context, items).await?).is_break() {
            return Ok(ControlFlow::Break(()));
        }
        let keys: Vec<String> = (1..=self.claimed(&document)).map(|page| format!("page:{page}")).collect();
        let (mut pages, mut fonts) = (pages_of(done), fonts_of(done));
        let mut is_drawn = done.values().any(|result| result.get(FONTS).is_some());
        let missing: Vec<u32> = (1..=document.count.found).filter(|page| !pages.contains_key(page)).collect();
        let mut drawn = stream::iter(runs(&missing))
            .take_while(|_| std::future::ready(!self.context.stop_token().is_cancelled()))
            .map(|run| self.draw(document.room, &document, run))
            .buffered(self.workshop.settings.parallel);
        while let Some(run) = drawn.next().await {
            for (page, outcome) in run? {
                let Some(outcome) = self.or_alone(&document, page, outcome).await? else { break };
                if let Ok(stored) = &outcome {
                    fonts.merge(&stored.facts.fonts);
                    is_drawn = true;
                }
                if let (1, Ok(first)) = (page, &outcome)
                    && process::unless_passed(&self.commit_thumbnail(first).await?).is_break()
                {
                    return Ok(ControlFlow::Break(()));
                }
                match self.commit_page(page, outcome).await? {
                    ControlFlow::Continue(asset) => pages.insert(page, asset),
                    ControlFlow::Break(()) => return Ok(ControlFlow::Break(())),
                };
            }
        }
        self.context.checkpoint()?;
        // What cannot be found in it is not gone from it.
        let mut keeps = false;
        for page in document.count.found + 1..=self.claimed(&document) {
            let kept = self.parent.part(self.context, &format!("page:{page}")).await?;
            keeps |= kept.is_some();
            pages.insert(page, kept);
        }
        if process::unless_passed(&self.commit_end_of_pages(&document, &fonts, keys, keeps).await?).is_break() {
            return Ok(ControlFlow::Break(()));
        }
        if process::unless_passed(&self.commit_catalog(&document, &pages).await?).is_break() {
            return Ok(ControlFlow::Break(()));
        }
        Ok(ControlFlow::Continue(match (self.counted, is_drawn) {
            (Counted::AsFiled, _) => ItemReport::default(),
            (Counted::WithPages, true) => ItemReport::of_success(Vec::new()),
            (Counted::WithPages, false) => {
                let message = Message::new("pages-none-drawn").with("file", self.parent.file_name.clone());
                self.report_of(vec![self.parent.line(LogType::PdfRipError, message)])
            }
        }))
    }

    async fn make_thumbnail(&self, document: &Document) -> Result<ControlFlow<(), ItemReport>, Unmade> {
        let mut drawn = self.draw(document.room, document, (1, 1)).await?.pop().map(|(_, outcome)| outcome);
        if let Some(outcome) = drawn {
            drawn = self.or_alone(document, 1, outcome).await?;
        }
        match drawn {
            Some(Ok(page)) => {
                let passed = process::unless_passed(&self.commit_thumbnail(&page).await?);
                Ok(passed.map_continue(|()| match self.counted {
                    // An upload has said it already.
                    Counted::AsFiled => ItemReport::default(),
                    Counted::WithPages => ItemReport::of_success(self.problems(document, false)),
                }))
            }
            Some(Err(why)) => Err(Unmade::Refused(of_page(1, &why))),
            None => Err(Failure::Interrupted.into()),
        }
    }

    /// A page that takes more memory than its share is drawn with all of it; None where the job is to stop.
    async fn or_alone(&self, document: &Document, page: u32, outcome: Outcome) -> Result<Option<Outcome>, Unmade> {
        if !matches!(outcome, Err(Undrawn::Memory(_))) {
            return Ok(Some(outcome));
        }
        Ok(self.draw(Room::All, document, (page, page)).await?.pop().map(|(_, outcome)| outcome))
    }

    /// What is wrong with the pages of the document. `keeps`: pages that cannot be found were made of it before.
    fn problems(&self, document: &Document, keeps: bool) -> Vec<LogLine> {
        let line = |problem: Problem| self.parent.line(problem.log_type(), problem.told(&self.parent.file_name, keeps));
        problems(&document.count).into_iter().map(line).collect()
    }

    /// The report of lines that say why nothing is made of the document.
    fn report_of(&self, lines: Vec<LogLine>) -> ItemReport {
        match self.counted {
            Counted::AsFiled => ItemReport::of_problems_of_parts(lines),
            Counted::WithPages => ItemReport::of_problems(lines),
        }
    }

    /// How many pages the document says that it has, of which some may not be found in it.
    fn claimed(&self, document: &Document) -> u32 {
        let PageCount { found, missing, .. } = document.count;
        found.saturating_add(missing).min(found.max(self.workshop.settings.media.max_pages))
    }

    /// Nothing can be made of the document; it is kept all the same. A tool that is missing is no fault of what is uploaded, and
    /// leaves a job undone that is there to draw pages.
    async fn refused(&self, why: Message) -> Result<LogLine, Failure> {
        let log_type = match self.counted {
            Counted::AsFiled if why.code == "reason-tool-missing" => LogType::UploadWarning,
            Counted::AsFiled | Counted::WithPages => LogType::PdfRipError,
        };
        let keeps = self.context.reads().has_parts(self.context.run.company, self.parent.asset).await?;
        let code = if keeps { "pages-failed-kept" } else { "pages-failed" };
        let message = Message::new(code).with("file", self.parent.file_name.clone()).with("reason", why);
        Ok(self.parent.line(log_type, message))
    }

    async fn open(&self) -> Result<Document, Unmade> {
        let (workshop, parent) = (self.workshop.clone(), self.parent.clone());
        let Parent { blob: content, file_name, .. } = self.parent;
        let bytes = Bytes::of(content, file_name);
        let (working, ending) =
            (self.context.working_on(self.parent.file_name.clone()), self.context.stop_token().clone());
        let made = self.workshop.work_on(self.context, bytes.step("pages"), move |stop| {
            let _working = working;
            as_pdf(&workshop, &parent.blob, parent.format, &|| ending.is_cancelled() || stop())
        });
        let AsPdf { path, folder, bytes: size } = made.await?;
        let room = self.workshop.settings.room_of_document(size);
        let (workshop, parent) = (self.workshop.clone(), self.parent.clone());
        let opened = self.workshop.work_in(room, self.context, bytes.step("count pages"), move |stop| {
            let limits = workshop.settings.page_limits(room);
            let mut count = pdf::count_pages(&workshop.launcher, &path, &limits, stop)?;
            if folder.is_some() {
                let file = workshop.blobs.read(&parent.blob)?;
                let said = postscript::pages_before_cut(file).map_err(BlobError::Source)?;
                count.missing = count.missing.max(said.map_or(0, |said| said.saturating_sub(count.found)));
            }
            let most = workshop.settings.media.max_pages;
            if count.found > most {
                let why = Message::new("reason-too-many-pages").with("pages", count.found).with("limit", most);
                return Err(Unmade::Refused(why));
            }
            Ok(Document { path, _folder: folder, count, room })
        });
        opened.await
    }

    /// Draws pages and puts their files into the store. A job that is to stop does so behind the page that is in work, and then there
    /// are not all of them.
    async fn draw(&self, room: Room, document: &Document, run: (u32, u32)) -> Result<Vec<(u32, Outcome)>, Unmade> {
        let step = if run.0 == run.1 { format!("page {}", run.0) } else { format!("pages {}", block(run.0)) };
        let (workshop, path, drawing) =
            (self.workshop.clone(), document.path.clone(), self.plan.drawing(self.workshop));
        let working = self.context.working_on(self.parent.file_name.clone());
        let Parent { blob: content, file_name, .. } = self.parent;
        let bytes = Bytes::of(content, file_name).step(&step);
        let ending = self.context.stop_token().clone();
        let drawn = self.workshop.work_in(room, self.context, bytes, move |stop| {
            let _working = working;
            let mut pages = Vec::new();
            if ending.is_cancelled() {
                return Ok(pages);
            }
            let limits = workshop.settings.page_limits(room);
            let mut take = |page, outcome: Result<DrawnPage, Undrawn>| -> Result<ControlFlow<()>, Unmade> {
                let outcome = match outcome {
                    Ok(page) => Ok(store(&workshop, page, stop)?),
                    Err(why) => Err(why),
                };
                pages.push((page, outcome));
                Ok(if ending.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
            };
            pdf::draw_pages(&workshop.launcher, &path, run, &drawing, &limits, stop, &mut take)?;
            Ok(pages)
        });
        drawn.await
    }

    /// Gives the page, if there is one, or breaks off where nothing more is made of the document.
    async fn commit_page(&self, page: u32, outcome: Outcome) -> Result<ControlFlow<(), Option<AssetId>>, Failure> {
        let key = format!("page:{page}");
        let shown = self.parent.file_name.clone();
        let stored = match outcome {
            Ok(stored) => stored,
            Err(why) => {
                let kept = self.parent.part(self.context, &key).await?;
                let code = if kept.is_some() { "page-failed-kept" } else { "page-failed" };
                let message =
                    Message::new(code).with("file", shown).with("page", page).with("reason", reason::other(why));
                let report = ItemReport {
                    result: json!({ "asset": kept }),
                    counters: Counters { error: 1, part_error: 1, ..Counters::default() },
                    lines: vec![self.parent.line(LogType::PdfRipError, message)],
                    ..ItemReport::default()
                };
                self.parent.commit(self.context, &key, Effect::Nothing, move |_| report).await?;
                return Ok(ControlFlow::Continue(kept));
            }
        };
        let part = self.part(page, key.clone(), &stored.facts);
        let folder = self.folder(&key).await?;
        let FileName { stem: wanted, extension, .. } = part.name.clone();
        let derived = self.derived(&self.parent.blob, &stored);
        let effect = Effect::Page { part: Box::new(part), derived, text: Box::new(text(&stored.facts)) };
        let PageFacts { notes, fonts, .. } = stored.facts;
        let applied = self.parent.commit(self.context, &key, effect, move |applied| {
            let Applied::Filed(filed) = applied else { return ItemReport::default() };
            let name = FileName { stem: filed.name().to_owned(), extension: extension.clone(), changed: false };
            let path = format!("{folder}{}", name.with_extension());
            let numbered = process::numbered(&format!("{wanted}.{extension}"), &wanted, filed);
            let note = |note: String| {
                let reason = reason::other(note);
                Message::new("page-note").with("page", page).with("file", shown.clone()).with("reason", reason)
            };
            let processed = Message::new("page-processed").with("file", path).with("page", page);
            let mut report =
                process::report_of_part(filed, processed, notes.into_iter().map(note).chain(numbered).collect());
            // The line about all fonts may be for a later attempt to say.
            report.result[FONTS] = json!(fonts);
            report
        });
        Ok(process::filed_unless_passed(&applied.await?))
    }

    /// Where what is made under this key is or will be, as a client sees it.
    async fn folder(&self, key: &str) -> Result<String, Failure> {
        let company = self.context.run.company;
        Ok(self.context.reads().folder_of_part(company, self.parent.asset, key, None).await?)
    }

    fn part(&self, page: u32, key: String, facts: &PageFacts) -> Part {
        let extension = self.parent.file_name.rsplit_once('.').map(|(_, end)| end.to_owned()).unwrap_or_default();
        Part {
            company: self.context.run.company,
            origin: self.parent.origin(self.context, &key),
            name: FileName { stem: format!("{}-{page}", self.parent.name), extension, changed: false },
            folder: None,
            master: Master {
                asset_type: AssetType::Image,
                blob: self.parent.blob.clone(),
                bytes: self.parent.bytes,
                pixels: Some((facts.width, facts.height)),
                facts: PictureFacts {
                    format: Some(self.parent.format.name().to_owned()),
                    colorspace: Some(if facts.is_gray { "gray" } else { "RGB" }.to_owned()),
                    bits_per_component: Some(8),
                    has_alpha: Some(facts.has_alpha),
                    embedded_icc_profile: None,
                    resolution: Some(self.plan.resolution),
                    video: None,
                    layer: None,
                },
                making: Making {
                    page: Some(page),
                    resolution: Some(self.plan.resolution),
                    colorspace: Some(self.plan.colorspace),
                    alpha: self.plan.alpha,
                    ..Making::default()
                },
            },
            built_on: None,
            marking: self.marking,
            by: self.context.run.responsible,
            at: self.context.clock.now(),
        }
    }

    fn derived(&self, source_blob: &str, stored: &Stored) -> Vec<Derived> {
        let Stored { facts, pyramid, thumbnail } = stored;
        let recipe = recipe::by_settings(&self.workshop.settings);
        let derived = |role, blob: &Blob, pixels| Derived {
            role,
            blob: blob.id.clone(),
            bytes: blob.bytes,
            pixels,
            source_blob: source_blob.to_owned(),
            recipe: recipe.clone(),
        };
        vec![
            derived(DerivedRole::Pyramid, pyramid, (facts.width, facts.height)),
            derived(DerivedRole::Thumbnail, thumbnail, facts.thumbnail),
        ]
    }

    /// The document is shown by its first page.
    async fn commit_thumbnail(&self, first: &Stored) -> Result<Option<Applied>, Failure> {
        let effect = Effect::Derive {
            company: self.context.run.company,
            asset: self.parent.asset,
            source_blob: self.parent.blob.clone(),
            making: None,
            derived: self.derived(&self.parent.blob, first).split_off(1),
        };
        self.parent.commit(self.context, "thumbnail", effect, |_| ItemReport::default()).await
    }

    /// A page that could not be drawn is still one of the document's.
    async fn commit_end_of_pages(
        &self,
        document: &Document,
        fonts: &Fonts,
        keys: Vec<String>,
        keeps: bool,
    ) -> Result<Option<Applied>, Failure> {
        let effect = self.parent.keep(self.context, "page:", keys);
        let mut lines = Vec::new();
        if !fonts.not_embedded.is_empty() {
            let message = Message::new("upload-warning")
                .with("file", self.parent.file_name.clone())
                .with("reason", stand_ins(fonts));
            lines.push(self.parent.line(LogType::UploadWarning, message));
        }
        lines.extend(self.problems(document, keeps));
        let parent = self.parent.clone();
        let problems = ItemReport::of_problems_of_parts(lines);
        let report = move |applied: &Applied| {
            let mut report = process::report_of_parts(&parent, applied);
            report.counters += problems.counters;
            report.lines.splice(0..0, problems.lines);
            report
        };
        self.parent.commit(self.context, "pages", effect, report).await
    }

    /// A document of one page is shown by that page.
    async fn commit_catalog(&self, document: &Document, pages: &Pages) -> Result<Option<Applied>, Failure> {
        const KEY: &str = "catalog";
        let company = self.context.run.company;
        let members: Vec<Member> = pages.values().flatten().map(|asset| Member::of(*asset)).collect();
        let (folder, count) = (self.folder(KEY).await?, members.len());
        // Of those that can be found: of others the document has a line.
        let undrawn = pages.range(..=document.count.found).filter(|(_, asset)| asset.is_none()).count();
        let wanted = format!("{}-catalog", self.parent.name);
        let effect = if self.plan.catalog && count > 1 {
            Effect::Set(Box::new(NewSet {
                company,
                folder: self.parent.folder.clone(),
                name: wanted.clone(),
                set_type: AssetType::Catalog,
                made_from: Some(self.parent.origin(self.context, KEY)),
                pixels: None,
                members,
                marking: self.marking,
                by: self.context.run.responsible,
                at: self.context.clock.now(),
            }))
        } else {
            self.parent.without_set(self.context, KEY)
        };
        let parent = self.parent.clone();
        let is_too_small = self.plan.catalog && count <= 1 && undrawn > 0 && document.count.found > 1;
        let report = move |applied: &Applied| {
            let Applied::Gathered(gathered) = applied else {
                let mut report = process::report_of_parts(&parent, applied);
                if is_too_small {
                    let message =
                        Message::new("catalog-too-small").with("file", parent.file_name.clone()).with("count", undrawn);
                    report.lines.push(parent.line(LogType::JobInfo, message));
                }
                return report;
            };
            let path = format!("{folder}{}", gathered.filed.name());
            let code = if undrawn > 0 { "catalog-processed-lacking" } else { "catalog-processed" };
            let message = Message::new(code).with("file", path).with("pages", gathered.members);
            let message = if undrawn > 0 { message.with("count", undrawn) } else { message };
            let line = LogLine::new(LogType::UploadSuccess, message);
            process::lines_of_set(&wanted, line, gathered, FileType::Catalog)
        };
        self.parent.commit(self.context, KEY, effect, report).await
    }

    /// Who makes a thumbnail makes no pages that others have left out.
    async fn end(&self, report: ItemReport) -> Result<(), Failure> {
        if self.plan.process == PageProcess::Rasterize {
            return self.parent.end(self.context, report).await;
        }
        self.parent.commit(self.context, process::END, Effect::Nothing, move |_| report).await?;
        Ok(())
    }
}

/// A stored document as a PDF: itself, or what is made of it in a folder, which is gone when this is.
struct AsPdf {
    path: PathBuf,
    folder: Option<Folder>,
    bytes: u64,
}

fn as_pdf(workshop: &Workshop, blob: &str, format: Format, stop: &dyn Fn() -> bool) -> Result<AsPdf, Unmade> {
    workshop.blobs.verify(blob, stop)?;
    let master = pictures::absolute(workshop.blobs.path(blob)?)?;
    let (path, folder) = if pictures::is_pdf(&workshop.blobs, blob, format)? {
        (master, None)
    } else {
        let folder = workshop.launcher.folder()?;
        let limits = workshop.settings.post_script_limits();
        (postscript::to_pdf(&workshop.launcher, &master, &folder, limits, stop)?, Some(folder))
    };
    let bytes = std::fs::metadata(&path).map_err(BlobError::Source)?.len();
    Ok(AsPdf { path, folder, bytes })
}

/// The pyramid of a page as it would be drawn from its document, but without loss, or nothing where it takes more memory than
/// there is room. It is gone with what is returned. Blocks.
pub fn lossless(
    workshop: &Workshop,
    blob: &str,
    file_name: &str,
    (page, making): (u32, &Making),
    room: Room,
    stop: &dyn Fn() -> bool,
) -> Result<Option<Draft>, Unmade> {
    let format = pictures::sniff(&workshop.blobs, blob, file_name)?;
    let AsPdf { path, folder: _folder, bytes } = as_pdf(workshop, blob, format, stop)?;
    if (room, workshop.settings.room_of_document(bytes)) == (Room::Share, Room::All) {
        return Ok(None);
    }
    let drawing = Drawing {
        resolution: making.resolution.unwrap_or(DEFAULT_RESOLUTION),
        color: color(making.colorspace.unwrap_or(PageColorspace::Auto)),
        alpha: making.alpha,
        words: false,
        links: false,
        annotations: workshop.settings.annotations(),
        others: workshop.settings.other_programs(),
        options: media::Options { lossless: true, ..workshop.settings.picture_options() },
    };
    let mut drawn = Err(Undrawn::Other("its document has no such page any more".to_owned()));
    let mut take = |_page, outcome: Result<DrawnPage, Undrawn>| -> Result<ControlFlow<()>, Unmade> {
        drawn = match outcome {
            Ok(page) => Ok(copied(workshop, &page.pyramid)?),
            Err(why) => Err(why),
        };
        Ok(ControlFlow::Continue(()))
    };
    let limits = workshop.settings.page_limits(room);
    pdf::draw_pages(&workshop.launcher, &path, (page, page), &drawing, &limits, stop, &mut take)?;
    match drawn {
        Ok(draft) => Ok(Some(draft)),
        Err(Undrawn::Memory(_)) => Ok(None),
        Err(why) => Err(Unmade::Refused(of_page(page, &why))),
    }
}

/// Why a page is not drawn, in a line about something else.
fn of_page(page: u32, why: &Undrawn) -> Message {
    reason::other(format!("page {page}: {why}"))
}

fn copied(workshop: &Workshop, path: &Path) -> Result<Draft, Unmade> {
    let mut draft = workshop.blobs.draft()?;
    let mut file = std::fs::File::open(path).map_err(BlobError::Source)?;
    std::io::copy(&mut file, draft.file()).map_err(BlobError::Source)?;
    Ok(draft)
}

fn store(workshop: &Workshop, page: DrawnPage, stop: &dyn Fn() -> bool) -> Result<Stored, Unmade> {
    let keep = |path: PathBuf| -> Result<Blob, Unmade> {
        let mut file = std::fs::File::open(path).map_err(BlobError::Source)?;
        Ok(workshop.blobs.store(&mut file, u64::MAX, stop)?)
    };
    Ok(Stored { facts: page.facts, pyramid: keep(page.pyramid)?, thumbnail: keep(page.thumbnail)? })
}

/// In the result of the item of a page.
const FONTS: &str = "fonts";

/// The fonts of the pages that are done; an earlier version of the program did not note them.
fn fonts_of(done: &BTreeMap<String, Value>) -> Fonts {
    let mut fonts = Fonts::default();
    for result in done.values() {
        let of_page = result.get(FONTS).and_then(|fonts| Fonts::deserialize(fonts).ok());
        fonts.merge(&of_page.unwrap_or_default());
    }
    fonts
}

/// Pages of earlier attempts, with their assets.
fn pages_of(done: &BTreeMap<String, Value>) -> Pages {
    let page = |(key, result): (&String, &Value)| {
        let number = key.strip_prefix("page:")?.parse().ok()?;
        Some((number, result.get("asset").and_then(Value::as_i64).map(AssetId)))
    };
    done.iter().filter_map(page).collect()
}

/// Cuts ascending numbers into runs without gaps, none of which has pages of two blocks.
fn runs(numbers: &[u32]) -> Vec<(u32, u32)> {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == *number && block(*last) == block(*number) => *last = *number,
            _ => runs.push((*number, *number)),
        }
    }
    runs
}

/// The block of a page: the same in every attempt, whatever is done already.
const fn block(page: u32) -> u32 {
    page.saturating_sub(1) / AT_ONCE
}

fn text(facts: &PageFacts) -> PageText {
    let area = |PixelBox { x, y, width, height }: PixelBox| Area { x, y, width, height };
    let link = |link: &pdf::Link| PageLink {
        action: match &link.to {
            LinkTarget::Address(address) => address.clone(),
            LinkTarget::Page(page) => format!("#page={page}"),
            LinkTarget::File { name, page: Some(page) } => format!("{name}#page={page}"),
            LinkTarget::File { name, page: None } => name.clone(),
        },
        area: area(link.place),
    };
    let word = |word: &pdf::Word| PageWord { word: word.text.clone(), area: area(word.place) };
    PageText { words: facts.words.iter().map(word).collect(), links: facts.links.iter().map(link).collect() }
}

impl From<ChildError> for Unmade {
    fn from(error: ChildError) -> Self {
        match error {
            ChildError::Cancelled { .. } => Self::Failed(Failure::Interrupted),
            ChildError::Io { ref source, .. } => Self::Failed(Failure::of_io(source, &error)),
            error => Self::Refused(reason::of_child(&error)),
        }
    }
}

impl From<OpenError> for Unmade {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Child(error) => error.into(),
            OpenError::Pdf(error) => Self::Refused(reason::other(error)),
        }
    }
}

impl From<Failure> for Unmade {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_pages_are_drawn_in_runs() {
        let all: Vec<u32> = (1..=10).collect();
        assert_eq!(runs(&all), [(1, 8), (9, 10)]);
        assert_eq!(runs(&[2, 3, 7, 8, 9, 10]), [(2, 3), (7, 8), (9, 10)]);
        assert_eq!(runs(&(4..=20).collect::<Vec<u32>>()), [(4, 8), (9, 16), (17, 20)]);
        assert_eq!(runs(&[]), []);
    }
}
