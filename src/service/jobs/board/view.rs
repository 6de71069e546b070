//! What is shown, in the field names of the JSON API.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::model::firing::Disposition;
use crate::model::kind::JobKind;
use crate::model::log::{LogType, Message, Severity};
use crate::model::outcome::{Counters, Outcome};
use crate::model::schedule::Schedule;
use crate::model::state::State;
use crate::model::trigger::TriggerState;
use crate::store::jobs::query::ScheduledJob;
use crate::words;

/// A message with its words.
#[derive(Debug, Clone, Serialize)]
pub struct Said {
    pub code: String,
    pub params: Map<String, Value>,
    pub text: String,
}

impl Said {
    pub(super) fn new(message: &Message, locale: &str, zone: Tz) -> Self {
        let text = words::harmless(&words::say(message, locale, zone));
        Self { code: message.code.clone(), params: message.params.clone(), text }
    }
}

#[derive(Debug, Clone, Serialize)]
pub struct CompanyView {
    pub id: i64,
    pub name: String,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobsPage {
    pub jobs: Vec<JobView>,
    /// The `before` of the next page, if there is one.
    pub next: Option<i64>,
    /// What keeps all of them that are not done from getting on, if anything does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_by: Option<Said>,
}

/// A run.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobView {
    pub run: i64,
    pub job: i64,
    pub handle: String,
    pub name: String,
    pub run_name: String,
    pub company: CompanyView,
    pub kind: JobKind,
    #[serde(rename = "type")]
    pub job_type: String,
    pub state: State,
    pub outcome: Option<Outcome>,
    pub responsible: String,
    pub submitter: String,
    pub client: Option<String>,
    pub description: Option<String>,
    pub locale: Option<String>,
    pub due_at: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    pub attempt: i64,
    pub failures: i64,
    pub progress: ProgressView,
    pub counters: CountersView,
    pub fatal_error: Option<Said>,
    pub follow_up_of: Option<i64>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProgressView {
    pub done: i64,
    pub total: i64,
    pub message: Option<Said>,
    pub items: Vec<ItemView>,
    pub updated_at: Option<DateTime<Utc>>,
}

/// An item in work.
#[derive(Debug, Clone, Serialize)]
pub struct ItemView {
    pub name: String,
    /// From 0 to 1.
    pub fraction: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CountersView {
    pub success: i64,
    pub updated: i64,
    /// Those of both that are pages, layers and renditions made of files.
    pub parts: i64,
    /// Those of the errors that are about such.
    pub failed_parts: i64,
    pub duplicates: i64,
    /// Those of the duplicates whose content is nowhere.
    pub left_out: i64,
    pub warnings: i64,
    pub errors: i64,
    pub transferred: i64,
    pub transfer_warnings: i64,
    pub transfer_errors: i64,
}

impl From<Counters> for CountersView {
    fn from(counters: Counters) -> Self {
        let Counters {
            success,
            error,
            warning,
            duplicate,
            left_out,
            update,
            part,
            part_error,
            transfer_success,
            transfer_error,
            transfer_warning,
        } = counters;
        Self {
            success,
            updated: update,
            parts: part,
            failed_parts: part_error,
            duplicates: duplicate,
            left_out,
            warnings: warning,
            errors: error,
            transferred: transfer_success,
            transfer_warnings: transfer_warning,
            transfer_errors: transfer_error,
        }
    }
}

/// A job that fires by itself.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleView {
    pub job: i64,
    pub handle: String,
    pub name: String,
    pub company: CompanyView,
    pub kind: JobKind,
    pub responsible: String,
    pub trigger_state: TriggerState,
    /// None: it fires once.
    pub schedule: Option<String>,
    /// The schedule in English.
    pub means: Option<String>,
    pub zone: String,
    pub next_fire_at: Option<DateTime<Utc>>,
    pub last_fire_at: Option<DateTime<Utc>>,
    /// A run of it is not done.
    pub busy: bool,
    pub waits: Option<Said>,
    pub slots: Vec<SlotView>,
}

impl ScheduleView {
    pub(super) fn new(job: &ScheduledJob, waits: Option<Said>, slots: Vec<SlotView>, zone: Tz) -> Self {
        let schedule = job.exec_schedule.as_deref().and_then(|text| Schedule::parse(text).ok());
        Self {
            job: job.id.0,
            handle: crate::model::handle::submitted_job(job.company, &job.name),
            name: job.name.clone(),
            company: CompanyView { id: job.company.0, name: job.company_name.clone() },
            kind: job.kind,
            responsible: job.email.clone(),
            trigger_state: job.trigger_state,
            schedule: job.exec_schedule.clone(),
            means: schedule.map(|schedule| schedule.describe()),
            zone: zone.name().to_owned(),
            next_fire_at: job.next_fire_at,
            last_fire_at: job.last_fire_at,
            busy: job.busy,
            waits,
            slots,
        }
    }
}

/// What became of an expected firing.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SlotView {
    pub due_at: DateTime<Utc>,
    /// The last of several instants with one fate; `due_at` is the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
    /// How many there are.
    pub count: i64,
    pub disposition: Disposition,
    pub reason: Option<Said>,
    pub run: Option<i64>,
    pub decided_at: DateTime<Utc>,
}

/// A mail or a completion URL.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NoticeView {
    pub channel: String,
    pub moment: String,
    pub recipient: String,
    pub state: String,
    pub attempts: i64,
    pub next_try_at: Option<DateTime<Utc>>,
    pub last_error: Option<String>,
    pub finished_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, Serialize)]
pub struct LogPage {
    pub lines: Vec<LineView>,
    /// The `after` of the next page, if there is one.
    pub next: Option<i64>,
}

#[derive(Debug, Clone, Serialize)]
pub struct LineView {
    pub id: i64,
    pub at: DateTime<Utc>,
    #[serde(rename = "type")]
    pub log_type: LogType,
    pub severity: Option<Severity>,
    #[serde(flatten)]
    pub message: Said,
    pub asset: Option<AssetView>,
}

#[derive(Debug, Clone, Serialize)]
pub struct AssetView {
    pub id: Option<i64>,
    pub name: String,
    #[serde(rename = "type")]
    pub file_type: Option<String>,
}
