//! Files made from masters.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::ingest::stored_bytes;
use super::{AssetError, next_change};
use crate::model::asset::DerivedRole;
use crate::model::id::{AssetId, CompanyId};
use crate::store::rows::{constant, get};
use crate::store::sql::{self, Connection};
use crate::store::{StoreError, Transaction};

/// A file made from a master.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Derived {
    pub role: DerivedRole,
    pub blob: String,
    pub bytes: u64,
    pub pixels: (u32, u32),
    /// The master it was made from.
    pub source_blob: String,
    pub recipe: String,
}

/// What was made from these assets, stale or not.
pub(in crate::store) async fn of(
    reader: &mut Connection,
    assets: &[AssetId],
) -> Result<HashMap<AssetId, Vec<Derived>>, StoreError> {
    let rows = sql::query(
        "SELECT asset_id, role, blob, bytes, width, height, source_blob, recipe FROM derived
         WHERE asset_id IN ids($1) ORDER BY asset_id, role",
    )
    .list(assets)
    .fetch_all(reader)
    .await
    .map_err(StoreError::doing("read derived files"))?;
    let mut found: HashMap<AssetId, Vec<Derived>> = HashMap::new();
    for row in &rows {
        let derived = Derived {
            role: constant(row, "role")?,
            blob: get(row, "blob")?,
            bytes: get::<i64>(row, "bytes")?.unsigned_abs(),
            pixels: (get(row, "width")?, get(row, "height")?),
            source_blob: get(row, "source_blob")?,
            recipe: get(row, "recipe")?,
        };
        found.entry(AssetId(get(row, "asset_id")?)).or_default().push(derived);
    }
    Ok(found)
}

/// Writes the files made from a master, in the place of all that were made before.
pub(in crate::store) async fn write(
    tx: &mut Transaction,
    company: CompanyId,
    asset: AssetId,
    derived: &[Derived],
    at: DateTime<Utc>,
) -> Result<(), AssetError> {
    let change = next_change(tx, company).await?;
    let changed = sql::query("UPDATE asset SET change_seq = $3 WHERE id = $1 AND company_id = $2")
        .bind(asset.0)
        .bind(company.0)
        .bind(change)
        .execute(&mut *tx)
        .await
        .map_err(StoreError::doing("note a change of an asset"))?;
    if changed.rows_affected() != 1 {
        return Err(AssetError::NotFound);
    }
    sql::query("DELETE FROM derived WHERE asset_id = $1 AND role NOT IN texts($2)")
        .bind(asset.0)
        .list(&derived.iter().map(|file| file.role).collect::<Vec<_>>())
        .execute(&mut *tx)
        .await
        .map_err(StoreError::doing("forget derived files"))?;
    for file in derived {
        sql::query(
            "INSERT INTO derived (asset_id, role, blob, bytes, width, height, source_blob, recipe, made_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
             ON CONFLICT (asset_id, role) DO UPDATE SET blob = excluded.blob, bytes = excluded.bytes,
                 width = excluded.width, height = excluded.height, source_blob = excluded.source_blob,
                 recipe = excluded.recipe, made_at = excluded.made_at",
        )
        .bind(asset.0)
        .bind(file.role.as_str())
        .bind(&file.blob)
        .bind(stored_bytes(file.bytes))
        .bind(file.pixels.0)
        .bind(file.pixels.1)
        .bind(&file.source_blob)
        .bind(&file.recipe)
        .bind(at.timestamp_millis())
        .execute(&mut *tx)
        .await
        .map_err(StoreError::doing("write a derived file"))?;
    }
    Ok(())
}
