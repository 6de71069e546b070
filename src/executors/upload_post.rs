//! UploadFile: every file that was posted becomes an asset.
//!
//! The files are in the blob store already. Each is an item under its place among the posts, since one name may come twice;
//! they are filed in that order.

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use serde_json::json;

use super::archive;
use super::filing::{Fate, Filing, Incoming};
use super::pictures::Unmade;
use super::process::Subject;
use super::{Bytes, Context, Executor, Failure, Workshop, options, reason};
use crate::assets::blobs::Blob;
use crate::model::job::UploadPostJob;
use crate::model::log::Message;
use crate::model::name::{FileName, clean_folder};
use crate::model::source::{SourceName, Sources};
use crate::store::jobs::posts::PostedFile;

pub struct UploadPost {
    pub order: UploadPostJob,
    pub workshop: Workshop,
}

#[async_trait]
impl Executor for UploadPost {
    async fn run(&self, context: &Context) -> Result<(), Failure> {
        let filing = Filing::new(context, &self.workshop, self.order.overwrite, &self.order.options).await?;
        let posted = context.reads().posted_files(context.run.fence.instance).await?;
        let done = context.done_items().await?;
        let has_beginning = options::log_beginning(context, Vec::new()).await?;
        context.plan(posted.len() + usize::from(has_beginning)).await?;
        context.say(Message::new("progress-uploading"));
        filing.resume(context, &done).await?;
        let sources = &Sources::among(posted.iter().map(source));
        let files = posted.into_iter().enumerate().map(|(index, file)| (key(index, &file), file));
        let files = files.filter(|(key, _)| !done.contains_key(key));
        let mut prepared = stream::iter(files)
            .take_while(|_| std::future::ready(!context.stop_token().is_cancelled()))
            .map(|(key, file)| self.prepare(context, &filing, incoming(key, sources, &file), file))
            .buffered(self.workshop.settings.parallel * 2);
        while let Some(file) = prepared.next().await {
            let (incoming, fate) = file?;
            filing.file(context, incoming, fate).await?;
        }
        context.checkpoint()
    }
}

fn key(index: usize, file: &PostedFile) -> String {
    format!("{} {}", index + 1, file.path)
}

impl UploadPost {
    async fn prepare(
        &self,
        context: &Context,
        filing: &Filing,
        incoming: Result<Incoming, Box<(Incoming, Message)>>,
        file: PostedFile,
    ) -> Result<(Incoming, Fate), Failure> {
        let incoming = match incoming {
            Ok(incoming) => incoming,
            Err(refused) => {
                let (incoming, why) = *refused;
                let fate = incoming.refuse(why);
                return Ok((incoming, fate));
            }
        };
        if file.bytes == 0 {
            let fate = incoming.refuse(Message::new("reason-empty"));
            return Ok((incoming, fate));
        }
        let foresight = filing.foresee(context, &incoming).await?;
        if let Some(twin) = foresight.twin(Some(&file.blob), file.bytes) {
            return Ok((incoming, Fate::Twin(Box::new(twin))));
        }
        let (workshop, name, processing) = (self.workshop.clone(), incoming.name.clone(), filing.processing.clone());
        let (shown, progress) = (incoming.shown.clone(), context.clone());
        let content = file.blob.clone();
        let room = self.workshop.room_of(&name, file.bytes);
        let examined = self.workshop.work_in(room, context, Bytes::of(&content, &incoming.shown), move |stop| {
            let _working = progress.working_on(shown);
            // It came some time ago.
            workshop.blobs.verify(&file.blob, stop)?;
            let blob = Blob { id: file.blob, bytes: file.bytes };
            let subject = Subject { blob: &blob, name: &name, known: foresight.replaces.as_ref(), room };
            archive::examine(&workshop, subject, &processing, stop)
        });
        match examined.await {
            Ok(fate) => Ok((incoming, fate)),
            Err(Unmade::Refused(why)) => {
                let fate = incoming.refuse(why);
                Ok((incoming, fate))
            }
            Err(Unmade::Failed(failure)) => Err(failure),
        }
    }
}

fn source(file: &PostedFile) -> SourceName {
    SourceName::of_path(&file.path)
}

/// The name and the folder that a posted file gets; or why it can have none.
fn incoming(key: String, sources: &Sources, file: &PostedFile) -> Result<Incoming, Box<(Incoming, Message)>> {
    let source = source(file);
    let name = FileName::clean("file", source.file());
    let folder = clean_folder("folder", source.folder());
    let unnamed = FileName { stem: source.file().to_owned(), extension: String::new(), changed: false };
    let incoming = Incoming {
        key,
        shown: file.path.clone(),
        siblings: sources.siblings_of(&source),
        is_member: false,
        source,
        name: name.as_ref().map_or(unnamed, Clone::clone),
        folder: folder.clone().unwrap_or_default(),
        history: Vec::new(),
        stamp: json!({ "blob": file.blob, "bytes": file.bytes }),
    };
    match (name, folder) {
        (Ok(_), Ok(_)) => Ok(incoming),
        (Err(_), _) => {
            let why = reason::bad_name(incoming.source.file());
            Err(Box::new((incoming, why)))
        }
        (Ok(_), Err(invalid)) => Err(Box::new((incoming, reason::other(invalid)))),
    }
}
