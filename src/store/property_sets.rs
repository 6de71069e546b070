//! Property set types and property sets.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::numbers::next_number;
use super::rows::{constant, get, json, optional_constant};
use super::{Reads, Store, StoreError, Transaction};
use crate::model::id::{AccountId, CompanyId, PropertySetId, PropertySetTypeId};
use crate::model::invalid::Invalid;
use crate::model::property_set::{self, BuiltIn, Properties, PropertyType};
use crate::store::sql::{self, Cells, Row};

/// Most sets of a type that one owner may have.
const MOST_SETS: i64 = 1000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PropertySetType {
    pub id: PropertySetTypeId,
    /// None: global, every company has it.
    pub company: Option<CompanyId>,
    pub name: String,
    pub property_type: PropertyType,
    /// Whether an owner may have several sets of it.
    pub allow_multiple: bool,
    pub built_in: Option<BuiltIn>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPropertySetType {
    pub company: Option<CompanyId>,
    pub name: String,
    pub property_type: PropertyType,
    pub allow_multiple: bool,
    pub at: DateTime<Utc>,
}

/// Who has a set: a company, a user, or a user in a company.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    pub company: Option<CompanyId>,
    pub account: Option<AccountId>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PropertySet {
    pub id: PropertySetId,
    pub type_id: PropertySetTypeId,
    pub built_in: Option<BuiltIn>,
    pub owner: Owner,
    pub properties: Properties,
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum PropertySetError {
    #[error("a property set type named \"{0}\" already exists")]
    TypeNameTaken(String),
    #[error("the owner already has a set of this type named \"{0}\"")]
    NameTaken(String),
    #[error("the owner already has {MOST_SETS} sets of this type, which is the most there may be")]
    TooMany,
    #[error("it is no longer there")]
    Gone,
    #[error("{0}")]
    Invalid(#[from] Invalid),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Reads {
    /// The global types, and those of the company.
    pub async fn property_set_types(&self, company: Option<CompanyId>) -> Result<Vec<PropertySetType>, StoreError> {
        sql::query("SELECT * FROM property_set_type WHERE company_id IS NULL OR company_id = $1 ORDER BY id")
            .bind(company.map(|company| company.0))
            .fetch_all(&mut *self.reader().await?)
            .await
            .map_err(StoreError::doing("list property set types"))?
            .iter()
            .map(set_type)
            .collect()
    }

    /// Those of this name, of all companies.
    pub async fn property_set_types_named(&self, name: &str) -> Result<Vec<PropertySetType>, StoreError> {
        sql::query("SELECT * FROM property_set_type WHERE name = $1 ORDER BY id")
            .bind(name)
            .fetch_all(&mut *self.reader().await?)
            .await
            .map_err(StoreError::doing("look for property set types by their name"))?
            .iter()
            .map(set_type)
            .collect()
    }

    pub async fn property_set_type(&self, id: PropertySetTypeId) -> Result<Option<PropertySetType>, StoreError> {
        sql::query("SELECT * FROM property_set_type WHERE id = $1")
            .bind(id.0)
            .fetch_optional(&mut *self.reader().await?)
            .await
            .map_err(StoreError::doing("read a property set type"))?
            .map(|row| set_type(&row))
            .transpose()
    }

    pub async fn built_in_type(&self, built_in: BuiltIn) -> Result<PropertySetType, StoreError> {
        let row = sql::query("SELECT * FROM property_set_type WHERE company_id IS NULL AND built_in = $1")
            .bind(built_in.as_str())
            .fetch_one(&mut *self.reader().await?)
            .await
            .map_err(StoreError::doing("read a built-in property set type"))?;
        set_type(&row)
    }

    /// Sets of a type that an owner has, in the order they were made.
    pub async fn property_sets(
        &self,
        type_id: PropertySetTypeId,
        owner: Owner,
    ) -> Result<Vec<PropertySet>, StoreError> {
        sql::query(
            "SELECT s.*, t.built_in FROM property_set s JOIN property_set_type t ON t.id = s.type_id
             WHERE s.type_id = $1 AND s.company_id IS NOT DISTINCT FROM $2 AND s.account_id IS NOT DISTINCT FROM $3 ORDER BY s.id",
        )
        .bind(type_id.0)
        .bind(owner.company.map(|company| company.0))
        .bind(owner.account.map(|account| account.0))
        .fetch_all(&mut *self.reader().await?)
        .await
        .map_err(StoreError::doing("list property sets"))?
        .iter()
        .map(set)
        .collect()
    }

    pub async fn property_set(&self, id: PropertySetId) -> Result<Option<PropertySet>, StoreError> {
        sql::query(
            "SELECT s.*, t.built_in FROM property_set s JOIN property_set_type t ON t.id = s.type_id WHERE s.id = $1",
        )
        .bind(id.0)
        .fetch_optional(&mut *self.reader().await?)
        .await
        .map_err(StoreError::doing("read a property set"))?
        .map(|row| set(&row))
        .transpose()
    }

    /// A set of a built-in type that belongs to the company.
    pub async fn built_in_set(
        &self,
        company: CompanyId,
        id: PropertySetId,
        built_in: BuiltIn,
    ) -> Result<Option<PropertySet>, StoreError> {
        let found = self.property_set(id).await?;
        Ok(found.filter(|set| set.owner.company == Some(company) && set.built_in == Some(built_in)))
    }
}

impl Store {
    pub async fn add_property_set_type(&self, new: NewPropertySetType) -> Result<PropertySetTypeId, PropertySetError> {
        self.write(move |tx| {
            Box::pin(async move {
                sql::query(concat!(
                    "INSERT INTO property_set_type (id, company_id, name, property_type, allow_multiple, created_at)
                     VALUES (",
                    next_number!("property_set_type"),
                    ", $1, $2, $3, $4, $5) ON CONFLICT DO NOTHING RETURNING id"
                ))
                .bind(new.company.map(|company| company.0))
                .bind(&new.name)
                .bind(new.property_type.as_str())
                .bind(new.allow_multiple)
                .bind(new.at.timestamp_millis())
                .fetch_optional(tx)
                .await
                .map_err(StoreError::doing("write a property set type"))?
                .map(|row| PropertySetTypeId(row.get(0)))
                .ok_or(PropertySetError::TypeNameTaken(new.name))
            })
        })
        .await
    }

    /// Removes a type with all its sets. Built-in types stay.
    pub async fn remove_property_set_type(&self, id: PropertySetTypeId) -> Result<(), PropertySetError> {
        self.write(move |tx| {
            Box::pin(async move {
                let removed = sql::query("DELETE FROM property_set_type WHERE id = $1 AND built_in IS NULL")
                    .bind(id.0)
                    .execute(tx)
                    .await
                    .map_err(StoreError::doing("remove a property set type"))?;
                if removed.rows_affected() == 1 { Ok(()) } else { Err(PropertySetError::Gone) }
            })
        })
        .await
    }

    /// Adds a set, in the place of the owner's other one if the type allows but one. The values must have been checked.
    pub async fn add_property_set(
        &self,
        type_id: PropertySetTypeId,
        owner: Owner,
        properties: Properties,
        at: DateTime<Utc>,
    ) -> Result<PropertySetId, PropertySetError> {
        self.write(move |tx| Box::pin(async move { add(tx, type_id, owner, &properties, at).await })).await
    }

    /// Changes the values that are named and keeps the others, or with `replace` has these values only. What comes of it
    /// is checked by the rules of the type.
    pub async fn change_property_set(
        &self,
        id: PropertySetId,
        changes: Properties,
        replace: bool,
        at: DateTime<Utc>,
    ) -> Result<(), PropertySetError> {
        self.write(move |tx| Box::pin(async move { change(tx, id, changes, replace, at).await })).await
    }

    pub async fn remove_property_set(&self, id: PropertySetId) -> Result<(), PropertySetError> {
        self.write(move |tx| {
            Box::pin(async move {
                let removed = sql::query("DELETE FROM property_set WHERE id = $1")
                    .bind(id.0)
                    .execute(tx)
                    .await
                    .map_err(StoreError::doing("remove a property set"))?;
                if removed.rows_affected() == 1 { Ok(()) } else { Err(PropertySetError::Gone) }
            })
        })
        .await
    }
}

async fn add(
    tx: &mut Transaction,
    type_id: PropertySetTypeId,
    owner: Owner,
    properties: &Properties,
    at: DateTime<Utc>,
) -> Result<PropertySetId, PropertySetError> {
    let row = sql::query("SELECT * FROM property_set_type WHERE id = $1")
        .bind(type_id.0)
        .fetch_optional(&mut *tx)
        .await
        .map_err(StoreError::doing("read a property set type"))?
        .ok_or(PropertySetError::Gone)?;
    let set_type = set_type(&row)?;
    if !set_type.allow_multiple {
        sql::query("DELETE FROM property_set WHERE type_id = $1 AND company_id IS NOT DISTINCT FROM $2 AND account_id IS NOT DISTINCT FROM $3")
            .bind(type_id.0)
            .bind(owner.company.map(|company| company.0))
            .bind(owner.account.map(|account| account.0))
            .execute(&mut *tx)
            .await
            .map_err(StoreError::doing("remove the property set that another one replaces"))?;
    }
    if set_type.built_in.is_some() {
        check_free_name(tx, type_id, owner, properties, None).await?;
    }
    sql::query(concat!(
        "INSERT INTO property_set (id, type_id, company_id, account_id, properties, created_at, modified_at)
         SELECT ",
        next_number!("property_set"),
        ", $1, $2, $3, $4, $5, $5
         WHERE (SELECT count(*) FROM property_set WHERE type_id = $1 AND company_id IS NOT DISTINCT FROM $2 AND account_id IS NOT DISTINCT FROM $3) < $6
         RETURNING id"
    ))
    .bind(type_id.0)
    .bind(owner.company.map(|company| company.0))
    .bind(owner.account.map(|account| account.0))
    .bind(json!(properties).to_string())
    .bind(at.timestamp_millis())
    .bind(MOST_SETS)
    .fetch_optional(tx)
    .await
    .map_err(StoreError::doing("write a property set"))?
    .map(|row| PropertySetId(row.get(0)))
    .ok_or(PropertySetError::TooMany)
}

async fn change(
    tx: &mut Transaction,
    id: PropertySetId,
    changes: Properties,
    replace: bool,
    at: DateTime<Utc>,
) -> Result<(), PropertySetError> {
    let row = sql::query(
        "SELECT s.*, t.built_in FROM property_set s JOIN property_set_type t ON t.id = s.type_id WHERE s.id = $1",
    )
    .bind(id.0)
    .fetch_optional(&mut *tx)
    .await
    .map_err(StoreError::doing("read a property set"))?
    .ok_or(PropertySetError::Gone)?;
    let known = set(&row)?;
    let properties = if replace { changes } else { known.properties.merge(changes)? };
    if let Some(built_in) = known.built_in {
        built_in.check(&properties)?;
        check_free_name(tx, known.type_id, known.owner, &properties, Some(id)).await?;
    }
    sql::query("UPDATE property_set SET properties = $2, modified_at = $3 WHERE id = $1")
        .bind(id.0)
        .bind(json!(properties).to_string())
        .bind(at.timestamp_millis())
        .execute(tx)
        .await
        .map(|_| ())
        .map_err(StoreError::doing("write a property set"))?;
    Ok(())
}

/// People know sets of built-in types by their names.
async fn check_free_name(
    tx: &mut Transaction,
    type_id: PropertySetTypeId,
    owner: Owner,
    properties: &Properties,
    except: Option<PropertySetId>,
) -> Result<(), PropertySetError> {
    let name = properties.get(property_set::NAME).unwrap_or_default();
    let taken = sql::query(
        "SELECT 1 FROM property_set s, texts(s.properties) p
         WHERE s.type_id = $1 AND s.company_id IS NOT DISTINCT FROM $2 AND s.account_id IS NOT DISTINCT FROM $3 AND s.id IS DISTINCT FROM $4
           AND json_text(p.text, 'name') = $5 AND json_text(p.text, 'value') = $6",
    )
    .bind(type_id.0)
    .bind(owner.company.map(|company| company.0))
    .bind(owner.account.map(|account| account.0))
    .bind(except.map(|id| id.0))
    .bind(property_set::NAME)
    .bind(name)
    .fetch_optional(tx)
    .await
    .map_err(StoreError::doing("look for a property set by its name"))?;
    if taken.is_some() { Err(PropertySetError::NameTaken(name.to_owned())) } else { Ok(()) }
}

fn set_type(row: &Row) -> Result<PropertySetType, StoreError> {
    Ok(PropertySetType {
        id: PropertySetTypeId(get(row, "id")?),
        company: get::<Option<i64>>(row, "company_id")?.map(CompanyId),
        name: get(row, "name")?,
        property_type: constant(row, "property_type")?,
        allow_multiple: get(row, "allow_multiple")?,
        built_in: optional_constant(row, "built_in")?,
    })
}

fn set(row: &Row) -> Result<PropertySet, StoreError> {
    Ok(PropertySet {
        id: PropertySetId(get(row, "id")?),
        type_id: PropertySetTypeId(get(row, "type_id")?),
        built_in: optional_constant(row, "built_in")?,
        owner: Owner {
            company: get::<Option<i64>>(row, "company_id")?.map(CompanyId),
            account: get::<Option<i64>>(row, "account_id")?.map(AccountId),
        },
        properties: json(row, "properties")?,
    })
}
