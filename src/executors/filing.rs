//! A file that has been taken in becomes an asset: the commit, and the lines that tell of it. All upload jobs share it.

use std::collections::HashMap;

use serde_json::{Value, json};
use unicode_normalization::UnicodeNormalization;

use super::archive::{self, Archive};
use super::pictures::Ready;
use super::process::{self, Parts, Processing};
use super::{Context, Failure, Item, Workshop, reason};
use crate::model::asset::AssetType;
use crate::model::handle;
use crate::model::id::AssetId;
use crate::model::job::ProcessingOptions;
use crate::model::log::{FileType, LogLine, LogType, Message};
use crate::model::name::FileName;
use crate::model::outcome::Counters;
use crate::model::overwrite::{Clash, OverwriteMode, Resolution};
use crate::store::assets::arrival::{Arrival, Filed};
use crate::store::assets::metadata::Brought;
use crate::store::effect::{Applied, Effect};
use crate::store::jobs::attempt::{ItemReport, REFUSED};
use crate::store::pictures::KnownAsset;

/// What is the same for all files of a job.
#[derive(Debug, Clone)]
pub struct Filing {
    pub company_root: String,
    pub overwrite: bool,
    overwrite_mode: OverwriteMode,
    pub processing: Processing,
    workshop: Workshop,
}

/// One file of a job.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// Key of its item.
    pub key: String,
    /// What it was called where it came from.
    pub shown: String,
    pub raw_name: String,
    pub name: FileName,
    /// Where it goes, below the company root.
    pub folder: String,
    /// Lines about how it came, for the log.
    pub history: Vec<LogLine>,
    /// For the item: what tells whether the source has changed since.
    pub source: Value,
}

/// What became of a file before it could be filed.
#[derive(Debug)]
pub enum Fate {
    Ready(Box<Ready>),
    /// Its members become assets.
    Archive(Archive),
    /// Its name is taken and nothing is to be overwritten.
    Duplicate(Box<KnownAsset>),
    /// The whole line that says why.
    Refused(Message),
}

impl Incoming {
    /// It came, but nothing can be made of it.
    pub fn refuse(&self, why: Message) -> Fate {
        Fate::Refused(Message::new("upload-error").with("file", self.shown.clone()).with("reason", why))
    }

    /// Whose item says that nothing came of it.
    fn refused(mut self) -> Self {
        match &mut self.source {
            Value::Object(source) => drop(source.insert(REFUSED.to_owned(), Value::Bool(true))),
            source => *source = json!({ REFUSED: true }),
        }
        self
    }
}

impl Filing {
    pub async fn new(
        context: &Context,
        workshop: &Workshop,
        overwrite: bool,
        options: &ProcessingOptions,
    ) -> Result<Self, Failure> {
        let company = context.store().company(context.run.company).await?;
        let gone = || Failure::because(reason::other("the company of the job is no longer there"));
        let company = company.ok_or_else(gone)?;
        Ok(Self {
            company_root: company.root_path,
            overwrite,
            overwrite_mode: company.settings.overwrite_mode,
            processing: Processing::new(context, workshop, options).await?,
            workshop: workshop.clone(),
        })
    }

    /// The asset that makes the file a duplicate for certain, so that it need not be read at all.
    pub fn duplicate_of(&self, known: Option<&KnownAsset>) -> Option<KnownAsset> {
        known.filter(|known| !self.overwrite && !known.in_trash).cloned()
    }

    /// The same for a file that may turn out to be an archive, whose own name counts for nothing.
    pub fn duplicate_of_file(&self, name: &FileName, known: Option<&KnownAsset>) -> Option<KnownAsset> {
        if archive::may_be_unpacked(&self.processing.options, name) { None } else { self.duplicate_of(known) }
    }

    /// Commits a file and what became of it, and then makes what it brings forth.
    pub async fn file(&self, context: &Context, incoming: Incoming, fate: Fate) -> Result<(), Failure> {
        match fate {
            Fate::Ready(ready) => self.add(context, incoming, *ready).await,
            Fate::Archive(found) => archive::unpack(self, context, &self.workshop, incoming, found).await,
            Fate::Duplicate(known) => {
                let line = duplicate(&incoming, known.id, &incoming.name.stem);
                let counters = Counters { duplicate: 1, ..Counters::default() };
                commit(context, incoming, counters, line).await
            }
            Fate::Refused(message) => {
                let incoming = incoming.refused();
                let counters = Counters { error: 1, ..Counters::default() };
                let line = LogLine::new(LogType::UploadError, message).about(
                    None,
                    incoming.name.stem.clone(),
                    FileType::NoType,
                );
                commit(context, incoming, counters, line).await
            }
        }
    }

    async fn add(&self, context: &Context, incoming: Incoming, ready: Ready) -> Result<(), Failure> {
        let arrival = Arrival {
            company: context.run.company,
            folder: incoming.folder.clone(),
            name: incoming.name.clone(),
            master: ready.master.clone(),
            overwrite: self.overwrite,
            ready_for_publish: self.processing.options.ready_for_publish.unwrap_or(false),
            preserve_publish_state: self.processing.options.preserve_publish_state,
            by: context.run.responsible,
            at: context.clock.now(),
        };
        let brought = Brought {
            fields: ready.metadata.clone(),
            keywords: self.processing.options.keywords(),
            updates: ready.updates.clone(),
        };
        let effect =
            Effect::File { arrival: Box::new(arrival), derived: ready.derived.clone(), brought: Box::new(brought) };
        let (key, format) = (incoming.key.clone(), ready.format);
        let told = Told { root: self.company_root.clone(), incoming, ready };
        let applied = context.commit(Item(key.clone()), effect, move |applied| told.report(applied)).await?;
        match applied {
            Some(Applied::Filed(filed)) if !matches!(filed, Filed::Duplicate { .. }) => {
                if process::parts_of(format) == Parts::None {
                    return Ok(());
                }
                self.processing.make_parts(context, &self.workshop, filed.asset(), &key).await
            }
            _ => Ok(()),
        }
    }

    /// Goes on where an earlier attempt left off.
    pub async fn resume(&self, context: &Context, done: &HashMap<String, Value>) -> Result<(), Failure> {
        self.processing.resume(context, &self.workshop, done).await
    }

    /// The asset whose master a file will replace, as far as can be told before it is filed.
    pub fn replaced(&self, known: Option<KnownAsset>, incoming: &Incoming) -> Option<KnownAsset> {
        known.filter(|known| {
            let extension = known.file_name.rsplit_once('.').map_or("", |(_, extension)| extension);
            let clash = Clash {
                same_folder: known.folder == incoming.folder,
                same_extension: extension == incoming.name.extension,
                in_trash: known.in_trash,
            };
            match self.overwrite_mode.resolve(self.overwrite, clash) {
                Resolution::Replace | Resolution::ReplaceAndMove => true,
                Resolution::Rename | Resolution::Skip => false,
            }
        })
    }
}

async fn commit(context: &Context, incoming: Incoming, counters: Counters, line: LogLine) -> Result<(), Failure> {
    let mut lines = incoming.history;
    lines.push(line);
    let report = ItemReport { result: incoming.source, counters, lines };
    context.commit(Item(incoming.key), Effect::Nothing, move |_| report).await?;
    Ok(())
}

fn duplicate(incoming: &Incoming, asset: AssetId, name: &str) -> LogLine {
    let message = Message::new("duplicate-skipped").with("file", incoming.shown.clone()).with("asset", name);
    LogLine::new(LogType::DuplicateSkipped, message).about(Some(asset), name, FileType::NoType)
}

/// All that the lines of a filed file are made from.
struct Told {
    root: String,
    incoming: Incoming,
    ready: Ready,
}

impl Told {
    fn report(self, applied: &Applied) -> ItemReport {
        let Applied::Filed(filed) = applied else { return ItemReport::default() };
        let mut counters = Counters::default();
        let mut lines = self.incoming.history.clone();
        match filed {
            Filed::Added { name, .. } => {
                counters.success = 1;
                lines.push(self.success(name));
            }
            Filed::AddedWithNumber { name, .. } => {
                counters.success = 1;
                lines.push(self.success(name));
                let message = Message::new("duplicate-renamed")
                    .with("file", self.incoming.shown.clone())
                    .with("asset", self.incoming.name.stem.clone())
                    .with("name", name.clone());
                lines.push(self.line(LogType::UploadWarning, name, message));
            }
            Filed::Updated { name, moved_from, .. } => {
                counters.update = 1;
                let message =
                    Message::new("file-updated").with("file", self.path(name)).with("bytes", self.ready.master.bytes);
                lines.push(self.line(LogType::FileUpdated, name, message));
                if let Some(from) = moved_from {
                    let message = Message::new("moved-to-folder")
                        .with("asset", name.clone())
                        .with("from", handle::folder_path(&self.root, from))
                        .with("folder", handle::folder_path(&self.root, &self.incoming.folder));
                    lines.push(self.line(LogType::JobInfo, name, message));
                }
            }
            Filed::Duplicate { asset, name } => {
                counters.duplicate = 1;
                lines.push(duplicate(&self.incoming, *asset, name));
            }
        }
        if let Filed::Added { name, .. } | Filed::AddedWithNumber { name, .. } | Filed::Updated { name, .. } = filed {
            lines.extend(self.warnings().map(|message| self.line(LogType::UploadWarning, name, message)));
        }
        counters.warning = lines.iter().filter(|line| line.log_type == LogType::UploadWarning).count() as i64;
        let mut result = self.incoming.source;
        if !matches!(filed, Filed::Duplicate { .. }) {
            process::note_parent(&mut result, filed.asset(), self.ready.format);
        }
        ItemReport { result, counters, lines }
    }

    fn success(&self, name: &str) -> LogLine {
        let Ready { master, .. } = &self.ready;
        let message = Message::new("upload-success")
            .with("file", self.path(name))
            .with("type", AssetType::as_str(master.asset_type))
            .with("bytes", master.bytes);
        self.line(LogType::UploadSuccess, name, message)
    }

    fn line(&self, log_type: LogType, name: &str, message: Message) -> LogLine {
        LogLine::new(log_type, message).about(None, name, FileType::of_master(self.ready.master.asset_type))
    }

    /// Where the asset is, as a client sees it: company root first, and the name of the file it is kept as.
    fn path(&self, name: &str) -> String {
        let file = FileName { stem: name.to_owned(), ..self.incoming.name.clone() };
        format!("{}{}", handle::folder_path(&self.root, &self.incoming.folder), file.with_extension())
    }

    fn warnings(&self) -> impl Iterator<Item = Message> {
        let Incoming { raw_name, name, shown, .. } = &self.incoming;
        // Accents that are composed, and an extension in small letters, are the same name written in another way.
        let composed: String = raw_name.nfc().collect();
        let is_cleaned = name.changed && composed.to_lowercase() != name.with_extension().to_lowercase();
        let cleaned = is_cleaned
            .then(|| Message::new("name-cleaned").with("file", shown.clone()).with("name", name.with_extension()));
        let others = self.ready.warnings.iter().map(|warning| warning.told_of(shown));
        cleaned.into_iter().chain(others)
    }
}
