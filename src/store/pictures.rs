//! What jobs that make pictures ask about assets.

use std::collections::BTreeMap;

use super::assets::derived::Derived;
use super::assets::ingest::Master;
use super::{Reads, StoreError, Transaction, rows};
use crate::model::asset::{AssetType, PictureFacts, TrashState};
use crate::model::id::{AssetId, CompanyId};
use crate::model::making::Making;
use crate::store::sql::{self, Query, Row};

/// An asset as it is before a job changes it.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownAsset {
    pub id: AssetId,
    pub name: String,
    /// Below the company root.
    pub folder: String,
    pub in_trash: bool,
    /// It has left the trash for good.
    pub is_given_up: bool,
    /// What it was made from is there, or in the trash.
    pub has_parent: bool,
    pub file_name: String,
    pub master: Master,
    pub derived: Vec<Derived>,
}

impl KnownAsset {
    /// What a file takes over that replaces it. An upload is the whole file: it makes a page or a layer an asset of its own, of
    /// which only the crop stays.
    pub fn for_upload(self) -> Self {
        if !self.master.making.is_of_piece() {
            return self;
        }
        let making = Making { crop: self.master.making.crop, ..Making::default() };
        let facts = PictureFacts { layer: None, ..self.master.facts };
        Self { master: Master { making, facts, ..self.master }, derived: Vec::new(), ..self }
    }
}

/// A picture, and whether its derived files are what they should be.
#[derive(Debug, Clone, PartialEq)]
pub struct PictureState {
    pub id: AssetId,
    pub name: String,
    pub file_name: String,
    pub blob: String,
    pub making: Making,
    /// The one recipe of its pyramid and its thumbnail, if both were made from the master that it has now.
    pub recipe: Option<String>,
}

/// A page, and whether its derived files are what they should be.
#[derive(Debug, Clone, PartialEq)]
pub struct PageState {
    pub id: AssetId,
    pub name: String,
    /// The one recipe of its pyramid and its thumbnail, if it was drawn from the master that its document has now.
    pub recipe: Option<String>,
    /// None: it is gone for good.
    pub document: Option<PagesOf>,
}

/// A document that pages were drawn from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PagesOf {
    pub id: AssetId,
    pub name: String,
    pub file_name: String,
    pub in_trash: bool,
}

/// An asset that is a colour profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileAsset {
    pub name: String,
    pub blob: String,
}

/// Assets of company $1 that meet a condition, each with its derived files.
macro_rules! known {
    ($condition:literal) => {
        concat!(
            "SELECT a.*, f.path AS folder,
                    (SELECT json_agg(json_build_object('role', role, 'blob', d.blob, 'bytes', d.bytes,
                            'pixels', json_build_array(d.width, d.height), 'source_blob', source_blob, 'recipe', recipe) ORDER BY role)
                     FROM derived d WHERE d.asset_id = a.id) AS derived,
                    EXISTS (SELECT 1 FROM asset p WHERE p.id = a.parent_id AND p.trash_state <> 'InEmptiedTrash') AS has_parent
             FROM asset a JOIN folder f ON f.id = a.folder_id WHERE a.company_id = $1 AND a.",
            $condition,
            " ORDER BY a.id"
        )
    };
}

/// Pictures of company $1 of the types $2 that are not in the trash and no page of a document, and meet a condition.
macro_rules! pictures {
    ($condition:literal) => {
        concat!(
            "SELECT a.id, a.name, a.file_name, a.blob, a.making,
                    (SELECT CASE WHEN count(*) = 2 AND min(d.recipe) = max(d.recipe) THEN min(d.recipe) END FROM derived d
                     WHERE d.asset_id = a.id AND d.role IN ('Pyramid', 'Thumbnail') AND d.source_blob = a.blob) AS recipe
             FROM asset a
             WHERE a.company_id = $1 AND a.trash_state = 'NotInTrash'
               AND a.asset_type IN texts($2)
               -- Pages are drawn again with their document.
               AND json_text(a.making, 'page') IS NULL ",
            $condition,
            " ORDER BY a.id"
        )
    };
}

impl Reads {
    pub async fn asset_named(&self, company: CompanyId, name: &str) -> Result<Option<KnownAsset>, StoreError> {
        let found = sql::query(known!("name = $2")).bind(company.0).bind(name);
        Ok(self.known(found).await?.pop())
    }

    /// Those of the assets that the company has, in order of numbers; also those in the trash.
    pub async fn assets_numbered(&self, company: CompanyId, assets: &[AssetId]) -> Result<Vec<KnownAsset>, StoreError> {
        let found = sql::query(known!("id IN ids($2)")).bind(company.0);
        self.known(found.list(assets)).await
    }

    async fn known(&self, found: Query) -> Result<Vec<KnownAsset>, StoreError> {
        let mut reader = self.reader().await?;
        let rows = found.fetch_all(&mut reader).await.map_err(StoreError::doing("look for assets"))?;
        rows.iter()
            .map(|row| {
                let trash_state: TrashState = rows::constant(row, "trash_state")?;
                Ok(KnownAsset {
                    id: AssetId(rows::get(row, "id")?),
                    name: rows::get(row, "name")?,
                    folder: rows::get(row, "folder")?,
                    in_trash: trash_state != TrashState::NotInTrash,
                    is_given_up: trash_state == TrashState::InEmptiedTrash,
                    has_parent: rows::get(row, "has_parent")?,
                    file_name: rows::get(row, "file_name")?,
                    master: master(row)?,
                    derived: rows::json(row, "derived")?,
                })
            })
            .collect()
    }

    /// Every picture of a company that is not in the trash and no page of a document, in order of numbers.
    pub async fn pictures(&self, company: CompanyId) -> Result<Vec<PictureState>, StoreError> {
        let found = sql::query(pictures!("")).bind(company.0).list(&picture_types());
        self.picture_states(found).await
    }

    /// One of them.
    pub async fn picture(&self, company: CompanyId, asset: AssetId) -> Result<Option<PictureState>, StoreError> {
        let found = sql::query(pictures!("AND a.id = $3")).bind(company.0).list(&picture_types()).bind(asset.0);
        Ok(self.picture_states(found).await?.pop())
    }

    async fn picture_states(&self, found: Query) -> Result<Vec<PictureState>, StoreError> {
        let mut reader = self.reader().await?;
        let rows = found.fetch_all(&mut reader).await.map_err(StoreError::doing("list pictures"))?;
        rows.iter()
            .map(|row| {
                Ok(PictureState {
                    id: AssetId(rows::get(row, "id")?),
                    name: rows::get(row, "name")?,
                    file_name: rows::get(row, "file_name")?,
                    blob: rows::get(row, "blob")?,
                    making: rows::json(row, "making")?,
                    recipe: rows::get(row, "recipe")?,
                })
            })
            .collect()
    }

    /// Every page of a company that is not in the trash, in order of numbers.
    pub async fn pages_drawn(&self, company: CompanyId) -> Result<Vec<PageState>, StoreError> {
        let rows = sql::query(
            "SELECT a.id, a.name, p.id AS document, p.name AS document_name, p.file_name, p.trash_state,
                    (SELECT CASE WHEN count(*) = 2 AND min(d.recipe) = max(d.recipe) THEN min(d.recipe) END FROM derived d
                     WHERE d.asset_id = a.id AND d.role IN ('Pyramid', 'Thumbnail') AND d.source_blob = a.blob
                       AND d.source_blob = coalesce(p.blob, a.blob)) AS recipe
             FROM asset a LEFT JOIN asset p ON p.id = a.parent_id AND p.trash_state <> 'InEmptiedTrash'
             WHERE a.company_id = $1 AND a.trash_state = 'NotInTrash' AND json_text(a.making, 'page') IS NOT NULL
             ORDER BY a.id",
        )
        .bind(company.0)
        .fetch_all(&mut *self.reader().await?)
        .await
        .map_err(StoreError::doing("list pages"))?;
        rows.iter()
            .map(|row| {
                let document = match rows::get::<Option<i64>>(row, "document")? {
                    None => None,
                    Some(id) => Some(PagesOf {
                        id: AssetId(id),
                        name: rows::get(row, "document_name")?,
                        file_name: rows::get(row, "file_name")?,
                        in_trash: rows::constant::<TrashState>(row, "trash_state")? != TrashState::NotInTrash,
                    }),
                };
                let (id, recipe) = (AssetId(rows::get(row, "id")?), rows::get(row, "recipe")?);
                Ok(PageState { id, name: rows::get(row, "name")?, recipe, document })
            })
            .collect()
    }

    /// The colour profiles of a company that are not in the trash.
    pub async fn color_profiles(&self, company: CompanyId) -> Result<BTreeMap<AssetId, ProfileAsset>, StoreError> {
        let mut reader = self.reader().await?;
        let rows = sql::query(
            "SELECT id, name, blob FROM asset
             WHERE company_id = $1 AND asset_type = 'IccProfile' AND trash_state = 'NotInTrash'",
        )
        .bind(company.0)
        .fetch_all(&mut reader)
        .await
        .map_err(StoreError::doing("list colour profiles"))?;
        rows.iter()
            .map(|row| {
                let profile = ProfileAsset { name: rows::get(row, "name")?, blob: rows::get(row, "blob")? };
                Ok((AssetId(rows::get(row, "id")?), profile))
            })
            .collect()
    }
}

fn picture_types() -> Vec<AssetType> {
    AssetType::ALL.iter().copied().filter(|kind| kind.is_picture()).collect()
}

fn master(row: &Row) -> Result<Master, StoreError> {
    let (width, height): (Option<u32>, Option<u32>) = (rows::get(row, "width")?, rows::get(row, "height")?);
    Ok(Master {
        asset_type: rows::constant(row, "asset_type")?,
        blob: rows::get(row, "blob")?,
        bytes: rows::get::<i64>(row, "bytes")?.unsigned_abs(),
        pixels: width.zip(height),
        facts: rows::json(row, "info")?,
        making: rows::json(row, "making")?,
    })
}

/// What has become of an asset since work on its master began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is there with the same master.
    AsItWas,
    /// It has another master.
    Replaced,
    /// It is in the trash, or gone altogether.
    Withdrawn,
}

pub(super) async fn standing(
    tx: &mut Transaction,
    company: CompanyId,
    asset: AssetId,
    blob: &str,
) -> Result<Standing, StoreError> {
    let has_master: Option<bool> =
        sql::scalar("SELECT blob = $3 FROM asset WHERE id = $1 AND company_id = $2 AND trash_state = 'NotInTrash'")
            .bind(asset.0)
            .bind(company.0)
            .bind(blob)
            .fetch_optional(tx)
            .await
            .map_err(StoreError::doing("look at the master of an asset"))?;
    Ok(match has_master {
        Some(true) => Standing::AsItWas,
        Some(false) => Standing::Replaced,
        None => Standing::Withdrawn,
    })
}

/// Whether this is the master of the asset, made in this way, and the asset is not in the trash: what a job has read before
/// it went to work.
pub(super) async fn is_made_so(
    tx: &mut Transaction,
    company: CompanyId,
    asset: AssetId,
    blob: &str,
    making: &Making,
) -> Result<bool, StoreError> {
    let row = sql::query(
        "SELECT making FROM asset WHERE id = $1 AND company_id = $2 AND blob = $3 AND trash_state = 'NotInTrash'",
    )
    .bind(asset.0)
    .bind(company.0)
    .bind(blob)
    .fetch_optional(tx)
    .await
    .map_err(StoreError::doing("look at how an asset is made"))?;
    Ok(row.map(|row| rows::json::<Making>(&row, "making")).transpose()?.is_some_and(|now| now == *making))
}

/// Forgets the files that were made from an earlier master.
pub(super) async fn drop_stale(tx: &mut Transaction, asset: AssetId) -> Result<(), StoreError> {
    sql::query("DELETE FROM derived WHERE asset_id = $1 AND source_blob <> (SELECT blob FROM asset WHERE id = $1)")
        .bind(asset.0)
        .execute(tx)
        .await
        .map(|_| ())
        .map_err(StoreError::doing("forget stale derived files"))
}
