//! The zone that fire times are computed in, and what another one makes of them.

use chrono::{DateTime, TimeDelta, Utc};

use super::triggers::{Reschedule, insert_range, insert_slots, reschedule};
use crate::model::firing::{Fate, Missed, SkipReason, SlotRange};
use crate::model::id::JobId;
use crate::store::sql::{self, Connection, Row};
use crate::store::{Bell, Reads, Store, StoreError, Transaction, rows, system};

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
    /// And very many as ranges, which may have begun.
    pub ranges: Vec<SlotRange>,
}

/// What another zone makes of a recurring trigger, if it still has the fire time that it had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rezoned {
    pub job: JobId,
    /// None if it had come to its end.
    pub from: Option<DateTime<Utc>>,
    pub to: DateTime<Utc>,
    /// Instants that were to come, and do not.
    pub left_out: Missed,
    /// Of those that other zones have left out, the ones that come after all.
    pub back: Vec<DateTime<Utc>>,
    /// Of their ranges, those that come after all, or the rest of which does.
    pub cut: Vec<CutRange>,
}

/// A range of instants that other zones have left out, of which those to come do come after all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CutRange {
    pub first: DateTime<Utc>,
    /// The last one that has passed, and how many have; nothing if all are to come.
    pub passed: Option<(DateTime<Utc>, u64)>,
}

/// The zone that fire times were computed in, if there were any yet.
pub(in crate::store) async fn known_zone(connection: &mut Connection) -> Result<Option<String>, StoreError> {
    sql::scalar("SELECT value FROM system WHERE key = 'zone'")
        .fetch_optional(connection)
        .await
        .map_err(StoreError::doing("read the zone"))
}

impl Reads {
    /// The zone that fire times were computed in, if there were any yet.
    pub async fn known_zone(&self) -> Result<Option<String>, StoreError> {
        known_zone(&mut *self.reader().await?).await
    }

    /// All recurring triggers that have something to come, or had in another zone.
    pub async fn local_triggers(&self, now: DateTime<Utc>) -> Result<Vec<LocalTrigger>, StoreError> {
        let mut reader = self.reader().await?;
        let rows = sql::query(
            "SELECT id, name, exec_schedule, next_fire_at,
                    (SELECT json_agg(due_at) FROM (
                         SELECT s.due_at FROM slot s
                         WHERE s.job_id = j.id AND s.due_at > $1 AND s.reason = 'slot-skipped-zone' ORDER BY s.due_at) left_out) AS left_out,
                    (SELECT json_agg(json_build_array(r.first_at, r.last_at, r.count)) FROM slot_range r
                     WHERE r.job_id = j.id AND r.last_at > $1 AND r.reason = 'slot-skipped-zone') AS ranges
             FROM job j
             WHERE trigger_kind = 'exec_schedule' AND deleted_at IS NULL
               AND (next_fire_at IS NOT NULL OR trigger_state = 'Complete')",
        )
        .bind(now.timestamp_millis())
        .fetch_all(&mut reader)
        .await
        .map_err(StoreError::doing("read triggers"))?;
        rows.iter().map(read_local).collect()
    }
}

impl Store {
    /// Notes the zone that fire times are computed in and its rules, with what becomes of the triggers: all of it or nothing. Gives those
    /// that are left as they are: they have changed meanwhile, or had come to their ends and their names are those of others now.
    pub async fn remember_zone(
        &self,
        zone: chrono_tz::Tz,
        offsets: Vec<(DateTime<Utc>, TimeDelta)>,
        triggers: Vec<Rezoned>,
        now: DateTime<Utc>,
    ) -> Result<Vec<JobId>, StoreError> {
        self.write_and_ring(&[Bell::Triggers], move |tx| {
            Box::pin(async move {
                let mut left = Vec::new();
                for trigger in triggers {
                    let job = trigger.job;
                    if !rezone(tx, trigger, now).await? {
                        left.push(job);
                    }
                }
                system::keep_offsets(tx, &offsets).await?;
                sql::query(
                    "INSERT INTO system (key, value) VALUES ('zone', $1)
                     ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                )
                .bind(zone.name())
                .execute(tx)
                .await
                .map(|_| left)
                .map_err(StoreError::doing("note the zone"))
            })
        })
        .await
    }
}

fn read_local(row: &Row) -> Result<LocalTrigger, StoreError> {
    let left_out: Vec<i64> = rows::json(row, "left_out")?;
    let ranges: Vec<(i64, i64, u64)> = rows::json(row, "ranges")?;
    let instant = DateTime::from_timestamp_millis;
    let range = |(first, last, count)| {
        Some(SlotRange { first: instant(first)?, last: instant(last)?, count, fate: Fate::Skip(SkipReason::Zone) })
    };
    Ok(LocalTrigger {
        id: JobId(rows::get(row, "id")?),
        name: rows::get(row, "name")?,
        exec_schedule: rows::get(row, "exec_schedule")?,
        next_fire_at: rows::optional_instant(row, "next_fire_at")?,
        left_out: left_out.into_iter().filter_map(instant).collect(),
        ranges: ranges.into_iter().filter_map(range).collect(),
    })
}

/// Whether the trigger was moved.
async fn rezone(tx: &mut Transaction, trigger: Rezoned, now: DateTime<Utc>) -> Result<bool, StoreError> {
    let Rezoned { job, from, to, left_out, back, cut } = trigger;
    if !reschedule(tx, Reschedule { job, from, to }).await? {
        return Ok(false);
    }
    let back: Vec<i64> = back.iter().map(DateTime::timestamp_millis).collect();
    sql::query(
        "DELETE FROM slot WHERE job_id = $1 AND reason = 'slot-skipped-zone'
           AND due_at IN ids($2)",
    )
    .bind(job.0)
    .list(&back)
    .execute(&mut *tx)
    .await
    .map_err(StoreError::doing("take back what another zone has left out"))?;
    for CutRange { first, passed } in cut {
        let statement = match passed {
            None => "DELETE FROM slot_range WHERE job_id = $1 AND first_at = $2 AND reason = 'slot-skipped-zone'",
            Some(_) => {
                "UPDATE slot_range SET last_at = $3, count = $4
                 WHERE job_id = $1 AND first_at = $2 AND reason = 'slot-skipped-zone'"
            }
        };
        let (last, count) = passed.unzip();
        sql::query(statement)
            .bind(job.0)
            .bind(first.timestamp_millis())
            .bind(last.map(|last| last.timestamp_millis()))
            .bind(count.and_then(|count| i64::try_from(count).ok()))
            .execute(&mut *tx)
            .await
            .map_err(StoreError::doing("take back a range that another zone has left out"))?;
    }
    match left_out {
        Missed::Slots(slots) => insert_slots(tx, job, None, &slots, &[], now).await?,
        Missed::Range(range) => insert_range(tx, job, &range, now).await?,
    }
    Ok(true)
}
