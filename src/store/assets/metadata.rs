//! What is known of assets beside what can be seen in their files.
//!
//! A field has values from up to three sides: its master, keywords of upload jobs, and somebody who set it. What somebody
//! set is believed alone, and stays when the master is replaced; the other two stand beside each other.

use std::collections::HashMap;

use serde_json::json;

use super::AssetError;
use super::change::{self, Candidates, Change, Outcomes, changed};
use crate::model::asset::AssetType;
use crate::model::id::{AssetId, CompanyId, InstanceId};
use crate::model::metadata::{Field, Fields, KEYWORDS, MOST_VALUES, NoField, Scope, Update, Values};
use crate::store::rows::{constant, get, json as json_of};
use crate::store::sql::{self, Cells, Connection};
use crate::store::{Reads, Store, StoreError, Transaction, metadata_fields};

/// What a file brings along.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Brought {
    /// What it says of itself.
    pub fields: Fields,
    /// What the job adds to its keywords.
    pub keywords: Vec<String>,
    /// What the job sets, as somebody would.
    pub updates: Vec<Update>,
}

/// What a metadata file says of an asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Which row of the file.
    pub row: usize,
    pub asset: String,
    /// Cleaned.
    pub new_name: Option<String>,
    /// Names with a dot behind their prefixes, and texts.
    pub fields: Vec<(String, String)>,
}

/// What became of a description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    pub row: usize,
    /// As the file calls it.
    pub name: String,
    /// None: there is no such asset.
    pub asset: Option<DescribedAsset>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedAsset {
    pub id: AssetId,
    pub asset_type: AssetType,
    /// Fields that were set.
    pub set: usize,
    pub renamed: Option<String>,
    pub troubles: Vec<Trouble>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    InTrash,
    UnknownField(String),
    OtherType {
        field: String,
        scope: Scope,
    },
    /// The value breaks this rule.
    BadValue {
        field: String,
        rule: String,
    },
    NameTaken(String),
    NameTooLong(String),
}

impl Reads {
    /// The fields of assets that have some.
    pub async fn metadata_of(&self, assets: &[AssetId]) -> Result<HashMap<AssetId, Fields>, StoreError> {
        read(&mut *self.reader().await?, assets).await
    }

    /// Every value that assets of a company have in a field, with the number of assets that have it; those in the trash do not
    /// count.
    pub async fn distinct_metadata(&self, company: CompanyId, name: &str) -> Result<Vec<(String, i64)>, StoreError> {
        let rows = sql::query(
            "SELECT v.value, count(DISTINCT a.id) AS assets FROM asset a JOIN asset_field_value v ON v.asset_id = a.id
             WHERE a.company_id = $1 AND a.trash_state = 'NotInTrash' AND v.name = $2
             GROUP BY v.value ORDER BY v.value",
        )
        .bind(company.0)
        .bind(name)
        .fetch_all(&mut *self.reader().await?)
        .await
        .map_err(StoreError::doing("list the values of a field"))?;
        rows.iter().map(|row| Ok((get(row, "value")?, get(row, "assets")?))).collect()
    }
}

impl Store {
    /// Changes fields of each asset.
    pub async fn set_metadata(
        &self,
        change: Change,
        updates: Vec<(AssetId, Vec<Update>)>,
    ) -> Result<Outcomes, StoreError> {
        self.write(move |tx| Box::pin(async move { set(tx, change, &updates).await })).await
    }
}

/// The fields of assets that have some.
pub(in crate::store) async fn read(
    reader: &mut Connection,
    assets: &[AssetId],
) -> Result<HashMap<AssetId, Fields>, StoreError> {
    // The rows of asset_field_value for these assets: SQLite would make all rows of the view first.
    let rows = sql::query(
        "SELECT m.asset_id, m.name, m.origin, v.n AS place, v.text AS value
         FROM ids($1) i STRAIGHT_JOIN asset_metadata m ON m.asset_id = i.id STRAIGHT_JOIN texts(m.value) v ON true
         WHERE m.origin = 'User' OR NOT EXISTS (SELECT 1 FROM asset_metadata u WHERE u.asset_id = m.asset_id
                                                AND u.name = m.name AND u.origin = 'User')
         UNION ALL
         SELECT a.id, f.name, 'Default', 0, f.default_value
         FROM ids($1) i STRAIGHT_JOIN asset a ON a.id = i.id
         JOIN metadata_field f ON f.company_id = a.company_id AND f.scope IN ('ALL', upper(a.asset_type))
         WHERE f.default_value <> ''
           AND NOT EXISTS (SELECT 1 FROM asset_metadata m WHERE m.asset_id = a.id AND m.name = f.name)
         ORDER BY 1, 2, 3, 4",
    )
    .list(assets)
    .fetch_all(reader)
    .await
    .map_err(StoreError::doing("read the metadata of assets"))?;
    let mut found: HashMap<AssetId, Fields> = HashMap::new();
    for row in &rows {
        let fields = found.entry(AssetId(get(row, "asset_id")?)).or_default();
        let values = fields.entry(get(row, "name")?).or_default();
        let value: String = get(row, "value")?;
        if !values.contains(&value) {
            values.push(value);
        }
    }
    Ok(found)
}

sql::columns! {
    struct FieldRow<'a> { name: &'a str, value: String }
}

/// Writes what the master of an asset says, in the place of what an earlier one said. The caller raises its `change_seq`.
pub(in crate::store) async fn bring(tx: &mut Transaction, asset: AssetId, brought: &Brought) -> Result<(), StoreError> {
    sql::query("DELETE FROM asset_metadata WHERE asset_id = $1 AND origin = 'File'")
        .bind(asset.0)
        .execute(&mut *tx)
        .await
        .map_err(StoreError::doing("forget what a file said"))?;
    let fields: Vec<FieldRow<'_>> =
        brought.fields.iter().map(|(name, values)| FieldRow { name, value: json!(values).to_string() }).collect();
    sql::query(
        "INSERT INTO asset_metadata (asset_id, name, origin, value)
         SELECT $1, f.name, 'File', f.value FROM rows($2: name text, value text) f",
    )
    .bind(asset.0)
    .rows(&fields)
    .execute(&mut *tx)
    .await
    .map_err(StoreError::doing("write what a file says"))?;
    add_keywords(tx, asset, &brought.keywords).await?;
    for update in &brought.updates {
        apply(tx, asset, update).await?;
    }
    Ok(())
}

async fn add_keywords(tx: &mut Transaction, asset: AssetId, keywords: &[String]) -> Result<(), StoreError> {
    if keywords.is_empty() {
        return Ok(());
    }
    for origin in ["Job", "User"] {
        let known = kept(tx, asset, KEYWORDS, origin).await?;
        // Who set the keywords has the new ones beside his own, and nobody who did not is made to have set them.
        if origin == "Job" || known.is_some() {
            write(tx, asset, KEYWORDS, origin, &joined(known.unwrap_or_default(), keywords)).await?;
        }
    }
    Ok(())
}

fn joined(mut values: Vec<String>, more: &[String]) -> Vec<String> {
    for value in more {
        if !values.contains(value) && values.len() < MOST_VALUES {
            values.push(value.clone());
        }
    }
    values
}

/// The values of one side.
async fn kept(
    tx: &mut Transaction,
    asset: AssetId,
    name: &str,
    origin: &str,
) -> Result<Option<Vec<String>>, StoreError> {
    let row = sql::query("SELECT value FROM asset_metadata WHERE asset_id = $1 AND name = $2 AND origin = $3")
        .bind(asset.0)
        .bind(name)
        .bind(origin)
        .fetch_optional(tx)
        .await
        .map_err(StoreError::doing("read a field"))?;
    row.map(|row| json_of(&row, "value")).transpose()
}

async fn write(
    tx: &mut Transaction,
    asset: AssetId,
    name: &str,
    origin: &str,
    values: &[String],
) -> Result<(), StoreError> {
    sql::query(
        "INSERT INTO asset_metadata (asset_id, name, origin, value) VALUES ($1, $2, $3, $4)
         ON CONFLICT (asset_id, name, origin) DO UPDATE SET value = excluded.value",
    )
    .bind(asset.0)
    .bind(name)
    .bind(origin)
    .bind(json!(values).to_string())
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(StoreError::doing("write a field"))
}

async fn set(tx: &mut Transaction, change: Change, updates: &[(AssetId, Vec<Update>)]) -> Result<Outcomes, StoreError> {
    let candidates = Candidates::read(tx, change.company, updates.iter().map(|(asset, _)| *asset)).await?;
    let mut outcomes = Outcomes::with_capacity(updates.len());
    let mut accepted = Vec::new();
    for (asset, updates) in updates {
        let outcome = candidates.usable(*asset).map(|_| ());
        if outcome.is_ok() {
            for update in updates {
                apply(tx, *asset, update).await?;
            }
            accepted.push(*asset);
        }
        outcomes.push(outcome);
    }
    if !accepted.is_empty() {
        changed(tx, change, &accepted).await?;
    }
    Ok(outcomes)
}

async fn apply(tx: &mut Transaction, asset: AssetId, update: &Update) -> Result<(), StoreError> {
    let name = update.name.as_str();
    let values = match &update.values {
        Values::Set(values) => values.clone(),
        Values::Add(more) => joined(current(tx, asset, name).await?, more),
        Values::TakeAway(less) => {
            let mut values = current(tx, asset, name).await?;
            values.retain(|value| !less.contains(value));
            values
        }
        Values::Delete => return delete(tx, asset, name).await,
    };
    write(tx, asset, name, "User", &values).await
}

/// The values that a field has, from whichever side.
async fn current(tx: &mut Transaction, asset: AssetId, name: &str) -> Result<Vec<String>, StoreError> {
    let fields = read(&mut *tx, &[asset]).await?.remove(&asset);
    Ok(fields.and_then(|mut fields| fields.remove(name)).unwrap_or_default())
}

async fn delete(tx: &mut Transaction, asset: AssetId, name: &str) -> Result<(), StoreError> {
    sql::query("DELETE FROM asset_metadata WHERE asset_id = $1 AND name = $2 AND origin = 'User'")
        .bind(asset.0)
        .bind(name)
        .execute(&mut *tx)
        .await
        .map_err(StoreError::doing("delete a field"))?;
    // What the file says is not what was asked to be gone, if it came back.
    sql::query(
        "INSERT INTO asset_metadata (asset_id, name, origin, value)
         SELECT DISTINCT asset_id, name, 'User', '[]' FROM asset_metadata WHERE asset_id = $1 AND name = $2",
    )
    .bind(asset.0)
    .bind(name)
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(StoreError::doing("delete a field"))
}

/// Notes the copy of a metadata file, so that it is not taken for one that nobody needs.
pub(in crate::store) async fn keep_sheet(
    tx: &mut Transaction,
    run: InstanceId,
    path: &str,
    blob: &str,
) -> Result<(), StoreError> {
    sql::query("INSERT INTO metadata_file (instance_id, path, blob) VALUES ($1, $2, $3)")
        .bind(run.0)
        .bind(path)
        .bind(blob)
        .execute(tx)
        .await
        .map(|_| ())
        .map_err(StoreError::doing("note a metadata file"))
}

/// An asset that a metadata file names.
struct Subject {
    id: AssetId,
    asset_type: AssetType,
    file_name: String,
    in_trash: bool,
}

/// Does what a metadata file says, as far as it can be done.
pub(in crate::store) async fn describe(
    tx: &mut Transaction,
    change: Change,
    descriptions: Vec<Description>,
) -> Result<Vec<Described>, StoreError> {
    let definitions = metadata_fields::read(&mut *tx, change.company).await?;
    let mut all = Vec::with_capacity(descriptions.len());
    for description in descriptions {
        let Description { row, asset: name, new_name, fields } = description;
        let Some(subject) = subject(tx, change.company, &name).await? else {
            all.push(Described { row, name, asset: None });
            continue;
        };
        let Subject { id, asset_type, file_name, in_trash } = subject;
        let mut described = DescribedAsset { id, asset_type, set: 0, renamed: None, troubles: Vec::new() };
        if in_trash {
            described.troubles.push(Trouble::InTrash);
        } else {
            for (field, text) in fields {
                match Field::find(&definitions, &field, asset_type) {
                    Err(NoField::Unknown) => described.troubles.push(Trouble::UnknownField(field)),
                    Err(NoField::OtherType(scope)) => described.troubles.push(Trouble::OtherType { field, scope }),
                    Ok(found) => match found.read(&text) {
                        Err(rule) => described.troubles.push(Trouble::BadValue { field, rule }),
                        Ok(values) => {
                            write(tx, id, found.name(), "User", &values).await?;
                            described.set += 1;
                        }
                    },
                }
            }
            if described.set > 0 {
                changed(tx, change, &[id]).await?;
            }
            if let Some(new_name) = new_name.filter(|new_name| *new_name != name) {
                rename(tx, change, &mut described, new_name, &file_name).await?;
            }
        }
        all.push(Described { row, name, asset: Some(described) });
    }
    Ok(all)
}

async fn rename(
    tx: &mut Transaction,
    change: Change,
    described: &mut DescribedAsset,
    new_name: String,
    file_name: &str,
) -> Result<(), StoreError> {
    let new_file_name = change::renamed_file(&new_name, file_name);
    if new_file_name.len() > crate::model::name::LONGEST_FILE_NAME {
        described.troubles.push(Trouble::NameTooLong(new_name));
        return Ok(());
    }
    match change::rename(tx, change, described.id, &new_name, &new_file_name).await {
        Ok(()) => described.renamed = Some(new_name),
        Err(AssetError::Store(error)) => return Err(error),
        Err(_) => described.troubles.push(Trouble::NameTaken(new_name)),
    }
    Ok(())
}

async fn subject(tx: &mut Transaction, company: CompanyId, name: &str) -> Result<Option<Subject>, StoreError> {
    let row = sql::query(
        "SELECT id, asset_type, file_name, trash_state <> 'NotInTrash' AS in_trash FROM asset
         WHERE company_id = $1 AND name = $2 AND trash_state <> 'InEmptiedTrash'",
    )
    .bind(company.0)
    .bind(name)
    .fetch_optional(tx)
    .await
    .map_err(StoreError::doing("look for an asset by its name"))?;
    row.map(|row| {
        Ok(Subject {
            id: AssetId(row.get("id")),
            asset_type: constant(&row, "asset_type")?,
            file_name: get(&row, "file_name")?,
            in_trash: get(&row, "in_trash")?,
        })
    })
    .transpose()
}
