//! Assets that a job makes from another one: the pages of a PDF, the layers of a Photoshop file, the renditions of a video.
//!
//! A part is known by its parent and its key, never by its name. So a job that runs again replaces what it made before,
//! under the same number and the name that users may have given it since.

use chrono::{DateTime, Utc};

use super::arrival::{self, Filed};
use super::ingest::{self, Master, NewAsset, Replacement};
use super::marking::{self, Follows, Marking};
use super::{AssetError, Contexts, next_change};
use crate::model::asset::{LayerFacts, PictureFacts, TrashState};
use crate::model::handle;
use crate::model::id::{AccountId, AssetId, CompanyId, FolderId, InstanceId};
use crate::model::making::{Crop, Making};
use crate::model::name::FileName;
use crate::store::rows::{constant, get, json as json_of};
use crate::store::sql;
use crate::store::{Reads, StoreError, Transaction, folders};

/// What a run makes parts of. With another master by now, or a run that began later with the parts of the same, nothing is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    pub parent: AssetId,
    /// The master of the parent.
    pub blob: String,
    pub run: InstanceId,
}

/// What a part was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub order: Order,
    /// Which of the things made from it this is, such as `page:3`.
    pub key: String,
    /// How it was made, as far as the options of the order say.
    pub recipe: String,
}

/// A part as a job made it.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    pub company: CompanyId,
    pub origin: Origin,
    /// Name of a part that is new; a number is added if it is taken.
    pub name: FileName,
    /// Where a part that is new goes, below the company root; otherwise beside its parent.
    pub folder: Option<String>,
    pub master: Master,
    /// Of a layer or a page of a picture, the crop that was set on the one that is there when this was made: with another one by now nothing is written.
    pub built_on: Option<Crop>,
    pub marking: Marking,
    pub by: AccountId,
    pub at: DateTime<Utc>,
}

/// A layer that was made of a Photoshop file.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownLayer {
    pub key: String,
    /// Its place in the file that it was last made of, from 1 on.
    pub number: Option<u32>,
    /// That was the master which its parent has now.
    pub is_of_this_file: bool,
    /// It is in the trash.
    pub is_gone: bool,
    /// What was known of it then.
    pub facts: Option<LayerFacts>,
}

/// The part that a parent has under a key.
struct Held {
    id: AssetId,
    name: String,
    folder: FolderId,
    in_trash: bool,
    making: Making,
}

impl Reads {
    /// What was made of `parent` under a key, unless it is in the trash, or the parent has another master by now.
    pub async fn part(
        &self,
        company: CompanyId,
        parent: AssetId,
        parent_blob: &str,
        key: &str,
    ) -> Result<Option<AssetId>, StoreError> {
        sql::scalar(
            "SELECT id FROM asset a WHERE company_id = $1 AND parent_id = $2 AND part = $3 AND trash_state = 'NotInTrash'
             AND EXISTS (SELECT 1 FROM asset p WHERE p.id = a.parent_id AND p.blob = $4)",
        )
        .bind(company.0)
        .bind(parent.0)
        .bind(key)
        .bind(parent_blob)
        .fetch_optional(&mut *self.reader().await?)
        .await
        .map(|id| id.map(AssetId))
        .map_err(StoreError::doing("look for a part of an asset"))
    }

    /// What was made of this master in this way since its parts were ordered last, by keys, in the trash as well: there somebody has
    /// put it since.
    pub async fn parts_made_so(
        &self,
        company: CompanyId,
        parent: AssetId,
        blob: &str,
        recipe: &str,
    ) -> Result<Vec<(String, AssetId)>, StoreError> {
        let rows: Vec<(String, i64)> = sql::tuple(
            "SELECT part, id FROM asset WHERE company_id = $1 AND parent_id = $2 AND part IS NOT NULL AND made_of = $3
             AND part_recipe = $4 AND trash_state <> 'InEmptiedTrash'",
        )
        .bind(company.0)
        .bind(parent.0)
        .bind(blob)
        .bind(recipe)
        .fetch_all(&mut *self.reader().await?)
        .await
        .map_err(StoreError::doing("look for the parts of an asset"))?;
        Ok(rows.into_iter().map(|(key, asset)| (key, AssetId(asset))).collect())
    }

    /// The crop that was set on what was made of `parent` under a key, also if it is in the trash.
    pub async fn crop_before(
        &self,
        company: CompanyId,
        parent: AssetId,
        key: &str,
    ) -> Result<Option<Crop>, StoreError> {
        let row = sql::query(
            "SELECT making FROM asset
             WHERE company_id = $1 AND parent_id = $2 AND part = $3 AND trash_state <> 'InEmptiedTrash'",
        )
        .bind(company.0)
        .bind(parent.0)
        .bind(key)
        .fetch_optional(&mut *self.reader().await?)
        .await
        .map_err(StoreError::doing("look for a part of an asset"))?;
        Ok(row.map(|row| json_of::<Making>(&row, "making")).transpose()?.and_then(|making| making.crop))
    }

    /// All layers that were made of `parent`, in the order in which they were, also those in the trash.
    pub async fn known_layers(&self, company: CompanyId, parent: AssetId) -> Result<Vec<KnownLayer>, StoreError> {
        sql::query(
            "SELECT part, info, making, trash_state <> 'NotInTrash' AS is_gone,
                    made_of IS NOT DISTINCT FROM (SELECT p.blob FROM asset p WHERE p.id = a.parent_id) AS is_of_this_file
             FROM asset a INDEXED BY asset_by_part
             WHERE company_id = $1 AND parent_id = $2 AND part >= 'layer:' AND part < 'layer;'
               AND trash_state <> 'InEmptiedTrash' ORDER BY id",
        )
        .bind(company.0)
        .bind(parent.0)
        .fetch_all(&mut *self.reader().await?)
        .await
        .map_err(StoreError::doing("look for layers of a file"))?
        .iter()
        .map(|row| {
            Ok(KnownLayer {
                key: get(row, "part")?,
                number: json_of::<Making>(row, "making")?.layer.map(|layer| layer.number),
                is_of_this_file: get(row, "is_of_this_file")?,
                is_gone: get(row, "is_gone")?,
                facts: json_of::<PictureFacts>(row, "info")?.layer.map(|layer| *layer),
            })
        })
        .collect()
    }

    /// Whether anything that was made of `parent` is there, outside of the trash.
    pub async fn has_parts(&self, company: CompanyId, parent: AssetId) -> Result<bool, StoreError> {
        sql::scalar(
            "SELECT EXISTS (SELECT 1 FROM asset WHERE company_id = $1 AND parent_id = $2 AND trash_state = 'NotInTrash')",
        )
        .bind(company.0)
        .bind(parent.0)
        .fetch_one(&mut *self.reader().await?)
        .await
        .map_err(StoreError::doing("look for parts of an asset"))
    }

    /// The folder of what is made of `parent` under `key`, as a client sees it: where it is, or else `planned`, or else where its
    /// parent is.
    pub async fn folder_of_part(
        &self,
        company: CompanyId,
        parent: AssetId,
        key: &str,
        planned: Option<&str>,
    ) -> Result<String, StoreError> {
        let (root, path): (String, String) = sql::tuple(
            "SELECT c.root_path, coalesce(
                 (SELECT f.path FROM asset a JOIN folder f ON f.id = a.folder_id
                  WHERE a.company_id = c.id AND a.parent_id = $2 AND a.part = $3 AND a.trash_state <> 'InEmptiedTrash'),
                 $4,
                 (SELECT f.path FROM asset a JOIN folder f ON f.id = a.folder_id WHERE a.id = $2), '')
             FROM company c WHERE c.id = $1",
        )
        .bind(company.0)
        .bind(parent.0)
        .bind(key)
        .bind(planned)
        .fetch_one(&mut *self.reader().await?)
        .await
        .map_err(StoreError::doing("look for the folder of a part"))?;
        Ok(handle::folder_path(&root, &path))
    }
}

/// Files a part in its folder, or in the place of what was made of the parent under the same key.
pub(in crate::store) async fn file(tx: &mut Transaction, part: Part) -> Result<Filed, AssetError> {
    let Some(held) = held(tx, &part).await? else {
        // Of what somebody has released meanwhile nothing is kept.
        let parent = part.origin.order.parent;
        return if part.built_on.is_some() { Err(AssetError::Overtaken(parent)) } else { add(tx, part).await };
    };
    if part.master.making.is_made_by_itself() && held.making.crop != part.built_on {
        return Err(AssetError::Overtaken(held.id));
    }
    let name = FileName { stem: held.name.clone(), ..part.name };
    let replacement = Replacement {
        company: part.company,
        asset: held.id,
        file_name: Some(name.with_extension()),
        master: part.master,
        move_to: None,
        marking: part.marking,
        by: part.by,
        at: part.at,
    };
    ingest::replace(tx, &replacement).await?;
    belong(tx, held.id, &part.origin).await?;
    let mut came_back = None;
    if held.in_trash {
        bring_back(tx, part.company, held.id, part.at).await?;
        came_back = Some(part.marking.mark_returned(tx, part.company, held.id, part.origin.order.parent).await?);
    }
    folders::touch(tx, &[held.folder], part.at).await?;
    Ok(updated(held.id, held.name, came_back))
}

/// A part that was there, perhaps in the trash, and is made anew where it is.
pub(super) const fn updated(asset: AssetId, name: String, came_back: Option<Follows>) -> Filed {
    Filed::Updated { asset, name, moved_from: None, in_place_of: None, part_of: None, parts_gone: 0, came_back }
}

/// A part that was not there.
pub(super) fn added(asset: AssetId, name: String, wanted: &str, follows: Follows) -> Filed {
    if name == wanted {
        Filed::Added { asset, name, follows }
    } else {
        Filed::AddedWithNumber { asset, name, shared_with: None, follows }
    }
}

async fn add(tx: &mut Transaction, part: Part) -> Result<Filed, AssetError> {
    let wanted = part.name.stem.clone();
    let name = arrival::free_name_from(tx, part.company, part.name).await?;
    let folder = match part.folder {
        Some(folder) => folder,
        None => folder_of(tx, part.origin.order.parent).await?,
    };
    let asset = ingest::insert(
        tx,
        &NewAsset {
            company: part.company,
            folder,
            file_name: name.with_extension(),
            name: name.stem.clone(),
            master: part.master,
            marked_in: Contexts::NONE,
            by: part.by,
            at: part.at,
        },
    )
    .await?;
    let origin = part.origin;
    belong(tx, asset, &origin).await?;
    let follows = part.marking.mark_part(tx, part.company, asset, (origin.order.parent, &origin.key)).await?;
    Ok(added(asset, name.stem, &wanted, follows))
}

/// Notes what an asset was made from.
pub(super) async fn belong(tx: &mut Transaction, asset: AssetId, origin: &Origin) -> Result<(), StoreError> {
    sql::query("UPDATE asset SET parent_id = $2, part = $3, made_of = $4, part_recipe = $5 WHERE id = $1")
        .bind(asset.0)
        .bind(origin.order.parent.0)
        .bind(&origin.key)
        .bind(&origin.order.blob)
        .bind(&origin.recipe)
        .execute(tx)
        .await
        .map(|_| ())
        .map_err(StoreError::doing("note what an asset was made from"))
}

async fn held(tx: &mut Transaction, part: &Part) -> Result<Option<Held>, StoreError> {
    let row = sql::query(
        "SELECT id, name, folder_id, trash_state, making FROM asset
         WHERE company_id = $1 AND parent_id = $2 AND part = $3 AND trash_state <> 'InEmptiedTrash'",
    )
    .bind(part.company.0)
    .bind(part.origin.order.parent.0)
    .bind(&part.origin.key)
    .fetch_optional(tx)
    .await
    .map_err(StoreError::doing("look for a part of an asset"))?;
    row.map(|row| {
        Ok(Held {
            id: AssetId(get(&row, "id")?),
            name: get(&row, "name")?,
            folder: FolderId(get(&row, "folder_id")?),
            in_trash: constant::<TrashState>(&row, "trash_state")? == TrashState::InTrash,
            making: json_of(&row, "making")?,
        })
    })
    .transpose()
}

/// The path of the folder that an asset is in.
async fn folder_of(tx: &mut Transaction, asset: AssetId) -> Result<String, StoreError> {
    sql::scalar("SELECT f.path FROM asset a JOIN folder f ON f.id = a.folder_id WHERE a.id = $1")
        .bind(asset.0)
        .fetch_one(tx)
        .await
        .map_err(StoreError::doing("look for the folder of an asset"))
}

/// A part that is made again comes back from the trash, and its folder with it.
pub(super) async fn bring_back(
    tx: &mut Transaction,
    company: CompanyId,
    asset: AssetId,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    sql::query("UPDATE asset SET trash_state = 'NotInTrash', trashed_at = NULL WHERE id = $1")
        .bind(asset.0)
        .execute(&mut *tx)
        .await
        .map_err(StoreError::doing("bring a part back from the trash"))?;
    folders::bring_back(tx, company, &[asset], at).await
}

/// A part that somebody gives a master of its own is a part no longer: another is made in its place, under another name. Gives
/// the name of the asset that it was made from, if it is still there.
pub(super) async fn release(tx: &mut Transaction, asset: AssetId) -> Result<Option<String>, StoreError> {
    let parent: Option<String> = sql::scalar(
        "SELECT parent.name FROM asset a JOIN asset parent ON parent.id = a.parent_id
         WHERE a.id = $1 AND parent.trash_state <> 'InEmptiedTrash'",
    )
    .bind(asset.0)
    .fetch_optional(&mut *tx)
    .await
    .map_err(StoreError::doing("look for what an asset was made from"))?;
    marking::remember_withdrawn(tx, &[asset]).await?;
    // What was read from the page that it showed, and made of it, goes with the page: the whole of its document is another matter.
    for statement in [
        "DELETE FROM derived WHERE asset_id = $1 AND EXISTS (
             SELECT 1 FROM asset a WHERE a.id = $1
             AND (a.part IS NOT NULL OR json_text(a.making, 'page') IS NOT NULL OR json_text(a.making, 'layer') IS NOT NULL))",
        "UPDATE asset SET parent_id = NULL, part = NULL, made_of = NULL, part_recipe = NULL WHERE id = $1",
        "DELETE FROM page_word WHERE asset_id = $1",
        "DELETE FROM image_map WHERE asset_id = $1 AND from_file = 1",
    ] {
        sql::query(statement)
            .bind(asset.0)
            .execute(&mut *tx)
            .await
            .map_err(StoreError::doing("part an asset from what it was made from"))?;
    }
    Ok(parent)
}

/// What was made of an asset, also what is in the trash.
pub(super) async fn of(tx: &mut Transaction, company: CompanyId, parent: AssetId) -> Result<Vec<AssetId>, StoreError> {
    let parts: Vec<i64> = sql::scalar(
        "SELECT id FROM asset WHERE company_id = $1 AND parent_id = $2 AND trash_state <> 'InEmptiedTrash' ORDER BY id",
    )
    .bind(company.0)
    .bind(parent.0)
    .fetch_all(tx)
    .await
    .map_err(StoreError::doing("look for parts of an asset"))?;
    Ok(parts.into_iter().map(AssetId).collect())
}

/// Moves the parts of a parent to the trash that were made of another master than this: it is gone before they could be made again,
/// and nobody asked for what they show. Says how many.
pub(in crate::store) async fn put_away_earlier(
    tx: &mut Transaction,
    company: CompanyId,
    parent: AssetId,
    parent_blob: &str,
    at: DateTime<Utc>,
) -> Result<u64, StoreError> {
    let change = next_change(tx, company).await?;
    sql::query(
        "UPDATE asset SET trash_state = 'InTrash', trashed_at = $4, change_seq = $5
         WHERE company_id = $1 AND parent_id = $2 AND trash_state = 'NotInTrash' AND made_of <> $3",
    )
    .bind(company.0)
    .bind(parent.0)
    .bind(parent_blob)
    .bind(at.timestamp_millis())
    .bind(change)
    .execute(tx)
    .await
    .map(|moved| moved.rows_affected())
    .map_err(StoreError::doing("move parts of an earlier master to the trash"))
}

/// Notes which run is to make the parts of an asset, or that none is. Those that are there were made for an earlier order.
pub(in crate::store) async fn note_ordered(
    tx: &mut Transaction,
    asset: AssetId,
    run: Option<InstanceId>,
) -> Result<(), StoreError> {
    sql::query("UPDATE asset SET parts_run = $2, parts_ended = 0 WHERE id = $1")
        .bind(asset.0)
        .bind(run.map(|run| run.0))
        .execute(&mut *tx)
        .await
        .map_err(StoreError::doing("note who makes the parts of an asset"))?;
    sql::query("UPDATE asset SET part_recipe = NULL WHERE parent_id = $1 AND part_recipe IS NOT NULL")
        .bind(asset.0)
        .execute(tx)
        .await
        .map(|_| ())
        .map_err(StoreError::doing("note that parts of an asset are of an earlier order"))
}

/// Whether `run` goes on with the parts of this master: another run was to make them, has ended, and did not come to their end.
pub(in crate::store) async fn take_over(tx: &mut Transaction, order: &Order) -> Result<bool, StoreError> {
    sql::query(
        "UPDATE asset SET parts_run = $3 WHERE id = $1 AND blob = $2 AND parts_ended = 0 AND parts_run <> $3
         AND NOT EXISTS (SELECT 1 FROM instance i WHERE i.id = asset.parts_run AND i.state <> 'Done')",
    )
    .bind(order.parent.0)
    .bind(&order.blob)
    .bind(order.run.0)
    .execute(tx)
    .await
    .map(|done| done.rows_affected() == 1)
    .map_err(StoreError::doing("note who goes on with the parts of an asset"))
}

/// Notes that all that the run was to make of this master was made.
pub(in crate::store) async fn note_made(tx: &mut Transaction, order: &Order) -> Result<(), StoreError> {
    sql::query("UPDATE asset SET parts_ended = 1 WHERE id = $1 AND blob = $2 AND parts_run = $3")
        .bind(order.parent.0)
        .bind(&order.blob)
        .bind(order.run.0)
        .execute(tx)
        .await
        .map(|_| ())
        .map_err(StoreError::doing("note that all parts of an asset are made"))
}

/// Whether another run has begun with the parts of an asset since `order` was placed. An earlier version of the program did not note
/// who did.
pub(in crate::store) async fn is_superseded(tx: &mut Transaction, order: &Order) -> Result<bool, StoreError> {
    sql::scalar("SELECT EXISTS (SELECT 1 FROM asset WHERE id = $1 AND parts_run <> $2)")
        .bind(order.parent.0)
        .bind(order.run.0)
        .fetch_one(tx)
        .await
        .map_err(StoreError::doing("look who makes the parts of an asset"))
}

/// Moves the parts of a parent whose keys begin with none of `prefixes` to the trash: it has another master, of which they were
/// not made and will not be. Says how many.
pub(super) async fn keep_kinds(
    tx: &mut Transaction,
    company: CompanyId,
    parent: AssetId,
    prefixes: &[&str],
    at: DateTime<Utc>,
) -> Result<u64, StoreError> {
    let change = next_change(tx, company).await?;
    sql::query(
        "UPDATE asset SET trash_state = 'InTrash', trashed_at = $4, change_seq = $5
         WHERE company_id = $1 AND parent_id = $2 AND trash_state = 'NotInTrash'
           AND NOT EXISTS (SELECT 1 FROM texts($3) kept WHERE substr(part, 1, length(kept.text)) = kept.text)",
    )
    .bind(company.0)
    .bind(parent.0)
    .list(prefixes)
    .bind(at.timestamp_millis())
    .bind(change)
    .execute(tx)
    .await
    .map(|moved| moved.rows_affected())
    .map_err(StoreError::doing("move parts of an earlier master to the trash"))
}

/// Moves the parts of a parent whose keys begin with `prefix` and are not among `keys` to the trash: its master has fewer
/// of them now. They come back when it has them again. Says how many.
pub(in crate::store) async fn keep_only(
    tx: &mut Transaction,
    company: CompanyId,
    parent: AssetId,
    prefix: &str,
    keys: &[String],
    at: DateTime<Utc>,
) -> Result<PartsGone, StoreError> {
    let change = next_change(tx, company).await?;
    let count = sql::query(
        "UPDATE asset SET trash_state = 'InTrash', trashed_at = $5, change_seq = $6
         WHERE company_id = $1 AND parent_id = $2 AND trash_state = 'NotInTrash'
           AND substr(part, 1, length($3)) = $3 AND part NOT IN texts($4)",
    )
    .bind(company.0)
    .bind(parent.0)
    .bind(prefix)
    .list(keys)
    .bind(at.timestamp_millis())
    .bind(change)
    .execute(&mut *tx)
    .await
    .map_err(StoreError::doing("move parts of an asset to the trash"))?
    .rows_affected();
    let are_moved = count > 0 && has_withdrawn_places(tx, parent, prefix).await?;
    Ok(PartsGone { count, are_moved })
}

/// Parts that a master does not have any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartsGone {
    pub count: u64,
    /// Those that are left are known by their places, and somebody had unmarked one: which of them that was may be another now.
    pub are_moved: bool,
}

async fn has_withdrawn_places(tx: &mut Transaction, parent: AssetId, prefix: &str) -> Result<bool, StoreError> {
    sql::scalar(
        "SELECT EXISTS (SELECT 1 FROM asset a INDEXED BY asset_by_part
                        STRAIGHT_JOIN publish_mark m ON m.asset_id = a.id AND m.withdrawn = 1
                        WHERE a.parent_id = $1 AND substr(a.part, 1, length($2)) = $2
                          AND (substr(a.part, 1, 5) = 'page:' OR substr(a.part, 1, 7) = 'layer:#'))",
    )
    .bind(parent.0)
    .bind(prefix)
    .fetch_one(tx)
    .await
    .map_err(StoreError::doing("look whether parts were unmarked"))
}
