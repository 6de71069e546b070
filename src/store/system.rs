//! Facts about the database itself.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Reads, Store, StoreError, Transaction};
use crate::store::sql;

impl Reads {
    /// How far local time was from UTC, and from which instant on, by the rules that fire times were computed with.
    pub async fn known_offsets(&self) -> Result<Vec<(DateTime<Utc>, TimeDelta)>, StoreError> {
        let mut reader = self.reader().await?;
        let rows: Vec<(i64, i64)> = sql::tuple("SELECT from_at, millis FROM zone_offset ORDER BY from_at")
            .fetch_all(&mut reader)
            .await
            .map_err(StoreError::doing("read the offsets of a zone"))?;
        let instant = |(from, offset)| Some((DateTime::from_timestamp_millis(from)?, TimeDelta::milliseconds(offset)));
        Ok(rows.into_iter().filter_map(instant).collect())
    }

    /// What the database finds wrong with itself; nothing when it is sound.
    pub async fn check_integrity(&self) -> Result<Vec<String>, StoreError> {
        sql::quick_check(&mut *self.reader().await?).await.map_err(StoreError::doing("check itself"))
    }

    /// The same, and whether every index agrees with its table.
    pub async fn check_integrity_in_full(&self) -> Result<Vec<String>, StoreError> {
        sql::full_check(&mut *self.reader().await?).await.map_err(StoreError::doing("check itself"))
    }

    /// Rows that refer to rows which are not there.
    pub async fn check_references(&self) -> Result<Vec<String>, StoreError> {
        sql::reference_check(&mut *self.reader().await?).await.map_err(StoreError::doing("check its references"))
    }
}

impl Store {
    /// The value of `key`, which is `fresh` if it had none.
    pub async fn remember_once(&self, key: &'static str, fresh: String) -> Result<String, StoreError> {
        self.write(move |tx| {
            Box::pin(async move {
                sql::query("INSERT INTO system (key, value) VALUES ($1, $2) ON CONFLICT DO NOTHING")
                    .bind(key)
                    .bind(fresh)
                    .execute(&mut *tx)
                    .await
                    .map_err(StoreError::doing("note a fact"))?;
                sql::scalar("SELECT value FROM system WHERE key = $1")
                    .bind(key)
                    .fetch_one(tx)
                    .await
                    .map_err(StoreError::doing("read a fact"))
            })
        })
        .await
    }
}

sql::columns! {
    struct Offset { from_at: i64, millis: i64 }
}

/// Keeps how far local time is from UTC, and from which instant on: for the views that people read, and to know it when the rules
/// of the zone change.
pub(super) async fn keep_offsets(
    tx: &mut Transaction,
    offsets: &[(DateTime<Utc>, TimeDelta)],
) -> Result<(), StoreError> {
    let row = |(from, offset): &(DateTime<Utc>, TimeDelta)| Offset {
        from_at: from.timestamp_millis(),
        millis: offset.num_milliseconds(),
    };
    let rows: Vec<Offset> = offsets.iter().map(row).collect();
    sql::query("DELETE FROM zone_offset")
        .execute(&mut *tx)
        .await
        .map_err(StoreError::doing("forget the offsets of a zone"))?;
    sql::query(
        "INSERT INTO zone_offset (from_at, millis) SELECT o.from_at, o.millis FROM rows($1: from_at int, millis int) o",
    )
    .rows(&rows)
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(StoreError::doing("note the offsets of a zone"))
}
