//! What the world was told about runs.

use chrono::{DateTime, Utc};

use crate::model::id::InstanceId;
use crate::store::sql;
use crate::store::{Reads, StoreError, rows};

/// A message of the outbox, as shown on its run.
#[derive(Debug, Clone)]
pub struct Notice {
    pub channel: String,
    pub moment: String,
    pub recipient: String,
    pub state: String,
    pub attempts: i64,
    /// When it is tried next, unless it has finished.
    pub next_try_at: DateTime<Utc>,
    pub last_error: Option<String>,
    pub finished_at: Option<DateTime<Utc>>,
}

impl Reads {
    /// The outbox number of the mail about the beginning of a run.
    pub async fn begin_mail(&self, instance: InstanceId, recipient: &str) -> Result<Option<i64>, StoreError> {
        let mut reader = self.reader().await?;
        sql::scalar(
            "SELECT id FROM outbox WHERE instance_id = $1 AND channel = 'mail' AND moment = 'begin' AND recipient = $2",
        )
        .bind(instance.0)
        .bind(recipient)
        .fetch_optional(&mut reader)
        .await
        .map_err(StoreError::doing("read the outbox"))
    }

    /// What the world was told about a run.
    pub async fn notices(&self, instance: InstanceId) -> Result<Vec<Notice>, StoreError> {
        let mut reader = self.reader().await?;
        let rows = sql::query(
            "SELECT channel, moment, recipient, state, attempts, next_try_at, last_error, finished_at FROM outbox
             WHERE instance_id = $1 ORDER BY id",
        )
        .bind(instance.0)
        .fetch_all(&mut reader)
        .await
        .map_err(StoreError::doing("read the outbox"))?;
        rows.iter()
            .map(|row| {
                Ok(Notice {
                    channel: rows::get(row, "channel")?,
                    moment: rows::get(row, "moment")?,
                    recipient: rows::get(row, "recipient")?,
                    state: rows::get(row, "state")?,
                    attempts: rows::get(row, "attempts")?,
                    next_try_at: rows::instant(row, "next_try_at")?,
                    last_error: rows::get(row, "last_error")?,
                    finished_at: rows::optional_instant(row, "finished_at")?,
                })
            })
            .collect()
    }
}
