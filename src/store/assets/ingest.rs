//! What uploads write: new assets, other masters, files made from them.
//!
//! The functions take a transaction, so that a checkpoint can commit an asset with the item it came from.

use chrono::{DateTime, Utc};

use super::marking::{Marked, Marking};
use super::{AssetError, Contexts, next_change, note_changed, parts, set_marks};
use crate::model::asset::{AssetType, PictureFacts};
use crate::model::id::{AccountId, AssetId, CompanyId, FolderId};
use crate::model::making::Making;
use crate::store::numbers::next_number;
use crate::store::sql::{self, Cells};
use crate::store::{StoreError, Transaction, folders};

/// A file in the blob store that is the master of an asset.
#[derive(Debug, Clone, PartialEq)]
pub struct Master {
    pub asset_type: AssetType,
    /// SHA-256, in hexadecimal.
    pub blob: String,
    pub bytes: u64,
    /// Width and height after EXIF orientation, of what has pixels.
    pub pixels: Option<(u32, u32)>,
    pub facts: PictureFacts,
    pub making: Making,
}

/// An asset that is to be written.
#[derive(Debug)]
pub(in crate::store) struct NewAsset {
    pub company: CompanyId,
    /// Cleaned path; folders that are missing are made.
    pub folder: String,
    /// Cleaned, unique in the company.
    pub name: String,
    /// Cleaned, with extension.
    pub file_name: String,
    pub master: Master,
    pub marked_in: Contexts,
    pub by: AccountId,
    pub at: DateTime<Utc>,
}

/// Another master for an asset that is there.
#[derive(Debug, Clone, PartialEq)]
pub struct Replacement {
    pub company: CompanyId,
    pub asset: AssetId,
    /// What its file is called now; None leaves it as it is.
    pub file_name: Option<String>,
    pub master: Master,
    /// Where the asset goes, if it does.
    pub move_to: Option<String>,
    pub marking: Marking,
    pub by: AccountId,
    pub at: DateTime<Utc>,
}

/// Writes an asset; an error leaves rows behind that the caller's savepoint undoes.
pub(in crate::store) async fn insert(tx: &mut Transaction, new: &NewAsset) -> Result<AssetId, AssetError> {
    let folder = folders::ensure(tx, new.company, &new.folder, new.at).await?;
    let change = next_change(tx, new.company).await?;
    let row =
        sql::query(concat!(
        "INSERT INTO asset (id, company_id, folder_id, name, asset_type, file_name, blob, bytes, width, height, info,
                            created_at, created_by, modified_at, modified_by, change_seq, making)
         VALUES (", next_number!("asset"), ", $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $11, $12, $13, $14)
         ON CONFLICT (company_id, name) DO NOTHING RETURNING id"
    ))
        .bind(new.company.0)
        .bind(folder.0)
        .bind(&new.name)
        .bind(new.master.asset_type.as_str())
        .bind(&new.file_name)
        .bind(&new.master.blob)
        .bind(stored_bytes(new.master.bytes))
        .bind(new.master.pixels.map(|(width, _)| width))
        .bind(new.master.pixels.map(|(_, height)| height))
        .bind(facts(&new.master)?)
        .bind(new.at.timestamp_millis())
        .bind(new.by.0)
        .bind(change)
        .bind(making(&new.master)?)
        .fetch_optional(&mut *tx)
        .await
        .map_err(StoreError::doing("write an asset"))?
        .ok_or_else(|| AssetError::NameTaken(new.name.clone()))?;
    let asset = AssetId(row.get(0));
    set_marks(tx, new.company, &[asset], &new.marked_in, true).await?;
    folders::touch(tx, &[folder], new.at).await?;
    Ok(asset)
}

/// Notes the name that the file of an asset came under, when the asset got another.
pub(in crate::store) async fn note_arrival(tx: &mut Transaction, asset: AssetId, name: &str) -> Result<(), StoreError> {
    sql::query("UPDATE asset SET arrived_as = $2 WHERE id = $1")
        .bind(asset.0)
        .bind(name)
        .execute(tx)
        .await
        .map(|_| ())
        .map_err(StoreError::doing("note the name a file came under"))
}

/// Gives an asset another master. What was made from the old one stays, and is stale by its `source_blob`.
pub(in crate::store) async fn replace(tx: &mut Transaction, new: &Replacement) -> Result<(), AssetError> {
    let mut touched = Vec::new();
    let folder = match &new.move_to {
        Some(path) => {
            touched.extend(folder_of(tx, new.company, new.asset).await?);
            Some(folders::ensure(tx, new.company, path, new.at).await?)
        }
        None => None,
    };
    let change = next_change(tx, new.company).await?;
    let row = sql::query(
        "UPDATE asset SET folder_id = coalesce($3, folder_id), asset_type = $4,
                          file_name = coalesce($5, file_name), blob = $6, bytes = $7,
                          width = $8, height = $9, info = $10, modified_at = $11, modified_by = $12, change_seq = $13,
                          making = $14
         WHERE id = $1 AND company_id = $2 RETURNING folder_id",
    )
    .bind(new.asset.0)
    .bind(new.company.0)
    .bind(folder.map(|folder| folder.0))
    .bind(new.master.asset_type.as_str())
    .bind(&new.file_name)
    .bind(&new.master.blob)
    .bind(stored_bytes(new.master.bytes))
    .bind(new.master.pixels.map(|(width, _)| width))
    .bind(new.master.pixels.map(|(_, height)| height))
    .bind(facts(&new.master)?)
    .bind(new.at.timestamp_millis())
    .bind(new.by.0)
    .bind(change)
    .bind(making(&new.master)?)
    .fetch_optional(&mut *tx)
    .await
    .map_err(StoreError::doing("replace the master of an asset"))?
    .ok_or(AssetError::NotFound)?;
    mark(tx, new).await?;
    touched.push(FolderId(row.get(0)));
    Ok(folders::touch(tx, &touched, new.at).await?)
}

/// What was made of an asset is marked with it, whether or not it is made again, and wherever it is: what an order takes from readers
/// is not there in parts, and does not come back with one that somebody takes out of the trash.
async fn mark(tx: &mut Transaction, new: &Replacement) -> Result<(), StoreError> {
    let parts = parts::of(tx, new.company, new.asset).await?;
    let all = [&[new.asset], parts.as_slice()].concat();
    if new.marking.mark_known(tx, new.company, &all).await? == Marked::ByTheOrder {
        note_changed(tx, &parts).await?;
    }
    Ok(())
}

async fn folder_of(tx: &mut Transaction, company: CompanyId, asset: AssetId) -> Result<Option<FolderId>, StoreError> {
    sql::query("SELECT folder_id FROM asset WHERE id = $1 AND company_id = $2")
        .bind(asset.0)
        .bind(company.0)
        .fetch_optional(tx)
        .await
        .map(|row| row.map(|row| FolderId(row.get(0))))
        .map_err(StoreError::doing("look for the folder of an asset"))
}

fn facts(master: &Master) -> Result<String, StoreError> {
    serde_json::to_string(&master.facts).map_err(|e| StoreError::corrupt("the facts of a picture", e))
}

fn making(master: &Master) -> Result<String, StoreError> {
    serde_json::to_string(&master.making).map_err(|e| StoreError::corrupt("what a picture is made with", e))
}

/// The database counts in signed 64 bits; no file is that large.
pub(super) fn stored_bytes(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
