//! What an export consists of, decided once: names, sources and the address stay the same in every attempt.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Export, order, outdated};
use crate::executors::recipe::Recipes;
use crate::executors::{Context, Failure, Item, Settings, options};
use crate::model::asset::{AssetType, DerivedRole, TrashState};
use crate::model::handle;
use crate::model::id::AssetId;
use crate::model::job::ExportJob;
use crate::model::log::{FileType, LogLine, LogType, Message};
use crate::model::making::Making;
use crate::model::name::for_windows;
use crate::model::outcome::Counters;
use crate::serving::{Commands, Ignored, Resolved, Why};
use crate::store::assets::derived::Derived;
use crate::store::assets::query::Asset;
use crate::store::effect::Effect;
use crate::store::jobs::attempt::ItemReport;
use crate::store::pictures::KnownAsset;

pub const KEY: &str = "/plan";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// What nobody can guess.
    pub token: String,
    /// Where the archive will be.
    pub address: String,
    /// The company's image formats that the order may name, as they were when it began.
    pub formats: BTreeMap<String, String>,
    pub entries: Vec<Entry>,
}

/// An asset that is exported.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub asset: AssetId,
    pub name: String,
    /// Its original, as clients see it.
    pub file: String,
    /// Its name in the archive.
    pub target: String,
    /// What it is made from: a pyramid, or the original itself.
    pub blob: String,
    pub bytes: u64,
    pub is_converted: bool,
    /// What the pyramid was made of, where that is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub master: Option<Master>,
    /// The pyramid was made as it would not be made today: with other settings, or another colour profile.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_stale: bool,
    pub modified_at: DateTime<Utc>,
}

/// What pyramids are made of, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Master {
    pub blob: String,
    pub file_name: String,
    pub making: Making,
}

impl Entry {
    pub fn key(&self) -> String {
        self.asset.to_string()
    }

    pub fn shown(&self) -> Shown {
        Shown { asset: Some(self.asset), name: self.name.clone(), file: self.file.clone() }
    }
}

/// An asset as a line about it names it.
pub struct Shown {
    pub asset: Option<AssetId>,
    pub name: String,
    pub file: String,
}

/// The plan of an earlier attempt, or a new one.
pub async fn made(export: &Export, context: &Context, earlier: Option<&Value>) -> Result<Plan, Failure> {
    if let Some(value) = earlier {
        return serde_json::from_value(value.clone()).map_err(outdated);
    }
    let formats = order::by_name(context.reads().image_formats(context.run.company).await?);
    let resolved = order::commands(&export.order, &formats).map_err(outdated)?;
    let mut lines = without_effect(&export.order, resolved.as_ref());
    lines.extend(options::lines(LogType::ExportJobWarning, options::without_effect(&context.run.spec)));
    let mut report = ItemReport { lines, ..ItemReport::default() };
    let company = context.reads().company(context.run.company).await?;
    let company = company.ok_or_else(|| outdated("the company of the job is no longer there"))?;
    let assets = found(&export.order, context, &mut report).await?;
    let mut sources = Sources::load(export, context, &assets, resolved.as_ref()).await?;
    let mut entries = Vec::new();
    for asset in assets {
        match choose(&asset, &company.root_path, resolved.as_ref()) {
            Choice::Take(entry) => entries.push(sources.add_to(*entry, &asset)),
            Choice::Drop => {
                let message = Message::new("export-dropped")
                    .with("asset", asset.name.clone())
                    .with("type", asset.asset_type.as_str());
                let line = LogLine::new(LogType::ExportJobWarning, message);
                report.lines.push(line.about(Some(asset.id), asset.name, FileType::ExportJobRenderedFile));
            }
            Choice::Refuse(why) => {
                let file = file_of(&asset, &company.root_path);
                merge(&mut report, failure(&Shown { asset: Some(asset.id), name: asset.name, file }, why));
            }
        }
    }
    report.lines.extend(name_for_archives(&mut entries));
    check_size(
        entries.iter().filter(|entry| !entry.is_converted).map(|entry| entry.bytes).sum(),
        &export.workshop.settings,
    )?;
    let token = token()?;
    let address = address(export, context, &company.name, &token).await?;
    let plan = Plan { token, address, formats: used(formats, resolved.is_some()), entries };
    report.counters.warning =
        report.lines.iter().filter(|line| line.log_type == LogType::ExportJobWarning).count() as i64;
    report.result = serde_json::to_value(&plan).map_err(outdated)?;
    context.commit(Item(KEY.to_owned()), Effect::Nothing, move |_| report).await?;
    Ok(plan)
}

/// What pyramids are made of today, by the assets that are converted.
struct Sources {
    known: HashMap<AssetId, KnownAsset>,
    recipes: Recipes,
    /// Whether conversions need the master in any case.
    are_needed: bool,
}

impl Sources {
    async fn load(
        export: &Export,
        context: &Context,
        assets: &[Asset],
        resolved: Option<&Resolved>,
    ) -> Result<Self, Failure> {
        let are_needed = |commands: &Commands| commands.keeps_all() || commands.takes_xmp();
        let ids: Vec<AssetId> = resolved.iter().flat_map(|_| assets.iter().map(|asset| asset.id)).collect();
        let known = context.reads().assets_numbered(context.run.company, &ids).await?;
        Ok(Self {
            known: known.into_iter().map(|known| (known.id, known)).collect(),
            recipes: Recipes::load(context.reads(), context.run.company, &export.workshop).await?,
            are_needed: resolved.is_some_and(|resolved| are_needed(&resolved.commands)),
        })
    }

    /// Adds the master to an entry that is drawn from it, if only because the pyramid is stale.
    fn add_to(&mut self, entry: Entry, asset: &Asset) -> Entry {
        let Some(known) = self.known.remove(&entry.asset).filter(|_| entry.is_converted) else { return entry };
        let recipe = self.recipes.of(&known.master.making);
        let is_stale = pyramid_of(asset).is_some_and(|pyramid| pyramid.recipe != recipe);
        let master = Master { blob: known.master.blob, file_name: known.file_name, making: known.master.making };
        Entry { master: (self.are_needed || is_stale).then_some(master), is_stale, ..entry }
    }
}

fn pyramid_of(asset: &Asset) -> Option<&Derived> {
    asset.derived.iter().find(|file| file.role == DerivedRole::Pyramid)
}

fn used(formats: BTreeMap<String, String>, are_needed: bool) -> BTreeMap<String, String> {
    if are_needed { formats } else { BTreeMap::new() }
}

fn merge(into: &mut ItemReport, other: ItemReport) {
    into.lines.extend(other.lines);
    into.counters.error += other.counters.error;
}

/// What was asked for in vain.
fn without_effect(order: &ExportJob, resolved: Option<&Resolved>) -> Vec<LogLine> {
    let warn = |message| LogLine::new(LogType::ExportJobWarning, message);
    match resolved {
        Some(resolved) => resolved.ignored.iter().map(|ignored| warn(in_vain(ignored))).collect(),
        None => {
            let given = [("is_modifier", &order.is_modifier), ("macro", &order.image_preset)];
            let given = given.into_iter().filter(|(_, text)| text.as_ref().is_some_and(|text| !text.trim().is_empty()));
            given
                .map(|(option, _)| {
                    let reason = Message::new("reason-exports-originals");
                    warn(Message::new("option-no-effect").with("option", option).with("reason", reason))
                })
                .collect()
        }
    }
}

fn in_vain(Ignored { command, why }: &Ignored) -> Message {
    let command = command.clone();
    match why {
        Why::NotSupported => Message::new("export-command-unsupported").with("command", command),
        Why::Unknown => Message::new("export-command-ignored").with("command", command),
        Why::Encoded => Message::new("export-command-encoded").with("command", command),
        Why::NoPlace => Message::new("export-command-no-place").with("command", command),
    }
}

/// The assets of the order, each once. What is not there is reported.
async fn found(order: &ExportJob, context: &Context, report: &mut ItemReport) -> Result<Vec<Asset>, Failure> {
    let mut seen = HashSet::new();
    let mut ids = Vec::new();
    for text in &order.asset_handle_array {
        let id = handle::parse_asset("assetHandleArray", text).map_err(outdated)?;
        if seen.insert(id) {
            ids.push(id);
        }
    }
    let assets = context.reads().assets(context.run.company, &ids).await?;
    let mut there: HashMap<AssetId, Asset> = assets.into_iter().map(|asset| (asset.id, asset)).collect();
    let mut found = Vec::new();
    for id in ids {
        match there.remove(&id) {
            Some(asset) if asset.trash_state == TrashState::NotInTrash => found.push(asset),
            other => {
                let why = if other.is_some() { "reason-in-trash" } else { "reason-no-asset" };
                let name = other.map_or_else(|| format!("a|{id}"), |asset| asset.name);
                merge(report, failure(&Shown { asset: None, file: name.clone(), name }, Message::new(why)));
            }
        }
    }
    Ok(found)
}

pub fn failure(shown: &Shown, why: Message) -> ItemReport {
    let message = Message::new("export-file-error").with("file", shown.file.clone()).with("reason", why);
    let line = LogLine::new(LogType::ExportJobRenderFileError, message);
    ItemReport {
        result: Value::Null,
        counters: Counters { error: 1, ..Counters::default() },
        lines: vec![line.about(shown.asset, shown.name.clone(), FileType::ExportJobRenderedFile)],
        ..ItemReport::default()
    }
}

enum Choice {
    Take(Box<Entry>),
    /// It cannot be exported by its nature.
    Drop,
    Refuse(Message),
}

fn choose(asset: &Asset, root: &str, resolved: Option<&Resolved>) -> Choice {
    if asset.asset_type.is_set() || asset.blob.is_empty() {
        return Choice::Drop;
    }
    let pyramid = pyramid_of(asset);
    let extension = resolved.map(|resolved| resolved.commands.fmt.format.extension());
    match (extension, pyramid, asset.asset_type) {
        (Some(extension), Some(pyramid), kind) if is_convertible(kind) => Choice::Take(Box::new(Entry {
            target: format!("{}.{extension}", asset.name),
            blob: pyramid.blob.clone(),
            bytes: pyramid.bytes,
            is_converted: true,
            ..original(asset, root)
        })),
        (_, _, AssetType::Template | AssetType::PsdTemplate) => Choice::Refuse(Message::new(match extension {
            Some(_) => "reason-no-pyramid",
            None => "reason-template-original",
        })),
        (Some(_), None, kind) if kind.is_picture() || kind == AssetType::AdjustedView => {
            Choice::Refuse(Message::new("reason-no-pyramid"))
        }
        _ => Choice::Take(Box::new(original(asset, root))),
    }
}

fn original(asset: &Asset, root: &str) -> Entry {
    let target = match asset.file_name.rsplit_once('.') {
        Some((_, extension)) if !extension.is_empty() => format!("{}.{extension}", asset.name),
        _ => asset.name.clone(),
    };
    Entry {
        asset: asset.id,
        name: asset.name.clone(),
        file: file_of(asset, root),
        target,
        blob: asset.blob.clone(),
        bytes: asset.bytes.unsigned_abs(),
        is_converted: false,
        master: None,
        is_stale: false,
        modified_at: asset.modified_at,
    }
}

fn file_of(asset: &Asset, root: &str) -> String {
    format!("{}{}", handle::folder_path(root, &asset.folder), asset.file_name)
}

/// What is converted when a conversion is asked for; the rest goes out as it is (manual, exporting assets).
const fn is_convertible(kind: AssetType) -> bool {
    matches!(
        kind,
        AssetType::Image
            | AssetType::AnimatedGif
            | AssetType::Svg
            | AssetType::AdjustedView
            | AssetType::LayerView
            | AssetType::Template
            | AssetType::PsdTemplate
            | AssetType::PostScript
    )
}

/// Gives entries names that every system can unpack, and no two the same; a line for each that is not called as it was.
fn name_for_archives(entries: &mut [Entry]) -> Vec<LogLine> {
    let wanted: Vec<String> = entries.iter().map(|entry| entry.target.clone()).collect();
    for entry in entries.iter_mut() {
        entry.target = for_windows(&entry.target);
    }
    number_duplicates(entries);
    let changed = entries.iter().zip(wanted).filter(|(entry, wanted)| entry.target != *wanted);
    let line = |(entry, wanted): (&Entry, String)| {
        let is_fit = for_windows(&wanted) == wanted;
        let message = Message::new(if is_fit { "export-name-numbered" } else { "export-name-changed" })
            .with("file", entry.file.clone())
            .with("name", entry.target.clone())
            .with("wanted", wanted);
        let line = LogLine::new(LogType::ExportJobWarning, message);
        line.about(Some(entry.asset), entry.name.clone(), FileType::ExportJobRenderedFile)
    };
    changed.map(line).collect()
}

/// Gives names that differ in nothing but the case of their letters numbers: not every file system tells them apart.
fn number_duplicates(entries: &mut [Entry]) {
    let mut taken = HashSet::new();
    for entry in entries {
        let (stem, extension) = match entry.target.rsplit_once('.') {
            Some((stem, extension)) => (stem.to_owned(), format!(".{extension}")),
            None => (entry.target.clone(), String::new()),
        };
        let mut number = 0;
        // Both ways, for what one way tells apart: Windows compares large letters.
        while !taken.insert(entry.target.to_uppercase().to_lowercase()) {
            number += 1;
            entry.target = format!("{stem}-{number}{extension}");
        }
    }
}

/// The sum of what goes into an archive.
pub fn check_size(bytes: u64, settings: &Settings) -> Result<(), Failure> {
    let limit = settings.export.max_bytes.get();
    if bytes > limit { Err(too_large(bytes, limit)) } else { Ok(()) }
}

pub fn too_large(bytes: u64, limit: u64) -> Failure {
    Failure::Fatal(Message::new("export-too-large").with("bytes", bytes).with("limit", limit))
}

/// 128 random bits, in the form of a UUID.
fn token() -> Result<String, Failure> {
    let mut random = [0_u8; 16];
    getrandom::fill(&mut random).map_err(super::super::failure::internal)?;
    let hex: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok([&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-"))
}

/// `<this server>/Exports/<company name>/<run number>/<token>.zip`.
async fn address(export: &Export, context: &Context, company: &str, token: &str) -> Result<String, Failure> {
    let settings = &export.workshop.settings;
    let run = context.run.fence.instance;
    let server = match &settings.public_url {
        Some(url) => url.clone(),
        None => context.reads().submitted_to(run).await?.unwrap_or_else(|| settings.own_url.clone()),
    };
    let company = percent_encoding::utf8_percent_encode(company, percent_encoding::NON_ALPHANUMERIC);
    Ok(format!("{}/Exports/{company}/{run}/{token}.zip", server.trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_alike_are_numbered() {
        let entry = |target: &str| Entry {
            asset: AssetId(1),
            name: String::new(),
            file: String::new(),
            target: target.to_owned(),
            blob: String::new(),
            bytes: 0,
            is_converted: true,
            master: None,
            is_stale: false,
            modified_at: DateTime::UNIX_EPOCH,
        };
        let mut entries = ["shoe.jpg", "Shoe.jpg", "SHOE.JPG", "shoe-1.jpg", "shoe.png", "note", "Note"].map(entry);
        number_duplicates(&mut entries);
        let names: Vec<&str> = entries.iter().map(|entry| entry.target.as_str()).collect();
        assert_eq!(names, ["shoe.jpg", "Shoe-1.jpg", "SHOE-2.JPG", "shoe-1-1.jpg", "shoe.png", "note", "Note-1"]);
    }

    #[test]
    fn tokens_are_long_and_never_the_same() {
        let (one, other) = (token().unwrap(), token().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
        assert!(one.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit()));
    }
}
