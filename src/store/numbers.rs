//! Numbers that are given once and never again, also by a database that was restored from a backup.
//!
//! The newest row of a table is what remembers how far its numbers had come, and so it is not removed; where it may be,
//! `kept_number` remembers what went. A restored database has forgotten the newest
//! rows. The mark beside the blobs has not: what it had seen is kept in `kept_number`, and counting goes on from the higher
//! of both.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::jobs::Fence;
use super::jobs::attempt::{AttemptError, held};
use super::{Reads, Store, StoreError, Transaction};
use crate::model::id::ContextId;
use crate::store::sql::{self, Connection};

/// The next number of a table, for a statement that inserts one row. `NOT INDEXED`, here and wherever the highest number is
/// asked for, because by old statistics SQLite prefers to read an index of the table as a whole to its last row.
macro_rules! next_number {
    ($table:literal) => {
        concat!(
            "(SELECT greatest(coalesce((SELECT max(id) FROM ",
            $table,
            " NOT INDEXED), 0), coalesce((SELECT value FROM kept_number WHERE name = '",
            $table,
            "'), 0)) + 1)"
        )
    };
}
pub(in crate::store) use next_number;

/// Tables whose numbers clients, mails or files know, as the mark calls them.
const TABLES: [(&str, &str); 11] = [
    ("run", "instance"),
    ("asset", "asset"),
    ("job", "job"),
    ("message", "outbox"),
    ("folder", "folder"),
    ("account", "account"),
    ("company", "company"),
    ("context", "publish_context"),
    ("image-format", "image_format"),
    ("property-set", "property_set"),
    ("property-set-type", "property_set_type"),
];

/// The highest company.change_seq: what an incremental publish looks from.
const CHANGE: &str = "change";

/// The highest publish_context.publish_seq: what manifests are closed with.
const PUBLISH: &str = "publish";

/// The key in `system` under which a restored database is known until it is examined.
const RESTORED: &str = "restored";

/// The key of the database's random name. It also keeps the identities of mails apart.
const IDENTITY: &str = "installation";

/// The key under which a database is known whose mark has been written once.
const MARKED: &str = "marked";

/// That the database is older than the files, or that nobody can tell, and nobody has examined yet what that means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// When it was noticed.
    pub found_at: DateTime<Utc>,
    /// The run that it had come to.
    pub run: i64,
    /// The run that the files had seen; None: the mark that would say so is gone, or came from the same backup.
    pub seen_run: Option<i64>,
    /// Whether published files were newer than the database knows.
    #[serde(default)]
    pub has_newer_trees: bool,
}

impl Reads {
    /// The random name of this database, if it has one yet.
    pub async fn identity(&self) -> Result<Option<String>, StoreError> {
        fact(&mut *self.reader().await?, IDENTITY).await
    }

    /// The highest number of each kind that was given.
    pub async fn highest_numbers(&self) -> Result<BTreeMap<String, i64>, StoreError> {
        highest(&mut *self.reader().await?).await
    }

    /// Whether the mark was ever written.
    pub async fn is_marked(&self) -> Result<bool, StoreError> {
        Ok(fact(&mut *self.reader().await?, MARKED).await?.is_some())
    }

    /// Whether the database was found to be older than the files, and that has not been settled.
    pub async fn restored(&self) -> Result<Option<Restored>, StoreError> {
        let text: Option<String> = fact(&mut *self.reader().await?, RESTORED).await?;
        let read =
            |text: String| serde_json::from_str(&text).map_err(|error| StoreError::corrupt("a restoration", error));
        text.map(read).transpose()
    }
}

impl Store {
    /// The random name of this database; `fresh`, if it had none.
    pub async fn identity_or(&self, fresh: String) -> Result<String, StoreError> {
        self.remember_once(IDENTITY, fresh).await
    }

    /// Learns what numbers the files have seen. If they have seen more than the database, it is older than they are: it counts
    /// on from there, its publish contexts forget what their trees hold, for those were written later, and it is noted.
    pub async fn catch_up(
        &self,
        seen: BTreeMap<String, i64>,
        now: DateTime<Utc>,
    ) -> Result<Option<Restored>, StoreError> {
        if !is_behind(&self.highest_numbers().await?, &seen) {
            return Ok(None);
        }
        self.write(move |tx| {
            Box::pin(async move {
                let own = highest(&mut *tx).await?;
                if !is_behind(&own, &seen) {
                    return Ok(None);
                }
                keep(tx, &seen).await?;
                let number = |of: &BTreeMap<String, i64>| of.get("run").copied().unwrap_or(0);
                let restored = Restored {
                    found_at: now,
                    run: number(&own),
                    seen_run: Some(number(&seen)),
                    has_newer_trees: false,
                };
                note(tx, &restored).await?;
                Ok(Some(restored))
            })
        })
        .await
    }

    /// Learns that published files or exports know of this run. If it is higher than any that was given, the database is older than
    /// they are, as where it was restored together with the mark. One that had never a run may have been given their folder.
    pub async fn catch_up_runs(&self, seen: i64, now: DateTime<Utc>) -> Result<(), StoreError> {
        self.write(move |tx| {
            Box::pin(async move {
                let run = highest(&mut *tx).await?.get("run").copied().unwrap_or(0);
                if seen <= run {
                    return Ok(());
                }
                keep(tx, &BTreeMap::from([("run".to_owned(), seen)])).await?;
                if run == 0 || fact(&mut *tx, RESTORED).await?.is_some() {
                    return Ok(());
                }
                note(tx, &Restored { found_at: now, run, seen_run: Some(seen), has_newer_trees: false }).await
            })
        })
        .await
    }

    /// Notes that the mark was written beside the files: from now on there is one.
    pub async fn note_mark(&self) -> Result<(), StoreError> {
        self.remember_once(MARKED, "1".to_owned()).await.map(|_| ())
    }

    /// Learns that the mark is gone, so that the files may have seen more: publish contexts forget what their trees hold, and it is
    /// noted, unless the database is known to be older already.
    pub async fn miss_mark(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        self.write(move |tx| {
            Box::pin(async move {
                if fact(&mut *tx, RESTORED).await?.is_some() {
                    return Ok(());
                }
                let own = highest(&mut *tx).await?;
                keep(tx, &own).await?;
                let run = own.get("run").copied().unwrap_or(0);
                note(tx, &Restored { found_at: now, run, seen_run: None, has_newer_trees: false }).await
            })
        })
        .await
    }

    /// Learns up to which publishes the trees of contexts were written: see [`meet_trees`].
    pub async fn catch_up_trees(&self, seen: Vec<(ContextId, i64)>, now: DateTime<Utc>) -> Result<(), StoreError> {
        self.write(move |tx| Box::pin(async move { meet_all_trees(tx, seen, now).await })).await
    }

    /// The same, for an attempt that holds.
    pub async fn meet_trees(
        &self,
        fence: Fence,
        seen: Vec<(ContextId, i64)>,
        now: DateTime<Utc>,
    ) -> Result<(), AttemptError> {
        self.write(move |tx| {
            Box::pin(async move {
                held(tx, fence).await?;
                Ok(meet_all_trees(tx, seen, now).await?)
            })
        })
        .await
    }

    /// Database and files agree again.
    pub async fn settle_restoration(&self) -> Result<(), StoreError> {
        self.write(|tx| {
            Box::pin(async move {
                sql::query("DELETE FROM system WHERE key = $1")
                    .bind(RESTORED)
                    .execute(tx)
                    .await
                    .map(|_| ())
                    .map_err(StoreError::doing("settle a restoration"))
            })
        })
        .await
    }
}

async fn meet_all_trees(
    tx: &mut Transaction,
    seen: Vec<(ContextId, i64)>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    for (context, seen) in seen {
        meet_trees(tx, context, seen, now).await?;
    }
    Ok(())
}

/// Whether `seen` has a number that is higher than what was given. A kind that this version does not know says nothing.
pub fn is_behind(own: &BTreeMap<String, i64>, seen: &BTreeMap<String, i64>) -> bool {
    own.iter().any(|(name, own)| seen.get(name).is_some_and(|seen| seen > own))
}

async fn fact(connection: &mut Connection, key: &str) -> Result<Option<String>, StoreError> {
    sql::scalar("SELECT value FROM system WHERE key = $1")
        .bind(key)
        .fetch_optional(connection)
        .await
        .map_err(StoreError::doing("read a fact"))
}

async fn highest(connection: &mut Connection) -> Result<BTreeMap<String, i64>, StoreError> {
    let of_table = |(name, table): (&str, &str)| {
        format!(
            "SELECT '{name}', greatest(coalesce((SELECT max(id) FROM {table} NOT INDEXED), 0),
                                  coalesce((SELECT value FROM kept_number WHERE name = '{table}'), 0))"
        )
    };
    let mut questions: Vec<String> = TABLES.into_iter().map(of_table).collect();
    for (name, column, table) in [(CHANGE, "change_seq", "company"), (PUBLISH, "publish_seq", "publish_context")] {
        // Kept as well: there may be no row that could remember it.
        questions.push(format!(
            "SELECT '{name}', greatest(coalesce((SELECT max({column}) FROM {table}), 0),
                                  coalesce((SELECT value FROM kept_number WHERE name = '{name}'), 0))"
        ));
    }
    let rows: Vec<(String, i64)> = sql::tuple(questions.join(" UNION ALL "))
        .fetch_all(connection)
        .await
        .map_err(StoreError::doing("read the highest numbers"))?;
    Ok(rows.into_iter().collect())
}

sql::columns! {
    struct Kept { name: &'static str, value: i64 }
}

async fn keep(tx: &mut Transaction, seen: &BTreeMap<String, i64>) -> Result<(), StoreError> {
    let doing = "count on from what files have seen";
    let names = TABLES.into_iter().chain([(CHANGE, CHANGE), (PUBLISH, PUBLISH)]);
    let kept: Vec<Kept> = names
        .filter_map(|(name, kept_as)| seen.get(name).map(|number| Kept { name: kept_as, value: *number }))
        .collect();
    sql::query(
        "INSERT INTO kept_number (name, value) SELECT k.name, k.value FROM rows($1: name text, value int) k WHERE true
         ON CONFLICT (name) DO UPDATE SET value = greatest(kept_number.value, excluded.value)",
    )
    .rows(&kept)
    .execute(&mut *tx)
    .await
    .map_err(StoreError::doing(doing))?;
    for (name, sql) in [
        (CHANGE, "UPDATE company SET change_seq = greatest(change_seq, $1)"),
        // The trees are written anew by the next publish: what they hold is of a later time.
        (
            PUBLISH,
            "UPDATE publish_context SET publish_seq = greatest(publish_seq, $1), side_a_seq = 0, side_b_seq = 0,
                                     shown_seq = 0, told_seq = 0",
        ),
    ] {
        sql::query(sql)
            .bind(seen.get(name).copied().unwrap_or(0))
            .execute(&mut *tx)
            .await
            .map_err(StoreError::doing(doing))?;
    }
    Ok(())
}

/// Learns that a manifest in the trees of a context is closed with this number. If it is higher than any that was given, the
/// trees were written after a backup that database and mark both came from: the context counts on from there, and the next
/// publish makes both anew, since nothing here tells what they hold. Whether it knew of trees that were older.
pub(in crate::store) async fn meet_trees(
    tx: &mut Transaction,
    context: ContextId,
    seen: i64,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let doing = "count on from what trees have seen";
    let held: Option<i64> =
        sql::scalar("SELECT greatest(side_a_seq, side_b_seq) FROM publish_context WHERE id = $1 AND publish_seq < $2")
            .bind(context.0)
            .bind(seen)
            .fetch_optional(&mut *tx)
            .await
            .map_err(StoreError::doing(doing))?;
    let Some(held) = held else { return Ok(false) };
    sql::query(
        "UPDATE publish_context SET publish_seq = $2, side_a_seq = 0, side_b_seq = 0, shown_seq = 0, told_seq = 0
         WHERE id = $1",
    )
    .bind(context.0)
    .bind(seen)
    .execute(&mut *tx)
    .await
    .map_err(StoreError::doing(doing))?;
    // A database that never published there may have been given the folder of another.
    if held == 0 {
        return Ok(false);
    }
    if fact(&mut *tx, RESTORED).await?.is_none() {
        let run = highest(&mut *tx).await?.get("run").copied().unwrap_or(0);
        note(tx, &Restored { found_at: now, run, seen_run: None, has_newer_trees: true }).await?;
    }
    Ok(true)
}

/// Whether the database was found to be older than the files, in the transaction that would remove something.
pub(in crate::store) async fn is_restored(tx: &mut Transaction) -> Result<bool, StoreError> {
    Ok(fact(&mut *tx, RESTORED).await?.is_some())
}

async fn note(tx: &mut Transaction, restored: &Restored) -> Result<(), StoreError> {
    let text = serde_json::to_string(restored).map_err(|error| StoreError::corrupt("a restoration", error))?;
    sql::query("INSERT INTO system (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value")
        .bind(RESTORED)
        .bind(text)
        .execute(tx)
        .await
        .map(|_| ())
        .map_err(StoreError::doing("note that the database was restored"))
}
