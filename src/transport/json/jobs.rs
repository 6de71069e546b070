//! `/api/jobs`.

use std::collections::HashMap;
use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};

use super::JsonState;
use super::problem::Problem;
use crate::model::id::InstanceId;
use crate::model::invalid::Invalid;
use crate::model::kind::JobKind;
use crate::model::locale::Locale;
use crate::model::log::LogType;
use crate::model::state::State as RunState;
use crate::service::jobs::board::{Found, JobsPage, JobsQuery, LogPage, LogQuery, MOST_ON_A_PAGE, Severity};
use crate::service::jobs::{Controlled, Verb};
use crate::service::{Caller, Credentials, Error};
use crate::transport::connections::Visit;
use crate::transport::{proxies, soap};

/// Runs, or lines, in a page when the caller does not say.
const PAGE: u32 = 100;

type Shared = State<Arc<JsonState>>;

/// Logs a request in by HTTP Basic.
impl FromRequestParts<Arc<JsonState>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<JsonState>) -> Result<Self, Problem> {
        let (user, password) = match soap::basic(&parts.headers) {
            Some(soap::Credentials { user, password }) => (Some(user), Some(password)),
            None => (None, None),
        };
        let locale = soap::accepted_language(&parts.headers).and_then(|tag| Locale::parse(&tag).ok());
        let peer = proxies::peer(&parts.extensions);
        let credentials = Credentials { user, password, locale, app_name: None, peer, address: None };
        // Logins may wait for each other.
        let mut charge = state.budgets.charge(parts);
        let given_up = charge.given_up();
        let log_in = async {
            charge.come(parts).await?;
            charge.has_come();
            Ok::<_, Problem>(state.services.authenticate(credentials).await?)
        };
        let caller = tokio::select! {
            biased;
            caller = log_in => caller?,
            busy = given_up => return Err(busy.into()),
        };
        if let Some(visit) = parts.extensions.get::<Visit>() {
            visit.let_in(&caller)?;
        }
        Ok(caller)
    }
}

pub async fn list(
    State(state): Shared,
    caller: Caller,
    Query(parameters): Query<HashMap<String, String>>,
) -> Result<Json<JobsPage>, Problem> {
    let mut parameters = Parameters(parameters);
    let query = JobsQuery {
        company: parameters.take("company"),
        states: parameters.list::<RunState>("state")?,
        kind: parameters.read_with("kind", |text| {
            JobKind::from_element(text).ok_or("must be a job element, such as uploadDirectoryJob")
        })?,
        outcome: parameters.read("outcome")?,
        name: parameters.take("name"),
        since: parameters.instant("since")?,
        until: parameters.instant("until")?,
        before: parameters.number("before")?.map(InstanceId),
        limit: parameters.limit()?,
    };
    parameters.finish()?;
    Ok(Json(state.services.list_jobs_within(&caller, &query, &state.limits).await?))
}

pub async fn show(
    State(state): Shared,
    caller: Caller,
    Path(id): Path<String>,
    Query(parameters): Query<HashMap<String, String>>,
) -> Result<Response, Problem> {
    let mut parameters = Parameters(parameters);
    let company = parameters.take("company");
    parameters.finish()?;
    Ok(match state.services.find_job(&caller, company.as_deref(), &id).await? {
        Found::Run(run) => Json(state.services.job_details(&caller, &run, &state.limits).await?).into_response(),
        Found::Scheduled(job, _) => Json(state.services.schedule_view(&caller, &job).await?).into_response(),
    })
}

pub async fn log(
    State(state): Shared,
    caller: Caller,
    Path(id): Path<String>,
    Query(parameters): Query<HashMap<String, String>>,
) -> Result<Json<LogPage>, Problem> {
    let mut parameters = Parameters(parameters);
    let company = parameters.take("company");
    let query = LogQuery {
        types: parameters.list::<LogType>("type")?,
        least: parameters.read_with("severity", |text| match text {
            "error" => Ok(Severity::Error),
            "warning" => Ok(Severity::Warning),
            _ => Err("must be error or warning"),
        })?,
        after: parameters.number("after")?.unwrap_or(0),
        limit: parameters.limit()?,
    };
    parameters.finish()?;
    let found = state.services.find_job(&caller, company.as_deref(), &id).await?;
    let run = found.into_run().ok_or_else(|| Problem::not_found("the job has not run yet"))?;
    Ok(Json(state.services.read_log(&caller, run.id, &query).await?))
}

/// A verb on whatever the caller calls a job. The body is empty, or `{}`; its type is asked for because a page of another site
/// cannot send it in the name of a reader whose browser knows the password.
pub async fn control(
    State(state): Shared,
    caller: Caller,
    Path((id, verb)): Path<(String, String)>,
    Query(parameters): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Result<Json<Controlled>, Problem> {
    let mut parameters = Parameters(parameters);
    let company = parameters.take("company");
    parameters.finish()?;
    let is_json = |value: &HeaderValue| value.as_bytes().starts_with(b"application/json");
    if !headers.get(CONTENT_TYPE).is_some_and(is_json) {
        return Err(Problem::parameter(Invalid::new("Content-Type", "must be application/json")));
    }
    let verb = match verb.as_str() {
        "stop" => Verb::Stop,
        "pause" => Verb::Pause,
        "resume" => Verb::Resume,
        "run" => Verb::Execute,
        "retry" => Verb::Retry,
        "delete" => Verb::Delete,
        _ => return Err(Problem::not_found("what is done to a job is stop, pause, resume, run, retry or delete")),
    };
    match state.services.control_named(&caller, verb, company.as_deref(), &id).await {
        Ok(Some(done)) => Ok(Json(done)),
        Ok(None) => Err(Problem::not_found(format!("there is no job \"{id}\""))),
        Err(Error::Refused(why)) => Err(Problem::conflict(why)),
        Err(error) => Err(error.into()),
    }
}

/// Query parameters, taken one by one, so that one nobody knows is an error and not a filter that filters nothing.
struct Parameters(HashMap<String, String>);

impl Parameters {
    fn take(&mut self, name: &str) -> Option<String> {
        self.0.remove(name).filter(|value| !value.is_empty())
    }

    fn read_with<T, E: Display>(
        &mut self,
        name: &str,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, Problem> {
        let refuse = |rule: E| Problem::parameter(Invalid::new(name, rule.to_string()));
        self.take(name).map(|text| read(&text).map_err(refuse)).transpose()
    }

    fn read<T: FromStr<Err: Display>>(&mut self, name: &str) -> Result<Option<T>, Problem> {
        self.read_with(name, str::parse)
    }

    /// Constants with commas between them.
    fn list<T: FromStr<Err: Display>>(&mut self, name: &str) -> Result<Option<Vec<T>>, Problem> {
        self.read_with(name, |text| text.split(',').map(|item| item.trim().parse()).collect::<Result<Vec<T>, _>>())
    }

    fn number(&mut self, name: &str) -> Result<Option<i64>, Problem> {
        self.read_with(name, |text| text.parse::<i64>().map_err(|_| "must be a whole number"))
    }

    fn instant(&mut self, name: &str) -> Result<Option<DateTime<Utc>>, Problem> {
        self.read_with(name, |text| {
            let instant = DateTime::parse_from_rfc3339(text);
            instant.map(|at| at.to_utc()).map_err(|_| "must be a time with a zone, such as 2026-11-23T09:15:00Z")
        })
    }

    fn limit(&mut self) -> Result<u32, Problem> {
        let limit = self.read_with("limit", |text| {
            let limit = text.parse::<u32>().ok().filter(|limit| (1..=MOST_ON_A_PAGE).contains(limit));
            limit.ok_or_else(|| format!("must be a number from 1 to {MOST_ON_A_PAGE}"))
        })?;
        Ok(limit.unwrap_or(PAGE))
    }

    fn finish(self) -> Result<(), Problem> {
        match self.0.into_keys().min() {
            None => Ok(()),
            Some(name) => Err(Problem::parameter(Invalid::new(name, "is not a parameter of this address"))),
        }
    }
}
