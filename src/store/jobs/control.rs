//! What people do to jobs: stop, pause, resume, run now, retry, delete.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::finish::{self, Ending, Finish, Guard};
use super::lines;
use super::overlap::{self, own_key, share_key};
use super::submit::{RunId, Unnamed, name_runs};
use super::triggers::{QueuedRun, insert_range, insert_slots, undecided};
use crate::model::firing::Missed;
use crate::model::id::{AccountId, CompanyId, InstanceId, JobId};
use crate::model::job::JobSpec;
use crate::model::kind::JobKind;
use crate::model::log::{LogLine, LogType, Message};
use crate::model::state::{self, Event, Next, State};
use crate::store::clock::decide_by;
use crate::store::sql;
use crate::store::{Bell, Store, StoreError, Transaction, rows};

/// Runs that are stopped in one transaction.
const BATCH: u32 = 250;

/// `UPDATE job` so that it is deleted at $2.
macro_rules! removal {
    () => {
        "UPDATE job SET deleted_at = $2, next_fire_at = NULL,
                        trigger_state = CASE trigger_kind WHEN 'at_once' THEN trigger_state ELSE 'None' END"
    };
}

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

/// Runs that were asked to stop.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stopped {
    pub runs: Vec<RunId>,
    /// There are others beside, which are stopped after these.
    pub more: bool,
}

/// What pausing, resuming or deleting a job came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Control<T> {
    Done(T),
    /// The trigger is in a state that does not allow it.
    NotNow(String),
    NoSuchJob,
}

/// What a request for a run beside the schedule came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunNow {
    Queued(RunId),
    NoSuchJob,
    /// It is an upload by post: its files are those of its one run, which may still take more.
    Posted {
        open: bool,
    },
}

impl Store {
    /// Asks a run to stop.
    pub async fn stop_run(&self, instance: InstanceId, by: AccountId, now: DateTime<Utc>) -> Result<Stop, StoreError> {
        let zone = self.zone();
        self.write_and_ring(&[Bell::Stops, Bell::Waiting, Bell::Outbox], move |tx| {
            Box::pin(async move {
                let stops = stop_all(tx, &[instance], by, now, now, zone).await?;
                // One that its retention has removed was over long ago.
                Ok(stops.first().copied().unwrap_or(Stop::AlreadyDone))
            })
        })
        .await
    }

    /// Pauses a trigger. Pausing a paused one is no error.
    pub async fn pause_job(&self, job: JobId) -> Result<Control<()>, StoreError> {
        self.write(move |tx| {
            Box::pin(async move {
                let changed = sql::query(
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
        missed: Missed,
        next_fire_at: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<Control<()>, StoreError> {
        self.write_and_ring(&[Bell::Triggers], move |tx| {
            Box::pin(async move {
                let changed = sql::query(
                    "UPDATE job SET trigger_state = $2, next_fire_at = $3, last_fire_at = coalesce($5, last_fire_at)
                     WHERE id = $1 AND trigger_state = 'Paused' AND deleted_at IS NULL AND next_fire_at IS NOT DISTINCT FROM $4",
                )
                .bind(job.0)
                .bind(if next_fire_at.is_some() { "Normal" } else { "Complete" })
                .bind(next_fire_at.map(|at| at.timestamp_millis()))
                .bind(was_due.map(|at| at.timestamp_millis()))
                .bind(missed.last().map(|at| at.timestamp_millis()))
                .execute(&mut *tx)
                .await
                .map_err(StoreError::doing("resume a job"))?
                .rows_affected();
                if changed == 0 {
                    return not_now(tx, job).await;
                }
                decide_by(tx, now).await?;
                match missed {
                    Missed::Slots(slots) => {
                        let slots = undecided(tx, job, slots, now).await?;
                        insert_slots(tx, job, None, &slots, &[], now).await?;
                    }
                    Missed::Range(range) => insert_range(tx, job, &range, now).await?,
                }
                Ok(Control::Done(()))
            })
        })
        .await
    }

    /// Queues a run of a job now, beside its schedule and its other runs: after those that are not done, if they run one at a time. That
    /// is as the daemon began, or as given where none has been.
    pub async fn run_job_now(&self, job: JobId, one_at_a_time: bool, now: DateTime<Utc>) -> Result<RunNow, StoreError> {
        let zone = self.zone();
        self.write_and_ring(&[Bell::Waiting], move |tx| {
            Box::pin(async move { run_now(tx, job, one_at_a_time, now, zone).await })
        })
        .await
    }

    /// Lets the next attempt of runs begin that wait for it, and gives those that do. Their logs say who asked.
    pub async fn retry_now(
        &self,
        runs: &[InstanceId],
        by: AccountId,
        now: DateTime<Utc>,
    ) -> Result<Vec<InstanceId>, StoreError> {
        let runs = runs.to_vec();
        self.write_and_ring(&[Bell::Waiting], move |tx| Box::pin(async move { retry_now(tx, runs, by, now).await }))
            .await
    }

    /// Asks all runs of a job to stop that are not done, as [`Store::stop_namesakes`] does.
    pub async fn stop_job(&self, job: JobId, by: AccountId, now: DateTime<Utc>) -> Result<Stopped, StoreError> {
        self.stop(job, Reach::Job, by, now).await
    }

    /// Asks all runs to stop that are not done, of the job and of all others of its name.
    ///
    /// The first of them stop in the transaction that this waits for. Where there are more than one does, the rest are written
    /// down as a [`StopOrder`] with it, and none of them begins any more; [`Store::carry_out_stop_orders`] stops them.
    pub async fn stop_namesakes(&self, job: JobId, by: AccountId, now: DateTime<Utc>) -> Result<Stopped, StoreError> {
        self.stop(job, Reach::Name, by, now).await
    }

    async fn stop(&self, job: JobId, reach: Reach, by: AccountId, now: DateTime<Utc>) -> Result<Stopped, StoreError> {
        let zone = self.zone();
        self.write_and_ring(&[Bell::Stops, Bell::StopOrders, Bell::Waiting, Bell::Outbox], move |tx| {
            Box::pin(async move {
                let Some(order) = StopOrder::about(tx, job, reach, false, by, now).await? else {
                    return Ok(Stopped::default());
                };
                order.begin(tx, now, zone).await
            })
        })
        .await
    }

    /// Removes a job: it fires no more, and its runs that are not done are stopped, as by [`Store::stop_namesakes`]. Its logs
    /// stay. Of one that is over there is nothing to remove, but of a schedule, which may go on in another zone or when the clock is set
    /// right; with it go all of its name that have come to their ends, for the same reason.
    pub async fn delete_job(
        &self,
        job: JobId,
        by: AccountId,
        now: DateTime<Utc>,
    ) -> Result<Control<Stopped>, StoreError> {
        self.delete(job, Reach::Job, by, now).await
    }

    /// The same, and with it of all jobs of its name that wait or run. Of those only one can fire, so that `job` is it if one
    /// can.
    pub async fn delete_namesakes(
        &self,
        job: JobId,
        by: AccountId,
        now: DateTime<Utc>,
    ) -> Result<Control<Stopped>, StoreError> {
        self.delete(job, Reach::Name, by, now).await
    }

    async fn delete(
        &self,
        job: JobId,
        reach: Reach,
        by: AccountId,
        now: DateTime<Utc>,
    ) -> Result<Control<Stopped>, StoreError> {
        let zone = self.zone();
        self.write_and_ring(&[Bell::Stops, Bell::StopOrders, Bell::Triggers, Bell::Waiting, Bell::Outbox], move |tx| {
            Box::pin(async move {
                let Some(order) = StopOrder::about(tx, job, reach, true, by, now).await? else {
                    return Ok(Control::NoSuchJob);
                };
                let removed = sql::query(concat!(
                    removal!(),
                    " WHERE id = $1 AND deleted_at IS NULL
                        AND (trigger_kind <> 'at_once' AND trigger_state <> 'Complete' OR trigger_kind = 'exec_schedule'
                             OR EXISTS (SELECT 1 FROM instance i INDEXED BY instance_open WHERE i.job_id = job.id AND i.state <> 'Done'))"
                ))
                .bind(job.0)
                .bind(now.timestamp_millis())
                .execute(&mut *tx)
                .await
                .map_err(StoreError::doing("delete a job"))?
                .rows_affected();
                let ended = delete_ended(tx, job, reach, now).await?;
                let stopped = order.begin(tx, now, zone).await?;
                if removed + ended > 0 || !stopped.runs.is_empty() {
                    Ok(Control::Done(stopped))
                } else {
                    not_now(tx, job).await
                }
            })
        })
        .await
    }

    /// Goes on with what was asked of jobs with very many runs: stops as many as one transaction does. False if nothing
    /// is left to do.
    pub async fn carry_out_stop_orders(&self, now: DateTime<Utc>) -> Result<bool, StoreError> {
        match self.stop_ordered(BATCH, now).await {
            // One of them cannot be read: it keeps none of the others.
            Err(StoreError::Corrupt { .. }) => match self.stop_ordered(1, now).await {
                Err(error @ StoreError::Corrupt { .. }) => {
                    tracing::error!(%error, "a stored run cannot be read, and is not stopped; it fails when its turn comes");
                    self.pass_over_ordered().await
                }
                other => other,
            },
            other => other,
        }
    }

    async fn stop_ordered(&self, most: u32, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let zone = self.zone();
        self.write_and_ring(&[Bell::Stops, Bell::Waiting, Bell::Outbox], move |tx| {
            Box::pin(async move {
                let Some(order) = StopOrder::oldest(tx).await? else { return Ok(false) };
                let step = order.step(tx, most, now, zone).await?;
                order.go_on(tx, step.rest).await?;
                Ok(true)
            })
        })
        .await
    }

    /// Leaves the next run of the oldest order as it is.
    async fn pass_over_ordered(&self) -> Result<bool, StoreError> {
        self.write_and_ring(&[Bell::Waiting], move |tx| {
            Box::pin(async move {
                let Some(order) = StopOrder::oldest(tx).await? else { return Ok(false) };
                let next = order.open_runs(tx, 1).await?.pop();
                order.go_on(tx, next.map(|run| run.id)).await?;
                Ok(true)
            })
        })
        .await
    }
}

/// Whose runs are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    Job,
    /// All jobs of its name.
    Name,
}

/// Schedules of the name that have come to their ends do not come back either, as they may in another zone. How many they were; those with
/// runs that go on are left.
async fn delete_ended(tx: &mut Transaction, job: JobId, reach: Reach, now: DateTime<Utc>) -> Result<u64, StoreError> {
    sql::query(
        "UPDATE job SET deleted_at = $2
         WHERE id IN (SELECT ended.id FROM job named STRAIGHT_JOIN job ended INDEXED BY job_by_name
                      ON ended.company_id = named.company_id AND ended.name = named.name
                      WHERE named.id = $1 AND ($3 OR named.trigger_kind = 'exec_schedule') AND ended.trigger_kind = 'exec_schedule'
                        AND ended.trigger_state = 'Complete' AND ended.deleted_at IS NULL
                        AND NOT EXISTS (SELECT 1 FROM instance i INDEXED BY instance_open
                                        WHERE i.job_id = ended.id AND i.state <> 'Done'))",
    )
    .bind(job.0)
    .bind(now.timestamp_millis())
    .bind(reach == Reach::Name)
    .execute(tx)
    .await
    .map(|done| done.rows_affected())
    .map_err(StoreError::doing("delete ended schedules of a name"))
}

/// Runs that are to be stopped, from some number on.
#[derive(Debug, Clone)]
struct StopOrder {
    /// Its number, once it is written down.
    id: i64,
    company: CompanyId,
    job_name: String,
    /// None: all of the name.
    job: Option<JobId>,
    deletes: bool,
    after: InstanceId,
    up_to: InstanceId,
    asked_at: DateTime<Utc>,
    by: AccountId,
}

/// What one transaction did of an order.
struct Step {
    stopped: Vec<RunId>,
    /// The last run that it came to, if there may be more.
    rest: Option<InstanceId>,
}

struct OpenRun {
    id: InstanceId,
    name: String,
    job: JobId,
}

impl StopOrder {
    /// None if there is no such job.
    async fn about(
        tx: &mut Transaction,
        job: JobId,
        reach: Reach,
        deletes: bool,
        by: AccountId,
        now: DateTime<Utc>,
    ) -> Result<Option<Self>, StoreError> {
        let row = sql::query(
            "SELECT company_id, name, (SELECT coalesce(max(id), 0) FROM instance NOT INDEXED) AS newest FROM job
             WHERE id = $1 AND deleted_at IS NULL",
        )
        .bind(job.0)
        .fetch_optional(tx)
        .await
        .map_err(StoreError::doing("read a job"))?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Self {
            id: 0,
            company: CompanyId(rows::get(&row, "company_id")?),
            job_name: rows::get(&row, "name")?,
            job: (reach == Reach::Job).then_some(job),
            deletes,
            after: InstanceId(0),
            up_to: InstanceId(rows::get(&row, "newest")?),
            asked_at: now,
            by,
        }))
    }

    async fn oldest(tx: &mut Transaction) -> Result<Option<Self>, StoreError> {
        let row = sql::query(
            "SELECT id, company_id, job_name, job_id, deletes, after_id, up_to_id, asked_at, asked_by FROM stop_order
             ORDER BY id LIMIT 1",
        )
        .fetch_optional(tx)
        .await
        .map_err(StoreError::doing("look for jobs to stop"))?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Self {
            id: rows::get(&row, "id")?,
            company: CompanyId(rows::get(&row, "company_id")?),
            job_name: rows::get(&row, "job_name")?,
            job: rows::get::<Option<i64>>(&row, "job_id")?.map(JobId),
            deletes: rows::get(&row, "deletes")?,
            after: InstanceId(rows::get(&row, "after_id")?),
            up_to: InstanceId(rows::get(&row, "up_to_id")?),
            asked_at: rows::instant(&row, "asked_at")?,
            by: AccountId(rows::get(&row, "asked_by")?),
        }))
    }

    /// Stops the first runs, and writes the order down if there are more.
    async fn begin(
        &self,
        tx: &mut Transaction,
        now: DateTime<Utc>,
        zone: chrono_tz::Tz,
    ) -> Result<Stopped, StoreError> {
        let step = self.step(tx, BATCH, now, zone).await?;
        let Some(rest) = step.rest else { return Ok(Stopped { runs: step.stopped, more: false }) };
        sql::query(
            "INSERT INTO stop_order (company_id, job_name, job_id, deletes, after_id, up_to_id, asked_at, asked_by)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(self.company.0)
        .bind(&self.job_name)
        .bind(self.job.map(|job| job.0))
        .bind(self.deletes)
        .bind(rest.0)
        .bind(self.up_to.0)
        .bind(self.asked_at.timestamp_millis())
        .bind(self.by.0)
        .execute(tx)
        .await
        .map_err(StoreError::doing("write down which runs to stop"))?;
        Ok(Stopped { runs: step.stopped, more: true })
    }

    async fn step(
        &self,
        tx: &mut Transaction,
        most: u32,
        now: DateTime<Utc>,
        zone: chrono_tz::Tz,
    ) -> Result<Step, StoreError> {
        let open = self.open_runs(tx, most).await?;
        if self.deletes {
            let jobs: BTreeSet<JobId> = open.iter().map(|run| run.job).collect();
            let jobs: Vec<JobId> = jobs.into_iter().collect();
            sql::query(concat!(removal!(), " WHERE id IN ids($1) AND deleted_at IS NULL"))
                .list(&jobs)
                .bind(now.timestamp_millis())
                .execute(&mut *tx)
                .await
                .map_err(StoreError::doing("delete jobs"))?;
        }
        let ids: Vec<InstanceId> = open.iter().map(|run| run.id).collect();
        let stops = stop_all(tx, &ids, self.by, self.asked_at, now, zone).await?;
        let rest = ids.last().copied().filter(|_| open.len() as u64 >= u64::from(most));
        // Both are in the order of their numbers.
        let asked = open.into_iter().zip(stops).filter(|(_, stop)| *stop != Stop::AlreadyDone);
        Ok(Step { stopped: asked.map(|(run, _)| RunId { id: run.id, name: run.name }).collect(), rest })
    }

    /// The next ones that are meant.
    async fn open_runs(&self, tx: &mut Transaction, most: u32) -> Result<Vec<OpenRun>, StoreError> {
        let rows = sql::query(
            "SELECT id, run_name, job_id FROM instance INDEXED BY instance_active_by_name
             WHERE company_id = $1 AND job_name = $2 AND state <> 'Done' AND id > $3 AND id <= $4
               AND (CAST($5 AS bigint) IS NULL OR job_id = $5)
             ORDER BY id LIMIT $6",
        )
        .bind(self.company.0)
        .bind(&self.job_name)
        .bind(self.after.0)
        .bind(self.up_to.0)
        .bind(self.job.map(|job| job.0))
        .bind(most)
        .fetch_all(tx)
        .await
        .map_err(StoreError::doing("look for runs of a job"))?;
        rows.iter()
            .map(|row| {
                let (id, job) = (InstanceId(rows::get(row, "id")?), JobId(rows::get(row, "job_id")?));
                Ok(OpenRun { id, name: rows::get(row, "run_name")?, job })
            })
            .collect()
    }

    /// Writes down how far it has come, or that it is done.
    async fn go_on(&self, tx: &mut Transaction, rest: Option<InstanceId>) -> Result<(), StoreError> {
        let query = match rest {
            Some(rest) => sql::query("UPDATE stop_order SET after_id = $2 WHERE id = $1").bind(self.id).bind(rest.0),
            None => sql::query("DELETE FROM stop_order WHERE id = $1").bind(self.id),
        };
        query.execute(tx).await.map(|_| ()).map_err(StoreError::doing("write down which runs were stopped"))
    }
}

/// Asks runs to stop, and says what came of each; of those that are gone, nothing.
async fn stop_all(
    tx: &mut Transaction,
    instances: &[InstanceId],
    by: AccountId,
    asked_at: DateTime<Utc>,
    now: DateTime<Utc>,
    zone: chrono_tz::Tz,
) -> Result<Vec<Stop>, StoreError> {
    let found = sql::query("SELECT id, state FROM instance WHERE id IN ids($1) ORDER BY id")
        .list(instances)
        .fetch_all(&mut *tx)
        .await
        .map_err(StoreError::doing("read runs"))?;
    let (mut stops, mut asked, mut ends) = (Vec::with_capacity(found.len()), Vec::new(), Vec::new());
    for row in &found {
        let (instance, from): (_, State) = (InstanceId(rows::get(row, "id")?), rows::constant(row, "state")?);
        let Ok(next) = state::next(from, Event::AskStop) else {
            stops.push(Stop::AlreadyDone);
            continue;
        };
        asked.push(instance);
        stops.push(match next {
            Next::To(_) => Stop::Asked,
            Next::Ended(_) => {
                ends.push(Finish { guard: Guard::Waiting(instance, from), ending: Ending::stopped(), now });
                Stop::Ended
            }
        });
    }
    let changed = sql::query(
        "UPDATE instance SET stop_asked_at = coalesce(stop_asked_at, $2), stop_asked_by = coalesce(stop_asked_by, $3),
                             state = CASE state WHEN 'Running' THEN 'Stopping' ELSE state END
         WHERE id IN ids($1) AND state <> 'Done'",
    )
    .list(&asked)
    .bind(asked_at.timestamp_millis())
    .bind(by.0)
    .execute(&mut *tx)
    .await
    .map_err(StoreError::doing("stop runs"))?
    .rows_affected();
    if changed != asked.len() as u64 {
        return Err(StoreError::corrupt("runs to be stopped", format!("{changed} of {} changed", asked.len())));
    }
    finish::finish_all(tx, &ends, zone).await?;
    Ok(stops)
}

async fn retry_now(
    tx: &mut Transaction,
    runs: Vec<InstanceId>,
    by: AccountId,
    now: DateTime<Utc>,
) -> Result<Vec<InstanceId>, StoreError> {
    let changed: Vec<i64> = sql::scalar(
        "UPDATE instance SET not_before_at = $2
         WHERE id IN ids($1) AND state = 'WaitingCoordinator' AND attempt > 0
           AND not_before_at > $2
         RETURNING id",
    )
    .list(&runs)
    .bind(now.timestamp_millis())
    .fetch_all(&mut *tx)
    .await
    .map_err(StoreError::doing("try runs again"))?;
    let user: Option<String> = sql::scalar("SELECT email FROM account WHERE id = $1")
        .bind(by.0)
        .fetch_optional(&mut *tx)
        .await
        .map_err(StoreError::doing("read who asks"))?;
    let user = user.unwrap_or_else(|| "an administrator".to_owned());
    let line = LogLine::new(LogType::JobInfo, Message::new("retry-asked").with("user", user));
    let changed: Vec<InstanceId> = changed.into_iter().map(InstanceId).collect();
    lines::insert(tx, changed.iter().map(|run| (*run, &line)), now).await?;
    Ok(changed)
}

/// Says why a trigger could not be changed.
async fn not_now<T>(tx: &mut Transaction, job: JobId) -> Result<Control<T>, StoreError> {
    let state: Option<String> = sql::scalar("SELECT trigger_state FROM job WHERE id = $1 AND deleted_at IS NULL")
        .bind(job.0)
        .fetch_optional(tx)
        .await
        .map_err(StoreError::doing("read a trigger"))?;
    Ok(state.map_or(Control::NoSuchJob, Control::NotNow))
}

async fn run_now(
    tx: &mut Transaction,
    job: JobId,
    one_at_a_time: bool,
    now: DateTime<Utc>,
    zone: chrono_tz::Tz,
) -> Result<RunNow, StoreError> {
    let row = sql::query("SELECT company_id, name, spec FROM job WHERE id = $1 AND deleted_at IS NULL")
        .bind(job.0)
        .fetch_optional(&mut *tx)
        .await
        .map_err(StoreError::doing("read a job"))?;
    let Some(row) = row else { return Ok(RunNow::NoSuchJob) };
    let company = CompanyId(rows::get(&row, "company_id")?);
    let job_name: String = rows::get(&row, "name")?;
    let spec: JobSpec = rows::json(&row, "spec")?;
    if spec.kind() == JobKind::UploadPost {
        return Ok(RunNow::Posted { open: takes_posts(tx, job).await? });
    }
    let key = spec.exclusive_key(company);
    let one_at_a_time = overlap::is_one_at_a_time(tx).await?.unwrap_or(one_at_a_time);
    if key.is_none() && one_at_a_time {
        share_key(tx, job).await?;
    }
    let unnamed = [Unnamed { company, job_name: &job_name, at: now }];
    let name = name_runs(tx, &unnamed, zone).await?.swap_remove(0);
    let new = QueuedRun {
        job,
        company,
        kind: spec.kind(),
        exclusive_key: key.or_else(|| one_at_a_time.then(|| own_key(job))),
        created_at: now,
    };
    Ok(RunNow::Queued(RunId { id: new.insert(tx, &name, now).await?, name }))
}

/// Whether the client of an upload may post more files.
async fn takes_posts(tx: &mut Transaction, job: JobId) -> Result<bool, StoreError> {
    sql::scalar(
        "SELECT EXISTS (SELECT 1 FROM instance INDEXED BY instance_open WHERE job_id = $1 AND state <> 'Done' AND state IN ('New', 'WaitingClient'))",
    )
    .bind(job.0)
    .fetch_one(tx)
    .await
    .map_err(StoreError::doing("look for an upload that waits for its client"))
}
