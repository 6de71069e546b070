//! Metadata fields that companies define.

use serde_json::json;

use super::assets::next_change;
use super::rows::{constant, get, json as json_of};
use super::{Reads, Store, StoreError, Transaction};
use crate::model::id::{CompanyId, MetadataFieldId};
use crate::model::metadata::FieldDefinition;
use crate::store::sql::{self, Connection, Row};

#[derive(Debug, Clone, thiserror::Error)]
pub enum MetadataFieldError {
    #[error("a metadata field named \"{0}\" already exists for assets of the same type")]
    NameTaken(String),
    #[error("there is no such metadata field")]
    NotFound,
    #[error("a company has at most {limit} metadata fields; delete some first")]
    TooMany { limit: usize },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Assets of company $1 that a field of scope $2 is for.
macro_rules! covered {
    () => {
        "(SELECT id FROM asset WHERE company_id = $1 AND ($2 = 'ALL' OR upper(asset_type) = $2))"
    };
}

/// Most fields of a company.
const MOST: usize = 1_000;

impl Reads {
    /// Those of a company, by name.
    pub async fn metadata_fields(&self, company: CompanyId) -> Result<Vec<FieldDefinition>, StoreError> {
        read(&mut *self.reader().await?, company).await
    }
}

impl Store {
    /// Adds a field, whose number counts for nothing.
    pub async fn add_metadata_field(
        &self,
        company: CompanyId,
        field: FieldDefinition,
    ) -> Result<(), MetadataFieldError> {
        self.write(move |tx| Box::pin(async move { add(tx, company, &field).await })).await
    }

    /// Changes the field with this number; its scope stays. Values follow its name.
    pub async fn change_metadata_field(
        &self,
        company: CompanyId,
        field: FieldDefinition,
    ) -> Result<(), MetadataFieldError> {
        self.write(move |tx| Box::pin(async move { change(tx, company, &field).await })).await
    }

    /// Deletes a field and the values that assets have in it.
    pub async fn delete_metadata_field(
        &self,
        company: CompanyId,
        field: FieldDefinition,
    ) -> Result<(), MetadataFieldError> {
        self.write(move |tx| Box::pin(async move { delete(tx, company, &field).await })).await
    }
}

pub(in crate::store) async fn read(
    reader: &mut Connection,
    company: CompanyId,
) -> Result<Vec<FieldDefinition>, StoreError> {
    sql::query("SELECT * FROM metadata_field WHERE company_id = $1 ORDER BY name, scope")
        .bind(company.0)
        .fetch_all(reader)
        .await
        .map_err(StoreError::doing("list metadata fields"))?
        .iter()
        .map(field)
        .collect()
}

fn field(row: &Row) -> Result<FieldDefinition, StoreError> {
    Ok(FieldDefinition {
        id: MetadataFieldId(get(row, "id")?),
        scope: constant(row, "scope")?,
        name: get(row, "name")?,
        field_type: constant(row, "field_type")?,
        default_value: get(row, "default_value")?,
        is_hidden: get(row, "is_hidden")?,
        is_enforced: get(row, "is_enforced")?,
        is_publish_data: get(row, "is_publish_data")?,
        tags: json_of(row, "tags")?,
    })
}

/// Refuses a name that a field has which the same asset could have.
async fn check_name(
    tx: &mut Transaction,
    company: CompanyId,
    wanted: &FieldDefinition,
) -> Result<(), MetadataFieldError> {
    let others = read(&mut *tx, company).await?;
    let mut others = others.iter().filter(|other| other.id != wanted.id);
    match others.any(|other| other.name == wanted.name && other.scope.meets(wanted.scope)) {
        true => Err(MetadataFieldError::NameTaken(wanted.name.clone())),
        false => Ok(()),
    }
}

async fn add(tx: &mut Transaction, company: CompanyId, field: &FieldDefinition) -> Result<(), MetadataFieldError> {
    let field = FieldDefinition { id: MetadataFieldId(0), ..field.clone() };
    if read(&mut *tx, company).await?.len() >= MOST {
        return Err(MetadataFieldError::TooMany { limit: MOST });
    }
    check_name(tx, company, &field).await?;
    sql::query(
        "INSERT INTO metadata_field (company_id, scope, name, field_type, default_value, is_hidden, is_enforced,
                                     is_publish_data, tags)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(company.0)
    .bind(field.scope.to_string())
    .bind(&field.name)
    .bind(field.field_type.as_str())
    .bind(&field.default_value)
    .bind(field.is_hidden)
    .bind(field.is_enforced)
    .bind(field.is_publish_data)
    .bind(json!(field.tags).to_string())
    .execute(&mut *tx)
    .await
    .map_err(StoreError::doing("write a metadata field"))?;
    if !field.default_value.is_empty() {
        note(tx, company, &field).await?;
    }
    Ok(())
}

async fn change(tx: &mut Transaction, company: CompanyId, field: &FieldDefinition) -> Result<(), MetadataFieldError> {
    let old = read(&mut *tx, company).await?.into_iter().find(|old| old.id == field.id);
    let old = old.ok_or(MetadataFieldError::NotFound)?;
    check_name(tx, company, field).await?;
    sql::query(
        "UPDATE metadata_field SET name = $3, field_type = $4, default_value = $5, is_hidden = $6, is_enforced = $7,
                                   is_publish_data = $8, tags = $9
         WHERE company_id = $1 AND id = $2",
    )
    .bind(company.0)
    .bind(field.id.0)
    .bind(&field.name)
    .bind(field.field_type.as_str())
    .bind(&field.default_value)
    .bind(field.is_hidden)
    .bind(field.is_enforced)
    .bind(field.is_publish_data)
    .bind(json!(field.tags).to_string())
    .execute(&mut *tx)
    .await
    .map_err(StoreError::doing("write a metadata field"))?;
    if old.name != field.name {
        sql::query(concat!("UPDATE asset_metadata SET name = $4 WHERE name = $3 AND asset_id IN ", covered!()))
            .bind(company.0)
            .bind(old.scope.to_string())
            .bind(&old.name)
            .bind(&field.name)
            .execute(&mut *tx)
            .await
            .map_err(StoreError::doing("rename a field of assets"))?;
    }
    let is_seen = old.name != field.name
        || old.default_value != field.default_value
        || old.is_publish_data != field.is_publish_data;
    if is_seen {
        note(tx, company, field).await?;
        note(tx, company, &FieldDefinition { name: field.name.clone(), ..old }).await?;
    }
    Ok(())
}

async fn delete(tx: &mut Transaction, company: CompanyId, field: &FieldDefinition) -> Result<(), MetadataFieldError> {
    note(tx, company, field).await?;
    let deleted = sql::query("DELETE FROM metadata_field WHERE company_id = $1 AND id = $2")
        .bind(company.0)
        .bind(field.id.0)
        .execute(&mut *tx)
        .await
        .map_err(StoreError::doing("delete a metadata field"))?;
    if deleted.rows_affected() != 1 {
        return Err(MetadataFieldError::NotFound);
    }
    sql::query(concat!("DELETE FROM asset_metadata WHERE name = $3 AND asset_id IN ", covered!()))
        .bind(company.0)
        .bind(field.scope.to_string())
        .bind(&field.name)
        .execute(tx)
        .await
        .map(|_| ())
        .map_err(StoreError::doing("delete the values of a metadata field"))?;
    Ok(())
}

/// Has publishing look again at the assets that show a field.
async fn note(tx: &mut Transaction, company: CompanyId, field: &FieldDefinition) -> Result<(), StoreError> {
    let seq = next_change(tx, company).await?;
    // A default shows wherever the field has no value.
    sql::query(concat!(
        "UPDATE asset SET change_seq = $4 WHERE id IN ",
        covered!(),
        " AND ($5 <> '' OR id IN (SELECT asset_id FROM asset_metadata WHERE name = $3))"
    ))
    .bind(company.0)
    .bind(field.scope.to_string())
    .bind(&field.name)
    .bind(seq)
    .bind(&field.default_value)
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(StoreError::doing("note a change of a metadata field"))
}
