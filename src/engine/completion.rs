//! Completion URLs: httpCompletionUrl and postHttpUrl, requested when a job is done.
//!
//! The reference leaves method and body open; clients use the address as a web hook. A GET with no body asks the least of
//! them. Any answer below 400 counts as heard; 4xx but 408 and 429 will not get better by repetition.

use std::time::Duration;

use async_trait::async_trait;

use super::notifier::{CallUrl, Undelivered, UrlAnswer};
use crate::store::jobs::outbox::Outgoing;

/// Requests addresses over HTTP.
pub struct HttpCompletion {
    pub client: reqwest::Client,
    pub timeout: Duration,
}

#[async_trait]
impl CallUrl for HttpCompletion {
    async fn call(&self, message: &Outgoing) -> UrlAnswer {
        let request = self.client.get(&message.recipient).timeout(self.timeout).send();
        let status = match request.await {
            Ok(response) => response.status(),
            Err(error) if error.is_builder() => return Err(Undelivered::Permanent(error.to_string())),
            Err(error) => return Err(Undelivered::Transient(root_cause(&error))),
        };
        if status.as_u16() < 400 {
            Ok(())
        } else if status.is_client_error() && !matches!(status.as_u16(), 408 | 429) {
            Err(Undelivered::Permanent(format!("the server answered {status}")))
        } else {
            Err(Undelivered::Transient(format!("the server answered {status}")))
        }
    }
}

/// What lies at the bottom of an error, which says more than its wrappings.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
