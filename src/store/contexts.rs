//! Publish contexts: where published files go.

use chrono::{DateTime, Utc};

use super::rows::{constant, get, instant, json as json_of};
use super::{Reads, StoreError, Transaction};
use crate::model::asset::{AssetType, ContextKind};
use crate::model::id::{AssetId, CompanyId, ContextId};
use crate::store::numbers::next_number;
use crate::store::sql::{self, Row};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishContext {
    pub id: ContextId,
    pub kind: ContextKind,
    pub name: String,
}

impl Reads {
    /// Those that clients see.
    pub async fn publish_contexts(&self, company: CompanyId) -> Result<Vec<PublishContext>, StoreError> {
        sql::query(
            "SELECT id, kind, name FROM publish_context WHERE company_id = $1 AND kind <> 'Metadata' ORDER BY id",
        )
        .bind(company.0)
        .fetch_all(&mut *self.reader().await?)
        .await
        .map_err(StoreError::doing("list publish contexts"))?
        .iter()
        .map(context)
        .collect()
    }

    /// Those of the assets that the company has, in their order, each with its type and the contexts it is marked in.
    pub async fn contexts_marked(
        &self,
        company: CompanyId,
        assets: &[AssetId],
    ) -> Result<Vec<(AssetId, AssetType, Vec<ContextId>)>, StoreError> {
        let rows = sql::query(
            "SELECT a.id, a.asset_type,
                    (SELECT json_agg(m.context_id) FROM publish_mark m
                     WHERE m.asset_id = a.id AND m.marked = 1) AS contexts
             FROM ids($2) i JOIN asset a ON a.id = i.id
             WHERE a.company_id = $1 AND a.trash_state <> 'InEmptiedTrash' ORDER BY i.n",
        )
        .bind(company.0)
        .list(assets)
        .fetch_all(&mut *self.reader().await?)
        .await
        .map_err(StoreError::doing("read the marks of assets"))?;
        rows.iter()
            .map(|row| Ok((AssetId(get(row, "id")?), constant(row, "asset_type")?, json_of(row, "contexts")?)))
            .collect()
    }

    /// When readers were last given an asset, not its metadata: context and instant, in order of contexts.
    pub async fn publish_history(&self, asset: AssetId) -> Result<Vec<(String, DateTime<Utc>)>, StoreError> {
        let rows = sql::query(
            "SELECT c.name, h.published_at FROM publish_history h JOIN publish_context c ON c.id = h.context_id
             WHERE h.asset_id = $1 AND c.kind <> 'Metadata' ORDER BY c.id",
        )
        .bind(asset.0)
        .fetch_all(&mut *self.reader().await?)
        .await
        .map_err(StoreError::doing("read the publish history of an asset"))?;
        rows.iter().map(|row| Ok((get(row, "name")?, instant(row, "published_at")?))).collect()
    }
}

/// Notes that readers are given these assets. Those that are gone have no history.
pub(super) async fn note_published(
    tx: &mut Transaction,
    context: ContextId,
    assets: &[AssetId],
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    sql::query(
        "INSERT INTO publish_history (asset_id, context_id, published_at)
         SELECT DISTINCT a.id, CAST($1 AS bigint), CAST($3 AS bigint) FROM ids($2) f STRAIGHT_JOIN asset a ON a.id = f.id WHERE true
         ON CONFLICT (asset_id, context_id) DO UPDATE SET published_at = excluded.published_at",
    )
    .bind(context.0)
    .list(assets)
    .bind(at.timestamp_millis())
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(StoreError::doing("note what readers are given"))
}

/// One context of each kind, named after it.
pub(super) async fn add_defaults(tx: &mut Transaction, company: CompanyId) -> Result<(), StoreError> {
    sql::query(concat!(
        "INSERT INTO publish_context (id, company_id, kind, name, publish_seq)
         SELECT ",
        next_number!("publish_context"),
        " + k.n, $1, k.text, k.text, coalesce((SELECT value FROM kept_number WHERE name = 'publish'), 0)
         FROM texts($2) k"
    ))
    .bind(company.0)
    .list(ContextKind::ALL)
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(StoreError::doing("write publish contexts"))
}

fn context(row: &Row) -> Result<PublishContext, StoreError> {
    Ok(PublishContext { id: ContextId(get(row, "id")?), kind: constant(row, "kind")?, name: get(row, "name")? })
}
