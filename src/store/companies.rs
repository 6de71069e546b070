//! Companies. A new one comes with its root folder and a publish context of each kind.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::rows::{constant, get, instant, json, optional_instant};
use super::{Bell, Reads, Store, StoreError, Transaction, contexts, folders};
use crate::model::id::CompanyId;
use crate::model::overwrite::{OverwriteMode, SameName};
use crate::store::numbers::next_number;
use crate::store::sql::{self, Row};

#[derive(Debug, Clone, PartialEq)]
pub struct Company {
    pub id: CompanyId,
    pub name: String,
    /// Name of its root folder.
    pub root_path: String,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    /// What becomes of files whose names assets with other content have; None: as the configuration says.
    pub same_name: Option<SameName>,
    pub settings: Settings,
}

/// What setCompanySettings changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    pub overwrite_mode: OverwriteMode,
    pub retain_publish_state: bool,
    /// The other fields, by their names in the API, as they were set.
    pub others: Map<String, Value>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCompany {
    /// None takes the next free number.
    pub id: Option<CompanyId>,
    pub name: String,
    pub root_path: String,
    pub expires_at: Option<DateTime<Utc>>,
    pub at: DateTime<Utc>,
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum AddCompanyError {
    #[error("a company with the number {0} already exists")]
    IdTaken(CompanyId),
    #[error("a company named \"{0}\" already exists, or one with a root folder of that name")]
    NameTaken(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Reads {
    pub async fn company(&self, id: CompanyId) -> Result<Option<Company>, StoreError> {
        sql::query("SELECT * FROM company WHERE id = $1")
            .bind(id.0)
            .fetch_optional(&mut *self.reader().await?)
            .await
            .map_err(StoreError::doing("read a company"))?
            .map(|row| company(&row))
            .transpose()
    }

    pub async fn company_named(&self, name: &str) -> Result<Option<Company>, StoreError> {
        sql::query("SELECT * FROM company WHERE name = $1")
            .bind(name)
            .fetch_optional(&mut *self.reader().await?)
            .await
            .map_err(StoreError::doing("look for a company by its name"))?
            .map(|row| company(&row))
            .transpose()
    }

    /// All but the daemon's own, by number.
    pub async fn companies(&self) -> Result<Vec<Company>, StoreError> {
        sql::query("SELECT * FROM company WHERE id <> $1 ORDER BY id")
            .bind(CompanyId::SYSTEM.0)
            .fetch_all(&mut *self.reader().await?)
            .await
            .map_err(StoreError::doing("list companies"))?
            .iter()
            .map(company)
            .collect()
    }
}

impl Store {
    pub async fn add_company(&self, new: NewCompany) -> Result<Company, AddCompanyError> {
        self.write(move |tx| Box::pin(async move { add(tx, &new).await })).await
    }

    /// Jobs that wait for the company to be open again are looked at once more: a trigger of the database sees to that.
    pub async fn set_expiry(&self, id: CompanyId, expires_at: Option<DateTime<Utc>>) -> Result<(), StoreError> {
        self.write_and_ring(&[Bell::Triggers], move |tx| {
            Box::pin(async move {
                sql::query("UPDATE company SET expires_at = $2 WHERE id = $1")
                    .bind(id.0)
                    .bind(expires_at.map(|at| at.timestamp_millis()))
                    .execute(tx)
                    .await
                    .map(|_| ())
                    .map_err(StoreError::doing("let a company expire"))
            })
        })
        .await
    }

    pub async fn set_same_name(&self, id: CompanyId, same_name: Option<SameName>) -> Result<(), StoreError> {
        self.write(move |tx| {
            Box::pin(async move {
                sql::query("UPDATE company SET same_name = $2 WHERE id = $1")
                    .bind(id.0)
                    .bind(same_name.map(SameName::as_str))
                    .execute(tx)
                    .await
                    .map(|_| ())
                    .map_err(StoreError::doing("write what a company does with equal names"))
            })
        })
        .await
    }

    /// Applies `change` to the settings as they are when it is written, so that two changes of different fields both stay.
    pub async fn change_settings<F>(&self, id: CompanyId, change: F) -> Result<(), StoreError>
    where
        F: FnOnce(&mut Settings) + Send + 'static,
    {
        self.write(move |tx| {
            Box::pin(async move {
                let row = sql::query("SELECT * FROM company WHERE id = $1")
                    .bind(id.0)
                    .fetch_one(&mut *tx)
                    .await
                    .map_err(StoreError::doing("read the settings of a company"))?;
                let mut settings = company(&row)?.settings;
                change(&mut settings);
                sql::query(
                    "UPDATE company SET overwrite_mode = $2, retain_publish_state = $3, settings = $4 WHERE id = $1",
                )
                .bind(id.0)
                .bind(settings.overwrite_mode.as_str())
                .bind(settings.retain_publish_state)
                .bind(Value::from(settings.others).to_string())
                .execute(tx)
                .await
                .map(|_| ())
                .map_err(StoreError::doing("write the settings of a company"))
            })
        })
        .await
    }
}

async fn add(tx: &mut Transaction, new: &NewCompany) -> Result<Company, AddCompanyError> {
    if let Some(id) = new.id {
        let taken = sql::query("SELECT 1 FROM company WHERE id = $1")
            .bind(id.0)
            .fetch_optional(&mut *tx)
            .await
            .map_err(StoreError::doing("look for a company by its number"))?;
        if taken.is_some() {
            return Err(AddCompanyError::IdTaken(id));
        }
    }
    let row = sql::query(concat!(
        "INSERT INTO company (id, name, root_path, created_at, expires_at, change_seq)
         VALUES (coalesce($1, ",
        next_number!("company"),
        "), $2, $3, $4, $5,
                 coalesce((SELECT value FROM kept_number WHERE name = 'change'), 0))
         ON CONFLICT DO NOTHING RETURNING *"
    ))
    .bind(new.id.map(|id| id.0))
    .bind(&new.name)
    .bind(&new.root_path)
    .bind(new.at.timestamp_millis())
    .bind(new.expires_at.map(|at| at.timestamp_millis()))
    .fetch_optional(&mut *tx)
    .await
    .map_err(StoreError::doing("write a company"))?
    .ok_or_else(|| AddCompanyError::NameTaken(new.name.clone()))?;
    let company = company(&row)?;
    folders::ensure(tx, company.id, "", new.at).await?;
    contexts::add_defaults(tx, company.id).await?;
    Ok(company)
}

pub(super) fn company(row: &Row) -> Result<Company, StoreError> {
    let same_name: Option<String> = get(row, "same_name")?;
    Ok(Company {
        id: CompanyId(get(row, "id")?),
        name: get(row, "name")?,
        root_path: get(row, "root_path")?,
        created_at: instant(row, "created_at")?,
        expires_at: optional_instant(row, "expires_at")?,
        same_name: same_name
            .map(|text| text.parse().map_err(|rule| StoreError::corrupt("what a company does with equal names", rule)))
            .transpose()?,
        settings: Settings {
            overwrite_mode: constant(row, "overwrite_mode")?,
            retain_publish_state: get(row, "retain_publish_state")?,
            others: json(row, "settings")?,
        },
    })
}
