//! Which files the trees shall hold, written down page by page.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};

use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::json;

use super::clash;
use super::rule::{Content, Given};
use super::trees::TreeError;
use super::{PAGE, Run};
use crate::assets::blobs::{BlobError, Blobs};
use crate::executors::pictures::{self, Unmade};
use crate::executors::{Bytes, Failure, Item, reason};
use crate::model::asset::DerivedRole;
use crate::model::handle;
use crate::model::id::AssetId;
use crate::model::log::{FileType, LogLine, Message};
use crate::model::outcome::Counters;
use crate::store::effect::Effect;
use crate::store::jobs::attempt::ItemReport;
use crate::store::publishing::{AssetState, Publication, PublishStep, Wanted, WantedFile};

/// Goes through the assets in the order of their numbers. A page is an item, and its result is where it ended, so that a
/// later attempt goes on behind it even if the list is another one by then.
pub async fn record(run: &Run<'_>) -> Result<(), Failure> {
    let store = run.context.store();
    let assets = if run.publish.is_full() {
        store.assets_of_context(run.state.id).await?
    } else {
        let mut assets = store.assets_changed(run.context.run.company, run.start.begun.scanned).await?;
        // What could not be had the last time is tried again.
        assets.extend(store.refused_assets(run.state.id).await?);
        assets.sort_unstable();
        assets.dedup();
        assets
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
    let mut refused = Refused::new();
    if !to_do.is_empty() {
        refused.extend(supply(run, to_do, MADE).await?);
        states = store.publish_states(company, run.state.id, page).await?;
    }
    let damaged = bring(run, &states, &refused).await?;
    if !damaged.is_empty() {
        // What was made from a master can be made from it again.
        let to_do = states.iter().filter(|state| damaged.contains_key(&state.id)).cloned().collect();
        refused.extend(supply(run, to_do, MADE).await?);
        states = store.publish_states(company, run.state.id, page).await?;
    }
    let mut report = ItemReport { result: json!(page.last()), ..ItemReport::default() };
    if !damaged.is_empty() {
        let again: Vec<AssetState> = states.iter().filter(|state| damaged.contains_key(&state.id)).cloned().collect();
        for (asset, why) in bring(run, &again, &refused).await? {
            if let Some(state) = states.iter().find(|state| state.id == asset) {
                refuse(run, state, why.clone(), &mut report);
            }
            refused.insert(asset, why.code);
        }
    }
    let clashing = clash::clashing(run, &states).await?;
    let mut wanted = Vec::with_capacity(page.len());
    for asset in page {
        let Some(state) = states.iter().find(|state| state.id == *asset) else {
            // It is gone altogether.
            wanted.push(Wanted { asset: *asset, files: Vec::new(), forced: false });
            continue;
        };
        // What cannot be published now stays as it is published, if it is.
        if refused.contains_key(asset) {
            continue;
        }
        if let Some(path) = clashing.get(asset) {
            let why = Message::new("reason-path-taken").with("path", path.clone());
            refused.insert(*asset, why.code.clone());
            refuse(run, state, why, &mut report);
        } else if let Some(files) = files(run, state) {
            wanted.push(Wanted { asset: *asset, files, forced: state.forced > run.start.begun.scanned });
        }
    }
    let Some(first) = page.first() else { return Ok(()) };
    let refused = refused.into_iter().filter(|(_, code)| reason::may_pass(code)).map(|(asset, _)| asset).collect();
    let step = PublishStep::Record { context: run.state.id, seq: run.start.begun.seq, wanted, refused };
    run.context.commit(Item(format!("{RECORDED}{first}")), Effect::Publish(step), move |_| report).await?;
    Ok(())
}

/// Assets that cannot be published now, with the codes of the reasons that the log has.
type Refused = HashMap<AssetId, String>;

/// Brings what is new in these assets to the disk of the trees; gives those that have a file which is not what was stored.
async fn bring(run: &Run<'_>, states: &[AssetState], refused: &Refused) -> Result<HashMap<AssetId, Message>, Failure> {
    let assets: Vec<AssetId> = states.iter().map(|state| state.id).collect();
    let there = run.context.store().published_blobs(run.state.id, &assets).await?;
    let is_new = |file: &WantedFile| !file.blob.is_empty() && there.get(&file.file_name) != Some(&file.blob);
    let new = states.iter().filter(|state| !refused.contains_key(&state.id)).filter_map(|state| {
        let files = files(run, state)?;
        let blobs: Vec<String> = files.into_iter().filter(is_new).map(|file| file.blob).collect();
        (!blobs.is_empty()).then(|| (state.id, state.name.clone(), blobs))
    });
    let brought: Vec<(AssetId, Option<Message>)> = stream::iter(new.collect::<Vec<_>>())
        .take_while(|_| std::future::ready(!run.context.stop_token().is_cancelled()))
        .map(|(asset, name, blobs)| async move {
            let (trees, store) = (run.trees.clone(), run.publish.workshop.blobs.clone());
            let (progress, stop) = (run.context.clone(), run.context.stop_token().clone());
            let brought = run.publish.workshop.work(move |abandoned| {
                let _working = progress.working_on(name);
                let stop = || abandoned() || stop.is_cancelled();
                blobs.iter().try_for_each(|blob| trees.bring(&store, blob, &stop))
            });
            match brought.await? {
                Ok(()) => Ok((asset, None)),
                Err(TreeError::Blob(why)) if why.is_of_file() => {
                    tracing::error!(error = %why, "a stored file cannot be published");
                    Ok((asset, Some(reason::of_blob(&why))))
                }
                Err(error) => Err(Failure::from(error)),
            }
        })
        .buffer_unordered(run.publish.workshop.settings.parallel * 2)
        .try_collect()
        .await?;
    run.context.checkpoint()?;
    Ok(brought.into_iter().filter_map(|(asset, why)| Some((asset, why?))).collect())
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
            Content::Text(text) => {
                let (blob, bytes) = (Blobs::id_of(text.as_bytes()), text.len() as u64);
                // It is short, and made at once where it was damaged.
                run.publish.workshop.blobs.content(&blob, bytes).ok()?;
                (blob, bytes)
            }
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

/// Makes again what files in the trees were made of, for which the stored ones are no help any more. Whether anything was
/// made. What was damaged with its master is left as it is.
pub async fn make_again(run: &Run<'_>, lost: &[Publication]) -> Result<bool, Failure> {
    let mut assets: Vec<AssetId> = lost.iter().map(|row| row.asset).collect();
    assets.sort_unstable();
    assets.dedup();
    let mut is_made = false;
    for page in assets.chunks(PAGE) {
        let mut states = run.context.store().publish_states(run.context.run.company, run.state.id, page).await?;
        states.retain(|state| given(run, state).iter().any(|given| matches!(given.content, Content::Made(_))));
        let blobs = run.publish.workshop.blobs.clone();
        let sound = run.publish.workshop.work(move |stop| {
            let mut sound = Vec::new();
            for state in states {
                match blobs.verify(&state.blob, stop) {
                    Err(error) if error.is_of_file() => {}
                    verified => verified.map(|()| sound.push(state))?,
                }
            }
            Ok::<_, BlobError>(sound)
        });
        let sound = sound.await??;
        let tried = sound.len();
        is_made |= supply(run, sound, MADE_AGAIN).await?.len() < tried;
    }
    Ok(is_made)
}

/// What the keys of items begin with that make what is missing, and of those that make it once more.
const MADE: &str = "/made:";
const MADE_AGAIN: &str = "/made again:";

/// Makes what is missing, a few assets at a time, and gives those that it cannot be made for. The log has their lines.
async fn supply(run: &Run<'_>, states: Vec<AssetState>, item: &str) -> Result<Refused, Failure> {
    let supplied: Vec<Option<(AssetId, String)>> = stream::iter(states)
        .take_while(|_| std::future::ready(!run.context.stop_token().is_cancelled()))
        .map(|state| async move {
            let asset = state.id;
            Ok::<_, Failure>(supply_one(run, state, item).await?.map(|code| (asset, code)))
        })
        .buffer_unordered(run.publish.workshop.settings.parallel * 2)
        .try_collect()
        .await?;
    run.context.checkpoint()?;
    Ok(supplied.into_iter().flatten().collect())
}

/// The code of the reason, if it was refused: by this attempt or by an earlier one.
async fn supply_one(run: &Run<'_>, state: AssetState, item: &str) -> Result<Option<String>, Failure> {
    let key = format!("{item}{}", state.id);
    if let Some(result) = run.done.get(&key) {
        return Ok(result.as_str().map(str::to_owned));
    }
    let (workshop, recipes, progress) = (run.publish.workshop.clone(), run.recipes.clone(), run.context.clone());
    let (asset, given) = (state.clone(), given(run, &state));
    let (mut texts, mut is_published, mut is_made) = (Vec::new(), false, false);
    for given in given {
        match given.content {
            Content::Text(text) => texts.push(text),
            Content::Master => is_published = true,
            Content::Made(_) => is_made = true,
            Content::IfMade(_) | Content::Beside(_) | Content::Nothing => {}
        }
    }
    let (blobs, master) = (workshop.blobs.clone(), state.blob.clone());
    let written = run.publish.workshop.work(move |stop| {
        for text in texts {
            blobs.store(&mut text.as_bytes(), u64::MAX, stop)?;
        }
        // What is made anew is verified as it is read.
        if is_published && !is_made { blobs.verify(&master, stop).map_err(Unmade::from) } else { Ok(()) }
    });
    let made = match written.await? {
        Err(unmade) => Err(unmade),
        // The job that draws its document makes it, together with the others.
        Ok(()) if is_made && asset.making.page.is_some() => Err(Unmade::Refused(Message::new(reason::PAGE_LOST))),
        Ok(()) if is_made => {
            let bytes = Bytes::of(&state.blob, &state.file_name);
            let remade = run.publish.workshop.work_on(run.context, bytes, move |stop| {
                let _working = progress.working_on(&asset.name);
                pictures::remake(&workshop, &recipes, &asset.blob, &asset.file_name, &asset.making, stop)
            });
            remade.await.map(Some)
        }
        Ok(()) => Ok(None),
    };
    let mut report = ItemReport::default();
    let effect = match made {
        Ok(None) => Effect::Nothing,
        Ok(Some(made)) => {
            let (company, source_blob) = (run.context.run.company, state.blob.clone());
            Effect::Derive { company, asset: state.id, source_blob, derived: made.derived }
        }
        Err(Unmade::Refused(why)) => {
            report.result = json!(why.code);
            refuse(run, &state, why, &mut report);
            Effect::Nothing
        }
        Err(Unmade::Failed(failure)) => return Err(failure),
    };
    let code = report.result.as_str().map(str::to_owned);
    run.context.commit(Item(key), effect, move |_| report).await?;
    Ok(code)
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
