//! What the database says of stored files: which there should be, how long, and whose they are.

use super::assets::next_change;
use super::rows::{constant, get};
use super::{Reads, Store, StoreError, Transaction};
use crate::model::asset::{AssetType, DerivedRole};
use crate::model::damage::{FileOwner, FileRole, Maker};
use crate::model::handle;
use crate::model::id::{AssetId, CompanyId, ContextId};
use crate::model::log::FileType;
use crate::store::sql::{self, Row};

/// A file that rows name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedFile {
    pub blob: String,
    pub bytes: Option<u64>,
}

/// How many files rows name, and their size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FileTotals {
    pub files: u64,
    pub bytes: u64,
}

/// Rows of assets that were given up say nothing: they wait only for their removal. Each table gives the first of its own,
/// so that a page costs what it holds.
const NAMED: &str = "
    SELECT blob, max(bytes) AS bytes FROM (
        SELECT * FROM (SELECT blob, max(bytes) AS bytes FROM asset WHERE blob > $1 AND trash_state <> 'InEmptiedTrash'
                       GROUP BY blob ORDER BY blob LIMIT $2) of_asset
        UNION ALL
        SELECT * FROM (SELECT blob, max(bytes) AS bytes FROM derived WHERE blob > $1 GROUP BY blob ORDER BY blob LIMIT $2) of_derived
        UNION ALL
        SELECT * FROM (SELECT blob, max(bytes) AS bytes FROM publication WHERE blob > $1 AND present = 1
                       GROUP BY blob ORDER BY blob LIMIT $2) of_publication
    ) named GROUP BY blob ORDER BY blob LIMIT $2";

/// A part whose master is that of what it belongs to (a page) is not told apart from it.
const OWNERS: &str = "
    WITH named (id, role) AS (
        SELECT a.id, CASE WHEN a.parent_id IS NULL THEN 'Master' ELSE 'Part' END FROM asset a
        WHERE a.blob = $1 AND a.trash_state <> 'InEmptiedTrash'
          AND NOT EXISTS (SELECT 1 FROM asset p WHERE p.id = a.parent_id AND p.blob = a.blob)
        UNION ALL
        SELECT d.asset_id, d.role FROM derived d JOIN asset a ON a.id = d.asset_id
        WHERE d.blob = $1 AND a.trash_state <> 'InEmptiedTrash'
    )
    SELECT a.id, a.company_id, a.name, a.asset_type, c.name AS company, c.root_path, f.path, named.role,
           json_text(a.making, 'page') IS NOT NULL AS is_page,
           EXISTS (SELECT 1 FROM asset p WHERE p.id = a.parent_id AND p.trash_state = 'NotInTrash') AS has_document
    FROM named JOIN asset a ON a.id = named.id
    JOIN company c ON c.id = a.company_id JOIN folder f ON f.id = a.folder_id
    UNION ALL
    SELECT p.asset_id, x.company_id, p.asset_name, 'Asset', c.name, c.root_path, p.file_name, 'Published', false, false
    FROM publication p JOIN publish_context x ON x.id = p.context_id JOIN company c ON c.id = x.company_id
    WHERE p.blob = $1 AND p.present = 1 AND NOT EXISTS (SELECT 1 FROM named)
    ORDER BY 1, 8";

impl Reads {
    /// The files that rows name, in order of their names, from the one after `after` on; no more than `limit`.
    pub async fn named_files(&self, after: &str, limit: i64) -> Result<Vec<NamedFile>, StoreError> {
        let rows = sql::query(NAMED)
            .bind(after)
            .bind(limit)
            .fetch_all(&mut *self.reader().await?)
            .await
            .map_err(StoreError::doing("list the files that assets have"))?;
        let bytes = |row| get::<Option<i64>>(row, "bytes").map(|bytes| bytes.map(i64::unsigned_abs));
        rows.iter().map(|row| Ok(NamedFile { blob: get(row, "blob")?, bytes: bytes(row)? })).collect()
    }

    /// How many files there are to be looked at, and about how many bytes.
    pub async fn file_totals(&self) -> Result<FileTotals, StoreError> {
        let (files, bytes): (i64, i64) = sql::tuple(
            "SELECT count(*), CAST(coalesce(sum(bytes), 0) AS bigint) FROM (
                 SELECT blob, max(bytes) AS bytes FROM (
                     SELECT blob, bytes FROM asset WHERE blob <> '' AND trash_state <> 'InEmptiedTrash'
                     UNION ALL SELECT blob, bytes FROM derived
                     UNION ALL SELECT blob, bytes FROM publication WHERE blob <> '' AND present = 1
                 ) named GROUP BY blob) counted",
        )
        .fetch_one(&mut *self.reader().await?)
        .await
        .map_err(StoreError::doing("count the files that assets have"))?;
        Ok(FileTotals { files: files.unsigned_abs(), bytes: bytes.unsigned_abs() })
    }

    /// Whose a file is, as it is written now; nobody's, if its rows went meanwhile.
    pub async fn file_owners(&self, blob: &str) -> Result<Vec<FileOwner>, StoreError> {
        let rows = sql::query(OWNERS)
            .bind(blob)
            .fetch_all(&mut *self.reader().await?)
            .await
            .map_err(StoreError::doing("look whose a file is"))?;
        rows.iter().map(owner).collect()
    }

    /// Where a file is published: in which contexts, and as what.
    pub async fn published_as(&self, blob: &str) -> Result<Vec<(ContextId, String)>, StoreError> {
        let rows: Vec<(i64, String)> = sql::tuple(
            "SELECT context_id, file_name FROM publication INDEXED BY publication_by_blob
             WHERE blob = $1 AND present = 1 ORDER BY 1, 2",
        )
        .bind(blob)
        .fetch_all(&mut *self.reader().await?)
        .await
        .map_err(StoreError::doing("look where a file is published"))?;
        Ok(rows.into_iter().map(|(context, name)| (ContextId(context), name)).collect())
    }

    /// The masters of these assets.
    pub async fn masters_of(&self, assets: &[AssetId]) -> Result<Vec<(AssetId, NamedFile)>, StoreError> {
        let rows: Vec<(i64, String, i64)> = sql::tuple(
            "SELECT a.id, a.blob, a.bytes FROM ids($1) i STRAIGHT_JOIN asset a ON a.id = i.id WHERE a.blob <> ''",
        )
        .list(assets)
        .fetch_all(&mut *self.reader().await?)
        .await
        .map_err(StoreError::doing("look for the masters of assets"))?;
        let named = |(id, blob, bytes): (i64, String, i64)| {
            (AssetId(id), NamedFile { blob, bytes: Some(bytes.unsigned_abs()) })
        };
        Ok(rows.into_iter().map(named).collect())
    }
}

impl Store {
    /// Forgets that assets have this derived file, so that it counts as not made yet. How many rows went.
    pub async fn forget_derived(&self, blob: String, owners: Vec<AssetId>) -> Result<u64, StoreError> {
        self.write(move |tx| {
            Box::pin(async move {
                let mut gone = 0;
                for asset in owners {
                    gone += forget(tx, asset, &blob).await?;
                }
                Ok(gone)
            })
        })
        .await
    }
}

/// The asset counts as changed: whoever publishes it has to make the files first.
async fn forget(tx: &mut Transaction, asset: AssetId, blob: &str) -> Result<u64, StoreError> {
    let doing = "forget a damaged derived file";
    let gone = sql::query("DELETE FROM derived WHERE asset_id = $1 AND blob = $2")
        .bind(asset.0)
        .bind(blob)
        .execute(&mut *tx)
        .await
        .map_err(StoreError::doing(doing))?
        .rows_affected();
    let company: Option<i64> = sql::scalar("SELECT company_id FROM asset WHERE id = $1")
        .bind(asset.0)
        .fetch_optional(&mut *tx)
        .await
        .map_err(StoreError::doing(doing))?;
    if let Some(company) = company.filter(|_| gone > 0) {
        let change = next_change(tx, CompanyId(company)).await?;
        sql::query("UPDATE asset SET change_seq = $2 WHERE id = $1")
            .bind(asset.0)
            .bind(change)
            .execute(tx)
            .await
            .map_err(StoreError::doing(doing))?;
    }
    Ok(gone)
}

fn owner(row: &Row) -> Result<FileOwner, StoreError> {
    let asset_type: AssetType = constant(row, "asset_type")?;
    let role = match get::<&str>(row, "role")? {
        "Master" => FileRole::Master,
        "Part" => FileRole::Part,
        "Published" => FileRole::Published,
        derived => FileRole::Derived(derived.parse().map_err(|error| StoreError::corrupt("role", error))?),
    };
    let maker = match role {
        FileRole::Master => Maker::Nobody,
        FileRole::Published => Maker::Publish,
        FileRole::Derived(DerivedRole::Pyramid | DerivedRole::Thumbnail | DerivedRole::Mask)
            if asset_type.is_picture() && !get::<bool>(row, "is_page")? =>
        {
            Maker::Optimize
        }
        _ if get::<bool>(row, "is_page")? && get::<bool>(row, "has_document")? => Maker::RipPdfs,
        _ if get::<bool>(row, "is_page")? => Maker::Nobody,
        FileRole::Part | FileRole::Derived(_) => Maker::Reprocess,
    };
    Ok(FileOwner {
        company: CompanyId(get(row, "company_id")?),
        company_name: get(row, "company")?,
        folder: handle::folder_path(get(row, "root_path")?, get(row, "path")?),
        asset: AssetId(get(row, "id")?),
        asset_name: get(row, "name")?,
        file_type: match role {
            FileRole::Master | FileRole::Part => FileType::of_master(asset_type),
            FileRole::Derived(DerivedRole::Pyramid) => FileType::OptimizedImage,
            FileRole::Derived(DerivedRole::Thumbnail) => FileType::Thumbnail,
            FileRole::Derived(DerivedRole::Mask) => FileType::Mask,
            FileRole::Derived(DerivedRole::Playlist) | FileRole::Published => FileType::NoType,
        },
        role,
        maker,
    })
}
