//! Sets: assets without a master, which have members in an order instead.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use serde_json::json;

use super::arrival::{self, Filed};
use super::change::{Change, changed};
use super::ingest::{self, Master, NewAsset};
use super::marking::{self, Follows, Marking};
use super::parts::Origin;
use super::{AssetError, Contexts, parts, set_marks};
use crate::model::asset::{AssetType, PictureFacts, TrashState};
use crate::model::id::{AccountId, AssetId, CompanyId};
use crate::model::making::Making;
use crate::model::name::FileName;
use crate::store::rows::{constant, get, json as json_of};
use crate::store::sql::{self, Row};
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

/// What became of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gathered {
    pub filed: Filed,
    /// Members that it has now.
    pub members: usize,
    /// What the file brings forth and is none of them, because somebody has taken it out.
    pub left_out: usize,
}

/// Makes the set, or gives the one that is there these members. A set without an origin is known by its name; one with an origin
/// keeps what was changed in it since it was made.
pub(in crate::store) async fn save(tx: &mut Transaction, set: NewSet) -> Result<Gathered, AssetError> {
    let (filed, members) = match held(tx, &set).await? {
        Some(held) => {
            let members = match set.made_from {
                Some(_) => as_edited(tx, held.id, &set.members).await?,
                None => set.members.clone(),
            };
            let came_back = touch(tx, &set, &held).await?;
            (parts::updated(held.id, held.name, came_back), members)
        }
        None => (add(tx, &set).await?, set.members.clone()),
    };
    let change = Change { company: set.company, by: set.by, at: set.at };
    set_members(tx, change, filed.asset(), &members).await?;
    if set.made_from.is_some() {
        note_given(tx, filed.asset(), &set.members).await?;
    }
    let present: HashSet<AssetId> = members.iter().map(|member| member.asset).collect();
    let left_out = set.members.iter().filter(|member| !present.contains(&member.asset)).count();
    Ok(Gathered { filed, members: members.len(), left_out })
}

/// The members of a set whose file brings forth `made` now. What users have changed since it was made last stays: what they have
/// taken out, put in and ordered. New parts join behind those that come before them, and what the file has no more leaves. A
/// set that somebody has given a definition has the members that it names.
async fn as_edited(tx: &mut Transaction, set: AssetId, made: &[Member]) -> Result<Vec<Member>, StoreError> {
    let read = StoreError::doing("read what a set was made of");
    let before = members_of(tx, set).await?.into_iter().map(|(member, _)| member).collect();
    let given = sql::query(
        "SELECT coalesce(d.given,
                    -- An earlier version noted nothing: what was there when the set was changed last was given.
                    (SELECT json_agg(m.id) FROM ids($2) m STRAIGHT_JOIN asset p ON p.id = m.id
                     WHERE p.created_at <= s.modified_at)) AS given,
                d.definition IS NOT NULL AS is_defined
         FROM asset s LEFT JOIN set_detail d ON d.set_id = s.id WHERE s.id = $1",
    )
    .bind(set.0)
    .list(&made.iter().map(|member| member.asset).collect::<Vec<_>>())
    .fetch_one(tx)
    .await
    .map_err(read)?;
    let is_defined: bool = get(&given, "is_defined")?;
    let given: Vec<AssetId> = json_of(&given, "given")?;
    Ok(merged(before, &given, made, is_defined))
}

fn merged(before: Vec<Member>, given: &[AssetId], made: &[Member], is_defined: bool) -> Vec<Member> {
    if !is_defined && before.iter().map(|member| &member.asset).eq(given) {
        return made.to_vec();
    }
    let brought: HashSet<AssetId> = made.iter().map(|member| member.asset).collect();
    let given: HashSet<AssetId> = given.iter().copied().collect();
    let mut members = before;
    members.retain(|member| brought.contains(&member.asset) || !given.contains(&member.asset));
    let joins = |member: &Member| !is_defined && !given.contains(&member.asset);
    for (at, new) in made.iter().enumerate().filter(|(_, member)| joins(member)) {
        let place = |asset: AssetId| members.iter().position(|member| member.asset == asset);
        if place(new.asset).is_none() {
            let before = made[..at].iter().rev().find_map(|before| place(before.asset));
            members.insert(before.map_or(0, |place| place + 1), *new);
        }
    }
    members
}

/// Members of a set in their order, and whether each is in the trash.
async fn members_of(tx: &mut Transaction, set: AssetId) -> Result<Vec<(Member, bool)>, StoreError> {
    let rows = sql::query(
        "SELECT m.asset_id, m.row, m.col, m.page_reset, a.trash_state = 'InTrash' AS is_away
         FROM set_member m STRAIGHT_JOIN asset a ON a.id = m.asset_id WHERE m.set_id = $1 ORDER BY m.position",
    )
    .bind(set.0)
    .fetch_all(tx)
    .await
    .map_err(StoreError::doing("read the members of a set"))?;
    let member = |row: &Row| {
        let member = Member {
            asset: AssetId(get(row, "asset_id")?),
            row: get(row, "row")?,
            col: get(row, "col")?,
            page_reset: get(row, "page_reset")?,
        };
        Ok((member, get(row, "is_away")?))
    };
    rows.iter().map(member).collect()
}

/// The members that a client gives a set, and those in the trash, which no client is shown: each behind the one that it came
/// after, for when it is taken out.
pub(super) async fn with_those_away(
    tx: &mut Transaction,
    set: AssetId,
    mut members: Vec<Member>,
) -> Result<Vec<Member>, StoreError> {
    let before = members_of(tx, set).await?;
    for (at, (away, _)) in before.iter().enumerate().filter(|(_, (_, is_away))| *is_away) {
        let place = |asset: AssetId| members.iter().position(|member| member.asset == asset);
        let behind = before[..at].iter().rev().find_map(|(member, _)| place(member.asset));
        members.insert(behind.map_or(0, |place| place + 1), *away);
    }
    Ok(members)
}

async fn note_given(tx: &mut Transaction, set: AssetId, made: &[Member]) -> Result<(), StoreError> {
    let given: Vec<AssetId> = made.iter().map(|member| member.asset).collect();
    sql::query(
        "INSERT INTO set_detail (set_id, given) VALUES ($1, $2) ON CONFLICT (set_id) DO UPDATE SET given = excluded.given",
    )
    .bind(set.0)
    .bind(json!(given).to_string())
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(StoreError::doing("note what a set was made of"))
}

sql::columns! {
    struct MemberRow { asset_id: AssetId, row: Option<u32>, col: Option<u32>, page_reset: Option<bool> }
}

impl MemberRow {
    const fn of(Member { asset, row, col, page_reset }: Member) -> Self {
        Self { asset_id: asset, row, col, page_reset }
    }
}

/// Puts these members in the place of those that a set has: the one way in which sets change. Those that leave are looked at by the
/// next publishes, like the set: it may be that they were published only with it. Who was given up since they were chosen is none.
pub(super) async fn set_members(
    tx: &mut Transaction,
    change: Change,
    set: AssetId,
    members: &[Member],
) -> Result<(), StoreError> {
    let seq = changed(tx, change, &[set]).await?;
    let before: Vec<(i64, bool)> = sql::tuple("SELECT asset_id, page_reset FROM set_member WHERE set_id = $1")
        .bind(set.0)
        .fetch_all(&mut *tx)
        .await
        .map_err(StoreError::doing("read the members of a set"))?;
    let before: HashMap<i64, bool> = before.into_iter().collect();
    let members = members.iter().map(|member| Member {
        page_reset: member.page_reset.or_else(|| before.get(&member.asset.0).copied()).or(Some(true)),
        ..*member
    });
    let members: Vec<MemberRow> = members.map(MemberRow::of).collect();
    sql::query(
        "UPDATE asset SET change_seq = $3
         WHERE id IN (SELECT asset_id FROM set_member WHERE set_id = $1)
           AND id NOT IN (SELECT m.asset_id FROM rows($2: asset_id int) m)",
    )
    .bind(set.0)
    .rows(&members)
    .bind(seq)
    .execute(&mut *tx)
    .await
    .map_err(StoreError::doing("note which members leave a set"))?;
    sql::query("DELETE FROM set_member WHERE set_id = $1")
        .bind(set.0)
        .execute(&mut *tx)
        .await
        .map_err(StoreError::doing("empty a set"))?;
    sql::query(
        "INSERT INTO set_member (set_id, position, asset_id, row, col, page_reset)
         SELECT $1, m.n, a.id, m.row, m.col, m.page_reset
         FROM rows($2: asset_id int, row int, col int, page_reset bool) m
         STRAIGHT_JOIN asset a ON a.id = m.asset_id AND a.trash_state <> 'InEmptiedTrash'",
    )
    .bind(set.0)
    .rows(&members)
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
    let (parent, part) = set.made_from.as_ref().map(|origin| (origin.order.parent, &origin.key)).unzip();
    let row = sql::query(
        "SELECT id, name, trash_state FROM asset
         WHERE company_id = $1 AND asset_type = $2 AND blob = '' AND trash_state <> 'InEmptiedTrash'
           AND CASE WHEN CAST($3 AS bigint) IS NULL THEN name = $5 ELSE parent_id = $3 AND part = $4 END",
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

/// Notes a change of a set that is there, and says how it came out of the trash if it lay there.
async fn touch(tx: &mut Transaction, set: &NewSet, held: &Held) -> Result<Option<Follows>, AssetError> {
    sql::query("UPDATE asset SET width = $2, height = $3 WHERE id = $1")
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
    if !held.in_trash {
        return Ok(None);
    }
    parts::bring_back(tx, set.company, held.id, set.at).await?;
    if let Some(origin) = &set.made_from {
        return Ok(Some(set.marking.mark_returned(tx, set.company, held.id, origin.order.parent).await?));
    }
    // With an order that calls it ready it is marked already, or as it was.
    let unmarked = match set.marking.ready {
        Some(true) => 0,
        _ => marking::unmark(tx, &[held.id]).await?,
    };
    Ok(Some(if unmarked > 0 { Follows::Unmarked } else { Follows::All }))
}

/// Marks a set that was not there.
async fn mark_new(tx: &mut Transaction, set: &NewSet, asset: AssetId) -> Result<Follows, StoreError> {
    if let Some(origin) = &set.made_from {
        return set.marking.mark_part(tx, set.company, asset, (origin.order.parent, &origin.key)).await;
    }
    set_marks(tx, set.company, &[asset], &set.marking.of_new(), true).await.map(|()| Follows::All)
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
    let follows = mark_new(tx, set, asset).await?;
    Ok(parts::added(asset, name, &set.name, follows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_users_changed_in_a_set_stays_and_what_is_new_joins() {
        let after = |before: &[i64], given: &[i64], made: &[i64], is_defined| {
            let members = |ids: &[i64]| ids.iter().map(|id| Member::of(AssetId(*id))).collect::<Vec<_>>();
            let given: Vec<AssetId> = given.iter().map(|id| AssetId(*id)).collect();
            let merged = merged(members(before), &given, &members(made), is_defined);
            merged.iter().map(|member| member.asset.0).collect::<Vec<_>>()
        };
        assert_eq!(after(&[1, 2, 3], &[1, 2, 3], &[3, 1, 4], false), [3, 1, 4], "nobody has changed it");
        assert_eq!(after(&[1, 3], &[1, 2, 3], &[1, 2, 3], false), [1, 3], "2 was taken out");
        assert_eq!(after(&[3, 1], &[1, 2, 3], &[1, 2, 3, 4], false), [3, 4, 1], "4 comes behind 3");
        assert_eq!(after(&[9, 1, 2], &[1, 2], &[0, 1], false), [0, 9, 1], "9 was put in, 2 is gone, 0 is new");
        assert_eq!(after(&[9], &[1, 2], &[1, 2], false), [9]);
        assert_eq!(after(&[], &[1], &[1, 2], false), [2]);
        assert_eq!(after(&[2], &[1, 2], &[1, 2, 3], true), [2], "its definition says what is in it");
        assert_eq!(after(&[1, 2], &[1, 2], &[1, 2, 3], true), [1, 2]);
    }
}
