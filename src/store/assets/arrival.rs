//! A file that arrives under a name: a new asset, another master, an asset with a number, or a duplicate. The decision is
//! made in the transaction that writes it, so that two uploads of one name cannot both find it free.

use chrono::{DateTime, Utc};
use sqlx::sqlite::SqliteRow;

use super::ingest::{self, Master, NewAsset, Replacement};
use super::{AssetError, Contexts};
use crate::model::asset::TrashState;
use crate::model::id::{AccountId, AssetId, CompanyId};
use crate::model::name::FileName;
use crate::model::overwrite::{Clash, OverwriteMode, Resolution};
use crate::store::rows::{constant, get};
use crate::store::{Store, StoreError, Transaction};

#[derive(Debug, Clone, PartialEq)]
pub struct Arrival {
    pub company: CompanyId,
    /// Cleaned path; folders that are missing are made.
    pub folder: String,
    pub name: FileName,
    pub master: Master,
    pub overwrite: bool,
    pub ready_for_publish: bool,
    /// Whether an overwritten asset keeps its marks; None leaves it to the company.
    pub preserve_publish_state: Option<bool>,
    pub by: AccountId,
    pub at: DateTime<Utc>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filed {
    Added {
        asset: AssetId,
        name: String,
    },
    /// Its name was taken by an asset that it may not replace.
    AddedWithNumber {
        asset: AssetId,
        name: String,
    },
    Updated {
        asset: AssetId,
        name: String,
        /// The folder it was in, if it moved.
        moved_from: Option<String>,
    },
    /// Left out: `asset` has the name.
    Duplicate {
        asset: AssetId,
        name: String,
    },
}

impl Filed {
    /// The asset that has the file, or the name that the file would have had.
    pub const fn asset(&self) -> AssetId {
        match self {
            Self::Added { asset, .. }
            | Self::AddedWithNumber { asset, .. }
            | Self::Updated { asset, .. }
            | Self::Duplicate { asset, .. } => *asset,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Added { name, .. }
            | Self::AddedWithNumber { name, .. }
            | Self::Updated { name, .. }
            | Self::Duplicate { name, .. } => name,
        }
    }
}

/// The asset that has the name, or one that came under it and got a number.
struct Namesake {
    id: AssetId,
    name: String,
    folder: String,
    file_name: String,
    trash_state: TrashState,
}

impl Store {
    pub async fn file_asset(&self, arrival: Arrival) -> Result<Filed, AssetError> {
        self.write(|tx| Box::pin(async move { file(tx, arrival).await })).await
    }
}

pub(in crate::store) async fn file(tx: &mut Transaction, arrival: Arrival) -> Result<Filed, AssetError> {
    let rules = overwrite_rules(tx, arrival.company).await?;
    let namesake = namesake(tx, arrival.company, &arrival.name.stem).await?;
    let first = namesake.map(|namesake| (resolve(&arrival, &namesake, &rules), namesake));
    let has_name = first.is_some();
    let found = match first {
        Some(found) if found.0 != Resolution::Rename => Some(found),
        // A file that came before and got a number goes where it went then, even if its own name is free by now.
        _ if has_name || arrival.overwrite => numbered(tx, &arrival, &rules).await?,
        _ => None,
    };
    match found {
        Some((Resolution::Skip, asset)) => Ok(Filed::Duplicate { asset: asset.id, name: asset.name }),
        Some((Resolution::Replace, asset)) => overwrite(tx, arrival, &asset, &rules, false).await,
        Some((Resolution::ReplaceAndMove, asset)) => overwrite(tx, arrival, &asset, &rules, true).await,
        Some((Resolution::Rename, _)) | None if has_name => add_with_number(tx, arrival).await,
        Some((Resolution::Rename, _)) | None => {
            let name = arrival.name.stem.clone();
            Ok(Filed::Added { asset: add(tx, arrival).await?, name })
        }
    }
}

fn resolve(arrival: &Arrival, namesake: &Namesake, rules: &OverwriteRules) -> Resolution {
    let clash = Clash {
        same_folder: namesake.folder == arrival.folder,
        same_extension: extension(&namesake.file_name) == arrival.name.extension,
        in_trash: namesake.trash_state != TrashState::NotInTrash,
    };
    rules.mode.resolve(arrival.overwrite, clash)
}

async fn add_with_number(tx: &mut Transaction, arrival: Arrival) -> Result<Filed, AssetError> {
    let wanted = arrival.name.stem.clone();
    let free = free_name(tx, arrival.company, &arrival.name).await?;
    let name = free.stem.clone();
    let asset = add(tx, Arrival { name: free, ..arrival }).await?;
    ingest::note_arrival(tx, asset, &wanted).await?;
    Ok(Filed::AddedWithNumber { asset, name })
}

async fn add(tx: &mut Transaction, arrival: Arrival) -> Result<AssetId, AssetError> {
    let new = NewAsset {
        company: arrival.company,
        folder: arrival.folder,
        file_name: arrival.name.with_extension(),
        name: arrival.name.stem,
        master: arrival.master,
        marked_in: if arrival.ready_for_publish { Contexts::All } else { Contexts::NONE },
        by: arrival.by,
        at: arrival.at,
    };
    ingest::insert(tx, &new).await
}

async fn overwrite(
    tx: &mut Transaction,
    arrival: Arrival,
    namesake: &Namesake,
    rules: &OverwriteRules,
    moved: bool,
) -> Result<Filed, AssetError> {
    let marked_in = if arrival.preserve_publish_state.unwrap_or(rules.retain_publish_state) {
        None
    } else if arrival.ready_for_publish {
        Some(Contexts::All)
    } else {
        Some(Contexts::NONE)
    };
    let replacement = Replacement {
        company: arrival.company,
        asset: namesake.id,
        file_name: FileName { stem: namesake.name.clone(), ..arrival.name }.with_extension(),
        master: arrival.master,
        move_to: moved.then_some(arrival.folder),
        marked_in,
        by: arrival.by,
        at: arrival.at,
    };
    ingest::replace(tx, &replacement).await?;
    let moved_from = moved.then(|| namesake.folder.clone());
    Ok(Filed::Updated { asset: namesake.id, name: namesake.name.clone(), moved_from })
}

struct OverwriteRules {
    mode: OverwriteMode,
    retain_publish_state: bool,
}

async fn overwrite_rules(tx: &mut Transaction, company: CompanyId) -> Result<OverwriteRules, StoreError> {
    let row = sqlx::query("SELECT overwrite_mode, retain_publish_state FROM company WHERE id = $1")
        .bind(company.0)
        .fetch_one(tx)
        .await
        .map_err(StoreError::doing("read the overwrite mode of a company"))?;
    Ok(OverwriteRules {
        mode: constant(&row, "overwrite_mode")?,
        retain_publish_state: get(&row, "retain_publish_state")?,
    })
}

fn extension(file_name: &str) -> &str {
    file_name.rsplit_once('.').map_or("", |(_, extension)| extension)
}

/// The asset that has this name, wherever it is.
async fn namesake(tx: &mut Transaction, company: CompanyId, name: &str) -> Result<Option<Namesake>, StoreError> {
    let row = sqlx::query(
        "SELECT a.id, a.name, f.path, a.file_name, a.trash_state
         FROM asset a JOIN folder f ON f.id = a.folder_id WHERE a.company_id = $1 AND a.name = $2",
    )
    .bind(company.0)
    .bind(name)
    .fetch_optional(tx)
    .await
    .map_err(StoreError::doing("look for an asset by its name"))?;
    row.as_ref().map(read).transpose()
}

/// Among the assets whose files came under this name and got a number, the one that this file has to do with, and how:
/// best one that stays where it is, then the oldest.
async fn numbered(
    tx: &mut Transaction,
    arrival: &Arrival,
    rules: &OverwriteRules,
) -> Result<Option<(Resolution, Namesake)>, StoreError> {
    let rows = sqlx::query(
        "SELECT a.id, a.name, f.path, a.file_name, a.trash_state
         FROM asset a JOIN folder f ON f.id = a.folder_id WHERE a.company_id = $1 AND a.arrived_as = $2 ORDER BY a.id",
    )
    .bind(arrival.company.0)
    .bind(&arrival.name.stem)
    .fetch_all(tx)
    .await
    .map_err(StoreError::doing("look for assets that got a number"))?;
    let all = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let resolved = all.into_iter().map(|asset| (resolve(arrival, &asset, rules), asset));
    let kin = resolved.filter(|(resolution, _)| *resolution != Resolution::Rename);
    Ok(kin.min_by_key(|(resolution, asset)| (*resolution == Resolution::ReplaceAndMove, asset.id)))
}

fn read(row: &SqliteRow) -> Result<Namesake, StoreError> {
    Ok(Namesake {
        id: AssetId(get(row, "id")?),
        name: get(row, "name")?,
        folder: get(row, "path")?,
        file_name: get(row, "file_name")?,
        trash_state: constant(row, "trash_state")?,
    })
}

/// The name itself if it is free, or with a number.
pub(super) async fn free_name_from(
    tx: &mut Transaction,
    company: CompanyId,
    wanted: FileName,
) -> Result<FileName, StoreError> {
    if is_taken(tx, company, &wanted.stem).await? { free_name(tx, company, &wanted).await } else { Ok(wanted) }
}

/// The file name with a number that makes its stem a free asset name. Numbers are tried in growing steps and then
/// halved, so that the ten thousandth duplicate costs little more than the first.
async fn free_name(tx: &mut Transaction, company: CompanyId, wanted: &FileName) -> Result<FileName, StoreError> {
    let mut taken = 0;
    let mut free = 1;
    while is_taken(tx, company, &wanted.numbered(free).stem).await? {
        taken = free;
        free = free.saturating_mul(2);
    }
    while free - taken > 1 {
        let middle = taken + (free - taken) / 2;
        if is_taken(tx, company, &wanted.numbered(middle).stem).await? {
            taken = middle;
        } else {
            free = middle;
        }
    }
    Ok(wanted.numbered(free))
}

async fn is_taken(tx: &mut Transaction, company: CompanyId, name: &str) -> Result<bool, StoreError> {
    sqlx::query("SELECT 1 FROM asset WHERE company_id = $1 AND name = $2")
        .bind(company.0)
        .bind(name)
        .fetch_optional(tx)
        .await
        .map(|row| row.is_some())
        .map_err(StoreError::doing("look for a free asset name"))
}
