//! Runs: what runs, what waits, what was.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use crate::model::id::{AccountId, CompanyId, InstanceId, JobId};
use crate::model::job::JobSpec;
use crate::model::kind::JobKind;
use crate::model::log::Message;
use crate::model::outcome::{Counters, Outcome};
use crate::model::state::State;
use crate::store::jobs::{finish, pick};
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

impl Reads {
    pub async fn runs(&self, filter: &RunFilter) -> Result<Vec<Run>, StoreError> {
        let mut reader = self.list_reader().await?;
        let route = pick::route(&mut reader, filter).await?;
        let filter = &pick::narrowed(&mut reader, filter, route).await?;
        let mut query = Builder::new(RUN);
        pick::push(&mut query, filter, route);
        query.push(")");
        pick::ordered(&mut query, filter.order.columns(), filter);
        let rows = query.build().fetch_all(&mut reader).await.map_err(StoreError::doing("read runs"))?;
        rows.iter().map(read_run).collect()
    }

    /// The numbers of runs in their order, as they are at one instant: for who reads the runs piece by piece.
    pub async fn run_numbers(&self, filter: &RunFilter) -> Result<Vec<InstanceId>, StoreError> {
        let mut reader = self.list_reader().await?;
        let route = pick::route(&mut reader, filter).await?;
        let filter = &pick::narrowed(&mut reader, filter, route).await?;
        // As one text, because the price of a row is its hand-off.
        let mut query = Builder::new("SELECT json_agg(id) FROM (");
        pick::push(&mut query, filter, route);
        query.push(") picked");
        let numbers: String =
            query.build_scalar().fetch_one(&mut reader).await.map_err(StoreError::doing("number runs"))?;
        serde_json::from_str(&numbers).map_err(|e| StoreError::corrupt("numbers of runs", e))
    }

    /// The runs of these numbers, in their order, without those that are gone.
    pub async fn numbered_runs(&self, numbers: &[InstanceId]) -> Result<Vec<Run>, StoreError> {
        let mut query = Builder::new(RUN);
        query.push("SELECT n.id FROM ids(").push_list(numbers).push(") n)");
        let mut reader = self.list_reader().await?;
        let rows = query.build().fetch_all(&mut reader).await.map_err(StoreError::doing("read runs"))?;
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
            .fetch_one(&mut reader)
            .await
            .map_err(StoreError::doing("look for open runs"))
    }

    /// Who asked to stop a run.
    pub async fn stopped_by(&self, instance: InstanceId) -> Result<Option<String>, StoreError> {
        let mut reader = self.reader().await?;
        sql::scalar("SELECT a.email FROM instance i JOIN account a ON a.id = i.stop_asked_by WHERE i.id = $1")
            .bind(instance.0)
            .fetch_optional(&mut reader)
            .await
            .map_err(StoreError::doing("read who stopped a run"))
    }
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
