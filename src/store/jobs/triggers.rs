//! Due triggers to runs: slot, run and next fire time in one transaction.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use sqlx::sqlite::SqliteRow;

use super::submit::{self, Unnamed};
use crate::model::firing::{Fate, Slot};
use crate::model::id::{CompanyId, InstanceId, JobId};
use crate::model::job::JobSpec;
use crate::model::kind::JobKind;
use crate::store::{Store, StoreError, Transaction, rows};

/// A job whose fire time has come.
#[derive(Debug, Clone)]
pub struct DueJob {
    pub id: JobId,
    pub company: CompanyId,
    pub name: String,
    pub kind: JobKind,
    /// The cron string, or nothing for a one-shot.
    pub exec_schedule: Option<String>,
    /// The fire time that has come.
    pub due_at: DateTime<Utc>,
    /// Its newest run that is not done.
    pub busy_with: Option<InstanceId>,
    pub spec: JobSpec,
}

/// What the scheduler decided about a due job.
#[derive(Debug, Clone)]
pub struct Firing {
    /// What becomes of each instant that fell due, oldest first.
    pub slots: Vec<Slot>,
    /// The runs of the same job are to be carried out one after the other.
    pub one_at_a_time: bool,
    /// The next fire time; without one the trigger is complete.
    pub next_fire_at: Option<DateTime<Utc>>,
}

impl Store {
    /// When the next trigger falls due.
    pub async fn next_fire_time(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        let mut reader = self.reader().await?;
        let millis: Option<i64> = sqlx::query_scalar(
            "SELECT min(next_fire_at) FROM job
             WHERE next_fire_at IS NOT NULL AND trigger_state IN ('Normal', 'Blocked') AND deleted_at IS NULL",
        )
        .fetch_one(&mut *reader)
        .await
        .map_err(StoreError::doing("look for the next trigger"))?;
        Ok(millis.and_then(DateTime::from_timestamp_millis))
    }

    /// Jobs whose fire time has come, longest due first.
    pub async fn due_jobs(&self, now: DateTime<Utc>, most: u32) -> Result<Vec<DueJob>, StoreError> {
        let mut reader = self.reader().await?;
        let rows = sqlx::query(
            "SELECT j.id, j.company_id, j.name, j.kind, j.exec_schedule, j.next_fire_at, j.spec,
                    (SELECT max(i.id) FROM instance i WHERE i.job_id = j.id AND i.state <> 'Done') AS busy_with
             FROM job j
             WHERE j.next_fire_at IS NOT NULL AND j.trigger_state IN ('Normal', 'Blocked') AND j.deleted_at IS NULL
               AND j.next_fire_at <= $1
             ORDER BY j.next_fire_at, j.id LIMIT $2",
        )
        .bind(now.timestamp_millis())
        .bind(most)
        .fetch_all(&mut *reader)
        .await
        .map_err(StoreError::doing("look for due triggers"))?;
        rows.iter().map(read_due).collect()
    }

    /// Carries out what was decided, unless the job has changed since it was read: then the answer is false.
    pub async fn fire(&self, job: &DueJob, firing: Firing, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let (job, zone) = (job.clone(), self.zone());
        let runs = firing.slots.iter().any(|slot| matches!(slot.fate, Fate::Fire | Fate::FireLate));
        let fired = self
            .write(move |tx| {
                Box::pin(async move {
                    if !advance(tx, &job, &firing).await? {
                        return Ok::<_, StoreError>(false);
                    }
                    let runs = queue_runs(tx, &job, &firing, now, zone).await?;
                    insert_slots(tx, job.id, job.busy_with, &firing.slots, &runs, now).await?;
                    Ok(true)
                })
            })
            .await?;
        if fired && runs {
            self.signals().waiting.notify_one();
        }
        Ok(fired)
    }

    /// A trigger whose fire times can no longer be computed.
    pub async fn break_trigger(&self, job: JobId) -> Result<(), StoreError> {
        self.write(move |tx| {
            Box::pin(async move {
                sqlx::query(
                    "UPDATE job SET trigger_state = 'Error', next_fire_at = NULL
                     WHERE id = $1 AND trigger_state IN ('Normal', 'Blocked')",
                )
                .bind(job.0)
                .execute(tx)
                .await
                .map(|_| ())
                .map_err(StoreError::doing("mark a trigger"))
            })
        })
        .await
    }
}

fn read_due(row: &SqliteRow) -> Result<DueJob, StoreError> {
    let kind: &str = rows::get(row, "kind")?;
    Ok(DueJob {
        id: JobId(rows::get(row, "id")?),
        company: CompanyId(rows::get(row, "company_id")?),
        name: rows::get(row, "name")?,
        kind: JobKind::from_element(kind).ok_or_else(|| StoreError::corrupt("a job kind", kind))?,
        exec_schedule: rows::get(row, "exec_schedule")?,
        due_at: rows::instant(row, "next_fire_at")?,
        busy_with: rows::get::<Option<i64>>(row, "busy_with")?.map(InstanceId),
        spec: rows::json(row, "spec")?,
    })
}

/// Moves the trigger on, if it still is where it was read.
async fn advance(tx: &mut Transaction, job: &DueJob, firing: &Firing) -> Result<bool, StoreError> {
    let last = firing.slots.last().map_or(job.due_at, |slot| slot.due_at);
    let moved = sqlx::query(
        "UPDATE job SET next_fire_at = $3, last_fire_at = $4, trigger_state = $5
         WHERE id = $1 AND next_fire_at = $2 AND trigger_state IN ('Normal', 'Blocked') AND deleted_at IS NULL",
    )
    .bind(job.id.0)
    .bind(job.due_at.timestamp_millis())
    .bind(firing.next_fire_at.map(|at| at.timestamp_millis()))
    .bind(last.timestamp_millis())
    .bind(if firing.next_fire_at.is_some() { "Normal" } else { "Complete" })
    .execute(tx)
    .await
    .map_err(StoreError::doing("move a trigger on"))?
    .rows_affected();
    Ok(moved == 1)
}

/// Queues a run for each slot that fires, and gives their numbers in the order of the slots.
async fn queue_runs(
    tx: &mut Transaction,
    job: &DueJob,
    firing: &Firing,
    now: DateTime<Utc>,
    zone: chrono_tz::Tz,
) -> Result<Vec<InstanceId>, StoreError> {
    let firing_slots: Vec<&Slot> =
        firing.slots.iter().filter(|slot| matches!(slot.fate, Fate::Fire | Fate::FireLate)).collect();
    if firing_slots.is_empty() {
        return Ok(Vec::new());
    }
    let unnamed: Vec<Unnamed<'_>> =
        firing_slots.iter().map(|_| Unnamed { company: job.company, job_name: &job.name, at: now }).collect();
    let names = submit::name_runs(tx, &unnamed, zone).await?;
    let mut ids = Vec::with_capacity(names.len());
    for (slot, name) in firing_slots.iter().zip(names) {
        ids.push(insert_run(tx, job, slot.due_at, &name, firing.one_at_a_time, now).await?);
    }
    Ok(ids)
}

async fn insert_run(
    tx: &mut Transaction,
    job: &DueJob,
    due_at: DateTime<Utc>,
    name: &str,
    one_at_a_time: bool,
    now: DateTime<Utc>,
) -> Result<InstanceId, StoreError> {
    let own_key = || one_at_a_time.then(|| format!("job:{}", job.id));
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO instance (job_id, company_id, kind, run_name, state, due_at, created_at, not_before_at, exclusive_key)
         VALUES ($1, $2, $3, $4, 'WaitingCoordinator', $5, $6, $5, $7) RETURNING id",
    )
    .bind(job.id.0)
    .bind(job.company.0)
    .bind(job.kind.element())
    .bind(name)
    .bind(due_at.timestamp_millis())
    .bind(now.timestamp_millis())
    .bind(job.spec.exclusive_key(job.company).or_else(own_key))
    .fetch_one(tx)
    .await
    .map_err(StoreError::doing("queue a run"))?;
    Ok(InstanceId(id))
}

/// Writes down what became of each instant. One that is written already keeps its first fate: it cannot fire twice.
pub(super) async fn insert_slots(
    tx: &mut Transaction,
    job: JobId,
    busy_with: Option<InstanceId>,
    slots: &[Slot],
    runs: &[InstanceId],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let mut rows = Vec::with_capacity(slots.len());
    let mut upcoming = runs.iter();
    let mut next = upcoming.next();
    for slot in slots {
        let mut params = Map::new();
        let instance = match slot.fate {
            Fate::Fire | Fate::FireLate => {
                let own = next.copied();
                next = upcoming.next();
                own
            }
            Fate::Coalesce => next.copied(),
            Fate::Skip(_) => busy_with,
        };
        if slot.fate == Fate::FireLate {
            params.insert("seconds".to_owned(), json!((now - slot.due_at).num_seconds()));
        }
        rows.push(json!([
            job,
            slot.due_at.timestamp_millis(),
            slot.fate.disposition(),
            slot.fate.reason(),
            Value::Object(params).to_string(),
            instance,
            now.timestamp_millis(),
        ]));
    }
    sqlx::query(
        "INSERT INTO slot (job_id, due_at, disposition, reason, params, instance_id, decided_at)
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6
         FROM json_each($1) WHERE true ON CONFLICT DO NOTHING",
    )
    .bind(Value::from(rows).to_string())
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(StoreError::doing("write slots"))
}

/// A recurring trigger that waits.
#[derive(Debug, Clone)]
pub struct ScheduledTrigger {
    pub id: JobId,
    pub exec_schedule: String,
    pub next_fire_at: DateTime<Utc>,
}

impl Store {
    /// Notes the zone that fire times are computed in. The answer is the zone before, if it was another one.
    pub async fn remember_zone(&self, zone: chrono_tz::Tz) -> Result<Option<String>, StoreError> {
        self.write(move |tx| {
            Box::pin(async move {
                let before: Option<String> = sqlx::query_scalar("SELECT value FROM system WHERE key = 'zone'")
                    .fetch_optional(&mut *tx)
                    .await
                    .map_err(StoreError::doing("read the zone"))?;
                sqlx::query(
                    "INSERT INTO system (key, value) VALUES ('zone', $1)
                     ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                )
                .bind(zone.name())
                .execute(tx)
                .await
                .map_err(StoreError::doing("note the zone"))?;
                Ok(before.filter(|before| before != zone.name()))
            })
        })
        .await
    }

    /// All recurring triggers that wait for a fire time.
    pub async fn scheduled_triggers(&self) -> Result<Vec<ScheduledTrigger>, StoreError> {
        let mut reader = self.reader().await?;
        let rows = sqlx::query(
            "SELECT id, exec_schedule, next_fire_at FROM job
             WHERE trigger_kind = 'exec_schedule' AND next_fire_at IS NOT NULL AND deleted_at IS NULL",
        )
        .fetch_all(&mut *reader)
        .await
        .map_err(StoreError::doing("read triggers"))?;
        rows.iter()
            .map(|row| {
                Ok(ScheduledTrigger {
                    id: JobId(rows::get(row, "id")?),
                    exec_schedule: rows::get(row, "exec_schedule")?,
                    next_fire_at: rows::instant(row, "next_fire_at")?,
                })
            })
            .collect()
    }

    /// Gives a trigger another fire time, if it still has the one it had.
    pub async fn reschedule(
        &self,
        job: JobId,
        from: DateTime<Utc>,
        to: Option<DateTime<Utc>>,
    ) -> Result<(), StoreError> {
        self.write(move |tx| {
            Box::pin(async move {
                sqlx::query("UPDATE job SET next_fire_at = $3 WHERE id = $1 AND next_fire_at = $2")
                    .bind(job.0)
                    .bind(from.timestamp_millis())
                    .bind(to.map(|at| at.timestamp_millis()))
                    .execute(tx)
                    .await
                    .map(|_| ())
                    .map_err(StoreError::doing("reschedule a job"))
            })
        })
        .await
    }
}
