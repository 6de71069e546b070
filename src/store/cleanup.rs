//! What Cleanup does to the database, each step in the transaction of its checkpoint.

use chrono::{DateTime, Utc};

use crate::model::id::{AccountId, AssetId, CompanyId, JobId};
use crate::store::assets::{change, note_changed};
use crate::store::sql::{self, Connection};
use crate::store::{Bell, Reads, Store, StoreError, Transaction, numbers, rows};

/// Rows changed in one transaction, so that nobody waits long behind it.
const AT_ONCE: i64 = 500;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CleanupStep {
    /// Some of the assets that have been in the trash since before are given up.
    EmptyTrash { before: DateTime<Utc> },
    /// Some of the assets that were given up, and that no publish has still to take away, go.
    RemoveAssets,
    /// Notes which of these blobs, all with this prefix that nothing seemed to name, nothing names.
    NoteOrphans { prefix: String, blobs: Vec<String> },
    /// Which of those that were noted with this prefix nothing has named since before.
    FindOrphans { prefix: String, before: DateTime<Utc> },
    /// The files up to this name were read.
    Scrubbed { until: String },
}

/// What a step came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cleaned {
    Nothing,
    /// So many rows.
    Removed(u64),
    /// Nothing was removed: the database is older than the files.
    Held,
    /// Blobs that nothing has named for long enough.
    Orphans(Vec<String>),
    /// How many blobs nothing names, and how many of them were not replaced by others.
    OrphansNoted {
        all: u64,
        unexpected: u64,
    },
}

pub(in crate::store) async fn apply(
    tx: &mut Transaction,
    step: CleanupStep,
    now: DateTime<Utc>,
) -> Result<Cleaned, StoreError> {
    let removes = match step {
        CleanupStep::EmptyTrash { .. } | CleanupStep::RemoveAssets | CleanupStep::FindOrphans { .. } => true,
        CleanupStep::NoteOrphans { .. } | CleanupStep::Scrubbed { .. } => false,
    };
    if removes && numbers::is_restored(tx).await? {
        return Ok(Cleaned::Held);
    }
    match step {
        CleanupStep::EmptyTrash { before } => Ok(Cleaned::Removed(empty_trash(tx, before).await?)),
        CleanupStep::RemoveAssets => Ok(Cleaned::Removed(remove_assets(tx).await?)),
        CleanupStep::NoteOrphans { prefix, blobs } => note_orphans(tx, &prefix, &blobs, now).await,
        CleanupStep::FindOrphans { prefix, before } => Ok(Cleaned::Orphans(find_orphans(tx, &prefix, before).await?)),
        CleanupStep::Scrubbed { until } => {
            scrubbed(tx, &until).await?;
            Ok(Cleaned::Nothing)
        }
    }
}

async fn empty_trash(tx: &mut Transaction, before: DateTime<Utc>) -> Result<u64, StoreError> {
    let old: Vec<i64> =
        sql::scalar("SELECT id FROM asset WHERE trash_state = 'InTrash' AND trashed_at < $1 ORDER BY id LIMIT $2")
            .bind(before.timestamp_millis())
            .bind(AT_ONCE)
            .fetch_all(&mut *tx)
            .await
            .map_err(StoreError::doing("look for old assets in the trash"))?;
    let assets: Vec<AssetId> = old.into_iter().map(AssetId).collect();
    change::give_up(tx, &assets).await?;
    note_changed(tx, &assets).await?;
    Ok(assets.len() as u64)
}

/// What a context still shows is not removed: the publish that takes it away looks for its asset.
async fn remove_assets(tx: &mut Transaction) -> Result<u64, StoreError> {
    let gone: Vec<i64> = sql::scalar(
        "SELECT a.id FROM asset a INDEXED BY asset_given_up
         WHERE a.trash_state = 'InEmptiedTrash' AND a.id < (SELECT max(id) FROM asset NOT INDEXED)
           AND NOT EXISTS (SELECT 1 FROM publication p WHERE p.asset_id = a.id AND p.present = 1)
         ORDER BY a.id LIMIT $1",
    )
    .bind(AT_ONCE)
    .fetch_all(&mut *tx)
    .await
    .map_err(StoreError::doing("look for assets that were given up"))?;
    // A part whose parent is gone is an asset of its own, which may be published in another way.
    let parts: Vec<i64> = sql::scalar("SELECT id FROM asset WHERE parent_id IN ids($1)")
        .list(&gone)
        .fetch_all(&mut *tx)
        .await
        .map_err(StoreError::doing("look for parts of assets that were given up"))?;
    note_changed(tx, &parts.into_iter().map(AssetId).collect::<Vec<_>>()).await?;
    for sql in [
        // That nothing refers to their files afterwards is to be expected.
        "INSERT INTO replaced_file (sha256)
         SELECT blob FROM asset WHERE id IN ids($1) AND blob <> ''
         UNION SELECT blob FROM derived WHERE asset_id IN ids($1)
         ON CONFLICT DO NOTHING",
        "UPDATE asset SET parent_id = NULL, part = NULL, made_of = NULL, part_recipe = NULL WHERE parent_id IN ids($1)",
        "DELETE FROM asset WHERE id IN ids($1)",
        "DELETE FROM folder WHERE deleted_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM asset WHERE folder_id = folder.id)
         AND EXISTS (SELECT 1 FROM ids($1) gone)",
    ] {
        sql::query(sql).list(&gone).execute(&mut *tx).await.map_err(StoreError::doing("remove assets"))?;
    }
    Ok(gone.len() as u64)
}

/// Those of these blobs that nothing names. Blobs are named in columns called `blob` or `…_blob`, whichever tables have
/// them: a table that is added later is asked like the others.
async fn unnamed(connection: &mut Connection, blobs: &[String]) -> Result<Vec<String>, StoreError> {
    let doing = "look for files that nothing refers to";
    let columns = sql::columns_of(&mut *connection, "blob").await.map_err(StoreError::doing(doing))?;
    let unnamed_in: Vec<String> = columns
        .iter()
        .filter(|(owner, _)| owner != "orphaned_blob")
        .map(|(owner, name)| format!("NOT EXISTS (SELECT 1 FROM \"{owner}\" WHERE \"{name}\" = listed.text)"))
        .collect();
    let sql = format!("SELECT listed.text FROM texts($1) listed WHERE {}", unnamed_in.join(" AND "));
    sql::scalar(sql).list(blobs).fetch_all(connection).await.map_err(StoreError::doing(doing))
}

/// Those of a folder that were orphans and are none any more, or are gone, are forgotten; and then why they were.
async fn keep_orphans(tx: &mut Transaction, prefix: &str, orphans: &[String]) -> Result<(), StoreError> {
    for sql in [
        "DELETE FROM replaced_file WHERE sha256 IN (
             SELECT blob FROM orphaned_blob
             WHERE substr(blob, 1, length($2)) = $2 AND blob NOT IN texts($1))",
        "DELETE FROM orphaned_blob
         WHERE substr(blob, 1, length($2)) = $2 AND blob NOT IN texts($1)",
    ] {
        sql::query(sql)
            .list(orphans)
            .bind(prefix)
            .execute(&mut *tx)
            .await
            .map_err(StoreError::doing("forget orphans that are named again"))?;
    }
    Ok(())
}

async fn note_orphans(
    tx: &mut Transaction,
    prefix: &str,
    blobs: &[String],
    now: DateTime<Utc>,
) -> Result<Cleaned, StoreError> {
    let doing = "note the files that nothing refers to";
    let orphans = unnamed(tx, blobs).await?;
    keep_orphans(tx, prefix, &orphans).await?;
    sql::query("INSERT INTO orphaned_blob (blob, since_at) SELECT o.text, $2 FROM texts($1) o WHERE true ON CONFLICT DO NOTHING")
        .list(&orphans)
        .bind(now.timestamp_millis())
        .execute(&mut *tx)
        .await
        .map_err(StoreError::doing(doing))?;
    let replaced: i64 = sql::scalar(
        "SELECT count(*) FROM texts($1) listed WHERE EXISTS (SELECT 1 FROM replaced_file WHERE sha256 = listed.text)",
    )
    .list(&orphans)
    .fetch_one(tx)
    .await
    .map_err(StoreError::doing(doing))?;
    let all = orphans.len() as u64;
    Ok(Cleaned::OrphansNoted { all, unexpected: all.saturating_sub(replaced.unsigned_abs()) })
}

/// They were noted a while ago: whether something names them now is asked once more.
async fn find_orphans(tx: &mut Transaction, prefix: &str, before: DateTime<Utc>) -> Result<Vec<String>, StoreError> {
    let doing = "look for files that nothing has referred to for long";
    let noted: Vec<String> = sql::scalar("SELECT blob FROM orphaned_blob WHERE substr(blob, 1, length($1)) = $1")
        .bind(prefix)
        .fetch_all(&mut *tx)
        .await
        .map_err(StoreError::doing(doing))?;
    let orphans = unnamed(tx, &noted).await?;
    keep_orphans(tx, prefix, &orphans).await?;
    sql::scalar(
        "SELECT blob FROM orphaned_blob WHERE substr(blob, 1, length($1)) = $1 AND since_at <= $2 ORDER BY blob",
    )
    .bind(prefix)
    .bind(before.timestamp_millis())
    .fetch_all(tx)
    .await
    .map_err(StoreError::doing(doing))
}

/// The key in `system` under which it is kept how far files were read.
const SCRUBBED: &str = "scrubbed";

async fn scrubbed(tx: &mut Transaction, until: &str) -> Result<(), StoreError> {
    sql::query("INSERT INTO system (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value")
        .bind(SCRUBBED)
        .bind(until)
        .execute(tx)
        .await
        .map(|_| ())
        .map_err(StoreError::doing("note how far files were read"))
}

/// A job of the server's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuiltIn {
    pub job: JobId,
    pub exec_schedule: Option<String>,
}

impl Reads {
    /// Those of these blobs that nothing names at the moment.
    pub async fn unnamed_blobs(&self, blobs: &[String]) -> Result<Vec<String>, StoreError> {
        unnamed(&mut *self.reader().await?, blobs).await
    }

    /// The name of the file that was read last; empty, if the next one is the first of all.
    pub async fn scrubbed_until(&self) -> Result<String, StoreError> {
        let until: Option<String> = sql::scalar("SELECT value FROM system WHERE key = $1")
            .bind(SCRUBBED)
            .fetch_optional(&mut *self.reader().await?)
            .await
            .map_err(StoreError::doing("read how far files were read"))?;
        Ok(until.unwrap_or_default())
    }

    pub async fn built_in(&self, name: &str) -> Result<Option<BuiltIn>, StoreError> {
        sql::query(
            "SELECT id, exec_schedule FROM job
             WHERE company_id = $1 AND name = $2 AND trigger_kind = 'exec_schedule' AND deleted_at IS NULL
               AND trigger_state <> 'Complete'",
        )
        .bind(CompanyId::SYSTEM.0)
        .bind(name)
        .fetch_optional(&mut *self.reader().await?)
        .await
        .map_err(StoreError::doing("look for a job of the server"))?
        .map(|row| Ok(BuiltIn { job: JobId(rows::get(&row, "id")?), exec_schedule: rows::get(&row, "exec_schedule")? }))
        .transpose()
    }

    /// Who jobs of the server belong to: its first administrator, or else its first user.
    pub async fn server_account(&self) -> Result<Option<AccountId>, StoreError> {
        let id: Option<i64> = sql::scalar("SELECT id FROM account ORDER BY is_ips_admin DESC, id LIMIT 1")
            .fetch_optional(&mut *self.reader().await?)
            .await
            .map_err(StoreError::doing("look for an administrator"))?;
        Ok(id.map(AccountId))
    }
}

impl Store {
    /// Gives a job of the server another schedule. A pause stays one.
    pub async fn reschedule_built_in(
        &self,
        job: JobId,
        exec_schedule: String,
        next_fire_at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.write_and_ring(&[Bell::Triggers], move |tx| {
            Box::pin(async move {
                sql::query("UPDATE job SET exec_schedule = $2, next_fire_at = $3 WHERE id = $1")
                    .bind(job.0)
                    .bind(exec_schedule)
                    .bind(next_fire_at.timestamp_millis())
                    .execute(tx)
                    .await
                    .map(|_| ())
                    .map_err(StoreError::doing("reschedule a job of the server"))
            })
        })
        .await
    }
}
