//! From what a person types to what it names.

use super::LOOK_AT_JOBS;
use crate::model::handle::{self, JobHandle};
use crate::model::id::CompanyId;
use crate::service::jobs::named::{ambiguous, of_run, run_number};
use crate::service::{Caller, Candidate, Error, Services};
use crate::store::jobs::named::Which;
use crate::store::jobs::query::{Run, RunFilter, RunOrder, ScheduledJob};

/// What was named.
#[derive(Debug, Clone)]
pub enum Found {
    Run(Box<Run>),
    /// A job that waits for its time, with its newest run if it has had one.
    Scheduled(Box<ScheduledJob>, Option<Box<Run>>),
}

impl Found {
    fn job_name(&self) -> &str {
        match self {
            Self::Run(run) => &run.job_name,
            Self::Scheduled(job, _) => &job.name,
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
    /// Finds a run or a scheduled job to look at, by run number, handle, run name or job name. Of several runs of a name in one
    /// company the newest is meant; a name that several companies use is refused, with the handles that tell them apart.
    pub async fn find_job(&self, caller: &Caller, company: Option<&str>, text: &str) -> Result<Found, Error> {
        let companies = self.companies_of(caller, company).await?;
        let number = run_number(text);
        let found = if let Some(run) = self.run_numbered(companies.as_deref(), number).await? {
            Some(Found::Run(run))
        } else if text.contains('|') {
            self.by_job_handle(companies, handle::parse_job("job", text)?).await?
        } else {
            self.by_name(companies.as_deref(), text).await?
        };
        found.ok_or_else(|| Error::Refused(format!("there is no job \"{text}\"")))
    }

    async fn by_job_handle(&self, companies: Option<Vec<CompanyId>>, job: JobHandle) -> Result<Option<Found>, Error> {
        let company = job.company();
        if companies.is_some_and(|companies| !companies.contains(&company)) {
            return Ok(None);
        }
        match job {
            JobHandle::Submitted { name, .. } => self.newest_of(company, &name).await,
            JobHandle::Run { run_name, instance, .. } => {
                let companies = Some(vec![company]);
                let filter = RunFilter { companies, instance, run_name: Some(run_name), ..RunFilter::default() };
                Ok(self.newest(filter).await?.map(Found::Run))
            }
        }
    }

    async fn by_name(&self, companies: Option<&[CompanyId]>, name: &str) -> Result<Option<Found>, Error> {
        let mut runs = self.runs_of_name(companies, name).await?;
        if runs.len() > 1 {
            return Err(ambiguous(name, runs.iter().map(of_run).collect()));
        }
        if let Some(run) = runs.pop() {
            return Ok(Some(Found::Run(Box::new(run))));
        }
        // Jobs that are there come before those that are deleted.
        let mut having = self.store.companies_with_job(companies, name, false).await?;
        if having.is_empty() {
            having = self.store.companies_with_job(companies, name, true).await?;
        }
        let (mut found, mut candidates) = (None, Vec::new());
        for company in having {
            // Of a job that was deleted before it ran there is nothing to look at.
            let Some(newest) = self.newest_of(company, name).await? else { continue };
            let name_of = self.store.company(company).await?.map(|company| company.name);
            candidates.push(Candidate {
                handle: handle::submitted_job(company, name),
                company: name_of.unwrap_or_default(),
                what: "its newest".to_owned(),
            });
            found = Some(newest);
        }
        if candidates.len() > 1 { Err(ambiguous(name, candidates)) } else { Ok(found) }
    }

    /// Whether more than one job has, or had, the name that was said, so that another could be meant than the one that is shown.
    pub async fn is_one_of_several(
        &self,
        caller: &Caller,
        company: Option<&str>,
        found: &Found,
    ) -> Result<bool, Error> {
        let companies = self.companies_of(caller, company).await?;
        let name = found.job_name();
        let mut jobs = 0;
        for company in self.store.companies_with_job(companies.as_deref(), name, true).await? {
            jobs += self.store.jobs_named(company, name, Which::Ever, 2).await?.len();
            if jobs > 1 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The scheduled job of a name, or else the newest run: of a job that is not deleted, if there is one.
    async fn newest_of(&self, company: CompanyId, name: &str) -> Result<Option<Found>, Error> {
        let scheduled = self.store.scheduled_jobs(Some(&[company]), Some(name)).await?;
        let companies = Some(vec![company]);
        let filter = RunFilter { companies, job_name: Some(name.to_owned()), ..RunFilter::default() };
        let newest = match self.store.jobs_named(company, name, Which::Any, 1).await?.pop() {
            Some(job) if scheduled.is_empty() => self.newest(RunFilter { job: Some(job), ..filter.clone() }).await?,
            _ => None,
        };
        let newest = match newest {
            None => self.newest(filter).await?,
            newest => newest,
        };
        Ok(match scheduled.into_iter().next() {
            Some(job) => {
                let newest = newest.filter(|run| run.job == job.id);
                Some(Found::Scheduled(Box::new(job), newest))
            }
            None => match newest {
                // What never ran has only its slots to look at.
                None => {
                    let ended = self.store.ended_schedule(company, name).await?;
                    ended.map(|job| Found::Scheduled(Box::new(job), None))
                }
                run => run.map(Found::Run),
            },
        })
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
