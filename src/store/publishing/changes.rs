//! Which assets a publish looks at.

use super::states::contexts_of_marks;
use crate::model::id::{AssetId, CompanyId, ContextId};
use crate::store::sql;
use crate::store::{Reads, StoreError};

/// What belongs to a set may be published with it. What a set says of itself names its members, and those that stand for
/// them. What was made with a colour profile is to be made anew with another one in its place.
const CHANGED: &str = "
    WITH RECURSIVE changed (id) AS (
        SELECT id FROM asset WHERE company_id = $1 AND change_seq > $2
    ), below (id) AS (
        SELECT id FROM changed
        UNION
        SELECT s.asset_id FROM below JOIN set_member s ON s.set_id = below.id
    ), shown (id) AS (
        SELECT id FROM changed
        UNION
        SELECT d.set_id FROM changed JOIN set_detail d ON d.thumb_id = changed.id
    ), above (id) AS (
        SELECT s.set_id FROM shown JOIN set_member s ON s.asset_id = shown.id
        UNION
        SELECT s.set_id FROM above JOIN set_member s ON s.asset_id = above.id
    ), converted (id) AS (
        SELECT id FROM asset INDEXED BY asset_by_conversion
        WHERE company_id = $1 AND json_text(making, '$.colors.convert') IS NOT NULL
          AND (json_int(making, '$.colors.convert.source') IN (SELECT id FROM changed)
               OR json_int(making, '$.colors.convert.output') IN (SELECT id FROM changed))
    )
    SELECT id FROM below UNION SELECT id FROM above UNION SELECT id FROM converted
    ORDER BY 1";

impl Reads {
    /// Assets of a company that changed after `scanned`, in order of numbers; and with a set all that belongs to it, with
    /// a member the sets that show it.
    pub async fn assets_changed(&self, company: CompanyId, scanned: i64) -> Result<Vec<AssetId>, StoreError> {
        let mut reader = self.reader().await?;
        let ids: Vec<i64> = sql::scalar(CHANGED)
            .bind(company.0)
            .bind(scanned)
            .fetch_all(&mut reader)
            .await
            .map_err(StoreError::doing("list changed assets"))?;
        Ok(ids.into_iter().map(AssetId).collect())
    }

    /// Assets that are marked in a context, belong to a set that is, or are published to it, in order of numbers.
    pub async fn assets_of_context(&self, context: ContextId) -> Result<Vec<AssetId>, StoreError> {
        let mut reader = self.reader().await?;
        let ids: Vec<i64> = sql::scalar(concat!(
            "WITH RECURSIVE marked (id) AS (
                 SELECT asset_id FROM publish_mark WHERE marked = 1 AND context_id IN ",
            contexts_of_marks!("$1"),
            " UNION
                 SELECT s.asset_id FROM marked JOIN set_member s ON s.set_id = marked.id
             )
             SELECT id FROM marked
             UNION SELECT asset_id FROM publication WHERE context_id = $1 AND present = 1
             ORDER BY 1"
        ))
        .bind(context.0)
        .fetch_all(&mut reader)
        .await
        .map_err(StoreError::doing("list marked assets"))?;
        Ok(ids.into_iter().map(AssetId).collect())
    }

    /// Assets that are published at one of `paths`, or below one of `folders`.
    pub async fn holders(
        &self,
        context: ContextId,
        paths: &[&str],
        folders: &[&str],
    ) -> Result<Vec<AssetId>, StoreError> {
        let mut reader = self.reader().await?;
        // "0" is the character after "/".
        let ids: Vec<i64> = sql::scalar(
            "SELECT p.asset_id FROM texts($2) w
             STRAIGHT_JOIN publication p ON p.context_id = $1 AND p.file_name = w.text AND p.present = 1
             UNION
             SELECT p.asset_id FROM texts($3) w
             STRAIGHT_JOIN publication p ON p.context_id = $1 AND p.present = 1
              AND p.file_name > w.text || '/' AND p.file_name < w.text || '0'",
        )
        .bind(context.0)
        .list(paths)
        .list(folders)
        .fetch_all(&mut reader)
        .await
        .map_err(StoreError::doing("look for what is published at a path"))?;
        Ok(ids.into_iter().map(AssetId).collect())
    }

    /// Assets that a publish to this context could not have: the next one tries them again.
    pub async fn refused_assets(&self, context: ContextId) -> Result<Vec<AssetId>, StoreError> {
        let mut reader = self.reader().await?;
        let ids: Vec<i64> = sql::scalar("SELECT asset_id FROM publish_refused WHERE context_id = $1 ORDER BY asset_id")
            .bind(context.0)
            .fetch_all(&mut reader)
            .await
            .map_err(StoreError::doing("look for what could not be published"))?;
        Ok(ids.into_iter().map(AssetId).collect())
    }

    /// These assets, each behind the one that it was made from, or behind itself.
    pub async fn with_masters(
        &self,
        company: CompanyId,
        assets: &[AssetId],
    ) -> Result<Vec<(AssetId, AssetId)>, StoreError> {
        let rows: Vec<(i64, i64)> = sql::tuple(
            "SELECT coalesce(a.parent_id, a.id), a.id FROM ids($2) i
             STRAIGHT_JOIN asset a ON a.id = i.id AND unindexed(a.company_id) = $1",
        )
        .bind(company.0)
        .list(assets)
        .fetch_all(&mut *self.reader().await?)
        .await
        .map_err(StoreError::doing("look for what assets were made from"))?;
        Ok(rows.into_iter().map(|(master, asset)| (AssetId(master), AssetId(asset))).collect())
    }
}
