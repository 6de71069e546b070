//! Publish jobs: what is marked in a context goes to the context's trees, what is not leaves them.
//!
//! 1. *Begin* takes a number for the publish and notes how far the company's changes are looked at. An attempt that finds that
//!    another publish took the next one while it waited begins anew with a number of its own: what it had written down under
//!    the old one may be out of date, and would not come to a tree that holds more already.
//! 2. *Record* goes through the assets that changed (Full: all that are marked or published), builds pyramids that are
//!    missing, and writes down in the database what the trees shall hold, a page of assets at a time. Each row carries
//!    the number of the publish that changed it.
//!    New contents are brought to the disk of the trees meanwhile, and what is not what was stored is refused here, so that
//!    the asset stays as it is published. The next publish tries again.
//! 3. *Stage* brings the standby tree up to date by the rows that are newer than what it holds, and notes that it did.
//!    A full publish looks at every file of both trees instead: what is changed or missing is made again from the blobs,
//!    and what nobody put there goes.
//! 4. *Switch* points the readers' link at it by a rename. A reader sees the old publish or the new one, never some of both.
//! 5. *Tell* writes the lines of what readers now see and no longer see. The context knows up to which number that was done,
//!    so that the next publish tells what one that was killed here did not.
//!
//! An incremental publish thereby costs what changed since the standby tree was last written, which is the changes of two
//! publishes, and never what exists; beside that it looks whether some of the other files, more than most contexts have, still
//! have their sizes and times. If one has not, it looks at all of them, as a full one. Each step is an item and can be done again: whichever of them a crash falls
//! between, the next attempt repeats at most the last one. The link is the truth about what is live, and the rows are
//! written before the first file is touched.
//!
//! In memory are a page of assets or lines, and while a tree is staged a row of each file that it brings up to date: in full, of
//! all that the context publishes (some 500 bytes each, 50 MB for 100,000 files).
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
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use chrono::SecondsFormat;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::mounts::Mount;
use super::recipe::Recipes;
use super::{Context, Executor, Failure, Item, Workshop, reason};
use crate::assets::manifest::Totals;
use crate::assets::published;
use crate::model::handle;
use crate::model::job::PublishType;
use crate::model::log::{LogLine, LogType, Message, Severity};
use crate::model::outcome::Counters;
use crate::store::effect::{Applied, Effect};
use crate::store::jobs::attempt::ItemReport;
use crate::store::publishing::{
    Begun, ContextState, Cursor, FORGOTTEN_AT_ONCE, Publication, PublishStep, Side, Withdrawn,
};
pub use rule::Rule;
use trees::{Closeness, Meddling, Search, Staged, Target, TreeError, Trees};

/// A publish job of any kind.
pub struct Publish {
    pub rule: &'static Rule,
    pub publish_type: PublishType,
    /// None, or empty: the company's context of the kind.
    pub context_handle: Option<String>,
    pub workshop: Workshop,
}

/// Files that did not change, and that an incremental publish looks at.
const LOOKED_AT: usize = 2000;

/// Assets, or lines, that are written in one transaction.
const PAGE: usize = 500;

/// Files that no publish put there and that the log names, each in a line; one more counts the others.
const MOST_STRANGERS: usize = 20;

#[async_trait]
impl Executor for Publish {
    async fn run(&self, context: &Context) -> Result<(), Failure> {
        let run = Run::begin(self, context).await?;
        if !run.is_done(SWITCHED) {
            run.part().await?;
            run.note_shown().await?;
            context.say(Message::new("progress-publishing"));
            // A tree that was staged would not hear of what is written down after it.
            if !run.is_done(STAGED) {
                record::record(&run).await?;
            }
            if !run.changes_anything().await? {
                return run.end_unchanged().await;
            }
            run.stage_and_switch().await?;
        }
        run.mirror_first().await?;
        run.clear_tray().await?;
        run.tell(run.start.begun.seq).await
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
        let state = context.reads().context_state(context.run.company, kind, id).await?;
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
            // The next attempt finds out whose turn it is.
            TreeError::Passed { .. } | TreeError::Live { .. } | TreeError::Locked { .. } => {
                Self::Transient(reason::other(error))
            }
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
const TOLD: &str = "/told";

/// Pages of the history of what readers are given, each with how far it came: by an earlier publish, and by this one.
const FOUND_GIVEN: &str = "/given:found:";
const GIVEN: &str = "/given:now:";

/// Pages of lines, each with how far it came.
const PUBLISHED_LINES: &str = "/lines:published:";
const REMOVED_LINES: &str = "/lines:removed:";

/// What the first attempt of a run found, for all that are not passed by another publish.
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

/// How far the log tells what changed.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Pages {
    cursor: Cursor,
    /// Files named.
    count: i64,
}

/// A publish under way.
struct Run<'a> {
    publish: &'a Publish,
    context: &'a Context,
    company_root: String,
    /// As it was when the attempt began.
    state: ContextState,
    trees: Trees,
    mount: Mount,
    start: Start,
    /// Readers saw it, but another publish has begun before all was told.
    is_passed: bool,
    /// Steps that an earlier attempt did, as long as nobody passed it.
    done: HashMap<String, Value>,
    recipes: Recipes,
    /// How often something was made in this attempt.
    made: AtomicUsize,
}

impl<'a> Run<'a> {
    async fn begin(publish: &'a Publish, context: &'a Context) -> Result<Self, Failure> {
        let company = context.reads().company(context.run.company).await?;
        let gone = || Failure::because(reason::other("the company of the job is no longer there"));
        let company_root = company.ok_or_else(gone)?.root_path;
        let state = publish.find_context(context).await?;
        let attempt = format!("run {}, attempt {}", context.run.fence.instance, context.run.fence.attempt);
        let root = &publish.workshop.settings.publish_root;
        let trees = Trees::of(root, publish.rule.kind, &company_root)?.in_turn(&attempt);
        let mount = publish.workshop.mounts.written(trees.folder());
        let mut done = context.done_of(&[STAGED, SWITCHED, MIRRORED]).await?;
        let before = match context.last_below(BEGIN).await? {
            Some((_, start)) => Some(read_start(start)?),
            None => None,
        };
        let is_passed = before.is_some_and(|start| start.begun.seq != state.publish_seq);
        let is_switched = done.contains_key(SWITCHED);
        let mut is_new = false;
        let start = match before {
            Some(start) if !is_passed || is_switched => start,
            before => {
                done.clear();
                is_new = true;
                take_number(publish, context, (&trees, &mount), &state, before.is_some()).await?
            }
        };
        let is_passed = is_passed && is_switched;
        if !is_passed {
            let (trees, stop) = (trees.clone(), context.stop_token().clone());
            let taken = mount.work(move |abandoned| {
                let stop = || abandoned() || stop.is_cancelled();
                trees.take_turn(&stop)?;
                // What a publish that was stopped had brought is wanted by nobody, and may fill the disk.
                if is_new { trees.clear_tray(&stop) } else { Ok(()) }
            });
            taken.await??;
            // Who has lost the run meanwhile ends here. Its successor takes its turn after this.
            context.plan_more(1).await?;
        }
        let recipes = Recipes::load(context.reads(), context.run.company, &publish.workshop).await?;
        let made = AtomicUsize::new(0);
        Ok(Self { publish, context, company_root, state, trees, mount, start, is_passed, done, recipes, made })
    }

    /// A number for something that is made, its own in this attempt.
    fn next_made(&self) -> usize {
        self.made.fetch_add(1, Ordering::Relaxed)
    }

    /// Works on the trees, until somebody wants it stopped or nobody waits for it any more.
    async fn at_trees<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Trees, &dyn Fn() -> bool) -> Result<T, TreeError> + Send + 'static,
    ) -> Result<T, Failure> {
        let (trees, stop) = (self.trees.clone(), self.context.stop_token().clone());
        let done = self.mount.work(move |abandoned| work(&trees, &|| abandoned() || stop.is_cancelled()));
        Ok(done.await??)
    }

    /// The tree that readers see.
    async fn live(&self) -> Result<Option<Side>, Failure> {
        let trees = self.trees.clone();
        Ok(self.mount.work(move |_| trees.live()).await??)
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

    /// What an earlier publish gave to readers, and broke off before it said so, is noted before it is written over.
    async fn note_shown(&self) -> Result<(), Failure> {
        if self.start.live_seq <= self.state.shown_seq {
            return Ok(());
        }
        let Some(side) = self.live().await? else { return Ok(()) };
        self.note_given(FOUND_GIVEN, self.state.shown_seq, self.start.live_seq).await?;
        let message = Message::new("publish-found-shown").with("context", self.state.name.clone());
        let report = ItemReport { lines: vec![LogLine::new(LogType::JobInfo, message)], ..ItemReport::default() };
        let step = PublishStep::Shown { context: self.state.id, side };
        self.context.commit(Item("/shown".to_owned()), Effect::Publish(step), move |_| report).await?;
        Ok(())
    }

    /// Notes in the history of assets that readers are given what is newer than publish `since`: a page in each transaction, for all
    /// of a company at once would keep everybody from writing. It comes before the note of what readers see, so that a publish
    /// that ends between is noted again by the next.
    async fn note_given(&self, prefix: &str, since: i64, until: i64) -> Result<(), Failure> {
        let (store, context, seq) = (self.context.reads(), self.state.id, self.start.begun.seq);
        let (mut number, mut cursor) = self.next_page(prefix).await?.unwrap_or((0, Cursor::behind(since)));
        loop {
            let rows = store.next_changed(context, &cursor, until, true, PAGE).await?;
            let Some(last) = rows.last() else { return Ok(()) };
            cursor = Cursor { seq: last.seq, file_name: last.file_name.clone() };
            let result = serde_json::to_value(&cursor).map_err(|error| Failure::because(reason::other(error)))?;
            let step = PublishStep::Given { context, seq, assets: rows.iter().map(|row| row.asset).collect() };
            let report = ItemReport { result, ..ItemReport::default() };
            let item = Item(format!("{prefix}{number:010}"));
            self.context.commit(item, Effect::Publish(step), move |_| report).await?;
            number += 1;
        }
    }

    /// The number of the next page of items, and how far the one before it came; None before the first.
    async fn next_page<T: serde::de::DeserializeOwned>(&self, prefix: &str) -> Result<Option<(u64, T)>, Failure> {
        let Some((number, came)) = self.context.last_below(prefix).await? else { return Ok(None) };
        let came = serde_json::from_value(came).map_err(|error| Failure::because(reason::other(error)))?;
        Ok(Some((number.parse().map_or(0, |number: u64| number + 1), came)))
    }

    async fn changes_anything(&self) -> Result<bool, Failure> {
        let store = self.context.reads();
        let trees = self.trees.clone();
        let is_there = self.mount.work(move |_| {
            let live = trees.live()?;
            Ok::<_, TreeError>(live.is_some_and(|side| trees.tree(side).is_dir()))
        });
        let is_shown = self.start.live_seq > 0 && is_there.await??;
        // What an earlier attempt staged may be what readers see now: then nothing tells any more why.
        Ok(self.publish.is_full()
            || self.is_done(STAGED)
            || !is_shown
            || store.has_changed_after(self.state.id, self.start.live_seq).await?
            || self.is_live_meddled_with().await?)
    }

    /// Whether somebody has touched what readers see.
    async fn is_live_meddled_with(&self) -> Result<bool, Failure> {
        // What this publish writes down is not there yet.
        let held = self.start.live_seq;
        match self.live().await? {
            Some(live) if held > 0 => self.is_meddled_with(live, held..=held).await,
            Some(_) | None => Ok(false),
        }
    }

    /// Whether somebody has touched a tree that holds the first of these publishes, and may be closed with any of them. All of it is
    /// looked at where no order can ask for a full publish, and else no more than costs little.
    async fn is_meddled_with(&self, side: Side, publishes: RangeInclusive<i64>) -> Result<bool, Failure> {
        let (store, context, until) = (self.context.reads(), self.state.id, *publishes.start());
        if !self.publish.rule.looks_at_all {
            let turn = self.start.begun.seq;
            let mut rows = store.publications_in_turn(&self.state, turn, LOOKED_AT as i64).await?;
            rows.retain(|row| row.seq <= until);
            return Ok(!self.is_untouched(side, &publishes, rows, Closeness::SizeAndTime).await?);
        }
        let mut after = String::new();
        loop {
            let rows = store.next_present(context, until, &after, LOOKED_AT).await?;
            let last = rows.last().map(|row| row.file_name.clone());
            if !self.is_untouched(side, &publishes, rows, Closeness::Stamp).await? {
                return Ok(true);
            }
            match last {
                Some(last) => after = last,
                None => return Ok(false),
            }
        }
    }

    async fn is_untouched(
        &self,
        side: Side,
        publishes: &RangeInclusive<i64>,
        rows: Vec<Publication>,
        closeness: Closeness,
    ) -> Result<bool, Failure> {
        let publishes = publishes.clone();
        self.at_trees(move |trees, stop| trees.is_untouched(side, &publishes, &rows, closeness, stop)).await
    }

    /// Parts the trees of earlier versions from the blobs, once.
    async fn part(&self) -> Result<(), Failure> {
        if self.state.owns_files {
            return Ok(());
        }
        let parted = self.at_trees(Trees::part).await?;
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
        if self.is_passed {
            return Ok(());
        }
        self.at_trees(Trees::clear_tray).await
    }

    async fn end_unchanged(&self) -> Result<(), Failure> {
        self.clear_tray().await?;
        let Begun { seq, until, .. } = self.start.begun;
        let is_untold = self.start.live_seq > self.state.told_seq;
        let message = Message::new("publish-nothing").with("context", self.state.name.clone());
        let lines = if is_untold { Vec::new() } else { vec![LogLine::new(LogType::JobInfo, message)] };
        let report = ItemReport { lines, ..ItemReport::default() };
        let step = PublishStep::Looked { context: self.state.id, seq, until };
        self.context.commit(Item("/unchanged".to_owned()), Effect::Publish(step), move |_| report).await?;
        if is_untold { self.tell(self.start.live_seq).await } else { Ok(()) }
    }

    async fn stage_and_switch(&self) -> Result<(), Failure> {
        let (state, begun) = (self.state().await?, self.start.begun);
        let live = self.live().await?;
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
                self.at_trees(move |trees, stop| trees.switch(standby, stop)).await?;
                standby
            }
        };
        // A full publish gives readers everything once more.
        let in_full = self.publish.is_full() || self.start.live_seq == 0;
        self.note_given(GIVEN, if in_full { 0 } else { state.shown_seq }, begun.seq).await?;
        let step = PublishStep::Switched {
            context: state.id,
            seq: begun.seq,
            side,
            until: begun.until,
            is_other_sound: !self.outcome().await?.is_other_unsound,
        };
        self.step(SWITCHED, step).await
    }

    /// What staging came to, in whichever attempt.
    async fn outcome(&self) -> Result<Outcome, Failure> {
        let done = self.context.done_of(&[STAGED]).await?.remove(STAGED).unwrap_or_default();
        Ok(serde_json::from_value(done).unwrap_or_default())
    }

    /// Brings a tree that nobody reads up to this publish.
    async fn stage(&self, state: &ContextState, side: Side, item: &str) -> Result<(), Failure> {
        let mut staged = self.bring_up(state, side, item, false).await?;
        // A file that was changed, and whose stored one is damaged as well, can be made of its master.
        let lost: Vec<Publication> = staged.refused.iter().map(|(row, _)| row.clone()).collect();
        if !lost.is_empty() && record::make_again(self, &lost).await? {
            staged = self.bring_up(&self.state().await?, side, item, true).await?;
        }
        self.note_staged(side, item, staged).await
    }

    async fn bring_up(&self, state: &ContextState, side: Side, item: &str, is_again: bool) -> Result<Staged, Failure> {
        let (store, held) = (self.context.reads(), state.seq_of(side));
        // All there is is read below, for a tree of which nothing is known.
        let changed = if held > 0 { store.publications_after(state.id, held).await? } else { Vec::new() };
        let looked = self.at_trees(move |trees, _| {
            let links = trees.links_instead_of_folders(side, &changed);
            Ok((trees.totals(side)?, links, changed))
        });
        let (totals, links, changed) = looked.await?;
        // A tree that knows of another publish than the database says it holds is not the tree that was written, unless this run
        // has been there before, in this attempt or in one that broke off.
        let may_be_begun = is_again || self.context.run.fence.attempt > 1;
        let last = if may_be_begun { self.start.begun.seq } else { held };
        let has_number = |totals: &Totals| totals.publish == held || totals.publish == last;
        let is_sound = held > 0 && totals.as_ref().is_some_and(has_number);
        let in_full = !is_sound
            || !links.is_empty()
            || item == STAGED
                && (self.publish.is_full()
                    || self.is_live_meddled_with().await?
                    // Readers see it next, and what somebody wrote to its manifest would go without a word.
                    || self.is_meddled_with(side, held..=last).await?);
        let rows = if in_full { store.publications_present(state.id).await? } else { changed };
        let held_by_other = state.seq_of(side.other());
        let mut leaving = HashMap::new();
        if in_full {
            let since = Cursor::behind(held.min(held_by_other));
            let left = store.next_changed(state.id, &since, i64::MAX, false, usize::MAX).await?;
            leaving.extend(left.into_iter().map(|row| (row.file_name, row.seq)));
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
            run: self.context.run.fence.instance.0,
            at: self.context.clock.now().to_rfc3339_opts(SecondsFormat::Millis, true),
        };
        let target = Arc::new(target);
        let is_other_unsound = in_full && self.begin_anew(side, &target, links).await?;
        let blobs = self.publish.workshop.blobs.clone();
        let mut staged = self.at_trees(move |trees, stop| trees.stage(side, &blobs, &target, stop)).await?;
        staged.is_other_unsound |= is_other_unsound;
        Ok(staged)
    }

    /// Notes that nothing is known any more of a tree that is to be made in full, with the lines of what somebody else has
    /// done to both: once it is made, nobody can tell. Whether the other tree is not as it should be.
    async fn begin_anew(&self, side: Side, target: &Arc<Target>, links: Vec<String>) -> Result<bool, Failure> {
        let (target, blobs) = (target.clone(), self.publish.workshop.blobs.clone());
        let mut meddling = self.at_trees(move |trees, stop| trees.meddling(side, &blobs, &target, stop)).await?;
        meddling.strangers.extend(links);
        meddling.strangers.sort_unstable();
        meddling.strangers.dedup();
        let report = self.meddling_report(&meddling);
        let step = PublishStep::Reset { context: self.state.id, seq: self.start.begun.seq, side };
        self.context.commit(Item(RESET.to_owned()), Effect::Publish(step), move |_| report).await?;
        Ok(meddling.is_other_unsound)
    }

    fn meddling_report(&self, meddling: &Meddling) -> ItemReport {
        let Meddling { strangers, unknown, mended, is_manifest_altered, is_other_unsound: _ } = meddling;
        let say = |code: &str| Message::new(code).with("context", self.state.name.clone());
        let mut messages = Vec::new();
        if *is_manifest_altered {
            messages.push(say("publish-manifest-mended"));
        }
        for (files, one, many) in
            [(strangers, "publish-stranger", "publish-strangers"), (unknown, "publish-unknown", "publish-unknowns")]
        {
            let (named, others) = files.split_at(files.len().min(MOST_STRANGERS));
            messages.extend(named.iter().map(|name| say(one).with("file", name.clone())));
            if let Some(first) = others.first() {
                messages.push(say(many).with("count", others.len()).with("file", first.clone()));
            }
        }
        let log_type = self.publish.rule.types.warning;
        let mut lines: Vec<LogLine> = messages.into_iter().map(|message| LogLine::new(log_type, message)).collect();
        lines.extend(mended.iter().map(|row| self.line(row, log_type, "publish-mended")));
        ItemReport { counters: self.counters_of_warnings(lines.len()), lines, ..ItemReport::default() }
    }

    /// Lines of the type for warnings, counted as what a reader of the log takes them for: not every kind of context has such a
    /// type in the API.
    fn counters_of_warnings(&self, count: usize) -> Counters {
        let count = count as i64;
        match Severity::of(self.publish.rule.types.warning, "") {
            Some(Severity::Error) => Counters { error: count, transfer_error: count, ..Counters::default() },
            Some(Severity::Warning) | None => {
                Counters { warning: count, transfer_warning: count, ..Counters::default() }
            }
        }
    }

    /// Commits that a tree holds this publish, with the lines of what was found out about its files.
    async fn note_staged(&self, side: Side, item: &str, staged: Staged) -> Result<(), Failure> {
        let (context, seq) = (self.state.id, self.start.begun.seq);
        let report = self.staged_report(&staged)?;
        let mut pages = staged.seen.chunks(PAGE).map(<[_]>::to_vec).collect::<Vec<_>>();
        let last = pages.pop().unwrap_or_default();
        // Their own in every attempt: what a later one has still to note is cut into pages anew.
        let attempt = self.context.run.fence.attempt;
        for (number, seen) in pages.into_iter().enumerate() {
            self.step(&format!("{item}/seen:{attempt}.{number}"), PublishStep::Seen { context, seq, seen }).await?;
        }
        let withdrawn = staged
            .refused
            .into_iter()
            .map(|(row, _)| Withdrawn { file_name: row.file_name, asset: row.asset })
            .collect();
        let step = PublishStep::Staged { context, seq, side, seen: last, withdrawn };
        self.context.commit(Item(item.to_owned()), Effect::Publish(step), move |_| report).await?;
        Ok(())
    }

    fn staged_report(&self, staged: &Staged) -> Result<ItemReport, Failure> {
        let Staged { seen: _, mended, refused, altered, is_other_unsound } = staged;
        let types = &self.publish.rule.types;
        let mut lines: Vec<LogLine> =
            mended.iter().map(|row| self.line(row, types.warning, "publish-mended")).collect();
        lines.extend(altered.iter().map(|name| {
            let message = Message::new("publish-overwritten").with("file", name.clone());
            LogLine::new(types.warning, message.with("context", self.state.name.clone()))
        }));
        let warnings = lines.len();
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
        let error = refused.len() as i64;
        let mut counters = self.counters_of_warnings(warnings);
        counters += Counters { error, transfer_error: error, ..Counters::default() };
        let is_new = |row: &&Publication| row.seq == self.start.begun.seq;
        let never_shown = refused.iter().map(|(row, _)| row).filter(is_new).map(|row| row.file_name.clone()).collect();
        let outcome = Outcome { is_other_unsound: *is_other_unsound, never_shown };
        let result = serde_json::to_value(outcome).map_err(|error| Failure::because(reason::other(error)))?;
        Ok(ItemReport { result, counters, lines, ..ItemReport::default() })
    }

    async fn search(&self, item: &str) -> Result<Search, Failure> {
        match self.publish.publish_type {
            PublishType::FullWithSearch if item == STAGED => {
                let trees = self.trees.clone();
                let file = Arc::new(self.mount.work(move |_| trees.scratch()).await??);
                record::search_lines(self, &file).await?;
                Ok(Search::Write(file))
            }
            PublishType::Full | PublishType::FullWithSearch | PublishType::Incremental => Ok(Search::Keep),
        }
    }

    /// After the first publish of all, the other tree is made too: nobody reads it, and the next publish is not the one that
    /// pays for it.
    async fn mirror_first(&self) -> Result<(), Failure> {
        if self.is_passed {
            return Ok(());
        }
        let state = self.state().await?;
        let Some(standby) = self.live().await?.map(Side::other) else { return Ok(()) };
        if self.start.live_seq == 0 && state.seq_of(standby) == 0 && !self.is_done(MIRRORED) {
            self.stage(&state, standby, MIRRORED).await?;
        }
        Ok(())
    }

    /// Says what readers see now, up to a publish.
    async fn tell(&self, until: i64) -> Result<(), Failure> {
        let state = self.state().await?;
        // Who passed this publish told what it had not told by then. Only a full one names more than what changed.
        let is_told = self.is_passed && state.told_seq >= until;
        let since = if self.start.live_seq == 0 && !self.is_passed { 0 } else { state.told_seq };
        if !is_told || self.publish.is_full() {
            self.tell_rows(true, since, until).await?;
        }
        let removed = if is_told { 0 } else { self.tell_rows(false, since, until).await? };
        let mut lines = Vec::new();
        if let Some(types) = self.publish.rule.types.cleanup.as_ref().filter(|_| removed > 0) {
            lines.push(LogLine::new(types.end.0, Message::new(types.end.1).with("count", removed)));
        }
        if is_told {
            let message = Message::new("publish-told").with("context", state.name.clone());
            lines.push(LogLine::new(LogType::JobInfo, message));
        }
        let manifest = self.trees.link().join(published::manifest(self.publish.rule.kind)).display().to_string();
        let message = Message::new("publish-manifest").with("count", state.file_count).with("path", manifest);
        lines.push(LogLine::new(LogType::JobInfo, message));
        let report = ItemReport { lines, ..ItemReport::default() };
        let step = PublishStep::Told { context: state.id, seq: until };
        let told = self.context.commit(Item(TOLD.to_owned()), Effect::Publish(step), move |_| report).await?;
        self.forget(told).await
    }

    /// Forgets what left, as far as it was too much for the transaction before. What is left of it after all goes with the
    /// next publish.
    async fn forget(&self, mut before: Option<Applied>) -> Result<(), Failure> {
        let mut pages = 0;
        while before == Some(Applied::Removed(FORGOTTEN_AT_ONCE)) {
            let step = PublishStep::Forget { context: self.state.id };
            let item = Item(format!("/forgotten:{pages}"));
            before = self.context.commit(item, Effect::Publish(step), |_| ItemReport::default()).await?;
            pages += 1;
        }
        Ok(())
    }

    /// Names files that are published, or that left: a page in each transaction, and only that in memory. How many it named,
    /// those of earlier attempts included.
    async fn tell_rows(&self, present: bool, since: i64, until: i64) -> Result<i64, Failure> {
        let (store, context) = (self.context.reads(), self.state.id);
        let prefix = if present { PUBLISHED_LINES } else { REMOVED_LINES };
        let never_shown = if present { HashSet::new() } else { self.outcome().await?.never_shown };
        let begin = Pages { cursor: Cursor::behind(since), count: 0 };
        let (mut number, mut told) = self.next_page(prefix).await?.unwrap_or((0, begin));
        loop {
            let mut rows = if present && self.publish.is_full() {
                store.next_present(context, until, &told.cursor.file_name, PAGE).await?
            } else {
                store.next_changed(context, &told.cursor, until, present, PAGE).await?
            };
            let Some(last) = rows.last() else { return Ok(told.count) };
            told.cursor = Cursor { seq: last.seq, file_name: last.file_name.clone() };
            rows.retain(|row| !never_shown.contains(&row.file_name));
            let lines = if present { self.success_lines(&rows) } else { self.removal_lines(&rows, told.count == 0) };
            let count = rows.len() as i64;
            told.count += count;
            let counters = Counters { success: count, transfer_success: count, ..Counters::default() };
            let counters = if present || self.counts_removals() { counters } else { Counters::default() };
            let result = serde_json::to_value(&told).map_err(|error| Failure::because(reason::other(error)))?;
            let report = ItemReport { result, counters, lines, ..ItemReport::default() };
            self.context.commit(Item(format!("{prefix}{number:010}")), Effect::Nothing, move |_| report).await?;
            number += 1;
        }
    }

    /// Whether what left has a line of the same type as what is published.
    fn counts_removals(&self) -> bool {
        let types = &self.publish.rule.types;
        types.cleanup.as_ref().is_some_and(|cleanup| cleanup.success == types.success)
    }

    fn success_lines(&self, rows: &[Publication]) -> Vec<LogLine> {
        rows.iter().map(|row| self.line(row, self.publish.rule.types.success, "publish-success")).collect()
    }

    fn removal_lines(&self, rows: &[Publication], are_first: bool) -> Vec<LogLine> {
        let lines = |log_type| rows.iter().map(move |row| self.line(row, log_type, "publish-removed"));
        let Some(types) = self.publish.rule.types.cleanup.as_ref().filter(|_| !rows.is_empty()) else {
            return lines(LogType::JobInfo).collect();
        };
        let first = Message::new(types.begin.1).with("context", self.state.name.clone());
        let first = are_first.then(|| LogLine::new(types.begin.0, first));
        first.into_iter().chain(lines(types.success)).collect()
    }

    fn line(&self, row: &Publication, log_type: LogType, code: &str) -> LogLine {
        let message = Message::new(code).with("file", row.file_name.clone()).with("context", self.state.name.clone());
        LogLine::new(log_type, message).about(Some(row.asset), row.asset_name.clone(), row.file_type)
    }
}

fn read_start(start: Value) -> Result<Start, Failure> {
    serde_json::from_value(start).map_err(|error| Failure::because(reason::other(error)))
}

/// Takes a number; a new one for a run that was passed, which then forgets what it did.
async fn take_number(
    publish: &Publish,
    context: &Context,
    (trees, mount): (&Trees, &Mount),
    state: &ContextState,
    is_anew: bool,
) -> Result<Start, Failure> {
    let (trees, known) = (trees.clone(), state.publish_seq);
    let looked = mount.work(move |_| Ok::<_, TreeError>((trees.live()?, trees.newest(known)?)));
    let (live, newest) = looked.await??;
    let live_seq = live.map_or(0, |side| state.seq_of(side));
    let mut lines = Vec::new();
    if is_anew {
        context.forget(&[BEGIN, PARTED]).await?;
        let message = Message::new("publish-begun-anew").with("context", state.name.clone());
        lines.push(LogLine::new(LogType::JobInfo, message));
    }
    let newer = Message::new("publish-trees-newer").with("context", state.name.clone());
    let newer = LogLine::new(publish.rule.types.warning, newer);
    let report = move |applied: &Applied| match applied {
        Applied::PublishBegun(begun) if begun.is_older => {
            lines.push(newer);
            let counters = Counters { warning: 1, ..Counters::default() };
            ItemReport { result: json!(Start { begun: *begun, live_seq: 0 }), counters, lines, ..ItemReport::default() }
        }
        Applied::PublishBegun(begun) => {
            ItemReport { result: json!(Start { begun: *begun, live_seq }), lines, ..ItemReport::default() }
        }
        _ => ItemReport::default(),
    };
    let (context_id, run) = (state.id, context.run.fence.instance);
    let step = PublishStep::Begin { context: context_id, run, seen: newest.publish };
    let item = if is_anew { format!("{BEGIN}:{}", context.run.fence.attempt) } else { BEGIN.to_owned() };
    context.commit(Item(item), Effect::Publish(step), report).await?;
    let (_, start) = context.last_below(BEGIN).await?.unwrap_or_default();
    read_start(start)
}
