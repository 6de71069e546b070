//! getActiveJobs.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{OPERATORS, echo, given, named_job, run_handle, time_text};
use crate::model::handle;
use crate::model::id::InstanceId;
use crate::model::kind::JobKind;
use crate::model::state::State;
use crate::service::access::Operation;
use crate::service::pages::Pages;
use crate::service::{Caller, Error, Services};
use crate::store::jobs::query::{Run, RunFilter, RunOrder};
use crate::words;

const GET_ACTIVE_JOBS: Operation = Operation { name: "getActiveJobs", roles: OPERATORS };

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GetActiveJobsParam {
    pub company_handle: Option<String>,
    pub job_handle: Option<String>,
    pub original_name: Option<String>,
    /// Absent means true: who waits for a job to disappear must see it from the start.
    pub include_waiting_jobs: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActiveJob {
    pub company_handle: String,
    pub job_handle: String,
    pub name: String,
    pub original_name: String,
    #[serde(rename = "type")]
    pub job_type: String,
    pub state: State,
    pub submit_user_email: String,
    pub locale: Option<String>,
    pub description: Option<String>,
    pub server_name: String,
    pub start_date: String,
    pub trigger_time: String,
    /// Units of work: files, URLs, assets.
    pub total_size: i64,
    /// Those of them that are done.
    pub progress: i64,
    pub progress_message: String,
    pub last_progress_update: String,
    pub task_progress_array: Vec<TaskProgress>,
    #[serde(flatten)]
    pub element: Map<String, Value>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskProgress {
    pub task_type: String,
    pub task_state: String,
    pub num_processed: i64,
    pub num_processing: i64,
    pub num_pending: i64,
    /// From 0.0 to 1.0.
    pub progress: f64,
    pub progress_message: String,
    pub last_progress_update: String,
    pub task_item_progress_array: Vec<TaskItemProgress>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskItemProgress {
    pub item_name: String,
    /// From 0.0 to 1.0.
    pub progress: f64,
    pub progress_message: String,
    pub last_progress_update: String,
}

impl Services {
    /// All of them, however many: a job that is missing passes for done. One that ends while the answer is read may be in
    /// it or not.
    pub async fn get_active_jobs(&self, caller: &Caller, param: GetActiveJobsParam) -> Result<Pages<ActiveJob>, Error> {
        let companies = self.companies_for(caller, &GET_ACTIVE_JOBS, given(&param.company_handle)).await?;
        let mut filter = RunFilter {
            companies: companies.clone(),
            job_name: named_job(&param.original_name).map(str::to_owned),
            done: Some(false),
            order: RunOrder::Number,
            ..RunFilter::default()
        };
        if param.include_waiting_jobs == Some(false) {
            filter.states = Some(vec![State::Running, State::Stopping]);
        }
        let numbers = match Self::by_handle(named_job(&param.job_handle), companies.as_deref(), &mut filter)? {
            true => self.store.run_numbers(&filter).await?,
            false => Vec::new(),
        };
        let (services, caller) = (self.clone(), Arc::new(caller.clone()));
        let read = move |page: Vec<InstanceId>| -> BoxFuture<'static, Result<Vec<ActiveJob>, Error>> {
            let (services, caller) = (services.clone(), caller.clone());
            Box::pin(async move {
                let runs = services.store.numbered_runs(&page).await?;
                let active = runs.iter().filter(|run| run.state != State::Done);
                Ok(active.map(|run| services.active_job(&caller, run)).collect())
            })
        };
        Pages::read(numbers, read).await
    }

    fn active_job(&self, caller: &Caller, run: &Run) -> ActiveJob {
        let zone = self.store.zone();
        let started = run.started_at.unwrap_or(run.created_at);
        let updated = time_text(run.progress_at.unwrap_or(started), zone);
        let message = run.progress.as_ref().map(|message| words::say(message, caller.locale.as_str(), zone));
        let message = message.unwrap_or_default();
        ActiveJob {
            company_handle: handle::company(run.company),
            job_handle: run_handle(run),
            name: run.run_name.clone(),
            original_name: run.job_name.clone(),
            job_type: run.kind.type_name().to_owned(),
            state: run.state,
            submit_user_email: run.submitter_email.clone(),
            locale: run.locale.clone(),
            description: run.description.clone(),
            server_name: self.settings().server_name.clone(),
            start_date: time_text(started, zone),
            trigger_time: time_text(run.due_at, zone),
            total_size: run.items_total,
            progress: run.items_done,
            task_progress_array: task(run, &message, &updated).into_iter().collect(),
            progress_message: message,
            last_progress_update: updated,
            element: echo::element(&run.spec),
        }
    }
}

/// The task list of an upload, as recorded ones look; publish jobs have none.
fn task(run: &Run, message: &str, updated: &str) -> Option<TaskProgress> {
    match run.kind {
        JobKind::UploadDirectory | JobKind::UploadUrls | JobKind::UploadPost | JobKind::ReprocessAssets => {}
        _ => return None,
    }
    let processing = i64::try_from(run.progress_items.len()).unwrap_or(i64::MAX);
    let state = match run.state {
        State::New | State::WaitingClient | State::WaitingCoordinator => "New",
        State::Running => "Processing",
        State::Stopping => "Stopping",
        State::Done => "Done",
    };
    Some(TaskProgress {
        task_type: "com.scene7.upload.UploadAsyncTaskMonitor".to_owned(),
        task_state: state.to_owned(),
        num_processed: run.items_done,
        num_processing: processing,
        num_pending: (run.items_total - run.items_done - processing).max(0),
        progress: if run.items_total > 0 { run.items_done as f64 / run.items_total as f64 } else { 0.0 },
        progress_message: message.to_owned(),
        last_progress_update: updated.to_owned(),
        task_item_progress_array: run
            .progress_items
            .iter()
            .map(|(name, fraction)| TaskItemProgress {
                item_name: name.clone(),
                progress: *fraction,
                progress_message: String::new(),
                last_progress_update: updated.to_owned(),
            })
            .collect(),
    })
}
