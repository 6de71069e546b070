//! Folders. The root is the empty path; deleting hides a folder, and making it again brings it back.

use chrono::{DateTime, Utc};

use super::assets::next_change;
use super::rows::{get, instant};
use super::{Reads, Store, StoreError, Transaction};
use crate::model::asset::AssetType;
use crate::model::id::{AccountId, AssetId, CompanyId, FolderId};
use crate::store::numbers::next_number;
use crate::store::sql::{self, Cells};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    pub id: FolderId,
    pub path: String,
    pub modified_at: DateTime<Utc>,
    /// It holds an asset, outside the trash, of a type that was asked for; true when none was.
    pub matches: bool,
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum FolderError {
    #[error("the folder already exists")]
    Exists,
    #[error("there is no such folder")]
    NotFound,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Reads {
    /// The folder at `path` and all below it, by path, at most `limit`. None when it is not there.
    pub async fn folders(
        &self,
        company: CompanyId,
        path: &str,
        types: &[AssetType],
        limit: u32,
    ) -> Result<Option<Vec<Folder>>, StoreError> {
        let types = (!types.is_empty()).then_some(types);
        let rows = sql::query(
            "SELECT f.id, f.path, f.modified_at,
                    CAST($5 AS text) IS NULL OR EXISTS (SELECT 1 FROM asset a WHERE a.folder_id = f.id AND a.trash_state = 'NotInTrash'
                                          AND a.asset_type IN texts($5)) AS matches
             FROM folder f
             WHERE f.company_id = $1 AND f.deleted_at IS NULL AND (f.path = $2 OR (f.path >= $3 AND f.path < $4))
             ORDER BY f.path LIMIT $6",
        )
        .bind(company.0)
        .bind(path)
        .bind(Subtree::of(path).first)
        .bind(Subtree::of(path).end)
        .list_or_null(types)
        .bind(limit)
        .fetch_all(&mut *self.reader().await?)
        .await
        .map_err(StoreError::doing("list folders"))?;
        let folders = rows
            .iter()
            .map(|row| {
                Ok(Folder {
                    id: FolderId(get(row, "id")?),
                    path: get(row, "path")?,
                    modified_at: instant(row, "modified_at")?,
                    matches: get(row, "matches")?,
                })
            })
            .collect::<Result<Vec<_>, StoreError>>()?;
        Ok(folders.first().is_some_and(|first| first.path == path).then_some(folders))
    }

    pub async fn folder_exists(&self, company: CompanyId, path: &str) -> Result<bool, StoreError> {
        Ok(find(&mut *self.reader().await?, company, path).await?.is_some())
    }
}

impl Store {
    pub async fn create_folder(
        &self,
        company: CompanyId,
        path: String,
        at: DateTime<Utc>,
    ) -> Result<FolderId, FolderError> {
        self.write(move |tx| {
            Box::pin(async move {
                if find(tx, company, &path).await?.is_some() {
                    return Err(FolderError::Exists);
                }
                Ok(ensure(tx, company, &path, at).await?)
            })
        })
        .await
    }

    /// Removes a folder with all below it; their assets go to the trash. Says how many did.
    pub async fn delete_folder(
        &self,
        company: CompanyId,
        path: String,
        by: AccountId,
        at: DateTime<Utc>,
    ) -> Result<u64, FolderError> {
        self.write(move |tx| Box::pin(async move { delete(tx, company, &path, by, at).await })).await
    }
}

/// Paths below a folder are those from `first` up to but not including `end`.
struct Subtree {
    first: String,
    end: String,
}

impl Subtree {
    fn of(path: &str) -> Self {
        if path.is_empty() {
            // No name begins with the last character of Unicode: it is no character.
            Self { first: String::new(), end: char::MAX.to_string() }
        } else {
            // "0" is the character after "/".
            Self { first: format!("{path}/"), end: format!("{path}0") }
        }
    }
}

async fn delete(
    tx: &mut Transaction,
    company: CompanyId,
    path: &str,
    by: AccountId,
    at: DateTime<Utc>,
) -> Result<u64, FolderError> {
    if find(tx, company, path).await?.is_none() {
        return Err(FolderError::NotFound);
    }
    let below = Subtree::of(path);
    let change = next_change(tx, company).await?;
    let trashed = sql::query(
        "UPDATE asset SET trash_state = 'InTrash', trashed_at = $5, modified_at = $5, modified_by = $6, change_seq = $7
         WHERE company_id = $1 AND trash_state = 'NotInTrash' AND folder_id IN
             (SELECT id FROM folder WHERE company_id = $1 AND (path = $2 OR (path >= $3 AND path < $4)))",
    )
    .bind(company.0)
    .bind(path)
    .bind(&below.first)
    .bind(&below.end)
    .bind(at.timestamp_millis())
    .bind(by.0)
    .bind(change)
    .execute(&mut *tx)
    .await
    .map_err(StoreError::doing("move what a folder holds to the trash"))?;
    sql::query(
        "DELETE FROM folder WHERE company_id = $1 AND (path = $2 OR (path >= $3 AND path < $4))
         AND NOT EXISTS (SELECT 1 FROM asset WHERE folder_id = folder.id)",
    )
    .bind(company.0)
    .bind(path)
    .bind(&below.first)
    .bind(&below.end)
    .execute(&mut *tx)
    .await
    .map_err(StoreError::doing("remove an empty folder"))?;
    sql::query(
        "UPDATE folder SET deleted_at = $5
         WHERE company_id = $1 AND deleted_at IS NULL AND (path = $2 OR (path >= $3 AND path < $4))",
    )
    .bind(company.0)
    .bind(path)
    .bind(&below.first)
    .bind(&below.end)
    .bind(at.timestamp_millis())
    .execute(&mut *tx)
    .await
    .map_err(StoreError::doing("remove a folder"))?;
    let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
    if let Some(parent) = find(tx, company, parent).await? {
        touch(tx, &[parent], at).await?;
    }
    Ok(trashed.rows_affected())
}

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
    sql::query(concat!(
        "INSERT INTO folder (id, company_id, path, created_at, modified_at)
         SELECT ",
        next_number!("folder"),
        " + w.n, $1, w.text, $3, $3 FROM texts($2) w WHERE true
         ON CONFLICT (company_id, path) DO UPDATE SET deleted_at = NULL, modified_at = excluded.modified_at
         WHERE folder.deleted_at IS NOT NULL"
    ))
    .bind(company.0)
    .list(&with_parents(path))
    .bind(at.timestamp_millis())
    .execute(&mut *tx)
    .await
    .map_err(StoreError::doing("make a folder"))?;
    find(tx, company, path).await?.ok_or_else(|| StoreError::corrupt("a folder", "it is gone right after it was made"))
}

/// Brings the folders of assets back, if they were removed.
pub(in crate::store) async fn bring_back(
    tx: &mut Transaction,
    company: CompanyId,
    assets: &[AssetId],
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let paths: Vec<String> = sql::scalar(
        "SELECT DISTINCT f.path FROM ids($1) i STRAIGHT_JOIN asset a ON a.id = i.id
         STRAIGHT_JOIN folder f ON f.id = a.folder_id WHERE f.deleted_at IS NOT NULL",
    )
    .list(assets)
    .fetch_all(&mut *tx)
    .await
    .map_err(StoreError::doing("look for the folders of assets"))?;
    for path in paths {
        ensure(tx, company, &path, at).await?;
    }
    Ok(())
}

pub(in crate::store) async fn find(
    tx: &mut Transaction,
    company: CompanyId,
    path: &str,
) -> Result<Option<FolderId>, StoreError> {
    sql::query("SELECT id FROM folder WHERE company_id = $1 AND path = $2 AND deleted_at IS NULL")
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
    sql::query("UPDATE folder SET modified_at = $2 WHERE id IN ids($1) AND modified_at < $2")
        .list(folders)
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
