//! What a publish writes, a step in each transaction, and whether it still is its turn.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{Begun, FORGOTTEN_AT_ONCE, PublishStep, Published, Seen, Side, Wanted, WantedFile, Withdrawn};
use crate::model::id::{AssetId, ContextId, InstanceId};
use crate::model::log::FileType;
use crate::store::sql::{self, Cells};
use crate::store::{StoreError, Transaction, contexts, numbers, rows};

pub(in crate::store) async fn apply(
    tx: &mut Transaction,
    step: PublishStep,
    now: DateTime<Utc>,
) -> Result<Published, StoreError> {
    match step {
        PublishStep::Begin { context, run, seen } => {
            let is_older = numbers::meet_trees(tx, context, seen, now).await?;
            return Ok(Published::Begun(Begun { is_older, ..begin(tx, context, run).await? }));
        }
        PublishStep::Parted { context } => parted(tx, context).await?,
        PublishStep::Given { context, seq, assets } => {
            Turn::check(tx, context, seq, "note what readers are given").await?;
            contexts::note_published(tx, context, &assets, now).await?;
        }
        PublishStep::Shown { context, side } => {
            shown(tx, context, side, now).await?;
            // Who broke off may have found the other one meddled with, and took that with it.
            set_side(tx, context, side.other(), 0).await?;
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
            set_side(tx, context, side, seq).await?;
            forget(tx, context).await?;
        }
        PublishStep::Switched { context, seq, side, until, is_other_sound } => {
            Turn::check(tx, context, seq, "note which tree readers see").await?;
            looked(tx, context, until).await?;
            shown(tx, context, side, now).await?;
            if !is_other_sound {
                // The publish that writes to it next makes it in full.
                set_side(tx, context, side.other(), 0).await?;
            }
        }
        PublishStep::Told { context, seq } => {
            told(tx, context, seq).await?;
            return forget(tx, context).await.map(Published::Removed);
        }
        PublishStep::Forget { context } => return forget(tx, context).await.map(Published::Removed),
        PublishStep::Looked { context, seq, until } => {
            Turn::check(tx, context, seq, "note how far a publish has looked").await?;
            looked(tx, context, until).await?;
        }
    }
    Ok(Published::Nothing)
}

/// The numbers of a context, as the transaction finds them.
#[derive(Debug, Clone, Copy)]
struct Turn {
    context: ContextId,
    /// The last that was taken.
    newest: i64,
    side_a: i64,
    side_b: i64,
    doing: &'static str,
}

impl Turn {
    async fn read(tx: &mut Transaction, context: ContextId) -> Result<Self, StoreError> {
        let row = sql::query("SELECT publish_seq, side_a_seq, side_b_seq FROM publish_context WHERE id = $1")
            .bind(context.0)
            .fetch_one(tx)
            .await
            .map_err(StoreError::doing("read whose turn it is to publish"))?;
        Ok(Self {
            context,
            newest: rows::get(&row, "publish_seq")?,
            side_a: rows::get(&row, "side_a_seq")?,
            side_b: rows::get(&row, "side_b_seq")?,
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
        sql::scalar("UPDATE publish_context SET publish_seq = publish_seq + 1 WHERE id = $1 RETURNING publish_seq")
            .bind(self.context.0)
            .fetch_one(tx)
            .await
            .map_err(StoreError::doing("withdraw files from a publish"))
    }
}

async fn begin(tx: &mut Transaction, context: ContextId, run: InstanceId) -> Result<Begun, StoreError> {
    let forgotten = sql::query("DELETE FROM item WHERE instance_id = $1 AND key >= '/begin' AND key < '/begio'")
        .bind(run.0)
        .execute(&mut *tx)
        .await
        .map_err(StoreError::doing("begin a publish anew"))?
        .rows_affected();
    if forgotten > 0 {
        // To have begun is no headway, however often it happens.
        sql::query(
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
    let row = sql::query(
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
        is_older: false,
    })
}

sql::columns! {
    /// A file that a publish wants.
    struct File<'a> {
        file_name: &'a str,
        asset_id: AssetId,
        forced: bool,
        blob: &'a str,
        bytes: u64,
        asset_name: &'a str,
        file_type: FileType,
        detail: Option<String>,
    }
}

async fn record<'w>(
    tx: &mut Transaction,
    context: ContextId,
    seq: i64,
    wanted: &'w [Wanted],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let assets: Vec<AssetId> = wanted.iter().map(|wanted| wanted.asset).collect();
    let file = |wanted: &Wanted, file: &'w WantedFile| File {
        file_name: &file.file_name,
        asset_id: wanted.asset,
        forced: wanted.forced,
        blob: &file.blob,
        bytes: file.bytes,
        asset_name: &file.asset_name,
        file_type: file.file_type,
        detail: file.detail.as_ref().map(Value::to_string),
    };
    let files: Vec<File<'w>> =
        wanted.iter().flat_map(|wanted| wanted.files.iter().map(move |of| file(wanted, of))).collect();
    let before = present(tx, context, &assets, &files).await?;
    // First what leaves: two assets may have swapped their names.
    sql::query(
        "UPDATE publication INDEXED BY publication_by_asset SET present = 0, seq = $2, published_at = $5
         WHERE context_id = $1 AND present = 1 AND asset_id IN ids($3)
           AND (file_name, asset_id) NOT IN (SELECT f.file_name, f.asset_id FROM rows($4: file_name text, asset_id int) f)",
    )
    .bind(context.0)
    .bind(seq)
    .list(&assets)
    .rows(&files)
    .bind(now.timestamp_millis())
    .execute(&mut *tx)
    .await
    .map_err(StoreError::doing("write down what leaves a publish"))?;
    sql::query(
        "INSERT INTO publication (context_id, file_name, asset_id, asset_name, file_type, detail, blob, bytes, present,
                                  seq, published_at)
         SELECT $1, f.file_name, a.id, f.asset_name, f.file_type, f.detail, f.blob, f.bytes, 1, $2, $4
         -- Who left meanwhile is not published: the next publish would not find whose file it is.
         FROM rows($3: file_name text, asset_id int, forced bool, blob text, bytes int, asset_name text, file_type text,
                       detail text) f
         STRAIGHT_JOIN asset a ON a.id = f.asset_id AND a.trash_state = 'NotInTrash' WHERE true
         ON CONFLICT (context_id, file_name) DO UPDATE
         SET asset_id = excluded.asset_id, asset_name = excluded.asset_name, file_type = excluded.file_type,
             detail = excluded.detail, blob = excluded.blob, bytes = excluded.bytes, present = 1,
             stamp = CASE WHEN publication.blob = excluded.blob THEN publication.stamp END,
             seq = excluded.seq, published_at = excluded.published_at
         WHERE publication.present = 0 OR publication.blob <> excluded.blob
            OR publication.asset_id <> excluded.asset_id OR publication.detail IS DISTINCT FROM excluded.detail
            OR publication.asset_id IN (
                SELECT g.asset_id FROM rows($3: file_name text, asset_id int, forced bool) g WHERE g.forced = 1)",
    )
    .bind(context.0)
    .bind(seq)
    .rows(&files)
    .bind(now.timestamp_millis())
    .execute(&mut *tx)
    .await
    .map_err(StoreError::doing("write down what is published"))?;
    let after = present(tx, context, &assets, &files).await?;
    sql::query("UPDATE publish_context SET file_count = file_count + $2 WHERE id = $1")
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
    sql::query("DELETE FROM publish_refused WHERE context_id = $1 AND asset_id IN ids($2)")
        .bind(context.0)
        .list(&had)
        .execute(&mut *tx)
        .await
        .map_err(StoreError::doing(doing))?;
    if refused.is_empty() {
        return Ok(());
    }
    // Who is gone meanwhile is not waited for.
    sql::query(
        "INSERT INTO publish_refused (context_id, asset_id)
         SELECT $1, a.id FROM ids($2) f STRAIGHT_JOIN asset a ON a.id = f.id WHERE true ON CONFLICT DO NOTHING",
    )
    .bind(context.0)
    .list(refused)
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
    let gone = sql::query(
        "UPDATE publication SET present = 0, seq = $2, published_at = $4
         WHERE context_id = $1 AND present = 1 AND file_name IN texts($3)",
    )
    .bind(context.0)
    .bind(seq)
    .list(&names)
    .bind(now.timestamp_millis())
    .execute(&mut *tx)
    .await
    .map_err(StoreError::doing("withdraw files from a publish"))?
    .rows_affected();
    sql::query("UPDATE publish_context SET file_count = file_count - $2 WHERE id = $1")
        .bind(context.0)
        .bind(i64::try_from(gone).unwrap_or(i64::MAX))
        .execute(&mut *tx)
        .await
        .map_err(StoreError::doing("count what is published"))?;
    let assets: Vec<AssetId> = withdrawn.iter().map(|file| file.asset).collect();
    note_refused(tx, context, &[], &assets).await
}

sql::columns! {
    struct SeenRow<'a> { file_name: &'a str, blob: &'a str, stamp: &'a str }
}

async fn note_seen(tx: &mut Transaction, context: ContextId, seen: &[Seen]) -> Result<(), StoreError> {
    if seen.is_empty() {
        return Ok(());
    }
    let seen: Vec<SeenRow<'_>> =
        seen.iter().map(|Seen { file_name, blob, stamp }| SeenRow { file_name, blob, stamp }).collect();
    // All of them are there: an UPDATE could not say that the list comes first.
    sql::query(
        "INSERT INTO publication (context_id, file_name, asset_id, blob, bytes, present, seq, published_at, stamp)
         SELECT p.context_id, p.file_name, p.asset_id, p.blob, p.bytes, p.present, p.seq, p.published_at, f.stamp
         FROM rows($2: file_name text, blob text, stamp text) f
         STRAIGHT_JOIN publication p ON p.context_id = $1 AND p.file_name = f.file_name AND p.blob = f.blob
         WHERE true ON CONFLICT (context_id, file_name) DO UPDATE SET stamp = excluded.stamp",
    )
    .bind(context.0)
    .rows(&seen)
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(StoreError::doing("note what published files are like"))
}

async fn parted(tx: &mut Transaction, context: ContextId) -> Result<(), StoreError> {
    sql::query("UPDATE publish_context SET owns_files = 1 WHERE id = $1")
        .bind(context.0)
        .execute(tx)
        .await
        .map(|_| ())
        .map_err(StoreError::doing("note that published files are no links"))
}

/// How many files there are among those that these assets have or want.
async fn present(
    tx: &mut Transaction,
    context: ContextId,
    assets: &[AssetId],
    files: &[File<'_>],
) -> Result<i64, StoreError> {
    sql::scalar(
        "SELECT count(*) FROM (
             SELECT p.file_name FROM ids($2) a
             STRAIGHT_JOIN publication p INDEXED BY publication_by_asset ON p.asset_id = a.id AND p.context_id = $1 AND p.present = 1
             UNION
             SELECT p.file_name FROM rows($3: file_name text) f
             STRAIGHT_JOIN publication p ON p.context_id = $1 AND p.file_name = f.file_name AND p.present = 1
         ) found",
    )
    .bind(context.0)
    .list(assets)
    .rows(files)
    .fetch_one(tx)
    .await
    .map_err(StoreError::doing("count what is published"))
}

async fn set_side(tx: &mut Transaction, context: ContextId, side: Side, seq: i64) -> Result<(), StoreError> {
    let sql = match side {
        Side::A => "UPDATE publish_context SET side_a_seq = $2 WHERE id = $1",
        Side::B => "UPDATE publish_context SET side_b_seq = $2 WHERE id = $1",
    };
    sql::query(sql)
        .bind(context.0)
        .bind(seq)
        .execute(tx)
        .await
        .map(|_| ())
        .map_err(StoreError::doing("note what a tree holds"))
}

/// Forgets what no longer is published once both trees and a log know: some of it, how many.
async fn forget(tx: &mut Transaction, context: ContextId) -> Result<u64, StoreError> {
    let known = known_to_all(tx, context).await?;
    let forgotten = sql::query(
        "DELETE FROM publication WHERE context_id = $1 AND file_name IN (
             SELECT file_name FROM publication INDEXED BY publication_gone
             WHERE context_id = $1 AND present = 0 AND seq <= $2 ORDER BY seq LIMIT $3)",
    )
    .bind(context.0)
    .bind(known)
    .bind(FORGOTTEN_AT_ONCE.cast_signed())
    .execute(tx)
    .await
    .map_err(StoreError::doing("forget what is no longer published"))?;
    Ok(forgotten.rows_affected())
}

async fn known_to_all(tx: &mut Transaction, context: ContextId) -> Result<i64, StoreError> {
    sql::query("SELECT least(side_a_seq, side_b_seq, told_seq) FROM publish_context WHERE id = $1")
        .bind(context.0)
        .fetch_one(tx)
        .await
        .map(|row| row.get(0))
        .map_err(StoreError::doing("read what the trees hold"))
}

async fn told(tx: &mut Transaction, context: ContextId, seq: i64) -> Result<(), StoreError> {
    sql::query("UPDATE publish_context SET told_seq = greatest(told_seq, $2) WHERE id = $1")
        .bind(context.0)
        .bind(seq)
        .execute(tx)
        .await
        .map(|_| ())
        .map_err(StoreError::doing("note what logs name of a publish"))
}

async fn looked(tx: &mut Transaction, context: ContextId, until: i64) -> Result<(), StoreError> {
    sql::query("UPDATE publish_context SET scanned_seq = greatest(scanned_seq, $2) WHERE id = $1")
        .bind(context.0)
        .bind(until)
        .execute(tx)
        .await
        .map(|_| ())
        .map_err(StoreError::doing("note how far a publish has looked"))
}

/// Notes which tree readers see.
async fn shown(tx: &mut Transaction, context: ContextId, side: Side, now: DateTime<Utc>) -> Result<(), StoreError> {
    let sql = match side {
        Side::A => {
            "UPDATE publish_context SET live_side = 'a', shown_seq = side_a_seq, last_publish_at = $2 WHERE id = $1"
        }
        Side::B => {
            "UPDATE publish_context SET live_side = 'b', shown_seq = side_b_seq, last_publish_at = $2 WHERE id = $1"
        }
    };
    sql::query(sql)
        .bind(context.0)
        .bind(now.timestamp_millis())
        .execute(tx)
        .await
        .map(|_| ())
        .map_err(StoreError::doing("note which tree readers see"))
}
