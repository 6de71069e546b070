//! Sets that users put together.

use super::change::{Change, Held, changed, held};
use super::ingest::{self, Master, NewAsset};
use super::sets::{Member, set_members, with_those_away};
use super::{AssetError, Contexts};
use crate::model::asset::{AssetType, PictureFacts, TrashState};
use crate::model::id::AssetId;
use crate::model::making::Making;
use crate::store::sql::{self, Cells};
use crate::store::{Store, StoreError, Transaction, folders};

/// A place in a set, as a user gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Seat {
    pub asset: AssetId,
    /// Begins a page of an eCatalog, or a group of a swatch set.
    pub page_reset: bool,
}

/// What a set shall have; what is None stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SetContent {
    pub seats: Option<Vec<Seat>>,
    /// Of asset sets.
    pub definition: Option<String>,
    pub thumb: Option<AssetId>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserSet {
    pub folder: String,
    pub name: String,
    pub set_type: AssetType,
    /// Of asset sets.
    pub sub_type: Option<String>,
    pub content: SetContent,
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum SetError {
    /// The set itself, its name or its folder.
    #[error(transparent)]
    Asset(#[from] AssetError),
    #[error("the asset \"{0}\" is not a set of this kind")]
    WrongType(String),
    /// A member, counted from 0.
    #[error("{1}")]
    Member(usize, AssetError),
    /// A member, counted from 0, that is the set or contains it.
    #[error("the set would contain itself")]
    Cycle(usize),
    #[error("{0}")]
    Thumb(AssetError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Makes a set in a folder that is there.
    pub async fn create_set(&self, change: Change, set: UserSet) -> Result<AssetId, SetError> {
        self.write(move |tx| Box::pin(async move { create(tx, change, set).await })).await
    }

    /// Changes a set, which must be of one of these types.
    pub async fn change_set(
        &self,
        change: Change,
        set: AssetId,
        types: &'static [AssetType],
        content: SetContent,
    ) -> Result<(), SetError> {
        self.write(move |tx| Box::pin(async move { alter(tx, change, set, types, &content).await })).await
    }
}

async fn create(tx: &mut Transaction, change: Change, set: UserSet) -> Result<AssetId, SetError> {
    if folders::find(tx, change.company, &set.folder).await?.is_none() {
        return Err(AssetError::NoFolder(set.folder).into());
    }
    let new = NewAsset {
        company: change.company,
        folder: set.folder,
        name: set.name,
        file_name: String::new(),
        master: Master {
            asset_type: set.set_type,
            blob: String::new(),
            bytes: 0,
            pixels: None,
            facts: PictureFacts::default(),
            making: Making::default(),
        },
        marked_in: Contexts::NONE,
        by: change.by,
        at: change.at,
    };
    let id = ingest::insert(tx, &new).await?;
    describe(tx, id, set.sub_type.as_deref()).await?;
    fill(tx, change, id, set.set_type, &set.content).await?;
    Ok(id)
}

async fn alter(
    tx: &mut Transaction,
    change: Change,
    set: AssetId,
    types: &[AssetType],
    content: &SetContent,
) -> Result<(), SetError> {
    let known = usable(held(tx, change.company, &[set]).await?.remove(&set))?;
    if !types.contains(&known.asset_type) {
        return Err(SetError::WrongType(known.name));
    }
    describe(tx, set, None).await?;
    fill(tx, change, set, known.asset_type, content).await?;
    changed(tx, change, &[set]).await?;
    Ok(folders::touch(tx, &[known.folder], change.at).await?)
}

/// Makes sure that the set has a row for what clients say of it.
pub(super) async fn describe(tx: &mut Transaction, set: AssetId, sub_type: Option<&str>) -> Result<(), StoreError> {
    sql::query("INSERT INTO set_detail (set_id, sub_type) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(set.0)
        .bind(sub_type)
        .execute(tx)
        .await
        .map(|_| ())
        .map_err(StoreError::doing("describe a set"))
}

async fn fill(
    tx: &mut Transaction,
    change: Change,
    set: AssetId,
    set_type: AssetType,
    content: &SetContent,
) -> Result<(), SetError> {
    if let Some(thumb) = content.thumb {
        usable(held(tx, change.company, &[thumb]).await?.remove(&thumb)).map_err(SetError::Thumb)?;
    }
    if let Some(seats) = &content.seats {
        check_members(tx, change, set, seats).await?;
        // Only swatch sets and eCatalogs have groups.
        let has_groups = matches!(set_type, AssetType::RenderSet | AssetType::Catalog);
        let member =
            |seat: &Seat| Member { page_reset: Some(seat.page_reset || !has_groups), ..Member::of(seat.asset) };
        let mut members = seats.iter().map(member).collect();
        // Those of an asset set are what its definition names.
        if content.definition.is_none() {
            members = with_those_away(tx, set, members).await?;
        }
        set_members(tx, change, set, &members).await?;
    }
    sql::query(
        "UPDATE set_detail SET definition = coalesce($2, definition), thumb_id = coalesce($3, thumb_id) WHERE set_id = $1",
    )
    .bind(set.0)
    .bind(&content.definition)
    .bind(content.thumb.map(|thumb| thumb.0))
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(StoreError::doing("describe a set"))?;
    Ok(())
}

async fn check_members(tx: &mut Transaction, change: Change, set: AssetId, seats: &[Seat]) -> Result<(), SetError> {
    let members: Vec<AssetId> = seats.iter().map(|seat| seat.asset).collect();
    let known = held(tx, change.company, &members).await?;
    for (index, member) in members.iter().enumerate() {
        usable(known.get(member)).map_err(|error| SetError::Member(index, error))?;
    }
    let containing = sql::query(
        "WITH RECURSIVE above (id) AS (
             SELECT CAST($1 AS bigint) UNION SELECT s.set_id FROM above JOIN set_member s ON s.asset_id = above.id
         )
         SELECT id FROM above",
    )
    .bind(set.0)
    .fetch_all(tx)
    .await
    .map_err(StoreError::doing("look for sets that a set is in"))?;
    let containing: Vec<AssetId> = containing.iter().map(|row| AssetId(row.get(0))).collect();
    match members.iter().position(|member| containing.contains(member)) {
        Some(index) => Err(SetError::Cycle(index)),
        None => Ok(()),
    }
}

fn usable<H: std::borrow::Borrow<Held>>(held: Option<H>) -> Result<H, AssetError> {
    match held {
        None => Err(AssetError::NotFound),
        Some(held) => match held.borrow().trash_state {
            TrashState::NotInTrash => Ok(held),
            TrashState::InTrash => Err(AssetError::InTrash(held.borrow().name.clone())),
            TrashState::InEmptiedTrash => Err(AssetError::NotFound),
        },
    }
}

/// These assets and all that is marked with them: what belongs to a set, and what was made from an asset.
pub(super) async fn with_what_belongs(tx: &mut Transaction, assets: &[AssetId]) -> Result<Vec<AssetId>, StoreError> {
    let rows = sql::query(
        "WITH RECURSIVE below (id) AS (
             SELECT a.id FROM ids($1) i JOIN asset a ON a.id = i.id AND a.trash_state = 'NotInTrash'
             UNION
             SELECT a.id FROM below STRAIGHT_JOIN asset a
             ON (a.parent_id = below.id OR a.id IN (SELECT s.asset_id FROM set_member s WHERE s.set_id = below.id))
                AND a.trash_state = 'NotInTrash'
         )
         SELECT id FROM below ORDER BY 1",
    )
    .list(assets)
    .fetch_all(tx)
    .await
    .map_err(StoreError::doing("look for what belongs to assets"))?;
    Ok(rows.iter().map(|row| AssetId(row.get(0))).collect())
}
