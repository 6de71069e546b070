//! Which files the trees shall hold, written down page by page.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::Write;
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::clash;
use super::rule::{Content, Given, Rule};
use super::trees::TreeError;
use super::{PAGE, Run};
use crate::assets::blobs::{BlobError, Blobs};
use crate::executors::pictures::{self, Unmade};
use crate::executors::recipe::Recipes;
use crate::executors::{Bytes, Failure, Item, reason};
use crate::model::asset::DerivedRole;
use crate::model::handle;
use crate::model::id::AssetId;
use crate::model::log::{FileType, LogLine, Message};
use crate::model::outcome::Counters;
use crate::store::effect::Effect;
use crate::store::jobs::attempt::ItemReport;
use crate::store::publishing::{AssetState, Cursor, Publication, PublishStep, Wanted, WantedFile};

/// Goes through the assets in the order of their numbers. A page is an item, and its result is where it ended, so that a
/// later attempt goes on behind it even if the list is another one by then.
pub async fn record(run: &Run<'_>) -> Result<(), Failure> {
    let store = run.context.reads();
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
    let reached = run.context.last_below(RECORDED).await?.and_then(|(_, result)| result.as_i64()).unwrap_or(0);
    let rest = &assets[assets.partition_point(|asset| asset.0 <= reached)..];
    run.context.plan_more(rest.len().div_ceil(PAGE) + ITEMS_AFTERWARDS).await?;
    for page in rest.chunks(PAGE) {
        run.context.checkpoint()?;
        record_page(run, page).await?;
    }
    Ok(())
}

const RECORDED: &str = "/recorded:";

/// Staged, switched, and at least one page of lines.
const ITEMS_AFTERWARDS: usize = 3;

/// How often what an asset lacks is made: it may be changed while that is done.
const MOST_ROUNDS: usize = 3;

/// What assets give to the trees. It looks for stored files, and so it blocks.
#[derive(Clone)]
struct Giver {
    rule: &'static Rule,
    recipes: Recipes,
    blobs: Blobs,
}

/// An asset, with its files in the trees; None if they have to be made first.
struct Asset {
    state: AssetState,
    files: Option<Vec<WantedFile>>,
}

async fn look(run: &Run<'_>, page: &[AssetId]) -> Result<Vec<Asset>, Failure> {
    let states = run.context.reads().publish_states(run.context.run.company, run.state.id, page).await?;
    let giver =
        Giver { rule: run.publish.rule, recipes: run.recipes.clone(), blobs: run.publish.workshop.blobs.clone() };
    let found = run.publish.workshop.work(move |_| {
        let asset = |state: AssetState| Asset { files: giver.files(&state), state };
        states.into_iter().map(asset).collect()
    });
    found.await
}

async fn record_page(run: &Run<'_>, page: &[AssetId]) -> Result<(), Failure> {
    let mut assets = look(run, page).await?;
    let mut refused = Refused::new();
    for _ in 0..MOST_ROUNDS {
        let lacks = |asset: &&Asset| asset.files.is_none() && !refused.contains_key(&asset.state.id);
        let to_do: Vec<AssetState> = assets.iter().filter(lacks).map(|asset| asset.state.clone()).collect();
        if to_do.is_empty() {
            break;
        }
        refused.extend(supply(run, to_do, MADE).await?);
        assets = look(run, page).await?;
    }
    let mut report = ItemReport { result: json!(page.last()), ..ItemReport::default() };
    let damaged = bring(run, &assets, &refused).await?;
    if !damaged.is_empty() {
        // What was made from a master can be made from it again.
        let is_damaged = |asset: &Asset| damaged.contains_key(&asset.state.id);
        let to_do = assets.iter().filter(|asset| is_damaged(asset)).map(|asset| asset.state.clone()).collect();
        refused.extend(supply(run, to_do, MADE).await?);
        assets = look(run, page).await?;
        for (asset, why) in bring(run, assets.iter().filter(|asset| is_damaged(asset)), &refused).await? {
            if let Some(asset) = assets.iter().find(|found| found.state.id == asset) {
                refuse(run, &asset.state, why.clone(), &mut report);
            }
            refused.insert(asset, why.code);
        }
    }
    let clashing = clash::clashing(run, assets.iter().map(|asset| &asset.state)).await?;
    let mut assets: HashMap<AssetId, Asset> = assets.into_iter().map(|asset| (asset.state.id, asset)).collect();
    let mut wanted = Vec::with_capacity(page.len());
    for id in page {
        let Some(Asset { state, files }) = assets.remove(id) else {
            // It is gone altogether.
            wanted.push(Wanted { asset: *id, files: Vec::new(), forced: false });
            continue;
        };
        // What cannot be published now stays as it is published, if it is and may be.
        if refused.contains_key(id) {
            wanted.extend(without_master(run, &state).await?);
            continue;
        }
        let why = match (clashing.get(id), files) {
            (Some(path), _) => Message::new("reason-path-taken").with("path", path.clone()),
            (None, Some(files)) => {
                wanted.push(Wanted { asset: *id, files, forced: state.forced > run.start.begun.scanned });
                continue;
            }
            (None, None) => Message::new(reason::CHANGED_MEANWHILE),
        };
        refused.insert(*id, why.code.clone());
        refuse(run, &state, why, &mut report);
    }
    let Some(last) = page.last() else { return Ok(()) };
    let refused = refused.into_keys().collect();
    let step = PublishStep::Record { context: run.state.id, seq: run.start.begun.seq, wanted, refused };
    // In the order of numbers, so that the last one tells how far it came.
    run.context.commit(Item(format!("{RECORDED}{:020}", last.0)), Effect::Publish(step), move |_| report).await?;
    Ok(())
}

/// What is left of an asset that cannot be published now, where its master is published and the context has no masters of such
/// assets: that of a page is its whole document, which may have been withdrawn. None where all of it stays.
async fn without_master(run: &Run<'_>, state: &AssetState) -> Result<Option<Wanted>, Failure> {
    if given(run, state).iter().any(|given| given.content == Content::Master) {
        return Ok(None);
    }
    let rows = run.context.reads().publications_of(run.state.id, &[state.id]).await?;
    let (masters, kept): (Vec<Publication>, Vec<Publication>) =
        rows.into_iter().partition(|row| !row.blob.is_empty() && row.blob == state.blob);
    if masters.is_empty() {
        return Ok(None);
    }
    let files = kept.into_iter().map(|row| WantedFile {
        file_name: row.file_name,
        blob: row.blob,
        bytes: row.bytes,
        asset_name: row.asset_name,
        file_type: row.file_type,
        detail: row.detail,
    });
    Ok(Some(Wanted { asset: state.id, files: files.collect(), forced: false }))
}

/// Assets that cannot be published now, with the codes of the reasons that the log has.
type Refused = HashMap<AssetId, String>;

/// Brings what is new in these assets to the disk of the trees; gives those that have a file which is not what was stored.
async fn bring<'a>(
    run: &Run<'_>,
    assets: impl IntoIterator<Item = &'a Asset> + Clone,
    refused: &Refused,
) -> Result<HashMap<AssetId, Message>, Failure> {
    let ids: Vec<AssetId> = assets.clone().into_iter().map(|asset| asset.state.id).collect();
    let there = run.context.reads().published_blobs(run.state.id, &ids).await?;
    let is_new = |file: &&WantedFile| !file.blob.is_empty() && there.get(&file.file_name) != Some(&file.blob);
    let new = assets.into_iter().filter(|asset| !refused.contains_key(&asset.state.id)).filter_map(|asset| {
        let blobs: Vec<String> = asset.files.iter().flatten().filter(is_new).map(|file| file.blob.clone()).collect();
        (!blobs.is_empty()).then(|| (asset.state.id, asset.state.name.clone(), blobs))
    });
    let new: Vec<(AssetId, String, Vec<String>)> = new.collect();
    match bring_new(run, new.clone()).await {
        Err(Failure::DiskFull) if make_room(run, &new).await? => bring_new(run, new).await,
        brought => brought,
    }
}

/// Takes back what was brought for what is not wanted any more: an attempt before this one, which the disk was too full for,
/// found other assets marked. Whether anything went.
async fn make_room(run: &Run<'_>, new: &[(AssetId, String, Vec<String>)]) -> Result<bool, Failure> {
    let recorded = Cursor::behind(run.start.begun.seq - 1);
    let rows = run.context.reads().next_changed(run.state.id, &recorded, i64::MAX, true, usize::MAX).await?;
    let mut wanted: HashSet<String> = rows.into_iter().map(|row| row.blob).collect();
    wanted.extend(new.iter().flat_map(|(_, _, blobs)| blobs.iter().cloned()));
    run.at_trees(move |trees, stop| trees.keep_in_tray(&wanted, stop)).await
}

async fn bring_new(
    run: &Run<'_>,
    new: Vec<(AssetId, String, Vec<String>)>,
) -> Result<HashMap<AssetId, Message>, Failure> {
    let brought: Vec<(AssetId, Option<Message>)> = stream::iter(new)
        .take_while(|_| std::future::ready(!run.context.stop_token().is_cancelled()))
        .map(|(asset, name, blobs)| async move {
            let (trees, store) = (run.trees.clone(), run.publish.workshop.blobs.clone());
            let (progress, stop) = (run.context.clone(), run.context.stop_token().clone());
            let brought = run.mount.work(move |abandoned| {
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
    given_by(run.publish.rule, state)
}

fn given_by(rule: &Rule, state: &AssetState) -> Vec<Given> {
    if state.is_wanted { (rule.files)(state) } else { Vec::new() }
}

impl Giver {
    /// The files of an asset in the trees; None if they have to be made first.
    fn files(&self, state: &AssetState) -> Option<Vec<WantedFile>> {
        let mut files = Vec::new();
        for given in given_by(self.rule, state) {
            let (blob, bytes) = match given.content {
                Content::Master => (state.blob.clone(), state.bytes),
                Content::Made(role) => self.fresh(state, role)?,
                Content::IfMade(role) => match self.fresh(state, role) {
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
                    self.blobs.content(&blob, bytes).ok()?;
                    (blob, bytes)
                }
                Content::Nothing => (String::new(), 0),
            };
            if !blob.is_empty() && !self.blobs.contains(&blob) {
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
    fn fresh(&self, state: &AssetState, role: DerivedRole) -> Option<(String, u64)> {
        let recipe = self.recipes.of(&state.making);
        let made = state.derived.iter().find(|made| made.role == role)?;
        (made.source_blob == state.blob && made.recipe == recipe).then(|| (made.blob.clone(), made.bytes))
    }
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
        let mut states = run.context.reads().publish_states(run.context.run.company, run.state.id, page).await?;
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

/// What could not be made, and why: the result of the item.
#[derive(Serialize, Deserialize)]
struct Unmakeable {
    /// What it would have been made of.
    of: String,
    code: String,
}

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

/// All that an asset's files are made of, in short.
fn ingredients(run: &Run<'_>, state: &AssetState) -> String {
    let contents: Vec<Content> = given(run, state).into_iter().map(|given| given.content).collect();
    Blobs::id_of(format!("{} {} {contents:?}", state.blob, run.recipes.of(&state.making)).as_bytes())
}

/// The code of the reason, if it was refused: now, or before when it would have been made of the same. What was made before
/// and is missing now is made once more.
async fn supply_one(run: &Run<'_>, state: AssetState, item: &str) -> Result<Option<String>, Failure> {
    let (of, below) = (ingredients(run, &state), format!("{item}{}:", state.id));
    let before = run.context.done_below(&below).await?;
    let refused = before.into_values().filter_map(|result| serde_json::from_value::<Unmakeable>(result).ok());
    if let Some(refused) = refused.into_iter().find(|refused| refused.of == of) {
        return Ok(Some(refused.code));
    }
    // Its own in every attempt: what a later one makes is written down as well.
    let key = format!("{below}{}.{}", run.context.run.fence.attempt, run.next_made());
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
        Ok(()) if is_made && asset.making.page.is_some() => {
            let known = run.context.reads().assets_numbered(run.context.run.company, &[asset.id]).await?.pop();
            let has_document = known.is_none_or(|page| page.has_parent);
            let code = if has_document { reason::PAGE_LOST } else { reason::PAGE_LOST_ALONE };
            Err(Unmade::Refused(Message::new(code)))
        }
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
    let (mut report, mut code) = (ItemReport::default(), None);
    let effect = match made {
        Ok(None) => Effect::Nothing,
        Ok(Some(made)) => {
            let (company, source_blob) = (run.context.run.company, state.blob.clone());
            let making = Some(Box::new(state.making.clone()));
            Effect::Derive { company, asset: state.id, source_blob, making, derived: made.derived }
        }
        Err(Unmade::Refused(why)) => {
            code = Some(why.code.clone());
            report.result = json!(Unmakeable { of, code: why.code.clone() });
            refuse(run, &state, why, &mut report);
            Effect::Nothing
        }
        Err(Unmade::Failed(failure)) => return Err(failure),
    };
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

/// Search data that is written in one go.
const WRITTEN: usize = 1 << 20;

/// Writes what is known of every asset published, for search: a line of JSON each.
pub async fn search_lines(run: &Run<'_>, file: &Arc<File>) -> Result<(), Failure> {
    let store = run.context.reads();
    let (mut reached, mut text) = (AssetId(0), String::new());
    loop {
        run.context.checkpoint()?;
        let assets = store.next_published_assets(run.state.id, reached, SEARCHED).await?;
        let (words, maps) = (store.words_of(&assets).await?, store.image_maps_of(&assets).await?);
        for state in store.publish_states(run.context.run.company, run.state.id, &assets).await? {
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
            text += &format!("{line}\n");
        }
        if text.len() >= WRITTEN || assets.is_empty() {
            let (file, text) = (file.clone(), std::mem::take(&mut text));
            let written = run.mount.work(move |_| (&*file).write_all(text.as_bytes())).await?;
            written.map_err(|error| Failure::of_io(&error, format!("cannot write search data: {error}")))?;
        }
        match assets.last() {
            Some(last) => reached = *last,
            None => return Ok(()),
        }
    }
}
