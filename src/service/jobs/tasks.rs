//! getUploadTaskStatus: what became of each file of an upload.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{OPERATORS, no_such_job, time_text};
use crate::model::handle::{self, JobHandle};
use crate::model::outcome::Outcome;
use crate::model::state::State;
use crate::service::access::Operation;
use crate::service::{Caller, Error, Services};
use crate::store::jobs::query::{RunFilter, RunOrder};

const GET_UPLOAD_TASK_STATUS: Operation = Operation { name: "getUploadTaskStatus", roles: OPERATORS };

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GetUploadTaskStatusParam {
    pub job_handle: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetUploadTaskStatusReturn {
    /// One for each server that works on it: this one.
    pub upload_task_status_array: Vec<ClusterUploadTaskStatus>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterUploadTaskStatus {
    pub status_array: Vec<UploadTaskStatus>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UploadTaskStatus {
    pub job_handle: String,
    pub is_job_stopped: bool,
    pub last_added: String,
    pub last_completed: Option<String>,
    pub task_array: Vec<UploadTask>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UploadTask {
    pub file: String,
    pub processing_status: String,
    pub workflow_state: String,
    /// From 0.0 to 1.0.
    pub progress: f64,
    pub renditions: Vec<Value>,
}

impl Services {
    /// The reference leaves the words of the states open; they are those of TaskState.
    pub async fn get_upload_task_status(
        &self,
        caller: &Caller,
        param: GetUploadTaskStatusParam,
    ) -> Result<GetUploadTaskStatusReturn, Error> {
        let parsed = handle::parse_job("jobHandle", &param.job_handle)?;
        let company = handle::company(parsed.company());
        let company = self.in_company(caller, &GET_UPLOAD_TASK_STATUS, "jobHandle", &company).await?;
        let mut filter =
            RunFilter { order: RunOrder::Number, descending: true, limit: Some(1), ..RunFilter::default() };
        Self::by_handle(Some(&param.job_handle), Some(&[company.id]), &mut filter)?;
        if let JobHandle::Submitted { .. } = parsed {
            filter.kind = Some(crate::model::kind::JobKind::UploadPost);
        }
        let run = self.store.runs(&filter).await?.pop().ok_or_else(|| no_such_job(&param.job_handle))?;
        let done = self.store.done_items(run.id).await?;
        let working = |key: &str, path: &str| {
            run.progress_items.iter().find(|(name, _)| name == key || name == path).map(|(_, fraction)| *fraction)
        };
        let files = self.store.posted_files(run.id).await?;
        let task_array = files.into_iter().enumerate().map(|(index, file)| {
            let key = format!("{} {}", index + 1, file.path);
            let (state, progress) = if done.contains_key(&key) {
                ("Done", 1.0)
            } else if let Some(fraction) = working(&key, &file.path) {
                ("Processing", fraction)
            } else if run.state == State::Done {
                ("Failed", 0.0)
            } else {
                ("New", 0.0)
            };
            UploadTask {
                file: handle::folder_path(&company.root_path, &file.path).trim_end_matches('/').to_owned(),
                processing_status: state.to_owned(),
                workflow_state: run.state.to_string(),
                progress,
                renditions: Vec::new(),
            }
        });
        let zone = self.store.zone();
        let last_added = self.store.last_post(run.id).await?.unwrap_or(run.created_at);
        let status = UploadTaskStatus {
            job_handle: super::run_handle(&run),
            is_job_stopped: run.outcome == Some(Outcome::Stopped),
            last_added: time_text(last_added, zone),
            last_completed: run.finished_at.map(|at| time_text(at, zone)),
            task_array: task_array.collect(),
        };
        Ok(GetUploadTaskStatusReturn {
            upload_task_status_array: vec![ClusterUploadTaskStatus { status_array: vec![status] }],
        })
    }
}
