//! What is known of the assets that a publish looks at.

use std::collections::HashMap;

use super::definitions;
use super::state::{AssetState, MemberState};
use crate::model::asset::{PictureFacts, TrashState};
use crate::model::id::{AssetId, CompanyId, ContextId};
use crate::model::metadata::{Field, FieldDefinition, Fields};
use crate::store::assets::{derived, metadata};
use crate::store::sql::{self, Connection, Row};
use crate::store::{Reads, StoreError, metadata_fields, rows};

/// Contexts whose marks count in the one with the number in a parameter: itself, and for metadata all of its company.
macro_rules! contexts_of_marks {
    ($parameter:literal) => {
        concat!(
            "(SELECT c.id FROM publish_context own JOIN publish_context c
              ON c.id = own.id OR (own.kind = 'Metadata' AND c.company_id = own.company_id)
              WHERE own.id = ",
            $parameter,
            ")"
        )
    };
}

pub(super) use contexts_of_marks;

impl Reads {
    /// What is known of these assets. Those that are gone are not in the answer.
    pub async fn publish_states(
        &self,
        company: CompanyId,
        context: ContextId,
        assets: &[AssetId],
    ) -> Result<Vec<AssetState>, StoreError> {
        let mut reader = self.reader().await?;
        let rows = sql::query(concat!(
            "WITH RECURSIVE holder (asset, id) AS (
                 SELECT i.id, i.id FROM ids($1) i
                 UNION
                 SELECT holder.asset, s.set_id FROM holder JOIN set_member s ON s.asset_id = holder.id
                 JOIN asset a ON a.id = s.set_id AND a.trash_state = 'NotInTrash'
             ), own_mark (asset_id, marked, forced_seq) AS NOT MATERIALIZED (
                 SELECT m.asset_id, m.marked, m.forced_seq FROM publish_mark m WHERE m.context_id IN ",
            contexts_of_marks!("$3"),
            ")
             SELECT a.id, a.name, a.asset_type, a.file_name, a.blob, a.bytes, a.width, a.height, a.trash_state, a.making,
                    f.path, a.info, a.parent_id,
                    EXISTS (SELECT 1 FROM holder h JOIN own_mark m ON m.asset_id = h.id
                            WHERE h.asset = a.id AND m.marked = 1) AS marked,
                    coalesce((SELECT max(m.forced_seq) FROM own_mark m WHERE m.asset_id = a.id), 0) AS forced_seq
             FROM ids($1) i
             JOIN asset a ON a.id = i.id AND a.company_id = $2
             JOIN folder f ON f.id = a.folder_id
             ORDER BY a.id"
        ))
        .list(assets)
        .bind(company.0)
        .bind(context.0)
        .fetch_all(&mut reader)
        .await
        .map_err(StoreError::doing("read assets to be published"))?;
        let mut files = derived::of(&mut reader, assets).await?;
        let mut members = members_of(&mut reader, assets).await?;
        let mut definitions = definitions::resolved(&mut reader, company, assets, &members).await?;
        let mut metadata = metadata_of(&mut reader, company, context, assets).await?;
        rows.iter()
            .map(|row| {
                let mut asset = state(row)?;
                asset.derived = files.remove(&asset.id).unwrap_or_default();
                asset.members = members.remove(&asset.id).unwrap_or_default();
                asset.definition = definitions.remove(&asset.id);
                asset.metadata = metadata.published(&asset);
                Ok(asset)
            })
            .collect()
    }
}

/// The metadata of assets, with what their company says of the fields. Nothing in other contexts than that of metadata.
#[derive(Default)]
struct Known {
    fields: HashMap<AssetId, Fields>,
    definitions: Vec<FieldDefinition>,
}

impl Known {
    /// What of it goes where metadata is published.
    fn published(&mut self, asset: &AssetState) -> Fields {
        let mut fields = self.fields.remove(&asset.id).unwrap_or_default();
        fields.retain(|name, _| match Field::find(&self.definitions, name, asset.asset_type) {
            Ok(Field::Defined(field)) => field.is_publish_data,
            Ok(Field::Known(_)) | Err(_) => true,
        });
        fields
    }
}

async fn metadata_of(
    reader: &mut Connection,
    company: CompanyId,
    context: ContextId,
    assets: &[AssetId],
) -> Result<Known, StoreError> {
    let is_asked: Option<bool> = sql::scalar("SELECT kind = 'Metadata' FROM publish_context WHERE id = $1")
        .bind(context.0)
        .fetch_optional(&mut *reader)
        .await
        .map_err(StoreError::doing("read a publish context"))?;
    if is_asked != Some(true) {
        return Ok(Known::default());
    }
    let fields = metadata::read(&mut *reader, assets).await?;
    Ok(Known { fields, definitions: metadata_fields::read(&mut *reader, company).await? })
}

/// The members of these sets.
async fn members_of(
    reader: &mut Connection,
    sets: &[AssetId],
) -> Result<HashMap<AssetId, Vec<MemberState>>, StoreError> {
    let rows = sql::query(
        "SELECT s.set_id, s.row, s.col, a.id, a.name, a.asset_type, a.file_name, a.blob, a.bytes, a.width, a.height,
                a.trash_state, a.making, f.path, a.info, a.parent_id, true AS marked, CAST(0 AS bigint) AS forced_seq
         FROM set_member s JOIN asset a ON a.id = s.asset_id JOIN folder f ON f.id = a.folder_id
         WHERE s.set_id IN ids($1) AND a.trash_state = 'NotInTrash'
         ORDER BY s.set_id, s.position",
    )
    .list(sets)
    .fetch_all(reader)
    .await
    .map_err(StoreError::doing("read members of sets to be published"))?;
    let mut found: HashMap<AssetId, Vec<MemberState>> = HashMap::new();
    for row in &rows {
        let member = MemberState { asset: state(row)?, row: rows::get(row, "row")?, col: rows::get(row, "col")? };
        found.entry(AssetId(rows::get(row, "set_id")?)).or_default().push(member);
    }
    Ok(found)
}

fn state(row: &Row) -> Result<AssetState, StoreError> {
    let (width, height): (Option<u32>, Option<u32>) = (rows::get(row, "width")?, rows::get(row, "height")?);
    let in_trash = rows::constant::<TrashState>(row, "trash_state")? != TrashState::NotInTrash;
    let PictureFacts { video, layer, .. } = rows::json(row, "info")?;
    Ok(AssetState {
        id: AssetId(rows::get(row, "id")?),
        name: rows::get(row, "name")?,
        asset_type: rows::constant(row, "asset_type")?,
        file_name: rows::get(row, "file_name")?,
        folder: rows::get(row, "path")?,
        blob: rows::get(row, "blob")?,
        bytes: rows::get::<i64>(row, "bytes")?.unsigned_abs(),
        pixels: width.zip(height),
        video,
        layer,
        parent: rows::get::<Option<i64>>(row, "parent_id")?.map(AssetId),
        is_wanted: rows::get::<bool>(row, "marked")? && !in_trash,
        forced: rows::get(row, "forced_seq")?,
        making: rows::json(row, "making")?,
        metadata: Fields::new(),
        derived: Vec::new(),
        members: Vec::new(),
        definition: None,
    })
}
