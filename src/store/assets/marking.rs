//! Where what a job makes is marked for publishing.

use super::{Contexts, set_marks};
use crate::model::id::{AssetId, CompanyId};
use crate::store::sql;
use crate::store::{StoreError, Transaction};

/// What an order says of the marks of its assets: those of a master, and those of its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marking {
    /// `readyForPublish`; None leaves the marks of what is there.
    pub ready: Option<bool>,
    /// `preservePublishState`; None leaves it to the company.
    pub preserve: Option<bool>,
}

/// What became of the marks of assets that were there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marked {
    AsBefore,
    ByTheOrder,
}

/// How a part is marked that was made, or came out of the trash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follows {
    /// As the order says, or as its asset.
    All,
    /// Its asset is marked somewhere where it is not, because somebody had unmarked it, or the one in whose place it is.
    ButWithdrawn,
    /// It was marked somewhere where its asset is not, and is no longer, because somebody had unmarked other parts there as well.
    Unmarked,
    /// It is new and marked nowhere, though the order calls it ready: its asset is not, and keeps its marks.
    NotReady,
    /// It is new and marked as its asset, but somebody had unmarked another part there, or one that was there before.
    BesideWithdrawn,
}

impl Marking {
    /// Of an upload: what it does not call ready is not.
    pub fn of_upload(ready: Option<bool>, preserve: Option<bool>) -> Self {
        Self { ready: Some(ready.unwrap_or(false)), preserve }
    }

    /// Of work on what is there: what it does not say changes nothing.
    pub const fn of_known(ready: Option<bool>, preserve: Option<bool>) -> Self {
        Self { ready, preserve }
    }

    /// Where an asset that is new is marked.
    pub fn of_new(self) -> Contexts {
        if self.ready == Some(true) { Contexts::All } else { Contexts::NONE }
    }

    /// Marks assets that were there so, and nowhere else, unless their marks are kept. The caller raises their `change_seq`.
    pub(super) async fn mark_known(
        self,
        tx: &mut Transaction,
        company: CompanyId,
        assets: &[AssetId],
    ) -> Result<Marked, StoreError> {
        if self.keeps(tx, company).await? {
            return Ok(Marked::AsBefore);
        }
        unmark(tx, assets).await?;
        set_marks(tx, company, assets, &self.of_new(), true).await?;
        forget_withdrawn(tx, assets, &Contexts::All).await?;
        Ok(Marked::ByTheOrder)
    }

    /// Whether assets that were there keep their marks.
    pub(super) async fn keeps(self, tx: &mut Transaction, company: CompanyId) -> Result<bool, StoreError> {
        match self.preserve {
            _ if self.ready.is_none() => Ok(true),
            Some(preserve) => Ok(preserve),
            None => sql::scalar("SELECT retain_publish_state FROM company WHERE id = $1")
                .bind(company.0)
                .fetch_one(tx)
                .await
                .map_err(StoreError::doing("look whether a company keeps marks")),
        }
    }

    /// Marks what was made from `parent` under `key` and is a new asset: as that is, where its marks are kept, but not where somebody has
    /// unmarked what was there before it. Of layers that are known by their places any new one may be one that is gone.
    pub(super) async fn mark_part(
        self,
        tx: &mut Transaction,
        company: CompanyId,
        part: AssetId,
        (parent, key): (AssetId, &str),
    ) -> Result<Follows, StoreError> {
        let keeps = self.keeps(tx, company).await?;
        if keeps {
            sql::query(
                "INSERT INTO publish_mark (asset_id, context_id, marked, withdrawn)
                 SELECT DISTINCT CAST($1 AS bigint), context_id, 0, 1 FROM withdrawn_part
                 WHERE parent_id = $2 AND (part = $3 OR substr($3, 1, 7) = 'layer:#' AND substr(part, 1, 6) = 'layer:' OR substr($3, 1, 6) = 'layer:' AND substr(part, 1, 7) = 'layer:#')",
            )
            .bind(part.0)
            .bind(parent.0)
            .bind(key)
            .execute(&mut *tx)
            .await
            .map_err(StoreError::doing("unmark a part as the one before it"))?;
        }
        sql::query("DELETE FROM withdrawn_part WHERE parent_id = $1 AND part = $2")
            .bind(parent.0)
            .bind(key)
            .execute(&mut *tx)
            .await
            .map_err(StoreError::doing("hand on who was unmarked"))?;
        if keeps {
            let follows = mark_as(tx, part, parent).await?;
            return match (follows, is_marked(tx, part).await?) {
                (Follows::All, false) if self.ready == Some(true) => Ok(Follows::NotReady),
                (Follows::All, true) if is_beside_withdrawn(tx, part, parent).await? => Ok(Follows::BesideWithdrawn),
                (follows, _) => Ok(follows),
            };
        }
        set_marks(tx, company, &[part], &self.of_new(), true).await.map(|()| Follows::All)
    }

    /// Marks a part that comes out of the trash because it is made again: by the order, which has [marked it](Self::mark_known), or,
    /// where marks are kept, as it was, and as its asset, but not where somebody has unmarked the part itself; nor where somebody has
    /// unmarked the asset and what else was made of it, and may not have seen what lay in the trash.
    pub(super) async fn mark_returned(
        self,
        tx: &mut Transaction,
        company: CompanyId,
        part: AssetId,
        parent: AssetId,
    ) -> Result<Follows, StoreError> {
        if !self.keeps(tx, company).await? {
            return Ok(Follows::All);
        }
        let unmarked = sql::query(
            "UPDATE publish_mark SET marked = 0 WHERE asset_id = $1 AND marked = 1
             AND context_id NOT IN (SELECT context_id FROM publish_mark WHERE asset_id = $2 AND marked = 1)
             AND context_id IN (SELECT m.context_id FROM asset other INDEXED BY asset_by_part
                                STRAIGHT_JOIN publish_mark m ON m.asset_id = other.id AND m.withdrawn = 1
                                WHERE other.parent_id = $2 AND other.part IS NOT NULL AND other.id <> $1
                                UNION SELECT context_id FROM withdrawn_part WHERE parent_id = $2)",
        )
        .bind(part.0)
        .bind(parent.0)
        .execute(&mut *tx)
        .await
        .map_err(StoreError::doing("unmark a part where its asset is not marked"))?
        .rows_affected();
        let follows = mark_as(tx, part, parent).await?;
        match follows {
            _ if unmarked > 0 => Ok(Follows::Unmarked),
            Follows::All if is_beside_withdrawn(tx, part, parent).await? => Ok(Follows::BesideWithdrawn),
            follows => Ok(follows),
        }
    }
}

/// Remembers where assets are unmarked that are parts no more, for those that are made in their places.
pub(super) async fn remember_withdrawn(tx: &mut Transaction, parts: &[AssetId]) -> Result<(), StoreError> {
    sql::query(
        "INSERT INTO withdrawn_part (parent_id, part, context_id)
         SELECT a.parent_id, a.part, m.context_id FROM ids($1) i STRAIGHT_JOIN asset a NOT INDEXED ON a.id = i.id
         STRAIGHT_JOIN publish_mark m ON m.asset_id = a.id AND m.withdrawn = 1
         WHERE a.parent_id IS NOT NULL AND a.part IS NOT NULL
         ON CONFLICT DO NOTHING",
    )
    .list(parts)
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(StoreError::doing("remember who was unmarked"))
}

/// Those that are made of these assets are marked as they are.
async fn forget_withdrawn(tx: &mut Transaction, assets: &[AssetId], contexts: &Contexts) -> Result<(), StoreError> {
    sql::query(
        "DELETE FROM withdrawn_part WHERE parent_id IN ids($1)
         AND (CAST($2 AS text) IS NULL OR context_id IN ids($2))",
    )
    .list(assets)
    .list_or_null(contexts.these())
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(StoreError::doing("forget who was unmarked"))
}

/// Marks what was named by somebody, or unmarks it, which is remembered. The caller raises `change_seq`.
pub(super) async fn set_by_somebody(
    tx: &mut Transaction,
    company: CompanyId,
    assets: &[AssetId],
    contexts: &Contexts,
    marked: bool,
) -> Result<(), StoreError> {
    set_marks(tx, company, assets, contexts, marked).await?;
    // Who marks an asset means all that it has, also what lies in the trash and may come back, and what was a part before.
    if marked {
        forget_withdrawn(tx, assets, contexts).await?;
    }
    let statement = if marked {
        "UPDATE publish_mark SET withdrawn = 0
         WHERE withdrawn = 1 AND (CAST($2 AS text) IS NULL OR context_id IN ids($2))
         AND asset_id IN (SELECT part.id FROM ids($1) i STRAIGHT_JOIN asset part INDEXED BY asset_by_part
                          ON part.parent_id = i.id AND part.part IS NOT NULL AND part.trash_state = 'InTrash')"
    } else {
        "UPDATE publish_mark SET withdrawn = 1
         WHERE (CAST($2 AS text) IS NULL OR context_id IN ids($2))
         AND asset_id IN ids($1)"
    };
    if !marked {
        // Nor does it mean to publish again what nobody sees now.
        sql::query(
            "UPDATE publish_mark SET marked = 0
             WHERE marked = 1 AND (CAST($2 AS text) IS NULL OR context_id IN ids($2))
             AND asset_id IN (SELECT part.id FROM ids($1) i STRAIGHT_JOIN asset part INDEXED BY asset_by_part
                              ON part.parent_id = i.id AND part.part IS NOT NULL AND part.trash_state = 'InTrash')",
        )
        .list(assets)
        .list_or_null(contexts.these())
        .execute(&mut *tx)
        .await
        .map_err(StoreError::doing("unmark what lies in the trash"))?;
    }
    sql::query(statement)
        .list(assets)
        .list_or_null(contexts.these())
        .execute(tx)
        .await
        .map(|_| ())
        .map_err(StoreError::doing("note who marks an asset"))
}

/// Whether somebody has unmarked another page or layer somewhere where this one is marked: this may be the one that was meant.
async fn is_beside_withdrawn(tx: &mut Transaction, part: AssetId, parent: AssetId) -> Result<bool, StoreError> {
    sql::scalar(
        "SELECT EXISTS (SELECT 1 FROM asset a JOIN asset other INDEXED BY asset_by_part
                        ON other.parent_id = $2 AND other.id <> a.id
                           AND substr(other.part, 1, strpos(a.part, ':')) = substr(a.part, 1, strpos(a.part, ':'))
                        STRAIGHT_JOIN publish_mark w ON w.asset_id = other.id AND w.withdrawn = 1
                        JOIN publish_mark m ON m.asset_id = a.id AND m.marked = 1 AND m.context_id = w.context_id
                        WHERE a.id = $1 AND (substr(a.part, 1, 5) = 'page:' OR substr(a.part, 1, 6) = 'layer:'))
             OR EXISTS (SELECT 1 FROM asset a JOIN withdrawn_part w
                        ON w.parent_id = $2 AND substr(w.part, 1, strpos(a.part, ':')) = substr(a.part, 1, strpos(a.part, ':'))
                        JOIN publish_mark m ON m.asset_id = a.id AND m.marked = 1 AND m.context_id = w.context_id
                        WHERE a.id = $1 AND (substr(a.part, 1, 5) = 'page:' OR substr(a.part, 1, 6) = 'layer:'))",
    )
    .bind(part.0)
    .bind(parent.0)
    .fetch_one(tx)
    .await
    .map_err(StoreError::doing("look whether other parts were unmarked"))
}

/// Marks a part wherever its parent is, and nobody has unmarked the part.
async fn mark_as(tx: &mut Transaction, part: AssetId, parent: AssetId) -> Result<Follows, StoreError> {
    sql::query(
        "INSERT INTO publish_mark (asset_id, context_id, marked)
         SELECT $1, context_id, marked FROM publish_mark WHERE asset_id = $2 AND marked = 1
         ON CONFLICT (asset_id, context_id) DO UPDATE SET marked = 1 WHERE publish_mark.withdrawn = 0",
    )
    .bind(part.0)
    .bind(parent.0)
    .execute(&mut *tx)
    .await
    .map_err(StoreError::doing("mark a part as its asset"))?;
    let is_withdrawn: bool = sql::scalar(
        "SELECT EXISTS (SELECT 1 FROM publish_mark p JOIN publish_mark m USING (context_id)
                        WHERE p.asset_id = $1 AND p.withdrawn = 1 AND m.asset_id = $2 AND m.marked = 1)",
    )
    .bind(part.0)
    .bind(parent.0)
    .fetch_one(tx)
    .await
    .map_err(StoreError::doing("look whether a part was unmarked"))?;
    Ok(if is_withdrawn { Follows::ButWithdrawn } else { Follows::All })
}

async fn is_marked(tx: &mut Transaction, asset: AssetId) -> Result<bool, StoreError> {
    sql::scalar("SELECT EXISTS (SELECT 1 FROM publish_mark WHERE asset_id = $1 AND marked = 1)")
        .bind(asset.0)
        .fetch_one(tx)
        .await
        .map_err(StoreError::doing("look whether an asset is marked"))
}

/// Unmarks assets everywhere; says how many marks there were. The caller raises their `change_seq`.
pub(super) async fn unmark(tx: &mut Transaction, assets: &[AssetId]) -> Result<u64, StoreError> {
    sql::query("UPDATE publish_mark SET marked = 0 WHERE marked = 1 AND asset_id IN ids($1)")
        .list(assets)
        .execute(tx)
        .await
        .map(|unmarked| unmarked.rows_affected())
        .map_err(StoreError::doing("unmark assets"))
}
