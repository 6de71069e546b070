//! uploadUrlsJob: every address becomes an asset.
//!
//! Each address is an item under its place in the order, since one address may stand there twice. Several are fetched
//! at the same time; they are committed in order.

mod fetch;
mod name;
mod part;

use std::io::{Read, Seek, SeekFrom};
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use futures_util::{StreamExt, stream};
use serde_json::json;
use url::Url;

use super::filing::{Fate, Filing, Incoming};
use super::pictures::Unmade;
use super::process::Subject;
use super::{Bytes, Context, Executor, Failure, Workshop, archive, options, reason};
use crate::assets::blobs::Draft;
use crate::clock;
use crate::media;
use crate::model::job::{UploadUrl, UploadUrlsJob};
use crate::model::log::{LogLine, LogType, Message};
use crate::model::name::FileName;
use crate::model::source::{Siblings, SourceName, Sources};
use fetch::{Decoded, Download, Fetcher, Trouble};
use name::Destination;
use part::Codings;

pub struct UploadUrls {
    pub order: UploadUrlsJob,
    pub workshop: Workshop,
}

#[async_trait]
impl Executor for UploadUrls {
    async fn run(&self, context: &Context) -> Result<(), Failure> {
        let filing = Filing::new(context, &self.workshop, self.order.overwrite, &self.order.options).await?;
        let fetcher = Fetcher::new(self.workshop.settings.clone(), context.clock.clone())?;
        let done = context.done_items().await?;
        let has_beginning = options::log_beginning(context, Vec::new()).await?;
        context.plan(self.order.url_array.len() + usize::from(has_beginning)).await?;
        context.say(Message::new("progress-fetching"));
        filing.resume(context, &done).await?;
        let mut orders: Vec<(Incoming, UploadUrl)> = Vec::with_capacity(self.order.url_array.len());
        for (index, order) in self.order.url_array.iter().enumerate() {
            orders.push((incoming(index, order), order.clone()));
        }
        let root = &filing.company_root;
        let destinations = orders.iter().filter_map(|(_, order)| destination(order, root).ok());
        let sources = &Sources::among(destinations.map(|(_, destination)| destination.source()));
        orders.retain(|(incoming, _)| !done.contains_key(&incoming.key));
        let mut prepared = stream::iter(orders)
            .take_while(|_| std::future::ready(!context.stop_token().is_cancelled()))
            .map(|(incoming, order)| self.prepare(context, &filing, &fetcher, sources, incoming, order))
            .buffered(self.workshop.settings.fetch.parallel as usize);
        while let Some(file) = prepared.next().await {
            let (incoming, fate) = file?;
            filing.file(context, incoming, fate).await?;
        }
        context.checkpoint()
    }
}

/// First wait before another try; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// Longest wait, whatever the server asks for.
const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// The file of an order, before anything is known of it.
fn incoming(index: usize, order: &UploadUrl) -> Incoming {
    let shown = crate::outward::shown_text(&order.source_url);
    Incoming {
        key: format!("{} {shown}", index + 1),
        source: SourceName::new("", &shown),
        siblings: Siblings::default(),
        is_member: false,
        name: FileName { stem: shown.clone(), extension: String::new(), changed: false },
        folder: String::new(),
        history: Vec::new(),
        stamp: json!({ "url": shown }),
        shown,
    }
}

/// Where the file of an order is, and where it goes.
fn destination(order: &UploadUrl, company_root: &str) -> Result<(Url, Destination), Message> {
    let url: Url = order.source_url.trim().parse().map_err(reason::other)?;
    let destination = Destination::new(&order.dest_path, &url, company_root)?;
    Ok((url, destination))
}

impl UploadUrls {
    async fn prepare(
        &self,
        context: &Context,
        filing: &Filing,
        fetcher: &Fetcher,
        sources: &Sources,
        mut incoming: Incoming,
        order: UploadUrl,
    ) -> Result<(Incoming, Fate), Failure> {
        let _working = context.working_on(incoming.shown.clone());
        let (url, destination) = match destination(&order, &filing.company_root) {
            Ok(found) => found,
            Err(why) => {
                let fate = not_fetched(&incoming, why);
                return Ok((incoming, fate));
            }
        };
        incoming.folder.clone_from(&destination.folder);
        incoming.siblings = sources.siblings_of(&destination.source());
        let mut fetched = self.fetch(context, fetcher, &url, &mut incoming).await;
        if let Err(Trouble::Lasting(why)) = &fetched
            && why.code == "reason-coding-damaged"
            && incoming.history.iter().any(|line| line.message.code == "url-retried")
        {
            // What came in several tries may be of several versions that the server calls the same.
            let message =
                Message::new("url-begun-anew").with("url", incoming.shown.clone()).with("reason", why.clone());
            incoming.history.push(LogLine::new(LogType::JobInfo, message));
            fetched = self.fetch(context, fetcher, &url, &mut incoming).await;
        }
        match fetched {
            Ok(download) => self.take_in(context, filing, incoming, download, &destination).await,
            Err(Trouble::Ours(failure)) => Err(failure),
            Err(Trouble::Lasting(why) | Trouble::Passing { why, .. }) => {
                let fate = not_fetched(&incoming, why);
                Ok((incoming, fate))
            }
        }
    }

    async fn draft(&self) -> Result<Draft, Trouble> {
        let blobs = self.workshop.blobs.clone();
        Ok(self.workshop.work(move |_| blobs.draft()).await.map_err(Trouble::Ours)??)
    }

    /// Tries until the file is there, the trouble lasts, or time or tries are used up.
    async fn fetch(
        &self,
        context: &Context,
        fetcher: &Fetcher,
        url: &Url,
        incoming: &mut Incoming,
    ) -> Result<Download, Trouble> {
        let mut download = Download::new(self.draft().await?);
        let limit = self.workshop.settings.fetch.total_timeout.duration();
        let tries = self.try_repeatedly(context, fetcher, url, &mut download, incoming);
        tokio::select! {
            () = context.cut_off_token().cancelled() => return Err(Trouble::Ours(Failure::Interrupted)),
            tried = tokio::time::timeout(limit, tries) => match tried {
                Ok(tried) => tried?,
                Err(_) => {
                    let milliseconds = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
                    return Err(Trouble::Lasting(Message::new("reason-timeout").with("milliseconds", milliseconds)));
                }
            },
        }
        if download.is_endless() {
            let message = Message::new("url-length-unsaid").with("url", incoming.shown.clone());
            incoming.history.push(LogLine::new(LogType::JobInfo, message));
        }
        self.decoded(download, incoming).await
    }

    /// What was encoded on its way though nobody asked for it, or is said to be.
    async fn decoded(&self, mut download: Download, incoming: &mut Incoming) -> Result<Download, Trouble> {
        let Codings { known, strange } = download.codings();
        for coding in strange {
            let message = Message::new("url-coding-strange").with("url", incoming.shown.clone()).with("coding", coding);
            incoming.history.push(LogLine::new(LogType::UploadWarning, message));
        }
        for coding in known.into_iter().rev() {
            let (plain, limit) = (self.draft().await?, self.workshop.settings.fetch.max_bytes.get());
            let decode = move |stop: &dyn Fn() -> bool| {
                download.decode(coding, plain, limit, stop).map(|decoded| (download, decoded))
            };
            let decoded;
            (download, decoded) = self.workshop.work(decode).await.map_err(Trouble::Ours)??;
            let (log_type, code) = match decoded {
                Decoded::Yes => (LogType::JobInfo, "url-decoded"),
                Decoded::OfTheFile => (LogType::JobInfo, "url-packed-by-itself"),
                Decoded::NotAtAll => (LogType::UploadWarning, "url-not-encoded"),
            };
            let message = Message::new(code).with("url", incoming.shown.clone()).with("coding", coding.name());
            incoming.history.push(LogLine::new(log_type, message));
        }
        Ok(download)
    }

    async fn try_repeatedly(
        &self,
        context: &Context,
        fetcher: &Fetcher,
        url: &Url,
        download: &mut Download,
        incoming: &mut Incoming,
    ) -> Result<(), Trouble> {
        let attempts = self.workshop.settings.fetch.attempts;
        let mut wait = FIRST_WAIT;
        for attempt in 1.. {
            let (why, not_before) = match fetcher.fetch(url, download).await {
                Err(Trouble::Passing { why, not_before }) if attempt < attempts => (why, not_before),
                ended => return ended,
            };
            let pause = not_before.unwrap_or(wait).min(LONGEST_WAIT);
            wait = wait.saturating_mul(2);
            let pause = TimeDelta::from_std(pause).unwrap_or(TimeDelta::zero());
            let message = Message::new("url-retried")
                .with("url", incoming.shown.clone())
                .with("reason", why)
                .with("attempt", attempt)
                .with("attempts", attempts)
                .with("at", (context.clock.now() + pause).timestamp_millis());
            incoming.history.push(LogLine::new(LogType::JobInfo, message));
            // A server that wants to be left alone is not worth waiting for when the daemon ends.
            tokio::select! {
                () = clock::sleep(&*context.clock, pause) => {}
                () = context.stop_token().cancelled() => return Err(Trouble::Ours(Failure::Interrupted)),
            }
        }
        Ok(())
    }

    /// Turns what has arrived into a file that can be filed.
    async fn take_in(
        &self,
        context: &Context,
        filing: &Filing,
        mut incoming: Incoming,
        download: Download,
        destination: &Destination,
    ) -> Result<(Incoming, Fate), Failure> {
        let media_type = download.media_type().map(str::to_owned);
        let Download { mut draft, .. } = download;
        let head = self.workshop.work(move |_| {
            let mut head = Vec::with_capacity(media::SNIFF_LEN);
            let file = draft.file();
            file.seek(SeekFrom::Start(0))?;
            Read::take(&mut *file, media::SNIFF_LEN as u64).read_to_end(&mut head)?;
            let bytes = file.metadata()?.len();
            Ok::<_, std::io::Error>((draft, head, bytes))
        });
        let (draft, head, bytes) = head.await?.map_err(|error| Failure::of_io(&error, &error))?;
        if head.is_empty() {
            let fate = incoming.refuse(Message::new("reason-empty"));
            return Ok((incoming, fate));
        }
        let by_content = media::sniff(&head, "").extensions().first().copied();
        match destination.name_of_fetched(media_type.as_deref(), by_content) {
            Ok(named) => {
                incoming.source = destination.source_of(&named);
                incoming.name = named.name;
            }
            Err(why) => {
                let fate = incoming.refuse(why);
                return Ok((incoming, fate));
            }
        }
        let foresight = filing.foresee(context, &incoming).await?;
        let (workshop, name, processing) = (self.workshop.clone(), incoming.name.clone(), filing.processing.clone());
        let blobs = workshop.blobs.clone();
        let kept = self.workshop.work(move |stop| -> Result<_, Failure> {
            let mut draft = draft;
            let taken = match foresight.twin_of(&blobs, draft.file(), bytes, stop)? {
                Some(twin) => Err(twin),
                None => Ok(blobs.keep(draft)?),
            };
            Ok((taken, foresight.replaces))
        });
        let (taken, replaces) = kept.await??;
        let blob = match taken {
            Ok(blob) => blob,
            Err(twin) => return Ok((incoming, Fate::Twin(Box::new(twin)))),
        };
        let content = blob.id.clone();
        let room = self.workshop.room_of(&name, blob.bytes);
        let examined = self.workshop.work_in(room, context, Bytes::of(&content, &incoming.shown), move |stop| {
            let subject = Subject { blob: &blob, name: &name, known: replaces.as_ref(), room };
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

fn not_fetched(incoming: &Incoming, why: Message) -> Fate {
    Fate::Refused(Message::new("url-failed").with("url", incoming.shown.clone()).with("reason", why))
}
