//! `unCompressOptions`: the members of an archive become assets, as if they had been uploaded from the folder that the
//! archive lies in. The archive itself becomes none, and archives inside it are files like any other.
//!
//! Every member is an item; the archive is one too, which is committed after its last member, with the lines about what
//! was left out. An attempt that comes later reads the archive again and goes on behind the last member.

use std::collections::VecDeque;

use futures_util::{StreamExt, stream};
use serde_json::json;

use super::filing::{self, Fate, Filing, Incoming};
use super::pictures::{self, Unmade, Warning};
use super::process::{self, Subject};
use super::{Bytes, Context, Failure, Item, Settings, Workshop, reason};
use crate::assets::blobs::Blob;
use crate::media::archive::{ArchiveError, End, Kind, LeftOut, Limits, Why};
use crate::media::child::{ErrandError, borrowed};
use crate::media::errand::{ExtractMember, FindKind, ListArchive, MemberError, Members, NamedMember, NamesIn};
use crate::model::job::{ProcessingOptions, UnCompressProcess};
use crate::model::log::{FileType, LogLine, LogType, Message};
use crate::model::name::{FileName, clean_folder};
use crate::model::outcome::Counters;
use crate::model::source::{SourceName, Sources};
use crate::store::effect::Effect;
use crate::store::jobs::attempt::ItemReport;

/// A stored file whose members are to become assets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    pub blob: Blob,
    pub kind: Kind,
}

/// Members that are unpacked before the first of them is worked on.
const AHEAD: usize = 16;

/// Extensions of files that may turn out to be archives.
const EXTENSIONS: &[&str] = &["zip", "tar", "gz", "tgz"];

/// Whether archives are to be unpacked.
pub fn is_asked(options: &ProcessingOptions) -> bool {
    options.un_compress_options.as_ref().is_some_and(|options| options.process == UnCompressProcess::UnCompress)
}

/// Whether a file may be one that is to be unpacked. Then it has no name that could be taken.
pub fn may_be_unpacked(options: &ProcessingOptions, name: &FileName) -> bool {
    is_asked(options) && EXTENSIONS.contains(&name.extension.as_str())
}

/// By its name; `.gz` is for single files as well.
fn is_called_archive(name: &FileName) -> bool {
    match name.extension.as_str() {
        "gz" => name.stem.to_ascii_lowercase().ends_with(".tar"),
        extension => EXTENSIONS.contains(&extension),
    }
}

/// Finds out what a stored file is: an archive to be unpacked, or a master. Blocks.
pub fn examine(
    workshop: &Workshop,
    subject: Subject<'_>,
    processing: &process::Processing,
    stop: &dyn Fn() -> bool,
) -> Result<Fate, Unmade> {
    if may_be_unpacked(&processing.options, subject.name) {
        let blob = &subject.blob.id;
        let format = pictures::sniff(&workshop.blobs, blob, &subject.name.with_extension())?;
        let file = workshop.blobs.read(blob)?;
        if let Some(kind) = workshop.crew.send(FindKind { format }, &borrowed([&file]), stop)? {
            return Ok(Fate::Archive(Archive { blob: subject.blob.clone(), kind }));
        }
    }
    let is_unlike = is_asked(&processing.options) && is_called_archive(subject.name);
    let mut ready = process::examine(workshop, subject, processing, stop)?;
    let is_said = ready.warnings.iter().any(|warning| matches!(warning, Warning::ContentDiffers { .. }));
    if is_unlike && !is_said {
        ready.warnings.push(Warning::NotUnpacked);
    }
    Ok(Fate::Ready(Box::new(ready)))
}

fn limits(settings: &Settings) -> Limits {
    let archive = &settings.archive;
    Limits {
        max_files: archive.max_files as usize,
        max_depth: archive.max_depth as usize,
        max_bytes: archive.max_bytes.get(),
        max_member_bytes: settings.ingest.max_file_bytes.get(),
        max_ratio: archive.max_ratio.into(),
    }
}

/// Files every member of an archive, and then commits the archive.
pub async fn unpack(
    filing: &Filing,
    context: &Context,
    workshop: &Workshop,
    from: Incoming,
    archive: Archive,
) -> Result<(), Failure> {
    let content = archive.blob.id.clone();
    let list = ListArchive {
        archive: content.clone(),
        kind: archive.kind,
        limits: limits(&workshop.settings),
        page: workshop.settings.archive.names.0.clone(),
        language: context.run.locale.as_ref().map(ToString::to_string),
    };
    let (hall, errand) = (workshop.clone(), list.clone());
    let listed = workshop.work_on(context, Bytes::of(&content, &from.shown).step("list"), move |stop| {
        hall.blobs.verify(&archive.blob.id, stop)?;
        let file = hall.blobs.read(&archive.blob.id)?;
        Ok(hall.crew.send(errand, &borrowed([&file]), stop)?)
    });
    match listed.await {
        Ok(listed) => Unpacking { filing, context, workshop, from, content, list }.run(listed).await,
        Err(Unmade::Refused(why)) => {
            let fate = from.refuse(why);
            Box::pin(filing.file(context, from, fate)).await
        }
        Err(Unmade::Failed(failure)) => Err(failure),
    }
}

impl From<ArchiveError> for Unmade {
    fn from(error: ArchiveError) -> Self {
        match error {
            ArchiveError::Stopped => Self::Failed(Failure::Interrupted),
            refused => Self::Refused(reason::other(refused)),
        }
    }
}

/// An archive under way.
struct Unpacking<'a> {
    filing: &'a Filing,
    context: &'a Context,
    workshop: &'a Workshop,
    from: Incoming,
    /// What the archive is known by.
    content: String,
    list: ListArchive,
}

/// A member, behind its place among all.
type Placed = (usize, NamedMember);

/// A member that is to come, and its number among those that are taken.
type Next = (Incoming, usize, Placed);

/// A member as it came out of the archive.
type Taken = (Incoming, Result<Blob, Message>);

impl Unpacking<'_> {
    async fn run(self, listed: Members) -> Result<(), Failure> {
        let done = self.context.done_items().await?;
        let skip = &self.workshop.settings.ingest.skip;
        let (junk, members): (Vec<Placed>, Vec<Placed>) =
            listed.members.into_iter().enumerate().partition(|(_, member)| skip.matches(file_name(&member.path)));
        let count = members.len();
        let sources = Sources::among(members.iter().map(|(_, member)| self.source(&member.path)));
        let numbered = members
            .into_iter()
            .enumerate()
            .map(|(index, (place, member))| (self.incoming(index, &sources, &member.path), index, (place, member)));
        let mut to_come: VecDeque<Next> =
            numbered.filter(|(incoming, _, _)| !done.contains_key(&incoming.key)).collect();
        while !to_come.is_empty() {
            self.context.checkpoint()?;
            // Cut at the same places in every attempt.
            let first = to_come.front().map_or(0, |(_, index, _)| index / AHEAD);
            let count = to_come.iter().take_while(|(_, index, _)| index / AHEAD == first).count();
            let next: Vec<Next> = to_come.drain(..count).collect();
            let taken = self.take(next).await?;
            self.file(taken).await?;
        }
        self.commit(count, &junk, &listed.left_out, listed.names, listed.end).await
    }

    /// Where a member would go if nothing had to be cleaned: beside the archive.
    fn source(&self, path: &str) -> SourceName {
        let parent = path.rsplit_once(['/', '\\']).map_or("", |(folder, _)| folder);
        SourceName::new(&format!("{}/{parent}", self.from.source.folder()), file_name(path))
    }

    /// The name and the folder of a member, beside the archive.
    fn incoming(&self, index: usize, sources: &Sources, path: &str) -> Incoming {
        let shown = format!("{}/{}", self.from.shown, path.trim_start_matches('/'));
        let source = self.source(path);
        let parent = path.rsplit_once(['/', '\\']).map_or("", |(folder, _)| folder);
        let unnamed = FileName { stem: source.file().to_owned(), extension: String::new(), changed: false };
        Incoming {
            // An archive may have a path twice.
            key: format!("{}/{index} {}", self.from.key, path.replace(char::is_control, " ")),
            shown,
            name: FileName::clean("file", source.file()).unwrap_or(unnamed),
            folder: clean_folder("folder", &format!("{}/{parent}", self.from.folder)).unwrap_or_default(),
            history: Vec::new(),
            stamp: json!({}),
            siblings: sources.siblings_of(&source),
            is_member: true,
            source,
        }
    }

    /// Stores the next members.
    async fn take(&self, next: Vec<Next>) -> Result<Vec<Taken>, Failure> {
        let (workshop, folder, list) = (self.workshop.clone(), self.from.folder.clone(), self.list.clone());
        let step = format!("take {}", next.first().map_or(0, |(_, index, _)| index / AHEAD));
        let bytes = Bytes::of(&self.content, &self.from.shown);
        let taken = self.workshop.work_on(self.context, bytes.step(&step), move |stop| {
            let mut taken = Vec::with_capacity(next.len());
            for (incoming, _, (place, member)) in next {
                let blob = match refusal(&incoming, &member, &folder) {
                    Some(why) => Err(why),
                    None => store(&workshop, &list, place, &member, stop)?,
                };
                taken.push((incoming, blob));
            }
            Ok(taken)
        });
        match taken.await {
            Ok(taken) => Ok(taken),
            // It was read before by the same attempt.
            Err(Unmade::Refused(why)) => Err(Failure::because(why)),
            Err(Unmade::Failed(failure)) => Err(failure),
        }
    }

    /// Makes of members what is made of them, several at a time, and files them in their order.
    async fn file(&self, taken: Vec<Taken>) -> Result<(), Failure> {
        let mut prepared = stream::iter(taken)
            .map(|(incoming, blob)| self.prepare(incoming, blob))
            .buffered(self.workshop.settings.parallel * 2);
        while let Some(member) = prepared.next().await {
            let (incoming, fate) = member?;
            // Nothing in an archive is unpacked in turn, so that this goes no deeper.
            Box::pin(self.filing.file(self.context, incoming, fate)).await?;
        }
        Ok(())
    }

    async fn prepare(&self, incoming: Incoming, blob: Result<Blob, Message>) -> Result<(Incoming, Fate), Failure> {
        let blob = match blob {
            Ok(blob) => blob,
            Err(why) => {
                let fate = incoming.refuse(why);
                return Ok((incoming, fate));
            }
        };
        let foresight = self.filing.foresee(self.context, &incoming).await?;
        if let Some(twin) = foresight.twin(Some(&blob.id), blob.bytes) {
            return Ok((incoming, Fate::Twin(Box::new(twin))));
        }
        let (workshop, name, progress) = (self.workshop.clone(), incoming.name.clone(), self.context.clone());
        let (shown, processing) = (incoming.shown.clone(), self.filing.processing.clone());
        let content = blob.id.clone();
        let room = self.workshop.room_of(&name, blob.bytes);
        let examined = self.workshop.work_in(room, self.context, Bytes::of(&content, &incoming.shown), move |stop| {
            let _working = progress.working_on(shown);
            let subject = Subject { blob: &blob, name: &name, known: foresight.replaces.as_ref(), room };
            process::examine(&workshop, subject, &processing, stop)
        });
        let fate = match examined.await {
            Ok(ready) => Fate::Ready(Box::new(ready)),
            Err(Unmade::Refused(why)) => incoming.refuse(why),
            Err(Unmade::Failed(failure)) => return Err(failure),
        };
        Ok((incoming, fate))
    }

    /// The archive is done: what was in it, and what was left out.
    async fn commit(
        self,
        count: usize,
        junk: &[Placed],
        left_out: &[LeftOut],
        names: Option<NamesIn>,
        end: End,
    ) -> Result<(), Failure> {
        let Self { context, from: Incoming { key, shown, history, stamp, .. }, .. } = self;
        let below = |path: &str| format!("{shown}/{}", path.trim_start_matches('/'));
        let mut lines = history;
        let unpacked = Message::new("archive-unpacked").with("file", shown.clone()).with("count", count);
        lines.push(LogLine::new(LogType::JobInfo, unpacked));
        lines.extend(names.map(|NamesIn { page, count }| {
            let message = Message::new("archive-names").with("file", shown.clone()).with("count", count);
            LogLine::new(LogType::JobInfo, message.with("page", page))
        }));
        lines.extend(junk.iter().map(|(_, member)| {
            LogLine::new(LogType::UploadWarning, Message::new("junk-skipped").with("file", below(&member.path)))
        }));
        lines.extend(left_out.iter().map(|left| {
            let message = Message::new("upload-error").with("file", below(&left.path)).with("reason", why(&left.why));
            let line = LogLine::new(LogType::UploadError, message);
            line.about(None, file_name(&left.path), FileType::NoType)
        }));
        let damage = damage(end).map(|(log_type, code)| {
            LogLine::new(log_type, Message::new(code).with("file", shown.clone()).with("count", count))
        });
        let is_error = damage.as_ref().is_some_and(|line| line.log_type == LogType::UploadError);
        lines.extend(damage);
        let error = left_out.len() as i64 + i64::from(is_error);
        let warning = filing::warnings_among(&lines);
        let counters = Counters { error, warning, ..Counters::default() };
        let report = ItemReport { result: stamp, counters, lines, ..ItemReport::default() };
        context.commit(Item(key), Effect::Nothing, move |_| report).await?;
        Ok(())
    }
}

/// What is said of an archive that may have had more in it.
const fn damage(end: End) -> Option<(LogType, &'static str)> {
    match end {
        End::Whole => None,
        End::Missing => Some((LogType::UploadError, "archive-cut-off")),
        End::Followed => Some((LogType::UploadError, "archive-followed")),
        End::Filled => Some((LogType::UploadWarning, "archive-filled")),
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// Why a member cannot become an asset, as far as its name and size tell.
fn refusal(incoming: &Incoming, member: &NamedMember, folder: &str) -> Option<Message> {
    let parent = member.path.rsplit_once(['/', '\\']).map_or("", |(folder, _)| folder);
    if member.bytes == 0 {
        Some(Message::new("reason-empty"))
    } else if FileName::clean("file", incoming.source.file()).is_err() {
        Some(reason::bad_name(incoming.source.file()))
    } else {
        clean_folder("folder", &format!("{folder}/{parent}")).err().map(reason::other)
    }
}

/// Stores a member. What is wrong with it is its own affair; the store of files is everybody's.
fn store(
    workshop: &Workshop,
    from: &ListArchive,
    index: usize,
    member: &NamedMember,
    stop: &dyn Fn() -> bool,
) -> Result<Result<Blob, Message>, Unmade> {
    let archive = workshop.blobs.read(&from.archive)?;
    let draft = workshop.blobs.draft()?;
    let errand = ExtractMember { from: from.clone(), index };
    match workshop.crew.send(errand, &borrowed([&archive, &draft.writer()?]), stop) {
        Ok(bytes) if bytes < member.bytes => Ok(Err(Message::new("reason-truncated"))),
        Ok(_) => Ok(Ok(workshop.blobs.keep(draft)?)),
        Err(ErrandError::Own(MemberError::Io(error))) => Err(error.into()),
        Err(ErrandError::Own(error)) => Ok(Err(reason::other(error))),
        Err(ErrandError::Child(error)) => match error.into() {
            Unmade::Refused(why) => Ok(Err(why)),
            failed => Err(failed),
        },
    }
}

fn why(why: &Why) -> Message {
    match why {
        Why::Link => Message::new("reason-archive-link"),
        Why::Special => Message::new("reason-not-a-file"),
        Why::Folder => Message::new("reason-archive-folder"),
        Why::Encrypted => Message::new("reason-archive-encrypted"),
        Why::Outside => Message::new("reason-archive-outside"),
        Why::TooDeep => Message::new("reason-too-deep"),
        Why::TooLarge { bytes, limit } => reason::too_large(*bytes, *limit),
        Why::Unsupported => Message::new("reason-archive-method"),
    }
}
