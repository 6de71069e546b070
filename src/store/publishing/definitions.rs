//! What stands at the places of the definition of an asset set when it is published.

use std::collections::HashMap;

use chrono::DateTime;

use super::state::MemberState;
use crate::model::handle;
use crate::model::id::{AssetId, CompanyId};
use crate::model::metadata::{Field, FieldDefinition, FieldType, Fields};
use crate::model::set_definition::{self, Place, Question};
use crate::store::assets::{metadata, relations};
use crate::store::sql::{self, Cells, Connection, Row};
use crate::store::{StoreError, metadata_fields, rows};

/// The definitions of those of these sets that have one.
pub(super) async fn resolved(
    reader: &mut Connection,
    company: CompanyId,
    sets: &[AssetId],
    members: &HashMap<AssetId, Vec<MemberState>>,
) -> Result<HashMap<AssetId, String>, StoreError> {
    let defined = sql::query(
        "SELECT set_id, definition FROM set_detail
         WHERE set_id IN ids($1) AND definition IS NOT NULL",
    )
    .list(sets)
    .fetch_all(&mut *reader)
    .await
    .map_err(StoreError::doing("read the definitions of sets"))?;
    if defined.is_empty() {
        return Ok(HashMap::new());
    }
    let of_set = |row: &Row| Ok(members.get(&AssetId(rows::get(row, "set_id")?)));
    let shown = defined.iter().map(of_set).collect::<Result<Vec<_>, StoreError>>()?;
    let known = Known::of(reader, company, shown.into_iter().flatten().flatten()).await?;
    let mut resolved = HashMap::new();
    for row in &defined {
        let set = AssetId(rows::get(row, "set_id")?);
        let definition: &str = rows::get(row, "definition")?;
        resolved.insert(set, set_definition::resolved(definition, |place| known.answer(place).unwrap_or_default()));
    }
    Ok(resolved)
}

/// What there is to know of the members of sets.
struct Known<'a> {
    root_path: String,
    members: HashMap<AssetId, &'a MemberState>,
    metadata: HashMap<AssetId, Fields>,
    fields: Vec<FieldDefinition>,
    /// Names of the pictures that stand for members which are sets.
    thumbs: HashMap<AssetId, String>,
}

impl<'a> Known<'a> {
    async fn of(
        reader: &mut Connection,
        company: CompanyId,
        members: impl Iterator<Item = &'a MemberState>,
    ) -> Result<Self, StoreError> {
        let members: HashMap<AssetId, &MemberState> = members.map(|member| (member.asset.id, member)).collect();
        let numbers: Vec<AssetId> = members.keys().copied().collect();
        let root_path = sql::scalar("SELECT root_path FROM company WHERE id = $1")
            .bind(company.0)
            .fetch_one(&mut *reader)
            .await
            .map_err(StoreError::doing("read the root folder of a company"))?;
        let thumbs = sql::query(concat!(
            "SELECT i.id, t.name FROM ids($1) i JOIN asset t ON t.id = ",
            relations::thumb_of_set!("i.id")
        ))
        .list(&numbers)
        .fetch_all(&mut *reader)
        .await
        .map_err(StoreError::doing("look for the pictures of sets"))?;
        Ok(Self {
            root_path,
            members,
            metadata: metadata::read(reader, &numbers).await?,
            fields: metadata_fields::read(reader, company).await?,
            thumbs: thumbs.iter().map(|row| (AssetId(row.get(0)), row.get(1))).collect(),
        })
    }

    /// Nothing for what is in the trash, has no such field or keeps it at home, or has nothing that stands for it.
    fn answer(&self, place: &Place) -> Option<String> {
        let asset = &self.members.get(&place.asset)?.asset;
        let catalog_id = |name: &str| format!("{}/{name}", self.root_path);
        match &place.question {
            Question::CatalogId => Some(catalog_id(&asset.name)),
            Question::FilePath => {
                Some(format!("{}{}", handle::folder_path(&self.root_path, &asset.folder), asset.file_name))
            }
            Question::ThumbCatalogId if asset.asset_type.is_picture() => Some(catalog_id(&asset.name)),
            Question::ThumbCatalogId => self.thumbs.get(&asset.id).map(|name| catalog_id(name)),
            Question::Metadata(name) => {
                let field = Field::find(&self.fields, name, asset.asset_type).ok()?;
                if matches!(field, Field::Defined(FieldDefinition { is_publish_data: false, .. })) {
                    return None;
                }
                let values = self.metadata.get(&asset.id)?.get(field.name())?;
                Some(values.iter().map(|value| shown(&field, value)).collect::<Vec<_>>().join(","))
            }
        }
    }
}

/// Dates as viewers of the original service read them, `20090703 10:05:53`, in UTC.
fn shown(field: &Field, value: &str) -> String {
    match (field, DateTime::parse_from_rfc3339(value)) {
        (Field::Defined(FieldDefinition { field_type: FieldType::Date, .. }), Ok(date)) => {
            date.to_utc().format("%Y%m%d %H:%M:%S").to_string()
        }
        _ => value.to_owned(),
    }
}
