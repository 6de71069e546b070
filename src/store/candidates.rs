//! Assets that may join sets.

use super::rows::get;
use super::{Reads, StoreError};
use crate::model::id::{AssetId, CompanyId, InstanceId};
use crate::store::sql::{self, Row};

/// An asset with a picture, outside the trash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub id: AssetId,
    pub name: String,
    pub folder: String,
    /// It was made from another asset.
    pub is_derived: bool,
}

impl Reads {
    /// Those of these assets that may join a set, and with `derived` what was made from them, in order of numbers.
    pub async fn set_candidates(
        &self,
        company: CompanyId,
        assets: &[AssetId],
        derived: bool,
    ) -> Result<Vec<Candidate>, StoreError> {
        sql::query(
            "WITH RECURSIVE below (id) AS (
                 SELECT a.id FROM ids($2) i JOIN asset a ON a.id = i.id AND a.trash_state = 'NotInTrash'
                 UNION
                 SELECT part.id FROM below
                 JOIN asset part ON part.parent_id = below.id AND part.trash_state = 'NotInTrash' WHERE $3
             )
             SELECT a.id, a.name, f.path, a.parent_id IS NOT NULL AS is_derived
             FROM below JOIN asset a ON a.id = below.id JOIN folder f ON f.id = a.folder_id
             WHERE a.company_id = $1 AND a.trash_state = 'NotInTrash'
               AND (a.asset_type IN ('Image', 'AnimatedGif')
                    OR EXISTS (SELECT 1 FROM derived d WHERE d.asset_id = a.id AND d.role = 'Pyramid'))
             ORDER BY a.id",
        )
        .bind(company.0)
        .list(assets)
        .bind(derived)
        .fetch_all(&mut *self.reader().await?)
        .await
        .map_err(StoreError::doing("read assets that may join sets"))?
        .iter()
        .map(candidate)
        .collect()
    }

    /// Assets that a run has filed or made again, by what its log says of them, in order of numbers.
    pub async fn assets_filed(&self, instance: InstanceId) -> Result<Vec<AssetId>, StoreError> {
        sql::query(
            "SELECT DISTINCT asset_id FROM log_detail WHERE instance_id = $1 AND asset_id IS NOT NULL
               AND log_type IN ('UploadSuccess', 'FileUpdated', 'ReoptimizeSuccess') ORDER BY asset_id",
        )
        .bind(instance.0)
        .fetch_all(&mut *self.reader().await?)
        .await
        .map_err(StoreError::doing("read which assets a run has filed"))?
        .iter()
        .map(|row| get(row, "asset_id").map(AssetId))
        .collect()
    }
}

fn candidate(row: &Row) -> Result<Candidate, StoreError> {
    Ok(Candidate {
        id: AssetId(get(row, "id")?),
        name: get(row, "name")?,
        folder: get(row, "path")?,
        is_derived: get(row, "is_derived")?,
    })
}
