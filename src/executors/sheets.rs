//! `processMetadataFiles`: tab-delimited and XML files of an upload directory say things of assets, and become none.
//!
//! They are read when all other files have been filed, so that assets of the same job are found. A file is an item under its
//! path, whose result names the copy that was taken of it: whatever becomes of the file, later attempts read the same rows. Some
//! rows at a time are an item each, committed with what they change; no others are held. All of a file is read before the first
//! row of it is done, so that one which breaks off does nothing.

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use super::mounts::Mount;
use super::pictures::Unmade;
use super::{Bytes, Context, Failure, Item, Workshop, reason};
use crate::assets::blobs::BlobError;
use crate::assets::ingest::{self, Found, ServerDirectory, Source};
use crate::media::SNIFF_LEN;
use crate::media::child::borrowed;
use crate::media::errand::TakeRows;
use crate::media::metadata::sheet::{self, Form, Row, SheetError};
use crate::model::log::{FileType, LogLine, LogType, Message};
use crate::model::metadata::with_dot;
use crate::model::name::{LONGEST_FILE_NAME, check_asset_name};
use crate::model::outcome::Counters;
use crate::store::assets::change::Change;
use crate::store::assets::metadata::{Described, DescribedAsset, Description, Trouble};
use crate::store::effect::{Applied, Effect};
use crate::store::jobs::attempt::ItemReport;

/// Rows that are committed at once, and what they may take of memory before no more are added, in bytes.
const AT_ONCE: usize = 100;
const MOST_AT_ONCE: usize = 1 << 20;

/// Lines of a row about what it could not do; further ones are counted.
const MOST_TOLD: usize = 20;

/// In the result of an item: the blob that a metadata file was copied to, and its form.
const SHEET: &str = "metadataFile";

/// A metadata file of the directory.
pub struct Sheet {
    found: Found,
    form: Form,
}

/// Tells metadata files from those that become assets.
pub async fn sort_out(
    mount: &Mount,
    directory: &Arc<ServerDirectory>,
    files: Vec<Found>,
) -> Result<(Vec<Sheet>, Vec<Found>), Failure> {
    let directory = directory.clone();
    let sorted = mount.work(move |_| {
        let (mut sheets, mut others) = (Vec::new(), Vec::new());
        for found in files {
            match form(&directory, &found) {
                Some(form) => sheets.push(Sheet { found, form }),
                None => others.push(found),
            }
        }
        (sheets, others)
    });
    sorted.await
}

/// What cannot be read is found out when it is filed.
fn form(directory: &ServerDirectory, found: &Found) -> Option<Form> {
    let extension = found.relative.extension()?.to_str()?.to_ascii_lowercase();
    if !sheet::EXTENSIONS.contains(&extension.as_str()) {
        return None;
    }
    let mut head = Vec::with_capacity(SNIFF_LEN);
    let source = directory.open(&found.relative).ok()?;
    source.file.take(SNIFF_LEN as u64).read_to_end(&mut head).ok()?;
    sheet::form(&extension, &head)
}

/// Does what metadata files say.
pub async fn process(
    context: &Context,
    workshop: &Workshop,
    (mount, directory): (&Mount, &Arc<ServerDirectory>),
    sheets: Vec<Sheet>,
) -> Result<(), Failure> {
    let done = context.done_items().await?;
    for Sheet { found, form } in sheets {
        let key = ingest::display(&found.relative);
        if !done.contains_key(&key) {
            context.checkpoint()?;
            take_copy(context, workshop, (mount, directory.clone()), found, form, key).await?;
        }
    }
    let done = Arc::new(context.done_items().await?);
    let mut copies: Vec<(&String, &Value)> =
        done.iter().filter_map(|(key, result)| Some((key, result.get(SHEET)?))).collect();
    copies.sort_by_key(|(key, _)| *key);
    for (key, copy) in copies {
        match describe(context, workshop, copy, key, &done).await {
            Ok(()) => {}
            Err(Unmade::Refused(why)) => {
                let report = refusal(key, why);
                context.commit(Item(format!("{key}\nrefused")), Effect::Nothing, move |_| report).await?;
            }
            Err(Unmade::Failed(failure)) => return Err(failure),
        }
    }
    Ok(())
}

/// Does what a copy says, as far as it is not done.
async fn describe(
    context: &Context,
    workshop: &Workshop,
    copy: &Value,
    key: &str,
    done: &Arc<HashMap<String, Value>>,
) -> Result<(), Unmade> {
    let form: Form = serde_json::from_value(copy["form"].clone())
        .map_err(|error| Unmade::Failed(Failure::because(reason::other(error))))?;
    let blob = copy["blob"].as_str().unwrap_or_default();
    let mut pages = None;
    loop {
        context.checkpoint().map_err(Unmade::Failed)?;
        let (hall, id, done, file) = (workshop.clone(), blob.to_owned(), done.clone(), key.to_owned());
        let turned = workshop.work_on(context, Bytes::of(blob, key), move |stop| {
            let mut pages = match pages {
                Some(pages) => pages,
                None => Pages::open(&hall, &id, form, file, stop)?,
            };
            let page = pages.next(&hall, &done, stop)?;
            Ok((pages, page))
        });
        let (rest, page) = turned.await?;
        let Some((item, rows)) = page else { return Ok(()) };
        commit(context, key, item, &rows).await.map_err(Unmade::Failed)?;
        pages = Some(rest);
    }
}

/// The rows of a copy, some at a time: in every attempt the same ones together.
struct Pages {
    sheet: String,
    form: Form,
    file: String,
    /// How many rows were taken, and how many pages of the last hundred.
    taken: usize,
    parts: usize,
}

impl Pages {
    /// Blocks.
    fn open(workshop: &Workshop, id: &str, form: Form, file: String, stop: &dyn Fn() -> bool) -> Result<Self, Unmade> {
        workshop.blobs.verify(id, stop)?;
        Ok(Self { sheet: id.to_owned(), form, file, taken: 0, parts: 0 })
    }

    /// The next page that is not done. Blocks.
    fn next(
        &mut self,
        workshop: &Workshop,
        done: &HashMap<String, Value>,
        stop: &dyn Fn() -> bool,
    ) -> Result<Option<(Item, Vec<Row>)>, Unmade> {
        while let Some((item, rows)) = self.any(workshop, stop)? {
            if stop() {
                return Err(Unmade::Failed(Failure::Interrupted));
            }
            if !done.contains_key(&item.0) {
                return Ok(Some((item, rows)));
            }
        }
        Ok(None)
    }

    fn any(&mut self, workshop: &Workshop, stop: &dyn Fn() -> bool) -> Result<Option<(Item, Vec<Row>)>, Unmade> {
        let (hundred, left) = (self.taken / AT_ONCE, AT_ONCE - self.taken % AT_ONCE);
        let Self { sheet, form, taken, .. } = self;
        let errand = TakeRows { sheet: sheet.clone(), form: *form, from: *taken, most: left, weight: MOST_AT_ONCE };
        let copy = workshop.blobs.read(&self.sheet)?;
        let rows = workshop.crew.send(errand, &borrowed([&copy]), stop)?;
        self.taken += rows.len();
        // No path holds a line break. The first page of a hundred is called as it was when there was no other.
        let item = match self.parts {
            0 => format!("{}\n{hundred}", self.file),
            part => format!("{}\n{hundred}.{part}", self.file),
        };
        self.parts = if self.taken.is_multiple_of(AT_ONCE) { 0 } else { self.parts + 1 };
        Ok((!rows.is_empty()).then_some((Item(item), rows)))
    }
}

impl From<SheetError> for Unmade {
    fn from(error: SheetError) -> Self {
        match error {
            // What is read is a copy of our own.
            SheetError::Io(source) => {
                Self::Failed(Failure::of_io(&source, format_args!("cannot read a copy: {source}")))
            }
            error => Self::Refused(reason::other(error)),
        }
    }
}

/// Copies a file to the store of files, and says how much it has to say.
async fn take_copy(
    context: &Context,
    workshop: &Workshop,
    (mount, directory): (&Mount, Arc<ServerDirectory>),
    found: Found,
    form: Form,
    key: String,
) -> Result<(), Failure> {
    let mut effect = Effect::Nothing;
    let report = match copy(context, workshop, (mount, directory), found, form, &key).await {
        Ok((blob, rows)) => {
            effect = Effect::KeepSheet { run: context.run.fence.instance, path: key.clone(), blob: blob.clone() };
            let message = Message::new("metadata-file-read").with("file", key.clone()).with("count", rows);
            let lines = vec![LogLine::new(LogType::JobInfo, message)];
            ItemReport { result: json!({ SHEET: { "blob": blob, "form": form } }), lines, ..ItemReport::default() }
        }
        Err(Unmade::Refused(why)) => refusal(&key, why),
        Err(Unmade::Failed(failure)) => return Err(failure),
    };
    context.commit(Item(key), effect, move |_| report).await?;
    Ok(())
}

/// The copy of a file, and how many rows it has.
async fn copy(
    context: &Context,
    workshop: &Workshop,
    (mount, directory): (&Mount, Arc<ServerDirectory>),
    found: Found,
    form: Form,
    key: &str,
) -> Result<(String, usize), Unmade> {
    let blobs = workshop.blobs.clone();
    let stored = mount.work(move |stop| {
        let source = directory.open(&found.relative).map_err(|error| Unmade::Refused(reason::of_ingest(&error)))?;
        let Source { mut file, stamp } = source;
        blobs.store(&mut file, sheet::LARGEST, stop).map_err(|error| match error {
            BlobError::Source(error) => Unmade::Refused(reason::other(format_args!("it cannot be read: {error}"))),
            BlobError::TooLarge { limit } => Unmade::Refused(reason::too_large(stamp.bytes, limit)),
            error => error.into(),
        })
    });
    let blob = stored.await??.id;
    let (hall, id, file) = (workshop.clone(), blob.clone(), key.to_owned());
    let count = workshop.work_on(context, Bytes::of(&blob, key), move |stop| {
        let (mut pages, mut count) = (Pages::open(&hall, &id, form, file, stop)?, 0);
        while let Some((_, rows)) = pages.next(&hall, &HashMap::new(), stop)? {
            count += rows.len();
        }
        Ok(count)
    });
    let count = count.await?;
    Ok((blob, count))
}

/// A file of which nothing was done.
fn refusal(key: &str, why: Message) -> ItemReport {
    let message = Message::new("upload-error").with("file", key).with("reason", why);
    let stem = Path::new(key).file_stem().unwrap_or_default().to_string_lossy();
    let line = LogLine::new(LogType::UploadError, message).about(None, stem, FileType::NoType);
    let counters = Counters { error: 1, ..Counters::default() };
    ItemReport { counters, lines: vec![line], ..ItemReport::default() }
}

async fn commit(context: &Context, file: &str, item: Item, rows: &[Row]) -> Result<(), Failure> {
    let change = Change { company: context.run.company, by: context.run.responsible, at: context.clock.now() };
    let (mut descriptions, mut lines) = (Vec::new(), Vec::new());
    for row in rows {
        let new_name = row.new_name.as_deref().map(|name| check_asset_name("newipsid", name)).transpose();
        let new_name = new_name.unwrap_or_else(|invalid| {
            lines.push(failure(file, row.number, &row.asset, None, reason::other(invalid)));
            None
        });
        if row.nameless > 0 {
            let why = Message::new("reason-cells-nameless").with("count", row.nameless);
            lines.push(failure(file, row.number, &row.asset, None, why));
        }
        if row.unread > 0 {
            let why = Message::new("reason-contents-unread").with("count", row.unread);
            lines.push(failure(file, row.number, &row.asset, None, why));
        }
        let fields = row.fields.iter().map(|(name, text)| (with_dot(name), text.clone())).collect();
        descriptions.push(Description { row: row.number, asset: row.asset.clone(), new_name, fields });
    }
    let file = file.to_owned();
    let report = move |applied: &Applied| {
        let Applied::Described(all) = applied else { return ItemReport::default() };
        all.iter().for_each(|described| lines.extend(told(&file, described)));
        let count = |log_type| lines.iter().filter(|line| line.log_type == log_type).count() as i64;
        let counters = Counters {
            success: count(LogType::MetadataSuccess),
            error: count(LogType::MetadataFailure),
            ..Counters::default()
        };
        ItemReport { counters, lines, ..ItemReport::default() }
    };
    context.commit(item, Effect::Describe { change, descriptions }, report).await?;
    Ok(())
}

/// The lines of a row: one if it did anything, and one for each thing that it could not do.
fn told(file: &str, described: &Described) -> Vec<LogLine> {
    let Described { row, name, asset } = described;
    let Some(asset) = asset else {
        return vec![failure(file, *row, name, None, Message::new("reason-asset-unknown"))];
    };
    let DescribedAsset { id, asset_type, set, renamed, troubles } = asset;
    let message = match renamed {
        Some(renamed) => {
            Some(Message::new("metadata-renamed").with("asset", name.clone()).with("name", renamed.clone()))
        }
        None if *set > 0 => Some(Message::new("metadata-success").with("asset", name.clone())),
        None => None,
    };
    let shown = renamed.as_ref().unwrap_or(name);
    let success = message.map(|message| {
        LogLine::new(LogType::MetadataSuccess, message).about(Some(*id), shown, FileType::of_master(*asset_type))
    });
    let told = troubles.iter().take(MOST_TOLD).map(why);
    let more = troubles.len().saturating_sub(MOST_TOLD);
    let more = (more > 0).then(|| Message::new("reason-fields-more").with("count", more));
    let failures = told.chain(more).map(|why| failure(file, *row, name, Some(asset), why));
    success.into_iter().chain(failures).collect()
}

fn failure(file: &str, row: usize, name: &str, asset: Option<&DescribedAsset>, why: Message) -> LogLine {
    let message =
        Message::new("metadata-row-failed").with("file", file).with("row", row).with("asset", name).with("reason", why);
    let file_type = asset.map_or(FileType::NoType, |asset| FileType::of_master(asset.asset_type));
    LogLine::new(LogType::MetadataFailure, message).about(asset.map(|asset| asset.id), name, file_type)
}

fn why(trouble: &Trouble) -> Message {
    match trouble {
        Trouble::InTrash => Message::new("reason-asset-in-trash"),
        Trouble::UnknownField(field) => Message::new("reason-field-unknown").with("field", field.clone()),
        Trouble::OtherType { field, scope } => {
            Message::new("reason-field-other-type").with("field", field.clone()).with("type", scope.to_string())
        }
        Trouble::BadValue { field, rule } => {
            Message::new("reason-field-value").with("field", field.clone()).with("rule", rule.clone())
        }
        Trouble::NameTaken(name) => Message::new("reason-name-taken").with("name", name.clone()),
        Trouble::NameTooLong(_) => Message::new("reason-name-too-long").with("limit", LONGEST_FILE_NAME),
    }
}
