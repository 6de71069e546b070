//! Forgetting what has outlived its retention.

use std::ops::AddAssign;

use chrono::{DateTime, Utc};
use serde_json::json;

use crate::store::{Store, StoreError};

/// Rows removed in one transaction, so that nobody waits long behind it.
const AT_ONCE: u32 = 500;

/// That the run `i` may be forgotten: it ended before `$1` and has no message still to be delivered. The newest run stays,
/// and what the newest job or message belongs to.
macro_rules! over {
    () => {
        "i.state = 'Done' AND i.finished_at < $1 AND i.id < (SELECT max(id) FROM instance)
         AND NOT EXISTS (SELECT 1 FROM outbox o
                         WHERE o.instance_id = i.id AND (o.state = 'Pending' OR o.id = (SELECT max(id) FROM outbox)))
         AND NOT EXISTS (SELECT 1 FROM job j WHERE j.id = i.job_id AND j.trigger_kind = 'at_once'
                         AND j.id = (SELECT max(id) FROM job))"
    };
}

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
        let messages = "DELETE FROM outbox WHERE id IN (
             SELECT id FROM outbox INDEXED BY outbox_finished
             WHERE state <> 'Pending' AND finished_at < $1 AND id < (SELECT max(id) FROM outbox) LIMIT $2)";
        let lines = "DELETE FROM log_detail WHERE id IN (
             SELECT d.id FROM instance i JOIN log_detail d ON d.instance_id = i.id
             WHERE i.state = 'Done' AND i.finished_at < $1 LIMIT $2)";
        let lines_of_runs = concat!(
            "DELETE FROM log_detail WHERE id IN (
             SELECT d.id FROM instance i JOIN log_detail d ON d.instance_id = i.id WHERE ",
            over!(),
            " LIMIT $2)"
        );
        let checkpoints = concat!(
            "DELETE FROM item WHERE (instance_id, key) IN (
             SELECT t.instance_id, t.key FROM instance i JOIN item t ON t.instance_id = i.id WHERE ",
            over!(),
            " LIMIT $2)"
        );
        let posted_files = concat!(
            "DELETE FROM posted_file WHERE (instance_id, number) IN (
             SELECT p.instance_id, p.number FROM instance i JOIN posted_file p ON p.instance_id = i.id WHERE ",
            over!(),
            " LIMIT $2)"
        );
        let slots = "DELETE FROM slot WHERE (job_id, due_at) IN (
             SELECT job_id, due_at FROM slot WHERE due_at < $1 LIMIT $2)";
        let jobs = "DELETE FROM job WHERE id IN (
             SELECT j.id FROM job j
             WHERE j.created_at < $1 AND j.id < (SELECT max(id) FROM job) AND j.trigger_kind <> 'at_once'
               AND (j.trigger_state = 'Complete' OR j.deleted_at IS NOT NULL)
               AND NOT EXISTS (SELECT 1 FROM instance i WHERE i.job_id = j.id)
               AND NOT EXISTS (SELECT 1 FROM slot s WHERE s.job_id = j.id)
             LIMIT $2)";
        Ok(Forgotten {
            messages: self.remove(messages, outbox).await?,
            lines: self.remove(lines, logs).await? + self.remove(lines_of_runs, instances).await?,
            checkpoints: self.remove(checkpoints, instances).await?,
            posted_files: self.remove(posted_files, instances).await?,
            runs: self.remove_runs(instances).await?,
            slots: self.remove(slots, instances).await?,
            jobs: self.remove(jobs, instances).await?,
        })
    }

    /// Runs that ended before the instant, and with the last run of a job that was due at once the job.
    async fn remove_runs(&self, before: DateTime<Utc>) -> Result<u64, StoreError> {
        self.write(move |tx| {
            Box::pin(async move {
                let jobs: Vec<i64> = sqlx::query_scalar(concat!(
                    "DELETE FROM instance WHERE id IN (
                         SELECT i.id FROM instance i
                         WHERE ",
                    over!(),
                    "  AND NOT EXISTS (SELECT 1 FROM log_detail d WHERE d.instance_id = i.id)
                       AND NOT EXISTS (SELECT 1 FROM item t WHERE t.instance_id = i.id)
                       AND NOT EXISTS (SELECT 1 FROM posted_file p WHERE p.instance_id = i.id)
                         LIMIT $2)
                     RETURNING job_id"
                ))
                .bind(before.timestamp_millis())
                .bind(AT_ONCE)
                .fetch_all(&mut *tx)
                .await
                .map_err(StoreError::doing("forget old runs"))?;
                sqlx::query(
                    "DELETE FROM job WHERE id IN (SELECT value FROM json_each($1)) AND trigger_kind = 'at_once'
                       AND id < (SELECT max(id) FROM job)
                       AND NOT EXISTS (SELECT 1 FROM instance i WHERE i.job_id = job.id)",
                )
                .bind(json!(jobs).to_string())
                .execute(tx)
                .await
                .map_err(StoreError::doing("forget the jobs of old runs"))?;
                Ok::<_, StoreError>(jobs.len() as u64)
            })
        })
        .await
    }

    async fn remove(&self, sql: &'static str, before: DateTime<Utc>) -> Result<u64, StoreError> {
        self.write(move |tx| {
            Box::pin(async move {
                sqlx::query(sql)
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
