//! JSON for the people who run the server: jobs and their logs, health, metrics.
//!
//! | address | login | what |
//! |---|---|---|
//! | `GET /api/jobs` | Basic | runs, the newest first; filters as query parameters, a page at a time |
//! | `GET /api/jobs/{id}` | Basic | one run, or a scheduled job by its handle or name |
//! | `GET /api/jobs/{id}/log` | Basic | its log |
//! | `POST /api/jobs/{id}/{verb}` | Basic | stop, pause, resume, run, retry or delete it |
//! | `GET /healthz` | none | the process is alive |
//! | `GET /readyz` | none | it can work: database, engine, disks |
//! | `GET /metrics` | none | OpenMetrics text |
//!
//! A login is that of a user of the API, and shows what that user may see. Errors are problem details (RFC 9457).

mod health;
mod jobs;
mod metrics;
mod problem;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::body::{self, Body};
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use chrono::{DateTime, Utc};
use tokio::sync::watch;

use super::budget::Budgets;
use super::connections::Table;
use crate::service::jobs::Limits;
use crate::service::{Error, Services};

use problem::Problem;

pub use metrics::{HttpMetrics, LastPage, measured};

/// What the routes share.
pub struct JsonState {
    pub services: Services,
    /// What bounds the running jobs, for saying why one waits.
    pub limits: Limits,
    pub accepting: Accepting,
    pub http: HttpMetrics,
    pub last_page: LastPage,
    /// What the metrics say of connections, and of the bytes of requests.
    pub(crate) connections: Arc<Table>,
    pub budgets: Budgets,
    /// When the certificate that is served ends, if one is.
    pub certificate_expires: Option<watch::Receiver<DateTime<Utc>>>,
}

/// Whether the daemon takes on work. Clones share it.
#[derive(Debug, Clone)]
pub struct Accepting(Arc<AtomicBool>);

impl Default for Accepting {
    fn default() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }
}

impl Accepting {
    /// The daemon is stopping.
    pub fn end(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The routes.
pub fn router(state: Arc<JsonState>) -> Router {
    let jobs = Router::new()
        .route("/api/jobs", get(jobs::list))
        .route("/api/jobs/{id}", get(jobs::show))
        .route("/api/jobs/{id}/log", get(jobs::log))
        .route("/api/jobs/{id}/{verb}", post(jobs::control))
        .route_layer(middleware::from_fn_with_state(state.clone(), charge_answer));
    jobs.route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics::scrape))
        .with_state(state)
}

/// What is answered to those who have logged in is charged for until it is sent. Refusals are short.
async fn charge_answer(State(state): State<Arc<JsonState>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let charge = state.budgets.charge(&parts);
    let (head, body) = next.run(Request::from_parts(parts, body)).await.into_parts();
    if !head.status.is_success() {
        return Response::from_parts(head, body);
    }
    let charged = async {
        let bytes = body::to_bytes(body, usize::MAX).await.map_err(|error| Error::Internal(error.to_string()))?;
        Ok::<_, Problem>(charge.answer(bytes.len() as u64).await?.around(bytes))
    };
    match charged.await {
        Ok(bytes) => Response::from_parts(head, Body::from(bytes)),
        Err(problem) => problem.into_response(),
    }
}
