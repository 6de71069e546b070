//! getUploadTaskStatus: what became of each file of an upload.

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{OPERATORS, no_such_job, time_text};
use crate::model::handle::{self, JobHandle};
use crate::model::id::CompanyId;
use crate::model::invalid::Invalid;
use crate::model::job::JobSpec;
use crate::model::kind::JobKind;
use crate::model::outcome::Outcome;
use crate::model::state::State;
use crate::outward;
use crate::service::access::Operation;
use crate::service::{Caller, Error, Services};
use crate::store::companies::Company;
use crate::store::jobs::attempt::REFUSED;
use crate::store::jobs::query::{Run, RunFilter, RunOrder};

const GET_UPLOAD_TASK_STATUS: Operation = Operation { name: "getUploadTaskStatus", roles: OPERATORS };

/// The kinds of jobs that upload.
const UPLOADS: [JobKind; 3] = [JobKind::UploadPost, JobKind::UploadUrls, JobKind::UploadDirectory];

/// A file of an upload.
struct Upload {
    /// The item that it is for the run.
    key: String,
    /// What the run says it works on.
    name: String,
    /// As the client sees it.
    shown: String,
}

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
        let run = self.upload_run(company.id, &parsed, &param.job_handle).await?;
        let done = self.store.done_items(run.id).await?;
        let task_array = self.uploads(&company, &run, &done).await?.into_iter().map(|upload| {
            let working = run.progress_items.iter().find(|(name, _)| *name == upload.key || *name == upload.name);
            let (state, progress) = match (done.get(&upload.key), working) {
                (Some(result), _) if result.get(REFUSED).is_some() => ("Failed", 1.0),
                (Some(_), _) => ("Done", 1.0),
                (None, Some((_, fraction))) => ("Processing", *fraction),
                (None, None) if run.state == State::Done => ("Failed", 0.0),
                (None, None) => ("New", 0.0),
            };
            UploadTask {
                file: upload.shown,
                processing_status: state.to_owned(),
                workflow_state: run.state.to_string(),
                progress,
                renditions: Vec::new(),
            }
        });
        let task_array = task_array.collect();
        let zone = self.store.zone();
        let last_added = self.store.last_post(run.id).await?.unwrap_or(run.created_at);
        let status = UploadTaskStatus {
            job_handle: super::run_handle(&run),
            is_job_stopped: run.outcome == Some(Outcome::Stopped),
            last_added: time_text(last_added, zone),
            last_completed: run.finished_at.map(|at| time_text(at, zone)),
            task_array,
        };
        Ok(GetUploadTaskStatusReturn {
            upload_task_status_array: vec![ClusterUploadTaskStatus { status_array: vec![status] }],
        })
    }

    /// The run that a handle names. Of several uploads of one name the newest that goes on is meant, or else the newest.
    async fn upload_run(&self, company: CompanyId, handle: &JobHandle, text: &str) -> Result<Run, Error> {
        let mut filter =
            RunFilter { order: RunOrder::Number, descending: true, limit: Some(1), ..RunFilter::default() };
        Self::by_handle(Some(text), Some(&[company]), &mut filter)?;
        let JobHandle::Submitted { name, .. } = handle else {
            return self.store.runs(&filter).await?.pop().ok_or_else(|| no_such_job(text));
        };
        // Asked for together, since the runs of a name are mostly of one kind: the others would be looked for among all.
        for done in [Some(false), None] {
            let uploads = RunFilter { done, kinds: Some(UPLOADS.to_vec()), ..filter.clone() };
            if let Some(run) = self.store.runs(&uploads).await?.pop() {
                return Ok(run);
            }
        }
        match self.store.job_named(company, name).await? {
            None => Err(no_such_job(text)),
            Some(_) if self.store.runs(&filter).await?.is_empty() => Err(Error::Refused(format!(
                "jobHandle: the job waits for its time and has uploaded nothing yet: \"{text}\""
            ))),
            Some(_) => {
                Err(Invalid::new("jobHandle", format!("must name a job that uploads files, not \"{text}\"")).into())
            }
        }
    }

    /// The files of an upload, in their order. Which files a server directory holds, a run finds out as it goes: those that it has
    /// come to are known.
    async fn uploads(&self, company: &Company, run: &Run, done: &HashMap<String, Value>) -> Result<Vec<Upload>, Error> {
        let below = |path: &str| handle::folder_path(&company.root_path, path).trim_end_matches('/').to_owned();
        Ok(match &run.spec {
            JobSpec::UploadPost(_) => {
                let files = self.store.posted_files(run.id).await?.into_iter().enumerate();
                let upload = |(index, path): (usize, String)| Upload {
                    key: format!("{} {path}", index + 1),
                    shown: below(&path),
                    name: path,
                };
                files.map(|(index, file)| upload((index, file.path))).collect()
            }
            JobSpec::UploadUrls(job) => {
                let upload = |(index, address): (usize, String)| Upload {
                    key: format!("{} {address}", index + 1),
                    name: address.clone(),
                    shown: address,
                };
                job.url_array.iter().map(|url| outward::shown_text(&url.source_url)).enumerate().map(upload).collect()
            }
            JobSpec::UploadDirectory(job) => {
                let folder = handle::strip_root(&company.root_path, job.dest_folder.as_deref().unwrap_or_default());
                // What else a run does has a line break in its key, or begins with a slash.
                let is_file = |key: &&String| !key.contains('\n') && !key.starts_with('/');
                let met = done.keys().chain(run.progress_items.iter().map(|(name, _)| name)).filter(is_file);
                let upload = |path: &String| Upload {
                    key: path.clone(),
                    name: path.clone(),
                    shown: below(format!("{folder}/{path}").trim_start_matches('/')),
                };
                met.collect::<BTreeSet<_>>().into_iter().map(upload).collect()
            }
            _ => Vec::new(),
        })
    }
}
