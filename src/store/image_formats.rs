//! Image formats: names for commands of the image-serving protocol.

use super::numbers::next_number;
use super::rows::get;
use super::{Reads, Store, StoreError};
use crate::model::id::{CompanyId, ImageFormatId};
use crate::store::sql::{self, Row};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFormat {
    pub id: ImageFormatId,
    pub name: String,
    pub url_modifier: String,
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum ImageFormatError {
    #[error("an image format named \"{0}\" already exists")]
    NameTaken(String),
    #[error("there is no such image format")]
    NotFound,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Names are the same whatever the case of their letters.
fn folded(name: &str) -> String {
    name.to_lowercase()
}

impl Reads {
    /// Those of a company, by name.
    pub async fn image_formats(&self, company: CompanyId) -> Result<Vec<ImageFormat>, StoreError> {
        sql::query("SELECT id, name, url_modifier FROM image_format WHERE company_id = $1 ORDER BY folded_name")
            .bind(company.0)
            .fetch_all(&mut *self.reader().await?)
            .await
            .map_err(StoreError::doing("list image formats"))?
            .iter()
            .map(format)
            .collect()
    }
}

impl Store {
    /// Adds an image format, or changes the one with the number.
    pub async fn save_image_format(
        &self,
        company: CompanyId,
        id: Option<ImageFormatId>,
        name: String,
        url_modifier: String,
    ) -> Result<ImageFormatId, ImageFormatError> {
        self.write(move |tx| {
            Box::pin(async move {
                let namesake: Option<i64> =
                    sql::scalar("SELECT id FROM image_format WHERE company_id = $1 AND folded_name = $2")
                        .bind(company.0)
                        .bind(folded(&name))
                        .fetch_optional(&mut *tx)
                        .await
                        .map_err(StoreError::doing("look for an image format by its name"))?;
                if namesake.is_some_and(|namesake| id != Some(ImageFormatId(namesake))) {
                    return Err(ImageFormatError::NameTaken(name));
                }
                let query = match id {
                    None => sql::scalar(concat!(
                        "INSERT INTO image_format (id, company_id, name, folded_name, url_modifier) VALUES (",
                        next_number!("image_format"),
                        ", $1, $2, $3, $4) RETURNING id"
                    )),
                    Some(_) => sql::scalar(
                        "UPDATE image_format SET name = $2, folded_name = $3, url_modifier = $4
                         WHERE company_id = $1 AND id = $5 RETURNING id",
                    ),
                };
                let query = query.bind(company.0).bind(&name).bind(folded(&name)).bind(&url_modifier);
                let query = match id {
                    None => query,
                    Some(id) => query.bind(id.0),
                };
                let saved: Option<i64> =
                    query.fetch_optional(tx).await.map_err(StoreError::doing("write an image format"))?;
                saved.map(ImageFormatId).ok_or(ImageFormatError::NotFound)
            })
        })
        .await
    }

    /// False when there is none.
    pub async fn delete_image_format(&self, company: CompanyId, id: ImageFormatId) -> Result<bool, StoreError> {
        self.write(move |tx| {
            Box::pin(async move {
                sql::query("DELETE FROM image_format WHERE company_id = $1 AND id = $2")
                    .bind(company.0)
                    .bind(id.0)
                    .execute(tx)
                    .await
                    .map(|done| done.rows_affected() > 0)
                    .map_err(StoreError::doing("delete an image format"))
            })
        })
        .await
    }
}

fn format(row: &Row) -> Result<ImageFormat, StoreError> {
    Ok(ImageFormat {
        id: ImageFormatId(get(row, "id")?),
        name: get(row, "name")?,
        url_modifier: get(row, "url_modifier")?,
    })
}
