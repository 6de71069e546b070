//! Forgetting what has outlived its retention.

use chrono::{DateTime, Utc};
use serde_json::json;

use crate::store::{Store, StoreError};

/// Rows removed in one transaction, so that nobody waits long behind it.
const AT_ONCE: u32 = 500;

/// Everything older than these instants goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Horizon {
    /// Log lines of runs that ended before.
    pub logs: DateTime<Utc>,
    /// Runs that ended before, with their checkpoints, slots and jobs that have nothing left.
    pub instances: DateTime<Utc>,
    /// Messages delivered or given up before.
    pub outbox: DateTime<Utc>,
}

/// What was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forgotten {
    pub lines: u64,
    pub runs: u64,
    pub messages: u64,
    pub slots: u64,
    pub jobs: u64,
}

impl Forgotten {
    pub const fn is_nothing(&self) -> bool {
        self.lines + self.runs + self.messages + self.slots + self.jobs == 0
    }
}

impl Store {
    /// Removes some of what is older than `horizon`. To be called again until there is nothing left to remove. What waits,
    /// runs, or has a message still to be delivered is never touched; nor is the newest message, run or job, for numbers
    /// are counted on from it: a second run with the number of an old one would answer to its handle, and a mail with the
    /// Message-ID of an old one would be thrown away as a copy.
    pub async fn forget(&self, horizon: Horizon) -> Result<Forgotten, StoreError> {
        Ok(Forgotten {
            messages: self
                .remove(
                    "DELETE FROM outbox WHERE id IN (
                         SELECT id FROM outbox
                         WHERE state <> 'Pending' AND finished_at < $1 AND id < (SELECT max(id) FROM outbox)
                         LIMIT $2)",
                    horizon.outbox,
                )
                .await?,
            lines: self
                .remove(
                    "DELETE FROM log_detail WHERE id IN (
                         SELECT d.id FROM instance i JOIN log_detail d ON d.instance_id = i.id
                         WHERE i.state = 'Done' AND i.finished_at < $1 LIMIT $2)",
                    horizon.logs,
                )
                .await?,
            runs: self.remove_runs(horizon.instances).await?,
            slots: self
                .remove(
                    "DELETE FROM slot WHERE (job_id, due_at) IN (SELECT job_id, due_at FROM slot WHERE due_at < $1 LIMIT $2)",
                    horizon.instances,
                )
                .await?,
            jobs: self
                .remove(
                    "DELETE FROM job WHERE id IN (
                         SELECT j.id FROM job j
                         WHERE j.created_at < $1 AND j.id < (SELECT max(id) FROM job)
                           AND j.trigger_kind <> 'at_once'
                           AND (j.trigger_state = 'Complete' OR j.deleted_at IS NOT NULL)
                           AND NOT EXISTS (SELECT 1 FROM instance i WHERE i.job_id = j.id)
                         LIMIT $2)",
                    horizon.instances,
                )
                .await?,
        })
    }

    /// Runs that ended before the instant, and with the last run of a job that was due at once the job.
    async fn remove_runs(&self, before: DateTime<Utc>) -> Result<u64, StoreError> {
        self.write(move |tx| {
            Box::pin(async move {
                let jobs: Vec<i64> = sqlx::query_scalar(
                    "DELETE FROM instance WHERE id IN (
                         SELECT i.id FROM instance i
                         WHERE i.state = 'Done' AND i.finished_at < $1 AND i.id < (SELECT max(id) FROM instance)
                           AND NOT EXISTS (SELECT 1 FROM outbox o
                                           WHERE o.instance_id = i.id AND o.id = (SELECT max(id) FROM outbox))
                           AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.instance_id = i.id AND o.state = 'Pending')
                           AND NOT EXISTS (SELECT 1 FROM job j WHERE j.id = i.job_id AND j.trigger_kind = 'at_once'
                                           AND j.id = (SELECT max(id) FROM job))
                         LIMIT $2)
                     RETURNING job_id",
                )
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
