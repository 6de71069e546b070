//! reprocessAssetsJob: runs the processing of uploads again on masters that are stored.
//!
//! Each asset is an item under its number. The original stays as it is; what the options ask for is kept with the asset,
//! and all that is derived from it is made anew.

use std::collections::HashSet;

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use serde_json::json;

use super::context::ROUNDS;
use super::pictures::{Ready, Unmade};
use super::process::{self, Filed, Ordered, Processing, Subject};
use super::settings::Room;
use super::{Bytes, Context, Executor, Failure, Item, Workshop, options, reason};
use crate::assets::blobs::Blob;
use crate::model::asset::AssetType;
use crate::model::handle;
use crate::model::id::AssetId;
use crate::model::job::ReprocessAssetsJob;
use crate::model::log::{FileType, LogLine, LogType, Message};
use crate::model::name::FileName;
use crate::model::outcome::Counters;
use crate::store::assets::ingest::Replacement;
use crate::store::assets::metadata::Brought;
use crate::store::effect::{Applied, Effect};
use crate::store::jobs::attempt::ItemReport;
use crate::store::pictures::KnownAsset;

pub struct ReprocessAssets {
    pub order: ReprocessAssetsJob,
    pub workshop: Workshop,
}

/// An asset, and what became of it before it could be committed.
struct Done {
    asset: AssetId,
    known: Option<KnownAsset>,
    result: Result<Ready, Message>,
}

#[async_trait]
impl Executor for ReprocessAssets {
    async fn run(&self, context: &Context) -> Result<(), Failure> {
        let processing = Processing::of_known(context, &self.workshop, &self.order.options).await?;
        let assets = self.assets()?;
        let done = context.done_items().await?;
        let has_beginning = options::log_beginning(context, Vec::new()).await?;
        context.plan(assets.len() + usize::from(has_beginning)).await?;
        context.say(Message::new("progress-reprocessing"));
        processing.resume(context, &self.workshop, &done).await?;
        let to_do = assets.into_iter().filter(|asset| !done.contains_key(&asset.to_string()));
        let mut processed = stream::iter(to_do)
            .take_while(|_| std::future::ready(!context.stop_token().is_cancelled()))
            .map(|asset| self.process(context, &processing, asset))
            .buffered(self.workshop.settings.parallel * 2);
        while let Some(one) = processed.next().await {
            self.finish(context, &processing, one?).await?;
        }
        context.checkpoint()
    }
}

impl ReprocessAssets {
    /// Each asset once, in the order of the job.
    fn assets(&self) -> Result<Vec<AssetId>, Failure> {
        let mut seen = HashSet::new();
        let handles = self.order.asset_handle_array.iter();
        let assets = handles.map(|text| handle::parse_asset("assetHandleArray", text));
        let mut assets = assets.collect::<Result<Vec<_>, _>>().map_err(|e| Failure::because(reason::other(e)))?;
        assets.retain(|asset| seen.insert(*asset));
        Ok(assets)
    }

    async fn process(&self, context: &Context, processing: &Processing, asset: AssetId) -> Result<Done, Failure> {
        let known = context.reads().assets_numbered(context.run.company, &[asset]).await?.pop();
        let known = known.filter(|known| !known.is_given_up);
        let why = match &known {
            None => Some("reason-asset-unknown"),
            Some(known) if known.in_trash => Some("reason-asset-in-trash"),
            Some(known) if known.master.blob.is_empty() => Some("reason-no-master"),
            Some(known) if known.master.making.page.is_some() => Some(reason::of_page(known)),
            // Masters of videos have a type of their own.
            Some(known) if known.master.asset_type == AssetType::Video => Some(reason::of_rendition(known)),
            Some(_) => None,
        };
        let (Some(known), None) = (known.clone(), why) else {
            return Ok(Done { asset, known, result: Err(Message::new(why.unwrap_or("reason-asset-unknown"))) });
        };
        let (workshop, processing, progress) = (self.workshop.clone(), processing.clone(), context.clone());
        let subject = known.clone();
        let bytes = Bytes::of(&known.master.blob, &known.file_name);
        let room = self.workshop.room_of(&named(&known), known.master.bytes);
        let work = self.workshop.work_in(room, context, bytes, move |stop| {
            let _working = progress.working_on(&subject.name);
            examine(&workshop, &subject, &processing, room, stop)
        });
        let result = match work.await {
            Ok(ready) => Ok(ready),
            Err(Unmade::Refused(why)) => Err(why),
            Err(Unmade::Failed(failure)) => return Err(failure),
        };
        Ok(Done { asset, known: Some(known), result })
    }

    /// Commits what was made; and makes it again if somebody has given the asset another master, or another crop, meanwhile.
    async fn finish(&self, context: &Context, processing: &Processing, mut done: Done) -> Result<(), Failure> {
        let asset = done.asset;
        for _ in 0..ROUNDS {
            let blob = done.result.as_ref().ok().map(|ready| ready.master.blob.clone());
            match self.commit(context, processing, done).await? {
                Some(Applied::Overtaken(_)) => {}
                Some(Applied::Derived(asset)) => {
                    let filed = Filed { asset, blob: blob.as_deref(), ordered: Ordered::Now };
                    return processing.make_parts(context, &self.workshop, filed, &asset.to_string()).await;
                }
                _ => return Ok(()),
            }
            context.checkpoint()?;
            done = self.process(context, processing, asset).await?;
        }
        let result = Err(Message::new("reason-asset-changing"));
        self.commit(context, processing, Done { result, ..done }).await.map(|_| ())
    }

    async fn commit(&self, context: &Context, processing: &Processing, done: Done) -> Result<Option<Applied>, Failure> {
        let Done { asset, known, result } = done;
        let item = Item(asset.to_string());
        let (known, ready) = match (known, result) {
            (Some(known), Ok(ready)) => (known, ready),
            (known, Err(why)) => {
                let report = failure(asset, known.as_ref(), why);
                return context.commit(item, Effect::Nothing, move |_| report).await;
            }
            (None, Ok(_)) => return Ok(None),
        };
        let replacement = Replacement {
            company: context.run.company,
            asset,
            file_name: None,
            master: ready.master.clone(),
            move_to: None,
            marking: processing.marking,
            by: context.run.responsible,
            at: context.clock.now(),
        };
        let (fields, updates) = (ready.metadata.clone(), ready.updates.clone());
        let brought = Brought { fields, keywords: Vec::new(), updates };
        let effect = Effect::Reprocess {
            replacement: Box::new(replacement),
            making: Box::new(ready.built_on.clone()),
            derived: ready.derived.clone(),
            brought: Box::new(brought),
        };
        context.commit(item, effect, move |_| success(&known, &ready)).await
    }
}

/// Processes a stored master again. Blocks.
fn examine(
    workshop: &Workshop,
    known: &KnownAsset,
    processing: &Processing,
    room: Room,
    stop: &dyn Fn() -> bool,
) -> Result<Ready, Unmade> {
    workshop.blobs.verify(&known.master.blob, stop)?;
    let name = named(known);
    let blob = Blob { id: known.master.blob.clone(), bytes: known.master.bytes };
    process::examine(workshop, Subject { blob: &blob, name: &name, known: Some(known), room }, processing, stop)
}

fn named(known: &KnownAsset) -> FileName {
    let (stem, extension) = known.file_name.rsplit_once('.').unwrap_or((&known.file_name, ""));
    FileName { stem: stem.to_owned(), extension: extension.to_owned(), changed: false }
}

fn success(known: &KnownAsset, ready: &Ready) -> ItemReport {
    let message = Message::new("reprocess-success")
        .with("asset", known.name.clone())
        .with("type", AssetType::as_str(ready.master.asset_type))
        .with("bytes", ready.master.bytes);
    let file_type = FileType::of_master(ready.master.asset_type);
    let line = |log_type, message| LogLine::new(log_type, message).about(Some(known.id), &known.name, file_type);
    let mut lines = vec![line(LogType::ReoptimizeSuccess, message)];
    let warnings = ready.warnings.iter().map(|warning| warning.told_of(&known.name));
    lines.extend(warnings.map(|message| line(LogType::UploadWarning, message)));
    let mut result = json!({});
    process::note_parent(&mut result, (known.id, &ready.master.blob, ready.format), Ordered::Now);
    let counters = Counters { success: 1, warning: lines.len() as i64 - 1, ..Counters::default() };
    ItemReport { result, counters, lines, ..ItemReport::default() }
}

fn failure(asset: AssetId, known: Option<&KnownAsset>, why: Message) -> ItemReport {
    let name = known.map_or_else(|| format!("a|{asset}"), |known| known.name.clone());
    let message = Message::new("reprocess-failure").with("asset", name.clone()).with("reason", why);
    let file_type = known.map_or(FileType::NoType, |known| FileType::of_master(known.master.asset_type));
    let line = LogLine::new(LogType::ReoptimizeFailure, message);
    let line = line.about(known.map(|known| known.id), name, file_type);
    ItemReport { counters: Counters { error: 1, ..Counters::default() }, lines: vec![line], ..ItemReport::default() }
}
