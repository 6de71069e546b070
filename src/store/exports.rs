//! Archives that wait to be downloaded.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use super::jobs::Fence;
use super::jobs::attempt::{AttemptError, held};
use super::rows::{get, instant};
use super::{Reads, Store, StoreError, Transaction};
use crate::model::id::InstanceId;
use crate::store::sql::{self, Row};

/// An archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// The run that made it.
    pub run: InstanceId,
    /// What cannot be guessed of its address.
    pub token: String,
    pub address: String,
    pub bytes: u64,
    /// Of the archive; archives of older versions have none.
    pub sha256: Option<String>,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

impl Reads {
    pub async fn export(&self, run: InstanceId) -> Result<Option<Export>, StoreError> {
        sql::query("SELECT * FROM export WHERE instance_id = $1")
            .bind(run.0)
            .fetch_optional(&mut *self.reader().await?)
            .await
            .map_err(StoreError::doing("look for an export"))?
            .map(|row| export(&row))
            .transpose()
    }

    /// Archives that can still be downloaded, in the order of their runs.
    pub async fn exports_until(&self, now: DateTime<Utc>) -> Result<Vec<Export>, StoreError> {
        let rows = sql::query("SELECT * FROM export WHERE expires_at > $1 ORDER BY instance_id")
            .bind(now.timestamp_millis())
            .fetch_all(&mut *self.reader().await?)
            .await
            .map_err(StoreError::doing("list exports"))?;
        rows.iter().map(export).collect()
    }

    /// This server as the submitter of a run's job addressed it; None when the job did not come over HTTP.
    pub async fn submitted_to(&self, run: InstanceId) -> Result<Option<String>, StoreError> {
        let address: Option<Option<String>> =
            sql::scalar("SELECT j.address FROM instance i JOIN job j ON j.id = i.job_id WHERE i.id = $1")
                .bind(run.0)
                .fetch_optional(&mut *self.reader().await?)
                .await
                .map_err(StoreError::doing("look for the address of a submission"))?;
        Ok(address.flatten())
    }

    /// Those of `runs` whose files may go: the run is over, and no archive of it can still be downloaded.
    pub async fn spent_exports(
        &self,
        runs: &[InstanceId],
        now: DateTime<Utc>,
    ) -> Result<HashSet<InstanceId>, StoreError> {
        let spent: Vec<i64> = sql::scalar(
            "SELECT p.id FROM ids($1) p
             WHERE NOT EXISTS (SELECT 1 FROM instance i WHERE i.id = p.id AND i.state <> 'Done')
               AND NOT EXISTS (SELECT 1 FROM export e WHERE e.instance_id = p.id AND e.expires_at > $2)",
        )
        .list(runs)
        .bind(now.timestamp_millis())
        .fetch_all(&mut *self.reader().await?)
        .await
        .map_err(StoreError::doing("look for exports that have expired"))?;
        Ok(spent.into_iter().map(InstanceId).collect())
    }
}

impl Store {
    /// From now on an archive is not handed out any more; Cleanup removes it like any other that has expired.
    pub async fn expire_export(&self, run: InstanceId, now: DateTime<Utc>) -> Result<(), StoreError> {
        self.write(move |tx| {
            Box::pin(async move {
                sql::query("UPDATE export SET expires_at = $2 WHERE instance_id = $1 AND expires_at > $2")
                    .bind(run.0)
                    .bind(now.timestamp_millis())
                    .execute(tx)
                    .await
                    .map(|_| ())
                    .map_err(StoreError::doing("let an export expire"))
            })
        })
        .await
    }

    /// Forgets an archive whose file is gone, for an attempt that holds.
    pub async fn forget_export(&self, fence: Fence, run: InstanceId) -> Result<(), AttemptError> {
        self.write(move |tx| {
            Box::pin(async move {
                held(tx, fence).await?;
                sql::query("DELETE FROM export WHERE instance_id = $1")
                    .bind(run.0)
                    .execute(tx)
                    .await
                    .map_err(StoreError::doing("forget an export"))?;
                Ok(())
            })
        })
        .await
    }
}

pub(super) async fn keep(tx: &mut Transaction, export: &Export) -> Result<(), StoreError> {
    sql::query(
        "INSERT INTO export (instance_id, token, address, bytes, sha256, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(export.run.0)
    .bind(&export.token)
    .bind(&export.address)
    .bind(export.bytes as i64)
    .bind(&export.sha256)
    .bind(export.created_at.timestamp_millis())
    .bind(export.expires_at.timestamp_millis())
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(StoreError::doing("note an export"))
}

fn export(row: &Row) -> Result<Export, StoreError> {
    Ok(Export {
        run: InstanceId(get(row, "instance_id")?),
        token: get(row, "token")?,
        address: get(row, "address")?,
        bytes: get::<i64>(row, "bytes")?.unsigned_abs(),
        sha256: get(row, "sha256")?,
        created_at: instant(row, "created_at")?,
        expires_at: instant(row, "expires_at")?,
    })
}
