//! uploadDirectoryJob: every file of a server directory becomes an asset.
//!
//! Each file is an item under its path in the directory. Files are read and turned into pictures side by side, and
//! committed in the order of their names, so that the same directory gives the same result however often the run is
//! interrupted: which of two files of one name comes first does not depend on which was done sooner.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use serde_json::json;

use super::filing::{Fate, Filing, Foresight, Incoming};
use super::pictures::Unmade;
use super::process::Subject;
use super::{Bytes, Context, Executor, Failure, Workshop, archive, options, reason, sheets};
use crate::assets::blobs::{Blob, BlobError};
use crate::assets::ingest::{
    self, CompanyFolder, Found, IngestError, LeftOut, Listing, ServerDirectory, Source, Walk, Why,
};
use crate::model::handle;
use crate::model::job::UploadDirectoryJob;
use crate::model::log::{LogLine, LogType, Message};
use crate::model::name::{FileName, clean_folder};
use crate::model::source::{SourceName, Sources};

pub struct UploadDirectory {
    pub order: UploadDirectoryJob,
    pub workshop: Workshop,
}

#[async_trait]
impl Executor for UploadDirectory {
    async fn run(&self, context: &Context) -> Result<(), Failure> {
        let filing = Filing::new(context, &self.workshop, self.order.overwrite, &self.order.options).await?;
        let destination = clean_folder("destFolder", self.destination(&filing.company_root));
        let destination = destination.map_err(|invalid| Failure::because(reason::other(invalid)))?;
        context.say(Message::new("progress-listing"));
        let (directory, listing) = self.list(context, &filing.company_root).await?;
        let done = context.done_items().await?;
        let left_out = listing.left_out.iter();
        let left_out = left_out.map(|left| LogLine::new(log_type(&left.why), remark(&directory, left)));
        let mut lines: Vec<LogLine> = left_out.collect();
        if listing.files.is_empty() {
            // Who asks for a follow-up job only if there are files knows that there may be none.
            let expected = self.order.options.post_job_only_if_files == Some(true);
            let log_type = if expected { LogType::JobInfo } else { LogType::UploadWarning };
            let folder = directory.path().display().to_string();
            lines.push(LogLine::new(log_type, Message::new("upload-nothing").with("folder", folder)));
        }
        let has_beginning = options::log_beginning(context, lines).await?;
        let (directory, mount) = (Arc::new(directory), self.workshop.ingest_mount(&filing.company_root));
        context.plan(listing.files.len() + usize::from(has_beginning)).await?;
        let (sheets, files) = if self.order.process_metadata_files {
            sheets::sort_out(&mount, &directory, listing.files).await?
        } else {
            (Vec::new(), listing.files)
        };
        context.say(Message::new("progress-uploading"));
        filing.resume(context, &done).await?;
        let sources = Sources::among(files.iter().map(|file| source(&destination, &file.relative)));
        let files = files.into_iter().filter(|file| !done.contains_key(&ingest::display(&file.relative)));
        let mut prepared = stream::iter(files)
            .take_while(|_| std::future::ready(!context.stop_token().is_cancelled()))
            .map(|file| {
                self.prepare(
                    context,
                    &filing,
                    incoming(&destination, &sources, &file.relative),
                    directory.clone(),
                    file,
                )
            })
            .buffered(self.workshop.settings.parallel * 2);
        while let Some(file) = prepared.next().await {
            let (incoming, fate) = file?;
            filing.file(context, incoming, fate).await?;
        }
        context.checkpoint()?;
        if self.order.process_metadata_files {
            context.say(Message::new("progress-metadata"));
            sheets::process(context, &self.workshop, (&mount, &directory), sheets).await?;
        }
        Ok(())
    }
}

impl UploadDirectory {
    fn destination<'a>(&'a self, company_root: &str) -> &'a str {
        handle::strip_root(company_root, self.order.dest_folder.as_deref().unwrap_or_default())
    }

    async fn list(&self, context: &Context, company_root: &str) -> Result<(ServerDirectory, Listing), Failure> {
        let (settings, root) = (self.workshop.settings.clone(), company_root.to_owned());
        let (server_dir, subfolders) = (self.order.server_dir.clone(), self.order.include_subfolders);
        let stop = context.stop_token().clone();
        let mount = self.workshop.ingest_mount(company_root);
        let listed = mount.work(move |abandoned| {
            let directory = CompanyFolder::open(&settings.ingest_root, &root)?.directory(&server_dir)?;
            let listing = directory.walk(&Walk {
                subfolders,
                max_depth: settings.ingest.max_depth as usize,
                max_files: settings.ingest.max_files as usize,
                is_junk: &|name| is_unfinished_transfer(name) || settings.ingest.skip.matches(name),
                stop: &|| stop.is_cancelled() || abandoned(),
            })?;
            Ok((directory, listing))
        });
        listed.await?.map_err(|error: IngestError| match error {
            IngestError::Stopped => Failure::Interrupted,
            error => Failure::because(reason::of_ingest(&error)),
        })
    }

    /// Reads a file and makes what is made of it.
    async fn prepare(
        &self,
        context: &Context,
        filing: &Filing,
        incoming: Result<Incoming, Box<(Incoming, Fate)>>,
        directory: Arc<ServerDirectory>,
        found: Found,
    ) -> Result<(Incoming, Fate), Failure> {
        let mut incoming = match incoming {
            Ok(incoming) => incoming,
            Err(refused) => return Ok(*refused),
        };
        let limit = self.workshop.settings.ingest.max_file_bytes.get();
        if let Some(why) = refuse_size(found.bytes, limit) {
            let fate = incoming.refuse(why);
            return Ok((incoming, fate));
        }
        let foresight = filing.foresee(context, &incoming).await?;
        match self.take_in(context, filing, &mut incoming, foresight, directory, found).await {
            Ok(fate) => Ok((incoming, fate)),
            Err(Unmade::Refused(why)) => {
                let fate = incoming.refuse(why);
                Ok((incoming, fate))
            }
            Err(Unmade::Failed(failure)) => Err(failure),
        }
    }

    /// Stores a file that no asset has yet, and then makes of the copy what is made of it.
    async fn take_in(
        &self,
        context: &Context,
        filing: &Filing,
        incoming: &mut Incoming,
        foresight: Foresight,
        directory: Arc<ServerDirectory>,
        found: Found,
    ) -> Result<Fate, Unmade> {
        let limit = self.workshop.settings.ingest.max_file_bytes.get();
        let workshop = self.workshop.clone();
        let working = context.working_on(incoming.shown.clone());
        let mount = self.workshop.ingest_mount(&filing.company_root);
        let stored = mount.work(move |stop| -> Result<_, Unmade> {
            let mut source = directory.open(&found.relative).map_err(|e| Unmade::Refused(reason::of_ingest(&e)))?;
            let stamp = json!({ "bytes": source.stamp.bytes, "modified": source.stamp.modified });
            let bytes = source.stamp.bytes;
            let twin = foresight
                .twin_of(&workshop.blobs, &mut source.file, bytes, stop)
                .map_err(|error| unreadable(error, bytes))?;
            let taken = match twin {
                Some(twin) => {
                    check_unchanged(&source)?;
                    Err(twin)
                }
                None => Ok(store(&workshop, source, limit, stop)?),
            };
            Ok((stamp, working, taken, foresight.replaces))
        });
        let (stamp, working, taken, replaces) = stored.await??;
        incoming.stamp = stamp;
        let blob = match taken {
            Ok(blob) => blob,
            Err(twin) => return Ok(Fate::Twin(Box::new(twin))),
        };
        let (workshop, name, processing) = (self.workshop.clone(), incoming.name.clone(), filing.processing.clone());
        let content = blob.id.clone();
        let room = self.workshop.room_of(&name, blob.bytes);
        let examined = self.workshop.work_in(room, context, Bytes::of(&content, &incoming.shown), move |stop| {
            let _working = working;
            let subject = Subject { blob: &blob, name: &name, known: replaces.as_ref(), room };
            archive::examine(&workshop, subject, &processing, stop)
        });
        examined.await
    }
}

fn store(workshop: &Workshop, mut source: Source, limit: u64, stop: &dyn Fn() -> bool) -> Result<Blob, Unmade> {
    let bytes = source.stamp.bytes;
    let blob = workshop.blobs.store(&mut source.file, limit, stop).map_err(|error| unreadable(error, bytes))?;
    check_unchanged(&source)?;
    if blob.bytes == 0 {
        return Err(Unmade::Refused(Message::new("reason-empty")));
    }
    Ok(blob)
}

fn unreadable(error: BlobError, bytes: u64) -> Unmade {
    match error {
        BlobError::Source(error) => Unmade::Refused(reason::other(format_args!("it cannot be read: {error}"))),
        BlobError::TooLarge { limit } => Unmade::Refused(reason::too_large(bytes, limit)),
        error => error.into(),
    }
}

fn check_unchanged(source: &Source) -> Result<(), Unmade> {
    if source.has_changed() { Err(Unmade::Refused(Message::new("reason-changed"))) } else { Ok(()) }
}

fn refuse_size(bytes: u64, limit: u64) -> Option<Message> {
    match bytes {
        0 => Some(Message::new("reason-empty")),
        bytes if bytes > limit => Some(reason::too_large(bytes, limit)),
        _ => None,
    }
}

/// Where a file of the directory would go if nothing had to be cleaned.
fn source(destination: &str, relative: &Path) -> SourceName {
    let raw_name = relative.file_name().map(|name| ingest::name_text(Path::new(name))).unwrap_or_default();
    let parent = relative.parent().map(ingest::name_text).unwrap_or_default();
    SourceName::new(&format!("{destination}/{parent}"), &raw_name)
}

/// The name and the folder that a file of the directory gets.
fn incoming(destination: &str, sources: &Sources, relative: &Path) -> Result<Incoming, Box<(Incoming, Fate)>> {
    let shown = ingest::display(relative);
    let source = source(destination, relative);
    let unnamed = FileName { stem: source.file().to_owned(), extension: String::new(), changed: false };
    let name = FileName::clean("file", source.file());
    let folder = clean_folder("folder", source.folder());
    let incoming = Incoming {
        key: shown.clone(),
        shown,
        name: name.as_ref().map_or(unnamed, Clone::clone),
        folder: folder.clone().unwrap_or_default(),
        history: Vec::new(),
        stamp: serde_json::Value::Null,
        siblings: sources.siblings_of(&source),
        is_member: false,
        source,
    };
    match (name, folder) {
        (Ok(_), Ok(_)) => Ok(incoming),
        (Err(_), _) => {
            let fate = incoming.refuse(reason::bad_name(incoming.source.file()));
            Err(Box::new((incoming, fate)))
        }
        (Ok(_), Err(invalid)) => {
            let fate = incoming.refuse(reason::other(invalid));
            Err(Box::new((incoming, fate)))
        }
    }
}

/// FTP servers that hide a file until it has arrived call it `.in.<name>.`
fn is_unfinished_transfer(name: &str) -> bool {
    name.len() > ".in.".len() && name.starts_with(".in.")
}

/// What was to be uploaded and could not even be looked at is missing.
const fn log_type(why: &Why) -> LogType {
    match why {
        Why::Unreadable(_) => LogType::UploadError,
        Why::Junk
        | Why::LinkLeadsOut
        | Why::LinkLeadsNowhere
        | Why::FolderSeenBefore
        | Why::NotAFile
        | Why::TooDeep => LogType::UploadWarning,
    }
}

fn remark(directory: &ServerDirectory, left: &LeftOut) -> Message {
    let shown = ingest::display(&left.relative);
    let because = |why: Message| Message::new("upload-warning").with("file", shown.clone()).with("reason", why);
    match &left.why {
        Why::Junk => Message::new("junk-skipped").with("file", shown),
        Why::LinkLeadsOut => Message::new("link-skipped").with("path", shown),
        Why::LinkLeadsNowhere => because(Message::new("reason-link-nowhere")),
        Why::FolderSeenBefore => because(Message::new("reason-link-loop")),
        Why::NotAFile => because(Message::new("reason-not-a-file")),
        Why::TooDeep => because(Message::new("reason-too-deep")),
        Why::Unreadable(detail) => because(
            Message::new("reason-not-readable")
                .with("path", directory.path().join(&left.relative).display().to_string())
                .with("detail", detail.clone()),
        ),
    }
}
