//! Folders. The root is the empty path; deleting hides a folder, and making it again brings it back.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::Row;

use super::{StoreError, Transaction};
use crate::model::id::{CompanyId, FolderId};

/// The folder with this path (as `model::name::clean_folder` gives it), made with its parents where it is missing.
pub(in crate::store) async fn ensure(
    tx: &mut Transaction,
    company: CompanyId,
    path: &str,
    at: DateTime<Utc>,
) -> Result<FolderId, StoreError> {
    if let Some(folder) = find(tx, company, path).await? {
        return Ok(folder);
    }
    sqlx::query(
        "INSERT INTO folder (company_id, path, created_at, modified_at)
         SELECT $1, value, $3, $3 FROM json_each($2) WHERE true
         ON CONFLICT (company_id, path) DO UPDATE SET deleted_at = NULL, modified_at = excluded.modified_at
         WHERE folder.deleted_at IS NOT NULL",
    )
    .bind(company.0)
    .bind(Value::from(with_parents(path)).to_string())
    .bind(at.timestamp_millis())
    .execute(&mut *tx)
    .await
    .map_err(StoreError::doing("make a folder"))?;
    find(tx, company, path).await?.ok_or_else(|| StoreError::corrupt("a folder", "it is gone right after it was made"))
}

pub(in crate::store) async fn find(
    tx: &mut Transaction,
    company: CompanyId,
    path: &str,
) -> Result<Option<FolderId>, StoreError> {
    sqlx::query("SELECT id FROM folder WHERE company_id = $1 AND path = $2 AND deleted_at IS NULL")
        .bind(company.0)
        .bind(path)
        .fetch_optional(tx)
        .await
        .map(|row| row.map(|row| FolderId(row.get(0))))
        .map_err(StoreError::doing("look for a folder"))
}

/// Notes that what the folders hold has changed.
pub(in crate::store) async fn touch(
    tx: &mut Transaction,
    folders: &[FolderId],
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE folder SET modified_at = $2 WHERE id IN (SELECT value FROM json_each($1)) AND modified_at < $2")
        .bind(serde_json::json!(folders).to_string())
        .bind(at.timestamp_millis())
        .execute(tx)
        .await
        .map(|_| ())
        .map_err(StoreError::doing("note a change in a folder"))
}

/// `A/B/C` gives the root, `A`, `A/B` and `A/B/C`.
fn with_parents(path: &str) -> Vec<&str> {
    let parents = path.match_indices('/').map(|(end, _)| &path[..end]);
    let mut all: Vec<&str> = std::iter::once("").chain(parents).collect();
    if !path.is_empty() {
        all.push(path);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::with_parents;

    #[test]
    fn parents_come_first() {
        assert_eq!(with_parents(""), [""]);
        assert_eq!(with_parents("A"), ["", "A"]);
        assert_eq!(with_parents("A/B/C"), ["", "A", "A/B", "A/B/C"]);
    }
}
