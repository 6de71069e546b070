//! A file that arrives under a name: a new asset, another master, an asset with a number, or a duplicate. The decision is
//! made in the transaction that writes it, so that two uploads of one name cannot both find it free.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use super::ingest::{self, Master, NewAsset, Replacement};
use super::marking::{Follows, Marking};
use super::parts::Order;
use super::{AssetError, parts};
use crate::model::asset::TrashState;
use crate::model::id::{AccountId, AssetId, CompanyId, InstanceId};
use crate::model::making::Making;
use crate::model::name::FileName;
use crate::model::overwrite::{Claim, Kin, Made, OverwriteMode, SameName, Verdict};
use crate::model::source::{Siblings, SourceName};
use crate::store::rows::{constant, get, instant, json};
use crate::store::sql::{self, Connection, Row};
use crate::store::{Reads, StoreError, Transaction};

#[derive(Debug, Clone, PartialEq)]
pub struct Arrival {
    pub company: CompanyId,
    /// Cleaned path; folders that are missing are made.
    pub folder: String,
    pub name: FileName,
    pub source: SourceName,
    /// Other files of the job that get this name because theirs are cleaned.
    pub siblings: Siblings,
    /// The run that it came with.
    pub run: InstanceId,
    pub master: Master,
    /// How the asset was made whose master it was to replace when its own making was computed; the default if there was none.
    pub built_on: Making,
    pub overwrite: bool,
    pub same_name: SameName,
    pub marking: Marking,
    /// What the keys of parts begin with that the job goes on to make of it.
    pub brings_forth: Vec<&'static str>,
    /// Where it is there already, the job makes the parts that another left out.
    pub goes_on: bool,
    pub by: AccountId,
    pub at: DateTime<Utc>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filed {
    Added {
        asset: AssetId,
        name: String,
        /// Of a part.
        follows: Follows,
    },
    /// Its name was taken by an asset that it may not replace, or belongs to another file of the job.
    AddedWithNumber {
        asset: AssetId,
        name: String,
        /// The file that has the name, if it is one of the same job whose name was another before it was cleaned.
        shared_with: Option<SourceName>,
        /// Of a part.
        follows: Follows,
    },
    Updated {
        asset: AssetId,
        name: String,
        /// The folder it was in, if it moved.
        moved_from: Option<String>,
        /// The file whose content it had until now, if that came in the same run: no asset has it any more.
        in_place_of: Option<SourceName>,
        /// The asset that it was a part of until now.
        part_of: Option<String>,
        /// How many of its parts went to the trash, which the new master does not bring forth.
        parts_gone: u64,
        /// How it came out of the trash, if it is a part that lay there.
        came_back: Option<Follows>,
    },
    /// The asset has the name, or got a number when it came under it, and the same content.
    Duplicate {
        asset: Box<Kin>,
        /// The run goes on with parts of it that an earlier one left out.
        goes_on: bool,
    },
    /// The asset has the name and other content.
    LeftOut(Box<Kin>),
}

impl Filed {
    /// The asset that has the file, or the name that the file would have had.
    pub fn asset(&self) -> AssetId {
        match self {
            Self::Added { asset, .. } | Self::AddedWithNumber { asset, .. } | Self::Updated { asset, .. } => *asset,
            Self::Duplicate { asset, .. } => asset.id,
            Self::LeftOut(kin) => kin.id,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Added { name, .. } | Self::AddedWithNumber { name, .. } | Self::Updated { name, .. } => name,
            Self::Duplicate { asset, .. } => &asset.name,
            Self::LeftOut(kin) => &kin.name,
        }
    }

    /// Whether the file has become the master of an asset.
    pub const fn is_master(&self) -> bool {
        match self {
            Self::Added { .. } | Self::AddedWithNumber { .. } | Self::Updated { .. } => true,
            Self::Duplicate { .. } | Self::LeftOut(_) => false,
        }
    }
}

impl Reads {
    /// The asset that has this name, and those whose files came under it and got a number.
    pub async fn kin(&self, company: CompanyId, name: &str) -> Result<Vec<Kin>, StoreError> {
        kin(&mut *self.reader().await?, company, name).await
    }
}

pub(in crate::store) async fn file(tx: &mut Transaction, arrival: Arrival) -> Result<Filed, AssetError> {
    let mode = overwrite_mode(tx, arrival.company).await?;
    let kin = kin(tx, arrival.company, &arrival.name.stem).await?;
    let verdict = claim(&arrival, mode).settle(&kin);
    check_basis(tx, &arrival, &verdict).await?;
    match verdict {
        Verdict::Add => {
            let name = arrival.name.stem.clone();
            Ok(Filed::Added { asset: add(tx, arrival).await?, name, follows: Follows::All })
        }
        Verdict::Number(shared_with) => {
            let shared_with = shared_with.cloned();
            add_with_number(tx, arrival, shared_with).await
        }
        Verdict::Replace(asset) => {
            let asset = asset.clone();
            overwrite(tx, arrival, &asset, false).await
        }
        Verdict::ReplaceAndMove(asset) => {
            let asset = asset.clone();
            overwrite(tx, arrival, &asset, true).await
        }
        Verdict::Same(asset) => {
            if asset.source.is_none() {
                note_source(tx, asset.id, &arrival.source, arrival.run, asset.since).await?;
            }
            let order = Order { parent: asset.id, blob: asset.blob.clone(), run: arrival.run };
            let goes_on = arrival.goes_on && parts::take_over(tx, &order).await?;
            Ok(Filed::Duplicate { asset: Box::new(asset.clone()), goes_on })
        }
        Verdict::LeaveOut(asset) => Ok(Filed::LeftOut(Box::new(asset.clone()))),
    }
}

/// What goes over from an asset to the next master must be what that master was computed with: somebody may have set a crop,
/// or put another asset in the place, while it was made.
async fn check_basis(tx: &mut Transaction, arrival: &Arrival, verdict: &Verdict<'_>) -> Result<(), AssetError> {
    let (asset, making) = match verdict {
        Verdict::Replace(asset) | Verdict::ReplaceAndMove(asset) => {
            let row = sql::query("SELECT making FROM asset WHERE id = $1")
                .bind(asset.id.0)
                .fetch_one(tx)
                .await
                .map_err(StoreError::doing("look at how an asset is made"))?;
            (asset.id, json::<Making>(&row, "making")?)
        }
        Verdict::Add | Verdict::Number(_) => (AssetId(0), Making::default()),
        Verdict::Same(_) | Verdict::LeaveOut(_) => return Ok(()),
    };
    if making.goes_over_as(&arrival.built_on) { Ok(()) } else { Err(AssetError::Overtaken(asset)) }
}

fn claim(arrival: &Arrival, mode: OverwriteMode) -> Claim<'_> {
    Claim {
        name: &arrival.name,
        folder: &arrival.folder,
        source: &arrival.source,
        siblings: &arrival.siblings,
        run: arrival.run,
        content: Some(&arrival.master.blob),
        overwrite: arrival.overwrite,
        mode,
        same_name: arrival.same_name,
    }
}

async fn add_with_number(
    tx: &mut Transaction,
    arrival: Arrival,
    shared_with: Option<SourceName>,
) -> Result<Filed, AssetError> {
    let wanted = arrival.name.stem.clone();
    let free = free_name(tx, arrival.company, &arrival.name).await?;
    let name = free.stem.clone();
    let asset = add(tx, Arrival { name: free, ..arrival }).await?;
    ingest::note_arrival(tx, asset, &wanted).await?;
    Ok(Filed::AddedWithNumber { asset, name, shared_with, follows: Follows::All })
}

async fn add(tx: &mut Transaction, arrival: Arrival) -> Result<AssetId, AssetError> {
    let new = NewAsset {
        company: arrival.company,
        folder: arrival.folder,
        file_name: arrival.name.with_extension(),
        name: arrival.name.stem,
        master: arrival.master,
        marked_in: arrival.marking.of_new(),
        by: arrival.by,
        at: arrival.at,
    };
    let asset = ingest::insert(tx, &new).await?;
    note_source(tx, asset, &arrival.source, arrival.run, arrival.at).await?;
    if !arrival.brings_forth.is_empty() {
        parts::note_ordered(tx, asset, Some(arrival.run)).await?;
    }
    Ok(asset)
}

async fn overwrite(tx: &mut Transaction, arrival: Arrival, namesake: &Kin, moved: bool) -> Result<Filed, AssetError> {
    let is_other = arrival.master.blob != namesake.blob;
    let replacement = Replacement {
        company: arrival.company,
        asset: namesake.id,
        file_name: Some(FileName { stem: namesake.name.clone(), ..arrival.name }.with_extension()),
        master: arrival.master,
        move_to: moved.then_some(arrival.folder),
        marking: arrival.marking,
        by: arrival.by,
        at: arrival.at,
    };
    let part_of = parts::release(tx, namesake.id).await?;
    ingest::replace(tx, &replacement).await?;
    note_source(tx, namesake.id, &arrival.source, arrival.run, arrival.at).await?;
    let moved_from = moved.then(|| namesake.folder.clone());
    let parts_gone = if is_other {
        parts::keep_kinds(tx, replacement.company, namesake.id, &arrival.brings_forth, arrival.at).await?
    } else {
        0
    };
    if is_other || !arrival.brings_forth.is_empty() {
        let run = Some(arrival.run).filter(|_| !arrival.brings_forth.is_empty());
        parts::note_ordered(tx, namesake.id, run).await?;
    }
    let in_place_of = namesake.source.clone().filter(|_| namesake.run == Some(arrival.run) && is_other);
    let name = namesake.name.clone();
    Ok(Filed::Updated { asset: namesake.id, name, moved_from, in_place_of, part_of, parts_gone, came_back: None })
}

/// Notes which file the master of an asset is.
async fn note_source(
    tx: &mut Transaction,
    asset: AssetId,
    source: &SourceName,
    run: InstanceId,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    sql::query("UPDATE asset SET source_path = $2, source_run = $3, source_at = $4 WHERE id = $1")
        .bind(asset.0)
        .bind(source.path())
        .bind(run.0)
        .bind(at.timestamp_millis())
        .execute(tx)
        .await
        .map(|_| ())
        .map_err(StoreError::doing("note where a file came from"))
}

async fn overwrite_mode(tx: &mut Transaction, company: CompanyId) -> Result<OverwriteMode, StoreError> {
    let row = sql::query("SELECT overwrite_mode FROM company WHERE id = $1")
        .bind(company.0)
        .fetch_one(tx)
        .await
        .map_err(StoreError::doing("read the overwrite mode of a company"))?;
    constant(&row, "overwrite_mode")
}

/// The asset that has this name, wherever it is, and then those whose files came under it and got a number.
async fn kin(connection: &mut Connection, company: CompanyId, name: &str) -> Result<Vec<Kin>, StoreError> {
    // Two look-ups, each by its index.
    let rows = sql::query(
        "SELECT a.id, a.name, f.path, a.file_name, a.trash_state, a.blob, a.bytes, a.making, a.source_path, a.source_run,
                coalesce(a.source_at, a.created_at) AS since, a.parts_run, a.parts_ended,
                -- What an earlier master had is none of this one, and what went with it lies in the trash.
                EXISTS (SELECT 1 FROM asset p WHERE p.parent_id = a.id AND p.made_of = a.blob
                        AND p.trash_state = 'NotInTrash') AS has_parts
         FROM (SELECT id FROM asset WHERE company_id = $1 AND name = $2
               UNION ALL
               SELECT id FROM asset WHERE company_id = $1 AND arrived_as = $2) k
         STRAIGHT_JOIN asset a ON a.id = k.id STRAIGHT_JOIN folder f ON f.id = a.folder_id
         ORDER BY a.name <> $2, a.id",
    )
    .bind(company.0)
    .bind(name)
    .fetch_all(connection)
    .await
    .map_err(StoreError::doing("look for assets by a name"))?;
    let mut seen = HashSet::new();
    let all = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    Ok(all.into_iter().filter(|kin| seen.insert(kin.id)).collect())
}

fn read(row: &Row) -> Result<Kin, StoreError> {
    let source: Option<String> = get(row, "source_path")?;
    let run: Option<i64> = get(row, "source_run")?;
    Ok(Kin {
        id: AssetId(get(row, "id")?),
        name: get(row, "name")?,
        folder: get(row, "path")?,
        file_name: get(row, "file_name")?,
        in_trash: constant::<TrashState>(row, "trash_state")? != TrashState::NotInTrash,
        blob: get(row, "blob")?,
        bytes: get::<i64>(row, "bytes")?.unsigned_abs(),
        is_of_piece: json::<Making>(row, "making")?.is_of_piece(),
        since: instant(row, "since")?,
        source: source.as_deref().map(SourceName::of_path),
        run: run.map(InstanceId),
        made: match (get::<Option<i64>>(row, "parts_run")?, get(row, "parts_ended")?, get(row, "has_parts")?) {
            (Some(_), false, _) => Made::Unfinished,
            (None, _, false) => Made::Nothing,
            (Some(_), true, _) | (None, _, true) => Made::All,
        },
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
    sql::query("SELECT 1 FROM asset WHERE company_id = $1 AND name = $2")
        .bind(company.0)
        .bind(name)
        .fetch_optional(tx)
        .await
        .map(|row| row.is_some())
        .map_err(StoreError::doing("look for a free asset name"))
}
