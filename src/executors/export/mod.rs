//! exportJob: originals or conversions of assets, in one archive with an address for its download.
//!
//! ```text
//! /plan    what is exported, under which names, and the address: decided once
//! <asset>  its original, or its conversion, lies beside the others
//! /zip     the archive is complete and can be downloaded
//! ```
//!
//! An attempt after the first one renders nothing again that was committed; the archive is written anew from what lies
//! there.

mod convert;
mod order;
mod pack;
mod plan;
mod sweep;

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

use super::pictures::Unmade;
use super::{Context, Executor, Failure, Item, Workshop, reason};
use crate::assets::blobs::BlobError;
use crate::assets::exports::ExportFiles;
use crate::media::Note;
use crate::model::job::ExportJob;
use crate::model::log::{FileType, LogLine, LogType, Message};
use crate::model::outcome::Counters;
use crate::store::effect::Effect;
use crate::store::exports::Export as Archive;
use crate::store::jobs::attempt::ItemReport;
use convert::View;
use order::Conversion;
use plan::{Entry, Plan};
pub use sweep::remove_expired;

pub struct Export {
    pub order: ExportJob,
    pub workshop: Workshop,
}

const ARCHIVE: &str = "/zip";

#[async_trait]
impl Executor for Export {
    async fn run(&self, context: &Context) -> Result<(), Failure> {
        let settings = &self.workshop.settings;
        remove_expired(context, &self.workshop).await?;
        let done = context.done_items().await?;
        let plan = plan::made(self, context, done.get(plan::KEY)).await?;
        let conversion = order::conversion(self, context, &plan).await?.map(Arc::new);
        // The plan and the archive are items too.
        context.plan(plan.entries.len() + 2).await?;
        if done.contains_key(ARCHIVE) {
            return Ok(());
        }
        let (root, run, mount) =
            (settings.export_root.clone(), context.run.fence.instance, self.workshop.export_mount());
        let files = mount.work(move |_| ExportFiles::open(&root, run)).await??;
        context.say(Message::new("progress-exporting"));
        let mut to_do = plan.entries.clone();
        to_do.retain(|entry| !done.contains_key(&entry.key()));
        stream::iter(to_do)
            .take_while(|_| std::future::ready(!context.stop_token().is_cancelled()))
            .map(|entry| self.export(context, entry, conversion.clone(), files.clone()))
            .buffer_unordered(settings.parallel * 2)
            .try_collect::<()>()
            .await?;
        context.checkpoint()?;
        self.pack(context, plan, files).await
    }
}

impl Export {
    /// Puts one asset beside the others.
    async fn export(
        &self,
        context: &Context,
        entry: Entry,
        conversion: Option<Arc<Conversion>>,
        files: ExportFiles,
    ) -> Result<(), Failure> {
        let made = match conversion.filter(|_| entry.is_converted) {
            Some(conversion) => {
                let view = View { entry: entry.clone(), conversion, files, xmp: None };
                convert::converted(&self.workshop, context, view).await
            }
            None => self.hand_out(context, entry.clone(), files).await,
        };
        let report = match made {
            Ok(made) => success(&entry, made),
            Err(Unmade::Refused(why)) => plan::failure(&entry.shown(), why),
            Err(Unmade::Failed(failure)) => return Err(failure),
        };
        context.commit(Item(entry.key()), Effect::Nothing, move |_| report).await?;
        Ok(())
    }

    /// An original is handed out as it is, whatever its bytes do to whoever reads them.
    async fn hand_out(&self, context: &Context, entry: Entry, files: ExportFiles) -> Result<Made, Unmade> {
        let (workshop, progress) = (self.workshop.clone(), context.clone());
        let work = move |stop: &dyn Fn() -> bool| {
            let _working = progress.working_on(&entry.target);
            files.keep_original(entry.asset, &workshop.blobs, &entry.blob, stop)?;
            Ok(Made { bytes: entry.bytes, ..Made::default() })
        };
        self.workshop.export_mount().work(work).await?
    }

    async fn pack(&self, context: &Context, plan: Plan, files: ExportFiles) -> Result<(), Failure> {
        context.say(Message::new("progress-packing"));
        let done = context.done_items().await?;
        let bytes_of = |entry: &Entry| done.get(&entry.key()).and_then(Value::as_u64);
        let packed: Vec<Entry> = plan.entries.iter().filter(|entry| bytes_of(entry).is_some()).cloned().collect();
        if packed.is_empty() {
            return Err(Failure::Fatal(Message::new("export-nothing")));
        }
        let settings = &self.workshop.settings;
        plan::check_size(packed.iter().filter_map(bytes_of).sum(), settings)?;
        let (count, token, writer) = (packed.len(), plan.token.clone(), files.clone());
        let limit = settings.export.max_bytes.get();
        let mount = self.workshop.export_mount();
        let written = mount
            .work(move |stop| {
                writer.keep_archive(&token, |file| pack::write(file, &packed, &writer, limit, stop), stop)
            })
            .await?;
        let (bytes, sha256) = match written {
            Err(BlobError::TooLarge { .. }) => return Err(plan::too_large(limit.saturating_add(1), limit)),
            other => other?,
        };
        let now = context.clock.now();
        let archive = Archive {
            run: context.run.fence.instance,
            token: plan.token,
            address: plan.address.clone(),
            bytes,
            sha256: Some(sha256),
            created_at: now,
            expires_at: now + settings.export.keep.delta(),
        };
        let message = Message::new("export-zip-success")
            .with("count", count)
            .with("bytes", bytes)
            .with("address", plan.address.clone())
            .with("at", archive.expires_at.timestamp_millis());
        let line = LogLine::new(LogType::ZipFileExportJobSuccess, message);
        let report = ItemReport {
            result: json!(bytes),
            // The archive counts as a file, as it always has.
            counters: Counters { success: 1, ..Counters::default() },
            lines: vec![line.about(None, plan.address, FileType::ExportJobZip)],
            ..ItemReport::default()
        };
        context.commit(Item(ARCHIVE.to_owned()), Effect::Export(archive), move |_| report).await?;
        // What stays behind goes with the archive.
        if let Err(error) = mount.work(move |_| files.drop_parts()).await? {
            tracing::warn!(%error, "what an archive was made from was not removed");
        }
        Ok(())
    }
}

/// A file that lies beside the others.
#[derive(Default)]
struct Made {
    bytes: u64,
    notes: Vec<Note>,
    /// Why it shows the loss of the pyramid, though it has none of its own.
    loss: Option<Message>,
    /// Why it was drawn from a pyramid that would be made otherwise today.
    stale: Option<Message>,
    /// Why it has no XMP, though it shall have that of the original.
    no_xmp: Option<Message>,
}

fn success(entry: &Entry, Made { bytes, notes, loss, stale, no_xmp }: Made) -> ItemReport {
    let message =
        Message::new("export-file-success").with("file", entry.file.clone()).with("name", entry.target.clone());
    let line = LogLine::new(LogType::ExportJobRenderFileSuccess, message);
    let name = || entry.target.clone();
    let notes =
        notes.iter().map(|note| Message::new("export-note").with("name", name()).with("reason", reason::other(note)));
    let loss = loss.map(|why| Message::new("export-has-loss").with("name", name()).with("reason", why));
    let stale = stale.map(|why| Message::new("export-is-stale").with("name", name()).with("reason", why));
    let no_xmp = no_xmp.map(|why| Message::new("export-no-xmp").with("name", name()).with("reason", why));
    let remarks: Vec<LogLine> = notes
        .chain(loss)
        .chain(stale)
        .chain(no_xmp)
        .map(|message| LogLine::new(LogType::ExportJobWarning, message))
        .collect();
    let about = |line: LogLine| line.about(Some(entry.asset), entry.name.clone(), FileType::ExportJobRenderedFile);
    ItemReport {
        result: json!(bytes),
        counters: Counters { success: 1, warning: remarks.len() as i64, ..Counters::default() },
        lines: [line].into_iter().chain(remarks).map(about).collect(),
        ..ItemReport::default()
    }
}

/// An order that passed every check when it was submitted, but cannot be carried out any more.
fn outdated(why: impl std::fmt::Display) -> Failure {
    Failure::because(reason::other(why))
}
