//! A file that has been taken in becomes an asset: the commit, and the lines that tell of it. All upload jobs share it.

use std::collections::HashMap;
use std::io::{Read, Seek};

use serde_json::{Value, json};
use unicode_normalization::UnicodeNormalization;

use super::archive::{self, Archive};
use super::context::ROUNDS;
use super::pictures::{self, Ready, Unmade};
use super::process::{self, Ordered, Parts, Processing, Subject};
use super::{Bytes, Context, Failure, Item, Workshop, reason};
use crate::assets::blobs::{Blob, BlobError, Blobs};
use crate::model::asset::AssetType;
use crate::model::handle;
use crate::model::id::{AssetId, InstanceId};
use crate::model::job::ProcessingOptions;
use crate::model::log::{FileType, LEFT_OUT, LEFT_OUT_APART, LEFT_OUT_FOR_SET, LogLine, LogType, Message};
use crate::model::name::FileName;
use crate::model::outcome::Counters;
use crate::model::overwrite::{Claim, Kin, Made, OverwriteMode, SameName, Verdict};
use crate::model::source::{Siblings, SourceName};
use crate::store::assets::arrival::{Arrival, Filed};
use crate::store::assets::metadata::Brought;
use crate::store::assets::parts::Order;
use crate::store::effect::{Applied, Effect};
use crate::store::jobs::attempt::{ItemReport, REFUSED};
use crate::store::pictures::KnownAsset;

/// What is the same for all files of a job.
#[derive(Debug, Clone)]
pub struct Filing {
    pub company_root: String,
    pub overwrite: bool,
    overwrite_mode: OverwriteMode,
    same_name: SameName,
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
    /// Where it goes and what it is called, before anything of that was cleaned.
    pub source: SourceName,
    /// Other files of the job that it could be taken for.
    pub siblings: Siblings,
    /// It came in an archive, and nothing in one is unpacked in turn.
    pub is_member: bool,
    pub name: FileName,
    /// Where it goes, below the company root.
    pub folder: String,
    /// Lines about how it came, for the log.
    pub history: Vec<LogLine>,
    /// For the item: what tells whether the source has changed since.
    pub stamp: Value,
}

/// What became of a file before it could be filed.
#[derive(Debug)]
pub enum Fate {
    Ready(Box<Ready>),
    /// Its members become assets.
    Archive(Archive),
    /// It is not taken in because of an asset that is there.
    Twin(Box<Twin>),
    /// The whole line that says why.
    Refused(Message),
}

/// A file whose name is taken, when nothing is to be overwritten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Twin {
    asset: Kin,
    is_same: bool,
    /// Size of the file.
    bytes: u64,
}

/// What the assets under its name mean for a file, as far as can be told before it is filed.
#[derive(Debug, Clone)]
pub struct Foresight {
    name: FileName,
    folder: String,
    source: SourceName,
    siblings: Siblings,
    run: InstanceId,
    overwrite: bool,
    mode: OverwriteMode,
    same_name: SameName,
    /// It may turn out to be an archive, whose own name counts for nothing.
    may_be_unpacked: bool,
    kin: Vec<Kin>,
    /// The asset whose master it will replace.
    pub replaces: Option<KnownAsset>,
}

impl Foresight {
    fn claim<'a>(&'a self, content: Option<&'a str>) -> Claim<'a> {
        Claim {
            name: &self.name,
            folder: &self.folder,
            source: &self.source,
            siblings: &self.siblings,
            run: self.run,
            content,
            overwrite: self.overwrite,
            mode: self.mode,
            same_name: self.same_name,
        }
    }

    /// Whether it has to be known what is in a file of this size: an asset of the same size may have the same content.
    fn asks_for_content(&self, bytes: u64) -> bool {
        self.kin.iter().any(|kin| !kin.in_trash && kin.bytes == bytes)
    }

    /// The asset for whose sake a file need not be taken in, if that is certain. Where other files of the job could be taken for it,
    /// only its own asset is.
    pub fn twin(&self, content: Option<&str>, bytes: u64) -> Option<Twin> {
        if self.overwrite || self.may_be_unpacked {
            return None;
        }
        let (asset, is_same) = match self.claim(content).settle(&self.kin) {
            Verdict::Same(asset) => (asset, true),
            Verdict::LeaveOut(asset) => (asset, false),
            Verdict::Add | Verdict::Number(_) | Verdict::Replace(_) | Verdict::ReplaceAndMove(_) => return None,
        };
        let is_certain = self.siblings.is_empty() || asset.source.as_ref() == Some(&self.source);
        is_certain.then(|| Twin { asset: asset.clone(), is_same, bytes })
    }

    /// The same for a file that can be read, and is read only if it has to be. It is left at its beginning. A file whose
    /// content an asset has is taken in all the same if the stored one was damaged or lost: this is it. Blocks.
    pub fn twin_of(
        &self,
        blobs: &Blobs,
        file: &mut (impl Read + Seek),
        bytes: u64,
        stop: &dyn Fn() -> bool,
    ) -> Result<Option<Twin>, BlobError> {
        if self.overwrite || self.may_be_unpacked || self.kin.is_empty() {
            return Ok(None);
        }
        if !self.asks_for_content(bytes) {
            return Ok(self.twin(None, bytes));
        }
        file.rewind().map_err(BlobError::Source)?;
        let content = Blobs::digest(file, stop)?;
        file.rewind().map_err(BlobError::Source)?;
        let twin = self.twin(Some(&content.id), content.bytes);
        if twin.as_ref().is_some_and(|twin| twin.is_same) {
            match blobs.verify(&content.id, stop) {
                Err(error) if error.is_of_file() => return Ok(None),
                verified => verified?,
            }
        }
        Ok(twin)
    }
}

impl Incoming {
    fn may_be_unpacked(&self, options: &ProcessingOptions) -> bool {
        !self.is_member && archive::may_be_unpacked(options, &self.name)
    }

    /// It came, but nothing can be made of it.
    pub fn refuse(&self, why: Message) -> Fate {
        Fate::Refused(Message::new("upload-error").with("file", self.shown.clone()).with("reason", why))
    }

    /// Whose item says that nothing came of it.
    fn refused(mut self) -> Self {
        match &mut self.stamp {
            Value::Object(stamp) => drop(stamp.insert(REFUSED.to_owned(), Value::Bool(true))),
            stamp => *stamp = json!({ REFUSED: true }),
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
        let company = context.reads().company(context.run.company).await?;
        let gone = || Failure::because(reason::other("the company of the job is no longer there"));
        let company = company.ok_or_else(gone)?;
        Ok(Self {
            company_root: company.root_path,
            overwrite,
            overwrite_mode: company.settings.overwrite_mode,
            same_name: options.same_name.or(company.same_name).unwrap_or(workshop.settings.ingest.same_name),
            processing: Processing::of_upload(context, workshop, options).await?,
            workshop: workshop.clone(),
        })
    }

    /// Looks at the assets under the name of a file.
    pub async fn foresee(&self, context: &Context, incoming: &Incoming) -> Result<Foresight, Failure> {
        let company = context.run.company;
        let mut foresight = Foresight {
            name: incoming.name.clone(),
            folder: incoming.folder.clone(),
            source: incoming.source.clone(),
            siblings: incoming.siblings.clone(),
            run: context.run.fence.instance,
            overwrite: self.overwrite,
            mode: self.overwrite_mode,
            same_name: self.same_name,
            may_be_unpacked: incoming.may_be_unpacked(&self.processing.options),
            kin: context.reads().kin(company, &incoming.name.stem).await?,
            replaces: None,
        };
        let replaced = match foresight.claim(None).settle(&foresight.kin) {
            Verdict::Replace(asset) | Verdict::ReplaceAndMove(asset) => asset.id,
            Verdict::Add | Verdict::Number(_) | Verdict::Same(_) | Verdict::LeaveOut(_) => return Ok(foresight),
        };
        foresight.replaces = replaced_by_upload(context, Some(replaced)).await?;
        Ok(foresight)
    }

    /// Commits a file and what became of it, and then makes what it brings forth.
    pub async fn file(&self, context: &Context, incoming: Incoming, fate: Fate) -> Result<(), Failure> {
        match fate {
            Fate::Ready(ready) => self.add(context, incoming, *ready).await,
            Fate::Archive(found) => archive::unpack(self, context, &self.workshop, incoming, found).await,
            Fate::Twin(twin) => {
                let Twin { asset, is_same, bytes } = *twin;
                if is_same {
                    return self.skip(context, incoming, &asset).await;
                }
                let (counters, line) = left_out(&self.company_root, self.overwrite_mode, &incoming, bytes, &asset);
                commit(context, incoming, counters, vec![line]).await
            }
            Fate::Refused(message) => self.commit_refusal(context, incoming, message).await,
        }
    }

    async fn commit_refusal(&self, context: &Context, incoming: Incoming, message: Message) -> Result<(), Failure> {
        let incoming = incoming.refused();
        let counters = Counters { error: 1, ..Counters::default() };
        let line = LogLine::new(LogType::UploadError, message);
        let line = line.about(None, incoming.name.stem.clone(), FileType::NoType);
        commit(context, incoming, counters, vec![line]).await
    }

    /// A file that an asset has already. Parts of it that nobody came to the end of are made now.
    async fn skip(&self, context: &Context, incoming: Incoming, asset: &Kin) -> Result<(), Failure> {
        let key = incoming.key.clone();
        let effect = match asset.made {
            // By what it is, not by what it is called: that it has parts was found out so, too.
            Made::Unfinished if self.goes_on(asset).await? => {
                Effect::GoOn(Order { parent: asset.id, blob: asset.blob.clone(), run: context.run.fence.instance })
            }
            Made::Nothing | Made::Unfinished | Made::All => Effect::Nothing,
        };
        let asks_by_name = process::asks_for_parts(&incoming.name.extension, &self.processing);
        let known = asset.clone();
        let report = move |applied: &Applied| {
            let goes_on = matches!(applied, Applied::GoesOn(true));
            let (mut counters, more) = duplicate(&incoming, &known, asks_by_name, goes_on);
            let mut lines = incoming.history;
            lines.extend(more);
            counters.warning += warnings_among(&lines);
            let mut result = incoming.stamp;
            if goes_on {
                process::note_unfinished(&mut result, &known);
            }
            ItemReport { result, counters, lines, ..ItemReport::default() }
        };
        match context.commit(Item(key.clone()), effect, report).await? {
            Some(Applied::GoesOn(true)) => {
                self.make_parts(context, asset.id, (&asset.blob, Ordered::ByAnother), &key).await
            }
            _ => Ok(()),
        }
    }

    /// Whether parts of what an asset has are gone on with. One that cannot be read says so when they are made.
    async fn goes_on(&self, asset: &Kin) -> Result<bool, Failure> {
        let (blobs, blob, file_name) = (self.workshop.blobs.clone(), asset.blob.clone(), asset.file_name.clone());
        match self.workshop.work(move |_| pictures::sniff_master(&blobs, &blob, &file_name)).await? {
            Ok(format) => Ok(process::goes_on(format, &self.processing)),
            Err(Unmade::Refused(_)) => Ok(true),
            Err(Unmade::Failed(failure)) => Err(failure),
        }
    }

    async fn make_parts(
        &self,
        context: &Context,
        asset: AssetId,
        (blob, ordered): (&str, Ordered),
        key: &str,
    ) -> Result<(), Failure> {
        let filed = process::Filed { asset, blob: Some(blob), ordered };
        self.processing.make_parts(context, &self.workshop, filed, key).await
    }

    /// What goes over from the asset that the file replaces, such as a crop, may have changed while it was made: then it is made
    /// again, of what is stored of it.
    async fn add(&self, context: &Context, incoming: Incoming, mut ready: Ready) -> Result<(), Failure> {
        let (key, format) = (incoming.key.clone(), ready.format);
        for _ in 0..ROUNDS {
            let blob = Blob { id: ready.master.blob.clone(), bytes: ready.master.bytes };
            match self.commit_master(context, &incoming, ready).await? {
                Some(Applied::Overtaken(_)) => {}
                Some(Applied::Filed(filed)) if filed.is_master() => {
                    if process::parts_of(format) == Parts::None {
                        return Ok(());
                    }
                    return self.make_parts(context, filed.asset(), (&blob.id, Ordered::WithMaster), &key).await;
                }
                Some(Applied::Filed(Filed::Duplicate { asset, goes_on: true })) => {
                    return self.make_parts(context, asset.id, (&asset.blob, Ordered::ByAnother), &key).await;
                }
                _ => return Ok(()),
            }
            context.checkpoint()?;
            match self.examine_again(context, &incoming, blob).await {
                Ok(again) => ready = again,
                Err(Unmade::Refused(why)) => return self.refuse(context, incoming, why).await,
                Err(Unmade::Failed(failure)) => return Err(failure),
            }
        }
        self.refuse(context, incoming, Message::new("reason-asset-changing")).await
    }

    async fn refuse(&self, context: &Context, incoming: Incoming, why: Message) -> Result<(), Failure> {
        let Fate::Refused(message) = incoming.refuse(why) else { return Ok(()) };
        self.commit_refusal(context, incoming, message).await
    }

    async fn examine_again(&self, context: &Context, incoming: &Incoming, blob: Blob) -> Result<Ready, Unmade> {
        let mut foresight = self.foresee(context, incoming).await?;
        // With its content, which is known by now, as the transaction that files it will decide.
        let replaced = match foresight.claim(Some(&blob.id)).settle(&foresight.kin) {
            Verdict::Replace(asset) | Verdict::ReplaceAndMove(asset) => Some(asset.id),
            Verdict::Add | Verdict::Number(_) | Verdict::Same(_) | Verdict::LeaveOut(_) => None,
        };
        if foresight.replaces.as_ref().map(|known| known.id) != replaced {
            foresight.replaces = replaced_by_upload(context, replaced).await?;
        }
        let (workshop, name, progress) = (self.workshop.clone(), incoming.name.clone(), context.clone());
        let (shown, processing, content) = (incoming.shown.clone(), self.processing.clone(), blob.id.clone());
        let room = self.workshop.room_of(&name, blob.bytes);
        let examined = self.workshop.work_in(room, context, Bytes::of(&content, &incoming.shown), move |stop| {
            let _working = progress.working_on(shown);
            let subject = Subject { blob: &blob, name: &name, known: foresight.replaces.as_ref(), room };
            process::examine(&workshop, subject, &processing, stop)
        });
        examined.await
    }

    async fn commit_master(
        &self,
        context: &Context,
        incoming: &Incoming,
        ready: Ready,
    ) -> Result<Option<Applied>, Failure> {
        let arrival = Arrival {
            company: context.run.company,
            folder: incoming.folder.clone(),
            name: incoming.name.clone(),
            source: incoming.source.clone(),
            siblings: incoming.siblings.clone(),
            run: context.run.fence.instance,
            master: ready.master.clone(),
            built_on: ready.built_on.clone(),
            overwrite: self.overwrite,
            same_name: self.same_name,
            marking: self.processing.marking,
            brings_forth: process::brings_forth(ready.format, &self.processing).to_vec(),
            goes_on: process::goes_on(ready.format, &self.processing),
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
        let is_asked = process::asks_for_parts(&incoming.name.extension, &self.processing);
        let told = Told {
            root: self.company_root.clone(),
            mode: self.overwrite_mode,
            incoming: incoming.clone(),
            ready,
            is_asked,
        };
        context.commit(Item(incoming.key.clone()), effect, move |applied| told.report(applied)).await
    }

    /// Goes on where an earlier attempt left off.
    pub async fn resume(&self, context: &Context, done: &HashMap<String, Value>) -> Result<(), Failure> {
        self.processing.resume(context, &self.workshop, done).await
    }
}

async fn replaced_by_upload(context: &Context, asset: Option<AssetId>) -> Result<Option<KnownAsset>, Failure> {
    let known = context.reads().assets_numbered(context.run.company, asset.as_slice()).await?.pop();
    Ok(known.map(KnownAsset::for_upload))
}

async fn commit(
    context: &Context,
    incoming: Incoming,
    mut counters: Counters,
    more: Vec<LogLine>,
) -> Result<(), Failure> {
    let mut lines = incoming.history;
    lines.extend(more);
    counters.warning += warnings_among(&lines);
    let report = ItemReport { result: incoming.stamp, counters, lines, ..ItemReport::default() };
    context.commit(Item(incoming.key), Effect::Nothing, move |_| report).await?;
    Ok(())
}

/// What is counted of lines about a file.
pub fn warnings_among(lines: &[LogLine]) -> i64 {
    lines.iter().filter(|line| line.log_type == LogType::UploadWarning).count() as i64
}

/// What to say of a file whose content is there already.
///
/// `is_asked`: whether the job asks for parts of it. `goes_on`: whether it goes on with those that another job left out.
fn duplicate(incoming: &Incoming, asset: &Kin, is_asked: bool, goes_on: bool) -> (Counters, Vec<LogLine>) {
    let (shown, name) = (incoming.shown.clone(), asset.name.clone());
    let message = Message::new("duplicate-skipped").with("file", shown.clone()).with("asset", name.clone());
    let mut lines = vec![LogLine::new(LogType::DuplicateSkipped, message)];
    if goes_on {
        lines.push(LogLine::new(LogType::JobInfo, Message::new("parts-go-on").with("asset", name.clone())));
    }
    if asset.made == Made::Unfinished && is_asked && process::is_film(&incoming.name.extension) {
        lines.push(LogLine::new(
            LogType::UploadWarning,
            Message::new("renditions-unfinished").with("asset", name.clone()),
        ));
    }
    if asset.made == Made::Nothing && is_asked && process::is_asked_by_kind(&incoming.name.extension) {
        let message = Message::new("duplicate-without-parts").with("file", shown).with("asset", name.clone());
        lines.push(LogLine::new(LogType::UploadWarning, message));
    }
    let about = |line: LogLine| line.about(Some(asset.id), name.clone(), FileType::NoType);
    (Counters { duplicate: 1, ..Counters::default() }, lines.into_iter().map(about).collect())
}

/// Its content is nowhere: whoever uploaded it believes that it is there now.
fn left_out(root: &str, mode: OverwriteMode, incoming: &Incoming, bytes: u64, asset: &Kin) -> (Counters, LogLine) {
    let file_name = if asset.file_name.is_empty() { &asset.name } else { &asset.file_name };
    let say = |code: &str| {
        Message::new(code)
            .with("file", incoming.shown.clone())
            .with("bytes", bytes)
            .with("asset", format!("{}{file_name}", handle::folder_path(root, &asset.folder)))
            .with("at", asset.since.timestamp_millis())
    };
    // What helps is said, and nothing else.
    let message = if asset.is_set() {
        say(LEFT_OUT_FOR_SET)
    } else if asset.gives_way_to(&incoming.folder, &incoming.name, mode) {
        say(LEFT_OUT).with("asset-bytes", asset.bytes)
    } else {
        say(LEFT_OUT_APART).with("asset-bytes", asset.bytes).with("mode", mode.as_str())
    };
    let line = LogLine::new(LogType::DuplicateSkipped, message).about(Some(asset.id), &asset.name, FileType::NoType);
    (Counters { duplicate: 1, left_out: 1, ..Counters::default() }, line)
}

/// All that the lines of a filed file are made from.
struct Told {
    root: String,
    mode: OverwriteMode,
    incoming: Incoming,
    ready: Ready,
    /// Whether the job asks for parts of it.
    is_asked: bool,
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
            Filed::AddedWithNumber { name, shared_with, .. } => {
                counters.success = 1;
                lines.push(self.success(name));
                let Incoming { shown, name: wanted, .. } = &self.incoming;
                let message = match shared_with {
                    Some(other) => Message::new("name-shared")
                        .with("file", shown.clone())
                        .with("asset", wanted.stem.clone())
                        .with("name", name.clone())
                        .with("other", other.path()),
                    None => Message::new("duplicate-renamed")
                        .with("file", shown.clone())
                        .with("asset", wanted.stem.clone())
                        .with("name", name.clone()),
                };
                lines.push(self.line(LogType::UploadWarning, name, message));
            }
            Filed::Updated { name, moved_from, in_place_of, part_of, parts_gone, .. } => {
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
                if let Some(parent) = part_of {
                    let message =
                        Message::new("part-replaced").with("asset", name.clone()).with("file", parent.clone());
                    lines.push(self.line(LogType::UploadWarning, name, message));
                }
                if *parts_gone > 0 {
                    let message = process::parts_of_earlier_gone(name, *parts_gone);
                    lines.push(self.line(LogType::UploadWarning, name, message));
                }
                if let Some(other) = in_place_of {
                    // Whoever asks to overwrite means what was there before.
                    let message = Message::new("replaced-of-same-job")
                        .with("file", self.incoming.shown.clone())
                        .with("asset", name.clone())
                        .with("other", other.path());
                    lines.push(self.line(LogType::UploadWarning, name, message));
                }
            }
            Filed::Duplicate { asset, goes_on } => {
                let more;
                (counters, more) = duplicate(&self.incoming, asset, self.is_asked, *goes_on);
                lines.extend(more);
            }
            Filed::LeftOut(asset) => {
                let line;
                (counters, line) = left_out(&self.root, self.mode, &self.incoming, self.ready.master.bytes, asset);
                lines.push(line);
            }
        }
        if filed.is_master() {
            let name = filed.name();
            lines.extend(self.warnings(filed).map(|message| self.line(LogType::UploadWarning, name, message)));
        }
        counters.warning = warnings_among(&lines);
        let mut result = self.incoming.stamp;
        if filed.is_master() {
            let Ready { master, format, .. } = &self.ready;
            process::note_parent(&mut result, (filed.asset(), &master.blob, *format), Ordered::WithMaster);
        }
        if let Filed::Duplicate { asset, goes_on: true } = filed {
            process::note_unfinished(&mut result, asset);
        }
        ItemReport { result, counters, lines, ..ItemReport::default() }
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

    fn warnings(&self, filed: &Filed) -> impl Iterator<Item = Message> {
        let Incoming { source, name, shown, .. } = &self.incoming;
        // Accents that are composed, and an extension in small letters, are the same name written in another way.
        let composed: String = source.file().nfc().collect();
        let is_cleaned = name.changed && composed.to_lowercase() != name.with_extension().to_lowercase();
        let is_told = matches!(filed, Filed::AddedWithNumber { shared_with: Some(_), .. });
        let kept = FileName { stem: filed.name().to_owned(), ..name.clone() };
        let cleaned = (is_cleaned && !is_told)
            .then(|| Message::new("name-cleaned").with("file", shown.clone()).with("name", kept.with_extension()));
        let others = self.ready.warnings.iter().map(|warning| warning.told_of(shown));
        cleaned.into_iter().chain(others)
    }
}
