//! What people do to jobs: stop, pause, resume, run now, delete.

use chrono::{DateTime, Utc};

use super::finish::{self, Ending, Guard};
use super::submit::{RunId, Unnamed, name_runs};
use super::triggers::{QueuedRun, insert_slots, own_key};
use crate::model::firing::Slot;
use crate::model::id::{AccountId, CompanyId, InstanceId, JobId};
use crate::model::job::JobSpec;
use crate::model::state::{self, Event, Next, State};
use crate::store::{Bell, Store, StoreError, Transaction, rows};

/// What a request to stop came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// It had not begun, and never will.
    Ended,
    /// It stops at its next checkpoint.
    Asked,
    /// It was over.
    AlreadyDone,
}

/// What pausing, resuming or running a job came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Control<T> {
    Done(T),
    /// The trigger is in a state that does not allow it.
    NotNow(String),
    NoSuchJob,
}

impl Store {
    /// Asks a run to stop.
    pub async fn stop_run(&self, instance: InstanceId, by: AccountId, now: DateTime<Utc>) -> Result<Stop, StoreError> {
        let zone = self.zone();
        self.write_and_ring(&[Bell::Stops, Bell::Outbox], move |tx| {
            Box::pin(async move { stop(tx, instance, by, now, zone).await })
        })
        .await
    }

    /// Pauses a trigger. Pausing a paused one is no error.
    pub async fn pause_job(&self, job: JobId) -> Result<Control<()>, StoreError> {
        self.write(move |tx| {
            Box::pin(async move {
                let changed = sqlx::query(
                    "UPDATE job SET trigger_state = 'Paused'
                     WHERE id = $1 AND trigger_state IN ('Normal', 'Blocked', 'Paused') AND deleted_at IS NULL",
                )
                .bind(job.0)
                .execute(&mut *tx)
                .await
                .map_err(StoreError::doing("pause a job"))?
                .rows_affected();
                if changed == 1 { Ok(Control::Done(())) } else { not_now(tx, job).await }
            })
        })
        .await
    }

    /// Lets a paused trigger go on at `next_fire_at`, if it still stands at `was_due`; `missed` are the instants that passed meanwhile.
    pub async fn resume_job(
        &self,
        job: JobId,
        was_due: Option<DateTime<Utc>>,
        missed: Vec<Slot>,
        next_fire_at: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<Control<()>, StoreError> {
        self.write_and_ring(&[Bell::Triggers], move |tx| {
            Box::pin(async move {
                let changed = sqlx::query(
                    "UPDATE job SET trigger_state = $2, next_fire_at = $3
                     WHERE id = $1 AND trigger_state = 'Paused' AND deleted_at IS NULL AND next_fire_at IS $4",
                )
                .bind(job.0)
                .bind(if next_fire_at.is_some() { "Normal" } else { "Complete" })
                .bind(next_fire_at.map(|at| at.timestamp_millis()))
                .bind(was_due.map(|at| at.timestamp_millis()))
                .execute(&mut *tx)
                .await
                .map_err(StoreError::doing("resume a job"))?
                .rows_affected();
                if changed == 0 {
                    return not_now(tx, job).await;
                }
                insert_slots(tx, job, None, &missed, &[], now).await?;
                Ok(Control::Done(()))
            })
        })
        .await
    }

    /// Queues a run of a waiting job now, beside its schedule. Its runs are carried out one after the other.
    pub async fn run_job_now(&self, job: JobId, now: DateTime<Utc>) -> Result<Control<RunId>, StoreError> {
        let zone = self.zone();
        self.write_and_ring(&[Bell::Waiting], move |tx| Box::pin(async move { run_now(tx, job, now, zone).await }))
            .await
    }

    /// Removes a job: it fires no more, and its runs that are not done are stopped. Its logs stay. Of one that is over there is
    /// nothing to remove.
    pub async fn delete_job(&self, job: JobId, by: AccountId, now: DateTime<Utc>) -> Result<Control<()>, StoreError> {
        let zone = self.zone();
        self.write_and_ring(&[Bell::Stops, Bell::Triggers, Bell::Outbox], move |tx| {
            Box::pin(async move {
                let changed = sqlx::query(
                    "UPDATE job SET deleted_at = $2, next_fire_at = NULL,
                                    trigger_state = CASE trigger_kind WHEN 'at_once' THEN trigger_state ELSE 'None' END
                     WHERE id = $1 AND deleted_at IS NULL
                       AND (trigger_kind <> 'at_once' AND trigger_state <> 'Complete'
                            OR EXISTS (SELECT 1 FROM instance i WHERE i.job_id = job.id AND i.state <> 'Done'))",
                )
                .bind(job.0)
                .bind(now.timestamp_millis())
                .execute(&mut *tx)
                .await
                .map_err(StoreError::doing("delete a job"))?
                .rows_affected();
                if changed == 0 {
                    return not_now(tx, job).await;
                }
                for instance in open_runs(tx, job).await? {
                    stop(tx, instance, by, now, zone).await?;
                }
                Ok(Control::Done(()))
            })
        })
        .await
    }
}

async fn stop(
    tx: &mut Transaction,
    instance: InstanceId,
    by: AccountId,
    now: DateTime<Utc>,
    zone: chrono_tz::Tz,
) -> Result<Stop, StoreError> {
    let row = sqlx::query("SELECT state FROM instance WHERE id = $1")
        .bind(instance.0)
        .fetch_optional(&mut *tx)
        .await
        .map_err(StoreError::doing("read a run"))?;
    // One that its retention has removed was over long ago.
    let Some(row) = row else { return Ok(Stop::AlreadyDone) };
    let from: State = rows::constant(&row, "state")?;
    let Ok(next) = state::next(from, Event::AskStop) else { return Ok(Stop::AlreadyDone) };
    let changed = sqlx::query(
        "UPDATE instance SET stop_asked_at = coalesce(stop_asked_at, $3), stop_asked_by = coalesce(stop_asked_by, $4),
                             state = CASE state WHEN 'Running' THEN 'Stopping' ELSE state END
         WHERE id = $1 AND state = $2",
    )
    .bind(instance.0)
    .bind(from.as_str())
    .bind(now.timestamp_millis())
    .bind(by.0)
    .execute(&mut *tx)
    .await
    .map_err(StoreError::doing("stop a run"))?
    .rows_affected();
    match (changed, next) {
        (1, Next::To(_)) => Ok(Stop::Asked),
        (1, Next::Ended(_)) => {
            finish::finish(tx, Guard::Waiting(instance, from), Ending::stopped(), now, zone).await?;
            Ok(Stop::Ended)
        }
        (rows, _) => Err(StoreError::corrupt("a run to be stopped", format!("{rows} rows changed"))),
    }
}

async fn open_runs(tx: &mut Transaction, job: JobId) -> Result<Vec<InstanceId>, StoreError> {
    let ids: Vec<i64> = sqlx::query_scalar("SELECT id FROM instance WHERE job_id = $1 AND state <> 'Done' ORDER BY id")
        .bind(job.0)
        .fetch_all(tx)
        .await
        .map_err(StoreError::doing("look for runs of a job"))?;
    Ok(ids.into_iter().map(InstanceId).collect())
}

/// Says why a trigger could not be changed.
async fn not_now<T>(tx: &mut Transaction, job: JobId) -> Result<Control<T>, StoreError> {
    let state: Option<String> =
        sqlx::query_scalar("SELECT trigger_state FROM job WHERE id = $1 AND deleted_at IS NULL")
            .bind(job.0)
            .fetch_optional(tx)
            .await
            .map_err(StoreError::doing("read a trigger"))?;
    Ok(state.map_or(Control::NoSuchJob, Control::NotNow))
}

async fn run_now(
    tx: &mut Transaction,
    job: JobId,
    now: DateTime<Utc>,
    zone: chrono_tz::Tz,
) -> Result<Control<RunId>, StoreError> {
    let row = sqlx::query("SELECT company_id, name, spec FROM job WHERE id = $1 AND deleted_at IS NULL")
        .bind(job.0)
        .fetch_optional(&mut *tx)
        .await
        .map_err(StoreError::doing("read a job"))?;
    let Some(row) = row else { return Ok(Control::NoSuchJob) };
    let company = CompanyId(rows::get(&row, "company_id")?);
    let job_name: String = rows::get(&row, "name")?;
    let spec: JobSpec = rows::json(&row, "spec")?;
    let unnamed = [Unnamed { company, job_name: &job_name, at: now }];
    let name = name_runs(tx, &unnamed, zone).await?.swap_remove(0);
    let new = QueuedRun {
        job,
        company,
        kind: spec.kind(),
        exclusive_key: Some(spec.exclusive_key(company).unwrap_or_else(|| own_key(job))),
        created_at: now,
    };
    Ok(Control::Done(RunId { id: new.insert(tx, &name, now).await?, name }))
}
