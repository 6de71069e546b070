//! Whether runs of one job may meet. Those that may not share a key, whatever started them; most jobs have one run in all, which
//! has none until another is to come after it.

use crate::model::id::JobId;
use crate::store::sql;
use crate::store::{Store, StoreError, Transaction};

impl Store {
    /// Begins to work with runs of one job one at a time, or not: commands that start runs go by what the daemon began with, whatever
    /// their configuration says. Runs that are left of a time when they could meet get the key of their job.
    pub async fn follow_overlap(&self, one_at_a_time: bool) -> Result<(), StoreError> {
        self.write(move |tx| {
            Box::pin(async move {
                sql::query(
                    "INSERT INTO system (key, value) VALUES ('one_at_a_time', $1)
                     ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                )
                .bind(one_at_a_time.to_string())
                .execute(&mut *tx)
                .await
                .map_err(StoreError::doing("note whether runs of one job may meet"))?;
                if one_at_a_time { share_keys(tx).await } else { Ok(()) }
            })
        })
        .await
    }
}

/// As the daemon began; None where none has been.
pub(super) async fn is_one_at_a_time(tx: &mut Transaction) -> Result<Option<bool>, StoreError> {
    let noted: Option<String> = sql::scalar("SELECT value FROM system WHERE key = 'one_at_a_time'")
        .fetch_optional(tx)
        .await
        .map_err(StoreError::doing("look whether runs of one job may meet"))?;
    Ok(noted.map(|noted| noted == true.to_string()))
}

/// Runs of a job with this key are carried out one after the other.
pub(super) fn own_key(job: JobId) -> String {
    format!("job:{job}")
}

/// Gives the runs of a job that are not done the key of their job.
pub(super) async fn share_key(tx: &mut Transaction, job: JobId) -> Result<(), StoreError> {
    sql::query(
        "UPDATE instance INDEXED BY instance_open SET exclusive_key = $2 WHERE job_id = $1 AND state <> 'Done' AND exclusive_key IS NULL",
    )
    .bind(job.0)
    .bind(own_key(job))
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(StoreError::doing("let runs of a job come one after the other"))
}

/// The same for all jobs that have more than one run that is not done.
async fn share_keys(tx: &mut Transaction) -> Result<(), StoreError> {
    let jobs: Vec<i64> = sql::scalar(
        "SELECT job_id FROM instance WHERE state <> 'Done' GROUP BY job_id
         HAVING count(*) > 1 AND count(exclusive_key) < count(*)",
    )
    .fetch_all(&mut *tx)
    .await
    .map_err(StoreError::doing("look for runs of one job that could meet"))?;
    for job in jobs {
        share_key(tx, JobId(job)).await?;
    }
    Ok(())
}
