//! Jobs as the people who run the server see them: what the administrators' JSON and the command line show.
//!
//! The rights are those of the API: a caller sees the runs of companies in which its role may operate jobs, and an
//! administrator of the server sees all. What a caller may not see is as if it were not there.

mod find;
mod view;

pub use find::Found;
pub use view::{
    AssetView, CompanyView, CountersView, ItemView, JobView, JobsPage, LineView, LogPage, NoticeView, ProgressView,
    Said, ScheduleView, SlotView,
};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::Serialize;
use serde_json::Value;

use super::{Limits, OPERATORS, shown_order};
use crate::model::handle;
use crate::model::id::{CompanyId, InstanceId, JobId};
use crate::model::kind::JobKind;
use crate::model::log::LogType;
pub use crate::model::log::Severity;
use crate::model::outcome::Outcome;
use crate::model::state::State;
use crate::outward;
use crate::service::access::Operation;
use crate::service::{Caller, Error, Services};
use crate::store::jobs::outbox::Channel;
use crate::store::jobs::query::{Detail, DetailFilter, Notice, Run, RunFilter, RunOrder, ScheduledJob, SlotRecord};

const LOOK_AT_JOBS: Operation = Operation { name: "looking at jobs", roles: OPERATORS };

/// Most runs, or lines, in a page.
pub const MOST_ON_A_PAGE: u32 = 1000;

/// Slots shown of a schedule.
const SLOTS: u32 = 10;

/// Which runs, the newest first.
#[derive(Debug, Clone, Default)]
pub struct JobsQuery {
    /// Name, number or handle.
    pub company: Option<String>,
    pub states: Option<Vec<State>>,
    pub kind: Option<JobKind>,
    pub outcome: Option<Outcome>,
    /// Name of the job.
    pub name: Option<String>,
    pub since: Option<DateTime<Utc>>,
    pub until: Option<DateTime<Utc>>,
    /// Submitted before this run: where the last page ended.
    pub before: Option<InstanceId>,
    pub limit: u32,
}

/// Which lines of a log, in the order of writing.
#[derive(Debug, Clone, Default)]
pub struct LogQuery {
    pub types: Option<Vec<LogType>>,
    /// Only errors, or errors and warnings.
    pub least: Option<Severity>,
    /// Where the last page ended.
    pub after: i64,
    pub limit: u32,
}

/// All there is to know about a run.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobDetails {
    #[serde(flatten)]
    pub job: JobView,
    /// The order, as submitted but for credentials in addresses.
    pub order: Value,
    /// Why it waits, if it does.
    pub waits: Option<Said>,
    /// Of a job that fires more than once, or later.
    pub schedule: Option<ScheduleView>,
    pub notices: Vec<NoticeView>,
    pub follow_ups: Vec<JobView>,
}

impl Services {
    /// Runs, the newest first.
    pub async fn list_jobs(&self, caller: &Caller, query: &JobsQuery) -> Result<JobsPage, Error> {
        let limit = query.limit.clamp(1, MOST_ON_A_PAGE);
        let filter = RunFilter {
            companies: self.companies_of(caller, query.company.as_deref()).await?,
            job_name: query.name.clone(),
            states: query.states.clone(),
            kinds: query.kind.map(|kind| vec![kind]),
            outcome: query.outcome,
            from: query.since,
            until: query.until,
            before: query.before,
            order: RunOrder::Number,
            descending: true,
            // One more says whether there is another page.
            limit: Some(limit + 1),
            ..RunFilter::default()
        };
        let mut runs = self.store.runs(&filter).await?;
        let more = runs.len() > limit as usize;
        runs.truncate(limit as usize);
        let next = runs.last().filter(|_| more).map(|run| run.id.0);
        Ok(JobsPage { jobs: runs.iter().map(|run| self.job_view(caller, run)).collect(), next, held_by: None })
    }

    /// The same, with what holds up all of them that are not done.
    pub async fn list_jobs_within(
        &self,
        caller: &Caller,
        query: &JobsQuery,
        limits: &Limits,
    ) -> Result<JobsPage, Error> {
        let page = self.list_jobs(caller, query).await?;
        let is_any_open = page.jobs.iter().any(|job| job.state != State::Done);
        let shortage = if is_any_open { limits.shortage().await } else { None };
        Ok(JobsPage { held_by: shortage.map(|message| self.in_words(caller, &message)), ..page })
    }

    /// Everything about a run.
    pub async fn job_details(&self, caller: &Caller, run: &Run, limits: &Limits) -> Result<JobDetails, Error> {
        let waits = self.why_waiting(run, limits).await?.map(|message| self.in_words(caller, &message));
        let schedule = match self.store.numbered_scheduled_jobs(&[run.job]).await?.pop() {
            Some(job) => Some(self.schedule_view(caller, &job).await?),
            None => None,
        };
        let follow_ups = RunFilter { parent: Some(run.id), order: RunOrder::Number, ..RunFilter::default() };
        let notices = self.store.notices(run.id).await?;
        Ok(JobDetails {
            job: self.job_view(caller, run),
            order: shown_order(&run.spec),
            waits,
            schedule,
            notices: notices.into_iter().map(NoticeView::from).collect(),
            follow_ups: self.store.runs(&follow_ups).await?.iter().map(|run| self.job_view(caller, run)).collect(),
        })
    }

    /// Jobs that will fire, or could.
    pub async fn list_schedules(&self, caller: &Caller, company: Option<&str>) -> Result<Vec<ScheduleView>, Error> {
        let companies = self.companies_of(caller, company).await?;
        let mut views = Vec::new();
        for job in self.store.scheduled_jobs(companies.as_deref(), None).await? {
            views.push(self.schedule_view(caller, &job).await?);
        }
        Ok(views)
    }

    pub async fn schedule_view(&self, caller: &Caller, job: &ScheduledJob) -> Result<ScheduleView, Error> {
        let slots = self.job_slots(caller, job.id, SLOTS).await?;
        let waits = self.why_scheduled(job).map(|message| self.in_words(caller, &message));
        Ok(ScheduleView::new(job, waits, slots, self.store.zone()))
    }

    /// What became of the expected firings of a job, the newest first.
    pub async fn job_slots(&self, caller: &Caller, job: JobId, limit: u32) -> Result<Vec<SlotView>, Error> {
        let slots = self.store.slots(job, limit, self.clock.now()).await?;
        Ok(slots.iter().map(|slot| self.slot_view(caller, slot)).collect())
    }

    /// Lines of the log of a run, in the order of writing.
    pub async fn read_log(&self, caller: &Caller, run: InstanceId, query: &LogQuery) -> Result<LogPage, Error> {
        let limit = query.limit.clamp(1, MOST_ON_A_PAGE);
        let filter = match (&query.types, query.least) {
            (None, Some(least)) => DetailFilter::severe(least),
            (log_types, _) => DetailFilter { log_types: log_types.clone(), ..DetailFilter::default() },
        };
        let filter = DetailFilter { after: Some(query.after), limit: limit + 1, ..filter };
        let mut lines = self.store.details(run, &filter).await?;
        let more = lines.len() > limit as usize;
        lines.truncate(limit as usize);
        let next = lines.last().filter(|_| more).map(|line| line.id);
        Ok(LogPage { lines: lines.iter().map(|line| self.line_view(caller, line)).collect(), next })
    }

    fn job_view(&self, caller: &Caller, run: &Run) -> JobView {
        JobView {
            run: run.id.0,
            job: run.job.0,
            handle: handle::run(run.company, &run.run_name, run.id),
            name: run.job_name.clone(),
            run_name: run.run_name.clone(),
            company: CompanyView { id: run.company.0, name: run.company_name.clone() },
            kind: run.kind,
            job_type: run.kind.type_name().to_owned(),
            state: run.state,
            outcome: run.outcome,
            responsible: run.email.clone(),
            submitter: run.submitter_email.clone(),
            client: run.client.clone(),
            description: run.description.clone(),
            locale: run.locale.clone(),
            due_at: run.due_at,
            created_at: run.created_at,
            started_at: run.started_at,
            finished_at: run.finished_at,
            attempt: run.attempt,
            failures: run.failures,
            progress: ProgressView {
                done: run.items_done,
                total: run.items_total,
                message: run.progress.as_ref().map(|message| self.in_words(caller, message)),
                items: run
                    .progress_items
                    .iter()
                    .map(|(name, fraction)| ItemView { name: name.clone(), fraction: *fraction })
                    .collect(),
                updated_at: run.progress_at,
            },
            counters: run.counters.into(),
            fatal_error: run.fatal_error.as_ref().map(|message| self.in_words(caller, message)),
            follow_up_of: run.parent.map(|run| run.0),
        }
    }

    fn line_view(&self, caller: &Caller, line: &Detail) -> LineView {
        LineView {
            id: line.id,
            at: line.logged_at,
            log_type: line.log_type,
            severity: Severity::of(line.log_type, &line.message.code),
            message: self.in_words(caller, &line.message),
            asset: line.asset_name.as_ref().map(|name| AssetView {
                id: line.asset.map(|id| id.0),
                name: name.clone(),
                file_type: line.file_type.clone(),
            }),
        }
    }

    fn slot_view(&self, caller: &Caller, slot: &SlotRecord) -> SlotView {
        SlotView {
            due_at: slot.due_at,
            until: slot.until,
            count: slot.count,
            disposition: slot.disposition,
            reason: slot.reason.as_ref().map(|reason| self.in_words(caller, reason)),
            run: slot.instance.map(|run| run.0),
            decided_at: slot.decided_at,
        }
    }

    fn in_words(&self, caller: &Caller, message: &crate::model::log::Message) -> Said {
        Said::new(message, caller.locale.as_str(), self.store.zone())
    }

    /// The companies whose jobs the caller may look at, or the one of them that is named. `None` means every company.
    pub(super) async fn companies_of(
        &self,
        caller: &Caller,
        company: Option<&str>,
    ) -> Result<Option<Vec<CompanyId>>, Error> {
        let Some(text) = company else { return self.companies_for(caller, &LOOK_AT_JOBS, None).await };
        let company = if handle::parse_company("company", text).is_ok() {
            self.in_any_company(caller, &LOOK_AT_JOBS, "company", text).await?
        } else {
            self.in_any_company_named(caller, &LOOK_AT_JOBS, "company", text).await?
        };
        Ok(Some(vec![company.id]))
    }

    /// The zone in which times are shown.
    pub fn zone(&self) -> Tz {
        self.store.zone()
    }
}

impl From<Notice> for NoticeView {
    fn from(notice: Notice) -> Self {
        let Notice { channel, moment, recipient, state, attempts, next_try_at, last_error, finished_at } = notice;
        let next_try_at = finished_at.is_none().then_some(next_try_at);
        let recipient =
            if channel == Channel::Url.name() { outward::without_credentials(&recipient) } else { recipient };
        Self { channel, moment, recipient, state, attempts, next_try_at, last_error, finished_at }
    }
}
