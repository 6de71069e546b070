//! Errors as problem details (RFC 9457).

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::model::invalid::Invalid;
use crate::service::{Ambiguous, Candidate, Denied, Error, NotAuthenticated};
use crate::transport::budget::{Busy, RETRY_AFTER};
use crate::transport::connections::Crowded;

/// Why there is no answer.
#[derive(Debug, Serialize)]
pub struct Problem {
    /// What kind of problem, for programs.
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
    /// The parameter that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// What could be meant, if that is not clear.
    #[serde(skip_serializing_if = "Option::is_none")]
    candidates: Option<Box<[Candidate]>>,
    /// Seconds after which it may be tried again: for the header.
    #[serde(skip)]
    retry_after: Option<u64>,
}

impl Problem {
    fn new(status: StatusCode, kind: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind,
            title,
            status: status.as_u16(),
            detail: detail.into(),
            field: None,
            candidates: None,
            retry_after: None,
        }
    }

    pub fn parameter(invalid: Invalid) -> Self {
        let detail = invalid.to_string();
        let problem = Self::new(StatusCode::BAD_REQUEST, "invalid-parameter", "A parameter is wrong", detail);
        Self { field: Some(invalid.field), ..problem }
    }

    fn busy(detail: String) -> Self {
        let problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "The server is busy", detail);
        Self { retry_after: Some(u64::from(RETRY_AFTER)), ..problem }
    }

    /// It is there, but in a state that does not allow it.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", "Not in this state", detail)
    }

    fn ambiguous(ambiguous: Ambiguous) -> Self {
        let detail = ambiguous.to_string();
        let problem = Self::new(StatusCode::CONFLICT, "ambiguous", "More than one could be meant", detail);
        Self { candidates: Some(ambiguous.candidates.into()), ..problem }
    }

    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "There is no such thing", detail)
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        match error {
            Error::NotAuthenticated(NotAuthenticated::TooManyFailures { seconds }) => {
                let kind = "too-many-failed-logins";
                let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, kind, "Too many failed logins", detail);
                Self { retry_after: Some(seconds), ..problem }
            }
            Error::NotAuthenticated(_) => {
                Self::new(StatusCode::UNAUTHORIZED, "not-authenticated", "Log in with HTTP Basic", detail)
            }
            Error::Denied(Denied::InvalidCompany { field }) => {
                Self { field: Some(field), ..Self::not_found("there is no such company") }
            }
            Error::Denied(_) => Self::new(StatusCode::FORBIDDEN, "denied", "Not with these rights", detail),
            Error::Refused(_) => Self::not_found(detail),
            Error::Ambiguous(ambiguous) => Self::ambiguous(ambiguous),
            Error::Busy => Self::busy(detail),
            Error::Invalid(invalid) => Self::parameter(invalid),
            Error::Missing { field, rule } => Self::parameter(Invalid::new(field, format!("is missing: {rule}"))),
            Error::Store(_) | Error::Internal(_) => {
                // What exactly is for the log, not for whoever asks.
                tracing::error!(error = detail, "a request could not be answered");
                let detail = "the server's log says more";
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error", detail)
            }
        }
    }
}

impl From<Crowded> for Problem {
    fn from(crowded: Crowded) -> Self {
        Self::busy(crowded.to_string())
    }
}

impl From<Busy> for Problem {
    fn from(busy: Busy) -> Self {
        Self::busy(busy.to_string())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = self.retry_after;
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Basic realm=\"Prepress\", charset=\"UTF-8\""),
            );
        }
        response
    }
}
