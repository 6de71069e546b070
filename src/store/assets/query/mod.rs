//! Reading assets: by number, by name, by condition.

mod condition;
mod search;

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use crate::model::asset::{AssetType, PictureFacts, TrashState};
use crate::model::id::{AssetId, CompanyId};
use crate::store::assets::derived::{self, Derived};
use crate::store::rows::{constant, get, instant, json};
use crate::store::sql::{Cells, Row};
use crate::store::{Reads, StoreError};

use condition::{Argument, Query};
pub use search::{Condition, FieldTest, Group, NumberField, NumberOp, Page, Scalar, Search, Sort, TextField, TextOp};

/// An asset, with all that its clients see.
#[derive(Debug, Clone, PartialEq)]
pub struct Asset {
    pub id: AssetId,
    pub folder: String,
    pub name: String,
    pub asset_type: AssetType,
    pub file_name: String,
    pub blob: String,
    pub bytes: i64,
    pub pixels: Option<(u32, u32)>,
    pub facts: PictureFacts,
    /// Of asset sets.
    pub sub_type: Option<String>,
    /// Of asset sets.
    pub definition: Option<String>,
    pub trash_state: TrashState,
    /// In at least one publish context.
    pub marked: bool,
    pub created_at: DateTime<Utc>,
    pub created_by: Option<String>,
    pub modified_at: DateTime<Utc>,
    pub modified_by: Option<String>,
    /// What was made from it, and is not stale.
    pub derived: Vec<Derived>,
}

const COLUMNS: &str =
    "SELECT a.*, sd.sub_type, sd.definition, f.path AS folder, cu.email AS creator, mu.email AS modifier,
    EXISTS (SELECT 1 FROM publish_mark p WHERE p.asset_id = a.id AND p.marked = 1) AS is_marked";

const TABLES: &str = " FROM asset a JOIN folder f ON f.id = a.folder_id
    LEFT JOIN set_detail sd ON sd.set_id = a.id
    LEFT JOIN account cu ON cu.id = a.created_by LEFT JOIN account mu ON mu.id = a.modified_by";

impl Reads {
    /// Those of the company, in the order of `assets`; what is not there is left out.
    pub async fn assets(&self, company: CompanyId, assets: &[AssetId]) -> Result<Vec<Asset>, StoreError> {
        let mut query = Query::by_number(company);
        let list = query.bind(Argument::Assets(assets.to_vec()));
        query.and(format!("a.id IN ids({list})"));
        query.and("a.trash_state <> 'InEmptiedTrash'".to_owned());
        let mut found: HashMap<AssetId, Asset> =
            self.select(query, "").await?.into_iter().map(|asset| (asset.id, asset)).collect();
        Ok(assets.iter().filter_map(|id| found.remove(id)).collect())
    }

    /// Those of the company that are not in the trash, in the order of `names`.
    pub async fn assets_named(&self, company: CompanyId, names: &[String]) -> Result<Vec<Asset>, StoreError> {
        let mut query = Query::new(company);
        let list = query.bind(Argument::Texts(names.to_vec()));
        query.and(format!("a.name IN texts({list})"));
        query.and("a.trash_state = 'NotInTrash'".to_owned());
        let mut found: HashMap<String, Asset> =
            self.select(query, "").await?.into_iter().map(|asset| (asset.name.clone(), asset)).collect();
        Ok(names.iter().filter_map(|name| found.remove(name)).collect())
    }

    pub async fn search_assets(&self, company: CompanyId, search: &Search) -> Result<Page, StoreError> {
        let query = Query::of(company, search);
        let total = {
            let sql = format!("SELECT count(*){TABLES}{}", query.condition);
            let row = query
                .statement(sql)
                .fetch_one(&mut *self.reader().await?)
                .await
                .map_err(StoreError::doing("count assets"))?;
            row.get::<i64, _>(0).unsigned_abs()
        };
        let column = match search.sort {
            Sort::Created => "a.created_at",
            Sort::Modified => "a.modified_at",
            Sort::Name => "a.name",
            Sort::AssetType => "a.asset_type",
            Sort::FileSize => "a.bytes",
        };
        let direction = if search.descending { "DESC" } else { "ASC" };
        let tail = format!(
            " ORDER BY {column} {direction}, a.id {direction} LIMIT {} OFFSET {}",
            search.limit,
            search.offset.min(i64::MAX.unsigned_abs())
        );
        Ok(Page { total, assets: self.select(query, &tail).await? })
    }

    async fn select(&self, query: Query, tail: &str) -> Result<Vec<Asset>, StoreError> {
        let sql = format!("{COLUMNS}{TABLES}{}{tail}", query.condition);
        let mut reader = self.reader().await?;
        let rows = query.statement(sql).fetch_all(&mut reader).await.map_err(StoreError::doing("read assets"))?;
        let mut assets = rows.iter().map(asset).collect::<Result<Vec<_>, _>>()?;
        let numbers: Vec<AssetId> = assets.iter().map(|asset| asset.id).collect();
        let mut files = derived::of(&mut reader, &numbers).await?;
        for asset in &mut assets {
            asset.derived = files.remove(&asset.id).unwrap_or_default();
            asset.derived.retain(|file| file.source_blob == asset.blob);
        }
        Ok(assets)
    }
}

fn asset(row: &Row) -> Result<Asset, StoreError> {
    let (width, height): (Option<u32>, Option<u32>) = (get(row, "width")?, get(row, "height")?);
    Ok(Asset {
        id: AssetId(get(row, "id")?),
        folder: get(row, "folder")?,
        name: get(row, "name")?,
        asset_type: constant(row, "asset_type")?,
        file_name: get(row, "file_name")?,
        blob: get(row, "blob")?,
        bytes: get(row, "bytes")?,
        pixels: width.zip(height),
        facts: json(row, "info")?,
        sub_type: get(row, "sub_type")?,
        definition: get(row, "definition")?,
        trash_state: constant(row, "trash_state")?,
        marked: get(row, "is_marked")?,
        created_at: instant(row, "created_at")?,
        created_by: get(row, "creator")?,
        modified_at: instant(row, "modified_at")?,
        modified_by: get(row, "modifier")?,
        derived: Vec::new(),
    })
}
