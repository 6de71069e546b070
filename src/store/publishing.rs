//! What is published where, and how far the two trees of a context have come.
//!
//! `publication` is written before any file is touched, and each change carries the number of the publish that made it
//! (`seq`). A tree that holds everything up to a number is brought up to date by the rows with a higher one, however
//! often that is begun. Rows of files that leave stay until both trees have heard of them, and a log has named them.
//!
//! A number is good for one turn. It is checked in each transaction that writes under it: once another publish has taken
//! the next one, or a tree holds this one, a row that was still written under it would never come to that tree. Whoever
//! finds that it was passed takes a new number and begins anew.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::assets::ingest::Derived;
use super::assets::metadata;
use super::effect::Applied;
use super::{Store, StoreError, Transaction, contexts, metadata_fields, pictures, rows, set_definitions};
use crate::model::asset::{AssetType, ContextKind, LayerFacts, PictureFacts, TrashState, VideoFacts};
use crate::model::constants;
use crate::model::id::{AssetId, CompanyId, ContextId, InstanceId};
use crate::model::listing::{Entry, Listed};
use crate::model::log::FileType;
use crate::model::making::Making;
use crate::model::metadata::{Field, FieldDefinition, Fields};

constants! {
    /// One of the two trees of a context.
    pub enum Side("side") { A, B }
}

impl Side {
    pub const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// As the database and the file system spell it.
    pub const fn letter(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }
}

/// A publish context, and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextState {
    pub id: ContextId,
    pub name: String,
    /// Files that are published, or will be once the trees have caught up.
    pub file_count: i64,
    pub side_a_seq: i64,
    pub side_b_seq: i64,
    /// Whether no file of its trees is a link to a blob, as those of earlier versions were.
    pub owns_files: bool,
    /// Number of the last publish that began.
    pub publish_seq: i64,
    /// Number of the publish up to which the history knows what readers were given.
    pub shown_seq: i64,
    /// Number of the publish up to which logs name what readers were given, and what left.
    pub told_seq: i64,
}

impl ContextState {
    pub const fn seq_of(&self, side: Side) -> i64 {
        match side {
            Side::A => self.side_a_seq,
            Side::B => self.side_b_seq,
        }
    }
}

/// A publish context as one looks at it from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    pub state: ContextState,
    pub kind: ContextKind,
    /// Name of the company.
    pub company: String,
    /// As its trees are called.
    pub root_path: String,
}

impl Site {
    /// Whether neither tree has what the last publish began with: it is under way, or broke off.
    pub const fn is_being_published(&self) -> bool {
        self.state.publish_seq > self.state.side_a_seq && self.state.publish_seq > self.state.side_b_seq
    }
}

/// What a publish began with. Kept with its first item, so that later attempts go on with the same numbers for as long as
/// nobody passes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// Number of this publish.
    pub seq: i64,
    /// The last publish looked at the company's changes up to here.
    pub scanned: i64,
    /// This one looks up to here.
    pub until: i64,
}

/// An asset as a publish sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct AssetState {
    pub id: AssetId,
    pub name: String,
    pub asset_type: AssetType,
    pub file_name: String,
    /// Without the company root.
    pub folder: String,
    pub blob: String,
    pub bytes: u64,
    pub pixels: Option<(u32, u32)>,
    pub video: Option<Box<VideoFacts>>,
    pub layer: Option<Box<LayerFacts>>,
    /// The asset that it was made from.
    pub parent: Option<AssetId>,
    /// Marked in the context, or a member of a set that is; and not in the trash.
    pub is_wanted: bool,
    /// company.change_seq when it was last forced.
    pub forced: i64,
    /// What its files are made with.
    pub making: Making,
    /// In the context of metadata: what goes there.
    pub metadata: Fields,
    /// What was made from it, stale or not.
    pub derived: Vec<Derived>,
    /// Of a set, in their order, without those in the trash.
    pub members: Vec<MemberState>,
    /// Of an asset set: setDefinition, with an answer at each of its places.
    pub definition: Option<String>,
}

/// A place in a set, as a publish sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct MemberState {
    /// Without what was made from it, and without members of its own.
    pub asset: AssetState,
    pub row: Option<u32>,
    pub col: Option<u32>,
}

/// What an asset shall have in the trees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub asset: AssetId,
    pub files: Vec<WantedFile>,
    /// Send them again although nothing changed.
    pub forced: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedFile {
    pub file_name: String,
    /// Empty for what is no file, but only a line of the manifest.
    pub blob: String,
    pub bytes: u64,
    pub asset_name: String,
    pub file_type: FileType,
    pub detail: Option<Value>,
}

/// A file of a tree, or one that leaves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    pub file_name: String,
    pub asset: AssetId,
    pub asset_name: String,
    pub file_type: FileType,
    /// Empty for what is no file, but only a line of the manifest.
    pub blob: String,
    pub bytes: u64,
    /// What its line in the manifest says beside the file.
    pub detail: Option<Value>,
    pub present: bool,
    /// Number of the publish that changed it last.
    pub seq: i64,
    /// By which its file is known to be right without reading it.
    pub stamp: Option<String>,
    pub published_at: DateTime<Utc>,
}

impl Publication {
    /// Its line in the manifest.
    pub fn entry(&self) -> Entry<'_> {
        let listed = Listed {
            content: (!self.blob.is_empty()).then_some((self.bytes, self.blob.as_str())),
            asset: self.asset,
            asset_name: &self.asset_name,
            detail: self.detail.as_ref(),
        };
        Entry { name: &self.file_name, file: self.present.then_some(listed) }
    }
}

/// How far somebody has come in the rows of a context, in order of numbers and names.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cursor {
    pub seq: i64,
    pub file_name: String,
}

impl Cursor {
    /// Behind everything that a publish changed.
    pub const fn behind(seq: i64) -> Self {
        // The first row of the next number is greater.
        Self { seq: seq + 1, file_name: String::new() }
    }
}

/// A published file that was found to be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub file_name: String,
    pub blob: String,
    pub stamp: String,
}

/// A file that was to be published, or was, and for which there is no right content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withdrawn {
    pub file_name: String,
    pub asset: AssetId,
}

/// What a publish writes. `seq` is its number: who was passed writes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublishStep {
    /// Takes the next number. What the run began with under an earlier one is forgotten, and what it found wrong then is not
    /// counted: it is looked for again.
    Begin { context: ContextId, run: InstanceId },
    /// The files of the trees are no links to blobs any more.
    Parted { context: ContextId },
    /// Readers see this tree since a publish that broke off before it said so.
    Shown { context: ContextId, side: Side },
    /// Writes down what the trees shall hold of these assets, and of which ones it could not be had just now.
    Record { context: ContextId, seq: i64, wanted: Vec<Wanted>, refused: Vec<AssetId> },
    /// This tree holds nothing that can be relied on.
    Reset { context: ContextId, seq: i64, side: Side },
    /// These files are right.
    Seen { context: ContextId, seq: i64, seen: Vec<Seen> },
    /// This tree holds everything up to `seq`, but for what was withdrawn from the publish.
    Staged { context: ContextId, seq: i64, side: Side, seen: Vec<Seen>, withdrawn: Vec<Withdrawn> },
    /// Readers see this tree, and with it what is new in it, or everything once more. The other tree may not be what it
    /// should be.
    Switched { context: ContextId, seq: i64, side: Side, until: i64, in_full: bool, is_other_sound: bool },
    /// A log names what readers see of it, and what left. It may have been passed meanwhile.
    Told { context: ContextId, seq: i64 },
    /// There was nothing to publish.
    Looked { context: ContextId, seq: i64, until: i64 },
}

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
/// them.
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
    )
    SELECT id FROM below UNION SELECT id FROM above
    ORDER BY 1";

impl Store {
    /// The context of this kind, or the one with this number if it is the company's and of this kind.
    pub async fn context_state(
        &self,
        company: CompanyId,
        kind: ContextKind,
        id: Option<ContextId>,
    ) -> Result<Option<ContextState>, StoreError> {
        let mut reader = self.reader().await?;
        let row = sqlx::query(
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
        let rows = sqlx::query(
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
        let ids: Vec<i64> = sqlx::query_scalar(CHANGED)
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
        let ids: Vec<i64> = sqlx::query_scalar(concat!(
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
        let rows = sqlx::query(concat!(
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
        let ids: Vec<i64> = sqlx::query_scalar(
            "SELECT p.asset_id FROM json_each($2) w
             JOIN publication p ON p.context_id = $1 AND p.file_name = w.value AND p.present = 1
             UNION
             SELECT p.asset_id FROM json_each($3) w
             JOIN publication p ON p.context_id = $1 AND p.present = 1
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

    /// Assets that a publish to this context could not have, for reasons that may pass without a change of the asset.
    pub async fn refused_assets(&self, context: ContextId) -> Result<Vec<AssetId>, StoreError> {
        let mut reader = self.reader().await?;
        let ids: Vec<i64> =
            sqlx::query_scalar("SELECT asset_id FROM publish_refused WHERE context_id = $1 ORDER BY asset_id")
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
        let rows: Vec<(String, String)> = sqlx::query_as(
            "SELECT p.file_name, p.blob FROM json_each($2) a
             JOIN publication p ON p.asset_id = a.value AND p.context_id = $1 AND p.present = 1",
        )
        .bind(context.0)
        .bind(json!(assets).to_string())
        .fetch_all(&mut *reader)
        .await
        .map_err(StoreError::doing("read what is published of some assets"))?;
        Ok(rows.into_iter().collect())
    }

    /// Rows of a context that changed after publish `seq`, in order of names.
    pub async fn publications_after(&self, context: ContextId, seq: i64) -> Result<Vec<Publication>, StoreError> {
        self.publications(
            "SELECT * FROM publication WHERE context_id = $1 AND seq > $2 ORDER BY file_name",
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
        let rows = sqlx::query(
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
        let rows = sqlx::query(
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
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM publication WHERE context_id = $1 AND seq > $2)")
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
        let ids: Vec<i64> = sqlx::query_scalar(
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
        let rows = sqlx::query(SOME)
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
        let rows = sqlx::query(sql)
            .bind(context.0)
            .bind(seq)
            .fetch_all(&mut *reader)
            .await
            .map_err(StoreError::doing("read what is published"))?;
        rows.iter().map(publication).collect()
    }
}

fn publication(row: &SqliteRow) -> Result<Publication, StoreError> {
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

fn context_state(row: &SqliteRow) -> Result<ContextState, StoreError> {
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

fn detail(row: &SqliteRow) -> Result<Option<Value>, StoreError> {
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
    reader: &mut SqliteConnection,
    company: CompanyId,
    context: ContextId,
    assets: &str,
) -> Result<Known, StoreError> {
    let is_asked: Option<bool> = sqlx::query_scalar("SELECT kind = 'Metadata' FROM publish_context WHERE id = $1")
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
async fn members_of(
    reader: &mut SqliteConnection,
    sets: &str,
) -> Result<HashMap<AssetId, Vec<MemberState>>, StoreError> {
    let rows = sqlx::query(
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

fn state(row: &SqliteRow) -> Result<AssetState, StoreError> {
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

pub(super) async fn apply(tx: &mut Transaction, step: PublishStep, now: DateTime<Utc>) -> Result<Applied, StoreError> {
    match step {
        PublishStep::Begin { context, run } => return begin(tx, context, run).await.map(Applied::PublishBegun),
        PublishStep::Parted { context } => parted(tx, context).await?,
        PublishStep::Shown { context, side } => {
            let since = Turn::read(tx, context).await?.shown;
            shown(tx, context, side, since, now).await?;
        }
        PublishStep::Record { context, seq, wanted, refused } => {
            Turn::check(tx, context, seq, "write down what is published").await?.check_open()?;
            record(tx, context, seq, &wanted, now).await?;
            note_refused(tx, context, &wanted, &refused).await?;
        }
        PublishStep::Seen { context, seq, seen } => {
            Turn::check(tx, context, seq, "note what published files are like").await?;
            note_seen(tx, context, &seen).await?;
        }
        PublishStep::Reset { context, seq, side } => {
            Turn::check(tx, context, seq, "begin a tree anew").await?;
            set_side(tx, context, side, 0).await?;
        }
        PublishStep::Staged { context, seq, side, seen, withdrawn } => {
            let turn = Turn::check(tx, context, seq, "note what a tree holds").await?;
            if !withdrawn.is_empty() {
                let number = turn.number_of_withdrawal(tx, side).await?;
                withdraw(tx, context, number, &withdrawn, now).await?;
            }
            note_seen(tx, context, &seen).await?;
            forgetting(tx, context, News::Side(side, seq)).await?;
        }
        PublishStep::Switched { context, seq, side, until, in_full, is_other_sound } => {
            let turn = Turn::check(tx, context, seq, "note which tree readers see").await?;
            looked(tx, context, until).await?;
            shown(tx, context, side, if in_full { 0 } else { turn.shown }, now).await?;
            if !is_other_sound {
                // The publish that writes to it next makes it in full.
                set_side(tx, context, side.other(), 0).await?;
            }
        }
        PublishStep::Told { context, seq } => forgetting(tx, context, News::Told(seq)).await?,
        PublishStep::Looked { context, seq, until } => {
            Turn::check(tx, context, seq, "note how far a publish has looked").await?;
            looked(tx, context, until).await?;
        }
    }
    Ok(Applied::Nothing)
}

/// The numbers of a context, as the transaction finds them.
#[derive(Debug, Clone, Copy)]
struct Turn {
    context: ContextId,
    /// The last that was taken.
    newest: i64,
    side_a: i64,
    side_b: i64,
    shown: i64,
    doing: &'static str,
}

impl Turn {
    async fn read(tx: &mut Transaction, context: ContextId) -> Result<Self, StoreError> {
        let row =
            sqlx::query("SELECT publish_seq, side_a_seq, side_b_seq, shown_seq FROM publish_context WHERE id = $1")
                .bind(context.0)
                .fetch_one(tx)
                .await
                .map_err(StoreError::doing("read whose turn it is to publish"))?;
        Ok(Self {
            context,
            newest: rows::get(&row, "publish_seq")?,
            side_a: rows::get(&row, "side_a_seq")?,
            side_b: rows::get(&row, "side_b_seq")?,
            shown: rows::get(&row, "shown_seq")?,
            doing: "publish",
        })
    }

    /// Fails when another publish has taken a number since.
    async fn check(
        tx: &mut Transaction,
        context: ContextId,
        seq: i64,
        doing: &'static str,
    ) -> Result<Self, StoreError> {
        let turn = Self { doing, ..Self::read(tx, context).await? };
        if turn.newest == seq { Ok(turn) } else { Err(StoreError::Passed { seq, doing }) }
    }

    /// Fails when a tree holds everything up to the number: what is still written under it would not come there.
    fn check_open(self) -> Result<(), StoreError> {
        let Self { newest: seq, side_a, side_b, doing, .. } = self;
        if side_a < seq && side_b < seq { Ok(()) } else { Err(StoreError::Passed { seq, doing }) }
    }

    /// The number of what leaves while a tree is staged: the other tree has to hear of it, so where that holds the number
    /// of the publish already it is a new one.
    async fn number_of_withdrawal(self, tx: &mut Transaction, side: Side) -> Result<i64, StoreError> {
        let held_by_other = match side {
            Side::A => self.side_b,
            Side::B => self.side_a,
        };
        if held_by_other < self.newest {
            return Ok(self.newest);
        }
        sqlx::query_scalar(
            "UPDATE publish_context SET publish_seq = publish_seq + 1 WHERE id = $1 RETURNING publish_seq",
        )
        .bind(self.context.0)
        .fetch_one(tx)
        .await
        .map_err(StoreError::doing("withdraw files from a publish"))
    }
}

async fn begin(tx: &mut Transaction, context: ContextId, run: InstanceId) -> Result<Begun, StoreError> {
    let forgotten = sqlx::query("DELETE FROM item WHERE instance_id = $1 AND key >= '/begin' AND key < '/begio'")
        .bind(run.0)
        .execute(&mut *tx)
        .await
        .map_err(StoreError::doing("begin a publish anew"))?
        .rows_affected();
    if forgotten > 0 {
        // To have begun is no headway, however often it happens.
        sqlx::query(
            "UPDATE instance SET items_done = items_done - $2, error_count = 0, transfer_error_count = 0,
                                 items_at_claim = items_done - $2 + 1
             WHERE id = $1",
        )
        .bind(run.0)
        .bind(i64::try_from(forgotten).unwrap_or(i64::MAX))
        .execute(&mut *tx)
        .await
        .map_err(StoreError::doing("begin a publish anew"))?;
    }
    let row = sqlx::query(
        "UPDATE publish_context SET publish_seq = publish_seq + 1 WHERE id = $1
         RETURNING publish_seq, scanned_seq, (SELECT change_seq FROM company WHERE company.id = company_id) AS until",
    )
    .bind(context.0)
    .fetch_one(tx)
    .await
    .map_err(StoreError::doing("begin a publish"))?;
    Ok(Begun {
        seq: rows::get(&row, "publish_seq")?,
        scanned: rows::get(&row, "scanned_seq")?,
        until: rows::get(&row, "until")?,
    })
}

async fn record(
    tx: &mut Transaction,
    context: ContextId,
    seq: i64,
    wanted: &[Wanted],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let assets = json!(wanted.iter().map(|wanted| wanted.asset).collect::<Vec<_>>()).to_string();
    let files: Vec<Value> = wanted
        .iter()
        .flat_map(|wanted| {
            wanted.files.iter().map(|file| {
                let WantedFile { file_name, blob, bytes, asset_name, file_type, detail } = file;
                let detail = detail.as_ref().map(Value::to_string);
                json!([file_name, wanted.asset, blob, bytes, wanted.forced, asset_name, file_type, detail])
            })
        })
        .collect();
    let files = Value::from(files).to_string();
    let before = present(tx, context, &assets, &files).await?;
    // First what leaves: two assets may have swapped their names.
    sqlx::query(
        "UPDATE publication SET present = 0, seq = $2, published_at = $5
         WHERE context_id = $1 AND present = 1 AND asset_id IN (SELECT value FROM json_each($3))
           AND (file_name, asset_id) NOT IN (SELECT value ->> 0, value ->> 1 FROM json_each($4))",
    )
    .bind(context.0)
    .bind(seq)
    .bind(&assets)
    .bind(&files)
    .bind(now.timestamp_millis())
    .execute(&mut *tx)
    .await
    .map_err(StoreError::doing("write down what leaves a publish"))?;
    sqlx::query(
        "INSERT INTO publication (context_id, file_name, asset_id, asset_name, file_type, detail, blob, bytes, present,
                                  seq, published_at)
         SELECT $1, value ->> 0, value ->> 1, value ->> 5, value ->> 6, value ->> 7, value ->> 2, value ->> 3, 1, $2, $4
         FROM json_each($3) AS f WHERE true
         ON CONFLICT (context_id, file_name) DO UPDATE
         SET asset_id = excluded.asset_id, asset_name = excluded.asset_name, file_type = excluded.file_type,
             detail = excluded.detail, blob = excluded.blob, bytes = excluded.bytes, present = 1,
             stamp = CASE WHEN publication.blob = excluded.blob THEN publication.stamp END,
             seq = excluded.seq, published_at = excluded.published_at
         WHERE publication.present = 0 OR publication.blob <> excluded.blob
            OR publication.asset_id <> excluded.asset_id OR publication.detail IS NOT excluded.detail
            OR publication.asset_id IN (SELECT value ->> 1 FROM json_each($3) WHERE value ->> 4)",
    )
    .bind(context.0)
    .bind(seq)
    .bind(&files)
    .bind(now.timestamp_millis())
    .execute(&mut *tx)
    .await
    .map_err(StoreError::doing("write down what is published"))?;
    let after = present(tx, context, &assets, &files).await?;
    sqlx::query("UPDATE publish_context SET file_count = file_count + $2 WHERE id = $1")
        .bind(context.0)
        .bind(after - before)
        .execute(tx)
        .await
        .map(|_| ())
        .map_err(StoreError::doing("count what is published"))
}

/// Which assets the next publish looks at again, whether or not they change.
async fn note_refused(
    tx: &mut Transaction,
    context: ContextId,
    wanted: &[Wanted],
    refused: &[AssetId],
) -> Result<(), StoreError> {
    let doing = "note what could not be published";
    let had: Vec<AssetId> = wanted.iter().map(|wanted| wanted.asset).collect();
    sqlx::query("DELETE FROM publish_refused WHERE context_id = $1 AND asset_id IN (SELECT value FROM json_each($2))")
        .bind(context.0)
        .bind(json!(had).to_string())
        .execute(&mut *tx)
        .await
        .map_err(StoreError::doing(doing))?;
    if refused.is_empty() {
        return Ok(());
    }
    // Who is gone meanwhile is not waited for.
    sqlx::query(
        "INSERT INTO publish_refused (context_id, asset_id)
         SELECT $1, a.id FROM json_each($2) f JOIN asset a ON a.id = f.value WHERE true ON CONFLICT DO NOTHING",
    )
    .bind(context.0)
    .bind(json!(refused).to_string())
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(StoreError::doing(doing))
}

async fn withdraw(
    tx: &mut Transaction,
    context: ContextId,
    seq: i64,
    withdrawn: &[Withdrawn],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let names: Vec<&str> = withdrawn.iter().map(|file| file.file_name.as_str()).collect();
    let gone = sqlx::query(
        "UPDATE publication SET present = 0, seq = $2, published_at = $4
         WHERE context_id = $1 AND present = 1 AND file_name IN (SELECT value FROM json_each($3))",
    )
    .bind(context.0)
    .bind(seq)
    .bind(json!(names).to_string())
    .bind(now.timestamp_millis())
    .execute(&mut *tx)
    .await
    .map_err(StoreError::doing("withdraw files from a publish"))?
    .rows_affected();
    sqlx::query("UPDATE publish_context SET file_count = file_count - $2 WHERE id = $1")
        .bind(context.0)
        .bind(i64::try_from(gone).unwrap_or(i64::MAX))
        .execute(&mut *tx)
        .await
        .map_err(StoreError::doing("count what is published"))?;
    let assets: Vec<AssetId> = withdrawn.iter().map(|file| file.asset).collect();
    note_refused(tx, context, &[], &assets).await
}

async fn note_seen(tx: &mut Transaction, context: ContextId, seen: &[Seen]) -> Result<(), StoreError> {
    if seen.is_empty() {
        return Ok(());
    }
    let seen: Vec<Value> = seen.iter().map(|seen| json!([seen.file_name, seen.blob, seen.stamp])).collect();
    sqlx::query(
        "UPDATE publication SET stamp = f.value ->> 2 FROM json_each($2) f
         WHERE context_id = $1 AND file_name = f.value ->> 0 AND blob = f.value ->> 1",
    )
    .bind(context.0)
    .bind(Value::from(seen).to_string())
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(StoreError::doing("note what published files are like"))
}

async fn parted(tx: &mut Transaction, context: ContextId) -> Result<(), StoreError> {
    sqlx::query("UPDATE publish_context SET owns_files = 1 WHERE id = $1")
        .bind(context.0)
        .execute(tx)
        .await
        .map(|_| ())
        .map_err(StoreError::doing("note that published files are no links"))
}

/// How many files there are among those that these assets have or want.
async fn present(tx: &mut Transaction, context: ContextId, assets: &str, files: &str) -> Result<i64, StoreError> {
    sqlx::query_scalar(
        "SELECT count(*) FROM (
             SELECT p.file_name FROM json_each($2) a
             JOIN publication p ON p.asset_id = a.value AND p.context_id = $1 AND p.present = 1
             UNION
             SELECT p.file_name FROM json_each($3) f
             JOIN publication p ON p.context_id = $1 AND p.file_name = f.value ->> 0 AND p.present = 1
         )",
    )
    .bind(context.0)
    .bind(assets)
    .bind(files)
    .fetch_one(tx)
    .await
    .map_err(StoreError::doing("count what is published"))
}

async fn set_side(tx: &mut Transaction, context: ContextId, side: Side, seq: i64) -> Result<(), StoreError> {
    let sql = match side {
        Side::A => "UPDATE publish_context SET side_a_seq = $2 WHERE id = $1",
        Side::B => "UPDATE publish_context SET side_b_seq = $2 WHERE id = $1",
    };
    sqlx::query(sql)
        .bind(context.0)
        .bind(seq)
        .execute(tx)
        .await
        .map(|_| ())
        .map_err(StoreError::doing("note what a tree holds"))
}

/// What came to be known.
#[derive(Debug, Clone, Copy)]
enum News {
    /// What a tree holds.
    Side(Side, i64),
    /// Up to where logs name what readers were given.
    Told(i64),
}

/// Notes it, and forgets what no longer is published once both trees and a log know.
async fn forgetting(tx: &mut Transaction, context: ContextId, news: News) -> Result<(), StoreError> {
    let known_before = known_to_all(tx, context).await?;
    match news {
        News::Side(side, seq) => set_side(tx, context, side, seq).await?,
        News::Told(seq) => told(tx, context, seq).await?,
    }
    let known_now = known_to_all(tx, context).await?;
    // Only the rows that came into reach, so that this costs what changed and not what exists.
    sqlx::query("DELETE FROM publication WHERE context_id = $1 AND present = 0 AND seq > $2 AND seq <= $3")
        .bind(context.0)
        .bind(known_before)
        .bind(known_now)
        .execute(tx)
        .await
        .map(|_| ())
        .map_err(StoreError::doing("forget what is no longer published"))
}

async fn known_to_all(tx: &mut Transaction, context: ContextId) -> Result<i64, StoreError> {
    sqlx::query("SELECT min(side_a_seq, side_b_seq, told_seq) FROM publish_context WHERE id = $1")
        .bind(context.0)
        .fetch_one(tx)
        .await
        .map(|row| row.get(0))
        .map_err(StoreError::doing("read what the trees hold"))
}

async fn told(tx: &mut Transaction, context: ContextId, seq: i64) -> Result<(), StoreError> {
    sqlx::query("UPDATE publish_context SET told_seq = max(told_seq, $2) WHERE id = $1")
        .bind(context.0)
        .bind(seq)
        .execute(tx)
        .await
        .map(|_| ())
        .map_err(StoreError::doing("note what logs name of a publish"))
}

async fn looked(tx: &mut Transaction, context: ContextId, until: i64) -> Result<(), StoreError> {
    sqlx::query("UPDATE publish_context SET scanned_seq = max(scanned_seq, $2) WHERE id = $1")
        .bind(context.0)
        .bind(until)
        .execute(tx)
        .await
        .map(|_| ())
        .map_err(StoreError::doing("note how far a publish has looked"))
}

/// Notes which tree readers see, and in the history that they were given what is newer in it than publish `since`.
async fn shown(
    tx: &mut Transaction,
    context: ContextId,
    side: Side,
    since: i64,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    contexts::note_published(tx, context, since, now).await?;
    let sql = match side {
        Side::A => {
            "UPDATE publish_context SET live_side = 'a', shown_seq = side_a_seq, last_publish_at = $2 WHERE id = $1"
        }
        Side::B => {
            "UPDATE publish_context SET live_side = 'b', shown_seq = side_b_seq, last_publish_at = $2 WHERE id = $1"
        }
    };
    sqlx::query(sql)
        .bind(context.0)
        .bind(now.timestamp_millis())
        .execute(tx)
        .await
        .map(|_| ())
        .map_err(StoreError::doing("note which tree readers see"))
}
