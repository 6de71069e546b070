//! How far publish contexts have come.

use crate::model::asset::ContextKind;
use crate::model::id::{CompanyId, ContextId};
use crate::store::publishing::Side;
use crate::store::sql::{self, Row};
use crate::store::{Reads, StoreError, rows};

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
             FROM publish_context WHERE company_id = $1 AND kind = $2 AND (CAST($3 AS bigint) IS NULL OR id = $3)",
        )
        .bind(company.0)
        .bind(kind.as_str())
        .bind(id.map(|id| id.0))
        .fetch_optional(&mut reader)
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
