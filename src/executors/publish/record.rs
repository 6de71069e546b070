//! Which files the trees shall hold, written down page by page.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::json;

use super::clash;
use super::rule::{Content, Given};
use super::{PAGE, Run};
use crate::assets::blobs::Blobs;
use crate::executors::pictures::{self, Unmade};
use crate::executors::{Bytes, Failure, Item, reason};
use crate::model::asset::DerivedRole;
use crate::model::handle;
use crate::model::id::AssetId;
use crate::model::log::{FileType, LogLine, Message};
use crate::model::outcome::Counters;
use crate::store::effect::Effect;
use crate::store::jobs::attempt::ItemReport;
use crate::store::publishing::{AssetState, PublishStep, Wanted, WantedFile};

/// Goes through the assets in the order of their numbers. A page is an item, and its result is where it ended, so that a
/// later attempt goes on behind it even if the list is another one by then.
pub async fn record(run: &Run<'_>) -> Result<(), Failure> {
    let store = run.context.store();
    let assets = if run.publish.is_full() {
        store.assets_of_context(run.state.id).await?
    } else {
        store.assets_changed(run.context.run.company, run.start.begun.scanned).await?
    };
    let pages = run.done.iter().filter(|(key, _)| key.starts_with(RECORDED));
    let reached = pages.filter_map(|(_, result)| result.as_i64()).max().unwrap_or(0);
    let rest: Vec<AssetId> = assets.into_iter().filter(|asset| asset.0 > reached).collect();
    run.context.plan(run.done.len() + rest.len().div_ceil(PAGE) + ITEMS_AFTERWARDS).await?;
    for page in rest.chunks(PAGE) {
        run.context.checkpoint()?;
        record_page(run, page).await?;
    }
    Ok(())
}

const RECORDED: &str = "/recorded:";

/// Staged, switched, and at least one page of lines.
const ITEMS_AFTERWARDS: usize = 3;

async fn record_page(run: &Run<'_>, page: &[AssetId]) -> Result<(), Failure> {
    let store = run.context.store();
    let company = run.context.run.company;
    let mut states = store.publish_states(company, run.state.id, page).await?;
    let to_do: Vec<AssetState> = states.iter().filter(|state| files(run, state).is_none()).cloned().collect();
    if !to_do.is_empty() {
        supply(run, to_do).await?;
        states = store.publish_states(company, run.state.id, page).await?;
    }
    let clashing = clash::clashing(run, &states).await?;
    let mut wanted = Vec::with_capacity(page.len());
    let mut report = ItemReport { result: json!(page.last()), ..ItemReport::default() };
    for asset in page {
        let Some(state) = states.iter().find(|state| state.id == *asset) else {
            // It is gone altogether.
            wanted.push(Wanted { asset: *asset, files: Vec::new(), forced: false });
            continue;
        };
        // What cannot be published now stays as it is published, if it is.
        if let Some(path) = clashing.get(asset) {
            refuse(run, state, Message::new("reason-path-taken").with("path", path.clone()), &mut report);
        } else if let Some(files) = files(run, state) {
            wanted.push(Wanted { asset: *asset, files, forced: state.forced > run.start.begun.scanned });
        }
    }
    let Some(first) = page.first() else { return Ok(()) };
    let step = PublishStep::Record { context: run.state.id, seq: run.start.begun.seq, wanted };
    run.context.commit(Item(format!("{RECORDED}{first}")), Effect::Publish(step), move |_| report).await?;
    Ok(())
}

/// What an asset gives to the context as it is marked now.
pub fn given(run: &Run<'_>, state: &AssetState) -> Vec<Given> {
    if state.is_wanted { (run.publish.rule.files)(state) } else { Vec::new() }
}

/// The files of an asset in the trees; None if they have to be made first.
fn files(run: &Run<'_>, state: &AssetState) -> Option<Vec<WantedFile>> {
    let mut files = Vec::new();
    for given in given(run, state) {
        let (blob, bytes) = match given.content {
            Content::Master => (state.blob.clone(), state.bytes),
            Content::Made(role) => fresh(run, state, role)?,
            Content::IfMade(role) => match fresh(run, state, role) {
                Some(made) => made,
                None => continue,
            },
            Content::Beside(role) => match beside(state, role) {
                Some(made) => made,
                None => continue,
            },
            Content::Text(text) => (Blobs::id_of(text.as_bytes()), text.len() as u64),
            Content::Nothing => (String::new(), 0),
        };
        if !blob.is_empty() && !run.publish.workshop.blobs.contains(&blob) {
            return None;
        }
        files.push(WantedFile {
            file_name: given.file_name,
            blob,
            bytes,
            asset_name: state.name.clone(),
            file_type: given.file_type,
            detail: (!given.detail.is_empty()).then(|| given.detail.into()),
        });
    }
    Some(files)
}

/// What was made of the present master in the way it would be now: blob and size.
fn fresh(run: &Run<'_>, state: &AssetState, role: DerivedRole) -> Option<(String, u64)> {
    let recipe = run.recipes.of(&state.making);
    let made = state.derived.iter().find(|made| made.role == role)?;
    (made.source_blob == state.blob && made.recipe == recipe).then(|| (made.blob.clone(), made.bytes))
}

/// What was made from the present master, in whatever way: blob and size.
fn beside(state: &AssetState, role: DerivedRole) -> Option<(String, u64)> {
    let made = state.derived.iter().find(|made| made.role == role && made.source_blob == state.blob)?;
    Some((made.blob.clone(), made.bytes))
}

/// Makes what is missing, a few assets at a time.
async fn supply(run: &Run<'_>, states: Vec<AssetState>) -> Result<(), Failure> {
    stream::iter(states)
        .take_while(|_| std::future::ready(!run.context.stop_token().is_cancelled()))
        .map(|state| supply_one(run, state))
        .buffer_unordered(run.publish.workshop.settings.parallel * 2)
        .try_collect::<()>()
        .await?;
    run.context.checkpoint()
}

async fn supply_one(run: &Run<'_>, state: AssetState) -> Result<(), Failure> {
    let key = format!("/made:{}", state.id);
    if run.is_done(&key) {
        return Ok(());
    }
    let (workshop, recipes, progress) = (run.publish.workshop.clone(), run.recipes.clone(), run.context.clone());
    let (asset, given) = (state.clone(), given(run, &state));
    let is_written_here = !given.iter().any(|given| matches!(given.content, Content::Master | Content::Made(_)));
    let texts = given.into_iter().filter_map(|given| match given.content {
        Content::Text(text) => Some(text),
        Content::Master | Content::Made(_) | Content::IfMade(_) | Content::Beside(_) | Content::Nothing => None,
    });
    let texts: Vec<String> = texts.collect();
    let blobs = workshop.blobs.clone();
    let written = run.publish.workshop.work(move |stop| {
        texts.iter().try_for_each(|text| blobs.store(&mut text.as_bytes(), u64::MAX, stop).map(drop))
    });
    written.await??;
    let made = if is_written_here {
        Ok(None)
    } else {
        let remade = run.publish.workshop.work_on(run.context, Bytes::of(&state.blob, &state.file_name), move |stop| {
            let _working = progress.working_on(&asset.name);
            pictures::remake(&workshop, &recipes, &asset.blob, &asset.file_name, &asset.making, stop)
        });
        remade.await.map(Some)
    };
    let (effect, report) = match made {
        Ok(None) => (Effect::Nothing, ItemReport::default()),
        Ok(Some(made)) => {
            let (company, source_blob) = (run.context.run.company, state.blob.clone());
            let effect = Effect::Derive { company, asset: state.id, source_blob, derived: made.derived };
            (effect, ItemReport::default())
        }
        Err(Unmade::Refused(why)) => {
            let mut report = ItemReport::default();
            refuse(run, &state, why, &mut report);
            (Effect::Nothing, report)
        }
        Err(Unmade::Failed(failure)) => return Err(failure),
    };
    run.context.commit(Item(key), effect, move |_| report).await?;
    Ok(())
}

/// The line of an asset that cannot be published.
fn refuse(run: &Run<'_>, state: &AssetState, why: Message, report: &mut ItemReport) {
    let message = Message::new("publish-error")
        .with("file", state.name.clone())
        .with("context", run.state.name.clone())
        .with("reason", why);
    let line = LogLine::new(run.publish.rule.types.error, message);
    report.lines.push(line.about(Some(state.id), state.name.clone(), FileType::of_master(state.asset_type)));
    report.counters += Counters { error: 1, transfer_error: 1, ..Counters::default() };
}

/// Assets whose words are in memory at once: a page may have 20,000.
const SEARCHED: usize = 20;

/// What is known of every asset published, for search: a line of JSON each, in `file`.
pub async fn search_lines(run: &Run<'_>, file: File) -> Result<File, Failure> {
    let store = run.context.store();
    let failed = |error: io::Error| Failure::Transient(reason::other(format!("cannot write search data: {error}")));
    let mut lines = BufWriter::new(file);
    let mut assets: Vec<AssetId> =
        store.publications_present(run.state.id).await?.iter().map(|row| row.asset).collect();
    // Some have several files.
    assets.sort_unstable();
    assets.dedup();
    for assets in assets.chunks(SEARCHED) {
        run.context.checkpoint()?;
        let (words, maps) = (store.words_of(assets).await?, store.image_maps_of(assets).await?);
        for state in store.publish_states(run.context.run.company, run.state.id, assets).await? {
            let mut line = json!({
                "asset": state.name,
                "id": state.id,
                "type": state.asset_type,
                "folder": handle::folder_path(&run.company_root, &state.folder),
                "file": state.file_name,
                "width": state.pixels.map(|(width, _)| width),
                "height": state.pixels.map(|(_, height)| height),
            });
            if let Some(words) = words.get(&state.id) {
                line["words"] = json!(words);
            }
            if let Some(maps) = maps.get(&state.id) {
                line["imageMaps"] = json!(maps);
            }
            writeln!(lines, "{line}").map_err(failed)?;
        }
    }
    lines.into_inner().map_err(|error| failed(error.into_error()))
}
