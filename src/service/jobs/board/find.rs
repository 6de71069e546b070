//! From what a person types to what it names.

use super::LOOK_AT_JOBS;
use crate::model::handle::{self, JobHandle};
use crate::model::id::{CompanyId, InstanceId};
use crate::service::{Caller, Error, Services};
use crate::store::jobs::query::{Run, RunFilter, RunOrder, ScheduledJob};

/// What was named.
#[derive(Debug, Clone)]
pub enum Found {
    Run(Box<Run>),
    /// A job that waits for its time, with its newest run if it has had one.
    Scheduled(Box<ScheduledJob>, Option<Box<Run>>),
}

impl Found {
    pub const fn company(&self) -> CompanyId {
        match self {
            Self::Run(run) => run.company,
            Self::Scheduled(job, _) => job.company,
        }
    }

    /// The handle by which the API's operations know it.
    pub fn handle(&self) -> String {
        match self {
            Self::Run(run) => handle::run(run.company, &run.run_name, run.id),
            Self::Scheduled(job, _) => handle::submitted_job(job.company, &job.name),
        }
    }

    /// The run, or the newest one of the job.
    pub fn into_run(self) -> Option<Box<Run>> {
        match self {
            Self::Run(run) => Some(run),
            Self::Scheduled(_, run) => run,
        }
    }
}

impl Services {
    /// Finds a run or a scheduled job by run number, handle, run name or job name. Of several runs of a name the newest
    /// is meant; a name that several companies use is refused.
    pub async fn find_job(&self, caller: &Caller, company: Option<&str>, text: &str) -> Result<Found, Error> {
        let companies = self.companies_of(caller, company).await?;
        let text = text.trim();
        let found = if let Ok(number) = text.parse::<i64>() {
            let filter = RunFilter { instance: Some(InstanceId(number)), companies, ..RunFilter::default() };
            self.newest(filter).await?.map(Found::Run)
        } else if text.contains('|') {
            self.by_job_handle(companies, handle::parse_job("job", text)?).await?
        } else {
            self.by_name(companies, text).await?
        };
        found.ok_or_else(|| Error::Refused(format!("there is no job \"{text}\"")))
    }

    async fn by_job_handle(&self, companies: Option<Vec<CompanyId>>, job: JobHandle) -> Result<Option<Found>, Error> {
        let company = job.company();
        if companies.is_some_and(|companies| !companies.contains(&company)) {
            return Ok(None);
        }
        match job {
            JobHandle::Submitted { name, .. } => self.by_name(Some(vec![company]), &name).await,
            JobHandle::Run { run_name, instance, .. } => {
                let companies = Some(vec![company]);
                let filter = RunFilter { companies, instance, run_name: Some(run_name), ..RunFilter::default() };
                Ok(self.newest(filter).await?.map(Found::Run))
            }
        }
    }

    async fn by_name(&self, companies: Option<Vec<CompanyId>>, name: &str) -> Result<Option<Found>, Error> {
        let named = RunFilter { companies: companies.clone(), run_name: Some(name.to_owned()), ..RunFilter::default() };
        if let Some(run) = self.newest(named).await? {
            return Ok(Some(Found::Run(run)));
        }
        let of_job =
            RunFilter { companies: companies.clone(), job_name: Some(name.to_owned()), ..RunFilter::default() };
        let scheduled = self.store.scheduled_jobs(companies.as_deref(), Some(name)).await?;
        let newest = self.newest(of_job).await?;
        let mut users: Vec<CompanyId> = scheduled.iter().map(|job| job.company).collect();
        users.extend(newest.iter().map(|run| run.company));
        users.dedup();
        if users.len() > 1 {
            return Err(Error::Refused(format!("several companies have a job \"{name}\"; say which with its handle")));
        }
        match scheduled.into_iter().next() {
            Some(job) => {
                let newest = newest.filter(|run| run.job == job.id);
                Ok(Some(Found::Scheduled(Box::new(job), newest)))
            }
            None => Ok(newest.map(Found::Run)),
        }
    }

    async fn newest(&self, filter: RunFilter) -> Result<Option<Box<Run>>, Error> {
        let filter = RunFilter { order: RunOrder::Number, descending: true, limit: Some(1), ..filter };
        Ok(self.store.runs(&filter).await?.pop().map(Box::new))
    }

    /// Whether the caller may look at jobs at all.
    pub fn may_look(&self, caller: &Caller) -> Result<(), Error> {
        Ok(caller.may(&LOOK_AT_JOBS)?)
    }
}
