//! What jobs that make pictures ask about assets.

use serde_json::json;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::assets::ingest::{Derived, Master};
use super::{Store, StoreError, Transaction, rows};
use crate::model::asset::{AssetType, DerivedRole, TrashState};
use crate::model::id::{AssetId, CompanyId};

/// The asset that has a name.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownAsset {
    pub id: AssetId,
    pub in_trash: bool,
    pub file_name: String,
    pub master: Master,
    pub derived: Vec<Derived>,
}

/// A picture, and whether its derived files are what they should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PictureState {
    pub id: AssetId,
    pub name: String,
    pub file_name: String,
    pub blob: String,
    pub is_fresh: bool,
}

impl Store {
    pub async fn asset_named(&self, company: CompanyId, name: &str) -> Result<Option<KnownAsset>, StoreError> {
        let mut reader = self.reader().await?;
        let row = sqlx::query(
            "SELECT id, trash_state, file_name, asset_type, blob, bytes, width, height, info, making
             FROM asset WHERE company_id = $1 AND name = $2",
        )
        .bind(company.0)
        .bind(name)
        .fetch_optional(&mut *reader)
        .await
        .map_err(StoreError::doing("look for an asset by its name"))?;
        let Some(row) = row else { return Ok(None) };
        let derived = sqlx::query(
            "SELECT role, blob, bytes, width, height, source_blob, recipe FROM derived WHERE asset_id = $1 ORDER BY role",
        )
        .bind(row.get::<i64, _>("id"))
        .fetch_all(&mut *reader)
        .await
        .map_err(StoreError::doing("read derived files"))?;
        Ok(Some(KnownAsset {
            id: AssetId(rows::get(&row, "id")?),
            in_trash: rows::constant::<TrashState>(&row, "trash_state")? != TrashState::NotInTrash,
            file_name: rows::get(&row, "file_name")?,
            master: master(&row)?,
            derived: derived.iter().map(self::derived).collect::<Result<_, _>>()?,
        }))
    }

    /// Every picture of a company that is not in the trash, in order of numbers.
    pub async fn pictures(&self, company: CompanyId, recipe: &str) -> Result<Vec<PictureState>, StoreError> {
        let types: Vec<AssetType> = AssetType::ALL.iter().copied().filter(|kind| kind.is_picture()).collect();
        let mut reader = self.reader().await?;
        let rows = sqlx::query(
            "SELECT a.id, a.name, a.file_name, a.blob,
                    (SELECT count(*) FROM derived d WHERE d.asset_id = a.id AND d.role IN ('Pyramid', 'Thumbnail')
                     AND d.source_blob = a.blob AND d.recipe = $2) = 2 AS is_fresh
             FROM asset a
             WHERE a.company_id = $1 AND a.trash_state = 'NotInTrash'
               AND a.asset_type IN (SELECT value FROM json_each($3))
             ORDER BY a.id",
        )
        .bind(company.0)
        .bind(recipe)
        .bind(json!(types).to_string())
        .fetch_all(&mut *reader)
        .await
        .map_err(StoreError::doing("list pictures"))?;
        rows.iter()
            .map(|row| {
                Ok(PictureState {
                    id: AssetId(rows::get(row, "id")?),
                    name: rows::get(row, "name")?,
                    file_name: rows::get(row, "file_name")?,
                    blob: rows::get(row, "blob")?,
                    is_fresh: rows::get(row, "is_fresh")?,
                })
            })
            .collect()
    }
}

fn master(row: &SqliteRow) -> Result<Master, StoreError> {
    let (width, height): (Option<u32>, Option<u32>) = (rows::get(row, "width")?, rows::get(row, "height")?);
    Ok(Master {
        asset_type: rows::constant(row, "asset_type")?,
        blob: rows::get(row, "blob")?,
        bytes: rows::get::<i64>(row, "bytes")?.unsigned_abs(),
        pixels: width.zip(height),
        facts: rows::json(row, "info")?,
        making: rows::json(row, "making")?,
    })
}

fn derived(row: &SqliteRow) -> Result<Derived, StoreError> {
    Ok(Derived {
        role: rows::constant::<DerivedRole>(row, "role")?,
        blob: rows::get(row, "blob")?,
        bytes: rows::get::<i64>(row, "bytes")?.unsigned_abs(),
        pixels: (rows::get(row, "width")?, rows::get(row, "height")?),
        source_blob: rows::get(row, "source_blob")?,
        recipe: rows::get(row, "recipe")?,
    })
}

/// Whether this is the master of the asset.
pub(super) async fn has_master(
    tx: &mut Transaction,
    company: CompanyId,
    asset: AssetId,
    blob: &str,
) -> Result<bool, StoreError> {
    sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM asset WHERE id = $1 AND company_id = $2 AND blob = $3)")
        .bind(asset.0)
        .bind(company.0)
        .bind(blob)
        .fetch_one(tx)
        .await
        .map_err(StoreError::doing("look at the master of an asset"))
}

/// Forgets the files that were made from an earlier master.
pub(super) async fn drop_stale(tx: &mut Transaction, asset: AssetId) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM derived WHERE asset_id = $1 AND source_blob <> (SELECT blob FROM asset WHERE id = $1)")
        .bind(asset.0)
        .execute(tx)
        .await
        .map(|_| ())
        .map_err(StoreError::doing("forget stale derived files"))
}
