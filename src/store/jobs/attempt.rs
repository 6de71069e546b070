//! What a running attempt may write. Every write carries its fence; one whose lease was lost changes nothing.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::finish::{self, Ending, Finish, Guard};
use super::{Fence, lines};
use crate::model::id::{AssetId, InstanceId};
use crate::model::log::{LogLine, LogType, Message};
use crate::model::outcome::{Counters, Outcome};
use crate::model::state::{self, Event, Next, State};
use crate::store::effect::{Applied, Effect};
use crate::store::sql::{self, Cells, Done};
use crate::store::{Bell, Reads, Store, StoreError, Transaction, rows};

/// Why an attempt could not write.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AttemptError {
    /// Somebody else has the run now, or nobody: this attempt must end without another write.
    #[error("the lease of this attempt was lost; what it wanted to write was not written")]
    LeaseLost,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The result of a unit of work, committed together with what it changed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ItemReport {
    /// For later stages and later attempts of the same run.
    pub result: Value,
    pub counters: Counters,
    /// Lines about an asset that have no number yet get that of the asset the effect made.
    pub lines: Vec<LogLine>,
    /// Items that are found to be there with this one, beside those that were planned.
    pub more_items: u32,
}

impl ItemReport {
    /// Lines about what went wrong, each counted as what it is.
    pub fn of_problems(lines: Vec<LogLine>) -> Self {
        let warning = lines.iter().filter(|line| line.log_type == LogType::UploadWarning).count() as i64;
        let counters = Counters { warning, error: lines.len() as i64 - warning, ..Counters::default() };
        Self { counters, lines, ..Self::default() }
    }

    /// The report of a file that is done, with what is to be said of its parts all the same.
    pub fn of_success(lines: Vec<LogLine>) -> Self {
        let report = Self::of_problems_of_parts(lines);
        Self { counters: Counters { success: 1, ..report.counters }, ..report }
    }

    /// The same about pages, layers or renditions of a file, which are no files that failed.
    pub fn of_problems_of_parts(lines: Vec<LogLine>) -> Self {
        let report = Self::of_problems(lines);
        Self { counters: Counters { part_error: report.counters.error, ..report.counters }, ..report }
    }
}

/// How many items a run has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planned {
    /// An earlier attempt may have found that there are more.
    AtLeast(i64),
    Exactly(i64),
}

/// What a run does just now.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Progress {
    pub message: Option<Message>,
    /// Items being worked on: name and fraction from 0 to 1.
    pub items: Vec<(String, f64)>,
}

/// What the heartbeat found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Heartbeat {
    /// Attempts that still hold their lease and were asked to stop.
    pub stop_asked: Vec<Fence>,
    /// Attempts that still hold their lease.
    pub held: Vec<Fence>,
}

/// What came of giving a run back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Released {
    Waiting,
    /// It had been asked to stop, so it does not wait for another attempt.
    Stopped,
}

/// Why an attempt gives its run back.
#[derive(Debug, Clone, PartialEq)]
pub enum Release {
    /// The daemon shuts down. It is no failure.
    Shutdown,
    /// It failed in a way that may pass.
    Retry { reason: Message, not_before: DateTime<Utc> },
    /// There was no room on the disk. It is no failure.
    DiskFull { not_before: DateTime<Utc> },
}

/// What the result of an item has under this name is true: nothing came of it.
pub const REFUSED: &str = "refused";

/// The line of a run that waits for room.
const DISK_FULL: &str = "disk-full";

fn one_row(result: Done) -> Result<(), AttemptError> {
    if result.rows_affected() == 1 { Ok(()) } else { Err(AttemptError::LeaseLost) }
}

impl Reads {
    /// Items of the run that are done, with their results.
    pub async fn done_items(&self, instance: InstanceId) -> Result<HashMap<String, Value>, StoreError> {
        let mut reader = self.reader().await?;
        let rows = sql::query("SELECT key, result FROM item WHERE instance_id = $1")
            .bind(instance.0)
            .fetch_all(&mut reader)
            .await
            .map_err(StoreError::doing("read checkpoints"))?;
        rows.iter().map(|row| Ok((row.get("key"), rows::json(row, "result")?))).collect()
    }

    /// The same for those whose keys begin with `prefix`, without it.
    pub async fn done_items_below(
        &self,
        instance: InstanceId,
        prefix: &str,
    ) -> Result<BTreeMap<String, Value>, StoreError> {
        let mut reader = self.reader().await?;
        // As a range of keys, which the index finds.
        let rows = sql::query(
            "SELECT substr(key, length($2) + 1) AS key, result FROM item
             WHERE instance_id = $1 AND key >= $2 AND key < $2 || chr(1114111)",
        )
        .bind(instance.0)
        .bind(prefix)
        .fetch_all(&mut reader)
        .await
        .map_err(StoreError::doing("read checkpoints"))?;
        rows.iter().map(|row| Ok((row.get("key"), rows::json(row, "result")?))).collect()
    }

    /// Items with these keys that are done, with their results.
    pub async fn done_items_of(
        &self,
        instance: InstanceId,
        keys: &[&str],
    ) -> Result<HashMap<String, Value>, StoreError> {
        let mut reader = self.reader().await?;
        let rows = sql::query(
            "SELECT i.key, i.result FROM texts($2) k STRAIGHT_JOIN item i ON i.instance_id = $1 AND i.key = k.text",
        )
        .bind(instance.0)
        .list(keys)
        .fetch_all(&mut reader)
        .await
        .map_err(StoreError::doing("read checkpoints"))?;
        rows.iter().map(|row| Ok((row.get("key"), rows::json(row, "result")?))).collect()
    }

    /// The last item in the order of keys that begin with `prefix`: the rest of its key, and its result.
    pub async fn last_item_below(
        &self,
        instance: InstanceId,
        prefix: &str,
    ) -> Result<Option<(String, Value)>, StoreError> {
        let mut reader = self.reader().await?;
        let row = sql::query(
            "SELECT substr(key, length($2) + 1) AS key, result FROM item
             WHERE instance_id = $1 AND key >= $2 AND key < $2 || chr(1114111) ORDER BY key DESC LIMIT 1",
        )
        .bind(instance.0)
        .bind(prefix)
        .fetch_optional(&mut reader)
        .await
        .map_err(StoreError::doing("read a checkpoint"))?;
        row.map(|row| Ok((row.get("key"), rows::json(&row, "result")?))).transpose()
    }

    /// How many items of the run are done.
    pub async fn count_items(&self, instance: InstanceId) -> Result<i64, StoreError> {
        sql::scalar("SELECT coalesce((SELECT items_done FROM instance WHERE id = $1), 0)")
            .bind(instance.0)
            .fetch_one(&mut *self.reader().await?)
            .await
            .map_err(StoreError::doing("count checkpoints"))
    }
}

sql::columns! {
    struct FenceRow { id: InstanceId, attempt: i64 }
}

impl Store {
    /// Forgets items of the run, so that they are done anew: some at a time, and never those whose keys begin with one of
    /// `kept`. Whether there may be more.
    pub async fn forget_items(&self, fence: Fence, kept: &'static [&'static str]) -> Result<bool, AttemptError> {
        /// In one transaction, so that others write in between.
        const SOME: i64 = 5_000;
        self.write(move |tx| {
            Box::pin(async move {
                held(tx, fence).await?;
                let forgotten = sql::query(
                    "DELETE FROM item WHERE instance_id = $1 AND key IN (
                         SELECT key FROM item i WHERE instance_id = $1 AND NOT EXISTS (
                             SELECT 1 FROM texts($2) k WHERE substr(i.key, 1, length(k.text)) = k.text)
                         LIMIT $3)",
                )
                .bind(fence.instance.0)
                .list(kept)
                .bind(SOME)
                .execute(&mut *tx)
                .await
                .map_err(StoreError::doing("forget checkpoints"))?
                .rows_affected()
                .cast_signed();
                sql::query("UPDATE instance SET items_done = items_done - $2 WHERE id = $1")
                    .bind(fence.instance.0)
                    .bind(forgotten)
                    .execute(tx)
                    .await
                    .map_err(StoreError::doing("forget checkpoints"))?;
                Ok(forgotten >= SOME)
            })
        })
        .await
    }

    /// Says how many units of work the run has, those done before included.
    pub async fn plan_items(&self, fence: Fence, planned: Planned) -> Result<(), AttemptError> {
        let (total, is_least) = match planned {
            Planned::AtLeast(total) => (total, true),
            Planned::Exactly(total) => (total, false),
        };
        self.write(move |tx| {
            Box::pin(async move {
                let result = sql::query(
                    "UPDATE instance SET items_total = CASE WHEN $4 THEN greatest(items_total, $3) ELSE $3 END
                     WHERE id = $1 AND attempt = $2 AND state IN ('Running', 'Stopping')",
                )
                .bind(fence.instance.0)
                .bind(fence.attempt)
                .bind(total)
                .bind(is_least)
                .execute(tx)
                .await
                .map_err(StoreError::doing("write progress"))?;
                one_row(result)
            })
        })
        .await
    }

    /// Does `effect` and marks the item done, with its counters and lines: all of it or nothing. `report` sees what the
    /// effect came to. An item that is done already is not done again: then the answer is `None`. One whose effect was overtaken is
    /// not done.
    pub async fn commit_item(
        &self,
        fence: Fence,
        key: String,
        effect: Effect,
        report: impl FnOnce(&Applied) -> ItemReport + Send + 'static,
        now: DateTime<Utc>,
    ) -> Result<Option<Applied>, AttemptError> {
        let committed: Result<Option<Applied>, AttemptError> = self
            .write(move |tx| {
                Box::pin(async move {
                    if is_done(tx, fence, &key).await? {
                        return Ok(None);
                    }
                    let applied = effect.apply(tx, now).await?;
                    if let Applied::Overtaken(_) = applied {
                        return Ok(Some(applied));
                    }
                    let report = report(&applied);
                    insert_item(tx, fence.instance, &key, &report.result, now).await?;
                    count(tx, fence, &report.counters, (1, report.more_items), now).await?;
                    let lines = number_lines(report.lines, applied.asset());
                    lines::insert(tx, lines.iter().map(|line| (fence.instance, line)), now).await?;
                    Ok(Some(applied))
                })
            })
            .await;
        if committed.as_ref().is_ok_and(|done| done.as_ref().is_some_and(Applied::is_done)) {
            self.stats().items.inc();
        }
        committed
    }

    /// Writes lines and counters that belong to no item.
    pub async fn log_lines(
        &self,
        fence: Fence,
        new_lines: Vec<LogLine>,
        counters: Counters,
        now: DateTime<Utc>,
    ) -> Result<(), AttemptError> {
        self.write(move |tx| {
            Box::pin(async move {
                count(tx, fence, &counters, (0, 0), now).await?;
                lines::insert(tx, new_lines.iter().map(|line| (fence.instance, line)), now).await?;
                Ok(())
            })
        })
        .await
    }

    /// Shows what the run does just now.
    pub async fn show_progress(
        &self,
        fence: Fence,
        progress: Progress,
        now: DateTime<Utc>,
    ) -> Result<(), AttemptError> {
        self.write(move |tx| {
            Box::pin(async move {
                let (code, params) = match progress.message {
                    Some(message) => (Some(message.code), Value::Object(message.params)),
                    None => (None, json!({})),
                };
                let result = sql::query(
                    "UPDATE instance
                     SET progress_code = $3, progress_params = $4, progress_items = $5, progress_at = $6
                     WHERE id = $1 AND attempt = $2 AND state IN ('Running', 'Stopping')",
                )
                .bind(fence.instance.0)
                .bind(fence.attempt)
                .bind(code)
                .bind(params.to_string())
                .bind(json!(progress.items).to_string())
                .bind(now.timestamp_millis())
                .execute(tx)
                .await
                .map_err(StoreError::doing("write progress"))?;
                one_row(result)
            })
        })
        .await
    }

    /// Extends the leases of all attempts that still hold theirs, and says which were asked to stop.
    pub async fn heartbeat(&self, fences: Vec<Fence>, expires_at: DateTime<Utc>) -> Result<Heartbeat, StoreError> {
        self.write(move |tx| {
            Box::pin(async move {
                let held: Vec<FenceRow> =
                    fences.iter().map(|&Fence { instance, attempt }| FenceRow { id: instance, attempt }).collect();
                let rows = sql::query(
                    "UPDATE instance SET lease_expires_at = $2
                     WHERE state IN ('Running', 'Stopping')
                       AND (id, attempt) IN (SELECT h.id, h.attempt FROM rows($1: id int, attempt int) h)
                     RETURNING id, attempt, state",
                )
                .rows(&held)
                .bind(expires_at.timestamp_millis())
                .fetch_all(tx)
                .await
                .map_err(StoreError::doing("extend leases"))?;
                let mut heartbeat = Heartbeat::default();
                for row in &rows {
                    let fence =
                        Fence { instance: InstanceId(rows::get(row, "id")?), attempt: rows::get(row, "attempt")? };
                    heartbeat.held.push(fence);
                    if rows::constant::<State>(row, "state")? == State::Stopping {
                        heartbeat.stop_asked.push(fence);
                    }
                }
                Ok(heartbeat)
            })
        })
        .await
    }

    /// Ends the run for good.
    pub async fn finish_attempt(&self, fence: Fence, ending: Ending, now: DateTime<Utc>) -> Result<(), AttemptError> {
        let outcome = ending.outcome;
        let finished = self.finish(Finish { guard: Guard::Fence(fence), ending, now }).await?;
        if !finished.done {
            return Err(AttemptError::LeaseLost);
        }
        self.stats().attempt_ended(outcome.as_str());
        Ok(())
    }

    /// Gives the run back to the queue.
    pub async fn release_attempt(
        &self,
        fence: Fence,
        release: Release,
        now: DateTime<Utc>,
    ) -> Result<Released, AttemptError> {
        let zone = self.zone();
        let ended_as = match release {
            Release::Shutdown => "Interrupted",
            Release::Retry { .. } => "Retried",
            Release::DiskFull { .. } => "DiskFull",
        };
        let released = self
            .write_and_ring(&[Bell::Waiting, Bell::Outbox], move |tx| {
                Box::pin(async move {
                    let state = current_state(tx, fence).await?;
                    match state::next(state, Event::Release).map_err(|_| AttemptError::LeaseLost)? {
                        Next::Ended(outcome) => {
                            let ending = Ending { outcome, reason: None };
                            finish::finish(tx, Guard::Fence(fence), ending, now, zone).await?;
                            Ok(Released::Stopped)
                        }
                        Next::To(to) => {
                            requeue(tx, fence, to, release, now).await?;
                            Ok::<_, AttemptError>(Released::Waiting)
                        }
                    }
                })
            })
            .await?;
        self.stats().attempt_ended(match released {
            Released::Stopped => Outcome::Stopped.as_str(),
            Released::Waiting => ended_as,
        });
        Ok(released)
    }
}

async fn current_state(tx: &mut Transaction, fence: Fence) -> Result<State, AttemptError> {
    let row =
        sql::query("SELECT state FROM instance WHERE id = $1 AND attempt = $2 AND state IN ('Running', 'Stopping')")
            .bind(fence.instance.0)
            .bind(fence.attempt)
            .fetch_optional(tx)
            .await
            .map_err(StoreError::doing("read a run"))?;
    Ok(rows::constant(&row.ok_or(AttemptError::LeaseLost)?, "state")?)
}

async fn requeue(
    tx: &mut Transaction,
    fence: Fence,
    to: State,
    release: Release,
    now: DateTime<Utc>,
) -> Result<(), AttemptError> {
    let (failures, not_before) = match &release {
        Release::Shutdown => (0, now),
        Release::Retry { not_before, .. } => (1, *not_before),
        Release::DiskFull { not_before } => (0, *not_before),
    };
    let row = sql::query(
        "UPDATE instance
         SET state = $3, failures = failures + $4, not_before_at = $5, lease_owner = NULL, lease_expires_at = NULL,
             progress_items = '[]'
         WHERE id = $1 AND attempt = $2 AND state = 'Running'
         RETURNING items_done, items_total",
    )
    .bind(fence.instance.0)
    .bind(fence.attempt)
    .bind(to.as_str())
    .bind(failures)
    .bind(not_before.timestamp_millis())
    .fetch_optional(&mut *tx)
    .await
    .map_err(StoreError::doing("give a run back"))?
    .ok_or(AttemptError::LeaseLost)?;
    let message = match release {
        Release::Retry { reason, .. } => reason,
        Release::DiskFull { .. } => {
            // Once for as long as nothing else happens: a disk that stays full must not fill with the news of it.
            if lines::newest_code(tx, fence.instance).await?.as_deref() == Some(DISK_FULL) {
                return Ok(());
            }
            Message::new(DISK_FULL)
        }
        Release::Shutdown => Message::new("shutdown-requeued")
            .with("done", rows::get::<i64>(&row, "items_done")?)
            .with("total", rows::get::<i64>(&row, "items_total")?),
    };
    lines::insert(tx, std::iter::once((fence.instance, &LogLine::new(LogType::JobInfo, message))), now).await?;
    Ok(())
}

/// An error when the fence does not hold.
pub(in crate::store) async fn held(tx: &mut Transaction, fence: Fence) -> Result<(), AttemptError> {
    is_done(tx, fence, "").await.map(|_| ())
}

/// Whether the item was committed before; an error when the fence does not hold.
async fn is_done(tx: &mut Transaction, fence: Fence, key: &str) -> Result<bool, AttemptError> {
    let (held, done): (bool, bool) = sql::tuple(
        "SELECT EXISTS (SELECT 1 FROM instance WHERE id = $1 AND attempt = $2 AND state IN ('Running', 'Stopping')),
                EXISTS (SELECT 1 FROM item WHERE instance_id = $1 AND key = $3)",
    )
    .bind(fence.instance.0)
    .bind(fence.attempt)
    .bind(key)
    .fetch_one(tx)
    .await
    .map_err(StoreError::doing("read a checkpoint"))?;
    if held { Ok(done) } else { Err(AttemptError::LeaseLost) }
}

async fn insert_item(
    tx: &mut Transaction,
    instance: InstanceId,
    key: &str,
    result: &Value,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sql::query("INSERT INTO item (instance_id, key, result, done_at) VALUES ($1, $2, $3, $4)")
        .bind(instance.0)
        .bind(key)
        .bind(result.to_string())
        .bind(now.timestamp_millis())
        .execute(tx)
        .await
        .map(|_| ())
        .map_err(StoreError::doing("write a checkpoint"))
}

async fn count(
    tx: &mut Transaction,
    fence: Fence,
    counters: &Counters,
    (items, more): (i64, u32),
    now: DateTime<Utc>,
) -> Result<(), AttemptError> {
    let result = sql::query(
        "UPDATE instance
         SET success_count = success_count + $3, error_count = error_count + $4, warning_count = warning_count + $5,
             duplicate_count = duplicate_count + $6, update_count = update_count + $7,
             transfer_success_count = transfer_success_count + $8, transfer_error_count = transfer_error_count + $9,
             transfer_warning_count = transfer_warning_count + $10, items_done = items_done + $11,
             items_total = greatest(items_total + $16, items_done + $11), progress_at = $12, left_out_count = left_out_count + $13,
             part_count = part_count + $14, part_error_count = part_error_count + $15
         WHERE id = $1 AND attempt = $2 AND state IN ('Running', 'Stopping')",
    )
    .bind(fence.instance.0)
    .bind(fence.attempt)
    .bind(counters.success)
    .bind(counters.error)
    .bind(counters.warning)
    .bind(counters.duplicate)
    .bind(counters.update)
    .bind(counters.transfer_success)
    .bind(counters.transfer_error)
    .bind(counters.transfer_warning)
    .bind(items)
    .bind(now.timestamp_millis())
    .bind(counters.left_out)
    .bind(counters.part)
    .bind(counters.part_error)
    .bind(more)
    .execute(tx)
    .await
    .map_err(StoreError::doing("count"))?;
    one_row(result)
}

fn number_lines(mut lines: Vec<LogLine>, asset: Option<AssetId>) -> Vec<LogLine> {
    for about in lines.iter_mut().filter_map(|line| line.asset.as_mut()) {
        about.id = about.id.or(asset);
    }
    lines
}

impl Ending {
    pub const fn succeeded() -> Self {
        Self { outcome: Outcome::Succeeded, reason: None }
    }

    pub const fn failed(reason: Message) -> Self {
        Self { outcome: Outcome::Failed, reason: Some(reason) }
    }

    pub const fn stopped() -> Self {
        Self { outcome: Outcome::Stopped, reason: None }
    }
}
