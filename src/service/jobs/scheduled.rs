//! getScheduledJobs.

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{OPERATORS, echo, given, named_job, time_text};
use crate::model::handle::{self, JobHandle};
use crate::model::id::JobId;
use crate::model::trigger::TriggerState;
use crate::service::access::Operation;
use crate::service::pages::Pages;
use crate::service::{Caller, Error, Services};
use crate::store::jobs::query::ScheduledJob;

const GET_SCHEDULED_JOBS: Operation = Operation { name: "getScheduledJobs", roles: OPERATORS };

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GetScheduledJobsParam {
    pub company_handle: Option<String>,
    pub job_handle: Option<String>,
    pub original_name: Option<String>,
}

/// The contract's type ScheduledJob.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScheduledJobInfo {
    pub company_handle: String,
    pub job_handle: String,
    pub name: String,
    pub original_name: String,
    #[serde(rename = "type")]
    pub job_type: String,
    pub submit_user_email: String,
    pub locale: Option<String>,
    pub description: Option<String>,
    pub exec_schedule: Option<String>,
    pub next_fire_time: Option<String>,
    /// Short name of the server's zone at the next fire time.
    pub time_zone: Option<String>,
    pub trigger_state: TriggerState,
    #[serde(flatten)]
    pub element: Map<String, Value>,
}

impl Services {
    pub async fn get_scheduled_jobs(
        &self,
        caller: &Caller,
        param: GetScheduledJobsParam,
    ) -> Result<Pages<ScheduledJobInfo>, Error> {
        let mut companies = self.companies_for(caller, &GET_SCHEDULED_JOBS, given(&param.company_handle)).await?;
        let handle = named_job(&param.job_handle).map(|text| handle::parse_job("jobHandle", text)).transpose()?;
        let mut name = named_job(&param.original_name).map(str::to_owned);
        let is_known = |company| companies.as_ref().is_none_or(|companies| companies.contains(&company));
        let names_any = match handle {
            None => true,
            Some(JobHandle::Submitted { company, name: of_handle }) => {
                let fits = is_known(company) && name.as_ref().is_none_or(|name| *name == of_handle);
                (companies, name) = (Some(vec![company]), Some(of_handle));
                fits
            }
            // A run is no scheduled job.
            Some(JobHandle::Run { .. }) => false,
        };
        let numbers = match names_any {
            true => self.store.scheduled_numbers(companies.as_deref(), name.as_deref()).await?,
            false => Vec::new(),
        };
        let services = self.clone();
        let read = move |page: Vec<JobId>| -> BoxFuture<'static, Result<Vec<ScheduledJobInfo>, Error>> {
            let services = services.clone();
            Box::pin(async move {
                let jobs = services.store.numbered_scheduled_jobs(&page).await?;
                Ok(jobs.iter().map(|job| services.scheduled_job(job)).collect())
            })
        };
        Pages::read(numbers, read).await
    }

    fn scheduled_job(&self, job: &ScheduledJob) -> ScheduledJobInfo {
        let zone = self.store.zone();
        let shown_at = job.next_fire_at.unwrap_or_else(|| self.clock.now());
        let blocked = job.busy && job.trigger_state == TriggerState::Normal && job.exec_schedule.is_some();
        ScheduledJobInfo {
            company_handle: handle::company(job.company),
            job_handle: handle::submitted_job(job.company, &job.name),
            name: job.name.clone(),
            original_name: job.name.clone(),
            job_type: job.kind.type_name().to_owned(),
            submit_user_email: job.submitter_email.clone(),
            locale: job.locale.clone(),
            description: job.description.clone(),
            exec_schedule: job.exec_schedule.clone(),
            next_fire_time: job.next_fire_at.map(|at| time_text(at, zone)),
            time_zone: Some(shown_at.with_timezone::<chrono_tz::Tz>(&zone).format("%Z").to_string()),
            // A recurring job whose last run is still going: Quartz calls its trigger blocked.
            trigger_state: if blocked { TriggerState::Blocked } else { job.trigger_state },
            element: echo::element(&job.spec),
        }
    }
}
