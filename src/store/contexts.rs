//! Publish contexts: where published files go.

use serde_json::json;
use sqlx::sqlite::SqliteRow;

use super::rows::{constant, get};
use super::{Store, StoreError, Transaction};
use crate::model::asset::ContextKind;
use crate::model::id::{CompanyId, ContextId};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishContext {
    pub id: ContextId,
    pub kind: ContextKind,
    pub name: String,
}

impl Store {
    pub async fn publish_contexts(&self, company: CompanyId) -> Result<Vec<PublishContext>, StoreError> {
        sqlx::query("SELECT id, kind, name FROM publish_context WHERE company_id = $1 ORDER BY id")
            .bind(company.0)
            .fetch_all(&mut *self.reader().await?)
            .await
            .map_err(StoreError::doing("list publish contexts"))?
            .iter()
            .map(context)
            .collect()
    }
}

/// One context of each kind, named after it.
pub(super) async fn add_defaults(tx: &mut Transaction, company: CompanyId) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO publish_context (company_id, kind, name) SELECT $1, value, value FROM json_each($2)")
        .bind(company.0)
        .bind(json!(ContextKind::ALL).to_string())
        .execute(tx)
        .await
        .map(|_| ())
        .map_err(StoreError::doing("write publish contexts"))
}

fn context(row: &SqliteRow) -> Result<PublishContext, StoreError> {
    Ok(PublishContext { id: ContextId(get(row, "id")?), kind: constant(row, "kind")?, name: get(row, "name")? })
}
