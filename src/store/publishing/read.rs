//! What a publish asks: how far a context has come, what of its assets shall be published, and what is.
//!
//! Here and where a publish writes, lists come first and the indexes are named: without statistics SQLite takes a context for
//! short, and would go through all that it publishes, and through the list for each row of it.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::{AssetState, ContextState, Cursor, MemberState, Publication, Site};
use crate::model::asset::{ContextKind, PictureFacts, TrashState};
use crate::model::id::{AssetId, CompanyId, ContextId};
use crate::model::metadata::{Field, FieldDefinition, Fields};
use crate::store::assets::metadata;
use crate::store::sql::{self, Connection, Row};
use crate::store::{Reads, StoreError, metadata_fields, pictures, rows, set_definitions};

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

/// What belongs to a set may be published with it. What a set says of itself names its members, and those that stand for
/// them. What was made with a colour profile is to be made anew with another one in its place.
const CHANGED: &str = "
    WITH RECURSIVE changed (id) AS (
        SELECT id FROM asset WHERE company_id = $1 AND change_seq > $2
    ), below (id) AS (
        SELECT id FROM changed
        UNION
        SELECT s.asset_id FROM below JOIN set_member s ON s.set_id = below.id
    ), shown (id) AS (
        SELECT id FROM changed
        UNION
        SELECT d.set_id FROM changed JOIN set_detail d ON d.thumb_id = changed.id
    ), above (id) AS (
        SELECT s.set_id FROM shown JOIN set_member s ON s.asset_id = shown.id
        UNION
        SELECT s.set_id FROM above JOIN set_member s ON s.asset_id = above.id
    ), converted (id) AS (
        SELECT id FROM asset INDEXED BY asset_by_conversion
        WHERE company_id = $1 AND making ->> '$.colors.convert' IS NOT NULL
          AND (making ->> '$.colors.convert.source' IN (SELECT id FROM changed)
               OR making ->> '$.colors.convert.output' IN (SELECT id FROM changed))
    )
    SELECT id FROM below UNION SELECT id FROM above UNION SELECT id FROM converted
    ORDER BY 1";

impl Reads {
    /// The context of this kind, or the one with this number if it is the company's and of this kind.
    pub async fn context_state(
        &self,
        company: CompanyId,
        kind: ContextKind,
        id: Option<ContextId>,
    ) -> Result<Option<ContextState>, StoreError> {
        let mut reader = self.reader().await?;
        let row = sql::query(
            "SELECT id, name, file_count, side_a_seq, side_b_seq, owns_files, publish_seq, shown_seq, told_seq
             FROM publish_context WHERE company_id = $1 AND kind = $2 AND ($3 IS NULL OR id = $3)",
        )
        .bind(company.0)
        .bind(kind.as_str())
        .bind(id.map(|id| id.0))
        .fetch_optional(&mut *reader)
        .await
        .map_err(StoreError::doing("read a publish context"))?;
        row.as_ref().map(context_state).transpose()
    }

    /// All contexts that files are published to.
    pub async fn publish_sites(&self) -> Result<Vec<Site>, StoreError> {
        let rows = sql::query(
            "SELECT x.id, x.name, x.kind, x.file_count, x.side_a_seq, x.side_b_seq, x.owns_files, x.publish_seq,
                    x.shown_seq, x.told_seq, c.name AS company, c.root_path
             FROM publish_context x JOIN company c ON c.id = x.company_id ORDER BY x.id",
        )
        .fetch_all(&mut *self.reader().await?)
        .await
        .map_err(StoreError::doing("list publish contexts"))?;
        rows.iter()
            .map(|row| {
                Ok(Site {
                    state: context_state(row)?,
                    kind: rows::constant(row, "kind")?,
                    company: rows::get(row, "company")?,
                    root_path: rows::get(row, "root_path")?,
                })
            })
            .collect()
    }

    /// Assets of a company that changed after `scanned`, in order of numbers; and with a set all that belongs to it, with
    /// a member the sets that show it.
    pub async fn assets_changed(&self, company: CompanyId, scanned: i64) -> Result<Vec<AssetId>, StoreError> {
        let mut reader = self.reader().await?;
        let ids: Vec<i64> = sql::scalar(CHANGED)
            .bind(company.0)
            .bind(scanned)
            .fetch_all(&mut *reader)
            .await
            .map_err(StoreError::doing("list changed assets"))?;
        Ok(ids.into_iter().map(AssetId).collect())
    }

    /// Assets that are marked in a context, belong to a set that is, or are published to it, in order of numbers.
    pub async fn assets_of_context(&self, context: ContextId) -> Result<Vec<AssetId>, StoreError> {
        let mut reader = self.reader().await?;
        let ids: Vec<i64> = sql::scalar(concat!(
            "WITH RECURSIVE marked (id) AS (
                 SELECT asset_id FROM publish_mark WHERE marked = 1 AND context_id IN ",
            contexts_of_marks!("$1"),
            " UNION
                 SELECT s.asset_id FROM marked JOIN set_member s ON s.set_id = marked.id
             )
             SELECT id FROM marked
             UNION SELECT asset_id FROM publication WHERE context_id = $1 AND present = 1
             ORDER BY 1"
        ))
        .bind(context.0)
        .fetch_all(&mut *reader)
        .await
        .map_err(StoreError::doing("list marked assets"))?;
        Ok(ids.into_iter().map(AssetId).collect())
    }

    /// What is known of these assets. Those that are gone are not in the answer.
    pub async fn publish_states(
        &self,
        company: CompanyId,
        context: ContextId,
        assets: &[AssetId],
    ) -> Result<Vec<AssetState>, StoreError> {
        let mut reader = self.reader().await?;
        let numbers = json!(assets).to_string();
        let rows = sql::query(concat!(
            "WITH RECURSIVE holder (asset, id) AS (
                 SELECT value, value FROM json_each($1)
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
             FROM json_each($1) i
             JOIN asset a ON a.id = i.value AND a.company_id = $2
             JOIN folder f ON f.id = a.folder_id
             ORDER BY a.id"
        ))
        .bind(&numbers)
        .bind(company.0)
        .bind(context.0)
        .fetch_all(&mut *reader)
        .await
        .map_err(StoreError::doing("read assets to be published"))?;
        let mut derived = pictures::derived_of(&mut reader, &numbers).await?;
        let mut members = members_of(&mut reader, &numbers).await?;
        let mut definitions = set_definitions::resolved(&mut reader, company, &numbers, &members).await?;
        let mut metadata = metadata_of(&mut reader, company, context, &numbers).await?;
        rows.iter()
            .map(|row| {
                let mut asset = state(row)?;
                asset.derived = derived.remove(&asset.id).unwrap_or_default();
                asset.members = members.remove(&asset.id).unwrap_or_default();
                asset.definition = definitions.remove(&asset.id);
                asset.metadata = metadata.published(&asset);
                Ok(asset)
            })
            .collect()
    }

    /// Assets that are published at one of `paths`, or below one of `folders`.
    pub async fn holders(
        &self,
        context: ContextId,
        paths: &[&str],
        folders: &[&str],
    ) -> Result<Vec<AssetId>, StoreError> {
        let mut reader = self.reader().await?;
        // "0" is the character after "/".
        let ids: Vec<i64> = sql::scalar(
            "SELECT p.asset_id FROM json_each($2) w
             CROSS JOIN publication p ON p.context_id = $1 AND p.file_name = w.value AND p.present = 1
             UNION
             SELECT p.asset_id FROM json_each($3) w
             CROSS JOIN publication p ON p.context_id = $1 AND p.present = 1
              AND p.file_name > w.value || '/' AND p.file_name < w.value || '0'",
        )
        .bind(context.0)
        .bind(json!(paths).to_string())
        .bind(json!(folders).to_string())
        .fetch_all(&mut *reader)
        .await
        .map_err(StoreError::doing("look for what is published at a path"))?;
        Ok(ids.into_iter().map(AssetId).collect())
    }

    /// Assets that a publish to this context could not have: the next one tries them again.
    pub async fn refused_assets(&self, context: ContextId) -> Result<Vec<AssetId>, StoreError> {
        let mut reader = self.reader().await?;
        let ids: Vec<i64> = sql::scalar("SELECT asset_id FROM publish_refused WHERE context_id = $1 ORDER BY asset_id")
            .bind(context.0)
            .fetch_all(&mut *reader)
            .await
            .map_err(StoreError::doing("look for what could not be published"))?;
        Ok(ids.into_iter().map(AssetId).collect())
    }

    /// What is published of these assets: blobs by the names of files.
    pub async fn published_blobs(
        &self,
        context: ContextId,
        assets: &[AssetId],
    ) -> Result<HashMap<String, String>, StoreError> {
        let mut reader = self.reader().await?;
        let rows: Vec<(String, String)> = sql::tuple(
            "SELECT p.file_name, p.blob FROM json_each($2) a
             CROSS JOIN publication p INDEXED BY publication_by_asset ON p.asset_id = a.value AND p.context_id = $1 AND p.present = 1",
        )
        .bind(context.0)
        .bind(json!(assets).to_string())
        .fetch_all(&mut *reader)
        .await
        .map_err(StoreError::doing("read what is published of some assets"))?;
        Ok(rows.into_iter().collect())
    }

    /// What is published of these assets, in order of names.
    pub async fn publications_of(
        &self,
        context: ContextId,
        assets: &[AssetId],
    ) -> Result<Vec<Publication>, StoreError> {
        let rows = sql::query(
            "SELECT p.* FROM json_each($2) a
             CROSS JOIN publication p INDEXED BY publication_by_asset ON p.asset_id = a.value AND p.context_id = $1 AND p.present = 1
             ORDER BY p.file_name",
        )
        .bind(context.0)
        .bind(json!(assets).to_string())
        .fetch_all(&mut *self.reader().await?)
        .await
        .map_err(StoreError::doing("read what is published of some assets"))?;
        rows.iter().map(publication).collect()
    }

    /// These assets, each behind the one that it was made from, or behind itself.
    pub async fn with_masters(
        &self,
        company: CompanyId,
        assets: &[AssetId],
    ) -> Result<Vec<(AssetId, AssetId)>, StoreError> {
        let rows: Vec<(i64, i64)> = sql::tuple(
            "SELECT coalesce(a.parent_id, a.id), a.id FROM json_each($2) i
             CROSS JOIN asset a ON a.id = i.value AND +a.company_id = $1",
        )
        .bind(company.0)
        .bind(json!(assets).to_string())
        .fetch_all(&mut *self.reader().await?)
        .await
        .map_err(StoreError::doing("look for what assets were made from"))?;
        Ok(rows.into_iter().map(|(master, asset)| (AssetId(master), AssetId(asset))).collect())
    }

    /// Rows of a context that changed after publish `seq`, in order of names.
    pub async fn publications_after(&self, context: ContextId, seq: i64) -> Result<Vec<Publication>, StoreError> {
        self.publications(
            "SELECT * FROM publication INDEXED BY publication_by_seq
             WHERE context_id = $1 AND seq > $2 ORDER BY file_name",
            context,
            seq,
        )
        .await
    }

    /// Everything that a context publishes, in order of names.
    pub async fn publications_present(&self, context: ContextId) -> Result<Vec<Publication>, StoreError> {
        const ALL: &str =
            "SELECT * FROM publication WHERE context_id = $1 AND present = 1 AND seq > $2 ORDER BY file_name";
        self.publications(ALL, context, 0).await
    }

    /// The next of what a context publishes, in order of names: behind `after`, up to publish `until`, at most so many.
    pub async fn next_present(
        &self,
        context: ContextId,
        until: i64,
        after: &str,
        most: usize,
    ) -> Result<Vec<Publication>, StoreError> {
        // The `+` keeps it from the index of numbers, in which it would have to look at all of them.
        let rows = sql::query(
            "SELECT * FROM publication WHERE context_id = $1 AND file_name > $2 AND present = 1 AND +seq <= $3
             ORDER BY file_name LIMIT $4",
        )
        .bind(context.0)
        .bind(after)
        .bind(until)
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .fetch_all(&mut *self.reader().await?)
        .await
        .map_err(StoreError::doing("read what is published"))?;
        rows.iter().map(publication).collect()
    }

    /// The next rows that changed after a publish, in order of numbers and names, up to publish `until`: those that are
    /// `present`, or those that left.
    pub async fn next_changed(
        &self,
        context: ContextId,
        after: &Cursor,
        until: i64,
        present: bool,
        most: usize,
    ) -> Result<Vec<Publication>, StoreError> {
        let rows = sql::query(
            "SELECT * FROM publication INDEXED BY publication_by_seq
             WHERE context_id = $1 AND (seq, file_name) > ($2, $3) AND seq >= $2 AND seq <= $4 AND present = $5
             ORDER BY seq, file_name LIMIT $6",
        )
        .bind(context.0)
        .bind(after.seq)
        .bind(&after.file_name)
        .bind(until)
        .bind(present)
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .fetch_all(&mut *self.reader().await?)
        .await
        .map_err(StoreError::doing("read what changed in a publish"))?;
        rows.iter().map(publication).collect()
    }

    /// Whether anything changed after a publish.
    pub async fn has_changed_after(&self, context: ContextId, seq: i64) -> Result<bool, StoreError> {
        sql::scalar("SELECT EXISTS (SELECT 1 FROM publication WHERE context_id = $1 AND seq > $2)")
            .bind(context.0)
            .bind(seq)
            .fetch_one(&mut *self.reader().await?)
            .await
            .map_err(StoreError::doing("look whether anything changed in a publish"))
    }

    /// The next assets that a context publishes files of, in order of numbers.
    pub async fn next_published_assets(
        &self,
        context: ContextId,
        after: AssetId,
        most: usize,
    ) -> Result<Vec<AssetId>, StoreError> {
        let ids: Vec<i64> = sql::scalar(
            "SELECT DISTINCT asset_id FROM publication INDEXED BY publication_by_asset
             WHERE asset_id > $2 AND context_id = $1 AND present = 1 ORDER BY asset_id LIMIT $3",
        )
        .bind(context.0)
        .bind(after.0)
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .fetch_all(&mut *self.reader().await?)
        .await
        .map_err(StoreError::doing("list published assets"))?;
        Ok(ids.into_iter().map(AssetId).collect())
    }

    /// Some of what a context publishes, at most so many: others in each turn, and all in turns.
    pub async fn publications_in_turn(
        &self,
        context: &ContextState,
        turn: i64,
        most: i64,
    ) -> Result<Vec<Publication>, StoreError> {
        const SOME: &str = "SELECT p.* FROM (SELECT file_name FROM publication WHERE context_id = $1
                                             ORDER BY seq, file_name LIMIT $3 OFFSET $2) turn
                            CROSS JOIN publication p ON p.context_id = $1 AND p.file_name = turn.file_name";
        let begin = turn.wrapping_mul(most).rem_euclid(context.file_count.max(1));
        let begin = if context.file_count > most { begin } else { 0 };
        let rows = sql::query(SOME)
            .bind(context.id.0)
            .bind(begin)
            .bind(most)
            .fetch_all(&mut *self.reader().await?)
            .await
            .map_err(StoreError::doing("read some of what is published"))?;
        rows.iter().map(publication).collect()
    }

    async fn publications(
        &self,
        sql: &'static str,
        context: ContextId,
        seq: i64,
    ) -> Result<Vec<Publication>, StoreError> {
        let mut reader = self.reader().await?;
        let rows = sql::query(sql)
            .bind(context.0)
            .bind(seq)
            .fetch_all(&mut *reader)
            .await
            .map_err(StoreError::doing("read what is published"))?;
        rows.iter().map(publication).collect()
    }
}

fn publication(row: &Row) -> Result<Publication, StoreError> {
    Ok(Publication {
        file_name: rows::get(row, "file_name")?,
        asset: AssetId(rows::get(row, "asset_id")?),
        asset_name: rows::get(row, "asset_name")?,
        file_type: rows::constant(row, "file_type")?,
        detail: detail(row)?,
        blob: rows::get(row, "blob")?,
        bytes: rows::get::<i64>(row, "bytes")?.unsigned_abs(),
        present: rows::get(row, "present")?,
        seq: rows::get(row, "seq")?,
        stamp: rows::get(row, "stamp")?,
        published_at: rows::instant(row, "published_at")?,
    })
}

fn context_state(row: &Row) -> Result<ContextState, StoreError> {
    Ok(ContextState {
        id: ContextId(rows::get(row, "id")?),
        name: rows::get(row, "name")?,
        file_count: rows::get(row, "file_count")?,
        side_a_seq: rows::get(row, "side_a_seq")?,
        side_b_seq: rows::get(row, "side_b_seq")?,
        owns_files: rows::get(row, "owns_files")?,
        publish_seq: rows::get(row, "publish_seq")?,
        shown_seq: rows::get(row, "shown_seq")?,
        told_seq: rows::get(row, "told_seq")?,
    })
}

fn detail(row: &Row) -> Result<Option<Value>, StoreError> {
    let text: Option<&str> = rows::get(row, "detail")?;
    text.map(serde_json::from_str).transpose().map_err(|error| StoreError::corrupt("detail", error))
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
    assets: &str,
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

/// The members of these sets. `sets` is a JSON array of numbers.
async fn members_of(reader: &mut Connection, sets: &str) -> Result<HashMap<AssetId, Vec<MemberState>>, StoreError> {
    let rows = sql::query(
        "SELECT s.set_id, s.row, s.col, a.id, a.name, a.asset_type, a.file_name, a.blob, a.bytes, a.width, a.height,
                a.trash_state, a.making, f.path, a.info, a.parent_id, 1 AS marked, 0 AS forced_seq
         FROM set_member s JOIN asset a ON a.id = s.asset_id JOIN folder f ON f.id = a.folder_id
         WHERE s.set_id IN (SELECT value FROM json_each($1)) AND a.trash_state = 'NotInTrash'
         ORDER BY s.set_id, s.position",
    )
    .bind(sets)
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
