//! What has a name: jobs of a company, and companies that have such jobs.

use super::submit::RunId;
use crate::model::id::{CompanyId, InstanceId, JobId};
use crate::model::kind::JobKind;
use crate::model::outcome::Outcome;
use crate::model::state::State;
use crate::store::sql::{self, Row};
use crate::store::{Reads, StoreError, rows};

/// Which jobs of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The one that waits for its time: there is no other of its name.
    Waiting,
    /// Those with runs that are not done.
    Open,
    /// All that are not deleted.
    Any,
    /// Also those that are.
    Ever,
}

/// What a person needs to tell a job from others of its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobCard {
    pub id: JobId,
    pub company: CompanyId,
    pub company_name: String,
    pub name: String,
    pub kind: JobKind,
    /// It has a trigger that may fire.
    pub waits: bool,
    /// Its newest run that is not done, or else its newest.
    pub run: Option<(RunId, State, Option<Outcome>)>,
}

impl Reads {
    /// Those of these companies, or of all, that have a job of this name; also one that is deleted, if `deleted`.
    pub async fn companies_with_job(
        &self,
        companies: Option<&[CompanyId]>,
        name: &str,
        deleted: bool,
    ) -> Result<Vec<CompanyId>, StoreError> {
        let ids: Vec<i64> = sql::scalar(
            "SELECT c.id FROM company c
             WHERE (CAST($1 AS text) IS NULL OR c.id IN ids($1))
               AND EXISTS (SELECT 1 FROM job j WHERE j.company_id = c.id AND j.name = $2 AND ($3 OR j.deleted_at IS NULL))
             ORDER BY c.id",
        )
        .list_or_null(companies)
        .bind(name)
        .bind(deleted)
        .fetch_all(&mut *self.reader().await?)
        .await
        .map_err(StoreError::doing("look for companies that have a job"))?;
        Ok(ids.into_iter().map(CompanyId).collect())
    }

    /// Jobs of a name, the newest first, no more than `most`.
    pub async fn jobs_named(
        &self,
        company: CompanyId,
        name: &str,
        which: Which,
        most: u32,
    ) -> Result<Vec<JobId>, StoreError> {
        let sql = match which {
            Which::Waiting => {
                "SELECT id FROM job
                 WHERE company_id = $1 AND name = $2
                   AND trigger_kind <> 'at_once' AND deleted_at IS NULL AND trigger_state <> 'Complete' LIMIT $3"
            }
            Which::Open => {
                "SELECT DISTINCT i.job_id FROM instance i INDEXED BY instance_active_by_name CROSS JOIN job j
                 WHERE i.company_id = $1 AND i.job_name = $2 AND i.state <> 'Done' AND j.id = i.job_id
                   AND j.deleted_at IS NULL
                 ORDER BY i.job_id DESC LIMIT $3"
            }
            Which::Any => {
                "SELECT id FROM job WHERE company_id = $1 AND name = $2 AND deleted_at IS NULL ORDER BY id DESC LIMIT $3"
            }
            Which::Ever => "SELECT id FROM job WHERE company_id = $1 AND name = $2 ORDER BY id DESC LIMIT $3",
        };
        let ids: Vec<i64> = sql::scalar(sql)
            .bind(company.0)
            .bind(name)
            .bind(most)
            .fetch_all(&mut *self.reader().await?)
            .await
            .map_err(StoreError::doing("look for jobs of a name"))?;
        Ok(ids.into_iter().map(JobId).collect())
    }

    /// These jobs, in their order.
    pub async fn job_cards(&self, jobs: &[JobId]) -> Result<Vec<JobCard>, StoreError> {
        sql::query(
            "SELECT j.id, j.company_id, c.name AS company_name, j.name, j.kind,
                    j.trigger_kind <> 'at_once' AND j.deleted_at IS NULL AND j.trigger_state <> 'Complete' AS waits,
                    r.id AS run, r.run_name, r.state, r.outcome
             FROM ids($1) p CROSS JOIN job j CROSS JOIN company c
             LEFT JOIN instance r ON r.id = coalesce(
                 (SELECT max(o.id) FROM instance o INDEXED BY instance_open WHERE o.job_id = j.id AND o.state <> 'Done'),
                 (SELECT max(n.id) FROM instance n WHERE n.job_id = j.id))
             WHERE j.id = p.id AND c.id = j.company_id
             ORDER BY p.n",
        )
        .list(jobs)
        .fetch_all(&mut *self.reader().await?)
        .await
        .map_err(StoreError::doing("read jobs of a name"))?
        .iter()
        .map(card)
        .collect()
    }
}

fn card(row: &Row) -> Result<JobCard, StoreError> {
    let kind: &str = rows::get(row, "kind")?;
    let run: Option<i64> = rows::get(row, "run")?;
    let run = match run {
        None => None,
        Some(id) => Some((
            RunId { id: InstanceId(id), name: rows::get(row, "run_name")? },
            rows::constant(row, "state")?,
            rows::optional_constant(row, "outcome")?,
        )),
    };
    Ok(JobCard {
        id: JobId(rows::get(row, "id")?),
        company: CompanyId(rows::get(row, "company_id")?),
        company_name: rows::get(row, "company_name")?,
        name: rows::get(row, "name")?,
        kind: JobKind::from_element(kind).ok_or_else(|| StoreError::corrupt("a job kind", kind))?,
        waits: rows::get(row, "waits")?,
        run,
    })
}
