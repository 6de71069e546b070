//! The connections beyond the bound: supervision and administrators get through when nobody else does.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, Version, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};

use crate::model::id::AccountId;
use crate::service::Caller;
use crate::transport::budget::RETRY_AFTER;
use crate::transport::soap::{PLAIN_PATH, SOAP_PATH};
use crate::transport::upload::UPLOAD_PATH;

/// What is answered to everybody.
const FOR_ALL: &[&str] = &["/healthz", "/readyz", "/metrics"];

/// Where callers log in, with what all their addresses begin.
const WITH_LOGIN: &[&str] = &[SOAP_PATH, PLAIN_PATH, UPLOAD_PATH, "/api/"];

/// The connection that a request came by, for whoever logs its caller in. It goes with each request; clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Visit {
    is_reserved: bool,
    /// Whose login was accepted last; [`NOBODY`] if none was.
    user: Arc<AtomicI64>,
}

/// The number of no account.
const NOBODY: i64 = 0;

/// Only administrators are answered just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "The server is busy: all connections of server.max_connections have requests under way, and only supervision and \
     administrators of the server are answered. Try again in {RETRY_AFTER} seconds"
)]
pub struct Crowded;

impl Visit {
    pub fn new(is_reserved: bool) -> Self {
        Self { is_reserved, user: Arc::new(AtomicI64::new(NOBODY)) }
    }

    /// Whether it is a connection of the reserve.
    pub const fn is_reserved(&self) -> bool {
        self.is_reserved
    }

    /// To be told when a login has been accepted. On the reserve that lets in an administrator of the server, and nobody else.
    pub fn let_in(&self, caller: &Caller) -> Result<(), Crowded> {
        if self.is_reserved && !caller.is_ips_admin {
            return Err(Crowded);
        }
        self.user.store(caller.account.0, Ordering::Release);
        Ok(())
    }

    #[cfg(test)]
    pub fn be_known(&self) {
        self.user.store(NOBODY + 1, Ordering::Release);
    }

    /// Who logged in by it last.
    pub fn user(&self) -> Option<AccountId> {
        Some(self.user.load(Ordering::Acquire)).filter(|user| *user != NOBODY).map(AccountId)
    }

    pub fn has_let_in(&self) -> bool {
        self.user().is_some()
    }
}

/// Turns away what comes by the reserve and is neither supervision nor an administrator's. Whoever logs callers in has to ask
/// [`Visit::let_in`], for only there is it known who calls: an answer without that is not given.
pub(crate) fn for_administrators(router: Router) -> Router {
    router.layer(middleware::from_fn(guard))
}

async fn guard(request: Request, next: Next) -> Response {
    let visit = request.extensions().get::<Visit>().filter(|visit| visit.is_reserved());
    let Some(visit) = visit.cloned() else { return next.run(request).await };
    let (version, path) = (request.version(), request.uri().path());
    let is_for_all = FOR_ALL.contains(&path);
    let mut answer = if is_for_all || WITH_LOGIN.iter().any(|address| path.starts_with(address)) {
        let answer = next.run(request).await;
        if is_for_all || visit.has_let_in() { answer } else { crowded() }
    } else {
        crowded()
    };
    if version <= Version::HTTP_11 {
        // The connection ends soon, whatever comes next.
        answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    answer
}

fn crowded() -> Response {
    let headers = [(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER))];
    (StatusCode::SERVICE_UNAVAILABLE, headers, format!("{Crowded}.\n")).into_response()
}
