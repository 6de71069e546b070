//! The slow look at the files that assets have: whether they are still what was stored.
//!
//! Each night some of them are read, in the order of their names, as many bytes as the settings allow. Where it stopped is
//! kept in the database with the page that was read, and the next night goes on from there; at the end it begins again. The
//! archives of exports live for days only: they are all looked at, and read with half of the bytes.
//!
//! What is damaged is reported, each night that it is come upon, and nothing is changed: see `prepress doctor`.

use serde_json::{Value, json};

use super::Cleanup;
use crate::assets::blobs::{BlobError, Blobs, inspect_file};
use crate::assets::exports::archive_path;
use crate::executors::{Context, Failure, Item};
use crate::model::damage::{Damage, FileOwner, Maker};
use crate::model::log::{FileType, LogLine, LogType, Message};
use crate::model::outcome::Counters;
use crate::store::cleanup::CleanupStep;
use crate::store::effect::Effect;
use crate::store::exports::Export;
use crate::store::files::NamedFile;
use crate::store::jobs::attempt::ItemReport;

/// Files read before that is written down.
const PAGE: i64 = 500;

/// Bytes read before that is written down, unless a single file has more.
const PAGE_BYTES: u64 = 1 << 30;

/// Items of it begin so; their results are the bytes that were read.
const SCRUBBED: &str = "scrub ";
const EXPORTS: &str = "exports";
const END: &str = "end";

/// The most items that there can be.
pub(super) async fn pages(context: &Context) -> Result<usize, Failure> {
    let totals = context.reads().file_totals().await?;
    let pages = totals.files / PAGE.unsigned_abs() + 2 * (totals.bytes / PAGE_BYTES) + 4;
    Ok(usize::try_from(pages).unwrap_or(usize::MAX))
}

impl Cleanup {
    pub(super) async fn scrub(&self, context: &Context) -> Result<(), Failure> {
        let budget = self.workshop.settings.scrub;
        if budget == 0 {
            return Ok(());
        }
        context.say(Message::new("progress-scrubbing"));
        let done = context.done_below(SCRUBBED).await?;
        let mut used: u64 = done.values().filter_map(Value::as_u64).sum();
        if !done.contains_key(EXPORTS) {
            used += self.scrub_exports(context, budget / 2).await?;
        }
        let mut is_over = done.contains_key(END);
        while !is_over && used < budget {
            context.checkpoint()?;
            let (bytes, is_end) = self.scrub_page(context, budget - used).await?;
            used += bytes;
            is_over = is_end;
        }
        Ok(())
    }

    /// Reads the next files, with no more bytes than these unless the first one has more. How many they were, and whether
    /// there are none behind them.
    async fn scrub_page(&self, context: &Context, most: u64) -> Result<(u64, bool), Failure> {
        let store = context.reads();
        let after = store.scrubbed_until().await?;
        let page = within(store.named_files(&after, PAGE).await?, most.min(PAGE_BYTES));
        let Some(last) = page.last() else {
            let step = CleanupStep::Scrubbed { until: String::new() };
            let item = Item(format!("{SCRUBBED}{END}"));
            context.commit(item, Effect::Cleanup(step), |_| ItemReport::default()).await?;
            return Ok((0, true));
        };
        let (item, step) = (format!("{SCRUBBED}{}", last.blob), CleanupStep::Scrubbed { until: last.blob.clone() });
        let bytes = page.iter().filter_map(|file| file.bytes).sum();
        let lines = self.damaged(context, page).await?;
        let report = ItemReport { result: json!(bytes), ..problems(lines) };
        context.count_damaged(report.lines.len() as u64);
        context.commit(Item(item), Effect::Cleanup(step), move |_| report).await?;
        Ok((bytes, false))
    }

    async fn damaged(&self, context: &Context, page: Vec<NamedFile>) -> Result<Vec<LogLine>, Failure> {
        let (blobs, stop) = (self.workshop.blobs.clone(), context.stop_token().clone());
        let look = move |abandoned: &dyn Fn() -> bool| {
            page.into_iter()
                .filter_map(|file| {
                    let damage = inspect(&blobs, &file, &|| abandoned() || stop.is_cancelled());
                    damage.transpose().map(|damage| damage.map(|damage| (file, damage)))
                })
                .collect::<Result<Vec<_>, BlobError>>()
        };
        let mut lines = Vec::new();
        for (file, _) in self.workshop.work(look).await?? {
            lines.extend(self.look_again(context, file).await?);
        }
        Ok(lines)
    }

    /// Jobs beside us replace files and forget rows: what is still so, is so.
    async fn look_again(&self, context: &Context, file: NamedFile) -> Result<Vec<LogLine>, Failure> {
        let owners = context.reads().file_owners(&file.blob).await?;
        let (blobs, again) = (self.workshop.blobs.clone(), file.clone());
        let Some(damage) = self.workshop.work(move |stop| inspect(&blobs, &again, stop)).await?? else {
            return Ok(Vec::new());
        };
        Ok(owners.iter().map(|owner| line(&damage, owner, &file.blob)).collect())
    }

    async fn scrub_exports(&self, context: &Context, budget: u64) -> Result<u64, Failure> {
        let store = context.reads();
        let (mut used, mut lines) = (0, Vec::new());
        for export in store.exports_until(context.clock.now()).await? {
            context.checkpoint()?;
            let thoroughly = export.sha256.is_some() && used + export.bytes <= budget;
            used += if thoroughly { export.bytes } else { 0 };
            let Some(damage) = self.inspect_export(context, &export, thoroughly).await? else { continue };
            if store.export(export.run).await?.is_some_and(|export| export.expires_at > context.clock.now()) {
                let line = LogLine::new(LogType::CleanupWarning, damage.of_export(export.run));
                lines.push(line.about(None, export.address, FileType::ExportJobZip));
            }
        }
        let report = ItemReport { result: json!(used), ..problems(lines) };
        context.count_damaged(report.lines.len() as u64);
        context.commit(Item(format!("{SCRUBBED}{EXPORTS}")), Effect::Nothing, move |_| report).await?;
        Ok(used)
    }

    async fn inspect_export(
        &self,
        context: &Context,
        export: &Export,
        thoroughly: bool,
    ) -> Result<Option<Damage>, Failure> {
        let path = archive_path(&self.workshop.settings.export_root, export.run, &export.token);
        let (bytes, sha256) = (export.bytes, export.sha256.clone().filter(|_| thoroughly));
        let stop = context.stop_token().clone();
        let look = move |abandoned: &dyn Fn() -> bool| {
            inspect_file(&path, Some(bytes), sha256.as_deref(), &|| abandoned() || stop.is_cancelled())
        };
        Ok(self.workshop.export_mount().work(look).await??)
    }
}

fn inspect(blobs: &Blobs, file: &NamedFile, stop: &dyn Fn() -> bool) -> Result<Option<Damage>, BlobError> {
    blobs.inspect(&file.blob, file.bytes, true, stop)
}

/// The first of the files, with no more bytes than these; one, if it alone has more.
fn within(mut page: Vec<NamedFile>, most: u64) -> Vec<NamedFile> {
    let mut sum = 0_u64;
    let fitting = page.iter().take_while(|file| {
        sum += file.bytes.unwrap_or(0);
        sum <= most
    });
    let count = fitting.count().max(1);
    page.truncate(count);
    page
}

/// What can be made again is a warning; what nobody can make again, an error.
fn line(damage: &Damage, owner: &FileOwner, blob: &str) -> LogLine {
    let log_type = if owner.maker == Maker::Nobody { LogType::CleanupFailure } else { LogType::CleanupWarning };
    let line = LogLine::new(log_type, damage.message_with_remedy(owner, blob));
    line.about(Some(owner.asset), owner.asset_name.clone(), owner.file_type)
}

fn problems(lines: Vec<LogLine>) -> ItemReport {
    let error = lines.iter().filter(|line| line.log_type == LogType::CleanupFailure).count() as i64;
    let counters = Counters { error, warning: lines.len() as i64 - error, ..Counters::default() };
    ItemReport { counters, lines, ..ItemReport::default() }
}
