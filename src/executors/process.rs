//! The one place where a master becomes what the options of a job ask for. Uploads and reprocessing share it.
//!
//! It takes two steps, because some masters bring forth assets of their own:
//!
//! 1. [`examine`], before the master is filed and on a thread that may block: what it is, and the files that are derived
//!    from it. They are committed together with it.
//! 2. [`Processing::make_parts`], once it has a number: the pages, layers and renditions that become assets. Each is an item under
//!    a key that begins with the master's, so that an attempt that comes later goes on behind the last one.
//!
//! Both look at the format and name every one, so that none is forgotten.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::sync::Arc;

use serde_json::{Value, json};

use super::pages::{self, Counted};
use super::pictures::{self, Ready, Unmade, Warning};
use super::reason::{self, Holds};
use super::recipe::{self, Recipes};
use super::settings::Room;
use super::{Context, Failure, Item, Workshop, layers, leaves, videos};
use crate::assets::blobs::Blob;
use crate::assets::recognize;
use crate::config::TiffPages;
use crate::media::child::{ChildError, borrowed};
use crate::media::errand::ReadMetadata;
use crate::media::metadata::Metadata;
use crate::media::pdf::{self, OpenError, PageCount, PdfError};
use crate::media::{Family, Format, Nothing};
use crate::model::asset::AssetType;
use crate::model::handle;
use crate::model::id::AssetId;
use crate::model::job::{PageProcess, ProcessingOptions};
use crate::model::log::{FileType, LogLine, LogType, Message};
use crate::model::making::Making;
use crate::model::metadata::{Field, FieldDefinition, MetadataUpdate, NoField, Update};
use crate::model::name::FileName;
use crate::model::outcome::Counters;
use crate::model::overwrite::Kin;
use crate::store::assets::arrival;
use crate::store::assets::marking::{Follows, Marking};
use crate::store::assets::parts::{Order, Origin, PartsGone};
use crate::store::assets::sets::Gathered;
use crate::store::effect::{Applied, Effect};
use crate::store::jobs::attempt::ItemReport;
use crate::store::pictures::KnownAsset;

/// What a job asks to be made of its masters.
#[derive(Debug, Clone)]
pub struct Processing {
    pub options: Arc<ProcessingOptions>,
    /// Of the masters and of what is made of them.
    pub marking: Marking,
    pub recipes: Recipes,
    pub tiff_pages: TiffPages,
    /// The company's metadata fields, if the job sets some.
    definitions: Arc<[FieldDefinition]>,
}

impl Processing {
    /// Of an upload.
    pub async fn of_upload(
        context: &Context,
        workshop: &Workshop,
        options: &ProcessingOptions,
    ) -> Result<Self, Failure> {
        let marking = Marking::of_upload(options.ready_for_publish, options.preserve_publish_state);
        Self::new(context, workshop, options, marking).await
    }

    /// Of what is there already.
    pub async fn of_known(
        context: &Context,
        workshop: &Workshop,
        options: &ProcessingOptions,
    ) -> Result<Self, Failure> {
        let marking = Marking::of_known(options.ready_for_publish, options.preserve_publish_state);
        Self::new(context, workshop, options, marking).await
    }

    async fn new(
        context: &Context,
        workshop: &Workshop,
        options: &ProcessingOptions,
        marking: Marking,
    ) -> Result<Self, Failure> {
        let recipes = Recipes::load(context.reads(), context.run.company, workshop).await?;
        let definitions = match &options.metadata_options {
            Some(_) => context.reads().metadata_fields(context.run.company).await?,
            None => Vec::new(),
        };
        let tiff_pages = workshop.settings.media.tiff_pages;
        Ok(Self { options: Arc::new(options.clone()), marking, recipes, tiff_pages, definitions: definitions.into() })
    }

    /// Notes what metadataOptions sets on an asset of this type, and what of it such an asset does not have.
    fn describe(&self, ready: &mut Ready) {
        let asked = self.options.metadata_options.iter().flat_map(|options| &options.update_array);
        for update in asked {
            match self.updates(update, ready.master.asset_type) {
                Ok(updates) => ready.updates.extend(updates),
                Err(why) => ready.warnings.push(Warning::NoEffect { option: "metadataOptions", why }),
            }
        }
    }

    fn updates(&self, update: &MetadataUpdate, asset_type: AssetType) -> Result<Vec<Update>, Message> {
        let (_, scope, name) =
            handle::parse_metadata_field("fieldHandle", &update.field_handle).map_err(reason::other)?;
        // Fields of one name may be there for several types; the handle says which of them is meant.
        if !scope.covers(asset_type) {
            let why = Message::new("reason-field-other-type").with("field", name).with("type", scope.to_string());
            return Err(why);
        }
        let field = Field::find(&self.definitions, &name, asset_type).map_err(|why| match why {
            NoField::Unknown => Message::new("reason-field-unknown").with("field", name.clone()),
            NoField::OtherType(scope) => {
                Message::new("reason-field-other-type").with("field", name.clone()).with("type", scope.to_string())
            }
        })?;
        update.of(field).map_err(|invalid| {
            Message::new("reason-field-value").with("field", field.name()).with("rule", invalid.rule)
        })
    }
}

/// A stored file that is to be a master.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    pub blob: &'a Blob,
    pub name: &'a FileName,
    /// The asset whose master it is or replaces.
    pub known: Option<&'a KnownAsset>,
    pub room: Room,
}

/// Finds out what a stored file is, what it says and is said of it, and makes what is derived from it. Blocks.
pub fn examine(
    workshop: &Workshop,
    subject: Subject<'_>,
    processing: &Processing,
    stop: &dyn Fn() -> bool,
) -> Result<Ready, Unmade> {
    let mut ready = make(workshop, subject, processing, stop)?;
    processing.describe(&mut ready);
    Ok(ready)
}

fn make(
    workshop: &Workshop,
    subject: Subject<'_>,
    processing: &Processing,
    stop: &dyn Fn() -> bool,
) -> Result<Ready, Unmade> {
    let Subject { blob, name, known, room } = subject;
    let Processing { options, recipes, .. } = processing;
    let file_name = name.with_extension();
    let format = pictures::sniff_master(&workshop.blobs, &blob.id, &file_name)?;
    keeps_promise(workshop, &blob.id, &name.extension, format)?;
    // What shows a layer, or a page of a picture, goes on to show it when it is processed again.
    let shown = known.filter(|known| known.master.blob == blob.id).map(|known| &known.master.making);
    let (layer, leaf) = (shown.and_then(|shown| shown.layer), shown.and_then(|shown| shown.leaf));
    // What is no picture is not cropped, and leaves nothing of that to the picture that takes its place.
    let before = known.filter(|known| known.master.asset_type.is_picture()).map(|known| &known.master.making);
    let making = match recognize::asset_type(format).is_picture() {
        true => Making { layer, leaf, ..Making::asked(options, before) },
        false => Making::default(),
    };
    let given_up = making.crop_given_up(options);
    let mut ready = Ready::new(format, blob, making);
    ready.built_on = known.map(|known| known.master.making.clone()).unwrap_or_default();
    let pdf::Told { metadata: Metadata { fields, left_out }, pages } = metadata(workshop, (blob, format), room, stop)?;
    ready.metadata = fields;
    if layer.is_some() {
        // Where it lay in the file.
        ready.master.facts.layer = known.and_then(|known| known.master.facts.layer.clone());
    }
    let given_up = given_up.map(|option| Warning::NoEffect { option, why: Message::new("reason-crop-kept") });
    ready.warnings.extend(given_up);
    let unchanged = known.and_then(|known| pictures::unchanged(&ready, recipes, &file_name, known));
    // What is gone or cut is made again.
    if let Some(ready) = unchanged.filter(|ready| pictures::has_files(&workshop.blobs, &ready.derived)) {
        return Ok(ready);
    }
    ready.warnings.extend(left_out.iter().map(|what| Warning::Remark(reason::other(what))));
    ready.warnings.extend(pages.iter().flat_map(|found| pages_lost(found, pages::asked(format, options))));
    if !recognize::extension_fits(&name.extension, format) {
        ready.warnings.push(Warning::ContentDiffers { extension: name.extension.clone(), format });
    }
    match format.family() {
        Family::Picture | Family::Layers if format.is_decodable() => {
            pictures::complete(&mut ready, workshop, recipes, stop)?;
        }
        Family::Picture | Family::Layers => {
            ready.master.facts.format = Some(format.name().to_owned());
            ready.warnings.push(Warning::NoPicture(Message::new("reason-format-not-read").with("type", format.name())));
        }
        Family::Film => videos::complete(&mut ready, workshop, &processing.options, stop)?,
        Family::Profile => {
            let space = recipe::profile_space(workshop, &blob.id, stop)?;
            ready.master.facts.colorspace = space.map(|space| space.model().name().to_owned());
        }
        Family::Pages => ready.warnings.extend(
            pages::not_asked(format, options)
                .map(|option| Warning::NoPicture(Message::new("reason-option-absent").with("option", option))),
        ),
        Family::Document | Family::Text | Family::Other => {}
    }
    Ok(ready)
}

/// Refuses what is nothing of what its name says.
fn keeps_promise(workshop: &Workshop, blob: &str, extension: &str, format: Format) -> Result<(), Unmade> {
    let broken = recognize::broken_promise(extension, format);
    let vague = recognize::vague_promise(extension);
    let Some(promise) = broken.or(vague) else { return Ok(()) };
    let holds = match format {
        Format::Gz => Holds::Other(format),
        _ => Holds::Nothing(pictures::nothing_in(&workshop.blobs, blob)?),
    };
    let is_certain = matches!(holds, Holds::Nothing(Nothing::OnlyZeros | Nothing::Pointer | Nothing::WebPage));
    if broken.is_none() && !is_certain {
        return Ok(());
    }
    Err(Unmade::Refused(reason::not_as_named(promise, extension, holds)))
}

/// What a stored file says about itself.
fn metadata(
    workshop: &Workshop,
    (blob, format): (&Blob, Format),
    room: Room,
    stop: &dyn Fn() -> bool,
) -> Result<pdf::Told, Unmade> {
    if !pictures::is_pdf(&workshop.blobs, &blob.id, format)? {
        let file = workshop.blobs.read(&blob.id)?;
        let metadata = workshop.crew.send(ReadMetadata { format }, &borrowed([&file]), stop)?;
        return Ok(pdf::Told { metadata, pages: None });
    }
    let path = workshop.blobs.path(&blob.id)?;
    match pdf::information(&workshop.launcher, &path, &workshop.settings.page_limits(room), stop) {
        Ok(told) => Ok(told),
        Err(OpenError::Pdf(damaged)) => Err(Unmade::Refused(reason::damaged(format, &damaged))),
        Err(OpenError::Child(ChildError::Cancelled { .. })) => Err(Unmade::Failed(Failure::Interrupted)),
        Err(OpenError::Child(error)) => Err(Unmade::Failed(Failure::Transient(reason::other(error)))),
    }
}

/// What is said of a document that lacks pages, or cannot be read, where that is not found out by what is asked of it.
fn pages_lost(found: &Result<PageCount, PdfError>, asked: Option<PageProcess>) -> Vec<Warning> {
    match found {
        _ if asked == Some(PageProcess::Rasterize) => Vec::new(),
        Ok(count @ PageCount { found: 1.., .. }) => pages::problems(count).into_iter().map(Warning::Pages).collect(),
        _ if asked.is_some() => Vec::new(),
        Ok(count) => vec![Warning::Remark(reason::other(count.nothing()))],
        Err(why) => vec![Warning::Remark(reason::other(why))],
    }
}

/// Assets that a master brings forth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parts {
    None,
    /// Of Photoshop files.
    Layers,
    /// The pages of TIFF files behind the first.
    Leaves,
    /// Of PDF, PostScript and Illustrator files.
    Pages,
    /// Of videos.
    Renditions,
}

/// What a format can bring forth; the options say whether it does.
pub fn parts_of(format: Format) -> Parts {
    match format.family() {
        Family::Picture if format == Format::Tiff => Parts::Leaves,
        Family::Layers => Parts::Layers,
        Family::Pages => Parts::Pages,
        Family::Film => Parts::Renditions,
        Family::Picture | Family::Document | Family::Profile | Family::Text | Family::Other => Parts::None,
    }
}

/// What the keys of the parts begin with that the options have made of a master.
pub fn brings_forth(format: Format, processing: &Processing) -> &'static [&'static str] {
    let options = &processing.options;
    match parts_of(format) {
        Parts::Pages => pages::prefixes(format, options),
        Parts::Leaves => leaves::prefixes(processing.tiff_pages),
        Parts::Renditions => videos::prefixes(options),
        Parts::Layers => layers::prefixes(options),
        Parts::None => &[],
    }
}

/// How the parts of a master are made, as far as the options say: two orders that say the same make the same of it.
pub fn recipe_of_parts(format: Format, processing: &Processing) -> String {
    let options = &processing.options;
    match parts_of(format) {
        Parts::Pages => pages::recipe(format, options),
        Parts::Leaves => leaves::recipe(options),
        Parts::Layers => layers::recipe(options),
        Parts::Renditions | Parts::None => String::new(),
    }
}

/// The line about a part that got a number because its name was taken.
pub fn numbered(file: &str, wanted: &str, filed: &arrival::Filed) -> Option<Message> {
    let arrival::Filed::AddedWithNumber { name, .. } = filed else { return None };
    let message = Message::new("duplicate-renamed").with("file", file).with("asset", wanted).with("name", name.clone());
    Some(message)
}

/// The lines about a set of parts beside the one that says that it was made, and their counters.
pub fn lines_of_set(wanted: &str, made: LogLine, gathered: &Gathered, file_type: FileType) -> ItemReport {
    let Gathered { filed, left_out, .. } = gathered;
    let numbered = numbered(wanted, wanted, filed).map(|message| LogLine::new(LogType::UploadWarning, message));
    let counters = Counters { warning: i64::from(numbered.is_some()), ..Counters::default() };
    let back = came_back(filed).map(|message| LogLine::new(LogType::JobInfo, message));
    let kept = Message::new("set-edits-kept").with("name", filed.name()).with("count", *left_out);
    let kept = (*left_out > 0).then(|| LogLine::new(LogType::JobInfo, kept));
    let about = |line: LogLine| line.about(Some(filed.asset()), filed.name(), file_type);
    let lines = [Some(made), numbered, back, kept].into_iter().flatten().map(about).collect();
    ItemReport { counters, lines, ..ItemReport::default() }
}

/// The line about a part that lay in the trash, for somebody may have put it there, or that is not marked as its asset is, or as it was.
pub fn came_back(filed: &arrival::Filed) -> Option<Message> {
    let (name, said) = match filed {
        arrival::Filed::Updated { name, came_back: Some(Follows::All), .. } => (name, "part-came-back"),
        arrival::Filed::Updated { name, came_back: Some(Follows::ButWithdrawn), .. } => {
            (name, "part-came-back-unmarked")
        }
        arrival::Filed::Updated { name, came_back: Some(Follows::Unmarked), .. } => (name, "part-came-back-lost-marks"),
        arrival::Filed::Added { name, follows: Follows::ButWithdrawn, .. }
        | arrival::Filed::AddedWithNumber { name, follows: Follows::ButWithdrawn, .. } => (name, "part-made-unmarked"),
        arrival::Filed::Added { name, follows: Follows::NotReady, .. }
        | arrival::Filed::AddedWithNumber { name, follows: Follows::NotReady, .. } => (name, "part-made-not-ready"),
        arrival::Filed::Added { name, follows: Follows::BesideWithdrawn, .. }
        | arrival::Filed::AddedWithNumber { name, follows: Follows::BesideWithdrawn, .. } => {
            (name, "part-made-beside-unmarked")
        }
        arrival::Filed::Updated { name, came_back: Some(Follows::BesideWithdrawn), .. } => {
            (name, "part-came-back-beside-unmarked")
        }
        _ => return None,
    };
    Some(Message::new(said).with("asset", name.clone()))
}

/// What may be public and should not is a warning.
fn log_type_of(came_back: &Message) -> LogType {
    if came_back.code.ends_with("-beside-unmarked") { LogType::UploadWarning } else { LogType::JobInfo }
}

/// The report of an image that was made of a file: `processed` is the line that says so, `notes` are what is to be said of it.
pub fn report_of_part(filed: &arrival::Filed, processed: Message, notes: Vec<Message>) -> ItemReport {
    let about = |log_type, message| {
        LogLine::new(log_type, message).about(Some(filed.asset()), filed.name(), FileType::MasterImage)
    };
    let back = came_back(filed).map(|message| about(log_type_of(&message), message));
    let warns = back.iter().filter(|line| line.log_type == LogType::UploadWarning).count() + notes.len();
    let counters = Counters { success: 1, part: 1, warning: warns as i64, ..Counters::default() };
    let notes = notes.into_iter().map(|note| about(LogType::UploadWarning, note));
    let lines = std::iter::once(about(LogType::UploadSuccess, processed)).chain(notes).chain(back).collect();
    ItemReport { result: json!({ "asset": filed.asset() }), counters, lines, ..ItemReport::default() }
}

/// The lines about parts that a file does not have any more.
pub fn report_of_parts(parent: &Parent, applied: &Applied) -> ItemReport {
    let Applied::PartsGone(PartsGone { count: count @ 1.., are_moved }) = applied else { return ItemReport::default() };
    let gone = Message::new("parts-gone").with("file", parent.file_name.clone()).with("count", *count as i64);
    let moved = are_moved.then(|| Message::new("parts-moved").with("file", parent.file_name.clone()));
    let moved: Vec<LogLine> = moved.into_iter().map(|moved| parent.line(LogType::UploadWarning, moved)).collect();
    let mut report = ItemReport::of_problems_of_parts(moved);
    report.lines.insert(0, parent.line(LogType::JobInfo, gone));
    report
}

/// Breaks off where somebody has given the asset another master meanwhile, or put it in the trash, or another run has begun with its
/// parts: then nothing more is made by this one.
pub const fn unless_passed(applied: &Option<Applied>) -> ControlFlow<()> {
    match applied {
        Some(Applied::Outdated(_) | Applied::Superseded(_) | Applied::Withdrawn { .. }) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    }
}

/// The part that was filed, if it was.
pub fn filed_unless_passed(applied: &Option<Applied>) -> ControlFlow<(), Option<AssetId>> {
    unless_passed(applied).map_continue(|()| match applied {
        Some(Applied::Filed(filed)) => Some(filed.asset()),
        _ => None,
    })
}

/// In the result of an item of a part: nothing more is made of its master.
const PASSED: &str = "passed";

/// The last item of a master: all that was asked for is made of it.
pub const END: &str = "end";

/// Whether an earlier attempt made all parts of a master, or found that nothing more is to be made. `done` are its items.
pub fn is_over(done: &BTreeMap<String, Value>) -> bool {
    done.contains_key(END) || done.values().any(|result| result.get(PASSED).is_some())
}

/// What is said of a master of which nothing more is made; None of any other.
fn passed(applied: &Applied, file: &str, asset: &str) -> Option<Vec<Message>> {
    match applied {
        Applied::Outdated(_) => Some(vec![outdated(file)]),
        Applied::Superseded(_) => Some(vec![Message::new("parts-superseded").with("file", file)]),
        Applied::Withdrawn { parts_gone, .. } => {
            let gone = (*parts_gone > 0).then(|| parts_of_earlier_gone(asset, *parts_gone));
            Some([Message::new("parts-withdrawn").with("file", file)].into_iter().chain(gone).collect())
        }
        _ => None,
    }
}

fn outdated(file: &str) -> Message {
    Message::new("parts-outdated").with("file", file)
}

/// The line about parts of an earlier master that went to the trash.
pub fn parts_of_earlier_gone(asset: &str, count: u64) -> Message {
    Message::new("parts-of-earlier-gone").with("asset", asset).with("count", count as i64)
}

/// The report of warnings about parts of which no more are made.
fn report_of_passed(lines: Vec<LogLine>) -> ItemReport {
    let counters = Counters { warning: lines.len() as i64, ..Counters::default() };
    ItemReport { result: json!({ PASSED: true }), counters, lines, ..ItemReport::default() }
}

/// A master that has been filed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parent {
    /// What the keys of its parts' items begin with.
    pub prefix: String,
    pub asset: AssetId,
    /// Asset name.
    pub name: String,
    /// Cleaned, with extension.
    pub file_name: String,
    /// Below the company root.
    pub folder: String,
    pub bytes: u64,
    pub blob: String,
    pub format: Format,
    pub ordered: Ordered,
    /// How its parts are made, as far as the options say.
    pub recipe: String,
}

/// When the parts of a master were ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ordered {
    /// They are when the run begins with them.
    Now,
    /// When it was filed.
    WithMaster,
    /// By another run, which has left some out: those that were made for it in the same way stay as they are.
    ByAnother,
}

/// An asset whose parts are to be made.
#[derive(Debug, Clone, Copy)]
pub struct Filed<'a> {
    pub asset: AssetId,
    /// The master that was filed; an earlier version of the program did not note that.
    pub blob: Option<&'a str>,
    pub ordered: Ordered,
}

impl Parent {
    /// Its items that are done, and what need not be made because it is there.
    pub async fn done(&self, context: &Context) -> Result<BTreeMap<String, Value>, Failure> {
        let mut done = context.done_below(&self.prefix).await?;
        if self.goes_on() {
            let company = context.run.company;
            let made = context.reads().parts_made_so(company, self.asset, &self.blob, &self.recipe).await?;
            for (key, asset) in made {
                done.entry(key).or_insert_with(|| json!({ "asset": asset }));
            }
        }
        Ok(done)
    }

    /// Whether it goes on with what another run has left out.
    pub fn goes_on(&self) -> bool {
        self.ordered == Ordered::ByAnother
    }

    /// Of lines about it.
    pub fn file_type(&self) -> FileType {
        match (parts_of(self.format), self.format) {
            (Parts::Pages, Format::Pdf) => FileType::Pdf,
            (Parts::Layers | Parts::Leaves, _) => FileType::MasterImage,
            (Parts::Renditions, _) => FileType::Video,
            (Parts::Pages | Parts::None, _) => FileType::NoType,
        }
    }

    pub fn line(&self, log_type: LogType, message: Message) -> LogLine {
        LogLine::new(log_type, message).about(Some(self.asset), self.name.clone(), self.file_type())
    }

    /// Commits an item of its parts. Where nothing more is made of it a line says so, and `report` is not asked: the caller breaks
    /// off ([`unless_passed`]).
    pub async fn commit(
        &self,
        context: &Context,
        key: &str,
        effect: Effect,
        report: impl FnOnce(&Applied) -> ItemReport + Send + 'static,
    ) -> Result<Option<Applied>, Failure> {
        let parent = self.clone();
        let report = move |applied: &Applied| match passed(applied, &parent.file_name, &parent.name) {
            Some(messages) => {
                let line = |message| parent.line(LogType::UploadWarning, message);
                report_of_passed(messages.into_iter().map(line).collect())
            }
            None => report(applied),
        };
        context.commit(Item(format!("{}{key}", self.prefix)), effect, report).await
    }

    /// Says how many items there are of its parts, beside this one, before the first of them is made: so that a run does not look as
    /// good as done.
    pub async fn found_parts(&self, context: &Context, items: u32) -> Result<Option<Applied>, Failure> {
        let report = ItemReport { more_items: items.saturating_add(1), ..ItemReport::default() };
        self.commit(context, "parts", self.begin(context), move |_| report).await
    }

    /// All that was ordered of it is made, or is never made.
    pub async fn end(&self, context: &Context, report: ItemReport) -> Result<(), Failure> {
        self.commit(context, END, Effect::PartsMade(self.order(context)), move |_| report).await?;
        Ok(())
    }

    /// Notes that the run is at its parts, with what is known of them.
    pub fn begin(&self, context: &Context) -> Effect {
        let is_placed = self.ordered != Ordered::Now;
        Effect::BeginParts { company: context.run.company, order: self.order(context), is_placed }
    }

    /// Parts whose keys begin so are these and no others.
    pub fn keep(&self, context: &Context, prefix: &str, keys: Vec<String>) -> Effect {
        let (company, order, prefix) = (context.run.company, self.order(context), prefix.to_owned());
        Effect::KeepParts { company, order, prefix, keys }
    }

    /// The set of its parts is not asked for: one that is there goes, unless an order that did ask is gone on with.
    pub fn without_set(&self, context: &Context, key: &str) -> Effect {
        if self.goes_on() { Effect::Nothing } else { self.keep(context, key, Vec::new()) }
    }

    pub fn origin(&self, context: &Context, key: &str) -> Origin {
        Origin { order: self.order(context), key: key.to_owned(), recipe: self.recipe.clone() }
    }

    fn order(&self, context: &Context) -> Order {
        Order { parent: self.asset, blob: self.blob.clone(), run: context.run.fence.instance }
    }

    /// What an earlier job made of it under a key.
    pub async fn part(&self, context: &Context, key: &str) -> Result<Option<AssetId>, Failure> {
        Ok(context.reads().part(context.run.company, self.asset, &self.blob, key).await?)
    }
}

/// In the result of an item: the asset whose parts are to be made, and the master that they are to be made of.
const PARENT: &str = "parent";
const PARENT_BLOB: &str = "parent_blob";
/// In it as well: they were ordered with the master.
const WITH_MASTER: &str = "with_master";
/// Or another run has ordered them, and left some out.
const KEEPS: &str = "keeps";

impl Ordered {
    const fn noted_as(self) -> Option<&'static str> {
        match self {
            Self::Now => None,
            Self::WithMaster => Some(WITH_MASTER),
            Self::ByAnother => Some(KEEPS),
        }
    }

    /// An earlier version of the program noted nothing of those that were ordered with the master.
    fn read(result: &Value) -> Self {
        let is_noted = |ordered: &Self| ordered.noted_as().is_some_and(|note| result.get(note).is_some());
        [Self::WithMaster, Self::ByAnother].into_iter().find(is_noted).unwrap_or(Self::Now)
    }
}

/// Notes in the result of a master's item that it may bring forth parts.
pub fn note_parent(result: &mut Value, (asset, blob, format): (AssetId, &str, Format), ordered: Ordered) {
    if parts_of(format) != Parts::None {
        note(result, (asset, blob), ordered);
    }
}

/// The same of an asset whose parts an earlier job left out.
pub fn note_unfinished(result: &mut Value, asset: &Kin) {
    note(result, (asset.id, &asset.blob), Ordered::ByAnother);
}

fn note(result: &mut Value, (asset, blob): (AssetId, &str), ordered: Ordered) {
    let Value::Object(result) = result else { return };
    result.insert(PARENT.to_owned(), json!(asset));
    result.insert(PARENT_BLOB.to_owned(), json!(blob));
    result.extend(ordered.noted_as().map(|note| (note.to_owned(), json!(true))));
}

/// Whether the options ask for parts of a file that is called so.
pub fn asks_for_parts(extension: &str, processing: &Processing) -> bool {
    format_of(extension).is_some_and(|format| !brings_forth(format, processing).is_empty())
}

/// Whether a job goes on with what another left out of a file. Which renditions of a film that was to make nobody knows: those of its
/// set are made together.
pub fn goes_on(format: Format, processing: &Processing) -> bool {
    format.family() != Family::Film && !brings_forth(format, processing).is_empty()
}

/// Whether such a file is a film.
pub fn is_film(extension: &str) -> bool {
    format_of(extension).is_some_and(|format| format.family() == Family::Film)
}

/// Whether an order that has parts made of such a file means these: pages of a document, layers, renditions of a film. Whether a
/// picture has more pages than one nobody knows before it is read.
pub fn is_asked_by_kind(extension: &str) -> bool {
    format_of(extension).is_some_and(|format| matches!(format.family(), Family::Pages | Family::Layers | Family::Film))
}

fn format_of(extension: &str) -> Option<Format> {
    let extension = extension.to_ascii_lowercase();
    let by_name = Format::all().find(|format| format.extensions().contains(&extension.as_str()));
    by_name.or_else(|| recognize::is_film(&extension).then_some(Format::Video))
}

impl Processing {
    /// Goes on with the parts of masters, where an earlier attempt left off.
    pub async fn resume(
        &self,
        context: &Context,
        workshop: &Workshop,
        done: &HashMap<String, Value>,
    ) -> Result<(), Failure> {
        let asset = |result: &Value| result.get(PARENT)?.as_i64().map(AssetId);
        let mut parents: Vec<(AssetId, &String, &Value)> =
            done.iter().filter_map(|(key, result)| Some((asset(result)?, key, result))).collect();
        parents.sort_by_key(|(asset, key, _)| (*asset, *key));
        for (asset, key, result) in parents {
            let blob = result.get(PARENT_BLOB).and_then(Value::as_str);
            self.make_parts(context, workshop, Filed { asset, blob, ordered: Ordered::read(result) }, key).await?;
        }
        Ok(())
    }

    /// Makes what the master of an asset brings forth, once the item `key` that filed it is done; nothing if somebody has given
    /// the asset another master since.
    pub async fn make_parts(
        &self,
        context: &Context,
        workshop: &Workshop,
        Filed { asset, blob: filed, ordered }: Filed<'_>,
        key: &str,
    ) -> Result<(), Failure> {
        context.checkpoint()?;
        // What becomes of its master afterwards is no matter of this job any more.
        if is_over(&context.done_below(&format!("{key}\n")).await?) {
            return Ok(());
        }
        let Some(known) = context.reads().assets_numbered(context.run.company, &[asset]).await?.pop() else {
            let gone = Gone::without_trace(asset, filed, self);
            return leave_out(context, gone, key).await.map(|_| ());
        };
        if known.master.making.is_made_by_itself() {
            // It is a part itself.
            return Ok(());
        }
        if filed.is_some_and(|filed| filed != known.master.blob) {
            return leave_to_others(context, &known, key).await;
        }
        let (blobs, blob, file_name) = (workshop.blobs.clone(), known.master.blob.clone(), known.file_name.clone());
        let format = match workshop.work(move |_| pictures::sniff_master(&blobs, &blob, &file_name)).await? {
            Ok(format) => format,
            Err(Unmade::Refused(why)) => return refuse_parts(context, &known, key, why).await,
            Err(Unmade::Failed(failure)) => return Err(failure),
        };
        if known.in_trash && leave_out(context, Gone::from_trash(&known, format, self), key).await? {
            return Ok(());
        }
        let parent = Parent {
            // No key of a file holds a line break.
            prefix: format!("{key}\n"),
            asset,
            format,
            ordered,
            recipe: recipe_of_parts(format, self),
            name: known.name,
            file_name: known.file_name,
            folder: known.folder,
            bytes: known.master.bytes,
            blob: known.master.blob,
        };
        make_parts(context, workshop, &parent, self).await
    }
}

/// The line of a master that is not the asset's any more.
async fn leave_to_others(context: &Context, known: &KnownAsset, key: &str) -> Result<(), Failure> {
    let line = LogLine::new(LogType::UploadWarning, outdated(&known.file_name));
    let line = line.about(Some(known.id), known.name.clone(), FileType::of_master(known.master.asset_type));
    let report = report_of_passed(vec![line]);
    context.commit(Item(format!("{key}\noutdated")), Effect::Nothing, move |_| report).await?;
    Ok(())
}

/// Leaves the parts of an asset that is in the trash, or gone, and says so if some were asked for. False if it is out of the trash
/// again.
async fn leave_out(context: &Context, gone: Gone, key: &str) -> Result<bool, Failure> {
    let effect =
        Effect::LeaveParts { company: context.run.company, parent: gone.asset, parent_blob: gone.blob.clone() };
    let report = move |applied: &Applied| {
        let Some(mut messages) = passed(applied, &gone.file, &gone.name) else { return ItemReport::default() };
        // Who asked for none misses none.
        messages.retain(|message| gone.is_asked || message.code != "parts-withdrawn");
        let line = |message| LogLine::new(LogType::UploadWarning, message);
        let about = |line: LogLine| line.about(Some(gone.asset), gone.name.clone(), gone.file_type);
        report_of_passed(messages.into_iter().map(line).map(about).collect())
    };
    let applied = context.commit(Item(format!("{key}\nwithdrawn")), effect, report).await?;
    Ok(!matches!(applied, Some(Applied::Overtaken(_))))
}

/// A master that is in the trash, or gone, before its parts are made.
struct Gone {
    asset: AssetId,
    name: String,
    file: String,
    file_type: FileType,
    blob: String,
    /// Whether the options ask for parts of it.
    is_asked: bool,
}

impl Gone {
    fn from_trash(known: &KnownAsset, format: Format, processing: &Processing) -> Self {
        Self {
            asset: known.id,
            name: known.name.clone(),
            file: known.file_name.clone(),
            file_type: FileType::of_master(known.master.asset_type),
            blob: known.master.blob.clone(),
            is_asked: !brings_forth(format, processing).is_empty(),
        }
    }

    /// Nobody can tell any more what it was.
    fn without_trace(asset: AssetId, filed: Option<&str>, processing: &Processing) -> Self {
        let formats = [Format::Pdf, Format::PostScript, Format::Illustrator, Format::Video, Format::Psd, Format::Tiff];
        let name = format!("a|{asset}");
        Self {
            asset,
            name: name.clone(),
            file: name,
            file_type: FileType::NoType,
            blob: filed.unwrap_or_default().to_owned(),
            is_asked: formats.into_iter().any(|format| !brings_forth(format, processing).is_empty()),
        }
    }
}

/// The line of a master that cannot be read any more to make its parts.
async fn refuse_parts(context: &Context, known: &KnownAsset, key: &str, why: Message) -> Result<(), Failure> {
    let message = Message::new("reprocess-failure").with("asset", known.name.clone()).with("reason", why);
    let line = LogLine::new(LogType::ReoptimizeFailure, message);
    let line = line.about(Some(known.id), known.name.clone(), FileType::of_master(known.master.asset_type));
    let counters = Counters { error: 1, ..Counters::default() };
    let report = ItemReport { counters, lines: vec![line], ..ItemReport::default() };
    context.commit(Item(format!("{key}\nlost")), Effect::Nothing, move |_| report).await?;
    Ok(())
}

/// Makes what a filed master brings forth. It is called again by later attempts, also when all of it is done, and looks
/// for its own items first.
async fn make_parts(
    context: &Context,
    workshop: &Workshop,
    parent: &Parent,
    processing: &Processing,
) -> Result<(), Failure> {
    match parts_of(parent.format) {
        Parts::Pages => pages::make_pages(context, workshop, parent, processing, Counted::AsFiled).await,
        Parts::Renditions => videos::make_renditions(context, workshop, parent, processing).await,
        Parts::Layers => layers::make_layers(context, workshop, parent, processing).await,
        Parts::Leaves => leaves::make_leaves(context, workshop, parent, processing).await,
        Parts::None => Ok(()),
    }
}
