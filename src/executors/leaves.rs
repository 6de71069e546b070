//! The pages of TIFF files behind the first, which become assets where the configuration says so (`media.tiff_pages`). The file
//! itself shows its first page.
//!
//! | item | what it commits |
//! |---|---|
//! | `parts` | how many items follow |
//! | `page:3` | the page: its asset, its pyramid and thumbnail |
//! | `pages` | pages that the file no longer has go to the trash |
//! | `end` | nothing more: a later attempt need not look at the file |
//!
//! The master of a page is the file: pages can be made from it again at any time, and cost no file of their own.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use super::context::ROUNDS;
use super::pictures::{self, Made, Source, Unmade};
use super::process::{self, Parent, Processing};
use super::{Bytes, Context, Failure, Workshop, reason};
use crate::config::TiffPages;
use crate::media::PagesFound;
use crate::media::child::borrowed;
use crate::media::errand::CountPages;
use crate::model::asset::AssetType;
use crate::model::id::AssetId;
use crate::model::job::ProcessingOptions;
use crate::model::log::{LogLine, LogType, Message};
use crate::model::making::{Crop, Making};
use crate::model::name::FileName;
use crate::model::outcome::Counters;
use crate::store::assets::ingest::Master;
use crate::store::assets::pages::PageText;
use crate::store::assets::parts::Part;
use crate::store::effect::{Applied, Effect};
use crate::store::jobs::attempt::ItemReport;

/// Items beside those of pages: `pages` and `end`.
const ITEMS_BESIDE: u32 = 2;

/// What the keys of the parts begin with that are made of a TIFF.
pub fn prefixes(pages: TiffPages) -> &'static [&'static str] {
    match pages {
        TiffPages::First => &[],
        TiffPages::All => &["page:"],
    }
}

/// How pages are made, as far as the options say.
pub fn recipe(options: &ProcessingOptions) -> String {
    json!(Making::asked(options, None)).to_string()
}

/// Makes what the configuration asks of a TIFF that has been filed.
pub async fn make_leaves(
    context: &Context,
    workshop: &Workshop,
    parent: &Parent,
    processing: &Processing,
) -> Result<(), Failure> {
    if processing.tiff_pages == TiffPages::First {
        return Ok(());
    }
    let done = parent.done(context).await?;
    if process::is_over(&done) {
        return Ok(());
    }
    let work = Work { context, workshop, parent, processing };
    match work.make(&done).await {
        Ok(ControlFlow::Continue(lines)) => work.end(lines).await,
        Ok(ControlFlow::Break(())) => Ok(()),
        Err(Unmade::Refused(why)) => {
            let keeps = context.reads().has_parts(context.run.company, parent.asset).await?;
            let code = if keeps { "pages-failed-kept" } else { "pages-failed" };
            let message = Message::new(code).with("file", parent.file_name.clone()).with("reason", why);
            work.end(vec![parent.line(LogType::UploadError, message)]).await
        }
        Err(Unmade::Failed(failure)) => Err(failure),
    }
}

struct Work<'a> {
    context: &'a Context,
    workshop: &'a Workshop,
    parent: &'a Parent,
    processing: &'a Processing,
}

/// A page whose files are in the store.
struct Drawn {
    made: Made,
    making: Making,
    /// The crop that was set on the page that is there.
    built_on: Option<Crop>,
}

impl Work<'_> {
    /// Gives what the log is to say of the pages in all, or breaks off where nothing more is made of the file.
    async fn make(&self, done: &BTreeMap<String, Value>) -> Result<ControlFlow<(), Vec<LogLine>>, Unmade> {
        let PagesFound { count, is_whole } = self.count().await?;
        let keys: Vec<String> = (2..=count).map(key).collect();
        let found = self.parent.found_parts(self.context, count.saturating_sub(1).saturating_add(ITEMS_BESIDE)).await?;
        if process::unless_passed(&found).is_break() {
            return Ok(ControlFlow::Break(()));
        }
        let missing: Vec<u32> = (2..=count).filter(|page| !done.contains_key(&key(*page))).collect();
        let mut drawn = stream::iter(missing)
            .take_while(|_| std::future::ready(!self.context.stop_token().is_cancelled()))
            .map(|page| async move { (page, self.draw(page).await) })
            .buffered(self.workshop.settings.parallel);
        while let Some((page, outcome)) = drawn.next().await {
            if self.give(page, outcome).await?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        self.context.checkpoint()?;
        if !is_whole {
            // The next one stands for those behind it, which are made in a row.
            let keeps = self.parent.part(self.context, &key(count + 1)).await?.is_some();
            let code = if keeps { "pages-cut-off-kept" } else { "pages-cut-off" };
            let message = Message::new(code).with("file", self.parent.file_name.clone()).with("count", count);
            return Ok(ControlFlow::Continue(vec![self.parent.line(LogType::UploadError, message)]));
        }
        // A page that could not be made is still one of the file's.
        let ended = self.commit_end_of_pages(keys).await?;
        Ok(process::unless_passed(&ended).map_continue(|()| Vec::new()))
    }

    async fn count(&self) -> Result<PagesFound, Unmade> {
        let (workshop, blob) = (self.workshop.clone(), self.parent.blob.clone());
        let Parent { blob: content, file_name, format, .. } = self.parent;
        let format = *format;
        let bytes = Bytes::of(content, file_name).step("pages");
        let counted = self.workshop.work_on(self.context, bytes, move |stop| {
            workshop.blobs.verify(&blob, stop)?;
            let file = workshop.blobs.read(&blob)?;
            let found = workshop.crew.send(CountPages { format }, &borrowed([&file]), stop)?;
            let most = workshop.settings.media.max_pages;
            if found.count > most {
                let why = Message::new("reason-too-many-pages").with("pages", found.count).with("limit", most);
                return Err(Unmade::Refused(why));
            }
            Ok(found)
        });
        counted.await
    }

    /// Gives a page that was made, and makes it again if somebody has set another crop on it meanwhile; or breaks off where nothing
    /// more is made of the file.
    async fn give(&self, page: u32, mut drawn: Result<Drawn, Unmade>) -> Result<ControlFlow<()>, Unmade> {
        for _ in 0..ROUNDS {
            let applied = match drawn {
                Ok(drawn) => self.commit_page(page, drawn).await?,
                Err(Unmade::Refused(why)) => return Ok(process::unless_passed(&self.commit_failure(page, why).await?)),
                Err(failed) => return Err(failed),
            };
            if !matches!(applied, Some(Applied::Overtaken(_))) {
                return Ok(process::unless_passed(&applied));
            }
            drawn = self.draw(page).await;
        }
        let why = Message::new(reason::CHANGED_MEANWHILE);
        Ok(process::unless_passed(&self.commit_failure(page, why).await?))
    }

    /// A page is made as the picture is.
    async fn draw(&self, page: u32) -> Result<Drawn, Unmade> {
        let (workshop, recipes) = (self.workshop.clone(), self.processing.recipes.clone());
        let built_on = self.context.reads().crop_before(self.context.run.company, self.parent.asset, &key(page)).await;
        let built_on = built_on.map_err(Failure::from)?;
        let existing = Making { crop: built_on, ..Making::default() };
        let making = Making { leaf: Some(page), ..Making::asked(&self.processing.options, Some(&existing)) };
        let (blob, format, own) = (self.parent.blob.clone(), self.parent.format, making.clone());
        let working = self.context.working_on(self.parent.file_name.clone());
        let Parent { blob: content, file_name, .. } = self.parent;
        let step = format!("page {page}");
        let bytes = Bytes::of(content, file_name).step(&step);
        let made = self.workshop.work_on(self.context, bytes, move |stop| {
            let _working = working;
            pictures::make(&workshop, &recipes, Source { blob: &blob, format }, &making, stop)
        });
        Ok(Drawn { made: made.await?, making: own, built_on })
    }

    async fn commit_page(&self, page: u32, drawn: Drawn) -> Result<Option<Applied>, Failure> {
        let key = key(page);
        let part = self.part(page, &drawn);
        let folder = self.context.reads().folder_of_part(part.company, self.parent.asset, &key, None).await?;
        let FileName { stem: wanted, extension, .. } = part.name.clone();
        let kept = drawn.making.crop_given_up(&self.processing.options).map(|_| Message::new("reason-crop-kept"));
        let notes: Vec<Message> = drawn.made.notes.iter().map(reason::other).chain(kept).collect();
        let effect =
            Effect::Page { part: Box::new(part), derived: drawn.made.derived, text: Box::new(PageText::default()) };
        let file = self.parent.file_name.clone();
        let report = move |applied: &Applied| {
            let Applied::Filed(filed) = applied else { return ItemReport::default() };
            let name = FileName { stem: filed.name().to_owned(), extension: extension.clone(), changed: false };
            let path = format!("{folder}{}", name.with_extension());
            let numbered = process::numbered(&format!("{wanted}.{extension}"), &wanted, filed);
            let note =
                |note| Message::new("page-note").with("page", page).with("file", file.clone()).with("reason", note);
            let processed = Message::new("page-processed").with("file", path).with("page", page);
            process::report_of_part(filed, processed, notes.into_iter().map(note).chain(numbered).collect())
        };
        self.parent.commit(self.context, &key, effect, report).await
    }

    async fn commit_failure(&self, page: u32, why: Message) -> Result<Option<Applied>, Failure> {
        let key = key(page);
        let kept: Option<AssetId> = self.parent.part(self.context, &key).await?;
        let code = if kept.is_some() { "page-failed-kept" } else { "page-failed" };
        let file = self.parent.file_name.clone();
        let message = Message::new(code).with("file", file).with("page", page).with("reason", why);
        let report = ItemReport {
            result: json!({ "asset": kept }),
            counters: Counters { error: 1, part_error: 1, ..Counters::default() },
            lines: vec![self.parent.line(LogType::UploadError, message)],
            ..ItemReport::default()
        };
        self.parent.commit(self.context, &key, Effect::Nothing, move |_| report).await
    }

    fn part(&self, page: u32, Drawn { made, making, built_on }: &Drawn) -> Part {
        let Parent { blob, bytes, name, file_name, .. } = self.parent;
        let extension = file_name.rsplit_once('.').map(|(_, end)| end.to_owned()).unwrap_or_default();
        Part {
            company: self.context.run.company,
            origin: self.parent.origin(self.context, &key(page)),
            name: FileName { stem: format!("{name}-{page}"), extension, changed: false },
            folder: None,
            master: Master {
                asset_type: AssetType::Image,
                blob: blob.clone(),
                bytes: *bytes,
                pixels: Some(made.pixels),
                facts: pictures::facts(&made.picture),
                making: making.clone(),
            },
            built_on: *built_on,
            marking: self.processing.marking,
            by: self.context.run.responsible,
            at: self.context.clock.now(),
        }
    }

    async fn commit_end_of_pages(&self, keys: Vec<String>) -> Result<Option<Applied>, Failure> {
        let effect = self.parent.keep(self.context, "page:", keys);
        let parent = self.parent.clone();
        let report = move |applied: &Applied| process::report_of_parts(&parent, applied);
        self.parent.commit(self.context, "pages", effect, report).await
    }

    async fn end(&self, lines: Vec<LogLine>) -> Result<(), Failure> {
        let report = ItemReport::of_problems_of_parts(lines);
        self.parent.end(self.context, report).await
    }
}

fn key(page: u32) -> String {
    format!("page:{page}")
}
