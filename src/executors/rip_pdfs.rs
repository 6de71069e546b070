//! ripPdfsJob: draws the pages of documents that are there already, in the place of those that were drawn before.

use async_trait::async_trait;

use super::pages::{self, Counted};
use super::pictures::{self, Unmade};
use super::process::{self, Ordered, Parent, Processing};
use super::{Context, Executor, Failure, Item, Workshop, options, reason};
use crate::media::Format;
use crate::model::handle;
use crate::model::id::AssetId;
use crate::model::job::{PageProcess, ProcessingOptions, RipPdfsJob};
use crate::model::log::{FileType, LogLine, LogType, Message};
use crate::model::outcome::Counters;
use crate::store::effect::Effect;
use crate::store::jobs::attempt::ItemReport;
use crate::store::pictures::KnownAsset;

pub struct RipPdfs {
    pub order: RipPdfsJob,
    pub workshop: Workshop,
}

#[async_trait]
impl Executor for RipPdfs {
    async fn run(&self, context: &Context) -> Result<(), Failure> {
        let has_beginning = options::log_beginning(context, Vec::new()).await?;
        let handles = &self.order.pdf_handle_array;
        context.plan(handles.len() + usize::from(has_beginning)).await?;
        context.say(Message::new("progress-ripping"));
        let options = rasterizing(&self.order.options);
        let processing = Processing::of_known(context, &self.workshop, &options).await?;
        for handle in handles {
            context.checkpoint()?;
            let Ok(asset) = handle::parse_asset("pdfHandleArray", handle) else {
                refuse(context, handle, handle, Message::new("reason-no-asset")).await?;
                continue;
            };
            if is_over(context, asset).await? {
                continue;
            }
            match self.parent(context, &processing, asset).await? {
                Ok(parent) => {
                    pages::make_pages(context, &self.workshop, &parent, &processing, Counted::WithPages).await?;
                }
                Err((name, why)) => {
                    let shown = name.map_or_else(|| handle.clone(), |name| format!("{handle} ({name})"));
                    refuse(context, &format!("{asset}\n{}", process::END), &shown, why).await?;
                }
            }
        }
        Ok(())
    }
}

/// The job is there to draw pages: only asking for thumbnails makes it do less.
fn rasterizing(options: &ProcessingOptions) -> ProcessingOptions {
    let (mut pdf, mut post_script, mut illustrator) = (
        options.pdf_options.unwrap_or_default(),
        options.post_script_options.unwrap_or_default(),
        options.illustrator_options.unwrap_or_default(),
    );
    for process in [&mut pdf.process, &mut post_script.process, &mut illustrator.process] {
        if *process != Some(PageProcess::Thumbnail) {
            *process = Some(PageProcess::Rasterize);
        }
    }
    ProcessingOptions {
        pdf_options: Some(pdf),
        post_script_options: Some(post_script),
        illustrator_options: Some(illustrator),
        ..options.clone()
    }
}

impl RipPdfs {
    /// The document with this number, or why there is none, and what is there by its name.
    async fn parent(
        &self,
        context: &Context,
        processing: &Processing,
        asset: AssetId,
    ) -> Result<Result<Parent, (Option<String>, Message)>, Failure> {
        let known = context.reads().assets_numbered(context.run.company, &[asset]).await?.pop();
        let Some(known) = known.filter(|known| !known.is_given_up) else {
            return Ok(Err((None, Message::new("reason-no-asset"))));
        };
        let refused = |why| Ok(Err((Some(known.name.clone()), why)));
        if known.in_trash {
            return refused(Message::new("reason-in-trash"));
        }
        if known.master.making.page.is_some() {
            return refused(Message::new(reason::of_page(&known)));
        }
        let format = match self.format(&known).await? {
            Ok(format) => format,
            Err(why) => return refused(why),
        };
        if !matches!(format, Format::Pdf | Format::PostScript | Format::Eps | Format::Illustrator) {
            return refused(Message::new("reason-not-for-type").with("type", known.master.asset_type.as_str()));
        }
        Ok(Ok(parent(asset, known, format, processing)))
    }

    async fn format(&self, known: &KnownAsset) -> Result<Result<Format, Message>, Failure> {
        if known.master.blob.is_empty() {
            return Ok(Ok(Format::Unknown));
        }
        let (blobs, blob, name) = (self.workshop.blobs.clone(), known.master.blob.clone(), known.file_name.clone());
        match self.workshop.work(move |_| pictures::sniff_master(&blobs, &blob, &name)).await? {
            Ok(format) => Ok(Ok(format)),
            Err(Unmade::Refused(why)) => Ok(Err(why)),
            Err(Unmade::Failed(failure)) => Err(failure),
        }
    }
}

fn parent(asset: AssetId, known: KnownAsset, format: Format, processing: &Processing) -> Parent {
    Parent {
        // Pages of another master are others, in a later attempt too.
        prefix: format!("{asset}\n{}\n", known.master.blob),
        asset,
        name: known.name,
        file_name: known.file_name,
        folder: known.folder,
        bytes: known.master.bytes,
        blob: known.master.blob,
        format,
        ordered: Ordered::Now,
        recipe: process::recipe_of_parts(format, processing),
    }
}

/// Whether a document was done with, in an earlier attempt or under another spelling of its handle: what becomes of its master
/// afterwards is no matter of this job any more.
async fn is_over(context: &Context, asset: AssetId) -> Result<bool, Failure> {
    let done = context.done_below(&format!("{asset}\n")).await?;
    Ok(done.keys().any(|key| key.rsplit('\n').next() == Some(process::END)))
}

async fn refuse(context: &Context, key: &str, handle: &str, why: Message) -> Result<(), Failure> {
    let message = Message::new("pages-failed").with("file", handle).with("reason", why);
    let line = LogLine::new(LogType::PdfRipError, message).about(None, handle, FileType::NoType);
    let report = ItemReport {
        counters: Counters { error: 1, ..Counters::default() },
        lines: vec![line],
        ..ItemReport::default()
    };
    context.commit(Item(key.to_owned()), Effect::Nothing, move |_| report).await?;
    Ok(())
}
