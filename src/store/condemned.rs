//! Files that ended the daemon while nothing else was in work: they are not tried again.

use chrono::{DateTime, Utc};

use super::rows::{get, instant};
use super::{Reads, Store, StoreError};
use crate::model::id::{CompanyId, InstanceId};
use crate::store::sql::{self, Row};

/// A file, known by its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CondemnedFile {
    /// SHA-256, as the names of blobs.
    pub content: String,
    /// What it was called where it was last in work.
    pub file: String,
    pub company: CompanyId,
    pub run: InstanceId,
    pub at: DateTime<Utc>,
}

impl Reads {
    /// Asked before any file is worked on.
    pub async fn is_condemned(&self, content: &str) -> Result<bool, StoreError> {
        sql::scalar("SELECT EXISTS (SELECT 1 FROM condemned_file WHERE content = $1)")
            .bind(content)
            .fetch_one(&mut *self.reader().await?)
            .await
            .map_err(StoreError::doing("look for a file that ended the daemon"))
    }

    /// The newest first.
    pub async fn condemned_files(&self) -> Result<Vec<CondemnedFile>, StoreError> {
        sql::query("SELECT * FROM condemned_file ORDER BY condemned_at DESC, content")
            .fetch_all(&mut *self.reader().await?)
            .await
            .map_err(StoreError::doing("list the files that ended the daemon"))?
            .iter()
            .map(read)
            .collect()
    }
}

impl Store {
    /// Is not tried again from now on. A file that is condemned twice keeps its first row: it was in work no more since.
    pub async fn condemn_file(&self, file: CondemnedFile) -> Result<(), StoreError> {
        self.write(move |tx| {
            Box::pin(async move {
                sql::query(
                    "INSERT INTO condemned_file (content, file, company_id, instance_id, condemned_at)
                     VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
                )
                .bind(file.content)
                .bind(file.file)
                .bind(file.company.0)
                .bind(file.run.0)
                .bind(file.at.timestamp_millis())
                .execute(tx)
                .await
                .map(|_| ())
                .map_err(StoreError::doing("note a file that ended the daemon"))
            })
        })
        .await
    }

    /// May be tried again. False when it was not condemned.
    pub async fn pardon_file(&self, content: String) -> Result<bool, StoreError> {
        self.write(move |tx| {
            Box::pin(async move {
                sql::query("DELETE FROM condemned_file WHERE content = $1")
                    .bind(content)
                    .execute(tx)
                    .await
                    .map(|result| result.rows_affected() > 0)
                    .map_err(StoreError::doing("let a file be tried again"))
            })
        })
        .await
    }
}

fn read(row: &Row) -> Result<CondemnedFile, StoreError> {
    Ok(CondemnedFile {
        content: get(row, "content")?,
        file: get(row, "file")?,
        company: CompanyId(get(row, "company_id")?),
        run: InstanceId(get(row, "instance_id")?),
        at: instant(row, "condemned_at")?,
    })
}
