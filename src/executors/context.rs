//! What an executor is given: its order, its fence, and the few things it may write.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{Failure, reason};
use crate::clock::SharedClock;
use crate::model::id::{AccountId, AssetId, CompanyId, ContextId, InstanceId};
use crate::model::job::JobSpec;
use crate::model::locale::Locale;
use crate::model::log::{FileType, LogLine, LogType, Message};
use crate::model::outcome::Counters;
use crate::store::effect::{Applied, Effect};
use crate::store::jobs::Fence;
use crate::store::jobs::attempt::{AttemptError, ItemReport, Planned, Progress, REFUSED};
use crate::store::{Reads, Store, StoreError};

/// Which run this is.
#[derive(Debug, Clone)]
pub struct RunInfo {
    pub fence: Fence,
    pub company: CompanyId,
    pub job_name: String,
    pub run_name: String,
    pub spec: JobSpec,
    /// The user it is done for.
    pub responsible: AccountId,
    pub locale: Option<Locale>,
}

/// How often a unit of work is done again because what it was computed from has changed before it could be committed. Who
/// changes an asset more often meanwhile is told so.
pub const ROUNDS: usize = 5;

/// A unit of work: its key is unique in the run and the same in every attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item(pub String);

/// An attempt's view of the world.
#[derive(Debug, Clone)]
pub struct Context {
    pub run: Arc<RunInfo>,
    pub clock: SharedClock,
    store: Store,
    stop: CancellationToken,
    cut_off: CancellationToken,
    progress: ProgressBoard,
}

impl Context {
    pub fn new(
        run: RunInfo,
        store: Store,
        clock: SharedClock,
        stop: CancellationToken,
        progress: ProgressBoard,
    ) -> Self {
        Self { run: Arc::new(run), clock, store, cut_off: stop.clone(), stop, progress }
    }

    /// Tells apart being told to leave off from being told to drop what is under way.
    pub fn cut_off_by(self, cut_off: CancellationToken) -> Self {
        Self { cut_off, ..self }
    }

    /// The database, to be read: what an attempt writes goes through its fence.
    pub const fn reads(&self) -> &Reads {
        self.store.reads()
    }

    /// Forgets an archive whose file is gone.
    pub async fn forget_export(&self, run: InstanceId) -> Result<(), Failure> {
        Ok(self.store.forget_export(self.run.fence, run).await?)
    }

    /// Notes up to which publishes the trees of contexts were written.
    pub async fn meet_trees(&self, seen: Vec<(ContextId, i64)>) -> Result<(), Failure> {
        Ok(self.store.meet_trees(self.run.fence, seen, self.clock.now()).await?)
    }

    /// Counts files that are damaged, for whoever watches the daemon.
    pub fn count_damaged(&self, files: u64) {
        self.store.stats().damaged_files.inc_by(files);
    }

    /// To be called between items and inside long ones: ends the attempt when it should leave off.
    pub fn checkpoint(&self) -> Result<(), Failure> {
        if self.stop.is_cancelled() { Err(Failure::Interrupted) } else { Ok(()) }
    }

    /// Told when the attempt should leave off: for waits, and for work on other threads.
    pub const fn stop_token(&self) -> &CancellationToken {
        &self.stop
    }

    /// Told when even what is under way should be dropped: for items that may take long, and are worth finishing when only the
    /// daemon ends.
    pub const fn cut_off_token(&self) -> &CancellationToken {
        &self.cut_off
    }

    /// Items that this or an earlier attempt committed, with their results.
    pub async fn done_items(&self) -> Result<HashMap<String, Value>, Failure> {
        Ok(self.store.done_items(self.run.fence.instance).await?)
    }

    /// The same for the items whose keys begin with `prefix`, without it.
    pub async fn done_below(&self, prefix: &str) -> Result<BTreeMap<String, Value>, Failure> {
        Ok(self.store.done_items_below(self.run.fence.instance, prefix).await?)
    }

    /// The same for the items with these keys.
    pub async fn done_of(&self, keys: &[&str]) -> Result<HashMap<String, Value>, Failure> {
        Ok(self.store.done_items_of(self.run.fence.instance, keys).await?)
    }

    /// The last of the items whose keys begin with `prefix`: the rest of its key, and its result.
    pub async fn last_below(&self, prefix: &str) -> Result<Option<(String, Value)>, Failure> {
        Ok(self.store.last_item_below(self.run.fence.instance, prefix).await?)
    }

    /// Forgets what was done, but for the items whose keys begin with one of `kept`.
    pub async fn forget(&self, kept: &'static [&'static str]) -> Result<(), Failure> {
        while self.store.forget_items(self.run.fence, kept).await? {
            self.checkpoint()?;
        }
        Ok(())
    }

    /// Says that there are so many items beside those that are done.
    pub async fn plan_more(&self, more: usize) -> Result<(), Failure> {
        let done = self.store.count_items(self.run.fence.instance).await?;
        let total = done.saturating_add_unsigned(more as u64);
        Ok(self.store.plan_items(self.run.fence, Planned::Exactly(total)).await?)
    }

    /// Says how many items there are in all, but for those that are found as others are done.
    pub async fn plan(&self, total: usize) -> Result<(), Failure> {
        let total = i64::try_from(total).unwrap_or(i64::MAX);
        Ok(self.store.plan_items(self.run.fence, Planned::AtLeast(total)).await?)
    }

    /// Commits an item: what it changes, its counters and its lines, all or nothing. `report` sees what the change came to.
    /// An item that was committed before is not done again, and `None` comes back. With [`Applied::Overtaken`] it is not
    /// committed: whoever asked does it again.
    ///
    /// What contradicts the database (a constraint fails) would do so in every attempt. It costs this item and never the
    /// run: the item is committed as refused, with an error that says why.
    ///
    /// Boxed, as what the store returns is: every executor awaits it.
    pub fn commit(
        &self,
        item: Item,
        effect: Effect,
        report: impl FnOnce(&Applied) -> ItemReport + Send + 'static,
    ) -> BoxFuture<'_, Result<Option<Applied>, Failure>> {
        Box::pin(async move {
            let refusal = Refusal::of(&item, &effect);
            let committed = self.store.commit_item(self.run.fence, item.0, effect, report, self.clock.now()).await;
            match (committed, refusal) {
                (Err(AttemptError::Store(error @ StoreError::Constraint { .. })), Some(refusal)) => {
                    self.refuse(refusal, &error).await
                }
                (committed, _) => Ok(committed?),
            }
        })
    }

    async fn refuse(&self, refusal: Refusal, error: &StoreError) -> Result<Option<Applied>, Failure> {
        let Refusal { item, log_type, asset, name } = refusal;
        tracing::error!(run = %self.run.fence.instance, %item, %error, "the database refused what an item changes");
        let message = Message::new("item-refused").with("item", name.clone()).with("reason", reason::other(error));
        let report = ItemReport {
            result: json!({ REFUSED: true }),
            counters: Counters { error: 1, ..Counters::default() },
            lines: vec![LogLine::new(log_type, message).about(asset, name, FileType::NoType)],
            ..ItemReport::default()
        };
        let refused =
            self.store.commit_item(self.run.fence, item, Effect::Nothing, |_| report, self.clock.now()).await?;
        Ok(refused.map(|_| Applied::Refused))
    }

    /// Lines and counters of the run itself. They are written again by another attempt: keep to what belongs to an attempt.
    pub async fn log(&self, lines: Vec<LogLine>, counters: Counters) -> Result<(), Failure> {
        Ok(self.store.log_lines(self.run.fence, lines, counters, self.clock.now()).await?)
    }

    /// Says what the run does now. Written at a bounded rate.
    pub fn say(&self, message: Message) {
        self.progress.update(|progress| progress.message = Some(message));
    }

    /// Shows an item as being worked on until the guard is dropped.
    pub fn working_on(&self, name: impl Into<String>) -> Working {
        let name = name.into();
        self.progress.update(|progress| progress.items.push((name.clone(), 0.0)));
        Working { name, board: self.progress.clone() }
    }
}

/// What is said of an item that the database refuses.
struct Refusal {
    item: String,
    log_type: LogType,
    asset: Option<AssetId>,
    name: String,
}

impl Refusal {
    /// None for what the run cannot go on without.
    fn of(Item(item): &Item, effect: &Effect) -> Option<Self> {
        let log_type = effect.failure_type()?;
        let (asset, name) = effect.subject();
        // Keys of what is made of a file have its own in front.
        let name = name.unwrap_or_else(|| item.replace('\n', ": "));
        Some(Self { item: item.clone(), log_type, asset, name })
    }
}

/// An item shown as being worked on.
#[derive(Debug)]
pub struct Working {
    name: String,
    board: ProgressBoard,
}

impl Working {
    /// How far it is, from 0 to 1.
    pub fn at(&self, fraction: f64) {
        self.board.update(|progress| {
            if let Some(item) = progress.items.iter_mut().find(|(name, _)| *name == self.name) {
                item.1 = fraction.clamp(0.0, 1.0);
            }
        });
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.board.update(|progress| {
            if let Some(index) = progress.items.iter().position(|(name, _)| *name == self.name) {
                progress.items.remove(index);
            }
        });
    }
}

/// Where an attempt notes what it does; the engine carries it to the database when it has changed.
#[derive(Debug, Clone, Default)]
pub struct ProgressBoard(Arc<Mutex<Noted>>);

#[derive(Debug, Default)]
struct Noted {
    progress: Progress,
    changed: bool,
}

impl ProgressBoard {
    fn update(&self, change: impl FnOnce(&mut Progress)) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut noted.progress);
        noted.changed = true;
    }

    /// What is to be written, if anything changed since the last time.
    pub fn take_changed(&self) -> Option<Progress> {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut noted.changed).then(|| noted.progress.clone())
    }
}
