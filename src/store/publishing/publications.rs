//! What is published: the files of a context, and which publish changed each.
//!
//! Here and where a publish writes, lists come first and the indexes are named: without statistics SQLite takes a context for
//! short, and would go through all that it publishes, and through the list for each row of it.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ContextState;
use crate::model::id::{AssetId, ContextId};
use crate::model::listing::{Entry, Listed};
use crate::model::log::FileType;
use crate::store::sql::{self, Row};
use crate::store::{Reads, StoreError, rows};

/// A file of a tree, or one that leaves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    pub file_name: String,
    pub asset: AssetId,
    pub asset_name: String,
    pub file_type: FileType,
    /// Empty for what is no file, but only a line of the manifest.
    pub blob: String,
    pub bytes: u64,
    /// What its line in the manifest says beside the file.
    pub detail: Option<Value>,
    pub present: bool,
    /// Number of the publish that changed it last.
    pub seq: i64,
    /// By which its file is known to be right without reading it.
    pub stamp: Option<String>,
    pub published_at: DateTime<Utc>,
}

impl Publication {
    /// Its line in the manifest.
    pub fn entry(&self) -> Entry<'_> {
        let listed = Listed {
            content: (!self.blob.is_empty()).then_some((self.bytes, self.blob.as_str())),
            asset: self.asset,
            asset_name: &self.asset_name,
            detail: self.detail.as_ref(),
        };
        Entry { name: &self.file_name, file: self.present.then_some(listed) }
    }
}

/// How far somebody has come in the rows of a context, in order of numbers and names.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cursor {
    pub seq: i64,
    pub file_name: String,
}

impl Cursor {
    /// Behind everything that a publish changed.
    pub const fn behind(seq: i64) -> Self {
        // The first row of the next number is greater.
        Self { seq: seq + 1, file_name: String::new() }
    }
}

impl Reads {
    /// What is published of these assets: blobs by the names of files.
    pub async fn published_blobs(
        &self,
        context: ContextId,
        assets: &[AssetId],
    ) -> Result<HashMap<String, String>, StoreError> {
        let mut reader = self.reader().await?;
        let rows: Vec<(String, String)> = sql::tuple(
            "SELECT p.file_name, p.blob FROM ids($2) a
             STRAIGHT_JOIN publication p INDEXED BY publication_by_asset ON p.asset_id = a.id AND p.context_id = $1 AND p.present = 1",
        )
        .bind(context.0)
        .list(assets)
        .fetch_all(&mut reader)
        .await
        .map_err(StoreError::doing("read what is published of some assets"))?;
        Ok(rows.into_iter().collect())
    }

    /// What is published of these assets, in order of names.
    pub async fn publications_of(
        &self,
        context: ContextId,
        assets: &[AssetId],
    ) -> Result<Vec<Publication>, StoreError> {
        let rows = sql::query(
            "SELECT p.* FROM ids($2) a
             STRAIGHT_JOIN publication p INDEXED BY publication_by_asset ON p.asset_id = a.id AND p.context_id = $1 AND p.present = 1
             ORDER BY p.file_name",
        )
        .bind(context.0)
        .list(assets)
        .fetch_all(&mut *self.reader().await?)
        .await
        .map_err(StoreError::doing("read what is published of some assets"))?;
        rows.iter().map(publication).collect()
    }

    /// Rows of a context that changed after publish `seq`, in order of names.
    pub async fn publications_after(&self, context: ContextId, seq: i64) -> Result<Vec<Publication>, StoreError> {
        self.publications(
            "SELECT * FROM publication INDEXED BY publication_by_seq
             WHERE context_id = $1 AND seq > $2 ORDER BY file_name",
            context,
            seq,
        )
        .await
    }

    /// Everything that a context publishes, in order of names.
    pub async fn publications_present(&self, context: ContextId) -> Result<Vec<Publication>, StoreError> {
        const ALL: &str =
            "SELECT * FROM publication WHERE context_id = $1 AND present = 1 AND seq > $2 ORDER BY file_name";
        self.publications(ALL, context, 0).await
    }

    /// The next of what a context publishes, in order of names: behind `after`, up to publish `until`, at most so many.
    pub async fn next_present(
        &self,
        context: ContextId,
        until: i64,
        after: &str,
        most: usize,
    ) -> Result<Vec<Publication>, StoreError> {
        // The `+` keeps it from the index of numbers, in which it would have to look at all of them.
        let rows = sql::query(
            "SELECT * FROM publication WHERE context_id = $1 AND file_name > $2 AND present = 1 AND +seq <= $3
             ORDER BY file_name LIMIT $4",
        )
        .bind(context.0)
        .bind(after)
        .bind(until)
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .fetch_all(&mut *self.reader().await?)
        .await
        .map_err(StoreError::doing("read what is published"))?;
        rows.iter().map(publication).collect()
    }

    /// The next rows that changed after a publish, in order of numbers and names, up to publish `until`: those that are
    /// `present`, or those that left.
    pub async fn next_changed(
        &self,
        context: ContextId,
        after: &Cursor,
        until: i64,
        present: bool,
        most: usize,
    ) -> Result<Vec<Publication>, StoreError> {
        let rows = sql::query(
            "SELECT * FROM publication INDEXED BY publication_by_seq
             WHERE context_id = $1 AND (seq, file_name) > ($2, $3) AND seq >= $2 AND seq <= $4 AND present = $5
             ORDER BY seq, file_name LIMIT $6",
        )
        .bind(context.0)
        .bind(after.seq)
        .bind(&after.file_name)
        .bind(until)
        .bind(present)
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .fetch_all(&mut *self.reader().await?)
        .await
        .map_err(StoreError::doing("read what changed in a publish"))?;
        rows.iter().map(publication).collect()
    }

    /// Whether anything changed after a publish.
    pub async fn has_changed_after(&self, context: ContextId, seq: i64) -> Result<bool, StoreError> {
        sql::scalar("SELECT EXISTS (SELECT 1 FROM publication WHERE context_id = $1 AND seq > $2)")
            .bind(context.0)
            .bind(seq)
            .fetch_one(&mut *self.reader().await?)
            .await
            .map_err(StoreError::doing("look whether anything changed in a publish"))
    }

    /// The next assets that a context publishes files of, in order of numbers.
    pub async fn next_published_assets(
        &self,
        context: ContextId,
        after: AssetId,
        most: usize,
    ) -> Result<Vec<AssetId>, StoreError> {
        let ids: Vec<i64> = sql::scalar(
            "SELECT DISTINCT asset_id FROM publication INDEXED BY publication_by_asset
             WHERE asset_id > $2 AND context_id = $1 AND present = 1 ORDER BY asset_id LIMIT $3",
        )
        .bind(context.0)
        .bind(after.0)
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .fetch_all(&mut *self.reader().await?)
        .await
        .map_err(StoreError::doing("list published assets"))?;
        Ok(ids.into_iter().map(AssetId).collect())
    }

    /// Some of what a context publishes, at most so many: others in each turn, and all in turns.
    pub async fn publications_in_turn(
        &self,
        context: &ContextState,
        turn: i64,
        most: i64,
    ) -> Result<Vec<Publication>, StoreError> {
        const SOME: &str = "SELECT p.* FROM (SELECT file_name FROM publication WHERE context_id = $1
                                             ORDER BY seq, file_name LIMIT $3 OFFSET $2) turn
                            STRAIGHT_JOIN publication p ON p.context_id = $1 AND p.file_name = turn.file_name";
        let begin = turn.wrapping_mul(most).rem_euclid(context.file_count.max(1));
        let begin = if context.file_count > most { begin } else { 0 };
        let rows = sql::query(SOME)
            .bind(context.id.0)
            .bind(begin)
            .bind(most)
            .fetch_all(&mut *self.reader().await?)
            .await
            .map_err(StoreError::doing("read some of what is published"))?;
        rows.iter().map(publication).collect()
    }

    async fn publications(
        &self,
        sql: &'static str,
        context: ContextId,
        seq: i64,
    ) -> Result<Vec<Publication>, StoreError> {
        let mut reader = self.reader().await?;
        let rows = sql::query(sql)
            .bind(context.0)
            .bind(seq)
            .fetch_all(&mut reader)
            .await
            .map_err(StoreError::doing("read what is published"))?;
        rows.iter().map(publication).collect()
    }
}

fn publication(row: &Row) -> Result<Publication, StoreError> {
    Ok(Publication {
        file_name: rows::get(row, "file_name")?,
        asset: AssetId(rows::get(row, "asset_id")?),
        asset_name: rows::get(row, "asset_name")?,
        file_type: rows::constant(row, "file_type")?,
        detail: detail(row)?,
        blob: rows::get(row, "blob")?,
        bytes: rows::get::<i64>(row, "bytes")?.unsigned_abs(),
        present: rows::get(row, "present")?,
        seq: rows::get(row, "seq")?,
        stamp: rows::get(row, "stamp")?,
        published_at: rows::instant(row, "published_at")?,
    })
}

fn detail(row: &Row) -> Result<Option<Value>, StoreError> {
    let text: Option<&str> = rows::get(row, "detail")?;
    text.map(serde_json::from_str).transpose().map_err(|error| StoreError::corrupt("detail", error))
}
