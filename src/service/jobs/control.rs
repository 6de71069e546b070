//! stopJob, pauseJob, resumeJob, executeJob, deleteJob.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{OPERATORS, no_such_job};
use crate::model::firing::{Fate, Missed, SkipReason, Slot, SlotRange};
use crate::model::handle::{self, JobHandle};
use crate::model::id::{CompanyId, JobId};
use crate::model::schedule::Schedule;
use crate::model::state::State;
use crate::model::trigger::TriggerState;
use crate::service::access::Operation;
use crate::service::{Caller, Denied, Error, Services};
use crate::store::jobs::control::{Control, Stop};
use crate::store::jobs::query::{Run, RunFilter, ScheduledJob};

const STOP_JOB: Operation = Operation { name: "stopJob", roles: OPERATORS };
const PAUSE_JOB: Operation = Operation { name: "pauseJob", roles: OPERATORS };
const RESUME_JOB: Operation = Operation { name: "resumeJob", roles: OPERATORS };
const EXECUTE_JOB: Operation = Operation { name: "executeJob", roles: OPERATORS };
const DELETE_JOB: Operation = Operation { name: "deleteJob", roles: OPERATORS };

/// Most missed instants that resuming a schedule writes down one by one: a transaction of some milliseconds. More become a
/// range.
const MOST_SINGLE: u64 = 1_000;

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct JobParam {
    pub company_handle: String,
    pub job_handle: String,
}

/// An empty Return element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Nothing {}

/// What a job handle was found to name.
enum Target {
    Job(JobId),
    Run(Box<Run>),
}

impl Services {
    pub async fn stop_job(&self, caller: &Caller, param: JobParam) -> Result<Nothing, Error> {
        let (company, handle) = self.job_of(caller, &STOP_JOB, &param).await?;
        let now = self.clock.now();
        let stopped = match self.find(company, &handle).await? {
            None => return Err(no_such_job(&param.job_handle)),
            Some(Target::Run(run)) => self.store.stop_run(run.id, caller.account, now).await? != Stop::AlreadyDone,
            // Jobs of one name share this handle; it stops what getActiveJobs shows for it.
            Some(Target::Job(job)) => self.store.stop_namesakes(job, caller.account, now).await?,
        };
        if stopped {
            return Ok(Nothing {});
        }
        Err(Error::Refused(format!("jobHandle: no run of this job is waiting or running: \"{}\"", param.job_handle)))
    }

    pub async fn pause_job(&self, caller: &Caller, param: JobParam) -> Result<Nothing, Error> {
        let job = self.scheduled(caller, &PAUSE_JOB, &param).await?;
        settle(self.store.pause_job(job.id).await?, "be paused", &param)
    }

    /// Instants that passed while the job was paused are skipped, and written down as such; a one-shot that fell due
    /// meanwhile runs now.
    pub async fn resume_job(&self, caller: &Caller, param: JobParam) -> Result<Nothing, Error> {
        let job = self.scheduled(caller, &RESUME_JOB, &param).await?;
        let now = self.clock.now();
        let (mut missed, mut next) = (Missed::Slots(Vec::new()), job.next_fire_at);
        if let Some(text) = &job.exec_schedule {
            let schedule = Schedule::parse(text)
                .map_err(|error| Error::Internal(format!("the stored schedule \"{text}\" cannot be read: {error}")))?;
            let zone = self.store.zone();
            if let Some(first) = next.filter(|at| *at <= now) {
                let span = schedule.span(first, now, zone);
                missed = if span.count > MOST_SINGLE {
                    Missed::Range(SlotRange { first, last: span.last, count: span.count, why: SkipReason::Paused })
                } else {
                    let instants = std::iter::once(first).chain(schedule.upcoming(first, zone));
                    let slot = |due_at| Slot { due_at, fate: Fate::Skip(SkipReason::Paused) };
                    Missed::Slots(instants.take_while(|at| *at <= now).map(slot).collect())
                };
                next = span.next;
            }
        }
        settle(self.store.resume_job(job.id, job.next_fire_at, missed, next, now).await?, "be resumed", &param)
    }

    pub async fn execute_job(&self, caller: &Caller, param: JobParam) -> Result<Nothing, Error> {
        let (company, handle) = self.job_of(caller, &EXECUTE_JOB, &param).await?;
        let job = match self.find(company, &handle).await? {
            None => return Err(no_such_job(&param.job_handle)),
            Some(Target::Job(job)) => job,
            Some(Target::Run(run)) => run.job,
        };
        match self.store.run_job_now(job, self.clock.now()).await? {
            Control::Done(_) => Ok(Nothing {}),
            Control::NoSuchJob => Err(no_such_job(&param.job_handle)),
            Control::NotNow(state) => Err(not_now("be run now", &state, &param)),
        }
    }

    /// A waiting job is removed with what runs of it; a run of a recurring job is only stopped. What is over is refused: its
    /// log is all that is left of it, and stays.
    pub async fn delete_job(&self, caller: &Caller, param: JobParam) -> Result<Nothing, Error> {
        let (company, handle) = self.job_of(caller, &DELETE_JOB, &param).await?;
        if company == CompanyId::SYSTEM {
            let what = "delete a job of the server itself; it can be paused".to_owned();
            return Err(Denied::MissingPermission { field: "jobHandle".to_owned(), what }.into());
        }
        match self.find(company, &handle).await? {
            None => Err(no_such_job(&param.job_handle)),
            // Jobs of one name share this handle; all go that wait or run.
            Some(Target::Job(job)) => {
                deleted(self.store.delete_namesakes(job, caller.account, self.clock.now()).await?, &param)
            }
            Some(Target::Run(run)) => self.delete_run(caller, *run, &param).await,
        }
    }

    async fn delete_run(&self, caller: &Caller, run: Run, param: &JobParam) -> Result<Nothing, Error> {
        let is_over = "this run has ended";
        if run.state == State::Done {
            return Err(nothing_to_delete(is_over, param));
        }
        if self.store.numbered_scheduled_jobs(&[run.job]).await?.is_empty() {
            return deleted(self.store.delete_job(run.job, caller.account, self.clock.now()).await?, param);
        }
        match self.store.stop_run(run.id, caller.account, self.clock.now()).await? {
            Stop::Ended | Stop::Asked => Ok(Nothing {}),
            Stop::AlreadyDone => Err(nothing_to_delete(is_over, param)),
        }
    }

    async fn job_of(
        &self,
        caller: &Caller,
        operation: &Operation,
        param: &JobParam,
    ) -> Result<(CompanyId, JobHandle), Error> {
        let company = self.in_company(caller, operation, "companyHandle", param.company_handle.trim()).await?;
        let handle = handle::parse_job("jobHandle", &param.job_handle)?;
        if handle.company() != company.id {
            return Err(Denied::handle_of_another("jobHandle", handle.company(), company.id).into());
        }
        Ok((company.id, handle))
    }

    async fn find(&self, company: CompanyId, handle: &JobHandle) -> Result<Option<Target>, Error> {
        match handle {
            JobHandle::Submitted { name, .. } => Ok(self.store.job_named(company, name).await?.map(Target::Job)),
            JobHandle::Run { run_name, instance, .. } => {
                let filter = RunFilter {
                    companies: Some(vec![company]),
                    run_name: Some(run_name.clone()),
                    instance: *instance,
                    ..RunFilter::default()
                };
                Ok(self.store.runs(&filter).await?.pop().map(|run| Target::Run(Box::new(run))))
            }
        }
    }

    /// A job that waits for its time, found by the handle of it or of one of its runs.
    async fn scheduled(&self, caller: &Caller, operation: &Operation, param: &JobParam) -> Result<ScheduledJob, Error> {
        let (company, handle) = self.job_of(caller, operation, param).await?;
        let id = match self.find(company, &handle).await? {
            None => return Err(no_such_job(&param.job_handle)),
            Some(Target::Job(job)) => job,
            Some(Target::Run(run)) => run.job,
        };
        self.store.numbered_scheduled_jobs(&[id]).await?.pop().ok_or_else(|| {
            Error::Refused(format!(
                "jobHandle: only a scheduled job can be paused and resumed: \"{}\"",
                param.job_handle
            ))
        })
    }
}

fn settle(control: Control<()>, what: &str, param: &JobParam) -> Result<Nothing, Error> {
    match control {
        Control::Done(()) => Ok(Nothing {}),
        Control::NoSuchJob => Err(no_such_job(&param.job_handle)),
        Control::NotNow(state) => Err(not_now(what, &state, param)),
    }
}

fn deleted(control: Control<()>, param: &JobParam) -> Result<Nothing, Error> {
    match control {
        Control::Done(()) => Ok(Nothing {}),
        Control::NotNow(_) => Err(nothing_to_delete("the job has ended, and nothing of it waits or runs", param)),
        Control::NoSuchJob => Err(no_such_job(&param.job_handle)),
    }
}

fn nothing_to_delete(why: &str, param: &JobParam) -> Error {
    Error::Refused(format!("jobHandle: {why}, so there is nothing to delete; its log stays: \"{}\"", param.job_handle))
}

fn not_now(what: &str, state: &str, param: &JobParam) -> Error {
    let why = match TriggerState::from_str(state) {
        Ok(TriggerState::Normal) => "waits for its time and is not paused".to_owned(),
        Ok(TriggerState::Paused) => "is paused".to_owned(),
        Ok(TriggerState::Complete) => "has had its last run".to_owned(),
        _ => format!("has a trigger that is {state}"),
    };
    Error::Refused(format!("jobHandle: the job {why}, so it cannot {what}: \"{}\"", param.job_handle))
}
