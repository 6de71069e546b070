//! Forgetting what has outlived its retention.
//!
//! It happens every hour, in the writer, while everybody waits to write: so every step costs what it removes, and next to
//! nothing when there is nothing to remove, however long the tables are. Runs are looked at in the order of their ends,
//! some hundred at a time, and what belongs to them is looked up by their numbers; nothing here leaves it to SQLite where
//! to begin, for by statistics of a time when tables were short it begins with a table as a whole.

use std::ops::AddAssign;

use chrono::{DateTime, Utc};

use crate::store::sql;
use crate::store::{Store, StoreError, Transaction};

/// Rows removed in one transaction, and runs looked at, so that nobody waits long behind it.
const AT_ONCE: i64 = 500;

/// That the run `i` may be forgotten: it ended before `$1` and has no message still to be delivered. The newest run stays,
/// and what the newest job or message belongs to.
macro_rules! over {
    () => {
        "i.state = 'Done' AND i.finished_at < $1 AND i.id < (SELECT max(id) FROM instance NOT INDEXED)
         AND NOT EXISTS (SELECT 1 FROM outbox o INDEXED BY sqlite_autoindex_outbox_1
                         WHERE o.instance_id = i.id AND (o.state = 'Pending' OR o.id = (SELECT max(id) FROM outbox NOT INDEXED)))
         AND NOT EXISTS (SELECT 1 FROM job j WHERE j.id = i.job_id AND j.trigger_kind = 'at_once'
                         AND j.id = (SELECT max(id) FROM job NOT INDEXED))"
    };
}

/// A table of what belongs to runs.
struct Belongings {
    /// How many rows the runs of the list $1 have in it, up to $2 in all.
    count: &'static str,
    /// Removes the first $2 of the run $1.
    remove: &'static str,
}

macro_rules! belongings {
    ($table:literal, $key:literal, $index:literal) => {
        Belongings {
            count: concat!(
                "SELECT r.instance_id, count(*) FROM (SELECT t.instance_id FROM ids($1) w STRAIGHT_JOIN ",
                $table,
                " t ",
                $index,
                " ON t.instance_id = w.id LIMIT $2) r GROUP BY r.instance_id"
            ),
            remove: concat!(
                "DELETE FROM ",
                $table,
                " ",
                $index,
                " WHERE instance_id = $1 AND ",
                $key,
                " <= (SELECT max(k) FROM (SELECT t.",
                $key,
                " AS k FROM ",
                $table,
                " t ",
                $index,
                " WHERE t.instance_id = $1 ORDER BY t.",
                $key,
                " LIMIT $2) few)"
            ),
        }
    };
}

const LINES: Belongings = belongings!("log_detail", "id", "INDEXED BY log_detail_by_instance");
// Of these two the key is the table.
const CHECKPOINTS: Belongings = belongings!("item", "key", "");
const POSTED_FILES: Belongings = belongings!("posted_file", "number", "");

/// The key in `system` under which it is kept up to which end of a run lines have been forgotten, so that runs that have none
/// left are not looked at every hour until they go themselves.
const WITHOUT_LINES: &str = "without_lines";

/// Everything older than these instants goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Horizon {
    /// Log lines of runs that ended before.
    pub logs: DateTime<Utc>,
    /// Runs that ended before, with their logs, checkpoints, slots and jobs that have nothing left.
    pub instances: DateTime<Utc>,
    /// Messages delivered or given up before.
    pub outbox: DateTime<Utc>,
}

/// What was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forgotten {
    pub lines: u64,
    pub checkpoints: u64,
    pub posted_files: u64,
    pub runs: u64,
    pub messages: u64,
    pub slots: u64,
    pub jobs: u64,
}

impl Forgotten {
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl AddAssign for Forgotten {
    fn add_assign(&mut self, more: Self) {
        let Self { lines, checkpoints, posted_files, runs, messages, slots, jobs } = more;
        self.lines += lines;
        self.checkpoints += checkpoints;
        self.posted_files += posted_files;
        self.runs += runs;
        self.messages += messages;
        self.slots += slots;
        self.jobs += jobs;
    }
}

impl Store {
    /// Removes some of what is older than `horizon`. To be called again until there is nothing left to remove. What waits,
    /// runs, or has a message still to be delivered is never touched; nor is the newest message, run or job, for numbers
    /// are counted on from it: a second run with the number of an old one would answer to its handle, and a mail with the
    /// Message-ID of an old one would be thrown away as a copy.
    ///
    /// A run goes only when nothing is left that would go with it: a run of a hundred thousand files is removed piece by
    /// piece, and others write in between.
    pub async fn forget(&self, horizon: Horizon) -> Result<Forgotten, StoreError> {
        let Horizon { logs, instances, outbox } = horizon;
        // Up to the end of one of the first: those that share it go together.
        let messages = "DELETE FROM outbox INDEXED BY outbox_finished
             WHERE state <> 'Pending' AND id < (SELECT max(id) FROM outbox NOT INDEXED) AND finished_at <= (
                 SELECT max(f.finished_at) FROM (
                     SELECT finished_at FROM outbox INDEXED BY outbox_finished
                     WHERE state <> 'Pending' AND finished_at < $1 ORDER BY finished_at LIMIT $2) f)";
        let slots = "DELETE FROM slot INDEXED BY slot_by_due WHERE due_at <= (
                 SELECT max(f.due_at) FROM (
                     SELECT due_at FROM slot INDEXED BY slot_by_due WHERE due_at < $1 ORDER BY due_at LIMIT $2) f)";
        let ranges = "DELETE FROM slot_range INDEXED BY slot_range_by_end WHERE last_at <= (
                 SELECT max(f.last_at) FROM (
                     SELECT last_at FROM slot_range INDEXED BY slot_range_by_end
                     WHERE last_at < $1 ORDER BY last_at LIMIT $2) f)";
        let mut forgotten =
            Forgotten { messages: self.remove(messages, outbox).await?, ..self.forget_lines(logs).await? };
        forgotten += self.write(move |tx| Box::pin(async move { forget_runs(tx, instances).await })).await?;
        forgotten.slots += self.remove(slots, instances).await? + self.remove(ranges, instances).await?;
        forgotten.jobs += self.write(move |tx| Box::pin(async move { forget_jobs(tx, instances).await })).await?;
        Ok(forgotten)
    }

    /// Some lines of runs that ended before the instant.
    async fn forget_lines(&self, before: DateTime<Utc>) -> Result<Forgotten, StoreError> {
        loop {
            let looked = self.write(move |tx| Box::pin(async move { lines_of_some(tx, before).await })).await?;
            if let Some(lines) = looked {
                return Ok(Forgotten { lines, ..Forgotten::default() });
            }
        }
    }

    async fn remove(&self, sql: &'static str, before: DateTime<Utc>) -> Result<u64, StoreError> {
        self.write(move |tx| {
            Box::pin(async move {
                sql::query(sql)
                    .bind(before.timestamp_millis())
                    .bind(AT_ONCE)
                    .execute(tx)
                    .await
                    .map(|done| done.rows_affected())
                    .map_err(StoreError::doing("forget what is old"))
            })
        })
        .await
    }
}

/// Where lines have been forgotten up to: the end of a run, and its number, for several may have ended together.
async fn without_lines(tx: &mut Transaction) -> Result<(i64, i64), StoreError> {
    let text: Option<String> = sql::scalar("SELECT value FROM system WHERE key = $1")
        .bind(WITHOUT_LINES)
        .fetch_optional(tx)
        .await
        .map_err(StoreError::doing("read up to where lines were forgotten"))?;
    let known = text.as_deref().and_then(|text| text.split_once(' '));
    Ok(known.and_then(|(end, run)| Some((end.parse().ok()?, run.parse().ok()?))).unwrap_or((i64::MIN, 0)))
}

/// Removes some lines of the next runs that ended before the instant, and says how many. None if these runs had none, and
/// there may be others.
async fn lines_of_some(tx: &mut Transaction, before: DateTime<Utc>) -> Result<Option<u64>, StoreError> {
    let (end, run) = without_lines(tx).await?;
    let runs: Vec<(i64, i64)> = sql::tuple(
        "SELECT i.id, i.finished_at FROM instance i INDEXED BY instance_finished
         WHERE i.state = 'Done' AND i.finished_at < $1 AND i.finished_at >= $2 AND (i.finished_at > $2 OR i.id > $3)
         ORDER BY i.finished_at, i.id LIMIT $4",
    )
    .bind(before.timestamp_millis())
    .bind(end)
    .bind(run)
    .bind(AT_ONCE)
    .fetch_all(&mut *tx)
    .await
    .map_err(StoreError::doing("look for runs with old lines"))?;
    let Some((last, its_end)) = runs.last() else { return Ok(Some(0)) };
    let removed = remove_of(tx, &LINES, &runs.iter().map(|(run, _)| *run).collect::<Vec<_>>()).await?;
    if removed.rows > 0 {
        return Ok(Some(removed.rows));
    }
    sql::query(
        "INSERT INTO system (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    )
    .bind(WITHOUT_LINES)
    .bind(format!("{its_end} {last}"))
    .execute(tx)
    .await
    .map_err(StoreError::doing("note up to where lines were forgotten"))?;
    Ok(None)
}

/// What was removed of a table.
struct Removed {
    rows: u64,
    /// Nothing is left there of the runs.
    all: bool,
}

/// Removes some rows that belong to these runs.
async fn remove_of(tx: &mut Transaction, of: &Belongings, runs: &[i64]) -> Result<Removed, StoreError> {
    let doing = "forget what belongs to old runs";
    let mut counts: Vec<(i64, i64)> = sql::tuple(of.count)
        .list(runs)
        // With one more it is known whether there are more.
        .bind(AT_ONCE + 1)
        .fetch_all(&mut *tx)
        .await
        .map_err(StoreError::doing(doing))?;
    let all = counts.iter().map(|(_, count)| count).sum::<i64>() <= AT_ONCE;
    if let (false, Some((_, last))) = (all, counts.last_mut()) {
        *last -= 1;
    }
    let mut rows = 0;
    for (run, count) in counts {
        let done = sql::query(of.remove).bind(run).bind(count).execute(&mut *tx).await;
        rows += done.map_err(StoreError::doing(doing))?.rows_affected();
    }
    Ok(Removed { rows, all })
}

/// Some of what belongs to the runs that ended first, and these runs if nothing is left of it; and with the last run of
/// a job that was due at once the job.
async fn forget_runs(tx: &mut Transaction, before: DateTime<Utc>) -> Result<Forgotten, StoreError> {
    let runs: Vec<(i64, i64, i64)> = sql::tuple(concat!(
        "SELECT i.id, i.job_id, i.finished_at FROM instance i INDEXED BY instance_finished WHERE ",
        over!(),
        " ORDER BY i.finished_at, i.id LIMIT $2"
    ))
    .bind(before.timestamp_millis())
    .bind(AT_ONCE)
    .fetch_all(&mut *tx)
    .await
    .map_err(StoreError::doing("look for old runs"))?;
    let (Some(first), Some(last)) = (runs.first(), runs.last()) else { return Ok(Forgotten::default()) };
    let ids: Vec<i64> = runs.iter().map(|(id, ..)| *id).collect();
    let lines = remove_of(tx, &LINES, &ids).await?;
    let checkpoints = remove_of(tx, &CHECKPOINTS, &ids).await?;
    let posted_files = remove_of(tx, &POSTED_FILES, &ids).await?;
    let forgotten = Forgotten {
        lines: lines.rows,
        checkpoints: checkpoints.rows,
        posted_files: posted_files.rows,
        ..Forgotten::default()
    };
    if !(lines.all && checkpoints.all && posted_files.all) {
        return Ok(forgotten);
    }
    // The span of their ends is what the index is asked for.
    let removed = sql::query(
        "DELETE FROM instance INDEXED BY instance_finished
         WHERE state = 'Done' AND finished_at >= $1 AND finished_at <= $2 AND id IN ids($3)",
    )
    .bind(first.2)
    .bind(last.2)
    .list(&ids)
    .execute(&mut *tx)
    .await
    .map_err(StoreError::doing("forget old runs"))?;
    let mut jobs: Vec<i64> = runs.iter().map(|(_, job, _)| *job).collect();
    jobs.sort_unstable();
    jobs.dedup();
    for job in jobs {
        sql::query(
            "DELETE FROM job WHERE id = $1 AND trigger_kind = 'at_once' AND id < (SELECT max(id) FROM job NOT INDEXED)
               AND NOT EXISTS (SELECT 1 FROM instance i INDEXED BY instance_by_job WHERE i.job_id = $1)",
        )
        .bind(job)
        .execute(&mut *tx)
        .await
        .map_err(StoreError::doing("forget the jobs of old runs"))?;
    }
    Ok(Forgotten { runs: removed.rows_affected(), ..forgotten })
}

/// Some jobs that will not fire again, and of which nothing is left.
async fn forget_jobs(tx: &mut Transaction, before: DateTime<Utc>) -> Result<u64, StoreError> {
    let jobs: Vec<i64> = sql::scalar(
        "SELECT j.id FROM job j INDEXED BY job_over
         WHERE j.created_at < $1 AND j.id < (SELECT max(id) FROM job NOT INDEXED) AND j.trigger_kind <> 'at_once'
           AND (j.trigger_state = 'Complete' OR j.deleted_at IS NOT NULL)
           AND NOT EXISTS (SELECT 1 FROM instance i INDEXED BY instance_by_job WHERE i.job_id = j.id)
           AND NOT EXISTS (SELECT 1 FROM slot s WHERE s.job_id = j.id)
           AND NOT EXISTS (SELECT 1 FROM slot_range r WHERE r.job_id = j.id)
         LIMIT $2",
    )
    .bind(before.timestamp_millis())
    .bind(AT_ONCE)
    .fetch_all(&mut *tx)
    .await
    .map_err(StoreError::doing("look for old jobs"))?;
    for job in &jobs {
        sql::query("DELETE FROM job WHERE id = $1")
            .bind(job)
            .execute(&mut *tx)
            .await
            .map_err(StoreError::doing("forget old jobs"))?;
    }
    Ok(jobs.len() as u64)
}
