//! Where what a job makes is marked for publishing.

use super::{Contexts, ids, set_marks};
use crate::model::id::{AssetId, CompanyId};
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
        Ok(Marked::ByTheOrder)
    }

    /// Whether assets that were there keep their marks.
    pub(super) async fn keeps(self, tx: &mut Transaction, company: CompanyId) -> Result<bool, StoreError> {
        match self.preserve {
            _ if self.ready.is_none() => Ok(true),
            Some(preserve) => Ok(preserve),
            None => sqlx::query_scalar("SELECT retain_publish_state FROM company WHERE id = $1")
                .bind(company.0)
                .fetch_one(tx)
                .await
                .map_err(StoreError::doing("look whether a company keeps marks")),
        }
    }

    /// Marks what was made from `parent` for the first time: as that is, where its marks are kept.
    pub(super) async fn mark_part(
        self,
        tx: &mut Transaction,
        company: CompanyId,
        part: AssetId,
        parent: AssetId,
    ) -> Result<(), StoreError> {
        if !self.keeps(tx, company).await? {
            return set_marks(tx, company, &[part], &self.of_new(), true).await;
        }
        mark_as(tx, part, parent).await
    }

    /// Marks a part that comes out of the trash because it is made again: by the order, which has [marked it](Self::mark_known), or,
    /// where marks are kept, as a new one, but not where somebody had unmarked it.
    pub(super) async fn mark_returned(
        self,
        tx: &mut Transaction,
        company: CompanyId,
        part: AssetId,
        parent: AssetId,
    ) -> Result<(), StoreError> {
        if !self.keeps(tx, company).await? {
            return Ok(());
        }
        sqlx::query(
            "UPDATE publish_mark SET marked = 0 WHERE asset_id = $1 AND marked = 1
             AND context_id NOT IN (SELECT context_id FROM publish_mark WHERE asset_id = $2 AND marked = 1)",
        )
        .bind(part.0)
        .bind(parent.0)
        .execute(&mut *tx)
        .await
        .map_err(StoreError::doing("unmark a part where its asset is not marked"))?;
        mark_as(tx, part, parent).await
    }
}

/// Marks a part wherever its parent is, and nobody has unmarked it.
async fn mark_as(tx: &mut Transaction, part: AssetId, parent: AssetId) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO publish_mark (asset_id, context_id, marked)
         SELECT $1, context_id, marked FROM publish_mark WHERE asset_id = $2 AND marked = 1
         ON CONFLICT (asset_id, context_id) DO NOTHING",
    )
    .bind(part.0)
    .bind(parent.0)
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(StoreError::doing("mark a part as its asset"))
}

/// Unmarks assets everywhere; says how many marks there were. The caller raises their `change_seq`.
pub(super) async fn unmark(tx: &mut Transaction, assets: &[AssetId]) -> Result<u64, StoreError> {
    sqlx::query("UPDATE publish_mark SET marked = 0 WHERE marked = 1 AND asset_id IN (SELECT value FROM json_each($1))")
        .bind(ids(assets))
        .execute(tx)
        .await
        .map(|unmarked| unmarked.rows_affected())
        .map_err(StoreError::doing("unmark assets"))
}
