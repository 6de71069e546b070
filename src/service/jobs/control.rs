//! stopJob, pauseJob, resumeJob, executeJob, deleteJob, and the same by whatever a person calls a job.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::named::{Meant, Target, Verb};
use super::{OPERATORS, no_such_job};
use crate::model::firing::{Fate, MOST_SINGLE, Missed, SkipReason, Slot, SlotRange};
use crate::model::handle;
use crate::model::id::{CompanyId, InstanceId, JobId};
use crate::model::schedule::Schedule;
use crate::model::state::State;
use crate::model::trigger::{Overlap, TriggerState};
use crate::service::access::Operation;
use crate::service::{Caller, Denied, Error, Services};
use crate::store::jobs::control::{Control, RunNow, Stop, Stopped};
use crate::store::jobs::query::{Run, RunFilter, ScheduledJob};
use crate::store::jobs::submit::RunId;

impl Verb {
    const fn operation(self) -> Operation {
        let name = match self {
            Self::Stop => "stopJob",
            Self::Pause => "pauseJob",
            Self::Resume => "resumeJob",
            Self::Execute => "executeJob",
            Self::Delete => "deleteJob",
            Self::Retry => "retrying a job",
        };
        Operation { name, roles: OPERATORS }
    }

    /// It ends something, which administrators of the server may do in a company that has expired too.
    const fn ends(self) -> bool {
        match self {
            Self::Stop | Self::Delete => true,
            Self::Pause | Self::Resume | Self::Execute | Self::Retry => false,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct JobParam {
    pub company_handle: String,
    pub job_handle: String,
}

/// An empty Return element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Nothing {}

/// What a verb was carried out on, and what it does.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Controlled {
    pub took: Taken,
    pub handle: String,
    /// Name of the job.
    pub name: String,
    /// Name of its company.
    pub company: String,
    pub effect: Effect,
    /// Of what ends something: the runs that stop, the first of them where there are very many.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stops: Vec<StoppedRun>,
    /// There are more of them.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub stops_more: bool,
    /// Name of the run that comes first, of what is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub behind: Option<String>,
    /// It was said as if it were the number of a run, but there is no such run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_run: Option<InstanceId>,
}

/// A run that was asked to stop.
#[derive(Debug, Clone, Serialize)]
pub struct StoppedRun {
    pub run: i64,
    pub handle: String,
}

/// What a verb came to.
#[derive(Debug)]
struct Acted {
    effect: Effect,
    stopped: Stopped,
    behind: Option<String>,
    /// The run that follows.
    queued: Option<RunId>,
}

impl From<Effect> for Acted {
    fn from(effect: Effect) -> Self {
        Self { effect, stopped: Stopped::default(), behind: None, queued: None }
    }
}

/// What a handle or a name was taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Taken {
    Run,
    Job,
    /// All jobs of the name.
    Jobs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Effect {
    /// At the next safe point.
    Stops,
    /// The run alone: its job fires on.
    RunStops,
    Paused,
    Resumed,
    /// All its instants passed while it was paused.
    Over,
    Queued,
    Deleted,
    /// The next attempt begins as soon as there is a free slot.
    Retried,
}

impl Services {
    pub async fn stop_job(&self, caller: &Caller, param: JobParam) -> Result<Nothing, Error> {
        self.control(caller, Verb::Stop, &param).await
    }

    pub async fn pause_job(&self, caller: &Caller, param: JobParam) -> Result<Nothing, Error> {
        self.control(caller, Verb::Pause, &param).await
    }

    pub async fn resume_job(&self, caller: &Caller, param: JobParam) -> Result<Nothing, Error> {
        self.control(caller, Verb::Resume, &param).await
    }

    pub async fn execute_job(&self, caller: &Caller, param: JobParam) -> Result<Nothing, Error> {
        self.control(caller, Verb::Execute, &param).await
    }

    pub async fn delete_job(&self, caller: &Caller, param: JobParam) -> Result<Nothing, Error> {
        self.control(caller, Verb::Delete, &param).await
    }

    /// A verb on what a person means by a number, a handle or a name, in the company that is named or in any. None: there is
    /// nothing that the caller may know of.
    pub async fn control_named(
        &self,
        caller: &Caller,
        verb: Verb,
        company: Option<&str>,
        text: &str,
    ) -> Result<Option<Controlled>, Error> {
        let companies = self.companies_of(caller, company).await?;
        let Some(Meant { target, no_run }) = self.meant(companies.as_deref(), text, verb).await? else {
            return Ok(None);
        };
        let Some((shown, of)) = self.shown(&target, no_run).await? else { return Ok(None) };
        self.in_company_for(caller, verb, &handle::company(of)).await?;
        let Acted { effect, stopped, behind, queued } = self.act(caller, verb, of, target, text).await?;
        // Whoever looks at the handle of what is to run wants to see that run.
        let follows = queued.map(|run| handle::run(of, &run.name, run.id));
        let shown = Controlled { handle: follows.unwrap_or(shown.handle), ..shown };
        let stops =
            stopped.runs.iter().map(|run| StoppedRun { run: run.id.0, handle: handle::run(of, &run.name, run.id) });
        Ok(Some(Controlled { effect, stops: stops.collect(), stops_more: stopped.more, behind, ..shown }))
    }

    async fn control(&self, caller: &Caller, verb: Verb, param: &JobParam) -> Result<Nothing, Error> {
        let company = self.in_company_for(caller, verb, param.company_handle.trim()).await?;
        let handle = handle::parse_job("jobHandle", &param.job_handle)?;
        if handle.company() != company {
            return Err(Denied::handle_of_another("jobHandle", handle.company(), company).into());
        }
        let target = self.meant_by_handle(&handle, verb).await?;
        let target = target.ok_or_else(|| no_such_job(&param.job_handle))?;
        self.act(caller, verb, company, target, &param.job_handle).await?;
        Ok(Nothing {})
    }

    async fn in_company_for(&self, caller: &Caller, verb: Verb, text: &str) -> Result<CompanyId, Error> {
        let operation = verb.operation();
        let company = match verb.ends() {
            true => self.in_any_company(caller, &operation, "companyHandle", text).await?,
            false => self.in_company(caller, &operation, "companyHandle", text).await?,
        };
        Ok(company.id)
    }

    /// What a target is called, but for what becomes of it; and its company.
    async fn shown(
        &self,
        target: &Target,
        no_run: Option<InstanceId>,
    ) -> Result<Option<(Controlled, CompanyId)>, Error> {
        let shown = |took, handle, name, company| {
            let (effect, stops, stops_more, behind) = (Effect::Stops, Vec::new(), false, None);
            Controlled { took, handle, name, company, effect, stops, stops_more, behind, no_run }
        };
        let (took, job) = match target {
            Target::Run(run) => {
                let (name, company) = (run.job_name.clone(), run.company_name.clone());
                return Ok(Some((shown(Taken::Run, super::run_handle(run), name, company), run.company)));
            }
            Target::Job(job) => (Taken::Job, *job),
            Target::Namesakes(job) => (Taken::Jobs, *job),
        };
        let card = self.store.job_cards(&[job]).await?.pop();
        Ok(card.map(|card| {
            let handle = match (&card.run, took) {
                // The handle of the submitted job is shared by others.
                (Some((run, ..)), Taken::Job) if !card.waits => handle::run(card.company, &run.name, run.id),
                _ => handle::submitted_job(card.company, &card.name),
            };
            (shown(took, handle, card.name, card.company_name), card.company)
        }))
    }

    async fn act(
        &self,
        caller: &Caller,
        verb: Verb,
        company: CompanyId,
        target: Target,
        said: &str,
    ) -> Result<Acted, Error> {
        match verb {
            Verb::Stop => self.stop(caller, target, said).await,
            Verb::Pause => Ok(self.pause(target, said).await?.into()),
            Verb::Resume => Ok(self.resume(target, said).await?.into()),
            Verb::Execute => self.execute(target, said).await,
            Verb::Delete => self.delete(caller, company, target, said).await,
            Verb::Retry => self.retry(caller, target, said).await,
        }
    }

    async fn stop(&self, caller: &Caller, target: Target, said: &str) -> Result<Acted, Error> {
        let now = self.clock.now();
        let stopped = match target {
            Target::Run(run) => match self.store.stop_run(run.id, caller.account, now).await? {
                Stop::AlreadyDone => Stopped::default(),
                Stop::Ended | Stop::Asked => {
                    Stopped { runs: vec![RunId { id: run.id, name: run.run_name }], more: false }
                }
            },
            Target::Job(job) => self.store.stop_job(job, caller.account, now).await?,
            // It stops what getActiveJobs shows for the handle.
            Target::Namesakes(job) => self.store.stop_namesakes(job, caller.account, now).await?,
        };
        if !stopped.runs.is_empty() {
            return Ok(Acted { stopped, ..Effect::Stops.into() });
        }
        Err(Error::Refused(format!("jobHandle: no run of this job is waiting or running: \"{said}\"")))
    }

    async fn pause(&self, target: Target, said: &str) -> Result<Effect, Error> {
        let job = self.scheduled(&target, said).await?;
        settle(self.store.pause_job(job.id).await?, "be paused", said)?;
        Ok(Effect::Paused)
    }

    /// Instants that passed while the job was paused are skipped, and written down as such; a one-shot that fell due
    /// meanwhile runs now, and so does what came before the pause and waited for its company.
    async fn resume(&self, target: Target, said: &str) -> Result<Effect, Error> {
        let job = self.scheduled(&target, said).await?;
        let now = self.clock.now();
        let (mut missed, mut next) = (Missed::Slots(Vec::new()), job.next_fire_at);
        if let Some(text) = &job.exec_schedule {
            let schedule = Schedule::parse(text)
                .map_err(|error| Error::Internal(format!("the stored schedule \"{text}\" cannot be read: {error}")))?;
            let zone = self.store.zone();
            if let Some(first) = next.filter(|at| *at <= now && job.held_fire_at != Some(*at)) {
                let span = schedule.span(first, now, zone);
                missed = if span.count > MOST_SINGLE {
                    Missed::Range(SlotRange {
                        first,
                        last: span.last,
                        count: span.count,
                        fate: Fate::Skip(SkipReason::Paused),
                    })
                } else {
                    let instants = std::iter::once(first).chain(schedule.upcoming(first, zone));
                    let slot = |due_at| Slot { due_at, fate: Fate::Skip(SkipReason::Paused) };
                    Missed::Slots(instants.take_while(|at| *at <= now).map(slot).collect())
                };
                next = span.next;
            }
        }
        settle(self.store.resume_job(job.id, job.next_fire_at, missed, next, now).await?, "be resumed", said)?;
        Ok(if next.is_some() { Effect::Resumed } else { Effect::Over })
    }

    async fn execute(&self, target: Target, said: &str) -> Result<Acted, Error> {
        let one_at_a_time = self.settings().overlap != Overlap::Allow;
        match self.store.run_job_now(target.job(), one_at_a_time, self.clock.now()).await? {
            RunNow::Queued(run) => Ok(Acted { queued: Some(run), ..Effect::Queued.into() }),
            RunNow::NoSuchJob => Err(is_deleted(said)),
            RunNow::Posted { open } => {
                let (what, hint) = match open {
                    true => (
                        "is an upload whose client may post more",
                        "it runs when the client says that this was all, or is silent for too long",
                    ),
                    false => (
                        "is an upload by post, whose files belong to the run that they were posted for",
                        "post them again",
                    ),
                };
                let refused = format!("jobHandle: the job {what}, so it cannot be run now: \"{said}\"; {hint}");
                Err(Error::Refused(refused))
            }
        }
    }

    /// A waiting job is removed with what runs of it; a run of a recurring job is only stopped. What is over is refused: its
    /// log is all that is left of it, and stays.
    async fn delete(&self, caller: &Caller, company: CompanyId, target: Target, said: &str) -> Result<Acted, Error> {
        if company == CompanyId::SYSTEM {
            let what = "delete a job of the server itself; it can be paused".to_owned();
            return Err(Denied::MissingPermission { field: "jobHandle".to_owned(), what }.into());
        }
        let now = self.clock.now();
        match target {
            Target::Run(run) => self.delete_run(caller, *run, said).await,
            Target::Job(job) => deleted(self.store.delete_job(job, caller.account, now).await?, said),
            // Jobs of one name share this handle; all go that wait or run.
            Target::Namesakes(job) => deleted(self.store.delete_namesakes(job, caller.account, now).await?, said),
        }
    }

    async fn delete_run(&self, caller: &Caller, run: Run, said: &str) -> Result<Acted, Error> {
        let is_over = "this run has ended";
        if run.state == State::Done {
            return Err(nothing_to_delete(is_over, said));
        }
        if self.store.numbered_scheduled_jobs(&[run.job]).await?.is_empty() {
            return deleted(self.store.delete_job(run.job, caller.account, self.clock.now()).await?, said);
        }
        match self.store.stop_run(run.id, caller.account, self.clock.now()).await? {
            Stop::Ended | Stop::Asked => Ok(Effect::RunStops.into()),
            Stop::AlreadyDone => Err(nothing_to_delete(is_over, said)),
        }
    }

    /// The next attempt of a run begins when no other run of its job is going.
    async fn retry(&self, caller: &Caller, target: Target, said: &str) -> Result<Acted, Error> {
        let runs = match &target {
            Target::Run(run) => vec![run.id],
            Target::Job(job) | Target::Namesakes(job) => {
                let states = Some(vec![State::WaitingCoordinator]);
                let filter = RunFilter { job: Some(*job), states, ..RunFilter::default() };
                self.store.runs(&filter).await?.iter().map(|run| run.id).collect()
            }
        };
        let retried = self.store.retry_now(&runs, caller.account, self.clock.now()).await?;
        if let Some(first) = retried.first() {
            return Ok(Acted { behind: self.held_by(*first).await?, ..Effect::Retried.into() });
        }
        Err(Error::Refused(format!(
            "jobHandle: nothing of it waits for another attempt; what has ended can be run again: \"{said}\""
        )))
    }

    /// A job that waits for its time, found by the handle of it or of one of its runs.
    async fn scheduled(&self, target: &Target, said: &str) -> Result<ScheduledJob, Error> {
        self.store.numbered_scheduled_jobs(&[target.job()]).await?.pop().ok_or_else(|| {
            Error::Refused(format!("jobHandle: only a scheduled job can be paused and resumed: \"{said}\""))
        })
    }
}

impl Target {
    const fn job(&self) -> JobId {
        match self {
            Self::Run(run) => run.job,
            Self::Job(job) | Self::Namesakes(job) => *job,
        }
    }
}

fn settle(control: Control<()>, what: &str, said: &str) -> Result<(), Error> {
    match control {
        Control::Done(()) => Ok(()),
        Control::NoSuchJob => Err(is_deleted(said)),
        Control::NotNow(state) => Err(not_now(what, &state, said)),
    }
}

fn deleted(control: Control<Stopped>, said: &str) -> Result<Acted, Error> {
    match control {
        Control::Done(stopped) => Ok(Acted { stopped, ..Effect::Deleted.into() }),
        Control::NotNow(_) => Err(nothing_to_delete("the job has ended, and nothing of it waits or runs", said)),
        Control::NoSuchJob => Err(is_deleted(said)),
    }
}

fn nothing_to_delete(why: &str, said: &str) -> Error {
    Error::Refused(format!("jobHandle: {why}, so there is nothing to delete; its log stays: \"{said}\""))
}

/// Its runs are still known.
fn is_deleted(said: &str) -> Error {
    Error::Refused(format!("jobHandle: the job is deleted; only its logs are left: \"{said}\""))
}

fn not_now(what: &str, state: &str, said: &str) -> Error {
    let why = match TriggerState::from_str(state) {
        Ok(TriggerState::Normal) => "waits for its time and is not paused".to_owned(),
        Ok(TriggerState::Paused) => "is paused".to_owned(),
        Ok(TriggerState::Blocked) => "waits until its company is open again and is not paused".to_owned(),
        Ok(TriggerState::Complete) => "has had its last run".to_owned(),
        _ => format!("has a trigger that is {state}"),
    };
    Error::Refused(format!("jobHandle: the job {why}, so it cannot {what}: \"{said}\""))
}
