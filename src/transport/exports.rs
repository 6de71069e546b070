//! Downloads of exports: `GET /Exports/<company name>/<run number>/<token>.zip`, without a login.
//!
//! The address is the key: whoever was told it may download, until it expires. Ranges and HEAD are answered, so that a
//! download that broke off can go on.

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tower::ServiceExt;
use tower_http::services::ServeFile;

use crate::model::id::InstanceId;
use crate::service::Services;
use crate::service::exports::Download;

/// What the route needs.
pub struct ExportState {
    pub services: Services,
    /// Above the files of all exports.
    pub root: PathBuf,
}

pub fn router(state: Arc<ExportState>) -> Router {
    Router::new().route("/Exports/{company}/{run}/{file}", get(download)).with_state(state)
}

async fn download(
    State(state): State<Arc<ExportState>>,
    Path((_company, run, file)): Path<(String, String, String)>,
    request: Request,
) -> Response {
    let (Ok(run), Some(token)) = (run.parse(), file.strip_suffix(".zip")) else { return unknown() };
    let run = InstanceId(run);
    match state.services.download(run, token).await {
        Ok(Download::Ready(export)) => {
            let path = state.root.join(run.to_string()).join(format!("{}.zip", export.token));
            match ServeFile::new(path).oneshot(request).await {
                Ok(served) => described(served.into_response(), run),
                Err(never) => match never {},
            }
        }
        Ok(Download::Expired) => plain(StatusCode::GONE, "This export has expired. Export the assets again.\n"),
        Ok(Download::Unknown) => unknown(),
        Err(error) => {
            tracing::error!(%error, "an export could not be looked up");
            plain(StatusCode::SERVICE_UNAVAILABLE, "The export cannot be looked up just now. Try again later.\n")
        }
    }
}

fn described(mut response: Response, run: InstanceId) -> Response {
    let headers = response.headers_mut();
    if let Ok(disposition) = HeaderValue::from_str(&format!("attachment; filename=\"export-{run}.zip\"")) {
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert("x-robots-tag", HeaderValue::from_static("noindex"));
    response
}

fn unknown() -> Response {
    plain(StatusCode::NOT_FOUND, "There is no such export.\n")
}

fn plain(status: StatusCode, text: &'static str) -> Response {
    (status, [(header::CONTENT_TYPE, "text/plain;charset=UTF-8")], text).into_response()
}
