//! From what somebody says (a number, a handle, a name) to the jobs that a verb is about. SOAP, JSON and the command line all
//! come here, so that the same words mean the same job everywhere.
//!
//! | said | means |
//! |---|---|
//! | a run's number, handle or name | that run; a number that no run has is a name |
//! | the handle of a submitted job | all jobs of the name in its company, which share it; a verb that is for one job takes the one that waits for its time, or the only one |
//! | a job's name | the only job that the verb could mean |
//!
//! Where there is more than one company, or more than one job, nothing is done: the answer lists what could be meant, each with
//! a handle that means it alone.

use super::run_handle;
use crate::model::handle::{self, JobHandle};
use crate::model::id::{CompanyId, InstanceId, JobId};
use crate::model::outcome::Outcome;
use crate::model::state::State;
use crate::service::error::{Ambiguous, Candidate};
use crate::service::{Error, Services};
use crate::store::jobs::named::{JobCard, Which};
use crate::store::jobs::query::{Run, RunFilter, RunOrder};

/// Jobs, and runs, listed where one has to be chosen; of more it is said that there are more.
const MOST_LISTED: u32 = 10;

/// What people do to jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    Stop,
    Pause,
    Resume,
    Execute,
    Delete,
    /// Begin the next attempt now.
    Retry,
}

impl Verb {
    /// The jobs of a name that it could mean; the first kind of which there is one.
    const fn means(self) -> &'static [Which] {
        match self {
            Self::Stop | Self::Retry => &[Which::Open],
            Self::Pause | Self::Resume => &[Which::Waiting],
            Self::Execute => &[Which::Waiting, Which::Any],
            Self::Delete => &[Which::Waiting, Which::Open],
        }
    }

    /// Deleting means all that it could mean, not the first kind of which there is one.
    const fn means_all_kinds(self) -> bool {
        matches!(self, Self::Delete)
    }

    /// The handle that jobs of one name share means all of them to this verb.
    const fn takes_namesakes(self) -> bool {
        matches!(self, Self::Stop | Self::Delete)
    }

    /// Said of a company that has the name, but nothing that the verb could mean.
    const fn nothing(self) -> &'static str {
        match self {
            Self::Stop | Self::Retry => "nothing of it waits or runs",
            Self::Pause | Self::Resume => "it has no schedule",
            Self::Execute | Self::Delete => "nothing is left of it",
        }
    }
}

/// The run that a number means. "007" and "+7" are names.
pub(super) fn run_number(text: &str) -> Option<InstanceId> {
    text.parse::<i64>().ok().filter(|number| number.to_string() == text).map(InstanceId)
}

/// What was meant.
#[derive(Debug, Clone)]
pub(super) enum Target {
    Run(Box<Run>),
    /// A job with all its runs.
    Job(JobId),
    /// All jobs of a name in a company, of which this is one.
    Namesakes(JobId),
}

/// What a person said, and what it was taken for.
#[derive(Debug, Clone)]
pub(super) struct Meant {
    pub target: Target,
    /// It looks like the number of a run, but there is no such run.
    pub no_run: Option<InstanceId>,
}

impl Services {
    /// What a person means. None: nothing that the caller may know of.
    pub(super) async fn meant(
        &self,
        companies: Option<&[CompanyId]>,
        text: &str,
        verb: Verb,
    ) -> Result<Option<Meant>, Error> {
        let number = run_number(text);
        if let Some(run) = self.run_numbered(companies, number).await? {
            return Ok(Some(Meant { target: Target::Run(run), no_run: None }));
        }
        let target = if text.contains('|') {
            let handle = handle::parse_job("job", text)?;
            match companies.is_none_or(|companies| companies.contains(&handle.company())) {
                true => self.meant_by_handle(&handle, verb).await?,
                false => None,
            }
        } else {
            self.meant_by_name(companies, text, verb).await?
        };
        Ok(target.map(|target| Meant { target, no_run: number }))
    }

    /// What a handle means.
    pub(super) async fn meant_by_handle(&self, handle: &JobHandle, verb: Verb) -> Result<Option<Target>, Error> {
        match handle {
            JobHandle::Run { company, run_name, instance } => {
                let filter = RunFilter {
                    companies: Some(vec![*company]),
                    run_name: Some(run_name.clone()),
                    instance: *instance,
                    ..RunFilter::default()
                };
                Ok(self.store.runs(&filter).await?.pop().map(|run| Target::Run(Box::new(run))))
            }
            JobHandle::Submitted { company, name } if verb.takes_namesakes() => {
                Ok(self.store.job_named(*company, name).await?.map(Target::Namesakes))
            }
            JobHandle::Submitted { company, name } => self.meant_in(&[*company], name, verb).await,
        }
    }

    async fn meant_by_name(
        &self,
        companies: Option<&[CompanyId]>,
        name: &str,
        verb: Verb,
    ) -> Result<Option<Target>, Error> {
        let mut runs = self.runs_of_name(companies, name).await?;
        let having = self.store.companies_with_job(companies, name, false).await?;
        match (runs.len(), having.is_empty()) {
            (0, _) => self.meant_in(&having, name, verb).await,
            (1, true) => Ok(runs.pop().map(|run| Target::Run(Box::new(run)))),
            _ => {
                let mut candidates: Vec<Candidate> = runs.iter().map(of_run).collect();
                for company in having {
                    let found = self.store.jobs_named(company, name, Which::Any, MOST_LISTED).await?;
                    candidates.extend(self.store.job_cards(&found).await?.iter().map(|card| of_job(card, verb)));
                }
                Err(ambiguous(name, candidates))
            }
        }
    }

    /// The job of the name that the verb could mean in these companies, if there is one company and one job. Where no job of
    /// the name is one that it could mean, the newest is told why not.
    async fn meant_in(&self, companies: &[CompanyId], name: &str, verb: Verb) -> Result<Option<Target>, Error> {
        let mut found = Vec::new();
        for company in companies {
            found.push((*company, self.could_mean(*company, name, verb).await?));
        }
        match found.as_slice() {
            [] => Ok(None),
            [(_, jobs)] if jobs.len() == 1 => Ok(Some(Target::Job(jobs[0]))),
            [(company, jobs)] if jobs.is_empty() => Ok(self.store.job_named(*company, name).await?.map(Target::Job)),
            found => {
                let mut candidates = Vec::new();
                for (company, jobs) in found {
                    let cards = self.store.job_cards(jobs).await?;
                    candidates.extend(cards.iter().map(|card| of_job(card, verb)));
                    if cards.is_empty() {
                        candidates.push(self.nothing_of(*company, name, verb).await?);
                    }
                }
                Err(ambiguous(name, candidates))
            }
        }
    }

    async fn could_mean(&self, company: CompanyId, name: &str, verb: Verb) -> Result<Vec<JobId>, Error> {
        let mut jobs: Vec<JobId> = Vec::new();
        for which in verb.means() {
            let found = self.store.jobs_named(company, name, *which, MOST_LISTED + 1).await?;
            jobs.extend(found.into_iter().filter(|job| !jobs.contains(job)).collect::<Vec<_>>());
            if !jobs.is_empty() && !verb.means_all_kinds() {
                break;
            }
        }
        Ok(jobs)
    }

    async fn nothing_of(&self, company: CompanyId, name: &str, verb: Verb) -> Result<Candidate, Error> {
        let company_name = self.store.company(company).await?.map(|company| company.name).unwrap_or_default();
        let what = verb.nothing().to_owned();
        Ok(Candidate { handle: handle::submitted_job(company, name), company: company_name, what })
    }

    /// The run of this number, in these companies.
    pub(in crate::service::jobs) async fn run_numbered(
        &self,
        companies: Option<&[CompanyId]>,
        number: Option<InstanceId>,
    ) -> Result<Option<Box<Run>>, Error> {
        let Some(number) = number else { return Ok(None) };
        let companies = companies.map(<[_]>::to_vec);
        let filter = RunFilter { instance: Some(number), companies, ..RunFilter::default() };
        Ok(self.store.runs(&filter).await?.pop().map(Box::new))
    }

    /// The runs of this name: one a company.
    pub(in crate::service::jobs) async fn runs_of_name(
        &self,
        companies: Option<&[CompanyId]>,
        name: &str,
    ) -> Result<Vec<Run>, Error> {
        let filter = RunFilter {
            companies: companies.map(<[_]>::to_vec),
            run_name: Some(name.to_owned()),
            order: RunOrder::Number,
            descending: true,
            limit: Some(MOST_LISTED + 1),
            ..RunFilter::default()
        };
        Ok(self.store.runs(&filter).await?)
    }
}

/// That these could be meant.
pub(in crate::service::jobs) fn ambiguous(name: &str, mut candidates: Vec<Candidate>) -> Error {
    let more = candidates.len() > MOST_LISTED as usize;
    candidates.truncate(MOST_LISTED as usize);
    Error::Ambiguous(Ambiguous { name: name.to_owned(), candidates, more })
}

pub(in crate::service::jobs) fn of_run(run: &Run) -> Candidate {
    let what = format!("{}, {}", run.kind.type_name(), state_of(run.state, run.outcome));
    Candidate { handle: run_handle(run), company: run.company_name.clone(), what }
}

/// A job by a handle that means it alone to the verb: that of its run, where others share its own.
fn of_job(card: &JobCard, verb: Verb) -> Candidate {
    let kind = card.kind.type_name();
    let submitted = || handle::submitted_job(card.company, &card.name);
    let (handle, what) = match (&card.run, card.waits, verb) {
        (_, true, Verb::Delete) => (submitted(), format!("{kind}, scheduled; with it go all jobs of its name")),
        (_, true, Verb::Pause | Verb::Resume | Verb::Execute) => (submitted(), format!("{kind}, scheduled")),
        (Some((run, state, outcome)), _, _) => {
            (handle::run(card.company, &run.name, run.id), format!("{kind}, {}", state_of(*state, *outcome)))
        }
        (None, _, _) => (submitted(), kind.to_owned()),
    };
    Candidate { handle, company: card.company_name.clone(), what }
}

fn state_of(state: State, outcome: Option<Outcome>) -> String {
    outcome.map_or_else(|| state.to_string(), |outcome| outcome.to_string())
}
