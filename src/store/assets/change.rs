//! What users change. A change of many assets answers for each of them, and writes those that can be changed.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};

use super::marking::{remember_withdrawn, set_by_somebody};
use super::set_change::with_what_belongs;
use super::{AssetError, Contexts, next_change, note_changed};
use crate::model::asset::{AssetType, PublishState, TrashState};
use crate::model::id::{AccountId, AssetId, CompanyId, ContextId, FolderId};
use crate::model::name::FileName;
use crate::model::set_definition;
use crate::store::rows::{constant, get};
use crate::store::sql;
use crate::store::{Store, StoreError, Transaction, folders};

/// Whose change it is, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    pub company: CompanyId,
    pub by: AccountId,
    pub at: DateTime<Utc>,
}

/// What became of each asset, in the order asked for.
pub type Outcomes = Vec<Result<(), AssetError>>;

impl Store {
    /// The file of the asset is called so too, and keeps the extension that it has.
    pub async fn rename_asset(&self, change: Change, asset: AssetId, name: String) -> Result<(), AssetError> {
        self.write(move |tx| {
            Box::pin(async move {
                let file_name: Option<String> = sql::scalar("SELECT file_name FROM asset WHERE id = $1")
                    .bind(asset.0)
                    .fetch_optional(&mut *tx)
                    .await
                    .map_err(StoreError::doing("look for the file of an asset"))?;
                let file_name = renamed_file(&name, &file_name.unwrap_or_default());
                rename(tx, change, asset, &name, &file_name).await
            })
        })
        .await
    }

    /// Moves each asset to the folder with the path beside it.
    pub async fn move_assets(&self, change: Change, moves: Vec<(AssetId, String)>) -> Result<Outcomes, StoreError> {
        self.write(move |tx| Box::pin(async move { relocate(tx, change, &moves).await })).await
    }

    pub async fn trash_assets(&self, change: Change, assets: Vec<AssetId>) -> Result<Outcomes, StoreError> {
        self.write(move |tx| Box::pin(async move { trash(tx, change, &assets).await })).await
    }

    /// Takes each asset out of the trash, and the folder it lay in back if that was removed.
    pub async fn restore_assets(&self, change: Change, assets: Vec<AssetId>) -> Result<Outcomes, StoreError> {
        self.write(move |tx| Box::pin(async move { restore(tx, change, &assets).await })).await
    }

    /// Gives up each asset in the trash for good. Its row stays until every publish has seen that it is gone.
    pub async fn empty_trash(&self, change: Change, assets: Vec<AssetId>) -> Result<Outcomes, StoreError> {
        self.write(move |tx| Box::pin(async move { empty(tx, change, &assets).await })).await
    }

    pub async fn set_publish_states(
        &self,
        change: Change,
        states: Vec<(AssetId, PublishState)>,
        contexts: Contexts,
    ) -> Result<Outcomes, StoreError> {
        self.write(move |tx| Box::pin(async move { mark(tx, change, &states, &contexts).await })).await
    }

    /// The same with a state for each context.
    pub async fn set_context_states(
        &self,
        change: Change,
        states: Vec<(AssetId, Vec<(ContextId, PublishState)>)>,
    ) -> Result<Outcomes, StoreError> {
        self.write(move |tx| Box::pin(async move { mark_in_contexts(tx, change, &states).await })).await
    }

    /// Has the next publish look at the assets and what belongs to them again, and with `files` hand out their files anew even when
    /// they are the same.
    pub async fn force_republish(
        &self,
        change: Change,
        assets: Vec<AssetId>,
        files: bool,
    ) -> Result<Outcomes, StoreError> {
        self.write(move |tx| Box::pin(async move { force(tx, change, &assets, files).await })).await
    }
}

/// An asset that a change is asked for.
pub(super) struct Held {
    pub name: String,
    pub asset_type: AssetType,
    pub folder: FolderId,
    pub trash_state: TrashState,
}

/// Assets of the company, by number. Those of others are as if they were not there.
pub(super) async fn held(
    tx: &mut Transaction,
    company: CompanyId,
    assets: &[AssetId],
) -> Result<HashMap<AssetId, Held>, StoreError> {
    let rows = sql::query(
        "SELECT id, name, asset_type, folder_id, trash_state FROM asset
         WHERE company_id = $1 AND id IN ids($2)",
    )
    .bind(company.0)
    .list(assets)
    .fetch_all(tx)
    .await
    .map_err(StoreError::doing("read assets that are to be changed"))?;
    let held = rows.iter().map(|row| {
        let held = Held {
            name: get(row, "name")?,
            asset_type: constant(row, "asset_type")?,
            folder: FolderId(get(row, "folder_id")?),
            trash_state: constant(row, "trash_state")?,
        };
        Ok((AssetId(get(row, "id")?), held))
    });
    held.collect()
}

pub(super) struct Candidates(HashMap<AssetId, Held>);

impl Candidates {
    pub(super) async fn read(
        tx: &mut Transaction,
        company: CompanyId,
        assets: impl Iterator<Item = AssetId>,
    ) -> Result<Self, StoreError> {
        Ok(Self(held(tx, company, &assets.collect::<Vec<_>>()).await?))
    }

    pub(super) fn usable(&self, asset: AssetId) -> Result<&Held, AssetError> {
        let held = self.0.get(&asset).ok_or(AssetError::NotFound)?;
        match held.trash_state {
            TrashState::NotInTrash => Ok(held),
            TrashState::InTrash => Err(AssetError::InTrash(held.name.clone())),
            TrashState::InEmptiedTrash => Err(AssetError::NotFound),
        }
    }

    fn in_trash(&self, asset: AssetId) -> Result<&Held, AssetError> {
        let held = self.0.get(&asset).ok_or(AssetError::NotFound)?;
        match held.trash_state {
            TrashState::InTrash => Ok(held),
            TrashState::NotInTrash => Err(AssetError::NotInTrash(held.name.clone())),
            TrashState::InEmptiedTrash => Err(AssetError::NotFound),
        }
    }
}

/// Notes that the assets have changed and what they lie in.
pub(super) async fn changed(tx: &mut Transaction, change: Change, assets: &[AssetId]) -> Result<i64, StoreError> {
    let seq = next_change(tx, change.company).await?;
    sql::query(
        "UPDATE asset SET change_seq = $2, modified_at = $3, modified_by = $4
         WHERE id IN ids($1)",
    )
    .list(assets)
    .bind(seq)
    .bind(change.at.timestamp_millis())
    .bind(change.by.0)
    .execute(tx)
    .await
    .map_err(StoreError::doing("note a change of assets"))?;
    Ok(seq)
}

/// What the file of an asset with another name is called. Sets have none.
pub(super) fn renamed_file(name: &str, file_name: &str) -> String {
    match file_name.rsplit_once('.') {
        _ if file_name.is_empty() => String::new(),
        parts => {
            let extension = parts.map_or("", |(_, extension)| extension).to_owned();
            FileName { stem: name.to_owned(), extension, changed: false }.with_extension()
        }
    }
}

pub(super) async fn rename(
    tx: &mut Transaction,
    change: Change,
    asset: AssetId,
    name: &str,
    file_name: &str,
) -> Result<(), AssetError> {
    let candidates = Candidates::read(tx, change.company, std::iter::once(asset)).await?;
    let held = candidates.usable(asset)?;
    let renamed = sql::query(
        "UPDATE asset SET name = $3, file_name = $4, arrived_as = NULL, source_path = NULL WHERE id = $1
         AND NOT EXISTS (SELECT 1 FROM asset o WHERE o.company_id = $2 AND o.name = $3 AND o.id <> $1)",
    )
    .bind(asset.0)
    .bind(change.company.0)
    .bind(name)
    .bind(file_name)
    .execute(&mut *tx)
    .await
    .map_err(StoreError::doing("rename an asset"))?;
    if renamed.rows_affected() != 1 {
        return Err(AssetError::NameTaken(name.to_owned()));
    }
    changed(tx, change, &[asset]).await?;
    Ok(folders::touch(tx, &[held.folder], change.at).await?)
}

async fn relocate(tx: &mut Transaction, change: Change, moves: &[(AssetId, String)]) -> Result<Outcomes, StoreError> {
    let candidates = Candidates::read(tx, change.company, moves.iter().map(|(asset, _)| *asset)).await?;
    let mut targets: HashMap<&str, Option<FolderId>> = HashMap::new();
    let mut accepted: HashMap<AssetId, FolderId> = HashMap::new();
    let mut touched = Vec::new();
    let mut outcomes = Vec::with_capacity(moves.len());
    for (asset, path) in moves {
        let target = match targets.get(path.as_str()) {
            Some(known) => *known,
            None => {
                let found = folders::find(tx, change.company, path).await?;
                targets.insert(path, found);
                found
            }
        };
        outcomes.push(match (candidates.usable(*asset), target) {
            (Err(error), _) => Err(error),
            (Ok(_), None) => Err(AssetError::NoFolder(path.clone())),
            (Ok(held), Some(target)) => {
                touched.extend([held.folder, target]);
                accepted.insert(*asset, target);
                Ok(())
            }
        });
    }
    if accepted.is_empty() {
        return Ok(outcomes);
    }
    let moved: Vec<Moved> = accepted.iter().map(|(&id, &folder_id)| Moved { id, folder_id }).collect();
    sql::query("UPDATE asset SET folder_id = m.folder_id FROM rows($1: id int, folder_id int) m WHERE asset.id = m.id")
        .rows(&moved)
        .execute(&mut *tx)
        .await
        .map_err(StoreError::doing("move assets"))?;
    changed(tx, change, &accepted.into_keys().collect::<Vec<_>>()).await?;
    folders::touch(tx, &touched, change.at).await?;
    Ok(outcomes)
}

sql::columns! {
    struct Moved { id: AssetId, folder_id: FolderId }
}

async fn trash(tx: &mut Transaction, change: Change, assets: &[AssetId]) -> Result<Outcomes, StoreError> {
    let candidates = Candidates::read(tx, change.company, assets.iter().copied()).await?;
    let (outcomes, accepted) = sort_out(&candidates, assets);
    if accepted.is_empty() {
        return Ok(outcomes);
    }
    sql::query("UPDATE asset SET trash_state = 'InTrash', trashed_at = $2 WHERE id IN ids($1)")
        .list(&accepted)
        .bind(change.at.timestamp_millis())
        .execute(&mut *tx)
        .await
        .map_err(StoreError::doing("move assets to the trash"))?;
    changed(tx, change, &accepted).await?;
    let touched: Vec<FolderId> = candidates.0.values().map(|held| held.folder).collect();
    folders::touch(tx, &touched, change.at).await?;
    Ok(outcomes)
}

async fn restore(tx: &mut Transaction, change: Change, assets: &[AssetId]) -> Result<Outcomes, StoreError> {
    let candidates = Candidates::read(tx, change.company, assets.iter().copied()).await?;
    let (outcomes, accepted) = sort_out_by(assets, |asset| candidates.in_trash(asset).map(|_| ()));
    if accepted.is_empty() {
        return Ok(outcomes);
    }
    sql::query("UPDATE asset SET trash_state = 'NotInTrash', trashed_at = NULL WHERE id IN ids($1)")
        .list(&accepted)
        .execute(&mut *tx)
        .await
        .map_err(StoreError::doing("take assets out of the trash"))?;
    changed(tx, change, &accepted).await?;
    let held: HashSet<FolderId> =
        accepted.iter().filter_map(|asset| candidates.0.get(asset)).map(|held| held.folder).collect();
    folders::bring_back(tx, change.company, &accepted, change.at).await?;
    folders::touch(tx, &held.into_iter().collect::<Vec<_>>(), change.at).await?;
    Ok(outcomes)
}

async fn empty(tx: &mut Transaction, change: Change, assets: &[AssetId]) -> Result<Outcomes, StoreError> {
    let candidates = Candidates::read(tx, change.company, assets.iter().copied()).await?;
    let (outcomes, accepted) = sort_out_by(assets, |asset| candidates.in_trash(asset).map(|_| ()));
    give_up(tx, &accepted).await?;
    if !accepted.is_empty() {
        changed(tx, change, &accepted).await?;
    }
    Ok(outcomes)
}

/// Frees the names of assets that leave the trash for good, for no asset that somebody names has a slash in its name, and
/// the keys of parts: a page that is made again is another asset. They leave the sets that they were in, and their definitions.
pub(in crate::store) async fn give_up(tx: &mut Transaction, assets: &[AssetId]) -> Result<(), StoreError> {
    if assets.is_empty() {
        return Ok(());
    }
    remember_withdrawn(tx, assets).await?;
    sql::query(
        "UPDATE asset SET trash_state = 'InEmptiedTrash', name = '/' || id, arrived_as = NULL, source_path = NULL,
                          part = NULL
         WHERE trash_state = 'InTrash' AND id IN ids($1)",
    )
    .list(assets)
    .execute(&mut *tx)
    .await
    .map_err(StoreError::doing("empty the trash"))?;
    disband(tx, assets).await?;
    leave_sets(tx, assets).await
}

/// Sets that are given up hold nobody any more. The next publishes look at who was published only with one: by then its row may be
/// gone, and with it whom it held.
async fn disband(tx: &mut Transaction, sets: &[AssetId]) -> Result<(), StoreError> {
    let members: Vec<i64> =
        sql::scalar("SELECT DISTINCT m.asset_id FROM ids($1) s STRAIGHT_JOIN set_member m ON m.set_id = s.id")
            .list(sets)
            .fetch_all(&mut *tx)
            .await
            .map_err(StoreError::doing("look for the members of sets"))?;
    note_changed(tx, &members.into_iter().map(AssetId).collect::<Vec<_>>()).await?;
    sql::query("DELETE FROM set_member WHERE set_id IN ids($1)")
        .list(sets)
        .execute(tx)
        .await
        .map(|_| ())
        .map_err(StoreError::doing("disband sets"))
}

/// The sets have changed by it, for the next publishes, and those for which one of them stood.
async fn leave_sets(tx: &mut Transaction, assets: &[AssetId]) -> Result<(), StoreError> {
    let sets: Vec<(i64, i64)> = sql::tuple(
        "SELECT s.company_id, s.id FROM ids($1) i STRAIGHT_JOIN set_member m ON m.asset_id = i.id
         STRAIGHT_JOIN asset s ON s.id = m.set_id
         UNION
         SELECT s.company_id, s.id FROM set_detail d STRAIGHT_JOIN asset s ON s.id = d.set_id
         WHERE d.thumb_id IN ids($1) ORDER BY 1, 2",
    )
    .list(assets)
    .fetch_all(&mut *tx)
    .await
    .map_err(StoreError::doing("look for the sets of assets"))?;
    for of_company in sets.chunk_by(|one, other| one.0 == other.0) {
        let seq = next_change(tx, CompanyId(of_company[0].0)).await?;
        let numbers: Vec<AssetId> = of_company.iter().map(|(_, set)| AssetId(*set)).collect();
        sql::query("UPDATE asset SET change_seq = $2 WHERE id IN ids($1)")
            .list(&numbers)
            .bind(seq)
            .execute(&mut *tx)
            .await
            .map_err(StoreError::doing("note a change of sets"))?;
    }
    for statement in [
        "DELETE FROM set_member WHERE asset_id IN ids($1)",
        "UPDATE set_detail SET thumb_id = NULL WHERE thumb_id IN ids($1)",
    ] {
        sql::query(statement)
            .list(assets)
            .execute(&mut *tx)
            .await
            .map_err(StoreError::doing("take assets out of sets"))?;
    }
    let sets: Vec<AssetId> = sets.iter().map(|(_, set)| AssetId(*set)).collect();
    close_ranks(tx, &sets).await?;
    leave_definitions(tx, &sets, assets).await
}

/// Rows and columns of spins with two axes are counted, as by the script that extends them.
async fn close_ranks(tx: &mut Transaction, sets: &[AssetId]) -> Result<(), StoreError> {
    sql::query(
        "UPDATE set_member SET row = counted.row, col = counted.col
         FROM (SELECT m.set_id, m.position, dense_rank() OVER (PARTITION BY m.set_id ORDER BY m.row) - 1 AS row,
                      dense_rank() OVER (PARTITION BY m.set_id ORDER BY m.col) - 1 AS col
               FROM ids($1) s STRAIGHT_JOIN set_member m ON m.set_id = s.id
               WHERE m.row IS NOT NULL AND m.col IS NOT NULL) counted
         WHERE set_member.set_id = counted.set_id AND set_member.position = counted.position",
    )
    .list(sets)
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(StoreError::doing("count the rows of sets anew"))
}

/// No definition names who is gone: nobody could set it again as it is.
async fn leave_definitions(tx: &mut Transaction, sets: &[AssetId], gone: &[AssetId]) -> Result<(), StoreError> {
    let defined: Vec<(i64, String)> = sql::tuple(
        "SELECT d.set_id, d.definition FROM ids($1) s STRAIGHT_JOIN set_detail d ON d.set_id = s.id
         WHERE d.definition IS NOT NULL",
    )
    .list(sets)
    .fetch_all(&mut *tx)
    .await
    .map_err(StoreError::doing("read the definitions of sets"))?;
    let gone: HashSet<AssetId> = gone.iter().copied().collect();
    for (set, definition) in defined {
        let Some(left) = set_definition::without(&definition, |asset| gone.contains(&asset)) else { continue };
        sql::query("UPDATE set_detail SET definition = $2 WHERE set_id = $1")
            .bind(set)
            .bind(left)
            .execute(&mut *tx)
            .await
            .map_err(StoreError::doing("take assets out of the definition of a set"))?;
    }
    Ok(())
}

/// The outcome of each, and those that can be changed.
fn sort_out(candidates: &Candidates, assets: &[AssetId]) -> (Outcomes, Vec<AssetId>) {
    sort_out_by(assets, |asset| candidates.usable(asset).map(|_| ()))
}

fn sort_out_by(assets: &[AssetId], judge: impl Fn(AssetId) -> Result<(), AssetError>) -> (Outcomes, Vec<AssetId>) {
    let outcomes: Outcomes = assets.iter().map(|asset| judge(*asset)).collect();
    let accepted = assets.iter().zip(&outcomes).filter(|(_, outcome)| outcome.is_ok()).map(|(asset, _)| *asset);
    let accepted = accepted.collect();
    (outcomes, accepted)
}

async fn mark(
    tx: &mut Transaction,
    change: Change,
    states: &[(AssetId, PublishState)],
    contexts: &Contexts,
) -> Result<Outcomes, StoreError> {
    let candidates = Candidates::read(tx, change.company, states.iter().map(|(asset, _)| *asset)).await?;
    let assets: Vec<AssetId> = states.iter().map(|(asset, _)| *asset).collect();
    let (outcomes, accepted) = sort_out(&candidates, &assets);
    if accepted.is_empty() {
        return Ok(outcomes);
    }
    // The last word on an asset counts.
    let last: HashMap<AssetId, PublishState> = states.iter().copied().collect();
    let with_state = |state: PublishState| -> Vec<AssetId> {
        accepted.iter().copied().filter(|asset| last.get(asset) == Some(&state)).collect()
    };
    // What belongs to an asset is marked with it. Unmarking leaves it alone, and is for what was named: it comes last.
    let marked = with_what_belongs(tx, &with_state(PublishState::MarkedForPublish)).await?;
    let unmarked = with_state(PublishState::NotMarkedForPublish);
    set_by_somebody(tx, change.company, &marked, contexts, true).await?;
    set_by_somebody(tx, change.company, &unmarked, contexts, false).await?;
    changed(tx, change, &[marked, unmarked].concat()).await?;
    Ok(outcomes)
}

/// Context by context; an asset can be changed in all of them or in none.
async fn mark_in_contexts(
    tx: &mut Transaction,
    change: Change,
    states: &[(AssetId, Vec<(ContextId, PublishState)>)],
) -> Result<Outcomes, StoreError> {
    let assets: Vec<AssetId> = states.iter().map(|(asset, _)| *asset).collect();
    let candidates = Candidates::read(tx, change.company, assets.iter().copied()).await?;
    let mut by_context: BTreeMap<ContextId, Vec<(AssetId, PublishState)>> = BTreeMap::new();
    for (asset, updates) in states {
        for (context, state) in updates {
            by_context.entry(*context).or_default().push((*asset, *state));
        }
    }
    for (context, states) in by_context {
        mark(tx, change, &states, &Contexts::These(vec![context])).await?;
    }
    Ok(sort_out(&candidates, &assets).0)
}

async fn force(tx: &mut Transaction, change: Change, assets: &[AssetId], files: bool) -> Result<Outcomes, StoreError> {
    let candidates = Candidates::read(tx, change.company, assets.iter().copied()).await?;
    let (outcomes, accepted) = sort_out(&candidates, assets);
    if accepted.is_empty() {
        return Ok(outcomes);
    }
    // As for marks, what belongs to an asset is meant with it.
    let all = with_what_belongs(tx, &accepted).await?;
    note_changed(tx, &all).await?;
    let seq = changed(tx, change, &accepted).await?;
    if files {
        // Also where it is not marked itself: a set may be that it is published with.
        sql::query(
            "INSERT INTO publish_mark (asset_id, context_id, marked, forced_seq)
             SELECT a.id, c.id, 0, $3 FROM ids($2) a CROSS JOIN publish_context c
             WHERE c.company_id = $1 AND c.kind <> 'Metadata'
             ON CONFLICT (asset_id, context_id) DO UPDATE SET forced_seq = excluded.forced_seq",
        )
        .bind(change.company.0)
        .list(&all)
        .bind(seq)
        .execute(tx)
        .await
        .map_err(StoreError::doing("force assets to be published again"))?;
    }
    Ok(outcomes)
}
