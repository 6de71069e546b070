//! Sets that scripts put together. What a set has is read in the transaction that changes it, so that two jobs that extend
//! one set both do.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::change::{Change, changed, held};
use super::ingest::{self, Master, NewAsset};
use super::marking::{self, Marking};
use super::set_change::{Seat, describe, with_what_belongs};
use super::sets::{Member, set_members};
use super::{AssetError, Contexts, set_marks};
use crate::model::arrangement::{Arrangement, LeftOut, Named, Placed, arrange};
use crate::model::asset::{AssetType, PictureFacts, TrashState};
use crate::model::id::{AccountId, AssetId, CompanyId, FolderId};
use crate::model::making::Making;
use crate::model::property_set::{Cell, SetScript};
use crate::model::{handle, set_definition};
use crate::store::rows::{constant, get};
use crate::store::sql::{self, Cells};
use crate::store::{StoreError, Transaction, folders};

/// Assets that join a set.
#[derive(Debug, Clone, PartialEq)]
pub struct Growth {
    pub company: CompanyId,
    pub name: String,
    /// Where it is made if it is not there; folders that are missing are made.
    pub folder: String,
    pub script: Arc<SetScript>,
    pub assets: Vec<AssetId>,
    /// Of the set, and of what joins it by this job.
    pub marking: Marking,
    pub by: AccountId,
    pub at: DateTime<Utc>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grown {
    Set {
        set: AssetId,
        became: Became,
        /// Without those in the trash.
        members: usize,
        left_out: Vec<LeftOut>,
        marks: SetMarks,
    },
    /// Nothing could be taken into it, so that it was not made.
    Empty(Vec<LeftOut>),
    /// Something else has its name.
    NameTaken,
    /// It is in the trash, where its name is kept.
    InTrash,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Became {
    New,
    Changed,
    /// It had these members in this order.
    Same,
}

/// What became of the marks of what was there, the set or what joins it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetMarks {
    /// Nothing that is worth a line.
    AsBefore,
    /// The set is to be published and is not marked everywhere; it keeps its marks.
    Kept,
    /// So many assets are marked that were not.
    Marked(usize),
    /// The set is not marked any more.
    Unmarked,
}

impl Grown {
    pub const fn set(&self) -> Option<AssetId> {
        match self {
            Self::Set { set, .. } => Some(*set),
            Self::Empty(_) | Self::NameTaken | Self::InTrash => None,
        }
    }
}

/// The asset that has the name of the set.
struct Namesake {
    id: AssetId,
    asset_type: AssetType,
    sub_type: Option<String>,
    trash_state: TrashState,
}

pub(in crate::store) async fn grow(tx: &mut Transaction, growth: &Growth) -> Result<Grown, AssetError> {
    let kind = growth.script.kind;
    let known = match namesake(tx, growth).await? {
        Some(known) if known.asset_type != kind.asset_type() || known.sub_type.as_deref() != kind.sub_type() => {
            return Ok(Grown::NameTaken);
        }
        Some(known) if known.trash_state != TrashState::NotInTrash => return Ok(Grown::InTrash),
        known => known.map(|known| known.id),
    };
    let before = match known {
        Some(set) => members(tx, set).await?,
        None => Vec::new(),
    };
    let Arrangement { members, present, left_out } = arrangement(tx, growth, &before).await?;
    if members.is_empty() {
        return Ok(Grown::Empty(left_out));
    }
    let (set, became) = match known {
        Some(set) if before == members => (set, Became::Same),
        Some(set) => (set, Became::Changed),
        None => (add(tx, growth).await?, Became::New),
    };
    if became != Became::Same {
        fill(tx, growth, set, &members).await?;
    }
    let own: HashSet<AssetId> = growth.assets.iter().copied().collect();
    let joined = members.iter().map(|placed| placed.id.asset).filter(|asset| own.contains(asset)).collect();
    let marks = mark(tx, growth, (set, became), joined).await?;
    Ok(Grown::Set { set, became, members: present, left_out, marks })
}

async fn namesake(tx: &mut Transaction, growth: &Growth) -> Result<Option<Namesake>, StoreError> {
    let row = sql::query(
        "SELECT a.id, a.asset_type, d.sub_type, a.trash_state FROM asset a LEFT JOIN set_detail d ON d.set_id = a.id
         WHERE a.company_id = $1 AND a.name = $2",
    )
    .bind(growth.company.0)
    .bind(&growth.name)
    .fetch_optional(tx)
    .await
    .map_err(StoreError::doing("look for a set by its name"))?;
    row.map(|row| {
        Ok(Namesake {
            id: AssetId(get(&row, "id")?),
            asset_type: constant(&row, "asset_type")?,
            sub_type: get(&row, "sub_type")?,
            trash_state: constant(&row, "trash_state")?,
        })
    })
    .transpose()
}

/// Members that a set has, those in the trash included: they may come back.
async fn members(tx: &mut Transaction, set: AssetId) -> Result<Vec<Placed<Seat>>, StoreError> {
    let rows = sql::query("SELECT asset_id, row, col, page_reset FROM set_member WHERE set_id = $1 ORDER BY position")
        .bind(set.0)
        .fetch_all(tx)
        .await
        .map_err(StoreError::doing("read the members of a set"))?;
    rows.iter()
        .map(|row| {
            let (row_number, column): (Option<u32>, Option<u32>) = (get(row, "row")?, get(row, "col")?);
            let cell = row_number.zip(column).map(|(row, column)| Cell { row, column });
            let seat = Seat { asset: AssetId(get(row, "asset_id")?), page_reset: get(row, "page_reset")? };
            Ok(Placed { id: seat, cell })
        })
        .collect()
}

async fn arrangement(
    tx: &mut Transaction,
    growth: &Growth,
    before: &[Placed<Seat>],
) -> Result<Arrangement<Seat>, StoreError> {
    let old: Vec<AssetId> = before.iter().map(|placed| placed.id.asset).collect();
    let mut seen: HashSet<AssetId> = old.iter().copied().collect();
    let new: Vec<AssetId> = growth.assets.iter().copied().filter(|id| seen.insert(*id)).collect();
    let mut known = held(tx, growth.company, &[old.as_slice(), new.as_slice()].concat()).await?;
    // What went to the trash or away since it was looked for does not join.
    known.retain(|id, held| held.trash_state == TrashState::NotInTrash || !new.contains(id));
    let named = |seat: Seat| {
        let held = known.get(&seat.asset)?;
        Some(Named { id: seat, name: held.name.clone(), is_away: held.trash_state != TrashState::NotInTrash })
    };
    let old = before.iter().filter_map(|placed| named(placed.id)).collect();
    let new = new.into_iter().filter_map(|asset| named(Seat { asset, page_reset: true })).collect();
    Ok(arrange(&growth.script, old, new))
}

async fn add(tx: &mut Transaction, growth: &Growth) -> Result<AssetId, AssetError> {
    let new = NewAsset {
        company: growth.company,
        folder: growth.folder.clone(),
        name: growth.name.clone(),
        file_name: String::new(),
        master: Master {
            asset_type: growth.script.kind.asset_type(),
            blob: String::new(),
            bytes: 0,
            pixels: None,
            facts: PictureFacts::default(),
            making: Making::default(),
        },
        marked_in: Contexts::NONE,
        by: growth.by,
        at: growth.at,
    };
    let set = ingest::insert(tx, &new).await?;
    describe(tx, set, growth.script.kind.sub_type()).await?;
    Ok(set)
}

async fn fill(tx: &mut Transaction, growth: &Growth, set: AssetId, members: &[Placed<Seat>]) -> Result<(), StoreError> {
    let member = |placed: &Placed<Seat>| Member {
        asset: placed.id.asset,
        row: placed.cell.map(|cell| cell.row),
        col: placed.cell.map(|cell| cell.column),
        page_reset: Some(placed.id.page_reset),
    };
    set_members(tx, change(growth), set, &members.iter().map(member).collect::<Vec<_>>()).await?;
    if growth.script.kind.asset_type() == AssetType::AssetSet {
        let definition = definition(tx, growth.company, members).await?;
        sql::query("UPDATE set_detail SET definition = $2 WHERE set_id = $1")
            .bind(set.0)
            .bind(definition)
            .execute(&mut *tx)
            .await
            .map_err(StoreError::doing("define a set"))?;
    }
    let folder = sql::query("SELECT folder_id FROM asset WHERE id = $1")
        .bind(set.0)
        .fetch_one(&mut *tx)
        .await
        .map_err(StoreError::doing("look for the folder of a set"))?;
    folders::touch(tx, &[FolderId(folder.get(0))], growth.at).await
}

/// Rows of a spin with two axes.
async fn definition(tx: &mut Transaction, company: CompanyId, members: &[Placed<Seat>]) -> Result<String, StoreError> {
    let numbers: Vec<AssetId> = members.iter().map(|placed| placed.id.asset).collect();
    let known = held(tx, company, &numbers).await?;
    let mut rows: Vec<(u32, Vec<String>)> = Vec::new();
    for placed in members {
        let (Some(cell), Some(held)) = (placed.cell, known.get(&placed.id.asset)) else { continue };
        let handle = handle::asset(placed.id.asset, held.asset_type);
        match rows.last_mut() {
            Some((row, handles)) if *row == cell.row => handles.push(handle),
            _ => rows.push((cell.row, vec![handle])),
        }
    }
    Ok(set_definition::of_rows(&rows.into_iter().map(|(_, handles)| handles).collect::<Vec<_>>()))
}

/// Marks a set that is new, or was there, by the rule; and what joins it by this job, unless the job keeps marks: a set that is
/// marked has its members published all the same.
async fn mark(
    tx: &mut Transaction,
    growth: &Growth,
    (set, became): (AssetId, Became),
    joined: Vec<AssetId>,
) -> Result<SetMarks, StoreError> {
    let (company, marking) = (growth.company, growth.marking);
    let is_ready = marking.ready == Some(true);
    if became == Became::New {
        set_marks(tx, company, &[set], &marking.of_new(), true).await?;
    }
    if marking.keeps(tx, company).await? {
        let lacks = is_ready && !unmarked(tx, growth, &[set]).await?.is_empty();
        return Ok(if lacks { SetMarks::Kept } else { SetMarks::AsBefore });
    }
    if !is_ready {
        return unmark(tx, growth, set).await;
    }
    let all = with_what_belongs(tx, &joined).await?;
    let unmarked = unmarked(tx, growth, &[&[set], all.as_slice()].concat()).await?;
    if unmarked.is_empty() {
        return Ok(SetMarks::AsBefore);
    }
    set_marks(tx, company, &unmarked, &Contexts::All, true).await?;
    changed(tx, change(growth), &unmarked).await?;
    Ok(SetMarks::Marked(unmarked.len()))
}

/// Those that are not marked in every context.
async fn unmarked(tx: &mut Transaction, growth: &Growth, assets: &[AssetId]) -> Result<Vec<AssetId>, StoreError> {
    let unmarked = sql::query(
        "SELECT a.id FROM ids($1) a WHERE EXISTS (
             SELECT 1 FROM publish_context c LEFT JOIN publish_mark m ON m.context_id = c.id AND m.asset_id = a.id
             WHERE c.company_id = $2 AND c.kind <> 'Metadata' AND coalesce(m.marked, 0) = 0)",
    )
    .list(assets)
    .bind(growth.company.0)
    .fetch_all(tx)
    .await
    .map_err(StoreError::doing("look for what is not marked yet"))?;
    Ok(unmarked.iter().map(|row| AssetId(row.get(0))).collect())
}

async fn unmark(tx: &mut Transaction, growth: &Growth, set: AssetId) -> Result<SetMarks, StoreError> {
    if marking::unmark(tx, &[set]).await? == 0 {
        return Ok(SetMarks::AsBefore);
    }
    changed(tx, change(growth), &[set]).await?;
    Ok(SetMarks::Unmarked)
}

const fn change(growth: &Growth) -> Change {
    Change { company: growth.company, by: growth.by, at: growth.at }
}
