//! What became of expected firings.

use chrono::{DateTime, Utc};

use crate::model::firing::Disposition;
use crate::model::id::{InstanceId, JobId};
use crate::model::log::Message;
use crate::store::sql;
use crate::store::{Reads, StoreError, rows};

/// What became of an expected firing.
#[derive(Debug, Clone)]
pub struct SlotRecord {
    pub due_at: DateTime<Utc>,
    /// The last of several instants with one fate; `due_at` is the first.
    pub until: Option<DateTime<Utc>>,
    /// How many there are.
    pub count: i64,
    pub disposition: Disposition,
    pub reason: Option<Message>,
    pub instance: Option<InstanceId>,
    pub decided_at: DateTime<Utc>,
}

impl Reads {
    /// What became of the expected firings of a job, newest first: single ones, and ranges. Nothing of those to come that a clock which
    /// was ahead of `now` has left out: they come.
    pub async fn slots(&self, job: JobId, limit: u32, now: DateTime<Utc>) -> Result<Vec<SlotRecord>, StoreError> {
        let mut reader = self.reader().await?;
        let rows = sql::query(
            "SELECT * FROM (
                 SELECT due_at, CAST(NULL AS bigint) AS last_at, 1 AS count, disposition, reason, params, instance_id, decided_at FROM slot
                 WHERE job_id = $1 AND (due_at <= $3 OR decided_at <= $3 OR disposition IN ('fired', 'late'))
                 ORDER BY due_at DESC LIMIT $2) single
             UNION ALL
             SELECT * FROM (
                 SELECT first_at, last_at, count, disposition, reason, '{}', CAST(NULL AS bigint), decided_at FROM slot_range
                 WHERE job_id = $1 AND (first_at <= $3 OR decided_at <= $3) ORDER BY first_at DESC LIMIT $2) ranges
             ORDER BY due_at DESC LIMIT $2",
        )
        .bind(job.0)
        .bind(limit)
        .bind(now.timestamp_millis())
        .fetch_all(&mut reader)
        .await
        .map_err(StoreError::doing("read slots"))?;
        rows.iter()
            .map(|row| {
                let params = rows::json(row, "params")?;
                let reason: Option<String> = rows::get(row, "reason")?;
                Ok(SlotRecord {
                    due_at: rows::instant(row, "due_at")?,
                    until: rows::optional_instant(row, "last_at")?,
                    count: rows::get(row, "count")?,
                    disposition: rows::constant(row, "disposition")?,
                    reason: reason.map(|code| Message { code, params }),
                    instance: rows::get::<Option<i64>>(row, "instance_id")?.map(InstanceId),
                    decided_at: rows::instant(row, "decided_at")?,
                })
            })
            .collect()
    }
}
