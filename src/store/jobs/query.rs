//! Looking at jobs: what runs, what waits and why, what was.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::{finish, pick};
use crate::model::asset::AssetType;
use crate::model::firing::Disposition;
use crate::model::id::{AccountId, AssetId, CompanyId, InstanceId, JobId};
use crate::model::job::JobSpec;
use crate::model::kind::JobKind;
use crate::model::log::{LogType, Message, Severity};
use crate::model::outcome::{Counters, Outcome};
use crate::model::state::State;
use crate::model::trigger::TriggerState;
use crate::store::sql::{self, Builder, Row};
use crate::store::{Reads, StoreError, rows};

/// A run, with what its job says.
#[derive(Debug, Clone)]
pub struct Run {
    pub id: InstanceId,
    pub job: JobId,
    pub company: CompanyId,
    pub company_name: String,
    pub company_root: String,
    pub run_name: String,
    pub job_name: String,
    pub kind: JobKind,
    pub spec: JobSpec,
    pub state: State,
    pub outcome: Option<Outcome>,
    pub responsible: AccountId,
    pub email: String,
    pub submitter_email: String,
    pub locale: Option<String>,
    pub description: Option<String>,
    pub client: Option<String>,
    pub due_at: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
    pub not_before_at: DateTime<Utc>,
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    pub attempt: i64,
    pub failures: i64,
    pub exclusive_key: Option<String>,
    /// The run that this is the follow-up of.
    pub parent: Option<InstanceId>,
    pub items_total: i64,
    pub items_done: i64,
    pub progress: Option<Message>,
    pub progress_items: Vec<(String, f64)>,
    pub progress_at: Option<DateTime<Utc>>,
    pub counters: Counters,
    pub fatal_error: Option<Message>,
}

/// A job whose trigger has not fired for the last time.
#[derive(Debug, Clone)]
pub struct ScheduledJob {
    pub id: JobId,
    pub company: CompanyId,
    pub company_name: String,
    pub company_expires_at: Option<DateTime<Utc>>,
    pub name: String,
    pub kind: JobKind,
    pub spec: JobSpec,
    pub email: String,
    pub submitter_email: String,
    pub locale: Option<String>,
    pub description: Option<String>,
    pub exec_schedule: Option<String>,
    pub trigger_state: TriggerState,
    pub next_fire_at: Option<DateTime<Utc>>,
    pub last_fire_at: Option<DateTime<Utc>>,
    /// The fire time that came while its company had expired, and waits for that to be open again.
    pub held_fire_at: Option<DateTime<Utc>>,
    /// A run of it is not done.
    pub busy: bool,
}

/// A line of a log.
#[derive(Debug, Clone)]
pub struct Detail {
    /// Rises with every line that is written.
    pub id: i64,
    pub instance: InstanceId,
    pub run_name: String,
    pub logged_at: DateTime<Utc>,
    pub log_type: LogType,
    pub message: Message,
    pub asset: Option<AssetId>,
    pub asset_name: Option<String>,
    /// A JobLogFileTypes constant: what of the asset the line is about.
    pub file_type: Option<String>,
    /// What the asset is today; none if it is gone for good.
    pub asset_type: Option<AssetType>,
}

/// A message of the outbox, as shown on its run.
#[derive(Debug, Clone)]
pub struct Notice {
    pub channel: String,
    pub moment: String,
    pub recipient: String,
    pub state: String,
    pub attempts: i64,
    /// When it is tried next, unless it has finished.
    pub next_try_at: DateTime<Utc>,
    pub last_error: Option<String>,
    pub finished_at: Option<DateTime<Utc>>,
}

/// What became of an expected firing.
#[derive(Debug, Clone)]
pub struct SlotRecord {
    pub due_at: DateTime<Utc>,
    /// The last of several instants with one fate; `due_at` is the first.
    pub until: Option<DateTime<Utc>>,
    /// How many there are.
    pub count: i64,
    pub disposition: Disposition,
    pub reason: Option<Message>,
    pub instance: Option<InstanceId>,
    pub decided_at: DateTime<Utc>,
}

/// Columns that runs can be ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RunOrder {
    JobName,
    Kind,
    #[default]
    StartDate,
    /// In the order of submission.
    Number,
    CompanyName,
    AccountId,
    Email,
    Errors,
    Warnings,
    Successes,
}

/// Which runs. Everything given must hold.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    pub companies: Option<Vec<CompanyId>>,
    pub instance: Option<InstanceId>,
    pub run_name: Option<String>,
    pub job_name: Option<String>,
    pub job: Option<JobId>,
    /// Follow-ups of this run.
    pub parent: Option<InstanceId>,
    /// Submitted before this run: the next page of a list that begins with the newest.
    pub before: Option<InstanceId>,
    /// Responsible user or submitter.
    pub account: Option<AccountId>,
    /// Done, or not done.
    pub done: Option<bool>,
    pub states: Option<Vec<State>>,
    /// One of these.
    pub kinds: Option<Vec<JobKind>>,
    pub outcome: Option<Outcome>,
    /// Started, or if it has not, written, at or after this.
    pub from: Option<DateTime<Utc>>,
    pub until: Option<DateTime<Utc>>,
    pub order: RunOrder,
    pub descending: bool,
    pub limit: Option<u32>,
}

/// Which lines.
#[derive(Debug, Clone, Default)]
pub struct DetailFilter {
    pub log_types: Option<Vec<LogType>>,
    /// Lines with these codes as well, if `log_types` says which.
    pub codes: &'static [&'static str],
    /// Only lines written after this one, in the order of writing: for who follows a log.
    pub after: Option<i64>,
    pub by_log_type: bool,
    /// Errors before all else.
    pub worst_first: bool,
    pub descending: bool,
    pub limit: u32,
    pub offset: u64,
}

impl DetailFilter {
    /// Lines that matter so much or more.
    pub fn severe(least: Severity) -> Self {
        Self { log_types: Some(least.types()), codes: Severity::CODES, ..Self::default() }
    }
}

const RUN: &str = "
    SELECT i.id, i.job_id, i.company_id, c.name AS company_name, c.root_path,
           i.run_name, j.name AS job_name, j.spec, i.state, i.outcome,
           j.account_id, a.email, s.email AS submitter_email, j.locale, j.description, j.client, i.due_at, i.created_at,
           i.not_before_at, i.started_at, i.finished_at, i.attempt, i.failures, i.exclusive_key, j.parent_id, i.items_total,
           i.items_done, i.progress_code, i.progress_params, i.progress_items, i.progress_at, i.success_count, i.error_count,
           i.warning_count, i.duplicate_count, i.left_out_count, i.update_count, i.part_count, i.part_error_count, i.transfer_success_count, i.transfer_error_count,
           i.transfer_warning_count, i.fatal_error
    FROM instance i CROSS JOIN job j CROSS JOIN company c CROSS JOIN account a CROSS JOIN account s
    WHERE j.id = i.job_id AND c.id = i.company_id AND a.id = j.account_id AND s.id = j.submitter_id AND i.id IN (";

/// What `job_scheduled_name` is about.
const SCHEDULED: &str = "j.trigger_kind <> 'at_once' AND j.deleted_at IS NULL AND j.trigger_state <> 'Complete'";

const SCHEDULED_JOB: &str = "
    SELECT j.id, j.company_id, c.name AS company_name, c.expires_at, j.name, j.spec, a.email, s.email AS submitter_email,
           j.locale, j.description, j.exec_schedule, j.trigger_state, j.next_fire_at, j.last_fire_at, j.held_fire_at,
           EXISTS (SELECT 1 FROM instance i INDEXED BY instance_open WHERE i.job_id = j.id AND i.state <> 'Done') AS busy
    FROM job j CROSS JOIN company c CROSS JOIN account a CROSS JOIN account s
    WHERE c.id = j.company_id AND a.id = j.account_id AND s.id = j.submitter_id AND ";

impl Reads {
    pub async fn runs(&self, filter: &RunFilter) -> Result<Vec<Run>, StoreError> {
        let mut reader = self.list_reader().await?;
        let route = pick::route(&mut reader, filter).await?;
        let filter = &pick::narrowed(&mut reader, filter, route).await?;
        let mut query = Builder::new(RUN);
        pick::push(&mut query, filter, route);
        query.push(")");
        pick::ordered(&mut query, filter.order.columns(), filter);
        let rows = query.build().fetch_all(&mut *reader).await.map_err(StoreError::doing("read runs"))?;
        rows.iter().map(read_run).collect()
    }

    /// The numbers of runs in their order, as they are at one instant: for who reads the runs piece by piece.
    pub async fn run_numbers(&self, filter: &RunFilter) -> Result<Vec<InstanceId>, StoreError> {
        let mut reader = self.list_reader().await?;
        let route = pick::route(&mut reader, filter).await?;
        let filter = &pick::narrowed(&mut reader, filter, route).await?;
        // As one text, because the price of a row is its hand-off.
        let mut query = Builder::new("SELECT json_group_array(id) FROM (");
        pick::push(&mut query, filter, route);
        query.push(") picked");
        let numbers: String =
            query.build_query_scalar().fetch_one(&mut *reader).await.map_err(StoreError::doing("number runs"))?;
        serde_json::from_str(&numbers).map_err(|e| StoreError::corrupt("numbers of runs", e))
    }

    /// The runs of these numbers, in their order, without those that are gone.
    pub async fn numbered_runs(&self, numbers: &[InstanceId]) -> Result<Vec<Run>, StoreError> {
        let mut query = Builder::new(RUN);
        query.push("SELECT value FROM json_each(").push_bind(serde_json::json!(numbers).to_string()).push("))");
        let mut reader = self.list_reader().await?;
        let rows = query.build().fetch_all(&mut *reader).await.map_err(StoreError::doing("read runs"))?;
        drop(reader);
        let mut runs = HashMap::with_capacity(rows.len());
        for row in &rows {
            let run = read_run(row)?;
            runs.insert(run.id, run);
        }
        Ok(numbers.iter().filter_map(|number| runs.remove(number)).collect())
    }

    pub async fn run(&self, id: InstanceId) -> Result<Option<Run>, StoreError> {
        let filter = RunFilter { instance: Some(id), ..RunFilter::default() };
        Ok(self.runs(&filter).await?.pop())
    }

    /// Waiting runs of a company that were submitted before this one.
    pub async fn count_waiting_before(&self, company: CompanyId, id: InstanceId) -> Result<i64, StoreError> {
        let sql = "SELECT count(*) FROM instance WHERE state = 'WaitingCoordinator' AND company_id = $1 AND id < $2";
        let query = sql::scalar(sql).bind(company.0).bind(id.0);
        query.fetch_one(&mut *self.reader().await?).await.map_err(StoreError::doing("count waiting runs"))
    }

    /// Whether a run waits or runs.
    pub async fn has_open_runs(&self) -> Result<bool, StoreError> {
        let mut reader = self.reader().await?;
        sql::scalar("SELECT EXISTS (SELECT 1 FROM instance WHERE state <> 'Done')")
            .fetch_one(&mut *reader)
            .await
            .map_err(StoreError::doing("look for open runs"))
    }

    /// Jobs that will fire, or could, of these companies, or of all.
    pub async fn scheduled_jobs(
        &self,
        companies: Option<&[CompanyId]>,
        name: Option<&str>,
    ) -> Result<Vec<ScheduledJob>, StoreError> {
        let mut query = Builder::new(SCHEDULED_JOB);
        query.push(SCHEDULED);
        of_companies(&mut query, companies, name);
        self.read_scheduled_jobs(query).await
    }

    /// The newest job of a name whose schedule is over.
    pub async fn ended_schedule(&self, company: CompanyId, name: &str) -> Result<Option<ScheduledJob>, StoreError> {
        let mut query = Builder::new(SCHEDULED_JOB);
        query.push("j.trigger_kind <> 'at_once' AND j.deleted_at IS NULL AND j.company_id = ").push_bind(company.0);
        query.push(" AND j.name = ").push_bind(name.to_owned()).push(" ORDER BY j.id DESC LIMIT 1");
        Ok(self.read_scheduled_jobs(query).await?.pop())
    }

    /// Their numbers, as they are at one instant: for who reads the jobs piece by piece.
    pub async fn scheduled_numbers(
        &self,
        companies: Option<&[CompanyId]>,
        name: Option<&str>,
    ) -> Result<Vec<JobId>, StoreError> {
        let mut query = Builder::new("SELECT json_group_array(id) FROM (SELECT j.id FROM job j WHERE ");
        query.push(SCHEDULED);
        of_companies(&mut query, companies, name);
        query.push(") picked");
        let mut reader = self.list_reader().await?;
        let numbers: String = query
            .build_query_scalar()
            .fetch_one(&mut *reader)
            .await
            .map_err(StoreError::doing("number scheduled jobs"))?;
        serde_json::from_str(&numbers).map_err(|e| StoreError::corrupt("numbers of jobs", e))
    }

    /// Those of these jobs that will fire, or could.
    pub async fn numbered_scheduled_jobs(&self, numbers: &[JobId]) -> Result<Vec<ScheduledJob>, StoreError> {
        let mut query = Builder::new(SCHEDULED_JOB);
        query.push("j.id IN (SELECT value FROM json_each(");
        query.push_bind(serde_json::json!(numbers).to_string()).push(")) AND ").push(SCHEDULED);
        query.push(" ORDER BY j.company_id, j.name, j.id");
        self.read_scheduled_jobs(query).await
    }

    async fn read_scheduled_jobs(&self, mut query: Builder) -> Result<Vec<ScheduledJob>, StoreError> {
        let mut reader = self.list_reader().await?;
        let rows = query.build().fetch_all(&mut *reader).await.map_err(StoreError::doing("read scheduled jobs"))?;
        rows.iter().map(read_scheduled).collect()
    }

    /// The newest job of this name that still can be spoken of: a waiting one first.
    pub async fn job_named(&self, company: CompanyId, name: &str) -> Result<Option<JobId>, StoreError> {
        let mut reader = self.reader().await?;
        let id: Option<i64> = sql::scalar(
            "SELECT id FROM (
                 SELECT id, 1 AS waits FROM job
                 WHERE company_id = $1 AND name = $2
                   AND trigger_kind <> 'at_once' AND deleted_at IS NULL AND trigger_state <> 'Complete'
                 UNION ALL
                 SELECT id, 0 AS waits FROM (
                     SELECT id FROM job WHERE company_id = $1 AND name = $2 AND deleted_at IS NULL
                     ORDER BY id DESC LIMIT 1) newest
             ) named ORDER BY waits DESC LIMIT 1",
        )
        .bind(company.0)
        .bind(name)
        .fetch_optional(&mut *reader)
        .await
        .map_err(StoreError::doing("look for a job"))?;
        Ok(id.map(JobId))
    }

    /// Lines of one run, a page of them.
    pub async fn details(&self, instance: InstanceId, filter: &DetailFilter) -> Result<Vec<Detail>, StoreError> {
        let mut query = Builder::new(
            "SELECT d.id, d.instance_id, i.run_name, d.logged_at, d.log_type, d.code, d.params, d.asset_id, d.asset_name,
                    d.asset_type AS file_type, a.asset_type
             FROM log_detail d JOIN instance i ON i.id = d.instance_id LEFT JOIN asset a ON a.id = d.asset_id
             WHERE d.instance_id = ",
        );
        query.push_bind(instance.0);
        filter_details(&mut query, filter);
        query.push(" ORDER BY ");
        if filter.worst_first {
            push_of_types(&mut query, &DetailFilter::severe(Severity::Error));
            query.push(" DESC, ");
        }
        query.push(match (filter.after, filter.by_log_type) {
            (Some(_), _) => "d.id",
            (None, true) => "d.log_type",
            (None, false) => "d.logged_at",
        });
        query.push(if filter.descending { " DESC, d.id DESC" } else { ", d.id" });
        query.push(" LIMIT ").push_bind(filter.limit);
        query.push(" OFFSET ").push_bind(i64::try_from(filter.offset).unwrap_or(i64::MAX));
        let mut reader = self.list_reader().await?;
        let rows = query.build().fetch_all(&mut *reader).await.map_err(StoreError::doing("read log lines"))?;
        rows.iter().map(read_detail).collect()
    }

    /// How many lines of a run there are of these types.
    pub async fn count_details(&self, instance: InstanceId, filter: &DetailFilter) -> Result<i64, StoreError> {
        let mut query = Builder::new("SELECT count(*) FROM log_detail d WHERE d.instance_id = ");
        query.push_bind(instance.0);
        filter_details(&mut query, filter);
        let mut reader = self.list_reader().await?;
        query.build_query_scalar().fetch_one(&mut *reader).await.map_err(StoreError::doing("count log lines"))
    }

    /// Lines about an asset, newest first.
    pub async fn asset_details(&self, asset: AssetId, limit: u32) -> Result<Vec<(Detail, Run)>, StoreError> {
        let mut reader = self.list_reader().await?;
        let rows = sql::query(
            "SELECT d.id, d.instance_id, i.run_name, d.logged_at, d.log_type, d.code, d.params, d.asset_id, d.asset_name,
                    d.asset_type AS file_type, a.asset_type
             FROM log_detail d JOIN instance i ON i.id = d.instance_id LEFT JOIN asset a ON a.id = d.asset_id
             WHERE d.asset_id = $1 ORDER BY d.id DESC LIMIT $2",
        )
        .bind(asset.0)
        .bind(limit)
        .fetch_all(&mut *reader)
        .await
        .map_err(StoreError::doing("read log lines of an asset"))?;
        drop(reader);
        let details = rows.iter().map(read_detail).collect::<Result<Vec<_>, _>>()?;
        let mut numbers: Vec<InstanceId> = details.iter().map(|detail| detail.instance).collect();
        numbers.dedup();
        let runs: HashMap<InstanceId, Run> =
            self.numbered_runs(&numbers).await?.into_iter().map(|run| (run.id, run)).collect();
        let with_run = |detail: Detail| runs.get(&detail.instance).cloned().map(|run| (detail, run));
        Ok(details.into_iter().filter_map(with_run).collect())
    }

    /// What the log says of why the last attempt of a run did not come to its end.
    pub async fn last_setback(&self, instance: InstanceId) -> Result<Option<Message>, StoreError> {
        let mut reader = self.reader().await?;
        let row = sql::query(
            "SELECT code, params FROM log_detail WHERE instance_id = $1 AND code IN ('attempt-failed', 'disk-full', 'worker-lost')
             ORDER BY id DESC LIMIT 1",
        )
        .bind(instance.0)
        .fetch_optional(&mut *reader)
        .await
        .map_err(StoreError::doing("read log lines"))?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Message { code: rows::get(&row, "code")?, params: rows::json(&row, "params")? }))
    }

    /// Who asked to stop a run.
    pub async fn stopped_by(&self, instance: InstanceId) -> Result<Option<String>, StoreError> {
        let mut reader = self.reader().await?;
        sql::scalar("SELECT a.email FROM instance i JOIN account a ON a.id = i.stop_asked_by WHERE i.id = $1")
            .bind(instance.0)
            .fetch_optional(&mut *reader)
            .await
            .map_err(StoreError::doing("read who stopped a run"))
    }

    /// How many files the log of a run says to be published no more.
    pub async fn removed_lines(&self, instance: InstanceId) -> Result<u64, StoreError> {
        let mut reader = self.list_reader().await?;
        sql::scalar("SELECT count(*) FROM log_detail WHERE instance_id = $1 AND code = 'publish-removed'")
            .bind(instance.0)
            .fetch_one(&mut *reader)
            .await
            .map_err(StoreError::doing("count what left a publish"))
    }

    /// The outbox number of the mail about the beginning of a run.
    pub async fn begin_mail(&self, instance: InstanceId, recipient: &str) -> Result<Option<i64>, StoreError> {
        let mut reader = self.reader().await?;
        sql::scalar(
            "SELECT id FROM outbox WHERE instance_id = $1 AND channel = 'mail' AND moment = 'begin' AND recipient = $2",
        )
        .bind(instance.0)
        .bind(recipient)
        .fetch_optional(&mut *reader)
        .await
        .map_err(StoreError::doing("read the outbox"))
    }

    /// What the world was told about a run.
    pub async fn notices(&self, instance: InstanceId) -> Result<Vec<Notice>, StoreError> {
        let mut reader = self.reader().await?;
        let rows = sql::query(
            "SELECT channel, moment, recipient, state, attempts, next_try_at, last_error, finished_at FROM outbox
             WHERE instance_id = $1 ORDER BY id",
        )
        .bind(instance.0)
        .fetch_all(&mut *reader)
        .await
        .map_err(StoreError::doing("read the outbox"))?;
        rows.iter()
            .map(|row| {
                Ok(Notice {
                    channel: rows::get(row, "channel")?,
                    moment: rows::get(row, "moment")?,
                    recipient: rows::get(row, "recipient")?,
                    state: rows::get(row, "state")?,
                    attempts: rows::get(row, "attempts")?,
                    next_try_at: rows::instant(row, "next_try_at")?,
                    last_error: rows::get(row, "last_error")?,
                    finished_at: rows::optional_instant(row, "finished_at")?,
                })
            })
            .collect()
    }

    /// What became of the expected firings of a job, newest first: single ones, and ranges. Nothing of those to come that a clock which
    /// was ahead of `now` has left out: they come.
    pub async fn slots(&self, job: JobId, limit: u32, now: DateTime<Utc>) -> Result<Vec<SlotRecord>, StoreError> {
        let mut reader = self.reader().await?;
        let rows = sql::query(
            "SELECT * FROM (
                 SELECT due_at, NULL AS last_at, 1 AS count, disposition, reason, params, instance_id, decided_at FROM slot
                 WHERE job_id = $1 AND (due_at <= $3 OR decided_at <= $3 OR disposition IN ('fired', 'late'))
                 ORDER BY due_at DESC LIMIT $2)
             UNION ALL
             SELECT * FROM (
                 SELECT first_at, last_at, count, disposition, reason, '{}', NULL, decided_at FROM slot_range
                 WHERE job_id = $1 AND (first_at <= $3 OR decided_at <= $3) ORDER BY first_at DESC LIMIT $2)
             ORDER BY due_at DESC LIMIT $2",
        )
        .bind(job.0)
        .bind(limit)
        .bind(now.timestamp_millis())
        .fetch_all(&mut *reader)
        .await
        .map_err(StoreError::doing("read slots"))?;
        rows.iter()
            .map(|row| {
                let params = rows::json(row, "params")?;
                let reason: Option<String> = rows::get(row, "reason")?;
                Ok(SlotRecord {
                    due_at: rows::instant(row, "due_at")?,
                    until: rows::optional_instant(row, "last_at")?,
                    count: rows::get(row, "count")?,
                    disposition: rows::constant(row, "disposition")?,
                    reason: reason.map(|code| Message { code, params }),
                    instance: rows::get::<Option<i64>>(row, "instance_id")?.map(InstanceId),
                    decided_at: rows::instant(row, "decided_at")?,
                })
            })
            .collect()
    }
}

/// `companies` and `name` as further conditions, and the order of scheduled jobs.
fn of_companies(query: &mut Builder, companies: Option<&[CompanyId]>, name: Option<&str>) {
    if let Some(companies) = companies {
        // Without a name the jobs that wait are fewer than those of the companies: behind a plus no index is looked up.
        query.push(if name.is_some() { " AND j.company_id" } else { " AND +j.company_id" });
        query.push(" IN (SELECT value FROM json_each(");
        query.push_bind(serde_json::json!(companies).to_string()).push("))");
    }
    if let Some(name) = name {
        query.push(" AND j.name = ").push_bind(name.to_owned());
    }
    query.push(" ORDER BY j.company_id, j.name, j.id");
}

fn filter_details(query: &mut Builder, filter: &DetailFilter) {
    if filter.log_types.is_some() {
        query.push(" AND ");
        push_of_types(query, filter);
    }
    if let Some(after) = filter.after {
        query.push(" AND d.id > ").push_bind(after);
    }
}

/// Whether a line is of the types, or has one of the codes.
fn push_of_types(query: &mut Builder, filter: &DetailFilter) {
    query.push("(d.log_type IN (SELECT value FROM json_each(");
    query.push_bind(serde_json::json!(filter.log_types).to_string()).push("))");
    if !filter.codes.is_empty() {
        query.push(" OR d.code IN (SELECT value FROM json_each(");
        query.push_bind(serde_json::json!(filter.codes).to_string()).push("))");
    }
    query.push(")");
}

fn read_run(row: &Row) -> Result<Run, StoreError> {
    let spec: JobSpec = rows::json(row, "spec")?;
    let code: Option<String> = rows::get(row, "progress_code")?;
    let params = rows::json(row, "progress_params")?;
    let fatal: Option<String> = rows::get(row, "fatal_error")?;
    Ok(Run {
        id: InstanceId(rows::get(row, "id")?),
        job: JobId(rows::get(row, "job_id")?),
        company: CompanyId(rows::get(row, "company_id")?),
        company_name: rows::get(row, "company_name")?,
        company_root: rows::get(row, "root_path")?,
        run_name: rows::get(row, "run_name")?,
        job_name: rows::get(row, "job_name")?,
        kind: spec.kind(),
        spec,
        state: rows::constant(row, "state")?,
        outcome: rows::optional_constant(row, "outcome")?,
        responsible: AccountId(rows::get(row, "account_id")?),
        email: rows::get(row, "email")?,
        submitter_email: rows::get(row, "submitter_email")?,
        locale: rows::get(row, "locale")?,
        description: rows::get(row, "description")?,
        client: rows::get(row, "client")?,
        due_at: rows::instant(row, "due_at")?,
        created_at: rows::instant(row, "created_at")?,
        not_before_at: rows::instant(row, "not_before_at")?,
        started_at: rows::optional_instant(row, "started_at")?,
        finished_at: rows::optional_instant(row, "finished_at")?,
        attempt: rows::get(row, "attempt")?,
        failures: rows::get(row, "failures")?,
        exclusive_key: rows::get(row, "exclusive_key")?,
        parent: rows::get::<Option<i64>>(row, "parent_id")?.map(InstanceId),
        items_total: rows::get(row, "items_total")?,
        items_done: rows::get(row, "items_done")?,
        progress: code.map(|code| Message { code, params }),
        progress_items: rows::json(row, "progress_items")?,
        progress_at: rows::optional_instant(row, "progress_at")?,
        counters: finish::counters(row)?,
        fatal_error: fatal
            .map(|text| serde_json::from_str(&text))
            .transpose()
            .map_err(|e| StoreError::corrupt("a fatal error", e))?,
    })
}

fn read_scheduled(row: &Row) -> Result<ScheduledJob, StoreError> {
    let spec: JobSpec = rows::json(row, "spec")?;
    Ok(ScheduledJob {
        id: JobId(rows::get(row, "id")?),
        company: CompanyId(rows::get(row, "company_id")?),
        company_name: rows::get(row, "company_name")?,
        company_expires_at: rows::optional_instant(row, "expires_at")?,
        name: rows::get(row, "name")?,
        kind: spec.kind(),
        spec,
        email: rows::get(row, "email")?,
        submitter_email: rows::get(row, "submitter_email")?,
        locale: rows::get(row, "locale")?,
        description: rows::get(row, "description")?,
        exec_schedule: rows::get(row, "exec_schedule")?,
        trigger_state: rows::constant(row, "trigger_state")?,
        next_fire_at: rows::optional_instant(row, "next_fire_at")?,
        last_fire_at: rows::optional_instant(row, "last_fire_at")?,
        held_fire_at: rows::optional_instant(row, "held_fire_at")?,
        busy: rows::get(row, "busy")?,
    })
}

fn read_detail(row: &Row) -> Result<Detail, StoreError> {
    Ok(Detail {
        id: rows::get(row, "id")?,
        instance: InstanceId(rows::get(row, "instance_id")?),
        run_name: rows::get(row, "run_name")?,
        logged_at: rows::instant(row, "logged_at")?,
        log_type: rows::constant(row, "log_type")?,
        message: Message { code: rows::get(row, "code")?, params: rows::json(row, "params")? },
        asset: rows::get::<Option<i64>>(row, "asset_id")?.map(AssetId),
        asset_name: rows::get(row, "asset_name")?,
        file_type: rows::get(row, "file_type")?,
        asset_type: rows::optional_constant(row, "asset_type")?,
    })
}
