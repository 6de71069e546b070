//! getJobLogs, getJobLogDetails, getAssetJobLogs.

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{given, named_job, run_handle, time_text};
use crate::model::handle;
use crate::model::id::InstanceId;
use crate::model::invalid::{Invalid, UnknownConstant};
use crate::model::job::JobSpec;
use crate::model::log::{FileType, LogType};
use crate::model::outcome::Outcome;
use crate::service::access::{EVERYBODY, Operation};
use crate::service::pages::Pages;
use crate::service::{Caller, Error, Services};
use crate::store::jobs::query::{Detail, DetailFilter, Run, RunFilter, RunOrder};
use crate::words;

const GET_JOB_LOGS: Operation = Operation { name: "getJobLogs", roles: EVERYBODY };
/// The reference leaves TrialSiteAdmin out here, who may read the same logs through getJobLogs.
const GET_JOB_LOG_DETAILS: Operation = Operation { name: "getJobLogDetails", roles: EVERYBODY };
const GET_ASSET_JOB_LOGS: Operation = Operation { name: "getAssetJobLogs", roles: EVERYBODY };

/// Most records in a page, and how many there are when the caller does not say (reference, getJobLogDetails).
const MOST_RECORDS: u32 = 1000;

/// Most runs of one name in a reply with their lines.
const MOST_LOGS: u32 = 100;

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GetJobLogsParam {
    pub company_handle: Option<String>,
    pub user_handle: Option<String>,
    pub sort_by: Option<String>,
    pub sort_direction: Option<String>,
    pub start_date: Option<String>,
    pub end_date: Option<String>,
    pub num_rows: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GetJobLogDetailsParam {
    pub company_handle: String,
    pub job_handle: Option<String>,
    pub original_name: Option<String>,
    pub log_type_array: Option<Vec<String>>,
    pub records_per_page: Option<i64>,
    pub results_page: Option<i64>,
    pub sort_by: Option<String>,
    pub sort_direction: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetJobLogDetailsReturn {
    pub job_log_array: Vec<JobLog>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobLog {
    pub company_handle: String,
    pub job_handle: String,
    pub job_name: String,
    pub original_job_name: String,
    pub submit_user_email: String,
    pub log_type: LogType,
    pub job_sub_type: String,
    pub start_date: Option<String>,
    pub end_date: Option<String>,
    pub description: String,
    pub file_success_count: i64,
    pub file_error_count: i64,
    pub file_warning_count: i64,
    pub file_duplicate_count: i64,
    pub file_update_count: i64,
    pub total_file_count: i64,
    pub transfer_success_count: i64,
    pub transfer_error_count: i64,
    pub transfer_warning_count: i64,
    pub fatal_error: bool,
    pub detail_total_rows: Option<i64>,
    pub detail_array: Option<Vec<JobLogDetail>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobLogDetail {
    pub log_message: String,
    pub log_type: LogType,
    pub date_created: String,
    pub asset_name: Option<String>,
    pub asset_type: Option<String>,
    pub asset_handle: Option<String>,
    /// Always empty: what the API puts there are lines of their own here.
    pub aux_array: Vec<Value>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GetAssetJobLogsParam {
    pub company_handle: String,
    pub asset_handle: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetAssetJobLogsReturn {
    pub job_log_array: Vec<AssetJobLog>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AssetJobLog {
    pub job_handle: String,
    pub job_name: String,
    pub log_message: String,
    pub log_type: LogType,
    pub submit_user_email: String,
    pub log_date: String,
    pub aux_array: Vec<Value>,
}

impl Services {
    /// Without sortBy and sortDirection the newest come first, so that numRows keeps what a poller looks for.
    pub async fn get_job_logs(&self, caller: &Caller, param: GetJobLogsParam) -> Result<Pages<JobLog>, Error> {
        let companies = self.companies_for(caller, &GET_JOB_LOGS, given(&param.company_handle)).await?;
        let account = match given(&param.user_handle) {
            None => None,
            Some(text) => Some(handle::parse_account("userHandle", text)?),
        };
        let sort_by = given(&param.sort_by);
        let most = rows("numRows", param.num_rows, MOST_RECORDS, u32::MAX)?;
        let filter = RunFilter {
            companies,
            account,
            from: given(&param.start_date).map(|text| self.date("startDate", text)).transpose()?,
            until: given(&param.end_date).map(|text| self.date("endDate", text)).transpose()?,
            order: sort_by.map_or(Ok(RunOrder::StartDate), run_order)?,
            descending: descending(given(&param.sort_direction))?.unwrap_or(sort_by.is_none()),
            // One more says whether any is left out.
            limit: Some(most.saturating_add(1)),
            ..RunFilter::default()
        };
        let mut numbers = self.store.run_numbers(&filter).await?;
        if numbers.len() > most as usize {
            numbers.truncate(most as usize);
            if param.num_rows.is_none() {
                left_out(&GET_JOB_LOGS, most, "runs beyond them, for the call has no numRows");
            }
        }
        let services = self.clone();
        let read = move |page: Vec<InstanceId>| -> BoxFuture<'static, Result<Vec<JobLog>, Error>> {
            let services = services.clone();
            Box::pin(async move {
                let runs = services.store.numbered_runs(&page).await?;
                Ok(runs.iter().map(|run| services.job_log(run)).collect())
            })
        };
        Pages::read(numbers, read).await
    }

    /// A recurring job has many runs of one name: the newest come, the newest first, with no more lines in all than one run
    /// may have. detailTotalRows says how many there are; the rest comes by the handle of a run.
    pub async fn get_job_log_details(
        &self,
        caller: &Caller,
        param: GetJobLogDetailsParam,
    ) -> Result<GetJobLogDetailsReturn, Error> {
        let company = self.in_any_company(caller, &GET_JOB_LOG_DETAILS, "companyHandle", &param.company_handle).await?;
        let (job_handle, original_name) = (named_job(&param.job_handle), named_job(&param.original_name));
        if job_handle.is_none() && original_name.is_none() {
            return Err(Error::missing("jobHandle", "either it or originalName says whose log to read"));
        }
        let details = detail_filter(&param)?;
        let mut filter = RunFilter {
            companies: Some(vec![company.id]),
            job_name: original_name.map(str::to_owned),
            order: RunOrder::Number,
            descending: true,
            limit: Some(MOST_LOGS + 1),
            ..RunFilter::default()
        };
        let mut logs = Vec::new();
        let mut left = MOST_RECORDS;
        if Self::by_handle(job_handle, Some(&[company.id]), &mut filter)? {
            let mut runs = self.store.runs(&filter).await?;
            if runs.len() > MOST_LOGS as usize {
                runs.truncate(MOST_LOGS as usize);
                left_out(
                    &GET_JOB_LOG_DETAILS,
                    MOST_LOGS,
                    "older runs of the name, which are asked for by their handles",
                );
            }
            for run in runs {
                let mut log = self.job_log(&run);
                log.detail_total_rows = Some(self.store.count_details(run.id, &details).await?);
                let page = DetailFilter { limit: details.limit.min(left), ..details.clone() };
                let lines = self.store.details(run.id, &page).await?;
                left = left.saturating_sub(u32::try_from(lines.len()).unwrap_or(u32::MAX));
                log.detail_array = Some(lines.iter().map(|line| self.detail(caller, line)).collect());
                logs.push(log);
            }
        }
        Ok(GetJobLogDetailsReturn { job_log_array: logs })
    }

    pub async fn get_asset_job_logs(
        &self,
        caller: &Caller,
        param: GetAssetJobLogsParam,
    ) -> Result<GetAssetJobLogsReturn, Error> {
        let company = self.in_company(caller, &GET_ASSET_JOB_LOGS, "companyHandle", &param.company_handle).await?;
        let asset = handle::parse_asset("assetHandle", &param.asset_handle)?;
        let mut lines = self.store.asset_details(asset, MOST_RECORDS + 1).await?;
        if lines.len() > MOST_RECORDS as usize {
            lines.truncate(MOST_RECORDS as usize);
            left_out(&GET_ASSET_JOB_LOGS, MOST_RECORDS, "older lines about the asset");
        }
        // Lines about an asset belong to runs of its company, so that an asset of another company has none here.
        let logs = lines.iter().filter(|(_, run)| run.company == company.id).map(|(line, run)| AssetJobLog {
            job_handle: run_handle(run),
            job_name: run.run_name.clone(),
            log_message: self.say(caller, line),
            log_type: line.log_type,
            submit_user_email: run.submitter_email.clone(),
            log_date: time_text(line.logged_at, self.store.zone()),
            aux_array: Vec::new(),
        });
        Ok(GetAssetJobLogsReturn { job_log_array: logs.collect() })
    }

    fn say(&self, caller: &Caller, line: &Detail) -> String {
        words::say(&line.message, caller.locale.as_str(), self.store.zone())
    }

    fn job_log(&self, run: &Run) -> JobLog {
        let zone = self.store.zone();
        let counters = &run.counters;
        JobLog {
            company_handle: handle::company(run.company),
            job_handle: run_handle(run),
            job_name: run.run_name.clone(),
            original_job_name: run.job_name.clone(),
            submit_user_email: run.submitter_email.clone(),
            log_type: run.kind.begin_log(),
            job_sub_type: sub_type(&run.spec).to_owned(),
            start_date: run.started_at.map(|at| time_text(at, zone)),
            end_date: run.finished_at.map(|at| time_text(at, zone)),
            description: run.description.clone().unwrap_or_default(),
            file_success_count: counters.success,
            file_error_count: counters.error,
            file_warning_count: counters.warning,
            file_duplicate_count: counters.duplicate,
            file_update_count: counters.update,
            total_file_count: counters.files(),
            transfer_success_count: counters.transfer_success,
            transfer_error_count: counters.transfer_error,
            transfer_warning_count: counters.transfer_warning,
            fatal_error: run.outcome == Some(Outcome::Failed),
            detail_total_rows: None,
            detail_array: None,
        }
    }

    fn detail(&self, caller: &Caller, line: &Detail) -> JobLogDetail {
        JobLogDetail {
            log_message: self.say(caller, line),
            log_type: line.log_type,
            date_created: time_text(line.logged_at, self.store.zone()),
            asset_name: line.asset_name.clone(),
            asset_type: line.file_type.clone(),
            asset_handle: asset_handle(line),
            aux_array: Vec::new(),
        }
    }

    /// A date of a filter; one without a zone is a time on the server's clock.
    fn date(&self, field: &str, text: &str) -> Result<DateTime<Utc>, Error> {
        super::submit::instant(field, text, self.store.zone())
    }
}

/// The handle that the asset has everywhere. One that is gone for good has it still, as far as the file type of the line
/// says what it was: the line names what clients wrote down when it was there.
fn asset_handle(line: &Detail) -> Option<String> {
    let told = || line.file_type.as_deref()?.parse().ok().and_then(FileType::asset_type);
    Some(handle::asset(line.asset?, line.asset_type.or_else(told)?))
}

/// The API has no place in these answers to say that they are not all.
fn left_out(operation: &Operation, most: u32, what: &str) {
    tracing::info!(operation = operation.name, most, "an answer leaves out {what}");
}

/// jobSubType is set for image serving publish jobs only.
const fn sub_type(spec: &JobSpec) -> &'static str {
    match spec {
        JobSpec::ImageServingPublish(job) => job.publish_type.job_sub_type(),
        _ => "",
    }
}

fn run_order(text: &str) -> Result<RunOrder, Error> {
    Ok(match text {
        "JobName" => RunOrder::JobName,
        "LogType" => RunOrder::Kind,
        "StartDate" => RunOrder::StartDate,
        "CompanyName" => RunOrder::CompanyName,
        "UserId" => RunOrder::AccountId,
        "Email" => RunOrder::Email,
        "FileErrorCount" => RunOrder::Errors,
        "FileWarningCount" => RunOrder::Warnings,
        "FileSuccessCount" => RunOrder::Successes,
        other => {
            let known = [
                "JobName",
                "LogType",
                "StartDate",
                "CompanyName",
                "UserId",
                "Email",
                "FileErrorCount",
                "FileWarningCount",
                "FileSuccessCount",
            ];
            return Err(unknown("sortBy", "job log sort field", other, &known));
        }
    })
}

fn unknown(field: &str, what: &str, text: &str, known: &[&str]) -> Error {
    Invalid::new(field, UnknownConstant::new(what, text, known.iter().copied()).to_string()).into()
}

/// Printed in lower case on one page of the reference.
fn descending(text: Option<&str>) -> Result<Option<bool>, Error> {
    match text {
        None => Ok(None),
        Some(text) if text.eq_ignore_ascii_case("Ascending") => Ok(Some(false)),
        Some(text) if text.eq_ignore_ascii_case("Descending") => Ok(Some(true)),
        Some(other) => Err(unknown("sortDirection", "sort direction", other, &["Ascending", "Descending"])),
    }
}

/// A number of rows; more than `most` means `most`.
fn rows(field: &str, number: Option<i64>, default: u32, most: u32) -> Result<u32, Error> {
    match number {
        None => Ok(default),
        Some(number) if number < 1 => Err(Invalid::new(field, format!("must be 1 or more, not {number}")).into()),
        Some(number) => Ok(u32::try_from(number).unwrap_or(most).min(most)),
    }
}

fn detail_filter(param: &GetJobLogDetailsParam) -> Result<DetailFilter, Error> {
    let limit = rows("recordsPerPage", param.records_per_page, MOST_RECORDS, MOST_RECORDS)?;
    let page = rows("resultsPage", param.results_page, 1, u32::MAX)?;
    let log_types = match param.log_type_array.as_deref() {
        None | Some([]) => None,
        // A log type that this server never writes matches nothing, which is no error.
        Some(names) => Some(names.iter().filter_map(|name| name.trim().parse().ok()).collect()),
    };
    let by_log_type = match given(&param.sort_by) {
        None | Some("Date") => false,
        Some("LogType") => true,
        Some(other) => return Err(unknown("sortBy", "job detail sort field", other, &["Date", "LogType"])),
    };
    Ok(DetailFilter {
        after: None,
        log_types,
        codes: &[],
        by_log_type,
        worst_first: false,
        descending: descending(given(&param.sort_direction))?.unwrap_or(false),
        limit,
        offset: u64::from(page - 1) * u64::from(limit),
    })
}
