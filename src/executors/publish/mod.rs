//! Publish jobs: what is marked in a context goes to the context's trees, what is not leaves them.
//!
//! 1. *Begin* takes a number for the publish and notes how far the company's changes are looked at.
//! 2. *Record* goes through the assets that changed (Full: all that are marked or published), builds pyramids that are
//!    missing, and writes down in the database what the trees shall hold, a page of assets at a time. Each row carries
//!    the number of the publish that changed it.
//!    New contents are brought to the disk of the trees meanwhile, and what is not what was stored is refused here, so that
//!    the asset stays as it is published. The next publish tries again.
//! 3. *Stage* brings the standby tree up to date by the rows that are newer than what it holds, and notes that it did.
//!    A full publish looks at every file of both trees instead: what is changed or missing is made again from the blobs,
//!    and what nobody put there goes.
//! 4. *Switch* points the readers' link at it by a rename. A reader sees the old publish or the new one, never some of both.
//! 5. *Tell* writes the lines of what readers now see and no longer see.
//!
//! An incremental publish thereby costs what changed since the standby tree was last written, which is the changes of two
//! publishes, and never what exists; beside that it looks whether some of the other files, more than most contexts have, still
//! have their sizes and times. If one has not, it looks at all of them, as a full one. Each step is an item and can be done again: whichever of them a crash falls
//! between, the next attempt repeats at most the last one. The link is the truth about what is live, and the rows are
//! written before the first file is touched.
//!
//! A tree is written to again by the publish after the one that replaced it: readers that keep a folder open, rather
//! than going through the link for each visit, have that long to finish with it.
//!
//! Which files an asset gives is up to the [`Rule`] of the context's kind. Jobs of kinds that have no publishType are
//! incremental; a tree that is missing is made anew by any of them. Assets may be deleted from the database only after a
//! publish has seen them in the trash; a full publish also finds what is gone without that.

mod clash;
pub mod image_rendering;
pub mod image_serving;
pub mod metadata;
mod record;
mod rule;
pub mod server_directory;
pub mod sitemap;
mod trees;
pub mod video;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use chrono::SecondsFormat;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::recipe::Recipes;
use super::{Context, Executor, Failure, Item, Workshop, reason};
use crate::assets::published;
use crate::model::handle;
use crate::model::job::PublishType;
use crate::model::log::{LogLine, LogType, Message};
use crate::model::outcome::Counters;
use crate::store::effect::{Applied, Effect};
use crate::store::jobs::attempt::ItemReport;
use crate::store::publishing::{Begun, ContextState, Publication, PublishStep, Side, Withdrawn};
pub use rule::Rule;
use trees::{Closeness, Search, Staged, Target, TreeError, Trees};

/// A publish job of any kind.
pub struct Publish {
    pub rule: &'static Rule,
    pub publish_type: PublishType,
    /// None, or empty: the company's context of the kind.
    pub context_handle: Option<String>,
    pub workshop: Workshop,
}

/// Files that did not change, and that an incremental publish looks at.
const LOOKED_AT: i64 = 2000;

/// Assets, or lines, that are written in one transaction.
const PAGE: usize = 500;

#[async_trait]
impl Executor for Publish {
    async fn run(&self, context: &Context) -> Result<(), Failure> {
        let run = Run::begin(self, context).await?;
        if !run.is_done(SWITCHED) {
            run.part().await?;
            context.say(Message::new("progress-publishing"));
            record::record(&run).await?;
            if !run.changes_anything().await? {
                return run.end_unchanged().await;
            }
            run.stage_and_switch().await?;
        }
        run.mirror_first().await?;
        run.clear_tray().await?;
        run.tell().await
    }
}

impl Publish {
    const fn is_full(&self) -> bool {
        match self.publish_type {
            PublishType::Full | PublishType::FullWithSearch => true,
            PublishType::Incremental => false,
        }
    }

    async fn find_context(&self, context: &Context) -> Result<ContextState, Failure> {
        let kind = self.rule.kind;
        let given = self.context_handle.as_deref().filter(|handle| !handle.is_empty());
        let refuse = |handle: &str| {
            Failure::because(Message::new("reason-no-context").with("handle", handle).with("kind", kind.as_str()))
        };
        let id =
            given.map(|text| handle::parse_context("contextHandle", text).map_err(|_| refuse(text))).transpose()?;
        let state = context.store().context_state(context.run.company, kind, id).await?;
        state.ok_or_else(|| match given {
            Some(text) => refuse(text),
            None => Failure::because(Message::new("reason-no-default-context").with("kind", kind.as_str())),
        })
    }
}

impl From<TreeError> for Failure {
    fn from(error: TreeError) -> Self {
        match error {
            TreeError::Stopped => Self::Interrupted,
            TreeError::Blob(error) => error.into(),
            TreeError::NotOurs { .. } | TreeError::BadName(_) => Self::because(reason::other(error)),
            TreeError::Io { ref source, .. } => Self::of_io(source, &error),
        }
    }
}

// No asset name begins with a slash, so items of steps cannot be taken for others.
const BEGIN: &str = "/begin";
const PARTED: &str = "/parted";
const RESET: &str = "/reset";
const STAGED: &str = "/staged";
const SWITCHED: &str = "/switched";
const MIRRORED: &str = "/mirrored";

/// What the first attempt of a run found, for all of its attempts.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Start {
    begun: Begun,
    /// The publish that readers saw then; 0 for none.
    live_seq: i64,
}

/// What staging a tree came to, for later attempts.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Outcome {
    is_other_unsound: bool,
    /// Files that were to be published for the first time, and could not be.
    never_shown: HashSet<String>,
}

/// A publish under way.
struct Run<'a> {
    publish: &'a Publish,
    context: &'a Context,
    company_root: String,
    /// As it was when the attempt began.
    state: ContextState,
    trees: Trees,
    start: Start,
    done: HashMap<String, Value>,
    recipes: Recipes,
}

impl<'a> Run<'a> {
    async fn begin(publish: &'a Publish, context: &'a Context) -> Result<Self, Failure> {
        let company = context.store().company(context.run.company).await?;
        let gone = || Failure::because(reason::other("the company of the job is no longer there"));
        let company_root = company.ok_or_else(gone)?.root_path;
        let state = publish.find_context(context).await?;
        let trees = Trees::of(&publish.workshop.settings.publish_root, publish.rule.kind, &company_root)?;
        let mut done = context.done_items().await?;
        if !done.contains_key(BEGIN) {
            let live = trees.live()?;
            let live_seq = live.map_or(0, |side| state.seq_of(side));
            let report = move |applied: &Applied| match applied {
                Applied::PublishBegun(begun) => {
                    ItemReport { result: json!(Start { begun: *begun, live_seq }), ..ItemReport::default() }
                }
                _ => ItemReport::default(),
            };
            let step = PublishStep::Begin { context: state.id };
            context.commit(Item(BEGIN.to_owned()), Effect::Publish(step), report).await?;
            done = context.done_items().await?;
        }
        let start = done.get(BEGIN).cloned().unwrap_or_default();
        let start = serde_json::from_value(start).map_err(|error| Failure::because(reason::other(error)))?;
        let recipes = Recipes::load(context.store(), context.run.company, &publish.workshop).await?;
        Ok(Self { publish, context, company_root, state, trees, start, done, recipes })
    }

    fn is_done(&self, item: &str) -> bool {
        self.done.contains_key(item)
    }

    async fn step(&self, item: &str, step: PublishStep) -> Result<(), Failure> {
        self.context.commit(Item(item.to_owned()), Effect::Publish(step), |_| ItemReport::default()).await?;
        Ok(())
    }

    /// The context as it is now.
    async fn state(&self) -> Result<ContextState, Failure> {
        self.publish.find_context(self.context).await
    }

    async fn changes_anything(&self) -> Result<bool, Failure> {
        let store = self.context.store();
        let is_shown = self.start.live_seq > 0 && self.trees.live()?.is_some_and(|side| self.tree_exists(side));
        // What an earlier attempt staged may be what readers see now: then nothing tells any more why.
        Ok(self.publish.is_full()
            || self.is_done(STAGED)
            || !is_shown
            || !store.publications_after(self.state.id, self.start.live_seq).await?.is_empty()
            || self.is_meddled_with().await?)
    }

    /// Whether somebody has touched what readers see. All of it is looked at where no order can ask for a full publish, and
    /// else no more than costs little.
    async fn is_meddled_with(&self) -> Result<bool, Failure> {
        let Some(live) = self.trees.live()?.filter(|_| self.start.live_seq > 0) else { return Ok(false) };
        let store = self.context.store();
        let (mut rows, closeness) = if self.publish.rule.looks_at_all {
            (store.publications_present(self.state.id).await?, Closeness::Stamp)
        } else {
            let turn = self.start.begun.seq;
            (store.publications_in_turn(&self.state, turn, LOOKED_AT).await?, Closeness::SizeAndTime)
        };
        // What this publish writes down is not there yet.
        rows.retain(|row| row.seq <= self.start.live_seq);
        let (trees, stop) = (self.trees.clone(), self.context.stop_token().clone());
        let untouched = self
            .publish
            .workshop
            .work(move |abandoned| trees.is_untouched(live, &rows, closeness, &|| abandoned() || stop.is_cancelled()));
        Ok(!untouched.await??)
    }

    fn tree_exists(&self, side: Side) -> bool {
        self.trees.tree(side).is_dir()
    }

    /// Parts the trees of earlier versions from the blobs, once.
    async fn part(&self) -> Result<(), Failure> {
        if self.state.owns_files {
            return Ok(());
        }
        let (trees, stop) = (self.trees.clone(), self.context.stop_token().clone());
        let parted =
            self.publish.workshop.work(move |abandoned| trees.part(&|| abandoned() || stop.is_cancelled())).await??;
        let mut report = ItemReport::default();
        if parted.files > 0 {
            let message = Message::new("publish-parted")
                .with("count", parted.files)
                .with("bytes", parted.bytes)
                .with("context", self.state.name.clone());
            report.lines.push(LogLine::new(LogType::JobInfo, message));
        }
        let step = PublishStep::Parted { context: self.state.id };
        self.context.commit(Item(PARTED.to_owned()), Effect::Publish(step), move |_| report).await?;
        Ok(())
    }

    async fn clear_tray(&self) -> Result<(), Failure> {
        let trees = self.trees.clone();
        Ok(self.publish.workshop.work(move |_| trees.clear_tray()).await??)
    }

    async fn end_unchanged(&self) -> Result<(), Failure> {
        self.clear_tray().await?;
        let step = PublishStep::Looked { context: self.state.id, until: self.start.begun.until };
        let message = Message::new("publish-nothing").with("context", self.state.name.clone());
        let report = ItemReport { lines: vec![LogLine::new(LogType::JobInfo, message)], ..ItemReport::default() };
        self.context.commit(Item("/unchanged".to_owned()), Effect::Publish(step), move |_| report).await?;
        Ok(())
    }

    async fn stage_and_switch(&self) -> Result<(), Failure> {
        let (state, begun) = (self.state().await?, self.start.begun);
        let live = self.trees.live()?;
        let side = match live {
            // The link was switched just before an attempt ended: nothing is left to do but to note it.
            Some(live) if state.seq_of(live) == begun.seq => live,
            _ => {
                let standby = live.map_or(Side::A, Side::other);
                if state.seq_of(standby) != begun.seq {
                    self.stage(&state, standby, STAGED).await?;
                }
                self.context.checkpoint()?;
                self.context.say(Message::new("progress-switching"));
                let trees = self.trees.clone();
                self.publish.workshop.work(move |_| trees.switch(standby)).await??;
                standby
            }
        };
        // A full publish gives readers everything once more.
        let since = if self.publish.is_full() { 0 } else { self.start.live_seq };
        let is_other_sound = !self.outcome().await?.is_other_unsound;
        let step = PublishStep::Switched { context: state.id, side, until: begun.until, since, is_other_sound };
        self.step(SWITCHED, step).await
    }

    /// What staging came to, in whichever attempt.
    async fn outcome(&self) -> Result<Outcome, Failure> {
        let done = self.context.done_items().await?.remove(STAGED).unwrap_or_default();
        Ok(serde_json::from_value(done).unwrap_or_default())
    }

    /// Brings a tree that nobody reads up to this publish.
    async fn stage(&self, state: &ContextState, side: Side, item: &str) -> Result<(), Failure> {
        let mut staged = self.bring_up(state, side, item).await?;
        // A file that was changed, and whose stored one is damaged as well, can be made of its master.
        let lost: Vec<Publication> = staged.refused.iter().map(|(row, _)| row.clone()).collect();
        if !lost.is_empty() && record::make_again(self, &lost).await? {
            let is_manifest_mended = staged.is_manifest_mended;
            staged = self.bring_up(&self.state().await?, side, item).await?;
            staged.is_manifest_mended |= is_manifest_mended;
        }
        self.note_staged(side, item, staged).await
    }

    async fn bring_up(&self, state: &ContextState, side: Side, item: &str) -> Result<Staged, Failure> {
        let (store, held) = (self.context.store(), state.seq_of(side));
        let totals = self.trees.totals(side)?;
        // A tree that does not know of what the database says it holds is not the tree that was written.
        let is_sound = held > 0 && totals.as_ref().is_some_and(|totals| totals.publish >= held);
        let asks_for_all = item == STAGED && (self.publish.is_full() || self.is_meddled_with().await?);
        let in_full = !is_sound || asks_for_all;
        if in_full {
            self.step(RESET, PublishStep::Reset { context: state.id, side }).await?;
        }
        let rows = if in_full {
            store.publications_present(state.id).await?
        } else {
            store.publications_after(state.id, held).await?
        };
        let held_by_other = state.seq_of(side.other());
        let mut leaving = HashMap::new();
        if in_full {
            let changed = store.publications_after(state.id, held.min(held_by_other)).await?;
            leaving.extend(changed.into_iter().filter(|row| !row.present).map(|row| (row.file_name, row.seq)));
        }
        let is_long = totals.is_some_and(|totals| totals.is_worth_compacting(rows.len(), state.file_count));
        let compact = if is_long && !in_full { Some(store.publications_present(state.id).await?) } else { None };
        self.context.say(Message::new("progress-manifest"));
        let target = Target {
            seq: self.start.begun.seq,
            rows,
            in_full,
            held,
            held_by_other,
            leaving,
            compact,
            files: state.file_count,
            search: self.search(item).await?,
            at: self.context.clock.now().to_rfc3339_opts(SecondsFormat::Millis, true),
        };
        let (trees, blobs, stop) =
            (self.trees.clone(), self.publish.workshop.blobs.clone(), self.context.stop_token().clone());
        let staged = self
            .publish
            .workshop
            .work(move |abandoned| trees.stage(side, &blobs, &target, &|| abandoned() || stop.is_cancelled()));
        Ok(staged.await??)
    }

    /// Commits that a tree holds this publish, with the lines of what was found out about its files.
    async fn note_staged(&self, side: Side, item: &str, staged: Staged) -> Result<(), Failure> {
        let context = self.state.id;
        let report = self.staged_report(&staged)?;
        let mut pages = staged.seen.chunks(PAGE).map(<[_]>::to_vec).collect::<Vec<_>>();
        let last = pages.pop().unwrap_or_default();
        for (number, seen) in pages.into_iter().enumerate() {
            self.step(&format!("{item}/seen:{number}"), PublishStep::Seen { context, seen }).await?;
        }
        let withdrawn = staged
            .refused
            .into_iter()
            .map(|(row, _)| Withdrawn { file_name: row.file_name, asset: row.asset })
            .collect();
        let step = PublishStep::Staged { context, side, seq: self.start.begun.seq, seen: last, withdrawn };
        self.context.commit(Item(item.to_owned()), Effect::Publish(step), move |_| report).await?;
        Ok(())
    }

    fn staged_report(&self, staged: &Staged) -> Result<ItemReport, Failure> {
        let Staged { seen: _, mended, refused, strangers, is_manifest_mended, is_other_unsound } = staged;
        let types = &self.publish.rule.types;
        let mut lines: Vec<LogLine> =
            mended.iter().map(|row| self.line(row, types.warning, "publish-mended")).collect();
        for (row, why) in refused {
            let message = Message::new("publish-error")
                .with("file", row.file_name.clone())
                .with("context", self.state.name.clone())
                .with("reason", reason::of_blob(why));
            lines.push(LogLine::new(types.error, message).about(
                Some(row.asset),
                row.asset_name.clone(),
                row.file_type,
            ));
        }
        if *is_manifest_mended {
            let message = Message::new("publish-manifest-mended").with("context", self.state.name.clone());
            lines.push(LogLine::new(types.warning, message));
        }
        if let Some(first) = strangers.first() {
            let message = Message::new("publish-strangers")
                .with("count", strangers.len())
                .with("file", first.clone())
                .with("context", self.state.name.clone());
            lines.push(LogLine::new(LogType::JobInfo, message));
        }
        let (warning, error) = (mended.len() as i64 + i64::from(*is_manifest_mended), refused.len() as i64);
        let counters =
            Counters { warning, transfer_warning: warning, error, transfer_error: error, ..Counters::default() };
        let is_new = |row: &&Publication| row.seq == self.start.begun.seq;
        let never_shown = refused.iter().map(|(row, _)| row).filter(is_new).map(|row| row.file_name.clone()).collect();
        let outcome = Outcome { is_other_unsound: *is_other_unsound, never_shown };
        let result = serde_json::to_value(outcome).map_err(|error| Failure::because(reason::other(error)))?;
        Ok(ItemReport { result, counters, lines })
    }

    async fn search(&self, item: &str) -> Result<Search, Failure> {
        match self.publish.publish_type {
            PublishType::FullWithSearch if item == STAGED => {
                let lines = record::search_lines(self, self.trees.scratch()?).await?;
                Ok(Search::Write(Arc::new(lines)))
            }
            PublishType::Full | PublishType::FullWithSearch | PublishType::Incremental => Ok(Search::Keep),
        }
    }

    /// After the first publish of all, the other tree is made too: nobody reads it, and the next publish is not the one that
    /// pays for it.
    async fn mirror_first(&self) -> Result<(), Failure> {
        let state = self.state().await?;
        let Some(standby) = self.trees.live()?.map(Side::other) else { return Ok(()) };
        if self.start.live_seq == 0 && state.seq_of(standby) == 0 && !self.is_done(MIRRORED) {
            self.stage(&state, standby, MIRRORED).await?;
        }
        Ok(())
    }

    /// Says what readers see now.
    async fn tell(&self) -> Result<(), Failure> {
        let store = self.context.store();
        let changed = store.publications_after(self.state.id, self.start.live_seq).await?;
        let never_shown = self.outcome().await?.never_shown;
        let is_gone = |row: &&Publication| !row.present && !never_shown.contains(&row.file_name);
        let removed: Vec<Publication> = changed.iter().filter(is_gone).cloned().collect();
        let published = if self.publish.is_full() {
            store.publications_present(self.state.id).await?
        } else {
            changed.into_iter().filter(|row| row.present).collect()
        };
        let mut lines: Vec<LogLine> =
            published.iter().map(|row| self.line(row, self.publish.rule.types.success, "publish-success")).collect();
        if !removed.is_empty() {
            lines.extend(self.removal_lines(&removed));
        }
        let manifest = self.trees.link().join(published::manifest(self.publish.rule.kind)).display().to_string();
        let count = self.state().await?.file_count;
        let message = Message::new("publish-manifest").with("count", count).with("path", manifest);
        lines.push(LogLine::new(LogType::JobInfo, message));
        for (number, page) in lines.chunks(PAGE).enumerate() {
            let is_success = |line: &&LogLine| line.log_type == self.publish.rule.types.success;
            let success = page.iter().filter(is_success).count() as i64;
            let counters = Counters { success, transfer_success: success, ..Counters::default() };
            let report = ItemReport { counters, lines: page.to_vec(), ..ItemReport::default() };
            self.context.commit(Item(format!("/lines:{number}")), Effect::Nothing, move |_| report).await?;
        }
        Ok(())
    }

    fn removal_lines(&self, removed: &[Publication]) -> Vec<LogLine> {
        let lines = |log_type| removed.iter().map(move |row| self.line(row, log_type, "publish-removed"));
        let Some(types) = &self.publish.rule.types.cleanup else { return lines(LogType::JobInfo).collect() };
        let (begin, end) = (&types.begin, &types.end);
        let first = Message::new(begin.1).with("context", self.state.name.clone());
        let last = Message::new(end.1).with("count", removed.len());
        std::iter::once(LogLine::new(begin.0, first))
            .chain(lines(types.success))
            .chain(std::iter::once(LogLine::new(end.0, last)))
            .collect()
    }

    fn line(&self, row: &Publication, log_type: LogType, code: &str) -> LogLine {
        let message = Message::new(code).with("file", row.file_name.clone()).with("context", self.state.name.clone());
        LogLine::new(log_type, message).about(Some(row.asset), row.asset_name.clone(), row.file_type)
    }
}
