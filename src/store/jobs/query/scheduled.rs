//! Jobs that will fire, or could.

use chrono::{DateTime, Utc};

use crate::model::id::{CompanyId, JobId};
use crate::model::job::JobSpec;
use crate::model::kind::JobKind;
use crate::model::trigger::TriggerState;
use crate::store::sql::{self, Builder, Row};
use crate::store::{Reads, StoreError, rows};

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

/// What `job_scheduled_name` is about.
const SCHEDULED: &str = "j.trigger_kind <> 'at_once' AND j.deleted_at IS NULL AND j.trigger_state <> 'Complete'";

const SCHEDULED_JOB: &str = "
    SELECT j.id, j.company_id, c.name AS company_name, c.expires_at, j.name, j.spec, a.email, s.email AS submitter_email,
           j.locale, j.description, j.exec_schedule, j.trigger_state, j.next_fire_at, j.last_fire_at, j.held_fire_at,
           EXISTS (SELECT 1 FROM instance i INDEXED BY instance_open WHERE i.job_id = j.id AND i.state <> 'Done') AS busy
    FROM job j CROSS JOIN company c CROSS JOIN account a CROSS JOIN account s
    WHERE c.id = j.company_id AND a.id = j.account_id AND s.id = j.submitter_id AND ";

impl Reads {
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
        let mut query = Builder::new("SELECT json_agg(id) FROM (SELECT j.id FROM job j WHERE ");
        query.push(SCHEDULED);
        of_companies(&mut query, companies, name);
        query.push(") picked");
        let mut reader = self.list_reader().await?;
        let numbers: String =
            query.build_scalar().fetch_one(&mut reader).await.map_err(StoreError::doing("number scheduled jobs"))?;
        serde_json::from_str(&numbers).map_err(|e| StoreError::corrupt("numbers of jobs", e))
    }

    /// Those of these jobs that will fire, or could.
    pub async fn numbered_scheduled_jobs(&self, numbers: &[JobId]) -> Result<Vec<ScheduledJob>, StoreError> {
        let mut query = Builder::new(SCHEDULED_JOB);
        query.push("j.id IN ids(");
        query.push_list(numbers).push(") AND ").push(SCHEDULED);
        query.push(" ORDER BY j.company_id, j.name, j.id");
        self.read_scheduled_jobs(query).await
    }

    async fn read_scheduled_jobs(&self, query: Builder) -> Result<Vec<ScheduledJob>, StoreError> {
        let mut reader = self.list_reader().await?;
        let rows = query.build().fetch_all(&mut reader).await.map_err(StoreError::doing("read scheduled jobs"))?;
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
        .fetch_optional(&mut reader)
        .await
        .map_err(StoreError::doing("look for a job"))?;
        Ok(id.map(JobId))
    }
}

/// `companies` and `name` as further conditions, and the order of scheduled jobs.
fn of_companies(query: &mut Builder, companies: Option<&[CompanyId]>, name: Option<&str>) {
    if let Some(companies) = companies {
        // Without a name the jobs that wait are fewer than those of the companies: behind a plus no index is looked up.
        query.push(if name.is_some() { " AND j.company_id" } else { " AND unindexed(j.company_id)" });
        query.push(" IN ids(");
        query.push_list(companies).push(")");
    }
    if let Some(name) = name {
        query.push(" AND j.name = ").push_bind(name.to_owned());
    }
    query.push(" ORDER BY j.company_id, j.name, j.id");
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
