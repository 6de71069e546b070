//! Cleanup: the server's own job, which removes what has been kept long enough.
//!
//! * assets that have been in the trash for too long are given up;
//! * assets that were given up go, once no publish has still to take them away;
//! * archives of exports that have expired go;
//! * unfinished files that nobody writes any more go;
//! * files in the blob store that no row names go, when they have been like that for a day ([`orphans`]);
//! * then some of the files that are named are read, whether they are what they should be ([`scrub`]).
//!
//! Nothing is removed while the database is known to be older than the files, as one that was restored from a backup: what
//! it does not name may be what was uploaded since. That may be found out at any time, and so it is asked wherever something
//! goes. Nor is anything removed while published files cannot be looked at, which may be what tells it, nor while the clock is
//! doubted, by which all seems old.
//!
//! Each step is an item, and does the same when it is done again. (Logs and messages are forgotten by the engine, which goes
//! on doing so when this job is paused.)

mod orphans;
mod scrub;

use async_trait::async_trait;
use chrono::TimeDelta;

use super::export::remove_expired;
use super::{Context, Executor, Failure, Item, Workshop, failure};
use crate::assets::patience::look_at_each;
use crate::assets::published::Site;
use crate::model::log::{LogLine, LogType, Message};
use crate::model::outcome::Counters;
use crate::store::cleanup::CleanupStep;
use crate::store::effect::{Applied, Effect};
use crate::store::jobs::attempt::ItemReport;
use crate::store::publishing as store;

pub struct Cleanup {
    pub workshop: Workshop,
}

/// How long nothing must have named or changed a file before it goes.
const GRACE: TimeDelta = TimeDelta::days(1);

/// Folders of the blob store.
const FOLDERS: usize = 256;

/// Each folder is looked at and swept; and the other steps.
const ITEMS: usize = 2 * FOLDERS + 6;

fn folders() -> impl Iterator<Item = String> {
    (0..FOLDERS).map(|first| format!("{first:02x}"))
}

#[async_trait]
impl Executor for Cleanup {
    async fn run(&self, context: &Context) -> Result<(), Failure> {
        context.plan(ITEMS + scrub::pages(context).await?).await?;
        context.say(Message::new("progress-cleaning"));
        match self.remove(context).await {
            Ok(()) => {}
            Err(Break::Held(why)) => hold(context, why).await?,
            Err(Break::Failed(failure)) => return Err(failure),
        }
        self.scrub(context).await
    }
}

/// Why nothing more is removed.
enum Break {
    /// A line says why.
    Held(Message),
    Failed(Failure),
}

impl<E: Into<Failure>> From<E> for Break {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

fn held() -> Break {
    Break::Held(Message::new("cleanup-held"))
}

/// Whether something may be removed just now, for what no transaction of the database is asked.
async fn ask(context: &Context) -> Result<(), Break> {
    context.checkpoint()?;
    if context.reads().restored().await?.is_some() {
        return Err(held());
    }
    let now = context.clock.now();
    match context.reads().clock_doubt(now).await? {
        None => Ok(()),
        Some(doubt) => Err(Break::Held(
            Message::new("cleanup-held-by-clock")
                .with("seen", doubt.seen.timestamp_millis())
                .with("now", now.timestamp_millis())
                .with("until", doubt.until.timestamp_millis()),
        )),
    }
}

impl Cleanup {
    async fn remove(&self, context: &Context) -> Result<(), Break> {
        ask(context).await?;
        self.look_at_trees(context).await?;
        let trash_before = context.clock.now() - self.workshop.settings.trash;
        repeat(context, "trash", "cleanup-trash", CleanupStep::EmptyTrash { before: trash_before }).await?;
        repeat(context, "assets", "cleanup-assets", CleanupStep::RemoveAssets).await?;
        self.sweep_exports(context).await?;
        self.sweep_unfinished(context).await?;
        self.sweep_blobs(context).await
    }

    /// Trees that hold a publish which the database knows nothing of say that it is older.
    async fn look_at_trees(&self, context: &Context) -> Result<(), Break> {
        let (database, root) = (context.reads(), &self.workshop.settings.publish_root);
        let sites = database.publish_sites().await?;
        let place = |site: &store::Site| Site::below(root, site.kind, &site.root_path, site.state.publish_seq);
        let places: Vec<Site> = sites.iter().map(place).collect();
        let looked = places.clone();
        let looked = tokio::task::spawn_blocking(move || look_at_each(&looked, Site::newest)).await;
        let looked = looked.map_err(failure::internal)?;
        let mut newer = Vec::new();
        for ((site, place), looked) in sites.iter().zip(places).zip(looked) {
            match looked {
                Ok(newest) => newer.extend((newest.publish > place.known).then_some((site.state.id, newest.publish))),
                Err(error) => {
                    let path = place.link().display().to_string();
                    let message = Message::new("cleanup-trees-unlooked").with("path", path);
                    return Err(Break::Held(message.with("reason", error.to_string())));
                }
            }
        }
        if !newer.is_empty() {
            context.meet_trees(newer).await?;
        }
        ask(context).await
    }
}

/// Says why nothing is removed.
async fn hold(context: &Context, why: Message) -> Result<(), Failure> {
    let report = warning(why);
    context.commit(Item("held".to_owned()), Effect::Nothing, move |_| report).await?;
    Ok(())
}

fn warning(message: Message) -> ItemReport {
    let counters = Counters { warning: 1, ..Counters::default() };
    ItemReport { counters, lines: vec![LogLine::new(LogType::CleanupWarning, message)], ..ItemReport::default() }
}

/// Does a step until it finds nothing more to do.
async fn repeat(context: &Context, key: &str, code: &'static str, step: CleanupStep) -> Result<(), Break> {
    for round in 1.. {
        context.checkpoint()?;
        let report = move |applied: &Applied| match applied {
            Applied::Removed(count) if *count > 0 => removed(*count, Message::new(code).with("count", *count)),
            _ => ItemReport::default(),
        };
        let item = Item(format!("{key} {round}"));
        match context.commit(item, Effect::Cleanup(step.clone()), report).await? {
            // An earlier attempt did this round.
            None => {}
            Some(Applied::Removed(count)) if count > 0 => {}
            Some(Applied::Held) => return Err(held()),
            Some(_) => break,
        }
    }
    Ok(())
}

fn removed(count: u64, message: Message) -> ItemReport {
    let counters = Counters { success: i64::try_from(count).unwrap_or(i64::MAX), ..Counters::default() };
    ItemReport { counters, lines: vec![LogLine::new(LogType::CleanupSuccess, message)], ..ItemReport::default() }
}

impl Cleanup {
    async fn sweep_exports(&self, context: &Context) -> Result<(), Break> {
        ask(context).await?;
        let report = match remove_expired(context, &self.workshop).await? {
            0 => ItemReport::default(),
            runs => removed(runs as u64, Message::new("cleanup-exports").with("count", runs as u64)),
        };
        context.commit(Item("exports".to_owned()), Effect::Nothing, move |_| report).await?;
        Ok(())
    }

    async fn sweep_unfinished(&self, context: &Context) -> Result<(), Break> {
        ask(context).await?;
        let before = (context.clock.now() - GRACE).into();
        let blobs = self.workshop.blobs.clone();
        let (files, bytes) = self.workshop.work(move |_| blobs.sweep_old(before)).await??;
        let report = match files {
            0 => ItemReport::default(),
            files => removed(files, Message::new("cleanup-unfinished").with("count", files).with("bytes", bytes)),
        };
        context.commit(Item("unfinished".to_owned()), Effect::Nothing, move |_| report).await?;
        Ok(())
    }
}
