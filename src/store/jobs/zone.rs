//! The zone that fire times are computed in, and what another one makes of them.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::triggers::insert_slots;
use crate::model::firing::{Fate, SkipReason, Slot};
use crate::model::id::JobId;
use crate::store::{Bell, Store, StoreError, Transaction, rows, system};

/// A recurring job whose future depends on the zone.
#[derive(Debug, Clone)]
pub struct LocalTrigger {
    pub id: JobId,
    pub name: String,
    pub exec_schedule: String,
    /// When it fires next; None if it has come to its end, in the zone that it was in.
    pub next_fire_at: Option<DateTime<Utc>>,
    /// Instants to come that other zones have left out.
    pub left_out: Vec<DateTime<Utc>>,
}

/// What another zone makes of a recurring trigger, if it still has the fire time that it had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rezoned {
    pub job: JobId,
    /// None if it had come to its end.
    pub from: Option<DateTime<Utc>>,
    pub to: DateTime<Utc>,
    /// Instants that were to come, and do not.
    pub left_out: Vec<DateTime<Utc>>,
    /// Of those that other zones have left out, the ones that come after all.
    pub back: Vec<DateTime<Utc>>,
}

/// The zone that fire times were computed in, if there were any yet.
pub(in crate::store) async fn known_zone(connection: &mut SqliteConnection) -> Result<Option<String>, StoreError> {
    sqlx::query_scalar("SELECT value FROM system WHERE key = 'zone'")
        .fetch_optional(connection)
        .await
        .map_err(StoreError::doing("read the zone"))
}

impl Store {
    /// The zone that fire times were computed in, if there were any yet.
    pub async fn known_zone(&self) -> Result<Option<String>, StoreError> {
        known_zone(&mut *self.reader().await?).await
    }

    /// All recurring triggers that have something to come, or had in another zone.
    pub async fn local_triggers(&self, now: DateTime<Utc>) -> Result<Vec<LocalTrigger>, StoreError> {
        let mut reader = self.reader().await?;
        let rows = sqlx::query(
            "SELECT id, name, exec_schedule, next_fire_at,
                    (SELECT json_group_array(due_at) FROM (
                         SELECT s.due_at FROM slot s
                         WHERE s.job_id = j.id AND s.due_at > $1 AND s.reason = 'slot-skipped-zone' ORDER BY s.due_at)) AS left_out
             FROM job j
             WHERE trigger_kind = 'exec_schedule' AND deleted_at IS NULL
               AND (next_fire_at IS NOT NULL OR trigger_state = 'Complete')",
        )
        .bind(now.timestamp_millis())
        .fetch_all(&mut *reader)
        .await
        .map_err(StoreError::doing("read triggers"))?;
        rows.iter().map(read_local).collect()
    }

    /// Notes the zone that fire times are computed in and its rules, with what becomes of the triggers: all of it or nothing.
    pub async fn remember_zone(
        &self,
        zone: chrono_tz::Tz,
        offsets: Vec<(DateTime<Utc>, TimeDelta)>,
        triggers: Vec<Rezoned>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.write_and_ring(&[Bell::Triggers], move |tx| {
            Box::pin(async move {
                for trigger in triggers {
                    rezone(tx, trigger, now).await?;
                }
                system::keep_offsets(tx, &offsets).await?;
                sqlx::query(
                    "INSERT INTO system (key, value) VALUES ('zone', $1)
                     ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                )
                .bind(zone.name())
                .execute(tx)
                .await
                .map(|_| ())
                .map_err(StoreError::doing("note the zone"))
            })
        })
        .await
    }
}

fn read_local(row: &SqliteRow) -> Result<LocalTrigger, StoreError> {
    let left_out: Vec<i64> = rows::json(row, "left_out")?;
    Ok(LocalTrigger {
        id: JobId(rows::get(row, "id")?),
        name: rows::get(row, "name")?,
        exec_schedule: rows::get(row, "exec_schedule")?,
        next_fire_at: rows::optional_instant(row, "next_fire_at")?,
        left_out: left_out.into_iter().filter_map(DateTime::from_timestamp_millis).collect(),
    })
}

async fn rezone(tx: &mut Transaction, trigger: Rezoned, now: DateTime<Utc>) -> Result<(), StoreError> {
    let Rezoned { job, from, to, left_out, back } = trigger;
    let changed = sqlx::query(
        "UPDATE job SET next_fire_at = $3, trigger_state = iif($2 IS NULL, 'Normal', trigger_state)
         WHERE id = $1 AND next_fire_at IS $2 AND ($2 IS NOT NULL OR trigger_state = 'Complete') AND deleted_at IS NULL",
    )
    .bind(job.0)
    .bind(from.map(|at| at.timestamp_millis()))
    .bind(to.timestamp_millis())
    .execute(&mut *tx)
    .await
    .map_err(StoreError::doing("move a trigger to another zone"))?
    .rows_affected();
    if changed == 0 {
        return Ok(());
    }
    let back: Vec<i64> = back.iter().map(DateTime::timestamp_millis).collect();
    sqlx::query(
        "DELETE FROM slot WHERE job_id = $1 AND reason = 'slot-skipped-zone'
           AND due_at IN (SELECT value FROM json_each($2))",
    )
    .bind(job.0)
    .bind(json!(back).to_string())
    .execute(&mut *tx)
    .await
    .map_err(StoreError::doing("take back what another zone has left out"))?;
    let slots: Vec<Slot> =
        left_out.into_iter().map(|due_at| Slot { due_at, fate: Fate::Skip(SkipReason::Zone) }).collect();
    insert_slots(tx, job, None, &slots, &[], now).await
}
