//! Due triggers to runs: slot, run and next fire time in one transaction.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use super::overlap::{own_key, share_key};
use super::submit::{self, RunId, Unnamed};
use crate::model::firing::{Disposition, Fate, SkipReason, Slot, SlotRange};
use crate::model::id::{CompanyId, InstanceId, JobId};
use crate::model::job::JobSpec;
use crate::model::kind::JobKind;
use crate::store::numbers::next_number;
use crate::store::sql::{self, Row};
use crate::store::{Bell, Reads, Store, StoreError, Transaction, rows};

/// A job whose fire time has come.
#[derive(Debug, Clone)]
pub struct DueJob {
    pub id: JobId,
    pub company: CompanyId,
    pub name: String,
    /// The cron string, or nothing for a one-shot.
    pub exec_schedule: Option<String>,
    /// The fire time that has come.
    pub due_at: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
    /// All up to this instant has been decided, by a clock that showed no more than now; also what has been forgotten since.
    pub decided_to: Option<DateTime<Utc>>,
    /// Its newest run that is not done.
    pub busy_with: Option<RunId>,
    /// Instants before this one were merged into a run that is still to come.
    pub merging: bool,
    /// Its company has expired.
    pub expired: bool,
    /// It has waited for that.
    pub held: bool,
    /// Nothing when this version cannot read it.
    pub spec: Option<JobSpec>,
}

/// What the scheduler decided about a due job.
#[derive(Debug, Clone)]
pub struct Firing {
    /// Before them, very many that have no run of their own.
    pub range: Option<SlotRange>,
    /// What becomes of each instant that fell due, oldest first.
    pub slots: Vec<Slot>,
    /// The runs of the same job are to be carried out one after the other.
    pub one_at_a_time: bool,
    /// The next fire time; without one the trigger is complete.
    pub next_fire_at: Option<DateTime<Utc>>,
}

impl Reads {
    /// When the next trigger falls due.
    pub async fn next_fire_time(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        let mut reader = self.reader().await?;
        let millis: Option<i64> = sql::scalar(
            "SELECT min(next_fire_at) FROM job
             WHERE next_fire_at IS NOT NULL AND trigger_state = 'Normal' AND deleted_at IS NULL",
        )
        .fetch_one(&mut reader)
        .await
        .map_err(StoreError::doing("look for the next trigger"))?;
        Ok(millis.and_then(DateTime::from_timestamp_millis))
    }

    /// Jobs whose fire time has come, longest due first.
    pub async fn due_jobs(&self, now: DateTime<Utc>, most: u32) -> Result<Vec<DueJob>, StoreError> {
        let mut reader = self.reader().await?;
        let rows = sql::query(
            "SELECT j.id, j.company_id, j.name, j.exec_schedule, j.next_fire_at, j.created_at, j.spec,
                    b.id AS busy_with, b.run_name AS busy_name,
                    EXISTS (SELECT 1 FROM slot s WHERE s.job_id = j.id AND s.due_at = j.last_fire_at
                            AND s.disposition = 'coalesced' AND s.instance_id IS NULL) AS merging,
                    CASE WHEN j.last_fire_at <= $1 AND NOT EXISTS (
                        SELECT 1 FROM slot s WHERE s.job_id = j.id AND s.due_at = j.last_fire_at AND s.decided_at > $1)
                     AND NOT EXISTS (
                        SELECT 1 FROM slot_range r WHERE r.job_id = j.id AND r.last_at = j.last_fire_at AND r.decided_at > $1)
                    THEN j.last_fire_at END AS decided_to,
                    coalesce(c.expires_at <= $1, false) AS expired, coalesce(j.held_fire_at = j.next_fire_at, false) AS held
             FROM job j JOIN company c ON c.id = j.company_id
             LEFT JOIN instance b ON b.id =
                 (SELECT max(i.id) FROM instance i INDEXED BY instance_open WHERE i.job_id = j.id AND i.state <> 'Done')
             WHERE j.next_fire_at IS NOT NULL AND j.trigger_state = 'Normal' AND j.deleted_at IS NULL
               AND j.next_fire_at <= $1
             ORDER BY j.next_fire_at, j.id LIMIT $2",
        )
        .bind(now.timestamp_millis())
        .bind(most)
        .fetch_all(&mut reader)
        .await
        .map_err(StoreError::doing("look for due triggers"))?;
        rows.iter().map(read_due).collect()
    }
}

impl Store {
    /// Carries out what was decided, unless the job has changed since it was read: then the answer is false.
    pub async fn fire(&self, job: &DueJob, firing: Firing, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let (job, zone) = (job.clone(), self.zone());
        let bells = |(_, runs): &(bool, usize)| -> &'static [Bell] { if *runs > 0 { &[Bell::Waiting] } else { &[] } };
        let fired = self
            .write_and_ring_by(bells, move |tx| {
                Box::pin(async move {
                    if !advance(tx, &job, &firing).await? {
                        return Ok::<_, StoreError>((false, 0));
                    }
                    if let Some(range) = &firing.range {
                        insert_range(tx, job.id, range, now).await?;
                    }
                    let fires = firing.slots.iter().rfind(|slot| slot.fate.fires()).map(|slot| slot.due_at);
                    let mut slots = undecided(tx, job.id, firing.slots, now).await?;
                    let earlier = match fires {
                        Some(due_at) if !slots.iter().any(|slot| slot.fate.fires()) => {
                            run_of(tx, job.id, due_at).await?
                        }
                        _ => None,
                    };
                    if earlier.as_ref().is_some_and(|earlier| earlier.decided_at > now) {
                        let_the_last_fire(&mut slots);
                    }
                    let firing = Firing { slots, ..firing };
                    let runs = queue_runs(tx, &job, &firing, now, zone).await?;
                    let merged_into = runs.is_empty().then_some(earlier).flatten().map(|earlier| earlier.run);
                    let all = [runs.as_slice(), merged_into.as_slice()].concat();
                    insert_slots(tx, job.id, job.busy_with.as_ref(), &firing.slots, &all, now).await?;
                    if let (true, Some(run)) = (job.merging, runs.first()) {
                        merge_earlier(tx, job.id, run).await?;
                    }
                    Ok((true, runs.len()))
                })
            })
            .await?;
        Ok(fired.0)
    }

    /// What comes for the last time while its company is expired waits until the company is open again; then it runs, late.
    pub async fn hold_trigger(&self, job: &DueJob, now: DateTime<Utc>) -> Result<(), StoreError> {
        let job = job.clone();
        self.write(move |tx| {
            Box::pin(async move {
                sql::query(
                    "UPDATE job SET trigger_state = 'Blocked', held_fire_at = next_fire_at
                     WHERE id = $1 AND next_fire_at = $2 AND trigger_state = 'Normal' AND deleted_at IS NULL
                       AND EXISTS (SELECT 1 FROM company c WHERE c.id = job.company_id AND c.expires_at <= $3)",
                )
                .bind(job.id.0)
                .bind(job.due_at.timestamp_millis())
                .bind(now.timestamp_millis())
                .execute(tx)
                .await
                .map(|_| ())
                .map_err(StoreError::doing("let a job wait for its company"))
            })
        })
        .await
    }

    /// A trigger whose fire times can no longer be computed.
    pub async fn break_trigger(&self, job: JobId) -> Result<(), StoreError> {
        self.write(move |tx| {
            Box::pin(async move {
                sql::query(
                    "UPDATE job SET trigger_state = 'Error', next_fire_at = NULL
                     WHERE id = $1 AND trigger_state = 'Normal'",
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

fn read_due(row: &Row) -> Result<DueJob, StoreError> {
    let busy: (Option<i64>, Option<String>) = (rows::get(row, "busy_with")?, rows::get(row, "busy_name")?);
    Ok(DueJob {
        id: JobId(rows::get(row, "id")?),
        company: CompanyId(rows::get(row, "company_id")?),
        name: rows::get(row, "name")?,
        exec_schedule: rows::get(row, "exec_schedule")?,
        due_at: rows::instant(row, "next_fire_at")?,
        created_at: rows::instant(row, "created_at")?,
        decided_to: rows::optional_instant(row, "decided_to")?,
        busy_with: busy.0.zip(busy.1).map(|(id, name)| RunId { id: InstanceId(id), name }),
        merging: rows::get(row, "merging")?,
        expired: rows::get(row, "expired")?,
        held: rows::get(row, "held")?,
        spec: rows::json(row, "spec").ok(),
    })
}

/// The one that the others were to be merged into has run already, by a clock that was ahead: the last of those that have not runs in its
/// place.
fn let_the_last_fire(slots: &mut [Slot]) {
    if let Some(last) = slots.iter_mut().rfind(|slot| slot.fate == Fate::Coalesce) {
        last.fate = Fate::FireLate;
    }
}

/// A run that there has been for an instant, and when that was decided.
struct Earlier {
    run: RunId,
    decided_at: DateTime<Utc>,
}

async fn run_of(tx: &mut Transaction, job: JobId, due_at: DateTime<Utc>) -> Result<Option<Earlier>, StoreError> {
    let row = sql::query(
        "SELECT s.decided_at, i.id, i.run_name FROM slot s JOIN instance i ON i.id = s.instance_id
         WHERE s.job_id = $1 AND s.due_at = $2",
    )
    .bind(job.0)
    .bind(due_at.timestamp_millis())
    .fetch_optional(tx)
    .await
    .map_err(StoreError::doing("look for the run of an instant"))?;
    row.map(|row| {
        let run = RunId { id: InstanceId(rows::get(&row, "id")?), name: rows::get(&row, "run_name")? };
        Ok(Earlier { run, decided_at: rows::instant(&row, "decided_at")? })
    })
    .transpose()
}

/// Moves the trigger on, if it still is where it was read.
async fn advance(tx: &mut Transaction, job: &DueJob, firing: &Firing) -> Result<bool, StoreError> {
    let range = firing.range.as_ref().map(|range| range.last);
    let last = firing.slots.last().map(|slot| slot.due_at).or(range);
    let moved = sql::query(
        "UPDATE job SET next_fire_at = $3, last_fire_at = coalesce($4, last_fire_at), trigger_state = $5, held_fire_at = NULL
         WHERE id = $1 AND next_fire_at = $2 AND trigger_state = 'Normal' AND deleted_at IS NULL",
    )
    .bind(job.id.0)
    .bind(job.due_at.timestamp_millis())
    .bind(firing.next_fire_at.map(|at| at.timestamp_millis()))
    .bind(last.map(|at| at.timestamp_millis()))
    .bind(if firing.next_fire_at.is_some() { "Normal" } else { "Complete" })
    .execute(tx)
    .await
    .map_err(StoreError::doing("move a trigger on"))?
    .rows_affected();
    Ok(moved == 1)
}

/// Without the instants that have a slot already, or lie in a range: what was decided once stands, and does not happen again. Left out
/// by a clock that was ahead of `now`, they come all the same; not once it shows as much again, for then it may have been behind
/// meanwhile. What another zone has left out is told ahead of its time, and comes as well if the zone is set right by then.
pub(super) async fn undecided(
    tx: &mut Transaction,
    job: JobId,
    mut slots: Vec<Slot>,
    now: DateTime<Utc>,
) -> Result<Vec<Slot>, StoreError> {
    let instants: Vec<i64> = slots.iter().map(|slot| slot.due_at.timestamp_millis()).collect();
    let decided: Vec<i64> = sql::scalar(
        "SELECT w.id FROM ids($2) w
         WHERE EXISTS (SELECT 1 FROM slot s WHERE s.job_id = $1 AND s.due_at = w.id
                       AND (s.decided_at <= $3 OR s.disposition IN ('fired', 'late'))
                       AND s.reason IS DISTINCT FROM 'slot-skipped-zone')
            OR EXISTS (SELECT 1 FROM slot_range r
                       WHERE r.job_id = $1 AND r.first_at <= w.id AND r.last_at >= w.id
                         AND r.decided_at <= $3 AND r.decided_at >= w.id AND r.reason <> 'slot-skipped-zone')",
    )
    .bind(job.0)
    .list(&instants)
    .bind(now.timestamp_millis())
    .fetch_all(tx)
    .await
    .map_err(StoreError::doing("look for slots"))?;
    let decided: HashSet<i64> = decided.into_iter().collect();
    slots.retain(|slot| !decided.contains(&slot.due_at.timestamp_millis()));
    Ok(slots)
}

/// Queues a run for each slot that fires, in the order of the slots.
async fn queue_runs(
    tx: &mut Transaction,
    job: &DueJob,
    firing: &Firing,
    now: DateTime<Utc>,
    zone: chrono_tz::Tz,
) -> Result<Vec<RunId>, StoreError> {
    let due: Vec<DateTime<Utc>> =
        firing.slots.iter().filter(|slot| slot.fate.fires()).map(|slot| slot.due_at).collect();
    if due.is_empty() {
        return Ok(Vec::new());
    }
    let spec = job.spec.as_ref().ok_or_else(|| StoreError::corrupt("a job's spec", &job.name))?;
    let mut exclusive_key = spec.exclusive_key(job.company);
    if exclusive_key.is_none() && firing.one_at_a_time {
        share_key(tx, job.id).await?;
        exclusive_key = Some(own_key(job.id));
    }
    let new = QueuedRun { job: job.id, company: job.company, kind: spec.kind(), exclusive_key, created_at: now };
    let unnamed: Vec<Unnamed<'_>> =
        due.iter().map(|_| Unnamed { company: job.company, job_name: &job.name, at: now }).collect();
    let names = submit::name_runs(tx, &unnamed, zone).await?;
    let mut runs = Vec::with_capacity(names.len());
    for (due_at, name) in due.into_iter().zip(names) {
        runs.push(RunId { id: new.insert(tx, &name, due_at).await?, name });
    }
    Ok(runs)
}

/// A run of a job that has been there for a while.
pub(super) struct QueuedRun {
    pub job: JobId,
    pub company: CompanyId,
    pub kind: JobKind,
    pub exclusive_key: Option<String>,
    pub created_at: DateTime<Utc>,
}

impl QueuedRun {
    pub async fn insert(
        &self,
        tx: &mut Transaction,
        name: &str,
        due_at: DateTime<Utc>,
    ) -> Result<InstanceId, StoreError> {
        let id: i64 = sql::scalar(concat!(
            "INSERT INTO instance (id, job_id, company_id, kind, run_name, state, due_at, created_at, not_before_at,
                                   exclusive_key, job_name, account_id, submitter_id)
             SELECT ",
            next_number!("instance"),
            ", $1, $2, $3, $4, 'WaitingCoordinator', $5, $6, $5, $7, name, account_id, nullif(submitter_id, account_id)
             FROM job WHERE id = $1 RETURNING id"
        ))
        .bind(self.job.0)
        .bind(self.company.0)
        .bind(self.kind.element())
        .bind(name)
        .bind(due_at.timestamp_millis())
        .bind(self.created_at.timestamp_millis())
        .bind(&self.exclusive_key)
        .fetch_one(tx)
        .await
        .map_err(StoreError::doing("queue a run"))?;
        Ok(InstanceId(id))
    }
}

sql::columns! {
    struct SlotRow<'a> {
        job_id: JobId,
        due_at: i64,
        disposition: Disposition,
        reason: Option<&'a str>,
        params: String,
        instance_id: Option<InstanceId>,
        decided_at: i64,
    }
}

/// Writes down what became of each instant. One that is written already keeps its first fate, unless another zone has left it out, or a
/// clock that was ahead.
pub(super) async fn insert_slots(
    tx: &mut Transaction,
    job: JobId,
    busy_with: Option<&RunId>,
    slots: &[Slot],
    runs: &[RunId],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let mut rows = Vec::with_capacity(slots.len());
    let mut upcoming = runs.iter().peekable();
    for slot in slots {
        let run = match slot.fate {
            Fate::Fire | Fate::FireLate => upcoming.next(),
            Fate::Coalesce => upcoming.peek().copied(),
            Fate::Skip(SkipReason::Overlap) => busy_with,
            Fate::Skip(SkipReason::Misfire | SkipReason::Paused | SkipReason::Expired | SkipReason::Zone) => None,
        };
        rows.push(SlotRow {
            job_id: job,
            due_at: slot.due_at.timestamp_millis(),
            disposition: slot.fate.disposition(),
            reason: slot.fate.reason(),
            params: Value::Object(slot_params(slot, run, now)).to_string(),
            instance_id: run.map(|run| run.id),
            decided_at: now.timestamp_millis(),
        });
    }
    sql::query(
        "INSERT INTO slot (job_id, due_at, disposition, reason, params, instance_id, decided_at)
         SELECT s.job_id, s.due_at, s.disposition, s.reason, s.params, s.instance_id, s.decided_at
         FROM rows($1: job_id int, due_at int, disposition text, reason text, params text, instance_id int, decided_at int) s
         WHERE true ON CONFLICT (job_id, due_at) DO UPDATE
         SET disposition = excluded.disposition, reason = excluded.reason, params = excluded.params,
             instance_id = excluded.instance_id, decided_at = excluded.decided_at
         WHERE slot.reason = 'slot-skipped-zone'
            OR slot.decided_at > excluded.decided_at AND slot.disposition NOT IN ('fired', 'late')",
    )
    .rows(&rows)
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(StoreError::doing("write slots"))
}

/// Writes down what became of very many instants in a row. Of two that begin alike for one reason, what the older one has stands, and the
/// rest is a range of its own; one that was decided by a clock which was ahead of `now` gives way.
pub(super) async fn insert_range(
    tx: &mut Transaction,
    job: JobId,
    range: &SlotRange,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let (mut first, mut count) = (range.first, range.count);
    loop {
        let known = sql::query(
            "INSERT INTO slot_range (job_id, first_at, last_at, count, disposition, reason, decided_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (job_id, first_at, reason) DO UPDATE
             SET last_at = CASE WHEN slot_range.decided_at > excluded.decided_at THEN excluded.last_at ELSE slot_range.last_at END,
                 count = CASE WHEN slot_range.decided_at > excluded.decided_at THEN excluded.count ELSE slot_range.count END,
                 decided_at = least(slot_range.decided_at, excluded.decided_at)
             RETURNING last_at, count",
        )
        .bind(job.0)
        .bind(first.timestamp_millis())
        .bind(range.last.timestamp_millis())
        .bind(i64::try_from(count).unwrap_or(i64::MAX))
        .bind(range.fate.disposition().as_str())
        .bind(range.reason())
        .bind(now.timestamp_millis())
        .fetch_one(&mut *tx)
        .await
        .map_err(StoreError::doing("write a range of slots"))?;
        let last = rows::instant(&known, "last_at")?;
        if last >= range.last {
            return Ok(());
        }
        let kept: i64 = rows::get(&known, "count")?;
        first = last + TimeDelta::milliseconds(1);
        count = count.saturating_sub(kept.unsigned_abs());
    }
}

/// What the message of a slot needs: the run, and how late it was noticed.
fn slot_params(slot: &Slot, run: Option<&RunId>, now: DateTime<Utc>) -> Map<String, Value> {
    let mut params = Map::new();
    if let Some(run) = run {
        params.insert("run".to_owned(), json!(run.name));
    }
    if matches!(slot.fate, Fate::FireLate | Fate::Skip(SkipReason::Misfire)) {
        params.insert("milliseconds".to_owned(), json!((now - slot.due_at).num_milliseconds()));
    }
    params
}

/// Instants of earlier transactions that were to be merged into the run that now came.
async fn merge_earlier(tx: &mut Transaction, job: JobId, run: &RunId) -> Result<(), StoreError> {
    sql::query(
        "UPDATE slot SET instance_id = $2, params = $3
         WHERE job_id = $1 AND disposition = 'coalesced' AND instance_id IS NULL",
    )
    .bind(job.0)
    .bind(run.id.0)
    .bind(json!({"run": run.name}).to_string())
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(StoreError::doing("merge slots"))
}

/// A recurring trigger.
#[derive(Debug, Clone)]
pub struct ScheduledTrigger {
    pub id: JobId,
    pub name: String,
    pub exec_schedule: String,
    /// None if it has come to its end.
    pub next_fire_at: Option<DateTime<Utc>>,
    pub last_fire_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

/// Another fire time for a trigger, if it still has the one it had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reschedule {
    pub job: JobId,
    /// None if it had come to its end.
    pub from: Option<DateTime<Utc>>,
    pub to: DateTime<Utc>,
}

impl Reads {
    /// All recurring triggers that wait for a fire time, or have none any more.
    pub async fn scheduled_triggers(&self) -> Result<Vec<ScheduledTrigger>, StoreError> {
        let mut reader = self.reader().await?;
        let rows = sql::query(
            "SELECT id, name, exec_schedule, next_fire_at, last_fire_at, created_at FROM job INDEXED BY job_scheduled
             WHERE trigger_kind = 'exec_schedule' AND next_fire_at IS NOT NULL AND deleted_at IS NULL
             UNION ALL
             SELECT id, name, exec_schedule, NULL, last_fire_at, created_at FROM job INDEXED BY job_ended
             WHERE trigger_kind = 'exec_schedule' AND trigger_state = 'Complete' AND deleted_at IS NULL AND next_fire_at IS NULL",
        )
        .fetch_all(&mut reader)
        .await
        .map_err(StoreError::doing("read triggers"))?;
        rows.iter()
            .map(|row| {
                Ok(ScheduledTrigger {
                    id: JobId(rows::get(row, "id")?),
                    name: rows::get(row, "name")?,
                    exec_schedule: rows::get(row, "exec_schedule")?,
                    next_fire_at: rows::optional_instant(row, "next_fire_at")?,
                    last_fire_at: rows::optional_instant(row, "last_fire_at")?,
                    created_at: rows::instant(row, "created_at")?,
                })
            })
            .collect()
    }
}

impl Store {
    /// Moves triggers to other fire times, all of them or none; gives those that have changed meanwhile, or had come to their ends and
    /// whose names are those of others now.
    pub async fn reschedule(&self, moved: Vec<Reschedule>) -> Result<Vec<JobId>, StoreError> {
        self.write_and_ring(&[Bell::Triggers], move |tx| {
            Box::pin(async move {
                let mut left = Vec::new();
                for moved in moved {
                    if !reschedule(tx, moved).await? {
                        left.push(moved.job);
                    }
                }
                Ok(left)
            })
        })
        .await
    }
}

/// Whether the trigger has the fire time now. One that had come to its end is a waiting order again, of which a company has one of a name:
/// the newest. Who has deleted that one wants nothing of the name to fire.
pub(super) async fn reschedule(
    tx: &mut Transaction,
    Reschedule { job, from, to }: Reschedule,
) -> Result<bool, StoreError> {
    let moved = sql::query(
        "UPDATE job SET next_fire_at = $3, trigger_state = CASE WHEN CAST($2 AS bigint) IS NULL THEN 'Normal' ELSE trigger_state END
         WHERE id = $1 AND next_fire_at IS NOT DISTINCT FROM $2 AND deleted_at IS NULL
           AND ($2 IS NOT NULL OR trigger_state = 'Complete' AND NOT EXISTS (
                SELECT 1 FROM job other INDEXED BY job_scheduled_name
                WHERE other.company_id = job.company_id AND other.name = job.name AND other.trigger_kind <> 'at_once'
                  AND other.deleted_at IS NULL AND other.trigger_state <> 'Complete')
                AND NOT EXISTS (
                SELECT 1 FROM job newer INDEXED BY job_by_name
                WHERE newer.company_id = job.company_id AND newer.name = job.name AND newer.id > job.id
                  AND newer.trigger_kind = 'exec_schedule'))",
    )
    .bind(job.0)
    .bind(from.map(|at| at.timestamp_millis()))
    .bind(to.timestamp_millis())
    .execute(tx)
    .await
    .map_err(StoreError::doing("move a trigger to another fire time"))?;
    Ok(moved.rows_affected() == 1)
}
