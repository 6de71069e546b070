//! submitJob.

use chrono::{DateTime, Datelike, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{OPERATORS, given};
use crate::model::asset::{AssetType, ContextKind, TrashState};
use crate::model::date_time::XsdDateTime;
use crate::model::handle;
use crate::model::id::AccountId;
use crate::model::invalid::Invalid;
use crate::model::job::{ColorManagement, JobSpec};
use crate::model::kind::JobKind;
use crate::model::locale::Locale;
use crate::model::name;
use crate::model::schedule::Schedule;
use crate::model::trigger::Trigger;
use crate::service::access::Operation;
use crate::service::{Caller, Error, Services};
use crate::store::companies::Company;
use crate::store::jobs::submit::{NewJob, NewRun, SubmitError, Submitted};

/// The last year of an execTime. Replies have no form for a time after 9999, which local time may reach first.
const LAST_YEAR: i32 = 9998;

const SUBMIT_JOB: Operation = Operation { name: "submitJob", roles: OPERATORS };

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SubmitJobParam {
    pub company_handle: String,
    pub user_handle: Option<String>,
    pub job_name: String,
    pub locale: Option<String>,
    pub exec_time: Option<String>,
    pub exec_schedule: Option<String>,
    pub description: Option<String>,
    /// The job element.
    #[serde(flatten)]
    pub elements: Map<String, Value>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubmitJobReturn {
    pub job_handle: String,
}

/// A submission that has passed every check.
#[derive(Debug, Clone)]
pub struct Checked {
    pub company: Company,
    pub job: NewJob,
}

impl Checked {
    /// When the job was to run, if it runs at once because that has passed.
    pub fn passed(&self) -> Option<DateTime<Utc>> {
        self.job.run.as_ref().and_then(|run| run.passed)
    }
}

/// A submission that was written down.
#[derive(Debug, Clone)]
pub struct Accepted {
    pub job_handle: String,
    pub submitted: Submitted,
    /// When it was to run, if it runs at once because that has passed.
    pub passed: Option<DateTime<Utc>>,
    /// When it fires first, if it does not run at once.
    pub fires_at: Option<DateTime<Utc>>,
}

impl Services {
    pub async fn submit_job(&self, caller: &Caller, param: SubmitJobParam) -> Result<SubmitJobReturn, Error> {
        let Accepted { job_handle, .. } = self.submit_job_numbered(caller, param).await?;
        Ok(SubmitJobReturn { job_handle })
    }

    /// The same, with what only administrators see.
    pub async fn submit_job_numbered(&self, caller: &Caller, param: SubmitJobParam) -> Result<Accepted, Error> {
        let checked = self.check_job(caller, param).await?;
        let job_handle = handle::submitted_job(checked.company.id, &checked.job.name);
        let (passed, fires_at) = (checked.passed(), checked.job.next_fire_at);
        let submitted = self.store.submit(checked.job).await.map_err(|error| match error {
            SubmitError::NameTaken(name) => {
                Invalid::new("jobName", format!("must be another: a scheduled job named \"{name}\" already exists"))
                    .into()
            }
            SubmitError::Store(error) => Error::from(error),
        })?;
        Ok(Accepted { job_handle, submitted, passed, fires_at })
    }

    /// Everything that submitJob checks, without submitting.
    pub async fn check_job(&self, caller: &Caller, param: SubmitJobParam) -> Result<Checked, Error> {
        if param.company_handle.trim().is_empty() {
            return Err(Error::missing("companyHandle", "it says which company the job belongs to"));
        }
        let company = self.in_company(caller, &SUBMIT_JOB, "companyHandle", param.company_handle.trim()).await?;
        name::check_job_name("jobName", &param.job_name)?;
        let responsible = self.responsible(caller, &company, &param).await?;
        let locale = given(&param.locale).map(Locale::parse_known).transpose()?;
        let now = self.clock.now();
        // An empty element is one that was not filled in; blanks were meant to be something.
        let schedule = param.exec_schedule.as_deref().filter(|text| !text.is_empty());
        let trigger = trigger(given(&param.exec_time), schedule, self.store.zone())?;
        let spec = job_element(&param.elements)?;
        self.check_order(&company, &spec).await?;
        let passed = match &trigger {
            Trigger::ExecTime(at) if *at <= now => Some(*at),
            Trigger::ExecTime(_) | Trigger::AtOnce | Trigger::ExecSchedule(_) => None,
        };
        let (trigger, next_fire_at) = first_fire_time(trigger, now, self.store.zone())?;
        let run = match next_fire_at {
            None => Some(NewRun { passed, ..NewRun::at(now, spec.exclusive_key(company.id)) }),
            Some(_) => None,
        };
        let job = NewJob {
            company: company.id,
            name: param.job_name,
            spec,
            responsible,
            submitter: caller.account,
            locale,
            description: param.description.filter(|text| !text.is_empty()),
            client: caller.client.clone(),
            address: caller.address.clone(),
            created_at: now,
            trigger,
            next_fire_at,
            run,
            parent: None,
        };
        Ok(Checked { company, job })
    }

    /// Checks what an order names against what the company has.
    pub(in crate::service) async fn check_order(&self, company: &Company, spec: &JobSpec) -> Result<(), Error> {
        self.check_context(company, spec).await?;
        self.check_grouped(spec)?;
        self.check_presets(company.id, spec).await?;
        self.check_profiles(company, spec).await?;
        if let Some(options) = spec.processing().and_then(|options| options.metadata_options.as_ref()) {
            let checked = self.check_metadata(company.id, &options.update_array).await;
            checked.map_err(|error| error.within(&format!("{}/metadataOptions", spec.kind())))?;
        }
        match spec {
            JobSpec::Export(order) => self.check_export(company.id, order).await,
            _ => Ok(()),
        }
    }

    async fn responsible(
        &self,
        caller: &Caller,
        company: &Company,
        param: &SubmitJobParam,
    ) -> Result<AccountId, Error> {
        match given(&param.user_handle) {
            None => Ok(caller.account),
            Some(text) => match handle::parse_account("userHandle", text)? {
                // Administrators of the server belong to no company, and act in every one.
                own if own == caller.account => Ok(own),
                id => Ok(self.member(company, "userHandle", id).await?.id),
            },
        }
    }

    /// Profile handles must name colour profiles of the company that pictures can be in.
    async fn check_profiles(&self, company: &Company, spec: &JobSpec) -> Result<(), Error> {
        let options = spec.processing().and_then(|options| options.color_management_options.as_ref());
        let Some(options) = options.filter(|options| options.color_management == ColorManagement::Convert) else {
            return Ok(());
        };
        let handles = [
            ("sourceProfileHandle", &options.source_profile_handle),
            ("outputProfileHandle", &options.output_profile_handle),
        ];
        for (name, handle) in handles {
            let Some(text) = given(handle) else { continue };
            let field = format!("{}/colorManagementOptions/{name}", spec.kind().element());
            let asset = handle::parse_asset(&field, text)?;
            let found = self.store.assets(company.id, &[asset]).await?;
            let found = found.iter().find(|asset| asset.trash_state == TrashState::NotInTrash);
            let rule = match found {
                None => "must name an asset of the company that is not in the trash".to_owned(),
                Some(found) if found.asset_type != AssetType::IccProfile => {
                    format!("must name a colour profile; {} is of type {}", found.name, found.asset_type)
                }
                Some(found) if found.facts.colorspace.is_none() => {
                    format!("must name a colour profile for gray, RGB or CMYK, which {} is not", found.name)
                }
                Some(_) => continue,
            };
            return Err(Invalid::new(field, rule).into());
        }
        Ok(())
    }

    /// A contextHandle must name a context of the company, of the kind that the job publishes to.
    async fn check_context(&self, company: &Company, spec: &JobSpec) -> Result<(), Error> {
        let follow_up = spec.follow_up();
        let own = (spec, format!("{}/contextHandle", spec.kind()));
        let follow_up = follow_up.as_ref().map(|publish| {
            let (first, rest) = publish.kind().element().split_at(1);
            (publish, format!("{}/post{}{rest}/contextHandle", spec.kind(), first.to_uppercase()))
        });
        for (publish, field) in std::iter::once(own).chain(follow_up) {
            let Some((kind, text)) = publish_context(publish) else { continue };
            let id = handle::parse_context(&field, text)?;
            let contexts = self.store.publish_contexts(company.id).await?;
            if !contexts.iter().any(|context| context.id == id && context.kind == kind) {
                let rule = format!("must name a publish context of the company of type {kind}; see getPublishContexts");
                return Err(Invalid::new(field, rule).into());
            }
        }
        Ok(())
    }
}

fn publish_context(spec: &JobSpec) -> Option<(ContextKind, &str)> {
    let (kind, text) = match spec {
        JobSpec::ImageServingPublish(job) => (ContextKind::ImageServing, job.context_handle.as_deref()),
        JobSpec::ImageRenderingPublish(job) => (ContextKind::ImageRendering, job.context_handle.as_deref()),
        JobSpec::VideoPublish(job) => (ContextKind::Video, job.context_handle.as_deref()),
        _ => return None,
    };
    text.filter(|text| !text.is_empty()).map(|text| (kind, text))
}

/// Exactly one job element.
fn job_element(elements: &Map<String, Value>) -> Result<JobSpec, Error> {
    let submittable = |kind: &JobKind| !matches!(kind, JobKind::UploadPost | JobKind::Cleanup);
    let mut given = elements
        .iter()
        .filter(|(_, value)| !value.is_null())
        .filter_map(|(element, value)| Some((JobKind::from_element(element).filter(submittable)?, value)));
    match (given.next(), given.next()) {
        (Some((kind, value)), None) => Ok(JobSpec::parse(kind, value)?),
        (Some((first, _)), Some((second, _))) => {
            let rule = format!("cannot stand beside {}: a job has exactly one job element", first.element());
            Err(Invalid::new(second.element(), rule).into())
        }
        (None, _) => {
            let known: Vec<&str> =
                JobKind::ALL.iter().filter(|kind| submittable(kind)).map(|kind| kind.element()).collect();
            Err(Error::missing("the job element", format!("exactly one is needed, of {}", known.join(", "))))
        }
    }
}

fn trigger(exec_time: Option<&str>, exec_schedule: Option<&str>, zone: Tz) -> Result<Trigger, Error> {
    match (exec_time, exec_schedule) {
        (None, None) => Ok(Trigger::AtOnce),
        (Some(_), Some(_)) => {
            let rule = "cannot stand beside execTime: a job has at most one of the two";
            Err(Invalid::new("execSchedule", rule).into())
        }
        (Some(text), None) => match instant("execTime", text, zone)? {
            at if at.year() <= LAST_YEAR => Ok(Trigger::ExecTime(at)),
            _ => Err(Invalid::new("execTime", format!("must not be later than the year {LAST_YEAR}")).into()),
        },
        (None, Some(text)) => match Schedule::parse(text) {
            Ok(schedule) => Ok(Trigger::ExecSchedule(schedule)),
            Err(error) => Err(Invalid::new("execSchedule", format!("must be a schedule: {error}")).into()),
        },
    }
}

/// An xsd:dateTime. One without a zone is a time on the server's clock: in the hour that comes twice the first, in the
/// hour that is left out the moment after it.
pub(super) fn instant(field: &str, text: &str, zone: Tz) -> Result<DateTime<Utc>, Error> {
    let wall = match XsdDateTime::parse(text) {
        Ok(XsdDateTime::Zoned(instant)) => return Ok(instant.to_utc()),
        Ok(XsdDateTime::Local(wall)) => wall,
        Err(rule) => {
            let shown: String = text.chars().take(60).collect();
            return Err(Invalid::new(field, format!("{rule}; \"{shown}\" is not one")).into());
        }
    };
    let local = |wall: NaiveDateTime| zone.from_local_datetime(&wall).earliest();
    let instant = local(wall).or_else(|| {
        // Inside a gap: the offset before it, which lands just as far behind it.
        (1..=48).find_map(|half_hours| {
            let step = chrono::TimeDelta::minutes(30 * half_hours);
            local(wall - step).map(|before| before + step)
        })
    });
    let instant = instant.ok_or_else(|| Invalid::new(field, "must be a time that exists in the server's zone"))?;
    Ok(instant.with_timezone(&Utc))
}

/// When a trigger fires first. What is due already is due at once.
fn first_fire_time(trigger: Trigger, now: DateTime<Utc>, zone: Tz) -> Result<(Trigger, Option<DateTime<Utc>>), Error> {
    match trigger {
        Trigger::AtOnce => Ok((Trigger::AtOnce, None)),
        Trigger::ExecTime(at) if at <= now => Ok((Trigger::AtOnce, None)),
        Trigger::ExecTime(at) => Ok((Trigger::ExecTime(at), Some(at))),
        Trigger::ExecSchedule(schedule) => match schedule.next_after(now, zone) {
            Some(at) => Ok((Trigger::ExecSchedule(schedule), Some(at))),
            None => {
                Err(Invalid::new("execSchedule", "must be a schedule that fires again; this one never does").into())
            }
        },
    }
}
