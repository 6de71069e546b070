//! Assets. Whatever a publish must look at raises the company's `change_seq`, and the asset carries the new value.
//!
//! What a change of one means for what refers to it (`tests/executors/neighbours.rs` has each with what is published after it):
//!
//! | change | marks | parts (pages, layers, renditions, their set) | sets that it is in |
//! |---|---|---|---|
//! | replaced by a file | by the order ([`marking`]) | made again under their numbers; what cannot be made stays; what the file does not bring forth goes to the trash | stays in |
//! | a part replaced by a file | as any; the part made in its place is unmarked where it was | belongs to nothing any more; another part is made, under another name | stays in until its own is made again |
//! | a page's or layer's own document uploaded under its name | as any | it is the whole document from then on, with parts of its own | stays in |
//! | a set's name uploaded | untouched: the file gets a number | | |
//! | renamed, moved | kept | keep their names and folders | stays in |
//! | into the trash | kept | stay; none is made any more | stays in, not shown |
//! | out of the trash, made again | kept; by the order | | is shown again; the folder comes back |
//! | given up | gone with the row; that a part was unmarked is kept for the one made in its place ([`marking`]) | belong to nothing when the row goes: jobs that would make them again say so | leaves at once, the definition too |
//! | unmarked | its own alone | keep theirs, but in the trash | is published with a marked set |
//! | marked | those of all that belongs to it | as it | |
//! | set edited ([`sets`]: one function) | kept | | members that leave are looked at by the next publishes |
//! | a set of pages, layers or renditions edited, then its master again | by the order | new ones join | keeps the edit; what the file has no more leaves |
//! | its folder removed | as into the trash | | |
//! | forced to be published again | kept, none is added | handed out anew with it | members are handed out with a set |
//! | a master gets another, or is processed again | by the order | follow the order as it does | |
//! | a part made again, out of the trash | as it was and as a new part; where they are kept, not where it was unmarked, or its asset and others of it | | is shown again |
//! | a set given up | | | its members are looked at by the next publishes: they may have been published only with it |
//! | a colour profile replaced, trashed, restored | | what was made with it is looked at by the next publishes | |
//! | a master gone while its parts are made | | none is made any more; those of an earlier master go to the trash | |

pub mod arrival;
pub mod change;
pub mod derived;
pub mod growth;
pub mod ingest;
pub mod marking;
pub mod metadata;
pub mod pages;
pub mod parts;
pub mod query;
pub mod relations;
pub mod set_change;
pub mod sets;

use super::{StoreError, Transaction};
use crate::model::id::{AssetId, CompanyId, ContextId};
use crate::store::sql::{self, Cells};

/// Publish contexts of a company.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contexts {
    All,
    These(Vec<ContextId>),
}

impl Contexts {
    pub const NONE: Self = Self::These(Vec::new());

    /// Which they are; None for all of them.
    fn these(&self) -> Option<&[ContextId]> {
        match self {
            Self::All => None,
            Self::These(contexts) => Some(contexts),
        }
    }
}

/// Why an asset was not written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AssetError {
    /// Assets in the trash count.
    #[error("an asset named \"{0}\" already exists in the company")]
    NameTaken(String),
    #[error("there is no such asset")]
    NotFound,
    #[error("the asset \"{0}\" is in the trash")]
    InTrash(String),
    #[error("the asset \"{0}\" is not in the trash")]
    NotInTrash(String),
    #[error("there is no folder \"{0}\"")]
    NoFolder(String),
    /// It is no longer what the change was computed from.
    #[error("the asset a|{0} was changed meanwhile; try again")]
    Overtaken(AssetId),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The number of a change that publishing must see.
pub(in crate::store) async fn next_change(tx: &mut Transaction, company: CompanyId) -> Result<i64, StoreError> {
    sql::query("UPDATE company SET change_seq = change_seq + 1 WHERE id = $1 RETURNING change_seq")
        .bind(company.0)
        .fetch_one(tx)
        .await
        .map(|row| row.get(0))
        .map_err(StoreError::doing("number a change"))
}

/// Has the next publishes look at these assets, of whichever companies.
pub(in crate::store) async fn note_changed(tx: &mut Transaction, assets: &[AssetId]) -> Result<(), StoreError> {
    if assets.is_empty() {
        return Ok(());
    }
    for statement in [
        "UPDATE company SET change_seq = change_seq + 1
         WHERE id IN (SELECT a.company_id FROM ids($1) i STRAIGHT_JOIN asset a ON a.id = i.id)",
        "UPDATE asset SET change_seq = (SELECT c.change_seq FROM company c WHERE c.id = asset.company_id)
         WHERE id IN ids($1)",
    ] {
        sql::query(statement)
            .list(assets)
            .execute(&mut *tx)
            .await
            .map_err(StoreError::doing("note a change of assets"))?;
    }
    Ok(())
}

/// Marks or unmarks assets in contexts. The caller raises their `change_seq`.
pub(in crate::store) async fn set_marks(
    tx: &mut Transaction,
    company: CompanyId,
    assets: &[AssetId],
    contexts: &Contexts,
    marked: bool,
) -> Result<(), StoreError> {
    if assets.is_empty() || *contexts == Contexts::NONE {
        return Ok(());
    }
    sql::query(
        "INSERT INTO publish_mark (asset_id, context_id, marked)
         SELECT a.id, c.id, $4 FROM ids($2) a CROSS JOIN publish_context c
         WHERE c.company_id = $1 AND c.kind <> 'Metadata' AND (CAST($3 AS text) IS NULL OR c.id IN ids($3))
         ON CONFLICT (asset_id, context_id) DO UPDATE SET marked = excluded.marked, withdrawn = 0",
    )
    .bind(company.0)
    .list(assets)
    .list_or_null(contexts.these())
    .bind(marked)
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(StoreError::doing("mark an asset"))
}
