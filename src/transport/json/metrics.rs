//! `/metrics`: what Prometheus reads. What the database knows is read from it for each page; what it does not know is
//! counted in this process. All who ask at once get the same page, begun after each of them asked.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry, Unit};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::JsonState;
use super::problem::Problem;
use crate::clock::Stopwatch;
use crate::service::{Error, Overview, Stats};
use crate::transport::budget::Held;
use crate::transport::connections::Counts;
use crate::transport::soap::{OperationName, PLAIN_PATH, SOAP_PATH};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The time from one page to the next. Nobody logs in to ask for one, and each is asked of the database.
const LEAST_APART: Duration = Duration::from_millis(100);

/// The last page, and when it was begun.
pub type LastPage = Mutex<Option<(Instant, Bytes)>>;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Call {
    route: &'static str,
    operation: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: &'static str,
}

/// What came over HTTP. Clones share the counters.
#[derive(Debug, Clone)]
pub struct HttpMetrics {
    requests: Family<Call, Counter>,
    seconds: Family<Route, Histogram>,
}

impl Default for HttpMetrics {
    fn default() -> Self {
        // 0.5 ms to 8 s.
        let seconds =
            Family::new_with_constructor((|| Histogram::new(exponential_buckets(0.0005, 2.0, 15))) as fn() -> _);
        Self { requests: Family::default(), seconds }
    }
}

/// Counts the requests to a router.
pub fn measured(router: Router, metrics: HttpMetrics) -> Router {
    router.layer(middleware::from_fn_with_state(metrics, measure))
}

async fn measure(State(metrics): State<HttpMetrics>, request: Request, next: Next) -> Response {
    let route = route(request.uri().path());
    let begun = Stopwatch::start();
    let response = next.run(request).await;
    let operation = response.extensions().get::<OperationName>().map_or("", |operation| operation.0);
    let call = Call { route, operation, status: response.status().as_u16() };
    metrics.requests.get_or_create(&call).inc();
    metrics.seconds.get_or_create(&Route { route }).observe(begun.elapsed().as_secs_f64());
    response
}

/// A label of few values, whatever is requested.
fn route(path: &str) -> &'static str {
    match path {
        SOAP_PATH => "soap",
        PLAIN_PATH => "plain",
        "/healthz" | "/readyz" => "health",
        "/metrics" => "metrics",
        path if path.starts_with("/api/") => "api",
        path if path.ends_with(".wsdl") => "wsdl",
        _ => "other",
    }
}

pub async fn scrape(State(state): State<Arc<JsonState>>) -> Result<Response, Problem> {
    let asked = Instant::now();
    let mut last = state.last_page.lock().await;
    let page = match &*last {
        // It was begun for somebody who waited as well.
        Some((begun, page)) if *begun > asked => page.clone(),
        other => {
            if let Some((begun, _)) = other {
                tokio::time::sleep_until(*begun + LEAST_APART).await;
            }
            let (begun, page) = (Instant::now(), Bytes::from(write(&state).await?));
            *last = Some((begun, page.clone()));
            page
        }
    };
    Ok(([(header::CONTENT_TYPE, OPEN_METRICS)], page).into_response())
}

async fn write(state: &JsonState) -> Result<String, Problem> {
    let overview = state.services.overview().await?;
    let now = state.services.clock().now();
    let mut registry = Registry::with_prefix("prepress");
    register_process(&mut registry, state);
    register_overview(&mut registry, &overview, now);
    register_stats(&mut registry, state.services.stats());
    let mut page = String::new();
    text::encode(&mut page, &registry).map_err(|fmt::Error| Error::Internal("metrics cannot be written".to_owned()))?;
    Ok(page)
}

fn register_process(registry: &mut Registry, state: &JsonState) {
    let HttpMetrics { requests, seconds } = state.http.clone();
    let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
    registry.register("build", "The version that runs", build);
    registry.register("http_requests", "Requests answered, by route, SOAP operation and HTTP status", requests);
    registry.register_with_unit("http_request_duration", "From request to response", Unit::Seconds, seconds);
    let slots = gauge(i64::try_from(state.limits.slots).unwrap_or(i64::MAX));
    registry.register("slots", "Jobs that may run at the same time", slots);
    let verified = Counter::<u64>::default();
    verified.inc_by(state.services.passwords_verified());
    if let Some(expires) = &state.certificate_expires {
        let help = "When the certificate of this server expires, in seconds since 1970";
        let seconds = gauge(expires.borrow().timestamp());
        registry.register_with_unit("certificate_expiry_timestamp", help, Unit::Seconds, seconds);
    }
    registry.register("passwords_verified", "Logins that cost a password hash", verified);
    register_connections(registry, &state.connections.counts());
    register_budgets(registry, &state.budgets.held());
    let refused = Counter::<u64>::default();
    refused.inc_by(state.services.logins_refused());
    let waiting = gauge(i64::try_from(state.services.logins_waiting()).unwrap_or(i64::MAX));
    registry.register("logins_waiting", "Logins that wait because others failed before them", waiting);
    registry.register("logins_refused", "Logins with a wrong password, or after too many of them", refused);
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WhyLabel {
    why: &'static str,
}

fn register_connections(registry: &mut Registry, counts: &Counts) {
    let Counts { open, made_room, reserved, refused, expired, broken_off } = *counts;
    registry.register("connections", "Connections that are open", gauge(i64::try_from(open).unwrap_or(i64::MAX)));
    let closed = Family::<WhyLabel, Counter>::default();
    for (why, count) in [("made_room", made_room), ("time", expired), ("broken_off", broken_off), ("refused", refused)]
    {
        closed.get_or_create(&WhyLabel { why }).inc_by(count);
    }
    let help = "Connections closed by this server: those that made room for others, those whose time was over, those whose client broke \
                off one request after another, and those for which there was no place";
    registry.register("connections_closed", help, closed);
    let beyond = Counter::<u64>::default();
    beyond.inc_by(reserved);
    registry.register("connections_reserved", "Connections taken beyond server.max_connections", beyond);
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SettingLabel {
    setting: &'static str,
}

fn register_budgets(registry: &mut Registry, budgets: &[Held]) {
    let (held, turned_away) = (Family::<SettingLabel, Gauge>::default(), Family::<SettingLabel, Counter>::default());
    for Held { setting, bytes, turned_away: count } in budgets {
        let label = SettingLabel { setting };
        held.get_or_create(&label).set(i64::try_from(*bytes).unwrap_or(i64::MAX));
        turned_away.get_or_create(&label).inc_by(*count);
    }
    registry.register_with_unit(
        "requests_held",
        "What requests hold, by the setting that bounds it",
        Unit::Bytes,
        held,
    );
    let help = "Requests that were turned away, by the setting that left no room";
    registry.register("requests_turned_away", help, turned_away);
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RunLabels {
    kind: String,
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabel {
    state: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ChannelLabel {
    channel: String,
}

fn register_overview(registry: &mut Registry, overview: &Overview, now: DateTime<Utc>) {
    // Nobody logs in to read this, so that it says nothing of any one company.
    let runs = Family::<RunLabels, Gauge>::default();
    for open in &overview.runs {
        let labels = RunLabels { kind: open.kind.clone(), state: open.state.as_str() };
        runs.get_or_create(&labels).set(open.count);
    }
    registry.register("runs", "Runs that are not done, by kind and state", runs);
    let age = |since: Option<DateTime<Utc>>| {
        let seconds = Gauge::<f64, AtomicU64>::default();
        seconds.set(since.map_or(0.0, |since| (now - since).as_seconds_f64()));
        seconds
    };
    let waiting = "How long the run waits that could have started first";
    registry.register_with_unit("queue_age", waiting, Unit::Seconds, age(overview.waiting_since));
    let scheduled = Family::<StateLabel, Gauge>::default();
    for (state, count) in &overview.scheduled {
        scheduled.get_or_create(&StateLabel { state: state.clone() }).set(*count);
    }
    registry.register("scheduled_jobs", "Jobs that wait for their time, by trigger state", scheduled);
    let messages = Family::<ChannelLabel, Gauge>::default();
    for channel in ["mail", "url"] {
        let count = overview.messages.iter().find(|(name, _)| name == channel).map_or(0, |(_, count)| *count);
        messages.get_or_create(&ChannelLabel { channel: channel.to_owned() }).set(count);
    }
    registry.register("outbox_pending", "Mails and completion URLs still to be delivered", messages);
    let oldest = "Age of the oldest message that is still to be delivered";
    registry.register_with_unit("outbox_age", oldest, Unit::Seconds, age(overview.messages_since));
    registry.register("companies", "Companies", gauge(overview.companies));
    registry.register("accounts", "Users", gauge(overview.accounts));
}

fn register_stats(registry: &mut Registry, stats: &Stats) {
    let Stats { submit_seconds, claim_seconds, group_size, attempts_begun, attempts_ended, items, damaged_files } =
        stats;
    seconds(registry, "submit_duration", "From a submission to its commit", submit_seconds);
    seconds(registry, "claim_delay", "From when a run could have started to its start", claim_seconds);
    registry.register("commit_group_size", "Writes that shared a transaction", group_size.clone());
    registry.register("attempts_begun", "Attempts begun", attempts_begun.clone());
    registry.register("attempts_ended", "Attempts ended, by how", attempts_ended.clone());
    registry.register("items", "Units of work committed: files, addresses, assets", items.clone());
    registry.register("damaged_files", "Stored files that Cleanup found damaged or gone", damaged_files.clone());
}

fn seconds(registry: &mut Registry, name: &str, help: &str, metric: &(impl Metric + Clone)) {
    registry.register_with_unit(name, help, Unit::Seconds, metric.clone());
}

fn gauge(value: i64) -> Gauge {
    let gauge = Gauge::default();
    gauge.set(value);
    gauge
}
