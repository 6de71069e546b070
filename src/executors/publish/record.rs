//! Which files the trees shall hold, written down page by page.

use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::json;

use super::trees::CONTENT;
use super::{PAGE, PYRAMID_ENDING, Publish};
use crate::assets::blobs::Blobs;
use crate::executors::pictures::{self, Unmade};
use crate::executors::{Failure, Item};
use crate::model::asset::AssetType;
use crate::model::handle;
use crate::model::id::AssetId;
use crate::model::log::{FileType, LogLine, LogType, Message};
use crate::model::outcome::Counters;
use crate::store::effect::Effect;
use crate::store::jobs::attempt::ItemReport;
use crate::store::publishing::{AssetState, PublishStep, Wanted, WantedFile};

/// Goes through the assets in the order of their numbers. A page is an item, and its result is where it ended, so that a
/// later attempt goes on behind it even if the list is another one by then.
pub async fn record(run: &Publish<'_>) -> Result<(), Failure> {
    let store = run.context.store();
    let assets = if run.is_full() {
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

async fn record_page(run: &Publish<'_>, page: &[AssetId]) -> Result<(), Failure> {
    let store = run.context.store();
    let company = run.context.run.company;
    let mut states = store.publish_states(company, run.state.id, page).await?;
    let recipe = pictures::recipe(&run.workshop.settings);
    let lacking = |state: &AssetState| files(state, &recipe, &run.workshop.blobs).is_none();
    let to_do: Vec<AssetState> = states.iter().filter(|state| lacking(state)).cloned().collect();
    if !to_do.is_empty() {
        supply(run, to_do).await?;
        states = store.publish_states(company, run.state.id, page).await?;
    }
    let mut wanted = Vec::with_capacity(page.len());
    for asset in page {
        match states.iter().find(|state| state.id == *asset) {
            // It is gone altogether.
            None => wanted.push(Wanted { asset: *asset, files: Vec::new(), forced: false }),
            // What cannot be published now stays as it is published, if it is.
            Some(state) => wanted.extend(files(state, &recipe, &run.workshop.blobs).map(|files| Wanted {
                asset: *asset,
                files,
                forced: state.forced > run.start.begun.scanned,
            })),
        }
    }
    let (Some(first), Some(last)) = (page.first(), page.last().copied()) else { return Ok(()) };
    let step = PublishStep::Record { context: run.state.id, seq: run.start.begun.seq, wanted };
    let report = ItemReport { result: json!(last), ..ItemReport::default() };
    run.context.commit(Item(format!("{RECORDED}{first}")), Effect::Publish(step), move |_| report).await?;
    Ok(())
}

/// The files of an asset in the trees; None if they have to be made first.
fn files(state: &AssetState, recipe: &str, blobs: &Blobs) -> Option<Vec<WantedFile>> {
    let is_film = matches!(state.asset_type, AssetType::Video | AssetType::MasterVideo);
    // A set has no file of its own.
    if !state.is_wanted || is_film || state.blob.is_empty() {
        return Some(Vec::new());
    }
    let file = if state.asset_type.is_picture() {
        let pyramid = state.pyramid.as_ref().filter(|made| made.source_blob == state.blob && made.recipe == recipe)?;
        WantedFile {
            file_name: format!("{}{PYRAMID_ENDING}", state.name),
            blob: pyramid.blob.clone(),
            bytes: pyramid.bytes,
        }
    } else {
        // Always with an extension, so that two assets cannot come to have one name.
        let extension = state.file_name.rsplit_once('.').map_or("bin", |(_, extension)| extension);
        WantedFile {
            file_name: format!("{CONTENT}/{}.{extension}", state.name),
            blob: state.blob.clone(),
            bytes: state.bytes,
        }
    };
    blobs.contains(&file.blob).then(|| vec![file])
}

/// Makes what is missing, a few assets at a time.
async fn supply(run: &Publish<'_>, states: Vec<AssetState>) -> Result<(), Failure> {
    stream::iter(states)
        .take_while(|_| std::future::ready(!run.context.stop_token().is_cancelled()))
        .map(|state| supply_one(run, state))
        .buffer_unordered(run.workshop.settings.parallel * 2)
        .try_collect::<()>()
        .await?;
    run.context.checkpoint()
}

async fn supply_one(run: &Publish<'_>, state: AssetState) -> Result<(), Failure> {
    let key = format!("/made:{}", state.id);
    if run.is_done(&key) {
        return Ok(());
    }
    let (workshop, progress) = (run.workshop.clone(), run.context.clone());
    let asset = state.clone();
    let made = run.workshop.work(move |stop| {
        let _working = progress.working_on(&asset.name);
        pictures::remake(&workshop, &asset.blob, &asset.file_name, stop)
    });
    let (effect, report) = match made.await? {
        Ok(made) => {
            let (company, source_blob) = (run.context.run.company, state.blob.clone());
            let effect = Effect::Derive { company, asset: state.id, source_blob, derived: made.derived };
            (effect, ItemReport::default())
        }
        Err(Unmade::Refused(why)) => {
            let message = Message::new("publish-error")
                .with("file", state.name.clone())
                .with("context", run.state.name.clone())
                .with("reason", why);
            let file_type = FileType::of_master(state.asset_type);
            let line = LogLine::new(LogType::ImageServingPublishError, message);
            let line = line.about(Some(state.id), state.name.clone(), file_type);
            let counters = Counters { error: 1, transfer_error: 1, ..Counters::default() };
            (Effect::Nothing, ItemReport { counters, lines: vec![line], ..ItemReport::default() })
        }
        Err(Unmade::Failed(failure)) => return Err(failure),
    };
    run.context.commit(Item(key), effect, move |_| report).await?;
    Ok(())
}

/// What is known of everything published, for search: a line of JSON each.
pub async fn search_lines(run: &Publish<'_>) -> Result<String, Failure> {
    let store = run.context.store();
    let published = store.publications_present(run.state.id).await?;
    let mut lines = String::new();
    for page in published.chunks(PAGE) {
        let assets: Vec<AssetId> = page.iter().map(|row| row.asset).collect();
        for state in store.publish_states(run.context.run.company, run.state.id, &assets).await? {
            let line = json!({
                "asset": state.name,
                "id": state.id,
                "type": state.asset_type,
                "folder": handle::folder_path(&run.company_root, &state.folder),
                "file": state.file_name,
                "width": state.pixels.map(|(width, _)| width),
                "height": state.pixels.map(|(_, height)| height),
            });
            lines.push_str(&line.to_string());
            lines.push('\n');
        }
    }
    Ok(lines)
}
