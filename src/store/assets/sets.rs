//! Sets: assets without a master, which have members in an order instead.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::arrival::{self, Filed};
use super::ingest::{self, Master, NewAsset};
use super::{AssetError, Contexts, next_change, parts, set_marks};
use crate::model::asset::{AssetType, PictureFacts};
use crate::model::id::{AccountId, AssetId, CompanyId};
use crate::model::making::Making;
use crate::model::name::FileName;
use crate::store::rows::get;
use crate::store::{StoreError, Transaction};

/// A place in a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Member {
    pub asset: AssetId,
    /// Of spins with two axes, from 0.
    pub row: Option<u32>,
    pub col: Option<u32>,
}

/// A set as it shall be.
#[derive(Debug, Clone, PartialEq)]
pub struct NewSet {
    pub company: CompanyId,
    pub folder: String,
    /// Without what a name may not hold. A set that belongs to an asset gets a number if it is taken.
    pub name: String,
    pub set_type: AssetType,
    /// The asset that it was made from, and which of the things made from it this is.
    pub made_from: Option<(AssetId, String)>,
    /// Width and height, of sets whose members lie on a canvas.
    pub pixels: Option<(u32, u32)>,
    pub members: Vec<Member>,
    pub ready_for_publish: bool,
    pub by: AccountId,
    pub at: DateTime<Utc>,
}

/// Makes the set, or gives the one that is there these members. A set without an origin is known by its name.
pub(in crate::store) async fn save(tx: &mut Transaction, set: NewSet) -> Result<Filed, AssetError> {
    let filed = match held(tx, &set).await? {
        Some((asset, name)) => {
            touch(tx, &set, asset).await?;
            Filed::Updated { asset, name, moved_from: None, in_place_of: None }
        }
        None => add(tx, &set).await?,
    };
    set_members(tx, filed.asset(), &set.members).await?;
    Ok(filed)
}

/// Puts these members in the place of those that a set has. Those that leave are looked at by the next publishes, like the
/// set: it may be that they were published only with it.
pub(in crate::store) async fn set_members(
    tx: &mut Transaction,
    set: AssetId,
    members: &[Member],
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE asset SET change_seq = (SELECT change_seq FROM asset WHERE id = $1)
         WHERE id IN (SELECT asset_id FROM set_member WHERE set_id = $1)
           AND id NOT IN (SELECT value ->> 'asset' FROM json_each($2))",
    )
    .bind(set.0)
    .bind(json!(members).to_string())
    .execute(&mut *tx)
    .await
    .map_err(StoreError::doing("note which members leave a set"))?;
    sqlx::query("DELETE FROM set_member WHERE set_id = $1")
        .bind(set.0)
        .execute(&mut *tx)
        .await
        .map_err(StoreError::doing("empty a set"))?;
    sqlx::query(
        "INSERT INTO set_member (set_id, position, asset_id, row, col)
         SELECT $1, key, value ->> 'asset', value ->> 'row', value ->> 'col' FROM json_each($2)",
    )
    .bind(set.0)
    .bind(json!(members).to_string())
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(StoreError::doing("fill a set"))
}

async fn held(tx: &mut Transaction, set: &NewSet) -> Result<Option<(AssetId, String)>, StoreError> {
    let (parent, part) = set.made_from.clone().unzip();
    let row = sqlx::query(
        "SELECT id, name FROM asset
         WHERE company_id = $1 AND asset_type = $2 AND blob = '' AND trash_state <> 'InEmptiedTrash'
           AND CASE WHEN $3 IS NULL THEN name = $5 ELSE parent_id = $3 AND part = $4 END",
    )
    .bind(set.company.0)
    .bind(set.set_type.as_str())
    .bind(parent.map(|parent| parent.0))
    .bind(part)
    .bind(&set.name)
    .fetch_optional(tx)
    .await
    .map_err(StoreError::doing("look for a set"))?;
    row.map(|row| Ok((AssetId(get(&row, "id")?), get(&row, "name")?))).transpose()
}

async fn touch(tx: &mut Transaction, set: &NewSet, asset: AssetId) -> Result<(), AssetError> {
    let change = next_change(tx, set.company).await?;
    sqlx::query(
        "UPDATE asset SET change_seq = $2, modified_at = $3, modified_by = $4, width = $5, height = $6 WHERE id = $1",
    )
    .bind(asset.0)
    .bind(change)
    .bind(set.at.timestamp_millis())
    .bind(set.by.0)
    .bind(set.pixels.map(|(width, _)| width))
    .bind(set.pixels.map(|(_, height)| height))
    .execute(&mut *tx)
    .await
    .map_err(StoreError::doing("note a change of a set"))?;
    parts::restore(tx, asset).await?;
    if set.ready_for_publish {
        set_marks(tx, set.company, &[asset], &Contexts::All, true).await?;
    }
    Ok(())
}

async fn add(tx: &mut Transaction, set: &NewSet) -> Result<Filed, AssetError> {
    let wanted = FileName { stem: set.name.clone(), extension: String::new(), changed: false };
    let name = match set.made_from {
        Some(_) => arrival::free_name_from(tx, set.company, wanted).await?.stem,
        None => set.name.clone(),
    };
    let new = NewAsset {
        company: set.company,
        folder: set.folder.clone(),
        name: name.clone(),
        file_name: String::new(),
        master: Master {
            asset_type: set.set_type,
            blob: String::new(),
            bytes: 0,
            pixels: set.pixels,
            facts: PictureFacts::default(),
            making: Making::default(),
        },
        marked_in: if set.ready_for_publish { Contexts::All } else { Contexts::NONE },
        by: set.by,
        at: set.at,
    };
    let asset = ingest::insert(tx, &new).await?;
    if let Some((parent, key)) = &set.made_from {
        parts::belong(tx, asset, *parent, key).await?;
    }
    Ok(if name == set.name {
        Filed::Added { asset, name }
    } else {
        Filed::AddedWithNumber { asset, name, shared_with: None }
    })
}
