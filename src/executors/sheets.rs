//! `processMetadataFiles`: tab-delimited and XML files of an upload directory say things of assets, and become none.
//!
//! They are read when all other files have been filed, so that assets of the same job are found. A file is an item under its
//! path, whose result names the copy that was taken of it: whatever becomes of the file, later attempts read the same rows. Some
//! rows at a time are an item each, committed with what they change.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use super::{Context, Failure, Item, Workshop, reason};
use crate::assets::blobs::BlobError;
use crate::assets::ingest::{self, Found, ServerDirectory, Source};
use crate::media::SNIFF_LEN;
use crate::media::metadata::sheet::{self, Form, Row};
use crate::model::log::{FileType, LogLine, LogType, Message};
use crate::model::metadata::with_dot;
use crate::model::name::{LONGEST_FILE_NAME, check_asset_name};
use crate::model::outcome::Counters;
use crate::store::assets::change::Change;
use crate::store::assets::metadata::{Described, DescribedAsset, Description, Trouble};
use crate::store::effect::{Applied, Effect};
use crate::store::jobs::attempt::ItemReport;

/// Rows that are committed at once.
const AT_ONCE: usize = 100;

/// In the result of an item: the blob that a metadata file was copied to, and its form.
const SHEET: &str = "metadataFile";

/// A metadata file of the directory.
pub struct Sheet {
    found: Found,
    form: Form,
}

/// Tells metadata files from those that become assets.
pub async fn sort_out(
    workshop: &Workshop,
    directory: &Arc<ServerDirectory>,
    files: Vec<Found>,
) -> Result<(Vec<Sheet>, Vec<Found>), Failure> {
    let directory = directory.clone();
    let sorted = workshop.work(move |_| {
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
    directory: &Arc<ServerDirectory>,
    sheets: Vec<Sheet>,
) -> Result<(), Failure> {
    let done = context.done_items().await?;
    for Sheet { found, form } in sheets {
        let key = ingest::display(&found.relative);
        if !done.contains_key(&key) {
            context.checkpoint()?;
            take_copy(context, workshop, directory.clone(), found, form, key).await?;
        }
    }
    let done = context.done_items().await?;
    let mut copies: Vec<(&String, &Value)> =
        done.iter().filter_map(|(key, result)| Some((key, result.get(SHEET)?))).collect();
    copies.sort_by_key(|(key, _)| *key);
    for (key, copy) in copies {
        for (page, rows) in read_copy(workshop, copy).await?.chunks(AT_ONCE).enumerate() {
            // No path holds a line break.
            let item = format!("{key}\n{page}");
            if !done.contains_key(&item) {
                context.checkpoint()?;
                commit(context, key, Item(item), rows).await?;
            }
        }
    }
    Ok(())
}

/// Copies a file to the store of files, and says how much it has to say.
async fn take_copy(
    context: &Context,
    workshop: &Workshop,
    directory: Arc<ServerDirectory>,
    found: Found,
    form: Form,
    key: String,
) -> Result<(), Failure> {
    let blobs = workshop.blobs.clone();
    let copied = workshop.work(move |stop| {
        let source = directory.open(&found.relative).map_err(|error| Ok(reason::of_ingest(&error)))?;
        let Source { mut file, stamp } = source;
        let blob = blobs.store(&mut file, sheet::LARGEST, stop).map_err(|error| match error {
            BlobError::Source(error) => Ok(reason::other(format_args!("it cannot be read: {error}"))),
            BlobError::TooLarge { limit } => Ok(reason::too_large(stamp.bytes, limit)),
            error => Err(Failure::from(error)),
        })?;
        let mut bytes = Vec::new();
        let read = file.seek(SeekFrom::Start(0)).and_then(|_| file.take(sheet::LARGEST).read_to_end(&mut bytes));
        read.map_err(|error| Ok(reason::other(error)))?;
        let rows = sheet::read(form, &bytes).map_err(|error| Ok(reason::other(error)))?;
        Ok::<_, Result<Message, Failure>>((blob.id, rows.len()))
    });
    let mut effect = Effect::Nothing;
    let report = match copied.await? {
        Ok((blob, rows)) => {
            effect = Effect::KeepSheet { run: context.run.fence.instance, path: key.clone(), blob: blob.clone() };
            let message = Message::new("metadata-file-read").with("file", key.clone()).with("count", rows);
            let lines = vec![LogLine::new(LogType::JobInfo, message)];
            ItemReport { result: json!({ SHEET: { "blob": blob, "form": form } }), lines, ..ItemReport::default() }
        }
        Err(Ok(why)) => {
            let message = Message::new("upload-error").with("file", key.clone()).with("reason", why);
            let line = LogLine::new(LogType::UploadError, message);
            let line =
                line.about(None, Path::new(&key).file_stem().unwrap_or_default().to_string_lossy(), FileType::NoType);
            let counters = Counters { error: 1, ..Counters::default() };
            ItemReport { counters, lines: vec![line], ..ItemReport::default() }
        }
        Err(Err(failure)) => return Err(failure),
    };
    context.commit(Item(key), effect, move |_| report).await?;
    Ok(())
}

async fn read_copy(workshop: &Workshop, copy: &Value) -> Result<Vec<Row>, Failure> {
    let unreadable = |error: &dyn std::fmt::Display| Failure::because(reason::other(error));
    let form: Form = serde_json::from_value(copy["form"].clone()).map_err(|error| unreadable(&error))?;
    let (blobs, blob) = (workshop.blobs.clone(), copy["blob"].as_str().unwrap_or_default().to_owned());
    let read = workshop.work(move |_| {
        let bytes = blobs.content(&blob, sheet::LARGEST)?;
        Ok::<_, BlobError>(sheet::read(form, &bytes))
    });
    read.await??.map_err(|error| unreadable(&error))
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
    let failures = troubles.iter().map(|trouble| failure(file, *row, name, Some(asset), why(trouble)));
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
