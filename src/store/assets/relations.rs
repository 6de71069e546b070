//! How assets belong together: sets with their members, and what was made from what.

use super::query::Asset;
use crate::model::id::{AssetId, CompanyId};
use crate::store::rows::get;
use crate::store::sql::{self, Row};
use crate::store::{Reads, StoreError};

/// A member of a set that is not in the trash.
#[derive(Debug, Clone, PartialEq)]
pub struct SetMember {
    pub asset: Asset,
    pub page_reset: bool,
}

/// An asset that was made from another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub parent: AssetId,
    pub asset: AssetId,
    /// Which part of the parent it is, such as `page:3`.
    pub part: String,
}

/// The asset that stands for a set: the one that a user chose, or its first picture.
macro_rules! thumb_of_set {
    ($set:literal) => {
        concat!(
            "coalesce(
                 (SELECT t.id FROM set_detail d JOIN asset t ON t.id = d.thumb_id
                  WHERE d.set_id = ",
            $set,
            " AND t.trash_state = 'NotInTrash'),
                 (SELECT a.id FROM set_member s JOIN asset a ON a.id = s.asset_id
                  WHERE s.set_id = ",
            $set,
            " AND a.trash_state = 'NotInTrash' AND a.asset_type IN ('Image', 'AnimatedGif')
                  ORDER BY s.position LIMIT 1))"
        )
    };
}
pub(in crate::store) use thumb_of_set;

impl Reads {
    /// In their order.
    pub async fn set_members(&self, company: CompanyId, set: AssetId) -> Result<Vec<SetMember>, StoreError> {
        let rows = sql::query(
            "SELECT s.asset_id, s.page_reset FROM set_member s JOIN asset a ON a.id = s.asset_id
             WHERE s.set_id = $1 AND a.company_id = $2 AND a.trash_state = 'NotInTrash' ORDER BY s.position",
        )
        .bind(set.0)
        .bind(company.0)
        .fetch_all(&mut *self.reader().await?)
        .await
        .map_err(StoreError::doing("read the members of a set"))?;
        let seats = rows.iter().map(|row| Ok((AssetId(get(row, "asset_id")?), get(row, "page_reset")?)));
        let seats = seats.collect::<Result<Vec<(AssetId, bool)>, StoreError>>()?;
        let mut numbers: Vec<AssetId> = seats.iter().map(|(asset, _)| *asset).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let assets = self.assets(company, &numbers).await?;
        // An asset may be a member more than once.
        let member = |(id, page_reset): (AssetId, bool)| {
            let asset = assets.iter().find(|asset| asset.id == id)?.clone();
            Some(SetMember { asset, page_reset })
        };
        Ok(seats.into_iter().filter_map(member).collect())
    }

    /// Sets that an asset is a member of, in order of numbers.
    pub async fn containers(&self, company: CompanyId, asset: AssetId) -> Result<Vec<AssetId>, StoreError> {
        sql::query(
            "SELECT DISTINCT a.id FROM set_member s JOIN asset a ON a.id = s.set_id
             WHERE s.asset_id = $1 AND a.company_id = $2 AND a.trash_state = 'NotInTrash' ORDER BY a.id",
        )
        .bind(asset.0)
        .bind(company.0)
        .fetch_all(&mut *self.reader().await?)
        .await
        .map_err(StoreError::doing("look for the sets of an asset"))?
        .iter()
        .map(|row| get(row, "id").map(AssetId))
        .collect()
    }

    /// What was made from `parent` (any, when it is None) and is `asset` (any, when it is None), in order of numbers;
    /// nothing of it in the trash.
    pub async fn origins(
        &self,
        company: CompanyId,
        parent: Option<AssetId>,
        asset: Option<AssetId>,
    ) -> Result<Vec<Origin>, StoreError> {
        sql::query(
            "SELECT a.id, a.parent_id, a.part FROM asset a JOIN asset p ON p.id = a.parent_id
             WHERE a.company_id = $1 AND a.parent_id = coalesce($2, a.parent_id) AND a.id = coalesce($3, a.id)
               AND a.trash_state = 'NotInTrash' AND p.trash_state = 'NotInTrash' ORDER BY a.id",
        )
        .bind(company.0)
        .bind(parent.map(|parent| parent.0))
        .bind(asset.map(|asset| asset.0))
        .fetch_all(&mut *self.reader().await?)
        .await
        .map_err(StoreError::doing("read what assets were made from"))?
        .iter()
        .map(origin)
        .collect()
    }

    /// The asset that stands for a set: the one that a user chose, or its first picture.
    pub async fn thumb_of(&self, company: CompanyId, set: AssetId) -> Result<Option<AssetId>, StoreError> {
        let row = sql::query(concat!(
            "SELECT ",
            thumb_of_set!("$1"),
            " AS thumb FROM asset WHERE id = $1 AND company_id = $2"
        ))
        .bind(set.0)
        .bind(company.0)
        .fetch_optional(&mut *self.reader().await?)
        .await
        .map_err(StoreError::doing("look for the picture of a set"))?;
        Ok(row.map(|row| get::<Option<i64>>(&row, "thumb")).transpose()?.flatten().map(AssetId))
    }
}

fn origin(row: &Row) -> Result<Origin, StoreError> {
    Ok(Origin {
        parent: AssetId(get(row, "parent_id")?),
        asset: AssetId(get(row, "id")?),
        part: get::<Option<String>>(row, "part")?.unwrap_or_default(),
    })
}
