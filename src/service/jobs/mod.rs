//! Jobs: submitting them, looking at them, and what people do to them.

mod active;
pub mod board;
mod control;
mod disks;
mod echo;
mod logs;
mod named;
mod presets;
mod scheduled;
mod submit;
mod tasks;
mod waiting;

pub use active::{ActiveJob, GetActiveJobsParam, TaskItemProgress, TaskProgress};
pub use control::{Controlled, Effect, JobParam, Nothing, StoppedRun, Taken};
pub use disks::Disks;
pub use echo::shown_order;
pub use logs::{
    AssetJobLog, GetAssetJobLogsParam, GetAssetJobLogsReturn, GetJobLogDetailsParam, GetJobLogDetailsReturn,
    GetJobLogsParam, JobLog, JobLogDetail,
};
pub use named::Verb;
pub use scheduled::{GetScheduledJobsParam, ScheduledJobInfo};
pub use submit::{Accepted, Checked, SubmitJobParam, SubmitJobReturn};
pub use tasks::{GetUploadTaskStatusParam, GetUploadTaskStatusReturn};
pub use waiting::Limits;

use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;

use super::access::Operation;
use super::{Caller, Error, Services};
use crate::model::handle::{self, JobHandle};
use crate::model::id::CompanyId;
use crate::model::invalid::Invalid;
use crate::model::role::Role;
use crate::store::jobs::query::{Run, RunFilter};

/// Who may submit and control jobs. The reference leaves IpsCompanyAdmin out at submitJob and executeJob, yet has it on
/// every other job operation: an editing slip.
pub(super) const OPERATORS: &[Role] = &[
    Role::IpsUser,
    Role::IpsAdmin,
    Role::IpsCompanyAdmin,
    Role::TrialSiteAdmin,
    Role::TrialSiteUser,
    Role::ImagePortalAdmin,
    Role::ImagePortalContrib,
    Role::ImagePortalContribUser,
];

/// An instant as the API shows it: local time with milliseconds and a numeric zone.
fn time_text(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone).to_rfc3339_opts(SecondsFormat::Millis, false)
}

/// An optional field that is empty was not given.
fn given(text: &Option<String>) -> Option<&str> {
    text.as_deref().map(str::trim).filter(|text| !text.is_empty())
}

/// The name of a job that is looked for. Blanks at its ends belong to it, as they did when it was submitted.
fn named_job(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.trim().is_empty())
}

impl Services {
    /// Companies to look at: the one named, or all that the caller may do the operation in. `None` means every company. An
    /// administrator of the server sees those that have expired as well.
    async fn companies_for(
        &self,
        caller: &Caller,
        operation: &Operation,
        company_handle: Option<&str>,
    ) -> Result<Option<Vec<CompanyId>>, Error> {
        match company_handle {
            Some(text) => Ok(Some(vec![self.in_any_company(caller, operation, "companyHandle", text).await?.id])),
            None if caller.is_ips_admin => Ok(None),
            None => {
                caller.may(operation)?;
                let allowed = |role: Role| role == Role::IpsAdmin || operation.roles.contains(&role);
                Ok(Some(caller.roles.iter().filter(|(_, role)| allowed(**role)).map(|(id, _)| *id).collect()))
            }
        }
    }

    /// Narrows `filter` to what a job handle names. False when it names nothing that the caller may know of.
    fn by_handle(text: Option<&str>, companies: Option<&[CompanyId]>, filter: &mut RunFilter) -> Result<bool, Error> {
        let Some(text) = text else { return Ok(true) };
        let handle = handle::parse_job("jobHandle", text)?;
        if companies.is_some_and(|companies| !companies.contains(&handle.company())) {
            return Ok(false);
        }
        filter.companies = Some(vec![handle.company()]);
        match handle {
            JobHandle::Submitted { name, .. } => filter.job_name = Some(name),
            JobHandle::Run { run_name, instance, .. } => {
                filter.run_name = Some(run_name);
                filter.instance = instance;
            }
        }
        Ok(true)
    }
}

/// A handle that names no job the caller may know of.
fn no_such_job(text: &str) -> Error {
    let shown: String = text.chars().take(120).collect();
    Invalid::new("jobHandle", format!("must name a job of the company; there is none named \"{shown}\"")).into()
}

/// The handle of a run.
fn run_handle(run: &Run) -> String {
    handle::run(run.company, &run.run_name, run.id)
}
