//! Sets: assets without a master, which have members in an order instead.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::arrival::{self, Filed};
use super::change::{Change, changed};
use super::ingest::{self, Master, NewAsset};
use super::marking::{self, Marking};
use super::{AssetError, Contexts, parts, set_marks};
use crate::model::asset::{AssetType, PictureFacts, TrashState};
use crate::model::id::{AccountId, AssetId, CompanyId};
use crate::model::making::Making;
use crate::model::name::FileName;
use crate::store::rows::{constant, get};
use crate::store::{StoreError, Transaction};

/// A place in a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Member {
    pub asset: AssetId,
    /// Of spins with two axes, from 0.
    pub row: Option<u32>,
    pub col: Option<u32>,
    /// Begins a page of an eCatalog, or a group of a swatch set; None: as it was, and a new one does.
    pub page_reset: Option<bool>,
}

/// What a part was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub parent: AssetId,
    /// The master of the parent: with another one by now nothing is written.
    pub blob: String,
    /// Which of the things made from it this is.
    pub key: String,
}

impl Member {
    pub const fn of(asset: AssetId) -> Self {
        Self { asset, row: None, col: None, page_reset: None }
    }
}

/// A set as it shall be.
#[derive(Debug, Clone, PartialEq)]
pub struct NewSet {
    pub company: CompanyId,
    pub folder: String,
    /// Without what a name may not hold. A set that belongs to an asset gets a number if it is taken.
    pub name: String,
    pub set_type: AssetType,
    pub made_from: Option<Origin>,
    /// Width and height, of sets whose members lie on a canvas.
    pub pixels: Option<(u32, u32)>,
    pub members: Vec<Member>,
    pub marking: Marking,
    pub by: AccountId,
    pub at: DateTime<Utc>,
}

/// Makes the set, or gives the one that is there these members. A set without an origin is known by its name.
pub(in crate::store) async fn save(tx: &mut Transaction, set: NewSet) -> Result<Filed, AssetError> {
    let filed = match held(tx, &set).await? {
        Some(held) => {
            touch(tx, &set, &held).await?;
            parts::updated(held.id, held.name, held.in_trash)
        }
        None => add(tx, &set).await?,
    };
    let change = Change { company: set.company, by: set.by, at: set.at };
    set_members(tx, change, filed.asset(), &set.members).await?;
    Ok(filed)
}

/// Puts these members in the place of those that a set has: the one way in which sets change. Those that leave are looked at by the
/// next publishes, like the set: it may be that they were published only with it.
pub(super) async fn set_members(
    tx: &mut Transaction,
    change: Change,
    set: AssetId,
    members: &[Member],
) -> Result<(), StoreError> {
    let seq = changed(tx, change, &[set]).await?;
    let before: Vec<(i64, bool)> = sqlx::query_as("SELECT asset_id, page_reset FROM set_member WHERE set_id = $1")
        .bind(set.0)
        .fetch_all(&mut *tx)
        .await
        .map_err(StoreError::doing("read the members of a set"))?;
    let before: HashMap<i64, bool> = before.into_iter().collect();
    let members = members.iter().map(|member| Member {
        page_reset: member.page_reset.or_else(|| before.get(&member.asset.0).copied()).or(Some(true)),
        ..*member
    });
    let members = json!(members.collect::<Vec<_>>()).to_string();
    sqlx::query(
        "UPDATE asset SET change_seq = $3
         WHERE id IN (SELECT asset_id FROM set_member WHERE set_id = $1)
           AND id NOT IN (SELECT value ->> 'asset' FROM json_each($2))",
    )
    .bind(set.0)
    .bind(&members)
    .bind(seq)
    .execute(&mut *tx)
    .await
    .map_err(StoreError::doing("note which members leave a set"))?;
    sqlx::query("DELETE FROM set_member WHERE set_id = $1")
        .bind(set.0)
        .execute(&mut *tx)
        .await
        .map_err(StoreError::doing("empty a set"))?;
    sqlx::query(
        "INSERT INTO set_member (set_id, position, asset_id, row, col, page_reset)
         SELECT $1, key, value ->> 'asset', value ->> 'row', value ->> 'col', value ->> 'page_reset'
         FROM json_each($2)",
    )
    .bind(set.0)
    .bind(&members)
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(StoreError::doing("fill a set"))
}

/// The set that is there.
struct Held {
    id: AssetId,
    name: String,
    in_trash: bool,
}

async fn held(tx: &mut Transaction, set: &NewSet) -> Result<Option<Held>, StoreError> {
    let (parent, part) = set.made_from.as_ref().map(|origin| (origin.parent, &origin.key)).unzip();
    let row = sqlx::query(
        "SELECT id, name, trash_state FROM asset
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
    row.map(|row| {
        Ok(Held {
            id: AssetId(get(&row, "id")?),
            name: get(&row, "name")?,
            in_trash: constant::<TrashState>(&row, "trash_state")? == TrashState::InTrash,
        })
    })
    .transpose()
}

async fn touch(tx: &mut Transaction, set: &NewSet, held: &Held) -> Result<(), AssetError> {
    sqlx::query("UPDATE asset SET width = $2, height = $3 WHERE id = $1")
        .bind(held.id.0)
        .bind(set.pixels.map(|(width, _)| width))
        .bind(set.pixels.map(|(_, height)| height))
        .execute(&mut *tx)
        .await
        .map_err(StoreError::doing("note a change of a set"))?;
    set.marking.mark_known(tx, set.company, &[held.id]).await?;
    if let Some(origin) = &set.made_from {
        parts::belong(tx, held.id, origin).await?;
    }
    if held.in_trash {
        parts::bring_back(tx, set.company, held.id, set.at).await?;
        marking::unmark(tx, &[held.id]).await?;
        mark_new(tx, set, held.id).await?;
    }
    Ok(())
}

/// Marks a set that was not there, or lay in the trash.
async fn mark_new(tx: &mut Transaction, set: &NewSet, asset: AssetId) -> Result<(), StoreError> {
    if let Some(origin) = &set.made_from {
        return set.marking.mark_part(tx, set.company, asset, origin.parent).await;
    }
    set_marks(tx, set.company, &[asset], &set.marking.of_new(), true).await
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
        marked_in: Contexts::NONE,
        by: set.by,
        at: set.at,
    };
    let asset = ingest::insert(tx, &new).await?;
    if let Some(origin) = &set.made_from {
        parts::belong(tx, asset, origin).await?;
    }
    mark_new(tx, set, asset).await?;
    Ok(if name == set.name {
        Filed::Added { asset, name }
    } else {
        Filed::AddedWithNumber { asset, name, shared_with: None }
    })
}
